//! What of the walk stands at the place where a packet ended, and what would have come next.

use super::death::Death;
use super::trails::Trails;
use super::walk::Step;
use super::world::World;
use super::{
    astray, endpoint, expiry, let_through, loss, neighbour, returned, rules, source, translation, unmet, walk,
};
use crate::evidence::{Cause, CauseKind, Payload, Protocol, Way};
use crate::observation::{Observation, Seen};
use crate::words::Outcome;

/// The causes: what stands at the place of death, and then what would have come next.
pub(super) fn of<'a>(world: &World<'a>, steps: &[Step], death: Option<Death>, trails: &Trails<'a>) -> Vec<Cause> {
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
    if let Some(causes) = alone(world, steps, death, trails) {
        return causes;
    }
    let (causes, mut later) = noted(world, steps, death, trails);
    if causes.is_empty() {
        let by_rule = Some(&steps[death.step]).filter(|_| !death.on_link);
        let by_rule = by_rule.and_then(|step| expiry::ended_by_rule(world, step));
        return by_rule.or_else(|| endpoint::unasked_answer(world, steps, trails)).into_iter().collect();
    }
    if let Some(cause) = astray::of(world, steps, death) {
        return vec![cause];
    }
    // TCP would have learnt from the error what an echo cannot.
    later.extend(error.filter(|_| world.evidence().flow.protocol == Protocol::Tcp));
    told_once(world, causes.into_iter().chain(later))
}

/// What explains the end of a packet by itself, whatever else the walk has noted.
fn alone<'a>(world: &World<'a>, steps: &[Step], death: Death, trails: &Trails<'a>) -> Option<Vec<Cause>> {
    if let Some(cause) = expiry::ran_out(world, steps, trails).or_else(|| expiry::answer_ran_out(world, steps, trails))
    {
        // That it runs out is expected; where, is a matter of the way.
        if !endpoint::is_wanted(world, CauseKind::TtlExpired) {
            return Some(vec![cause]);
        }
        if is_silent(world) {
            return Some(expiry::error_lost(world, steps, trails));
        }
        return Some(vec![Cause { help: cause.help.clone().filter(|help| !help.contains("`ttl`")), ..cause }]);
    }
    if let Some(cause) = duplicate(steps, death) {
        return Some(neighbour::duplicated(world, steps, cause));
    }
    returned::of(world, steps, death)
        .or_else(|| endpoint::tentative_source(world))
        .or_else(|| source::of_the_link(world, trails))
        .map(|cause| vec![cause])
}

/// What was noted of the steps: at the place of death, and behind it.
fn noted(world: &World<'_>, steps: &[Step], death: Death, trails: &Trails<'_>) -> (Vec<Cause>, Vec<Cause>) {
    // That nobody answered may be for what the receiver is, or because its answer could not leave.
    let at_the_end = steps[death.step].local && !death.on_link;
    let first = |at: usize| at == death.step || (at_the_end && at == death.step + 1);
    let (mut causes, mut later) = (Vec::new(), refused(world, steps, death, trails));
    for (at, step) in steps.iter().enumerate().skip(death.step) {
        let has_left = at == death.step && death.on_link;
        let inside = if has_left { &[][..] } else { &step.inside[..] };
        let policy = inside.iter().any(|cause| cause.kind == CauseKind::PolicyRule);
        // What a policy rule leads to is its doing.
        let own = |cause: &&Cause| !policy || cause.kind == CauseKind::PolicyRule;
        let expected = |cause: &&Cause| !endpoint::is_wanted(world, cause.kind);
        let meant = |cause: &Cause| translation::meant(world, steps, at, cause);
        let inside = inside.iter().filter(own).filter(expected).map(meant);
        let link = step.link.iter().map(meant);
        // What has left a node has passed its rules; and who must have refused a packet is the first that did.
        let asks = !has_left && wants_answer(world) && world.matter.check.refuser().is_none();
        let unmet = asks.then(|| unmet::refusal(world, step)).flatten();
        // What is wrong on a link stops nothing that never got there.
        match (first(at), has_left) {
            (true, true) => causes.extend(inside.chain(link)),
            (true, false) => {
                causes.extend(inside);
                later.extend(unmet.into_iter().chain(link));
            }
            (false, _) => later.extend(inside.chain(unmet).chain(link)),
        }
    }
    (causes, later)
}

/// Why the receiver has refused, where its refusal did not come back: that is no answer that got lost.
fn refused(world: &World<'_>, steps: &[Step], death: Death, trails: &Trails<'_>) -> Vec<Cause> {
    let answer = trails.back.first().and_then(|trail| trail.sights.first());
    let is_refusal = answer.is_some_and(|sight| matches!(sight.packet.payload, Payload::Tcp { rst: true, .. }));
    let end = steps.iter().find(|step| step.local);
    let Some(end) = end.filter(|_| is_refusal && steps[death.step].way == Way::Answer) else { return Vec::new() };
    let found = endpoint::faults(world, end.node, Way::Request, &end.before);
    found.into_iter().filter(|cause| !endpoint::is_wanted(world, cause.kind)).collect()
}

/// Each cause once: what is wrong on the way there is wrong on the way back, too.
fn told_once(world: &World<'_>, causes: impl Iterator<Item = Cause>) -> Vec<Cause> {
    let mut told: Vec<Cause> = Vec::new();
    for cause in causes {
        if !told.iter().any(|known| is_same(world, known, &cause)) {
            told.push(cause);
        }
    }
    told
}

fn is_same(world: &World<'_>, known: &Cause, cause: &Cause) -> bool {
    if known.words == cause.words {
        return true;
    }
    let once = [CauseKind::MtuTooSmall, CauseKind::TunnelMismatch, CauseKind::PortBlocked, CauseKind::PortIsolated];
    // Nor does it matter from which end what is not connected is looked at.
    let turned = cause.kind == CauseKind::NotConnected && is_turned(&known.words, &cause.words);
    let of_one = known.node == cause.node || loss::is_same(world, known, cause);
    known.kind == cause.kind && (once.contains(&cause.kind) || turned || (known.blame == cause.blame && of_one))
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
