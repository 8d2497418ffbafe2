//! Where a way leads by the tables of the nodes on it, and whether a policy rule has chosen one that leads nowhere.
//!
//! A policy rule that chooses another table than `main` is there for that. It is wrong only where its way does not lead to
//! the target, while the one that it was preferred to does.

use std::net::IpAddr;

use super::neighbour::routers_on;
use super::policy;
use super::travelling::Travelling;
use super::walk::Step;
use super::wire;
use super::world::{End, World};
use crate::evidence::Chosen;

/// Whether the way that a policy rule has chosen is a wrong one: it leads nowhere, and the node's own route leads there.
pub(super) fn is_one(world: &World<'_>, node: usize, chosen: &Chosen, packet: &Travelling) -> bool {
    if chosen.local || world.has(node, packet.to) {
        return chosen.local && !world.has(node, packet.to);
    }
    let Some(oif) = chosen.oif else { return false };
    let Some((line, _)) = policy::all(world, node, "main", packet.to).into_iter().next() else { return false };
    let Some(own) = policy::way(world, node, line) else { return false };
    if (oif, chosen.via) == own || is_open(world, (node, oif)) {
        return false;
    }
    let taken =
        next(world, (node, oif), chosen.via.unwrap_or(packet.to)).map_or(Lead::Nowhere, |it| lead(world, it, packet));
    if let Lead::Stuck(at) = taken
        && leads_on(world, at.0, at.1, packet).is_some()
    {
        return false;
    }
    let better = next(world, (node, own.0), own.1.unwrap_or(packet.to)).map(|it| lead(world, it, packet));
    taken != Lead::There && better == Some(Lead::There)
}

/// Where a way leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// To the target.
    There,
    /// To a node that knows no way on, where it comes in.
    Stuck(End),
    /// To nobody.
    Nowhere,
}

/// Where what comes in by an interface gets by the routes alone, whatever else might stop it.
fn lead(world: &World<'_>, start: End, packet: &Travelling) -> Lead {
    let (mut at, mut passed) = (start, Vec::new());
    while !passed.contains(&at.0) {
        if world.has(at.0, packet.to) || world.planned(at.0).serves(packet.to) {
            return Lead::There;
        }
        passed.push(at.0);
        let chosen = match world.decide(packet.ask(at.0, Some(at.1))) {
            Some(Ok(chosen)) => chosen,
            // Its own packets it sends there, though it does not pass on others.
            _ => match world.decide(packet.own_ask(at.0)) {
                Some(Ok(chosen)) => chosen,
                _ => return Lead::Stuck(at),
            },
        };
        let Some(oif) = chosen.oif else { return Lead::Stuck(at) };
        if is_open(world, (at.0, oif)) {
            return Lead::There;
        }
        match next(world, (at.0, oif), chosen.via.unwrap_or(packet.to)) {
            Some(next) if passed.contains(&next.0) => return Lead::Stuck(at),
            Some(next) => at = next,
            None => return Lead::Nowhere,
        }
    }
    Lead::Stuck(at)
}

/// Whether what leaves by an interface gets to whom nobody can tell: it asks for no neighbours.
fn is_open(world: &World<'_>, out: End) -> bool {
    world.interface(out).is_some_and(|it| it.noarp && it.name != "lo")
}

/// The interface on a link whose node has an address.
pub(super) fn next(world: &World<'_>, out: End, hop: IpAddr) -> Option<End> {
    wire::segment(world, out).into_iter().find(|end| end.0 != out.0 && world.has(end.0, hop))
}

/// Whether a packet that comes in there gets to its target, by nodes that all forward.
pub(super) fn reaches(world: &World<'_>, start: End, packet: &Travelling) -> bool {
    let (mut at, mut passed) = (start, Vec::new());
    while !passed.contains(&at.0) {
        if world.has(at.0, packet.to) {
            return true;
        }
        passed.push(at.0);
        let Some(Ok(chosen)) = world.decide(packet.ask(at.0, Some(at.1))) else { return false };
        let off = packet.to.is_ipv6() && world.setting(at.0, "ipv6/conf/all/forwarding") == 0;
        let Some(oif) = chosen.oif.filter(|_| !off) else { return false };
        match next(world, (at.0, oif), chosen.via.unwrap_or(packet.to)) {
            Some(next) => at = next,
            None => return false,
        }
    }
    false
}

/// A link of a node, other than the one it got the packet by, on which somebody has the target or leads to it.
pub(super) fn leads_on(world: &World<'_>, node: usize, iif: u32, packet: &Travelling) -> Option<End> {
    let mut others = world.ends().map(|(end, _)| end).filter(|end| end.0 == node && end.1 != iif);
    others.find(|end| {
        let near = wire::segment(world, *end);
        near.iter().any(|other| other.0 != node && world.has(other.0, packet.to))
            || routers_on(world, *end, packet.to).into_iter().any(|(router, _)| reaches(world, router, packet))
    })
}

/// A router on a link of a step's node from which the packet gets to its target, and its address there: not by where it
/// came in, and not by the nodes named.
pub(super) fn other_way(
    world: &World<'_>,
    step: &Step,
    packet: &Travelling,
    passed: &[usize],
) -> Option<(End, IpAddr)> {
    let others = world.ends().filter(|(end, it)| end.0 == step.node && it.name != "lo" && Some(end.1) != step.iif);
    let mut routers = others.flat_map(|(end, _)| routers_on(world, end, packet.to));
    routers.find(|(router, _)| !passed.contains(&router.0) && reaches(world, *router, packet))
}
