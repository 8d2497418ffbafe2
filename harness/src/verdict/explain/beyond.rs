//! Where a packet would go behind a node that has no way for it.

use std::net::IpAddr;

use super::travelling::Travelling;
use super::walk::Step;
use super::wire;
use super::world::{End, World};
use crate::evidence::{CauseKind, Way};

/// The machine that a node without a way would have to give a packet to: the target itself, or the only one on its other
/// links that could pass it on. Where there is none, it is looked on at the target on the way there, where one machine
/// alone has its address.
pub(super) fn next(world: &World<'_>, step: &Step, packet: &Travelling) -> Option<End> {
    let has = |kinds: &[CauseKind]| step.inside.iter().any(|cause| kinds.contains(&cause.kind));
    let lost = [
        CauseKind::NoRoute,
        CauseKind::NoWayBack,
        CauseKind::RouteRefuses,
        CauseKind::LinkDown,
        CauseKind::WrongGateway,
        CauseKind::WrongPrefix,
    ];
    let owners = world.owners(packet.to);
    let owner = <[End; 1]>::try_from(owners).ok().map(|[owner]| owner).filter(|owner| owner.0 != step.node)?;
    // What has no address has no way for much else, which is the same fault.
    let near = if has(&lost) && !has(&[CauseKind::NoAddress]) { beside(world, step, packet.to) } else { Vec::new() };
    let only = |ends: Vec<End>| ends.first().copied().filter(|first| ends.iter().all(|end| end.0 == first.0));
    let fit = |is_fit: &dyn Fn(usize) -> bool| only(near.iter().copied().filter(|end| is_fit(end.0)).collect());
    let far = step.way == Way::Request && has(&[CauseKind::NoRoute, CauseKind::LinkDown, CauseKind::NoAddress]);
    near.iter()
        .copied()
        .find(|end| *end == owner)
        .or_else(|| fit(&|node| links(world, node, packet.to) > 1))
        .or_else(|| fit(&|node| forwards(world, node, packet.to)))
        .or(Some(owner).filter(|_| far))
}

/// How many links a node has an address on: one that has one link passes nothing on.
fn links(world: &World<'_>, node: usize, to: IpAddr) -> usize {
    let own = world.node(node).interfaces.iter().filter(|it| it.name != "lo");
    own.filter(|it| it.addresses.iter().any(|address| is_usual(address.cidr.address, to))).count()
}

/// Whether an address is one that packets to another one come from.
fn is_usual(own: IpAddr, to: IpAddr) -> bool {
    own.is_ipv4() == to.is_ipv4() && !is_of_the_link(own)
}

/// The source that a node would give what it sends there: its address on that link, or else the first that it has.
pub(super) fn source(world: &World<'_>, node: usize, next: End, to: IpAddr) -> Option<IpAddr> {
    let near = |index: u32| wire::between(world, (node, index), next).is_some();
    let own = || world.node(node).interfaces.iter().filter(|it| it.name != "lo");
    let of = |near_only: bool| {
        let fit = own().filter(|it| !near_only || near(it.index));
        fit.flat_map(|it| &it.addresses).map(|address| address.cidr.address).find(|address| is_usual(*address, to))
    };
    of(true).or_else(|| of(false))
}

/// The ends of other machines on the links of a node, but for the one that the packet came by.
fn beside(world: &World<'_>, step: &Step, to: IpAddr) -> Vec<End> {
    let own = world.node(step.node).interfaces.iter().filter(|it| Some(it.index) != step.iif && it.master.is_none());
    let mut found: Vec<End> = Vec::new();
    for end in own.flat_map(|it| wire::segment(world, (step.node, it.index))) {
        let has_address = world
            .interface(end)
            .is_some_and(|it| it.addresses.iter().any(|address| is_usual(address.cidr.address, to)));
        if end.0 != step.node && has_address && !found.contains(&end) {
            found.push(end);
        }
    }
    found
}

/// RFC 4291, section 2.5.6.
fn is_of_the_link(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn forwards(world: &World<'_>, node: usize, to: IpAddr) -> bool {
    let path = if to.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" };
    world.setting(node, path) == 1
}
