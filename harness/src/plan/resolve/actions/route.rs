//! Adding and deleting routes.

use super::super::lab::Draft;
use super::super::routes;
use super::Stage;
use crate::case::step::RouteChange;
use crate::case::topology;
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, End, NodeId, Route};
use crate::source::Spanned;
use crate::words::{Cidr, Family};

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
    let place = route.to.span;
    let wanted = match routes::describe(draft, route) {
        Ok(wanted) => wanted,
        Err(wrong) => {
            if draft.sound {
                stage.out.push(wrong);
            }
            return None;
        }
    };
    let fits = |other: &Route| {
        other.to == wanted.to
            && wanted.via.is_none_or(|via| other.via == Some(via))
            && wanted.dev.is_none_or(|dev| other.dev.is_none_or(|other| other == dev))
            && wanted.metric.is_none_or(|metric| other.metric == Some(metric))
    };
    let found = draft.routes.iter().position(fits);
    let connected = draft.interfaces.iter().enumerate().any(|(at, interface)| {
        wanted.dev.is_none_or(|dev| dev == at) && interface.addresses.iter().any(|cidr| cidr.network() == wanted.to)
    });
    if let Some(at) = found {
        stage.lab.nodes[node].routes.remove(at);
    } else if draft.sound && !connected {
        let unknown = unknown(stage, node, place, wanted.to);
        stage.out.push(unknown);
    }
    let dev = dev(stage, node, &wanted);
    Some(Action::DelRoute(node, Box::new(wanted), dev))
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
