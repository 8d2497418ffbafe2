//! What rules there are in a node, and what they did with a packet.

use serde::{Deserialize, Serialize};

use super::Packet;
use crate::source::Span;

/// The table of the steps that are no rule's, but show a packet as it comes to the first hook, and as it is at each later
/// one, behind whatever has translated it.
pub const LOOKS: &str = "netcase-trace";

/// A base or a plain chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// `ip`, `ip6`, `inet`, `arp`, `bridge` or `netdev`; `iptables` and `ip6tables` for rules of the legacy kind.
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The hook of a base chain, as nft(8) calls it.
    pub hook: Option<String>,
    /// The interfaces that it stands at, where it belongs to some: chains of `netdev`, and those at `ingress`.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Its priority.
    pub priority: i32,
    /// What becomes of a packet that no rule decided: `accept` or `drop`; a chain without hook has none.
    pub policy: Option<String>,
    /// How many packets its policy has decided meanwhile, where that is counted: in chains of the older kind.
    #[serde(default)]
    pub packets: Option<u64>,
    /// Where it is declared.
    pub place: Option<Place>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// As of its [`Chain`].
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// Its handle; for a rule of the legacy kind its number in the chain, from 1.
    pub handle: u64,
    /// As the program that loads it writes it, on one line.
    pub text: String,
    /// How many packets it has had meanwhile, where it counts them.
    pub packets: Option<u64>,
    /// Where it comes from; `None` where that is not certain.
    pub place: Option<Place>,
}

/// The line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In the case itself.
    Case(Span),
    /// In a file that the case brings.
    File {
        /// As the case writes its path, or as the file that includes it does.
        path: String,
        /// The line, from 1.
        line: u32,
        /// The line itself.
        text: String,
        /// Whether it is a line of a script: what it says may be more than what it is blamed for.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        command: bool,
    },
}

/// One step of a packet through the rules of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The node.
    pub node: usize,
    /// What is the same for all steps of one packet through one hook.
    pub id: u32,
    /// As of its [`Chain`].
    pub family: String,
    /// The table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// What decided.
    pub kind: TraceKind,
    /// How.
    pub verdict: TraceVerdict,
    /// The interface that the packet came in by.
    pub iif: Option<u32>,
    /// The interface that it leaves by.
    pub oif: Option<u32>,
    /// The packet, where the kernel has shown it: with the first step of each hook.
    pub packet: Option<Packet>,
}

/// What decided a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TraceKind {
    /// The rule with this handle.
    Rule(u64),
    /// The end of a chain that was jumped to.
    Return,
    /// The policy of a base chain.
    Policy,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TraceVerdict {
    /// On to the next base chain of the hook.
    Accept,
    /// The end.
    Drop,
    /// On to the next rule.
    Continue,
    /// On to a chain, and back.
    Jump(String),
    /// On to a chain.
    Goto(String),
    /// Back to the rule behind the jump.
    Return,
    /// Anything else: queued, stolen, repeated.
    Other(String),
}

impl Trace {
    /// Whether another step is one of the same chain.
    pub fn chain_is(&self, other: &Self) -> bool {
        (&self.family, &self.table, &self.chain) == (&other.family, &other.table, &other.chain)
    }
}
