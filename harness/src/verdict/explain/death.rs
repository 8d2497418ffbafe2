//! The place where a packet ended, and what of the walk stands there.

use super::trails::{Trail, Trails};
use super::walk::Step;
use super::world::World;
use super::{
    astray, endpoint, expiry, let_through, loss, neighbour, returned, rules, source, translation, unmet, walk,
};
use crate::evidence::{Cause, CauseKind, Payload, Protocol, Way};
use crate::observation::{Observation, Seen};
use crate::words::Outcome;

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

/// The causes: what stands at the place of death, and then what would have come next.
pub(super) fn causes<'a>(world: &World<'a>, steps: &[Step], death: Option<Death>, trails: &Trails<'a>) -> Vec<Cause> {
    let error = rules::dropped_error(world).filter(|_| is_silent(world));
    if let Some(error) = error.clone().filter(|_| !wants_answer(world)) {
        return vec![error];
    }
    let through = let_through::of(world, steps, trails);
    if !through.is_empty() {
        return through;
    }
    let Some(death) = death else {
        let lost = unheard(world, steps);
        return if lost.is_empty() { endpoint::unwanted_answer(world, steps, trails) } else { lost };
    };
    if let Some(cause) = expiry::ran_out(world, steps, trails).or_else(|| expiry::answer_ran_out(world, steps, trails))
    {
        // That it runs out is expected; where, is a matter of the way.
        if endpoint::is_wanted(world, CauseKind::TtlExpired) {
            if is_silent(world) {
                return expiry::error_lost(world, steps, trails);
            }
            return vec![Cause { help: cause.help.clone().filter(|help| !help.contains("`ttl`")), ..cause }];
        }
        return vec![cause];
    }
    if let Some(cause) = duplicate(steps, death) {
        return neighbour::duplicated(world, steps, cause);
    }
    if let Some(cause) = returned::of(world, steps, death) {
        return vec![cause];
    }
    if let Some(cause) = endpoint::tentative_source(world).or_else(|| source::of_the_link(world, trails)) {
        return vec![cause];
    }
    // That nobody answered may be for what the receiver is, or because its answer could not leave.
    let at_the_end = steps[death.step].local && !death.on_link;
    let first = |at: usize| at == death.step || (at_the_end && at == death.step + 1);
    let (mut causes, mut later) = (Vec::new(), Vec::new());
    // That the receiver has refused is no answer that got lost.
    let refused = trails
        .back
        .first()
        .and_then(|trail| trail.sights.first())
        .is_some_and(|sight| matches!(sight.packet.payload, Payload::Tcp { rst: true, .. }));
    if let Some(end) = steps.iter().find(|step| step.local).filter(|_| refused && steps[death.step].way == Way::Answer)
    {
        let found = endpoint::faults(world, end.node, Way::Request, &end.before);
        later.extend(found.into_iter().filter(|cause| !endpoint::is_wanted(world, cause.kind)));
    }
    for (at, step) in steps.iter().enumerate().skip(death.step) {
        let inside = if at == death.step && death.on_link { &[][..] } else { &step.inside[..] };
        let policy = inside.iter().any(|cause| cause.kind == CauseKind::PolicyRule);
        // What a policy rule leads to is its doing.
        let own = |cause: &&Cause| !policy || cause.kind == CauseKind::PolicyRule;
        let expected = |cause: &&Cause| !endpoint::is_wanted(world, cause.kind);
        let meant = |cause: &Cause| translation::meant(world, steps, at, cause);
        let inside = inside.iter().filter(own).filter(expected).map(meant);
        let link = step.link.iter().map(meant);
        // What has left a node has passed its rules.
        let unmet =
            || unmet::refusal(world, step).filter(|_| wants_answer(world) && world.matter.check.refuser().is_none());
        let unmet = Some(()).filter(|()| at != death.step || !death.on_link).and_then(|()| unmet());
        // What is wrong on a link stops nothing that never got there.
        match (first(at), at == death.step && death.on_link) {
            (true, true) => causes.extend(inside.chain(link)),
            (true, false) => {
                causes.extend(inside);
                later.extend(unmet.into_iter().chain(link));
            }
            (false, _) => later.extend(inside.chain(unmet).chain(link)),
        }
    }
    if causes.is_empty()
        && let Some(cause) = expiry::ended_by_rule(world, &steps[death.step]).filter(|_| !death.on_link)
    {
        return vec![cause];
    }
    if causes.is_empty() {
        return endpoint::unasked_answer(world, steps, trails).into_iter().collect();
    }
    if let Some(cause) = astray::of(world, steps, death) {
        return vec![cause];
    }
    // TCP would have learnt from the error what an echo cannot.
    later.extend(error.filter(|_| world.evidence().flow.protocol == Protocol::Tcp));
    let mut told: Vec<Cause> = Vec::new();
    for cause in causes.into_iter().chain(later) {
        // What is wrong on the way there is wrong on the way back, too.
        let same = |known: &Cause| {
            let kind = known.kind == cause.kind;
            let once = matches!(
                cause.kind,
                CauseKind::MtuTooSmall | CauseKind::TunnelMismatch | CauseKind::PortBlocked | CauseKind::PortIsolated
            );
            // Nor does it matter from which end what is not connected is looked at.
            let turned = kind && cause.kind == CauseKind::NotConnected && is_turned(&known.words, &cause.words);
            let of_one = known.node == cause.node || loss::is_same(world, known, &cause);
            known.words == cause.words || turned || (kind && (once || (known.blame == cause.blame && of_one)))
        };
        if !told.iter().any(same) {
            told.push(cause);
        }
    }
    told
}

/// Whether two sentences have the same words, in whatever order.
fn is_turned(one: &str, other: &str) -> bool {
    let words = |text: &str| {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort();
        words
    };
    words(one) == words(other)
}

/// Whether an answer is expected, and no refusal.
fn wants_answer(world: &World<'_>) -> bool {
    let outcome = endpoint::wanted_outcome(world.matter.check);
    outcome.is_empty()
        || outcome
            .iter()
            .any(|word| matches!(word, Outcome::Reachable | Outcome::Open | Outcome::Delivered | Outcome::Silent))
}

/// Whether the sender heard nothing, or nothing more.
fn is_silent(world: &World<'_>) -> bool {
    matches!(walk::seen(world), Some(Seen::Silent | Seen::Delivered))
        || matches!(world.matter.observation, Some(Observation::NoAnswer { .. }))
}

/// The rules that ended a later answer, where an earlier one of the connection came through.
fn unheard(world: &World<'_>, steps: &[Step]) -> Vec<Cause> {
    let rules = |cause: &&Cause| {
        matches!(cause.kind, CauseKind::RuleDropped | CauseKind::RuleRejected | CauseKind::PolicyDropped)
    };
    let answers = steps.iter().filter(|step| is_silent(world) && step.way == Way::Answer);
    answers.flat_map(|step| step.inside.iter().filter(rules)).take(1).cloned().collect()
}

/// Several that have the address of the next hop, where the packet ended with one of them.
fn duplicate(steps: &[Step], death: Death) -> Option<Cause> {
    let before = death.step.checked_sub(1).and_then(|at| steps.get(at)).and_then(|step| step.duplicate.clone());
    let own = steps[death.step].duplicate.clone().filter(|_| death.on_link);
    before.or(own)
}
