//! Who has sent a packet to a node from which there is no way on.
//!
//! That a node has no route is its own fault only where it could have one. Where none of its other links leads to the
//! target, and a node before it could have sent the packet another way, it is that one which has sent it astray.

use super::death::Death;
use super::detour::{self, leads_on, reaches};
use super::neighbour::{gateway_cause, routers_on};
use super::policy;
use super::travelling::Travelling;
use super::walk::Step;
use super::world::{End, World};
use crate::evidence::{Blame, Cause, CauseKind};

/// The way of a packet that ended where nobody knows it, and who should have sent it another way.
pub(super) fn of(world: &World<'_>, steps: &[Step], death: Death) -> Option<Cause> {
    let dead = &steps[death.step];
    let (iif, packet) = (dead.iif?, &dead.before);
    // Back by where it came is no way on.
    let has_way = dead.out().is_some_and(|out| out.1 != iif);
    if death.on_link || dead.is_local() || has_way || !is_bare(world, dead) {
        return None;
    }
    if leads_on(world, dead.node, iif, packet).is_some() {
        return None;
    }
    let passed = steps[..=death.step].iter().filter(|step| step.way == dead.way);
    let passed: Vec<usize> = passed.map(|step| step.node).collect();
    for step in steps[..death.step].iter().rev().take_while(|step| step.way == dead.way) {
        if step.before.to != packet.to {
            return None;
        }
        if let Some(cause) = by_policy(world, step, packet) {
            return Some(cause);
        }
        let others = world.ends().filter(|(end, it)| end.0 == step.node && it.name != "lo" && Some(end.1) != step.iif);
        for (end, _) in others {
            let right = routers_on(world, end, packet.to).into_iter();
            let right = right.filter(|(router, _)| !passed.contains(&router.0));
            for (router, address) in right {
                if reaches(world, router, packet) {
                    return elsewhere(world, step, dead, (end, router), address.to_string());
                }
            }
        }
    }
    None
}

/// Whether a node has no route, and nothing was taken from it that would have made one; or is a host, which nobody has
/// made a router and then kept from forwarding.
fn is_bare(world: &World<'_>, step: &Step) -> bool {
    let planned = world.planned(step.node);
    let own = |cause: &Cause| cause.blame == Some(Blame::Case(planned.span));
    step.inside.first().is_some_and(|cause| match cause.kind {
        CauseKind::NoRoute => own(cause),
        CauseKind::ForwardingOff => planned.forwarding.is_none() && own(cause),
        _ => false,
    })
}

/// A policy rule that leads away from a way that the node's own routes have.
fn by_policy(world: &World<'_>, step: &Step, packet: &Travelling) -> Option<Cause> {
    let cause = step.inside.iter().find(|cause| cause.kind == CauseKind::PolicyRule)?;
    let (line, _) = policy::all(world, step.node, "main", packet.to).into_iter().next()?;
    let (oif, via) = policy::way(world, step.node, line)?;
    let next = detour::next(world, (step.node, oif), via.unwrap_or(packet.to))?;
    reaches(world, next, packet).then(|| cause.clone())
}

fn elsewhere(world: &World<'_>, step: &Step, dead: &Step, (out, right): (End, End), address: String) -> Option<Cause> {
    let (hop, to) = (step.hop()?, dead.before.to);
    let (sender, right_name, dead_name) = (world.name(step.node), world.name(right.0), world.name(dead.node));
    let wrong = step.next().map_or(dead_name, |next| world.name(next.0));
    let place =
        if Some(out) == step.out() { "on the same link".to_owned() } else { format!("behind {}", world.end_name(out)) };
    let end = if wrong == dead_name {
        "has no way there".to_owned()
    } else {
        format!("leads to {dead_name}, which has no way there")
    };
    let words = format!(
        "{sender} sends what is for {to} through {hop}, which is {wrong} and {end}; {right_name} {place} does lead there"
    );
    let help = Some(format!("the gateway {address}, which is {right_name}"));
    Some(gateway_cause(world, step.node, (to, Some(hop).filter(|hop| *hop != to)), words, help))
}
