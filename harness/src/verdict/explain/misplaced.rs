//! A packet that has come to a node which is not the one that was meant: both take the address for their own.

use std::net::IpAddr;

use super::neighbour::gateway_cause;
use super::policy;
use super::travelling::Travelling;
use super::walk::Step;
use super::world::World;
use super::{blame, listener};
use crate::evidence::{Blame, Cause, CauseKind, Way};

/// Why nobody listens where a packet has come: that is not where it was to go.
pub(super) fn of(world: &World<'_>, steps: &[Step], at: usize, cause: &Cause) -> Option<Cause> {
    let kinds = [CauseKind::NobodyListens, CauseKind::ListensElsewhere];
    let step = &steps[at];
    let to = step.before.to;
    if !kinds.contains(&cause.kind) || !step.is_local() || step.way == Way::Answer || step.leaving().to != to {
        return None;
    }
    let (node, name) = (step.node, world.name(step.node));
    let meant = meant(world, node, &step.before)?;
    let other = world.owners(to).into_iter().find(|owner| owner.0 == meant)?;
    let Some(own) = world.owners(to).into_iter().find(|owner| owner.0 == node) else {
        return by_route(world, node, to, &format!("{} has that address: {}", world.end_name(other), cause.words));
    };
    let (here, there) = (world.end_name(own), world.end_name(other));
    // Who has chosen between the two is the last router, where it has routes to both.
    let before = steps[..at].iter().rev().find(|before| before.way == step.way && before.iif.is_some());
    if let Some((router, hop)) = before.and_then(|before| Some((before.node, before.hop()?)))
        && hop != to
        && policy::all(world, router, "main", to).len() > 1
    {
        let words = format!(
            "{} sends what is for {to} through {hop}, which is {name}; {there} has that address, too: {}",
            world.name(router),
            cause.words
        );
        return Some(gateway_cause(world, router, (to, Some(hop)), words, Some(format!("a route to {there}"))));
    }
    let words = format!("{here} and {there} both have {to}; the packet went to {here}: {}", cause.words);
    let help = Some(format!("an address of its own for {here}"));
    Some(blame::of_interface(world, own, CauseKind::DuplicateAddress, words, help))
}

/// The other node that is meant: the one that the case names, or the one that alone takes the packet.
fn meant(world: &World<'_>, node: usize, packet: &Travelling) -> Option<usize> {
    let target = &world.matter.check.transfer()?.to;
    let mut others: Vec<usize> = world.owners(packet.to).into_iter().map(|owner| owner.0).collect();
    others.retain(|other| *other != node);
    others.dedup();
    if !target.words.contains(&target.address.to_string())
        && let Some(owner) = target.owner.filter(|_| target.address == packet.to)
    {
        return others.contains(&owner.node).then_some(owner.node);
    }
    let port = packet.target_port()?;
    others.retain(|other| listener::fault(world, *other, packet, port).is_none());
    <[usize; 1]>::try_from(others).ok().map(|[other]| other)
}

/// A route by which a node takes for its own what it has no address of.
fn by_route(world: &World<'_>, node: usize, to: IpAddr, but: &str) -> Option<Cause> {
    let lines = ["local", "main"].into_iter().flat_map(|table| policy::all(world, node, table, to));
    let (line, _) = lines.into_iter().find(|(line, _)| policy::kind(line) == "local")?;
    let words = format!("{} takes what is for {to} for its own, by the route `{line}`, and {but}", world.name(node));
    let done = blame::done_by(world, node, &["local", policy::target(line)]);
    let place = done.or_else(|| blame::script_of(world, node).or_else(|| blame::of_node(world, node)).map(Blame::Case));
    let help = Some("delete that route".to_owned());
    Some(blame::by(world, node, Cause::at(CauseKind::WrongGateway, words, place, help)))
}
