//! The place where a packet ended.

use super::rules;
use super::trails::Trail;
use super::walk::Step;
use super::world::World;
use crate::evidence::Way;

/// The place where a packet ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Death {
    /// The step at which it ended.
    pub(super) step: usize,
    /// Whether it had left the node of that step.
    pub(super) on_link: bool,
    /// The node that saw it last.
    pub(super) node: usize,
}

impl Death {
    /// Where a probe ended; `None` when an answer came back to the sender.
    pub(super) fn of(
        steps: &[Step],
        there: Option<&Trail<'_>>,
        back: Option<&Trail<'_>>,
        world: &World<'_>,
    ) -> Option<Self> {
        let from = world.evidence().flow.from;
        // Whatever came farther is nothing without its other fragments.
        let fragment = steps.iter().position(|step| rules::dropped_fragment(world, step.node, &step.ends()).is_some());
        if let Some(step) = fragment {
            return Some(Self { step, on_link: false, node: steps[step].node });
        }
        // An answer that somebody on the way has made in the receiver's name says nothing of the way back.
        let end = steps.iter().find(|step| step.local).map(|step| step.node);
        let first = back.and_then(|trail| trail.sights.first()).map(|sight| sight.frame.node);
        // What was sent behind an answer, and got less far than what it answers, is what died.
        let begun = |trail: &Trail<'_>| trail.sights.first().map(|sight| sight.frame.time);
        let arrived =
            |trail: &Trail<'_>| trail.last().is_some_and(|last| !last.frame.outgoing && Some(last.frame.node) == first);
        let behind = there.filter(|there| back.is_some_and(|back| begun(there) > begun(back)) && !arrived(there));
        if let Some(last) = behind.and_then(Trail::last) {
            return Self::at(steps, Way::Request, last.frame.node, last.frame.outgoing, there);
        }
        if let Some(last) = back.filter(|_| end.is_none() || first == end).and_then(Trail::last) {
            if last.frame.node == from && !last.frame.outgoing {
                return None;
            }
            return Self::at(steps, Way::Answer, last.frame.node, last.frame.outgoing, back);
        }
        match there.and_then(Trail::last) {
            None => Some(Self { step: 0, on_link: false, node: from }),
            Some(last) => Self::at(steps, Way::Request, last.frame.node, last.frame.outgoing, there),
        }
    }

    fn at(steps: &[Step], way: Way, node: usize, outgoing: bool, trail: Option<&Trail<'_>>) -> Option<Self> {
        let of_way = || steps.iter().enumerate().filter(|(_, step)| step.way == way);
        if let Some((step, _)) = of_way().rfind(|(_, step)| step.node == node) {
            return Some(Self { step, on_link: outgoing, node });
        }
        // A bridge has it, or a node where nobody expected it: it ended behind the last node that it had left.
        let seen = |at: usize| {
            trail.is_some_and(|trail| trail.sights.iter().any(|sight| sight.frame.node == at && sight.frame.outgoing))
        };
        let (step, _) = of_way().rfind(|(_, step)| seen(step.node)).or_else(|| of_way().next())?;
        Some(Self { step, on_link: true, node })
    }
}
