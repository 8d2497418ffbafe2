//! What became of a probe: where it went, where it ended, and why.

use serde::{Deserialize, Serialize};

use super::Place;

/// What became of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was seen of it, from the sender to the receiver and back.
    pub hops: Vec<Hop>,
    /// Why it ended where it did: one, or all where there are several; none when that is not known.
    pub causes: Vec<Cause>,
    /// When no cause is known: what is known, and what was ruled out.
    pub known: Vec<String>,
    /// What is missing in the evidence, in words.
    pub cut: Vec<String>,
    /// What the second probe saw when that was another outcome than the first.
    pub flaky: Option<String>,
}

/// One thing that happened to a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// On which way.
    pub way: Way,
    /// The node, by its name.
    pub node: String,
    /// The interface, where it happened at one.
    pub interface: Option<String>,
    /// What.
    pub act: Act,
}

/// On which way a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The question for the next hop that stood before it.
    Ask,
    /// There.
    Request,
    /// Back.
    Answer,
}

/// What happened to a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The node sent it.
    Sent {
        /// The ends of the packet, in words.
        flow: String,
    },
    /// It came in.
    Received {
        /// The ends of the packet, in words.
        flow: String,
    },
    /// The node passed it on, by the interface named.
    Forwarded,
    /// The node passed it on with other ends.
    Translated {
        /// The ends before, in words.
        from: String,
        /// The ends behind, in words.
        to: String,
    },
    /// A bridge passed it on.
    Bridged {
        /// The bridge.
        bridge: String,
    },
    /// The node answered.
    Answered,
    /// The node dropped it.
    Dropped {
        /// By what, in words, where that is known.
        by: Option<String>,
    },
    /// The node refused it, and said so.
    Rejected {
        /// How, in words.
        how: String,
    },
    /// The packet passed more places between the one before and the next, of which the first is this node.
    LeftOut {
        /// How many.
        hops: usize,
    },
    /// Somebody was asked for here, in words.
    Asked {
        /// For whom, in words.
        about: String,
    },
}

/// Why a probe ended where it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Of which kind.
    pub kind: CauseKind,
    /// One sentence that names the object to blame.
    pub words: String,
    /// The node that did it, by its name, where it is one.
    pub node: Option<String>,
    /// The rule that did it, as the program that loads it writes it, where one did and its text is known.
    pub rule: Option<String>,
    /// Where that stands.
    pub blame: Option<Blame>,
    /// What to do.
    pub help: Option<String>,
}

impl Cause {
    /// A cause, and the line that it comes from.
    pub fn at(kind: CauseKind, words: String, blame: Option<Blame>, help: Option<String>) -> Self {
        Self { kind, words, node: None, rule: None, blame, help }
    }
}

/// The line that a cause comes from.
pub type Blame = Place;

/// The kinds of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the field's own, and the sentences of the causes say the rest")]
pub enum CauseKind {
    LinkDown,
    NoCarrier,
    NotConnected,
    NoAddress,
    WrongPrefix,
    DuplicateAddress,
    NoRoute,
    WrongGateway,
    NoNeighbour,
    ForwardingOff,
    ReversePath,
    RuleDropped,
    RuleRejected,
    PolicyDropped,
    NatMissing,
    NatWrong,
    NoWayBack,
    PortBlocked,
    PortIsolated,
    MtuTooSmall,
    TtlExpired,
    NobodyListens,
    ListensElsewhere,
    WrongServer,
    AnswerFromElsewhere,
    Tentative,
    EchoIgnored,
    ArpIgnored,
    BridgeNetfilter,
    ServiceDied,
    NameNotResolved,
    PolicyRule,
    RouteRefuses,
    TunnelMismatch,
    QueueFull,
    LetThrough,
    ServiceFault,
}
