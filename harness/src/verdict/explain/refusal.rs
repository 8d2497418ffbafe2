//! Why a kernel has no way for a packet: what refuses it.

use std::net::IpAddr;

use super::policy::{self, Decider};
use super::policy_fault::{self, policy_cause};
use super::travelling::Travelling;
use super::world::World;
use super::{blame, forwarding, martian, no_route, reverse_path};
use crate::evidence::{Ask, Cause, CauseKind, PolicyRule};
use crate::plan::{Action, Route};
use crate::words::{Cidr, RouteType};

/// What the errno of a refused lookup comes from.
pub(super) fn of_lookup(world: &World<'_>, ask: &Ask, packet: &Travelling, errno: i32) -> Option<Cause> {
    let Ask { node, iif, .. } = *ask;
    if let Some(cause) = forwarding::off(world, node, iif, packet) {
        return Some(cause);
    }
    if let Some(iif) = iif
        && let Some(cause) = martian::to_loopback(world, (node, iif), packet)
    {
        return Some(cause);
    }
    if let (Some(iif), IpAddr::V4(_)) = (iif, packet.to)
        && let Some(cause) = reverse_path::filter(world, (node, iif), packet.from?, packet.to, errno)
    {
        return Some(cause);
    }
    let refused = refused(world, ask, errno).map(|cause| blame::by(world, node, cause));
    refused.or_else(|| {
        let lacks = errno == libc::ENETUNREACH || errno == libc::EHOSTUNREACH;
        lacks.then(|| policy_fault::unreached(world, ask).or_else(|| no_route::cause(world, node, packet)))?
    })
}

/// The policy rule or the route that refuses. What the kernel does not look at for this packet is none.
pub(super) fn refused(world: &World<'_>, ask: &Ask, errno: i32) -> Option<Cause> {
    let (node, to) = (ask.node, ask.to);
    let is_host = |iif| world.setting(node, &format!("ipv4/conf/{iif}/forwarding")) == 0;
    let iif = ask.iif.and_then(|iif| world.interface((node, iif)));
    // Who does not forward IPv4 has one error for all that refuses (`ip_route_input_slow` of net/ipv4/route.c).
    let by_any = errno == libc::EHOSTUNREACH && to.is_ipv4() && iif.is_some_and(|iif| is_host(&*iif.name));
    let kinds: &[RouteType] = match errno {
        _ if by_any => &[RouteType::Prohibit, RouteType::Blackhole, RouteType::Unreachable],
        libc::EACCES => &[RouteType::Prohibit],
        libc::EINVAL => &[RouteType::Blackhole],
        libc::EHOSTUNREACH | libc::ENETUNREACH => &[RouteType::Unreachable],
        _ => return None,
    };
    match policy::decider(world, ask)? {
        Decider::Rule(rule) => kinds
            .iter()
            .any(|kind| rule.text.contains(&kind.to_string()))
            .then(|| policy_cause(world, node, rule, format!("refuses what is for {to}"))),
        Decider::Route(line, rule) => {
            let kind = *kinds.iter().find(|kind| policy::kind(line) == kind.to_string())?;
            Some(by_route(world, ask, line, rule, kind))
        }
    }
}

/// A route that refuses, and the policy rule that leads to it.
fn by_route(world: &World<'_>, ask: &Ask, line: &str, rule: Option<&PolicyRule>, kind: RouteType) -> Cause {
    let Ask { node, to, .. } = *ask;
    let name = world.name(node);
    if let Some(rule) = rule.filter(|rule| rule.table.is_some_and(|table| !(253..=255).contains(&table))) {
        let words = format!("sends what is for {to} to a table with the route `{line}`");
        return policy_cause(world, node, rule, words);
    }
    // While the better one was there, this one did no harm.
    if let Some(cause) = no_route::taken(world, node, to, policy::length(policy::target(line), to)) {
        return cause;
    }
    let help = Some("delete it, or add a narrower route for what should pass".to_owned());
    let target = policy::target(line);
    let planned = planned_routes(world, node, to);
    if let Some(route) = planned.iter().find(|route| route.kind == kind && written(route) == target) {
        let a = if kind == RouteType::Unreachable { "an" } else { "a" };
        let words = format!("{name} has {a} {kind} route to {}", prefix(route));
        // While the narrower one was there, this one did no harm.
        let gone = world.matter.performed.iter().rev().find_map(|operation| match &operation.action {
            Action::DelRoute(on, gone, _)
                if *on == node && gone.to.contains(to) && gone.to.length > route.to.length =>
            {
                Some((gone.to, operation.span))
            }
            _ => None,
        });
        return match gone {
            Some((gone, span)) => {
                let words = format!("{words}, and that to {gone} was deleted");
                blame::at(CauseKind::RouteRefuses, words, span, help)
            }
            None => blame::at(CauseKind::RouteRefuses, words, route.span, help),
        };
    }
    // One that a script made stands in the kernel's own table.
    let words = format!("{name} has the route `{line}`");
    let word = kind.to_string();
    let whole = if target.contains('/') {
        target.to_owned()
    } else {
        format!("{target}/{}", if to.is_ipv4() { 32 } else { 128 })
    };
    let tries = [&[word.as_str(), target][..], &[&word, &whole], &[&word]];
    let done = tries.into_iter().find_map(|words| blame::done_by(world, node, words));
    let span = || blame::script_of(world, node).or_else(|| blame::of_node(world, node));
    let place = done.or_else(|| span().map(crate::evidence::Blame::Case));
    Cause::at(CauseKind::RouteRefuses, words, place, help)
}

/// The prefix of a route of the plan as `ip route` writes it.
pub(super) fn written(route: &Route) -> String {
    match route.to {
        Cidr { length: 0, .. } => "default".to_owned(),
        Cidr { address: address @ IpAddr::V4(_), length: 32 }
        | Cidr { address: address @ IpAddr::V6(_), length: 128 } => address.to_string(),
        cidr => cidr.to_string(),
    }
}

/// The routes of the plan that an address falls under, the best first; those that later steps added included.
pub(super) fn planned_routes<'a>(world: &World<'a>, node: usize, to: IpAddr) -> Vec<&'a Route> {
    let mut routes: Vec<&Route> = world.planned(node).routes.iter().filter(|route| route.to.contains(to)).collect();
    routes.sort_by_key(|route| (std::cmp::Reverse(route.to.length), route.metric.unwrap_or(0)));
    routes
}

pub(super) fn prefix(route: &Route) -> String {
    if route.to.length == 0 { "default".to_owned() } else { route.to.to_string() }
}

pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
