//! What would become of a packet behind the place where it ended.
//!
//! Where there are two faults the packet never comes to the second. What tables and settings do there the walk sees all
//! the same; what rules do they show only to a packet, so it is put on the wire behind the first fault, as the node before
//! would have sent it.

use super::craft;
use super::death::Death;
use super::rule_text;
use super::trails::Trail;
use super::walk::{OWN_TABLE, Step};
use super::world::{End, World};
use crate::evidence::{Cause, CauseKind, NodeState, SentOn, Way};

/// The packet to send on, where rules behind the place of death might stop it too.
pub(super) fn of(
    world: &World<'_>,
    steps: &[Step],
    death: Death,
    trail: Option<&Trail<'_>>,
    causes: &[Cause],
) -> Option<SentOn> {
    let lost = |cause: &Cause| {
        !matches!(cause.kind, CauseKind::TtlExpired | CauseKind::DuplicateAddress | CauseKind::Tentative)
    };
    // Who must have refused a packet is the first that did.
    let settled = world.evidence().sent_on.is_some() || world.matter.check.refuser().is_some();
    if settled || causes.is_empty() || !causes.iter().all(lost) {
        return None;
    }
    let dead = &steps[death.step];
    // What has come to its end and was not answered has an answer, too, that something would have stopped.
    let answers = steps.get(death.step + 1).filter(|_| dead.is_local() && dead.way == Way::Request && !death.on_link);
    let step = answers.unwrap_or(dead);
    let next = step.next()?;
    let own = |it: &&Step| it.way == step.way;
    let mut passed: Vec<usize> = steps[..=death.step].iter().filter(own).map(|it| it.node).collect();
    passed.push(death.node);
    let has_rules = |(node, state): (usize, &NodeState)| {
        let own = state.chains.iter().any(|chain| chain.hook.is_some() && chain.table != OWN_TABLE);
        own && (!passed.contains(&node) || refusals(state) > 1)
    };
    if !world.evidence().nodes.iter().enumerate().any(has_rules) {
        return None;
    }
    let (node, interface) = entrance(world, step, next)?;
    let bytes = craft::frame(world, step, trail, answers.is_some(), (node, interface), next)?;
    Some(SentOn { node, interface, bytes, passed, traces: world.evidence().traces.len() })
}

/// How many places of a node's rules may end a packet.
fn refusals(state: &NodeState) -> usize {
    let policies = state.chains.iter().filter(|chain| chain.policy.as_deref() == Some("drop")).count();
    state.rules.iter().filter(|rule| rule_text::stops(rule)).count() + policies
}

/// The interface whose frames come to the next node as those of the node before do.
fn entrance(world: &World<'_>, step: &Step, next: End) -> Option<End> {
    let ready = |end: &End| world.interface(*end).is_some_and(|it| it.up && it.carrier);
    let way = step.out().and_then(|out| super::wire::between(world, out, next));
    let before = match way {
        Some(way) => way.into_iter().rev().find(|end| end.0 != next.0),
        None => world.interface(next).filter(|it| it.kind.as_deref() == Some("veth"))?.link,
    };
    before.filter(ready)
}
