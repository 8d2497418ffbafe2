//! The way that the plan itself gives to a packet: the first obstacle on it that is certain.
//!
//! Cables and bridges are taken for granted, and so is everything that the plan does not show: where a program runs,
//! where two nodes have one address, where nobody has the next hop's, nothing is said.

use std::net::IpAddr;

use crate::plan::{Node, NodeId, Plan, ServiceKind};
use crate::words::{Cidr, Family, RouteType};

/// More routers than any lab has in a row; a loop of routes ends there.
const MOST_HOPS: usize = 32;

/// Where a node sends a packet.
enum Next {
    /// To a neighbour on one of its links, or to itself.
    Here,
    /// To a gateway.
    Gateway(IpAddr),
    /// Nowhere.
    NoRoute,
    /// Nowhere, because a route says so.
    Refused(Cidr, RouteType),
    /// Nowhere: it answers for this prefix itself.
    Kept(Cidr),
}

/// What is in the way of a packet from one node to an address, in words; nothing when nothing certain is.
pub(super) fn obstacle(plan: &Plan, from: NodeId, to: IpAddr) -> Option<String> {
    let family = Family::of(to);
    let mut at = from;
    for _ in 0..MOST_HOPS {
        let node = plan.nodes.get(at)?;
        if has(node, to) || hides_something(plan, at) {
            return None;
        }
        if at != from && matches!(next(node, to), Next::Kept(_)) {
            return None;
        }
        if at != from && !forwards(node, family) {
            return Some(does_not_forward(node, family));
        }
        match next(node, to) {
            Next::Here => return None,
            Next::NoRoute => return Some(format!("{} has no route to {to}", node.name)),
            Next::Refused(prefix, kind) => return Some(format!("{}: {kind} route to {prefix}", node.name)),
            Next::Kept(prefix) => {
                let elsewhere = owner(plan, to).is_some();
                return elsewhere.then(|| format!("{} serves {prefix}, and keeps what is for {to}", node.name));
            }
            Next::Gateway(gateway) => at = owner(plan, gateway)?,
        }
    }
    None
}

/// As [`obstacle`], for a packet that the first node did not send itself.
pub(super) fn obstacle_through(plan: &Plan, router: NodeId, to: IpAddr) -> Option<String> {
    let node = plan.nodes.get(router)?;
    if !has(node, to) && !hides_something(plan, router) && !forwards(node, Family::of(to)) {
        return Some(does_not_forward(node, Family::of(to)));
    }
    obstacle(plan, router, to)
}

fn does_not_forward(node: &Node, family: Family) -> String {
    format!("{} does not forward {}; `forwarding = true` in its table", node.name, family.name())
}

/// The gateway that a node sends packets for an address to; nothing when it needs none, or the plan does not show it.
pub(super) fn gateway(plan: &Plan, from: NodeId, to: IpAddr) -> Option<IpAddr> {
    match next(plan.nodes.get(from).filter(|_| !hides_something(plan, from))?, to) {
        Next::Gateway(gateway) => Some(gateway),
        Next::Here | Next::NoRoute | Next::Refused(..) | Next::Kept(_) => None,
    }
}

fn has(node: &Node, address: IpAddr) -> bool {
    node.interfaces.iter().flat_map(|interface| &interface.addresses).any(|cidr| cidr.address == address)
}

fn forwards(node: &Node, family: Family) -> bool {
    match family {
        Family::Ipv4 => node.forward_ipv4,
        Family::Ipv6 => node.forward_ipv6,
    }
}

/// Whether a program of the node's, or a setting of its own, could have changed how it forwards.
fn hides_something(plan: &Plan, id: NodeId) -> bool {
    let program =
        plan.services.iter().any(|service| service.node == id && matches!(service.kind, ServiceKind::Command { .. }));
    let node = &plan.nodes[id];
    program || node.open || node.sysctls.iter().any(|sysctl| sysctl.path.contains("forward"))
}

/// The longest prefix wins, then the lowest metric.
fn next(node: &Node, to: IpAddr) -> Next {
    let links = node.interfaces.iter().filter(|interface| interface.up).flat_map(|interface| &interface.addresses);
    let on_link = links.filter(|cidr| cidr.contains(to)).map(|cidr| cidr.length).max();
    let routes = node.routes.iter().filter(|route| route.to.contains(to));
    let best = routes.min_by_key(|route| (std::cmp::Reverse(route.to.length), route.metric));
    let served = node.serves.iter().map(|served| served.prefix).filter(|prefix| prefix.contains(to));
    if let Some(served) = served.max_by_key(|prefix| prefix.length)
        && on_link.is_none_or(|length| length < served.length)
        && best.is_none_or(|route| route.to.length < served.length)
    {
        return Next::Kept(served);
    }
    match (on_link, best) {
        (None, None) => Next::NoRoute,
        (Some(_), None) => Next::Here,
        (Some(length), Some(route)) if length >= route.to.length => Next::Here,
        (_, Some(route)) => match (route.kind, route.via) {
            (RouteType::Unicast, Some(gateway)) => Next::Gateway(gateway),
            (RouteType::Unicast, None) => Next::Here,
            (kind, _) => Next::Refused(route.to, kind),
        },
    }
}

/// The one node that has an address.
fn owner(plan: &Plan, address: IpAddr) -> Option<NodeId> {
    let mut owners = plan.nodes.iter().enumerate().filter(|(_, node)| has(node, address)).map(|(id, _)| id);
    let first = owners.next()?;
    owners.next().is_none().then_some(first)
}
