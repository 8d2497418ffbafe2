//! Why a kernel has no way for a packet.

use std::net::IpAddr;

use super::blame;
use super::walk::Travelling;
use super::wire;
use super::world::{End, World};
use crate::evidence::{Ask, Cause, CauseKind};
use crate::plan::Route;
use crate::words::{Cidr, Family, RouteType};

/// What the errno of a refused lookup comes from.
pub(super) fn of_lookup(
    world: &World<'_>,
    node: usize,
    iif: Option<u32>,
    packet: &Travelling,
    errno: i32,
) -> Option<Cause> {
    if let Some(cause) = forwarding_off(world, node, iif, packet) {
        return Some(cause);
    }
    if let (Some(iif), IpAddr::V4(_)) = (iif, packet.to)
        && let Some(cause) = reverse_path(world, (node, iif), packet.from?, errno)
    {
        return Some(cause);
    }
    let refused = by_policy_rule(world, node, packet, errno).or_else(|| by_route(world, node, packet.to, errno));
    refused.map(|cause| blame::by(world, node, cause)).or_else(|| {
        (errno == libc::ENETUNREACH || errno == libc::EHOSTUNREACH).then(|| no_route(world, node, packet))?
    })
}

/// Whether a node does not pass on what it got: the kernel answers so for IPv4; for IPv6 it gives a route all the same.
pub(super) fn forwarding_off(world: &World<'_>, node: usize, iif: Option<u32>, packet: &Travelling) -> Option<Cause> {
    let iif = world.interface((node, iif?))?;
    if world.has(node, packet.to) {
        return None;
    }
    if is_nobodys(world, packet.to) {
        let words =
            format!("no node of this case has {}: its way ends at {}, which is no router", packet.to, world.name(node));
        let off =
            world.setting(node, if packet.to.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" }) == 0;
        return off.then(|| blame::by(world, node, blame::at(CauseKind::NoAddress, words, world.matter.span, None)));
    }
    let family = if packet.to.is_ipv4() { "ipv4" } else { "ipv6" };
    let keys = if packet.to.is_ipv4() {
        vec![
            format!("ipv4/conf/{}/forwarding", iif.name),
            "ipv4/ip_forward".to_owned(),
            "ipv4/conf/all/forwarding".to_owned(),
        ]
    } else {
        vec!["ipv6/conf/all/forwarding".to_owned(), format!("ipv6/conf/{}/forwarding", iif.name)]
    };
    // For IPv4 the interface's own setting counts; the one of `all` sets them all. For IPv6 it is the one of `all`.
    let key = keys.first()?;
    if !world.node(node).sysctls.contains_key(key) || world.setting(node, key) != 0 {
        return None;
    }
    let key = if packet.to.is_ipv4() && world.setting(node, &keys[1]) == 0 { &keys[1] } else { key };
    let name = world.name(node);
    let words = format!("{name} does not forward {}: net.{} is 0", Family::of(packet.to).name(), key.replace('/', "."));
    let help = format!("`forwarding = true` (or `\"{family}\"`) in the table of {name}");
    let planned = world.planned(node);
    let written = |cause: Cause| match (&cause.blame, planned.forwarding) {
        (Some(crate::evidence::Blame::Case(span)), Some(forwarding)) if *span == planned.span => {
            Cause { blame: Some(crate::evidence::Blame::Case(forwarding)), ..cause }
        }
        _ => cause,
    };
    Some(written(blame::of_setting(world, node, &keys, CauseKind::ForwardingOff, words, Some(help))))
}

/// Whether no node has an address, nor answers for it.
fn is_nobodys(world: &World<'_>, address: IpAddr) -> bool {
    world.owners(address).is_empty() && !world.plan().nodes.iter().any(|node| node.serves(address))
}

/// Whether the reverse-path filter stops what comes in by an interface from an address: the way back to that would be
/// another one.
///
/// Source: `fib_validate_source` of the kernel: EXDEV, or EINVAL from 6.15 on; RFC 3704.
pub(super) fn reverse_path(world: &World<'_>, iif: End, from: IpAddr, errno: i32) -> Option<Cause> {
    let filter = world.larger_setting(iif, "rp_filter");
    if filter == 0 || !matches!(errno, libc::EXDEV | libc::EINVAL) {
        return None;
    }
    let back = world.decide(Ask::plain(iif.0, from))?;
    let name = world.end_name(iif);
    let elsewhere = match back {
        Ok(back) if back.oif == Some(iif.1) => return None,
        Ok(back) => match back.oif.map(|oif| world.end_name((iif.0, oif))) {
            Some(_) if filter == 2 => return None,
            Some(oif) => format!("its own way to {from} is by {oif}"),
            None => return None,
        },
        Err(_) => format!("it has no route to {from}"),
    };
    let interface = world.interface(iif)?;
    let keys = [format!("ipv4/conf/{}/rp_filter", interface.name), "ipv4/conf/all/rp_filter".to_owned()];
    let words =
        format!("the reverse-path filter of {name} drops what comes from {from}: {elsewhere} (rp_filter is {filter})");
    let help =
        format!("route {from} back by the same interface, or set `rp_filter` to 0, or to 2 where it has some route");
    Some(blame::of_setting(world, iif.0, &keys, CauseKind::ReversePath, words, Some(help)))
}

/// Whether a policy rule refuses.
fn by_policy_rule(world: &World<'_>, node: usize, packet: &Travelling, errno: i32) -> Option<Cause> {
    let word = match errno {
        libc::EACCES => "prohibit",
        libc::EINVAL => "blackhole",
        libc::ENETUNREACH => "unreachable",
        _ => return None,
    };
    let rules = &world.node(node).policy;
    let rule =
        rules.iter().find(|rule| rule.v6 == packet.to.is_ipv6() && rule.table.is_none() && rule.text.contains(word))?;
    Some(policy_cause(world, node, &rule.text, format!("refuses what is for {}", packet.to)))
}

/// A cause that a policy rule is to blame for.
pub(super) fn policy_cause(world: &World<'_>, node: usize, text: &str, does: String) -> Cause {
    let words = format!("the policy rule `{text}` of {} {does}", world.name(node));
    let help = Some("`ip rule` lists them in their order".to_owned());
    // The selector of the rule, as the one who added it wrote it.
    let selectors: Vec<&str> =
        text.split(' ').filter(|word| word.contains(['.', ':']) && !word.ends_with(':')).collect();
    let added = blame::done_by(world, node, &[&["rule", "add"], &selectors[..]].concat());
    if let Some(blame) = added.or_else(|| blame::done_by(world, node, &["rule", "add"])) {
        return blame::by(world, node, Cause::at(CauseKind::PolicyRule, words, Some(blame), help));
    }
    let span = blame::script_of(world, node).or_else(|| blame::of_node(world, node)).unwrap_or_default();
    blame::at(CauseKind::PolicyRule, words, span, help)
}

/// Whether a route refuses.
fn by_route(world: &World<'_>, node: usize, to: IpAddr, errno: i32) -> Option<Cause> {
    let kind = match errno {
        libc::EACCES => RouteType::Prohibit,
        libc::EINVAL => RouteType::Blackhole,
        libc::EHOSTUNREACH | libc::ENETUNREACH => RouteType::Unreachable,
        _ => return None,
    };
    let name = world.name(node);
    let planned = planned_routes(world, node, to);
    let help = Some("delete it, or add a narrower route for what should pass".to_owned());
    if let Some(route) = planned.first().filter(|route| route.kind == kind) {
        let a = if kind == RouteType::Unreachable { "an" } else { "a" };
        let words = format!("{name} has {a} {kind} route to {}", prefix(route));
        return Some(blame::at(CauseKind::RouteRefuses, words, route.span, help));
    }
    // One that a script made stands in the kernel's own table.
    let word = format!("{kind} ");
    let line = world.node(node).routes.iter().find(|line| {
        let target = line.strip_prefix(&word).and_then(|rest| rest.split(' ').next());
        target.is_some_and(|target| covers(target, to))
    })?;
    let first = line.split(' ').nth(1).unwrap_or_default();
    if let Some(blame) = blame::done_by(world, node, &[word.trim(), first]) {
        let words = format!("{name} has the route `{}`", line.trim());
        return Some(blame::by(world, node, Cause::at(CauseKind::RouteRefuses, words, Some(blame), help)));
    }
    let span = blame::script_of(world, node).or_else(|| blame::of_node(world, node))?;
    Some(blame::at(CauseKind::RouteRefuses, format!("{name} has the route `{}`", line.trim()), span, help))
}

/// The routes of the plan that an address falls under, the best first; those that later steps added included.
pub(super) fn planned_routes<'a>(world: &World<'a>, node: usize, to: IpAddr) -> Vec<&'a Route> {
    let mut routes: Vec<&Route> = world.planned(node).routes.iter().filter(|route| route.to.contains(to)).collect();
    routes.sort_by_key(|route| (std::cmp::Reverse(route.to.length), route.metric.unwrap_or(0)));
    routes
}

/// Whether a prefix as `ip route` writes it covers an address.
fn covers(target: &str, to: IpAddr) -> bool {
    if target == "default" {
        return true;
    }
    match target.split_once('/') {
        None => target.parse() == Ok(to),
        Some((address, length)) => match (address.parse(), length.parse()) {
            (Ok(address), Ok(length)) => Cidr { address, length }.contains(to),
            _ => false,
        },
    }
}

pub(super) fn prefix(route: &Route) -> String {
    if route.to.length == 0 { "default".to_owned() } else { route.to.to_string() }
}

/// Why there is no route: what would have had to make one.
fn no_route(world: &World<'_>, node: usize, packet: &Travelling) -> Option<Cause> {
    let to = packet.to;
    own_link_down(world, node, to)
        .or_else(|| all_down(world, node, to))
        .or_else(|| lost_route(world, node, to))
        .or_else(|| on_the_link(world, node, to))
        .or_else(|| Some(plainly_none(world, node, to)))
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
        let kept = |cidr: &Cidr| found.addresses.iter().any(|own| own.cidr == *cidr);
        if let Some(lost) = planned.addresses.iter().find(|cidr| cidr.contains(to) && !kept(cidr)) {
            let words = format!("{} has lost its address {lost}, and with it the route to {to}", world.end_name(end));
            return Some(blame::of_interface(world, end, CauseKind::NoAddress, words, None));
        }
    }
    None
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
    let on_link =
        |via: IpAddr| first.interfaces.iter().position(|it| it.addresses.iter().any(|cidr| cidr.contains(via)));
    let over = route.dev.or(route.over).or_else(|| on_link(route.via?))?;
    let planned = first.interfaces.get(over)?;
    let (end, found) = world.ends().find(|(end, it)| end.0 == node && it.name == planned.name)?;
    if !found.up {
        return Some(link_down(world, end, to));
    }
    let via = route.via?;
    let lost = planned.addresses.iter().find(|cidr| cidr.contains(via))?;
    let has = found.addresses.iter().any(|own| own.cidr == *lost);
    (!has).then(|| {
        let words = format!("{} has lost its address {lost}, and with it the route to {to}", world.end_name(end));
        blame::of_interface(world, end, CauseKind::NoAddress, words, None)
    })
}

/// The address is on a link of the node, which has none there, or one with another network.
fn on_the_link(world: &World<'_>, node: usize, to: IpAddr) -> Option<Cause> {
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
    match removed {
        Some(operation) => blame::by(world, node, blame::at(CauseKind::NoRoute, words, operation.span, Some(help))),
        None => match blame::script_of(world, node) {
            Some(span) => blame::by(world, node, blame::at(CauseKind::NoRoute, words, span, Some(help))),
            None => blame::on_node(world, node, CauseKind::NoRoute, words, Some(help)),
        },
    }
}

pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
