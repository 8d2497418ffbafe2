//! What routers refuse for their routes, and when a missing refusal means something.
//!
//! A router's kernel sends a sender 5 refusals at once for routes that it does not have or that refuse, then about one
//! a second, and no setting of a namespace changes that. So where a node has heard several, a silence may be a refusal
//! that was left out, and is probed again at a time of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::observation::{IcmpError, Seen};
use crate::plan::NodeId;

/// From one refusal that is certain to be sent to the next.
pub(super) const APART: Duration = Duration::from_millis(1100);

/// For how long a refusal counts: after that the router has saved up for five again.
const REMEMBERED: Duration = Duration::from_secs(6);

/// From how many heard on a further one may be missing. Those that a lost answer or a control datagram used up are not
/// heard, so it is less than five.
const MANY: usize = 3;

/// The refusals that each node has heard.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    nodes: RefCell<HashMap<NodeId, Heard>>,
}

#[derive(Debug, Default)]
struct Heard {
    times: Vec<Instant>,
    next: Option<Instant>,
}

impl Refusals {
    /// Takes note of what a node's probe has seen.
    pub(super) fn note(&self, sender: NodeId, seen: Seen) {
        if is_limited(seen) {
            let now = Instant::now();
            let mut nodes = self.nodes.borrow_mut();
            let heard = nodes.entry(sender).or_default();
            heard.times.retain(|time| now.duration_since(*time) < REMEMBERED);
            heard.times.push(now);
        }
    }

    /// Whether a silence that a node heard may be a refusal left out.
    pub(super) fn may_be_missing(&self, sender: NodeId) -> bool {
        let now = Instant::now();
        self.nodes.borrow().get(&sender).is_some_and(|heard| {
            heard.times.iter().filter(|time| now.duration_since(**time) < REMEMBERED).count() >= MANY
        })
    }

    /// When a node's probe is certain to be refused if it is to be; each call gives a time of its own.
    pub(super) fn turn(&self, sender: NodeId) -> Instant {
        let mut nodes = self.nodes.borrow_mut();
        let heard = nodes.entry(sender).or_default();
        // What others have sent until now may have used up what the router had saved.
        let turn = heard.next.into_iter().chain([Instant::now()]).max().unwrap_or_else(Instant::now) + APART;
        heard.next = Some(turn);
        turn
    }
}

/// Whether a refusal is one that a router's kernel sends for its own routes: net or host unreachable, or prohibited.
pub(super) fn is_limited(seen: Seen) -> bool {
    match seen {
        Seen::Icmp { error, own: false, .. } => match error {
            IcmpError { v6: false, kind: 3, code } => matches!(code, 0 | 1 | 13),
            IcmpError { v6: true, kind: 1, code } => matches!(code, 0 | 1 | 3),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_doubted_after_several_refusals_and_gets_a_turn_of_its_own() {
        let refusals = Refusals::default();
        let by = "10.0.0.1".parse().expect("the test writes an address");
        let refused = |code| Seen::Icmp { error: IcmpError { v6: false, kind: 3, code }, by, own: false };
        for seen in [refused(0), refused(3), Seen::Silent, Seen::Reset, refused(1)] {
            refusals.note(7, seen);
        }
        assert!(!refusals.may_be_missing(7), "two refusals for routes leave some");
        refusals.note(7, refused(13));
        assert!(refusals.may_be_missing(7));
        assert!(!refusals.may_be_missing(8), "another sender has its own");
        let (first, second) = (refusals.turn(7), refusals.turn(7));
        assert!(first > Instant::now() && second == first + APART);
    }
}
