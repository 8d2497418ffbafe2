//! What was seen of one probe that was made once more with evidence on, and what the explanation makes of it. Plain
//! data: it crosses the wire, lies in a bundle, and explains the same again without a lab.

mod explanation;
mod packet;
mod rules;
mod state;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use explanation::{Act, Blame, Cause, CauseKind, Explanation, Hop, Way};
pub use packet::{Fingerprint, Icmp, Packet, Payload, Question, Quoted, decode, decode_headers};
pub use rules::{Chain, LOOKS, Place, Rule, Trace, TraceKind, TraceVerdict};
pub use state::{
    Address, BridgePort, Connection, Fdb, Interface, Listening, Neighbour, NodeState, PolicyRule, PortState,
    ScriptText, ServiceState, Tunnel, Tuple,
};

/// What was gathered of one probe. A node is called by its place in the plan, an interface by its index in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was probed.
    pub flow: Flow,
    /// Every node, in the order of the plan, as it was right after the probe.
    pub nodes: Vec<NodeState>,
    /// What passed the interfaces meanwhile, in the order of time.
    pub frames: Vec<Frame>,
    /// What the rules of the nodes did with it, in the order of time.
    pub traces: Vec<Trace>,
    /// What the kernels say of their routes.
    pub decisions: Vec<Decision>,
    /// What was sent on behind the place where the packet had ended, if anything was; [`traces`](Self::traces) has what
    /// the rules behind that place did with it.
    #[serde(default)]
    pub sent_on: Option<SentOn>,
    /// The nodes of whose packets some may be missing in [`frames`](Self::frames): what was not seen there may have
    /// passed.
    #[serde(default)]
    pub unseen: Vec<usize>,
    /// The nodes of whose rules some steps may be missing in [`traces`](Self::traces): a rule may have ended a packet there
    /// all the same.
    #[serde(default)]
    pub untraced: Vec<usize>,
    /// What is missing in here, in words: limits that were reached, tables that could not be read.
    pub cut: Vec<String>,
}

/// What was probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Who sent.
    pub from: usize,
    /// The source address, where it is known.
    pub source: Option<IpAddr>,
    /// The target.
    pub to: IpAddr,
    /// What was sent.
    pub protocol: Protocol,
    /// The source port, where it is known; 0 for an echo request.
    pub source_port: u16,
    /// The port of the target; 0 for an echo request.
    pub port: u16,
}

impl Default for Flow {
    fn default() -> Self {
        let to = IpAddr::from([0, 0, 0, 0]);
        Self { from: 0, source: None, to, protocol: Protocol::Icmp, source_port: 0, port: 0 }
    }
}

/// What carries a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// ICMP or ICMPv6 echo.
    Icmp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// A question for the owner of an address: ARP or neighbour discovery.
    Neighbour,
}

impl Protocol {
    /// The number in the IP header; a question for a neighbour has none of its own.
    pub fn number(self, v6: bool) -> u8 {
        match self {
            Self::Icmp | Self::Neighbour if v6 => 58,
            Self::Icmp | Self::Neighbour => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// A frame as a packet socket has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The node.
    pub node: usize,
    /// The interface.
    pub interface: u32,
    /// The kernel's time stamp, in nanoseconds since 1970.
    pub time: u64,
    /// Whether the node sent it there, or received it.
    pub outgoing: bool,
    /// The VLAN in a tag that the kernel has taken off (or not put on yet).
    pub vlan: Option<u16>,
    /// Its length on the wire.
    pub length: u32,
    /// Its start, from the Ethernet header on.
    #[serde(with = "hexadecimal")]
    pub bytes: Vec<u8>,
}

/// A packet that is put on the wire behind the place where it ended, to see what else would stop it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentOn {
    /// The node whose interface sends it.
    pub node: usize,
    /// The interface.
    pub interface: u32,
    /// The frame.
    #[serde(with = "hexadecimal")]
    pub bytes: Vec<u8>,
    /// The nodes that it should have passed before. They know no connection to which its answer would belong.
    pub passed: Vec<usize>,
    /// Where in [`Evidence::traces`] begins what rules did with it.
    pub traces: usize,
}

/// A question for a kernel's routes, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was asked.
    pub asked: Ask,
    /// The route, or the errno with which the kernel refuses.
    pub answer: Result<Chosen, i32>,
}

/// What a node's kernel is asked for: where a packet would go (ip-route(8), `ip route get TO [from FROM iif DEV]`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ask {
    /// The node.
    pub node: usize,
    /// Where the packet goes.
    pub to: IpAddr,
    /// Where it comes from; the kernel chooses when it is the node itself that sends.
    pub from: Option<IpAddr>,
    /// The interface that it came in by; none when the node itself sends.
    pub iif: Option<u32>,
    /// Protocol and ports, which policy rules may look at.
    pub protocol: Protocol,
    /// The source port.
    pub source_port: u16,
    /// The port of the target.
    pub port: u16,
    /// The mark that rules have given it, 0 where they have not.
    #[serde(default)]
    pub mark: u32,
}

impl Ask {
    /// Where a node itself would send to an address.
    pub fn plain(node: usize, to: IpAddr) -> Self {
        Self { node, to, from: None, iif: None, protocol: Protocol::Icmp, source_port: 0, port: 0, mark: 0 }
    }
}

/// The route that a kernel has chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Whether the node takes the packet for its own.
    pub local: bool,
    /// Whether it is a broadcast or a multicast route.
    pub many: bool,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface that it leaves by.
    pub oif: Option<u32>,
    /// The source address that the kernel chooses.
    pub source: Option<IpAddr>,
    /// The table that the route stands in (254 is `main`, 255 `local`).
    pub table: u32,
    /// The smallest packet size that the route knows of on the way, if one.
    pub mtu: Option<u32>,
}

/// Bytes as text.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let digits = digits.filter(|digits| digits.len().is_multiple_of(2));
        let digits = digits.ok_or_else(|| D::Error::custom("these are no bytes in hexadecimal"))?;
        Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
    }
}
