//! Addresses and routes that went with something else: with an interface that was taken down or deleted, with an address
//! that was their source, or by a command that flushed them.
//!
//! A kernel takes the routes of an interface that goes down, and its addresses of IPv6, and gives neither back when it
//! comes up again.

use std::net::IpAddr;

use super::world::{End, World};
use super::{blame, command};
use crate::evidence::{Blame, Cause, CauseKind};
use crate::plan::{Action, Change, InterfaceKind, Node, Operation, Place, Route};
use crate::words::{Admin, Cidr, RouteType};

/// An address that the case gives an interface, and that it has no more; `rest` is what went with it, in words.
pub(super) fn address(world: &World<'_>, end: End, address: IpAddr, rest: &str) -> Option<Cause> {
    let (name, interface) = (world.end_name(end), world.interface(end)?);
    let is = |place: &Place| is_it(place, end.0, &interface.name);
    // What was deleted later took what an earlier one had left.
    let last = changed(world, |place, change| is(place) && matches!(change, Change::DelAddress(_)));
    let deleted = last.filter(
        |operation| matches!(&operation.action, Action::Change(_, Change::DelAddress(cidr)) if cidr.address == address),
    );
    if let Some(operation) = deleted {
        let words = format!("{name} has not its address {address} any more{rest}");
        return Some(blame::by(world, end.0, blame::at(CauseKind::NoAddress, words, operation.span, None)));
    }
    if address.is_ipv4() {
        return None;
    }
    let keys = ["all", &*interface.name].map(|dev| format!("ipv6/conf/{dev}/disable_ipv6"));
    if let Some(key) = keys.iter().find(|key| world.setting(end.0, key) != 0) {
        let words = format!(
            "IPv6 is off on {name} (net.{} is 1), and so it has not its address {address} any more{rest}",
            key.replace('/', ".")
        );
        let help = Some("set it to 0, and add the address anew".to_owned());
        return Some(blame::of_setting(world, end.0, &keys, CauseKind::NoAddress, words, help));
    }
    if !interface.up {
        let words = format!("{name} is down, and without its address {address} as long as it is{rest}");
        return Some(blame::of_interface(world, end, CauseKind::LinkDown, words, Some(format!("take {name} up"))));
    }
    let down = taken_down(world, end.0, &interface.name)?;
    let comma = if rest.is_empty() { "" } else { "," };
    let words = format!(
        "{name} lost its address {address}{rest}{comma} when it was taken down: those of IPv6 do not come back by themselves"
    );
    let help = Some(format!("add {address} to {name} once more when it is up"));
    Some(blame::by(world, end.0, Cause::at(CauseKind::NoAddress, words, Some(down), help)))
}

/// A route that the case asks for, and what it went with.
pub(super) fn route(world: &World<'_>, node: usize, to: IpAddr) -> Option<Cause> {
    let first = world.matter.initial.get(node)?;
    let covering = first.routes.iter().filter(|route| route.to.contains(to) && route.kind == RouteType::Unicast);
    let route = covering.min_by_key(|route| (std::cmp::Reverse(route.to.length), route.metric.unwrap_or(0)))?;
    let deleted = world.matter.performed.iter().any(|operation| match &operation.action {
        Action::DelRoute(on, route, _) => *on == node && route.to.contains(to),
        _ => false,
    });
    if deleted {
        return None;
    }
    let name = world.name(node);
    let prefix = super::refusal::prefix(route);
    let caused = |place: Blame, words: String, help: Option<String>| {
        let words = format!("{name} has no route to {to}: {words}");
        Some(blame::by(world, node, Cause::at(CauseKind::NoRoute, words, Some(place), help)))
    };
    if let Some(interface) = over(first, route).and_then(|over| first.interfaces.get(over)) {
        let end = format!("{name}.{}", interface.name);
        let own = (node, interface.name.as_str());
        let peer = peer(world, &interface.kind);
        let gone = changed(world, |place, change| {
            let at = (place.node, place.name.as_str());
            matches!(change, Change::Delete | Change::Node(_)) && (at == own || Some(at) == peer)
        });
        if let Some(operation) = gone.filter(|_| !exists(world, node, &interface.name)) {
            let how = match &operation.action {
                Action::Change(_, Change::Node(to)) => format!("{end} was moved to {}", world.name(*to)),
                Action::Change(place, _) if place.node != node => {
                    format!("{end} went with {}.{}, the other end of its cable", world.name(place.node), place.name)
                }
                _ => format!("{end} was deleted"),
            };
            return caused(Blame::Case(operation.span), format!("that to {prefix} was by {end}, and {how}"), None);
        }
        if let Some(down) = taken_down(world, node, &interface.name).filter(|_| exists(world, node, &interface.name)) {
            let words =
                format!("that to {prefix} went when {end} was taken down, and does not come back when it is up again");
            return caused(down, words, Some(format!("add the route to {prefix} once more when {end} is up")));
        }
    }
    let source = route.src.and_then(|src| {
        let deleted = changed(world, |place, change| {
            place.node == node && matches!(change, Change::DelAddress(cidr) if cidr.address == src)
        });
        Some((src, deleted?))
    });
    if let Some((src, operation)) = source {
        let words = format!("that to {prefix} went with its source {src}, which was deleted");
        return caused(Blame::Case(operation.span), words, Some(format!("{src} for {name}, or a route without `src`")));
    }
    let flushes = |words: &command::Words<'_>| {
        command::is_route(words, &["flush", "f"]) && !command::prefixes(words, to.is_ipv6()).any(|_| true)
    };
    let v6 = |words: &command::Words<'_>| words.contains(&"-6");
    let place = command::doing(world, node, |words| flushes(words) && v6(words) == to.is_ipv6())?;
    caused(place, format!("that to {prefix} was flushed"), None)
}

/// Whether two causes are what one act took: the ends of a cable go together.
pub(super) fn is_same(world: &World<'_>, one: &Cause, other: &Cause) -> bool {
    let act = |operation: &Operation| {
        matches!(operation.action, Action::Change(..)) && one.blame == Some(Blame::Case(operation.span))
    };
    one.kind == CauseKind::NoRoute && one.blame == other.blame && world.matter.performed.iter().any(act)
}

/// The last change of an interface by a step that fits.
fn changed<'a>(world: &World<'a>, fits: impl Fn(&Place, &Change) -> bool) -> Option<&'a Operation> {
    world.matter.performed.iter().rev().find(|operation| match &operation.action {
        Action::Change(place, change) => fits(place, change),
        _ => false,
    })
}

/// Who took an interface down: a step, else a command.
fn taken_down(world: &World<'_>, node: usize, name: &str) -> Option<Blame> {
    let down = changed(world, |place, change| is_it(place, node, name) && matches!(change, Change::Admin(Admin::Down)));
    let by_command = || {
        command::doing(world, node, |words| {
            words.contains(&"link") && words.contains(&"set") && words.contains(&name) && words.contains(&"down")
        })
    };
    down.map(|operation| Blame::Case(operation.span)).or_else(by_command)
}

fn is_it(place: &Place, node: usize, name: &str) -> bool {
    place.node == node && place.name == name
}

fn exists(world: &World<'_>, node: usize, name: &str) -> bool {
    world.ends().any(|(end, it)| end.0 == node && it.name == name)
}

/// The interface that a route of the case leaves by.
pub(super) fn over(first: &Node, route: &Route) -> Option<usize> {
    let on_link = |via: IpAddr| {
        let has = |cidr: &Cidr| cidr.contains(via);
        first.interfaces.iter().position(|it| it.addresses.iter().any(has))
    };
    route.dev.or(route.over).or_else(|| on_link(route.via?))
}

/// The other end of a cable, as the case has it at first: its node, and its name.
pub(super) fn peer<'a>(world: &World<'a>, kind: &InterfaceKind) -> Option<(usize, &'a str)> {
    let InterfaceKind::Veth { peer } = kind else { return None };
    let other = world.matter.initial.get(peer.node)?;
    Some((peer.node, other.interfaces.get(peer.interface)?.name.as_str()))
}
