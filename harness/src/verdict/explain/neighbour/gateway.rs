//! A gateway that is none.

use std::net::IpAddr;

use super::super::refusal::{is_link_local, planned_routes, prefix};
use super::super::world::{End, World};
use super::super::{blame, route, wire};
use super::absent::{forwards, lost_address};
use crate::evidence::{Address, Ask, Cause, CauseKind};
use crate::words::Family;

/// A node that sends through a gateway, which is no router, what is on a link of its own.
pub(in super::super) fn past_its_own_link(
    world: &World<'_>,
    sender: usize,
    (node, hop): (usize, IpAddr),
    to: IpAddr,
) -> Option<Cause> {
    let owners = world.owners(to);
    let near = |end: End| {
        owners.iter().copied().find(|owner| owner.0 != sender && wire::between(world, end, *owner).is_some())
    };
    let (end, owner, own) = world.ends().find_map(|(end, it)| {
        let owner = near(end).filter(|_| end.0 == sender && it.up)?;
        let own = it.addresses.iter().map(|own| own.cidr).find(|own| own.address.is_ipv4() == to.is_ipv4())?;
        Some((end, owner, it.addresses.iter().map(|own| own.cidr).find(|own| own.contains(to)).unwrap_or(own)))
    })?;
    let name = world.end_name(end);
    if !own.contains(to) {
        // Who writes of a node whether it forwards means a router.
        if world.planned(node).forwarding.is_some() {
            return None;
        }
        let theirs = world.interface(owner)?.addresses.iter().map(|it| it.cidr).find(|it| it.address == to)?;
        if theirs.contains(own.address) {
            let words = format!(
                "{name} has {own}, a network without {to}, which {} on the same link has as {theirs}: what is for it \
                 goes to {hop}, and {} does not forward",
                world.end_name(owner),
                world.name(node)
            );
            let help = Some(format!("the prefix length /{} at both", theirs.length));
            return Some(blame::of_interface(world, end, CauseKind::WrongPrefix, words, help));
        }
    }
    let words =
        format!("{} sends what is for {to} through {hop}, though it is on the link of {name}", world.name(sender));
    let help = Some("no route of its own, or one without a gateway".to_owned());
    Some(gateway_cause(world, sender, (to, Some(hop)), words, help))
}

/// A gateway that nobody on the link is.
pub(super) fn dead_gateway(world: &World<'_>, out: End, hop: IpAddr, to: IpAddr, owners: &[End]) -> Cause {
    let node = world.name(out.0);
    if owners.is_empty()
        && let Some(cause) = lost_address(world, hop).or_else(|| bare_router(world, out, hop, to))
    {
        return cause;
    }
    let who = match owners.first() {
        Some(owner) => format!("which {} has, on another link", world.end_name(*owner)),
        None => "which nobody has".to_owned(),
    };
    let right = routers_on(world, out, to).first().map(|(end, address)| (world.end_name(*end), *address));
    let help = right.map(|(end, address)| format!("{end} on that link is {address}"));
    gateway_cause(world, out.0, (to, Some(hop)), format!("{node} sends what is for {to} through {hop}, {who}"), help)
}

/// The router on the link has no address there.
fn bare_router(world: &World<'_>, out: End, hop: IpAddr, to: IpAddr) -> Option<Cause> {
    let key = if to.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" };
    let is_bare = |end: &End| {
        let own = world.interface(*end).filter(|it| it.master.is_none() && it.kind.as_deref() != Some("bridge"));
        let plain = |own: &Address| own.cidr.address.is_ipv4() == to.is_ipv4() && !is_link_local(own.cidr.address);
        end.0 != out.0 && world.setting(end.0, key) != 0 && own.is_some_and(|it| !it.addresses.iter().any(plain))
    };
    let mut bare = wire::segment(world, out).into_iter().filter(is_bare);
    let end = bare.next()?;
    if bare.next().is_some() {
        return None;
    }
    let (name, sender) = (world.end_name(end), world.name(out.0));
    let words =
        format!("{name} has no {} address, and {sender} looks for its gateway {hop} there", Family::of(to).name());
    Some(blame::of_interface(world, end, CauseKind::NoAddress, words, Some(format!("give {name} the address {hop}"))))
}

/// A cause that the route to an address by a next hop is to blame for: who made the one that the kernel uses.
pub(in super::super) fn gateway_cause(
    world: &World<'_>,
    node: usize,
    (to, via): (IpAddr, Option<IpAddr>),
    words: String,
    help: Option<String>,
) -> Cause {
    let used = route::used(world, node, to, via);
    let planned = planned_routes(world, node, to).first().copied();
    let prefix = used.as_ref().map(|route| route.prefix.to_owned()).or_else(|| planned.map(prefix));
    let words = prefix.map_or(words.clone(), |prefix| format!("{words} (route to {prefix})"));
    if let Some(line) = used.as_ref().and_then(|route| route.made_by(world, node)) {
        return Cause::at(CauseKind::WrongGateway, words, Some(line), help);
    }
    let planned = planned.filter(|_| used.is_none()).map(|route| route.span);
    match planned.or_else(|| blame::script_of(world, node)) {
        Some(span) => blame::at(CauseKind::WrongGateway, words, span, help),
        None => blame::on_node(world, node, CauseKind::WrongGateway, words, help),
    }
}

/// The addresses on a link of other nodes that forward and have a way on to a target.
pub(in super::super) fn routers_on(world: &World<'_>, out: End, to: IpAddr) -> Vec<(End, IpAddr)> {
    ways_on(world, out, to).into_iter().filter(|(end, _)| forwards(world, end.0, to)).collect()
}

/// The addresses on a link of other nodes that have a way on to a target, whether or not they forward.
pub(super) fn ways_on(world: &World<'_>, out: End, to: IpAddr) -> Vec<(End, IpAddr)> {
    let mut found = Vec::new();
    for end in wire::segment(world, out) {
        let Some(interface) = world.interface(end).filter(|it| end.0 != out.0 && it.up) else { continue };
        let plain = |own: &&Address| !is_link_local(own.cidr.address) && own.cidr.address.is_ipv4() == to.is_ipv4();
        let Some(own) = interface.addresses.iter().find(plain) else { continue };
        if let Some(Ok(chosen)) = world.decide(Ask::plain(end.0, to))
            && (chosen.local || chosen.oif != Some(end.1))
        {
            found.push((end, own.cidr.address));
        }
    }
    found
}

/// Another node on the link that would have passed on what this one does not. One with a way on is a router itself, and
/// that it does not forward is what is wrong.
pub(in super::super) fn better_gateway(
    world: &World<'_>,
    out: End,
    node: usize,
    hop: IpAddr,
    to: IpAddr,
) -> Option<Cause> {
    if ways_on(world, out, to).iter().any(|(end, _)| end.0 == node) {
        return None;
    }
    let (end, address) = routers_on(world, out, to).into_iter().find(|(end, _)| end.0 != node)?;
    let (sender, wrong, right) = (world.name(out.0), world.name(node), world.name(end.0));
    let words = format!(
        "{sender} sends what is for {to} through {hop}, which is {wrong} and does not forward; {right} on the same link does"
    );
    Some(gateway_cause(world, out.0, (to, Some(hop)), words, Some(format!("the gateway {address}, which is {right}"))))
}
