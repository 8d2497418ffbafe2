//! Why a node has no route: what would have had to make one.

use std::net::IpAddr;

use super::blame;
use super::loss;
use super::policy;
use super::refusal::{is_link_local, planned_routes, written};
use super::travelling::Travelling;
use super::wire;
use super::world::{End, World};
use crate::evidence::{Blame, Cause, CauseKind};
use crate::plan::Route;
use crate::words::{Cidr, Family, RouteType};

/// Why there is no route: what would have had to make one.
pub(super) fn cause(world: &World<'_>, node: usize, packet: &Travelling) -> Option<Cause> {
    let to = packet.to;
    own_address(world, node, to)
        .or_else(|| own_link_down(world, node, to))
        .or_else(|| all_down(world, node, to))
        .or_else(|| lost_route(world, node, to))
        .or_else(|| loss::route(world, node, to))
        .or_else(|| on_the_link(world, node, to))
        .or_else(|| Some(plainly_none(world, node, to)))
}

/// What a better route than the one that is used went with, whose prefix has this length: its interface is down, or has
/// lost its address.
pub(super) fn taken(world: &World<'_>, node: usize, to: IpAddr, length: u8) -> Option<Cause> {
    let first = world.matter.initial.get(node)?;
    let near = first.interfaces.iter().flat_map(|it| &it.addresses).any(|own| own.contains(to) && own.length >= length);
    let best = first.routes.iter().filter(|route| route.to.contains(to));
    let best = best.min_by_key(|route| (std::cmp::Reverse(route.to.length), route.metric.unwrap_or(0)));
    let far = best.is_some_and(|route| route.kind == RouteType::Unicast && route.to.length >= length);
    let own = near.then(|| own_link_down(world, node, to)).flatten();
    own.or_else(|| far.then(|| lost_route(world, node, to)).flatten())
}

/// The kernel takes an address for the node's own by an entry of its table `local`, and that can be deleted.
pub(super) fn own_address(world: &World<'_>, node: usize, to: IpAddr) -> Option<Cause> {
    let end = world.owners(to).into_iter().find(|end| end.0 == node)?;
    let entries = policy::all(world, node, "local", to);
    if !world.interface(end)?.up || entries.iter().any(|(line, _)| policy::kind(line) == "local") {
        return None;
    }
    let words = format!(
        "{} has {to}, but the table `local` of {} has no entry for it: it does not take it for its own",
        world.end_name(end),
        world.name(node)
    );
    let address = to.to_string();
    let done = [["del", &address], ["delete", &address]].iter().find_map(|words| blame::done_by(world, node, words));
    let place = done.or_else(|| blame::script_of(world, node).or_else(|| blame::of_node(world, node)).map(Blame::Case));
    Some(blame::by(world, node, Cause::at(CauseKind::NoRoute, words, place, None)))
}

/// An interface whose network the address lies in is down, and so is the route.
fn own_link_down(world: &World<'_>, node: usize, to: IpAddr) -> Option<Cause> {
    let first = world.matter.initial.get(node)?;
    for planned in first.interfaces.iter().filter(|planned| planned.present) {
        let Some((end, found)) = world.ends().find(|(end, it)| end.0 == node && it.name == planned.name) else {
            continue;
        };
        let meant = planned.addresses.iter().any(|cidr| cidr.contains(to))
            || found.addresses.iter().any(|own| own.cidr.contains(to));
        if meant && !found.up {
            return Some(link_down(world, end, to));
        }
        // With another prefix it has the address still.
        let kept = |cidr: &Cidr| found.addresses.iter().any(|own| own.cidr.address == cidr.address);
        if let Some(lost) = planned.addresses.iter().find(|cidr| cidr.contains(to) && !kept(cidr)) {
            return Some(lost_address(world, end, *lost, to));
        }
    }
    // What a step or a script has made may never have been taken up.
    let mut made = world.ends().filter(|(end, it)| end.0 == node && it.name != "lo" && !it.up);
    let (end, _) = made.find(|(_, it)| it.addresses.iter().any(|own| own.cidr.contains(to)))?;
    Some(link_down(world, end, to))
}

fn lost_address(world: &World<'_>, end: End, lost: Cidr, to: IpAddr) -> Cause {
    let rest = format!(", and with it the route to {to}");
    loss::address(world, end, lost.address, &rest).unwrap_or_else(|| {
        let words = format!("{} has lost its address {lost}{rest}", world.end_name(end));
        blame::of_interface(world, end, CauseKind::NoAddress, words, None)
    })
}

/// A node whose every interface with addresses of the family is down has no routes for that.
fn all_down(world: &World<'_>, node: usize, to: IpAddr) -> Option<Cause> {
    let speaks = |it: &crate::evidence::Interface| {
        it.addresses.iter().any(|own| own.cidr.address.is_ipv4() == to.is_ipv4() && !is_link_local(own.cidr.address))
    };
    let mut own = world.ends().filter(|(end, it)| end.0 == node && it.name != "lo" && speaks(it));
    let (end, first) = own.next()?;
    (!first.up && own.all(|(_, it)| !it.up)).then(|| link_down(world, end, to))
}

fn link_down(world: &World<'_>, end: End, to: IpAddr) -> Cause {
    let name = world.end_name(end);
    let words = format!("{name} is down, and with it the route to {to}");
    blame::of_interface(world, end, CauseKind::LinkDown, words, Some(format!("take {name} up")))
}

/// A route that the case asks for is gone, because its interface is down or has lost the address of its network.
fn lost_route(world: &World<'_>, node: usize, to: IpAddr) -> Option<Cause> {
    // What the case had at first: a step that takes a link down takes its routes away, too.
    let first = world.matter.initial.get(node)?;
    let mut routes: Vec<&Route> = first.routes.iter().filter(|route| route.to.contains(to)).collect();
    routes.sort_by_key(|route| (std::cmp::Reverse(route.to.length), route.metric.unwrap_or(0)));
    let route = *routes.first()?;
    let over = loss::over(first, route)?;
    let planned = first.interfaces.get(over)?;
    let (end, found) = world.ends().find(|(end, it)| end.0 == node && it.name == planned.name)?;
    if !found.up {
        return Some(link_down(world, end, to));
    }
    let via = route.via?;
    let lost = planned.addresses.iter().find(|cidr| cidr.contains(via))?;
    let has = found.addresses.iter().any(|own| own.cidr.address == lost.address);
    (!has).then(|| lost_address(world, end, *lost, to))
}

/// The address is on a link of the node, which has none there, or one with another network.
pub(super) fn on_the_link(world: &World<'_>, node: usize, to: IpAddr) -> Option<Cause> {
    let v6 = to.is_ipv6();
    for owner in world.owners(to).into_iter().filter(|owner| owner.0 != node) {
        let theirs = world.interface(owner)?.addresses.iter().find(|own| own.cidr.address == to)?.cidr;
        for (end, found) in world.ends().filter(|(end, it)| end.0 == node && it.name != "lo" && it.master.is_none()) {
            if wire::between(world, end, owner).is_none() || wire::between(world, end, owner)?.len() > LONGEST_LINK {
                continue;
            }
            let name = world.end_name(end);
            let plain =
                |it: &&crate::evidence::Address| !is_link_local(it.cidr.address) && it.cidr.address.is_ipv6() == v6;
            let own: Vec<_> = found.addresses.iter().filter(plain).collect();
            if own.is_empty() {
                let family = Family::of(to).name();
                let words = format!("{name} has no {family} address, though it is on one link with {to}");
                let help = format!("an `address` in the network of {theirs}");
                return Some(blame::of_interface(world, end, CauseKind::NoAddress, words, Some(help)));
            }
            if let Some(narrow) = own.iter().find(|it| theirs.contains(it.cidr.address) && !it.cidr.contains(to)) {
                let words = format!(
                    "{name} has {}, a network without {to}, which {} has as {theirs}",
                    narrow.cidr,
                    world.end_name(owner)
                );
                let help = format!("the prefix length /{} at both", theirs.length);
                return Some(blame::of_interface(world, end, CauseKind::WrongPrefix, words, Some(help)));
            }
        }
    }
    None
}

/// More interfaces than any link of a lab is long.
const LONGEST_LINK: usize = 64;

fn plainly_none(world: &World<'_>, node: usize, to: IpAddr) -> Cause {
    let name = world.name(node);
    let help = format!("`routes = [{{ to = \"default\", via = \"...\" }}]` in the table of {name} gives it one");
    let removed = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        crate::plan::Action::DelRoute(on, route, _) => *on == node && route.to.contains(to),
        _ => false,
    });
    let words = format!("{name} has no route to {to}");
    if removed.is_none()
        && let Some(cause) = deleted(world, node, to, &words)
    {
        return cause;
    }
    match removed {
        Some(operation) => blame::by(world, node, blame::at(CauseKind::NoRoute, words, operation.span, Some(help))),
        None => match (super::command::deleting_route(world, node, to), blame::script_of(world, node)) {
            (Some(line), _) => blame::by(world, node, Cause::at(CauseKind::NoRoute, words, Some(line), Some(help))),
            (None, Some(span)) => blame::by(world, node, blame::at(CauseKind::NoRoute, words, span, Some(help))),
            (None, None) => blame::on_node(world, node, CauseKind::NoRoute, words, Some(help)),
        },
    }
}

/// A route that the case asks for, and a program or a script has deleted.
fn deleted(world: &World<'_>, node: usize, to: IpAddr, words: &str) -> Option<Cause> {
    let route = *planned_routes(world, node, to).first()?;
    let prefix = written(route);
    let whole = route.to.to_string();
    let tries = [["del", &prefix], ["delete", &prefix], ["del", &whole], ["delete", &whole]];
    let place = tries.iter().find_map(|words| blame::done_by(world, node, words))?;
    let words = format!("{words}: that to {prefix} was deleted");
    Some(blame::by(world, node, Cause::at(CauseKind::NoRoute, words, Some(place), None)))
}
