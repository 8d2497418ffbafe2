//! Adding and deleting routes.

use super::super::lab::Draft;
use super::super::routes::{self, metric};
use super::Stage;
use crate::case::step::RouteChange;
use crate::case::topology;
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, End, NodeId, Route};
use crate::source::Spanned;
use crate::words::{Cidr, Family, RouteType};

/// `route-add`.
pub(super) fn add(stage: &mut Stage<'_>, written: RouteChange) -> Option<Action> {
    let (node, route) = take_apart(stage, written)?;
    match routes::resolve(&stage.lab.nodes[node], route, true) {
        Ok(route) => {
            stage.lab.nodes[node].routes.push(route.clone());
            Some(Action::AddRoute(node, Box::new(route.clone()), dev(stage, node, &route)))
        }
        Err(wrong) => {
            if stage.lab.nodes[node].sound {
                stage.out.push(wrong);
            }
            None
        }
    }
}

/// `route-del`: the first route that has all that is said.
pub(super) fn del(stage: &mut Stage<'_>, written: RouteChange) -> Option<Action> {
    let (node, mut route) = take_apart(stage, written)?;
    let draft = &stage.lab.nodes[node];
    name_default(draft, &mut route);
    let (place, typed) = (route.to.span, route.r#type.is_some());
    let wanted = match routes::describe(draft, route) {
        Ok(wanted) => wanted,
        Err(wrong) => {
            if draft.sound {
                stage.out.push(wrong);
            }
            return None;
        }
    };
    let found = (0..draft.routes.len()).filter(|at| fits(&draft.routes[*at], &wanted, typed));
    // The kernel takes the first in the order of their metrics.
    let found = found.min_by_key(|at| metric(&draft.routes[*at]));
    let connected = has_connected(draft, &wanted);
    match found {
        Some(at) if !(connected && precedes(draft, &wanted, &draft.routes[at])) => {
            stage.lab.nodes[node].routes.remove(at);
        }
        None if draft.sound && !connected => {
            let unknown = unknown(stage, node, place, wanted.to);
            stage.out.push(unknown);
        }
        Some(_) | None => {}
    }
    let dev = dev(stage, node, &wanted);
    Some(Action::DelRoute(node, Box::new(wanted), dev))
}

/// Whether a route has all that is said of one; without a word on its type any will do.
fn fits(route: &Route, wanted: &Route, typed: bool) -> bool {
    route.to == wanted.to
        && wanted.via.is_none_or(|via| route.via == Some(via))
        && wanted.dev.is_none_or(|dev| route.over.is_none_or(|over| over == dev))
        && wanted.src.is_none_or(|src| route.src == Some(src))
        && (!typed || route.kind == wanted.kind)
        && wanted.metric.is_none_or(|metric| metric == 0 || route.metric == Some(metric))
}

/// Whether the kernel may have made a route like that for an address.
fn has_connected(draft: &Draft, wanted: &Route) -> bool {
    let interfaces = draft.interfaces.iter().enumerate();
    let mut by_dev = interfaces.filter(|(at, _)| wanted.dev.is_none_or(|dev| dev == *at));
    by_dev.any(|(_, interface)| interface.addresses.iter().any(|cidr| cidr.network() == wanted.to))
}

/// Whether the route that the kernel has made for an address is the one meant, because it comes before another.
fn precedes(draft: &Draft, wanted: &Route, other: &Route) -> bool {
    // IP6_RT_PRIO_ADDRCONF in `linux/ipv6_route.h`.
    let (own, longest) = if wanted.to.address.is_ipv4() { (0, 32) } else { (256, 128) };
    let there = draft.interfaces.iter().enumerate().any(|(at, interface)| {
        interface.up
            && wanted.dev.is_none_or(|dev| dev == at)
            && interface.addresses.iter().any(|cidr| cidr.network() == wanted.to && cidr.length < longest)
    });
    let said = wanted.via.is_some() || wanted.src.is_some() || wanted.metric.is_some_and(|metric| metric > 0);
    there && !said && wanted.kind == RouteType::Unicast && own < metric(other)
}

/// Which "default" is meant, where the node has one of one family only.
fn name_default(draft: &Draft, route: &mut topology::Route) {
    let has = |family| draft.routes.iter().any(|route| route.to == routes::default_of(family));
    if *route.to == "default" && route.via.is_none() && route.src.is_none() && has(Family::Ipv4) != has(Family::Ipv6) {
        let family = if has(Family::Ipv4) { Family::Ipv4 } else { Family::Ipv6 };
        route.to.value = routes::default_of(family).to_string();
    }
}

/// The node, and the route as a node lists it.
fn take_apart(stage: &mut Stage<'_>, written: RouteChange) -> Option<(NodeId, topology::Route)> {
    let RouteChange { on, to, via, dev, src, metric, onlink, r#type, span, sound } = written;
    let node = stage.node(&on)?;
    // A wrong field would be missed as if it were not there.
    sound.then_some((node, topology::Route { to, via, dev, src, metric, onlink, r#type, span, sound }))
}

fn dev(stage: &Stage<'_>, node: NodeId, route: &Route) -> Option<crate::plan::Place> {
    route.dev.map(|interface| stage.lab.place(End { node, interface }))
}

fn unknown(stage: &Stage<'_>, node: NodeId, place: crate::source::Span, to: Cidr) -> Diagnostic {
    let draft = &stage.lab.nodes[node];
    let of_family = |cidr: &Cidr| Family::of(cidr.address) == Family::of(to.address);
    let listed = draft.routes.iter().map(|route| route.to);
    let connected = draft.interfaces.iter().filter(|interface| interface.up).flat_map(|interface| &interface.addresses);
    let known: Vec<String> = listed
        .chain(connected.map(|cidr: &Spanned<Cidr>| cidr.network()))
        .filter(of_family)
        .map(|cidr| cidr.to_string())
        .collect();
    let wrong = Diagnostic::error(place, format!("`{}` has no such route to {to}", *draft.name));
    wrong.label(match &*known {
        [] => "it has none at this step".to_owned(),
        known => format!("at this step it has routes to {}", known.join(", ")),
    })
}
