//! The routers that a packet must pass.

use super::Judgement;
use crate::observation::Seen;
use crate::plan::{By, Plan, Trace};
use crate::verdict::Finding;
use crate::verdict::describe::{node, target_words, who};
use crate::verdict::words::{all_of, icmp_error, local_refusal};

/// Decides about the way that was found.
pub(super) fn judge(plan: &Plan, trace: &Trace, hops: &[Seen]) -> Judgement {
    let reached = hops.last() == Some(&Seen::Answered);
    let routers = if reached { &hops[..hops.len() - 1] } else { hops };
    let fits =
        routers.len() == trace.via.len() && trace.via.iter().zip(routers).all(|(by, seen)| is_by(by.as_ref(), *seen));
    if reached && fits {
        return Judgement::proven();
    }
    let (from, to) = (node(plan, trace.ping.from), target_words(&trace.ping.to));
    let expected: Vec<&str> = trace.via.iter().map(|by| by.as_ref().map_or("*", |by| &by.words)).collect();
    let expected = if expected.is_empty() {
        "expected no router on the way".to_owned()
    } else {
        format!("expected via {}", all_of(&expected))
    };
    let message = if reached {
        let found: Vec<String> = routers.iter().map(|seen| hop(plan, *seen)).collect();
        let way = if found.is_empty() { "without a router".to_owned() } else { format!("via {}", all_of(&found)) };
        format!("{from} reaches {to} {way}, {expected}")
    } else {
        format!("{from} does not reach {to}, {expected}")
    };
    let mut finding = Finding::new(message).about(&["via"]);
    let shown = hops.iter().rposition(|seen| *seen != Seen::Silent).map_or(1, |last| last + 2).min(hops.len());
    for (at, seen) in hops.iter().take(shown).enumerate() {
        finding.notes.push(format!("{}: {}", at + 1, hop(plan, *seen)));
    }
    Judgement::Mismatch(finding)
}

/// Whether a hop is the router that is expected; `None` expects one that says nothing.
fn is_by(by: Option<&By>, seen: Seen) -> bool {
    match (by, seen) {
        (None, Seen::Silent) => true,
        (Some(expected), Seen::Icmp { error, by, own: false }) => {
            error.is_ttl_exceeded() && expected.addresses.contains(&by)
        }
        _ => false,
    }
}

/// What happened at one distance.
fn hop(plan: &Plan, seen: Seen) -> String {
    match seen {
        Seen::Icmp { error, by, .. } if error.is_ttl_exceeded() => who(plan, by),
        Seen::Icmp { error, by, .. } => format!("{} says {}", who(plan, by), icmp_error(error)),
        Seen::Local(refusal) => format!("the sender itself did not send: {}", local_refusal(refusal)),
        Seen::Answered => "the target answered".to_owned(),
        Seen::Silent | Seen::Delivered | Seen::Reset => "*".to_owned(),
    }
}
