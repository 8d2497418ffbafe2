//! Why a kernel has no way for a packet: what refuses it.

use std::net::IpAddr;

use super::policy::{self, Decider};
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
    refused(world, ask, errno).map(|cause| blame::by(world, node, cause)).or_else(|| {
        (errno == libc::ENETUNREACH || errno == libc::EHOSTUNREACH).then(|| no_route::cause(world, node, packet))?
    })
}

/// The policy rule or the route that refuses. What the kernel does not look at for this packet is none.
fn refused(world: &World<'_>, ask: &Ask, errno: i32) -> Option<Cause> {
    let to = ask.to;
    match policy::decider(world, ask)? {
        Decider::Rule(rule) => {
            let word = match errno {
                libc::EACCES => "prohibit",
                libc::EINVAL => "blackhole",
                libc::ENETUNREACH => "unreachable",
                _ => return None,
            };
            rule.text
                .contains(word)
                .then(|| policy_cause(world, ask.node, &rule.text, format!("refuses what is for {to}")))
        }
        Decider::Route(line, rule) => {
            let kind = match errno {
                libc::EACCES => RouteType::Prohibit,
                libc::EINVAL => RouteType::Blackhole,
                libc::EHOSTUNREACH | libc::ENETUNREACH => RouteType::Unreachable,
                _ => return None,
            };
            (policy::kind(line) == kind.to_string()).then(|| by_route(world, ask, line, rule, kind))
        }
    }
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

/// A route that refuses, and the policy rule that leads to it.
fn by_route(world: &World<'_>, ask: &Ask, line: &str, rule: Option<&PolicyRule>, kind: RouteType) -> Cause {
    let Ask { node, to, .. } = *ask;
    let name = world.name(node);
    if let Some(rule) = rule.filter(|rule| rule.table.is_some_and(|table| !(253..=255).contains(&table))) {
        let words = format!("sends what is for {to} to a table with the route `{line}`");
        return policy_cause(world, node, &rule.text, words);
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
