//! Who has sent a packet to a node from which there is no way on.
//!
//! That a node has no route is its own fault only where it could have one. Where none of its other links leads to the
//! target, and a node before it could have sent the packet another way, it is that one which has sent it astray.

use super::death::Death;
use super::neighbour::{gateway_cause, routers_on};
use super::policy;
use super::travelling::Travelling;
use super::walk::Step;
use super::wire;
use super::world::{End, World};
use crate::evidence::{Blame, Cause, CauseKind};

/// The way of a packet that ended where nobody knows it, and who should have sent it another way.
pub(super) fn of(world: &World<'_>, steps: &[Step], death: Death) -> Option<Cause> {
    let dead = &steps[death.step];
    let (iif, packet) = (dead.iif?, &dead.before);
    if death.on_link || dead.is_local() || dead.has_way() || !is_bare(world, dead) {
        return None;
    }
    if leads_on(world, dead.node, iif, packet).is_some() {
        return None;
    }
    let passed: Vec<usize> = steps[..=death.step].iter().map(|step| step.node).collect();
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

/// Whether a node has no route, and nothing was taken from it that would have made one.
fn is_bare(world: &World<'_>, step: &Step) -> bool {
    let own = Blame::Case(world.planned(step.node).span);
    step.inside.first().is_some_and(|cause| cause.kind == CauseKind::NoRoute && cause.blame == Some(own))
}

/// A link of a node, other than the one it got the packet by, on which somebody has the target or leads to it.
fn leads_on(world: &World<'_>, node: usize, iif: u32, packet: &Travelling) -> Option<End> {
    let mut others = world.ends().map(|(end, _)| end).filter(|end| end.0 == node && end.1 != iif);
    others.find(|end| {
        let near = wire::segment(world, *end);
        near.iter().any(|other| other.0 != node && world.has(other.0, packet.to))
            || routers_on(world, *end, packet.to).into_iter().any(|(router, _)| reaches(world, router, packet))
    })
}

/// Whether a packet that comes in there gets to its target.
fn reaches(world: &World<'_>, start: End, packet: &Travelling) -> bool {
    let (mut at, mut passed) = (start, Vec::new());
    while !passed.contains(&at.0) {
        if world.has(at.0, packet.to) {
            return true;
        }
        passed.push(at.0);
        let Some(Ok(chosen)) = world.decide(packet.ask(at.0, Some(at.1))) else { return false };
        let off = packet.to.is_ipv6() && world.setting(at.0, "ipv6/conf/all/forwarding") == 0;
        let Some(oif) = chosen.oif.filter(|_| !off) else { return false };
        let hop = chosen.via.unwrap_or(packet.to);
        let mut near = wire::segment(world, (at.0, oif)).into_iter();
        match near.find(|end| end.0 != at.0 && world.has(end.0, hop)) {
            Some(next) => at = next,
            None => return false,
        }
    }
    false
}

/// A policy rule that leads away from a way that the node's own routes have.
fn by_policy(world: &World<'_>, step: &Step, packet: &Travelling) -> Option<Cause> {
    let cause = step.inside.iter().find(|cause| cause.kind == CauseKind::PolicyRule)?;
    let (line, _) = policy::all(world, step.node, "main", packet.to).into_iter().next()?;
    let device = policy::devices(line).into_iter().next()?;
    let (out, _) = world.ends().find(|(end, it)| end.0 == step.node && it.name == device)?;
    let words: Vec<&str> = line.split(' ').collect();
    let hop = policy::behind(&words, "via").map_or(Some(packet.to), |via| via.parse().ok())?;
    let next = wire::segment(world, out).into_iter().find(|end| end.0 != step.node && world.has(end.0, hop))?;
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
