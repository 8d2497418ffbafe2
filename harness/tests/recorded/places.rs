//! Where a packet died is where it was seen last; what was not seen, not traced and not read supports no cause.

use netcase::evidence::{Act, CauseKind, NodeState, Way};

use crate::facts::kinds;
use crate::{facts, labs};

/// What a row has, and what is known then.
struct Row {
    lab: &'static str,
    /// Whether a frame of this node, sent by it or not, was seen.
    seen: fn(&str, bool) -> bool,
    /// Where it ended.
    known: &'static str,
    left: &'static [CauseKind],
}

fn of_sender(node: &str, _: bool) -> bool {
    node == "hosta"
}

fn up_to_router(node: &str, sent: bool) -> bool {
    node == "hosta" || (node == "gate" && !sent)
}

fn before_server(node: &str, _: bool) -> bool {
    node != "hostb"
}

/// Without what the server has sent, and what others have got of that.
fn unanswered(node: &str, sent: bool) -> bool {
    node != "hostb" || !sent
}

const LEFT_SENDER: &str = "the packet left hosta and was seen nowhere else but in hosta";
const IN_ROUTER: &str = "the packet was seen last coming into gate";
const LEFT_ROUTER: &str = "the packet left gate and was seen nowhere else but in gate";
const IN_SERVER: &str = "the packet was seen last coming into hostb";
/// The error came from there, and says so.
const RAN_OUT: &str = "the time to live of 64 ran out at gatb, before the packet was there";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { lab: "forwarding-off-interface", seen: of_sender, known: LEFT_SENDER, left: &[] },
    Row { lab: "rule-dropped-answer", seen: of_sender, known: LEFT_SENDER, left: &[] },
    Row { lab: "rule-rejected-forward-ipv6", seen: of_sender, known: LEFT_SENDER, left: &[] },
    Row { lab: "policy-dropped-forward", seen: of_sender, known: LEFT_SENDER, left: &[] },
    Row { lab: "route-refuses-ipv6", seen: of_sender, known: LEFT_SENDER, left: &[] },
    Row { lab: "echo-ignored-ipv6", seen: up_to_router, known: IN_ROUTER, left: &[] },
    Row { lab: "mtu-ends-differ", seen: up_to_router, known: IN_ROUTER, left: &[] },
    Row { lab: "policy-rule-answer", seen: up_to_router, known: IN_ROUTER, left: &[] },
    Row { lab: "nobody-listens-program", seen: up_to_router, known: IN_ROUTER, left: &[] },
    Row { lab: "echo-ignored-ipv6", seen: before_server, known: LEFT_ROUTER, left: &[] },
    Row { lab: "policy-rule-answer", seen: before_server, known: LEFT_ROUTER, left: &[] },
    Row { lab: "service-died-killed", seen: before_server, known: LEFT_ROUTER, left: &[] },
    Row { lab: "rule-dropped-answer", seen: unanswered, known: IN_SERVER, left: &[] },
    Row { lab: "ttl-loop-ipv6", seen: of_sender, known: RAN_OUT, left: &[CauseKind::TtlExpired] },
];

#[test]
fn a_packet_died_where_it_was_seen_last() {
    let mut faults = Vec::new();
    for Row { lab, seen, known, left } in ROWS {
        let mut facts = facts(lab);
        facts.seen_on(seen);
        let said = facts.said();
        let first = said.known.first().or(said.causes.first().map(|cause| &cause.words)).cloned().unwrap_or_default();
        if kinds(&said) != *left || first != *known {
            faults.push(format!(
                "{lab}: {:?}, {:?}, {:?} where {left:?}, {known:?} is supported",
                kinds(&said),
                said.known,
                said.causes
            ));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// What is said although no packet was seen, of probes that sent one, and what shows it.
const WITHOUT_FRAMES: &[(&str, &str)] = &[
    ("tentative-sender", "the state of the sender's own address"),
    ("let-through-iptables", "the answer itself, and the trace of the rule"),
];

/// What no path is told of, and rests on packets all the same: that a name server was heard.
const OF_FRAMES: [&str; 1] = ["name-not-resolved-alias"];

#[test]
fn without_frames_nothing_behind_the_sender_is_blamed() {
    let mut faults = Vec::new();
    for lab in labs().values() {
        let mut facts = facts(&lab.name);
        facts.record.evidence.frames.clear();
        let sent = |hop: &netcase::evidence::Hop| hop.way == Way::Request && !matches!(hop.act, Act::Dropped { .. });
        let was_sent = facts.record.explanation.hops.iter().any(sent) || OF_FRAMES.contains(&&*lab.name);
        let before = kinds(&facts.record.explanation);
        let said = facts.said();
        let shown = WITHOUT_FRAMES.iter().any(|(name, _)| *name == lab.name);
        let supported = if was_sent && !shown { Vec::new() } else { before };
        if kinds(&said) != supported {
            faults.push(format!("{}: {:?} where {supported:?} is supported", lab.name, said.causes));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn without_traces_no_rule_is_blamed() {
    use CauseKind::{BridgeNetfilter, LetThrough, PolicyDropped, RuleDropped, RuleRejected};
    let mut faults = Vec::new();
    for lab in labs().values() {
        let mut facts = facts(&lab.name);
        facts.record.evidence.traces.clear();
        let by_rule =
            |kind: &CauseKind| [BridgeNetfilter, LetThrough, PolicyDropped, RuleDropped, RuleRejected].contains(kind);
        let supported: Vec<CauseKind> = lab.head.causes.iter().copied().filter(|kind| !by_rule(kind)).collect();
        let said = facts.said();
        if kinds(&said) != supported {
            faults.push(format!("{}: {:?} where {supported:?} is supported", lab.name, said.causes));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn where_a_table_is_not_known_nothing_is_blamed() {
    let mut faults = Vec::new();
    for lab in labs().values() {
        let nodes = facts(&lab.name).record.evidence.nodes.len();
        for node in 0..nodes {
            let mut unread = facts(&lab.name);
            let name = unread.record.evidence.nodes[node].name.clone();
            unread.record.evidence.nodes[node] = NodeState { name: name.clone(), ..NodeState::default() };
            let mut cut = facts(&lab.name);
            cut.record.evidence.nodes[node].whole = false;
            for said in [unread.said(), cut.said()] {
                let known =
                    said.known.first().is_some_and(|known| known.contains(&format!("not all tables of {name} ")));
                if !said.causes.is_empty() || !known {
                    faults.push(format!("{} without {name}: {:?} {:?}", lab.name, said.causes, said.known));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
