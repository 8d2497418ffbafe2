//! A packet that somebody has sent back to the node that it comes from.

use super::death::Death;
use super::detour;
use super::neighbour::gateway_cause;
use super::walk::Step;
use super::world::World;
use crate::evidence::{Cause, CauseKind};

/// Who has sent a packet, on its way to another node, to the one that sent it. That one takes nothing that bears its own
/// address (IPv4), or has sent it where it came from already.
pub(super) fn of(world: &World<'_>, steps: &[Step], death: Death) -> Option<Cause> {
    let dead = &steps[death.step];
    let way = || steps[..death.step].iter().filter(|step| step.way == dead.way);
    let (first, before) = (way().next()?, way().next_back()?);
    // The walk does not come to a node twice by its own doing but where the sender sends to itself.
    if dead.iif.is_none() || dead.node != first.node || first.iif.is_some() || dead.is_local() || death.on_link {
        return None;
    }
    let (to, hop) = (dead.before.to, before.hop()?);
    if before.before.to != to || before.node == dead.node || hop == to {
        return None;
    }
    let (name, sender) = (world.name(before.node), world.name(dead.node));
    let words = format!("{name} sends what is for {to} through {hop}, which is {sender}, where it comes from");
    // The rule that leads to the table is named with its route.
    if let Some(rule) = before.inside.iter().find(|cause| cause.kind == CauseKind::PolicyRule) {
        return Some(rule.clone());
    }
    let right = detour::other_way(world, before, &dead.before, &[dead.node]);
    let help = right.map_or_else(
        || format!("a gateway that leads from {name} on to {to}"),
        |(router, address)| format!("the gateway {address}, which is {}", world.name(router.0)),
    );
    Some(gateway_cause(world, before.node, (to, Some(hop)), words, Some(help)))
}
