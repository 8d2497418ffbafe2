//! Static routes: those that a node lists, and the default routes that networks give.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::lab::{Draft, Lab, is_link_local};
use super::networks::DefaultRoute;
use super::subnet::host_bits;
use crate::case::decode::Scalar;
use crate::case::{CaseList, topology};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{InterfaceId, NodeId, Route};
use crate::source::{Span, Spanned};
use crate::words::{Cidr, Family, RouteType};

/// Adds the routes that a node lists, in the order of the file.
pub(super) fn add_listed(lab: &mut Lab, node: NodeId, written: CaseList<topology::Route>, out: &mut Diagnostics) {
    for route in written.items {
        // A wrong field would be missed below as if it were not there.
        if !route.sound {
            continue;
        }
        match resolve(&lab.nodes[node], route, false) {
            Ok(route) => lab.nodes[node].routes.push(route),
            Err(wrong) => {
                if lab.nodes[node].sound {
                    out.push(wrong);
                }
            }
        }
    }
}

/// Adds the default routes of the networks where a member has none of its own.
pub(super) fn add_defaults(lab: &mut Lab, defaults: Vec<DefaultRoute>, out: &mut Diagnostics) {
    let mut given: Vec<(NodeId, Family, Spanned<String>)> = Vec::new();
    for DefaultRoute { node, interface, via, network } in defaults {
        let family = Family::of(via);
        let own = lab.nodes[node].routes.iter().any(|route| {
            route.to == default_of(family) && !given.iter().any(|(_, _, network)| network.span == route.span)
        });
        // A node that answers for everybody needs nobody to send everything to.
        let serves = lab.nodes[node].serves.iter().any(|served| served.prefix == default_of(family));
        if own || serves {
            continue;
        }
        if let Some((_, _, first)) = given.iter().find(|(to, of, _)| *to == node && *of == family) {
            let name = &lab.nodes[node].name;
            out.push(
                Diagnostic::error(
                    network.span,
                    format!("networks `{}` and `{}` both give `{}` a default route", **first, *network, **name),
                )
                .label("a node has one default route")
                .related(first.span, "the first")
                .help(format!(
                    "say which: `routes = [{{ to = \"default\", via = \"{via}\" }}]` under `[nodes.{}]`",
                    **name
                )),
            );
            continue;
        }
        lab.nodes[node].routes.push(Route {
            to: default_of(family),
            via: Some(via),
            dev: Some(interface),
            over: Some(interface),
            src: None,
            metric: None,
            onlink: false,
            kind: RouteType::Unicast,
            span: network.span,
        });
        given.push((node, family, network));
    }
}

/// The prefix of every address of a family.
pub(super) fn default_of(family: Family) -> Cidr {
    let address = match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    Cidr { address, length: 0 }
}

/// A route to be added; once scripts have `run`, a node that they change has addresses that are not known yet.
pub(super) fn resolve(node: &Draft, written: topology::Route, run: bool) -> Result<Route, Diagnostic> {
    let (to, src) = (written.to.span, written.src);
    let (via, onlink) = (written.via, written.onlink.filter(|onlink| onlink.value));
    let dev = written.dev.as_ref().map(|dev| dev.span);
    if written.r#type.is_none_or(|kind| kind.value == RouteType::Unicast) {
        need_way(to, via.map(|via| via.span), dev, onlink.map(|onlink| onlink.span))?;
    }
    let route = describe(node, written)?;
    if let (Some(at), Some(place)) = (route.dev, dev) {
        need_up(node, at, place)?;
    }
    let scripted = run && node.open;
    if let Some(via) = via.filter(|_| !scripted) {
        check_gateway(node, via, route.dev, route.onlink)?;
    }
    if let Some(src) = src.filter(|src| !scripted && !node.owns(src.value)) {
        return Err(not_an_address_of(node, src, "`src` is an address of the node itself"));
    }
    refuse_twice(node, &route)?;
    Ok(route)
}

/// A route as it is written, whatever the kernel will say to it.
pub(super) fn describe(node: &Draft, written: topology::Route) -> Result<Route, Diagnostic> {
    let topology::Route { to, via, dev, src, metric, onlink, r#type, span: _, sound: _ } = written;
    let kind = r#type.map_or(RouteType::Unicast, |kind| kind.value);
    let prefix = prefix(&to, via.or(src))?;
    for (key, address) in [("via", via), ("src", src)] {
        if let Some(address) = address.filter(|address| address.is_ipv4() != prefix.address.is_ipv4()) {
            return Err(Diagnostic::error(address.span, format!("`{key}` and `to` are of different families"))
                .label(format!("an {} address", Family::of(address.value).name()))
                .related(to.span, format!("an {} prefix", Family::of(prefix.address).name())));
        }
    }
    let onlink_span = onlink.filter(|onlink| onlink.value).map(|onlink| onlink.span);
    if kind != RouteType::Unicast {
        let dev = dev.as_ref().map(|dev| dev.span);
        for (key, place) in [("via", via.map(|via| via.span)), ("dev", dev), ("onlink", onlink_span)] {
            if let Some(place) = place {
                return Err(Diagnostic::error(place, format!("a route of type `{kind}` takes no `{key}`"))
                    .label("its packets go nowhere"));
            }
        }
    }
    let dev = dev.map(|dev| node.interface(&dev).ok_or_else(|| node.unknown_interface(&dev, dev.span))).transpose()?;
    let metric = metric.map(|metric| metric.0);
    Ok(Route {
        to: prefix,
        via: via.map(|via| via.value),
        dev,
        over: dev.or_else(|| link_to(node, via?.value)),
        src: src.map(|src| src.value),
        metric,
        onlink: onlink_span.is_some(),
        kind,
        span: to.span,
    })
}

fn prefix(to: &Spanned<String>, hint: Option<Spanned<IpAddr>>) -> Result<Cidr, Diagnostic> {
    if **to == "default" {
        return hint.map(|address| default_of(Family::of(address.value))).ok_or_else(|| {
            Diagnostic::error(to.span, "the family of this default route is not known")
                .label("write \"0.0.0.0/0\" for IPv4 or \"::/0\" for IPv6")
        });
    }
    let cidr = Cidr::parse(to).map_err(|wrong| match crate::diagnostic::suggest(to, ["default"]) {
        near if near.starts_with("did you mean") => {
            Diagnostic::error(to.span, format!("unknown destination `{}`", **to)).label(near)
        }
        _ => wrong.at(to),
    })?;
    host_bits(Spanned::new(cidr, to.span)).map_or(Ok(cidr), Err)
}

fn need_way(to: Span, via: Option<Span>, dev: Option<Span>, onlink: Option<Span>) -> Result<(), Diagnostic> {
    if via.is_none() && dev.is_none() {
        return Err(Diagnostic::error(to, "this route leads nowhere")
            .label("it has neither `via` nor `dev`")
            .help("write `via = \"ADDRESS\"` for a gateway, or `dev = \"INTERFACE\"` for what is on the link itself")
            .help("to drop or refuse the packets instead, write `type`: `blackhole`, `unreachable` or `prohibit`"));
    }
    match onlink {
        Some(place) if via.is_none() || dev.is_none() => {
            Err(Diagnostic::error(place, "`onlink` needs `via` and `dev`")
                .label("it says that this gateway is on that link, whatever the addresses say"))
        }
        _ => Ok(()),
    }
}

fn need_up(node: &Draft, dev: InterfaceId, place: Span) -> Result<(), Diagnostic> {
    let interface = &node.interfaces[dev];
    if interface.up {
        return Ok(());
    }
    Err(Diagnostic::error(place, format!("`{}` is down, and the kernel takes no route over it", *interface.name))
        .label("a route needs an interface that is up")
        .related(interface.name.span, "this interface"))
}

/// The kernel takes a gateway only where a route says that it is on a link of an interface that is up.
fn check_gateway(node: &Draft, via: Spanned<IpAddr>, dev: Option<InterfaceId>, onlink: bool) -> Result<(), Diagnostic> {
    let name = &node.name;
    if node.owns(via.value) {
        return Err(Diagnostic::error(via.span, format!("the gateway {} is `{}` itself", via.value, **name))
            .label("a gateway is another node"));
    }
    if is_link_local(via.value) && dev.is_none() {
        return Err(
            Diagnostic::error(via.span, "a link-local gateway needs `dev`").label("every link has this network")
        );
    }
    let ways = || node.interfaces.iter().enumerate().filter(|(at, _)| dev.is_none_or(|dev| dev == *at));
    let by_route = node.routes.iter().any(|route| {
        route.via.is_none()
            && route.dev.is_some_and(|at| dev.is_none_or(|dev| dev == at))
            && route.to.contains(via.value)
    });
    if onlink || by_route || ways().any(|(_, interface)| interface.up && interface.reaches(via.value)) {
        return Ok(());
    }
    if let Some((_, down)) = ways().find(|(_, interface)| interface.reaches(via.value)) {
        return Err(Diagnostic::error(
            via.span,
            format!("gateway {} is on the link of `{}`, which is down", via.value, *down.name),
        )
        .label("a route needs an interface that is up")
        .related(down.name.span, "this interface"));
    }
    let networks: Vec<String> = ways()
        .flat_map(|(_, interface)| {
            interface.addresses.iter().map(|cidr| format!("{} ({})", cidr.network(), *interface.name))
        })
        .collect();
    let place = match dev {
        Some(dev) => format!("not on the link of `{}`", *node.interfaces[dev].name),
        None => format!("on no link of `{}`", **name),
    };
    let wrong = Diagnostic::error(via.span, format!("gateway {} is {place}", via.value));
    Err(if networks.is_empty() {
        let place = dev.map_or(name, |dev| &node.interfaces[dev].name);
        wrong.label(format!("`{}` has no address", **place))
    } else {
        wrong.label("in none of its networks").note(format!("its networks are {}", networks.join(", ")))
    })
}

/// The interface on whose link the kernel finds a gateway: of several ways the longest prefix, then the first.
fn link_to(node: &Draft, via: IpAddr) -> Option<InterfaceId> {
    let up = node.interfaces.iter().enumerate().filter(|(_, interface)| interface.up);
    let connected = up.flat_map(|(at, interface)| interface.addresses.iter().map(move |cidr| (cidr.value, at)));
    let listed = node.routes.iter().filter(|route| route.via.is_none()).filter_map(|it| Some((it.to, it.dev?)));
    let ways = connected.chain(listed).filter(|(prefix, _)| prefix.contains(via));
    ways.min_by_key(|(prefix, _)| std::cmp::Reverse(prefix.length)).map(|(_, at)| at)
}

/// That an address stands where one of the node's own is meant.
pub(super) fn not_an_address_of(node: &Draft, address: Spanned<IpAddr>, label: &str) -> Diagnostic {
    let wrong =
        Diagnostic::error(address.span, format!("`{}` has no address {}", *node.name, address.value)).label(label);
    let own: Vec<String> =
        node.addresses().map(|(at, cidr)| format!("{} ({})", cidr.address, *node.interfaces[at].name)).collect();
    match &*own {
        [] => wrong.note(format!("`{}` has no address at all", *node.name)),
        own => wrong.note(format!("its addresses are {}", own.join(", "))),
    }
}

/// The metric that a route gets: without one, or with 0, IPv4 takes 0 and IPv6 1024 (`IP6_RT_PRIO_USER` in
/// `linux/ipv6_route.h`).
pub(super) fn metric(route: &Route) -> u32 {
    match (Family::of(route.to.address), route.metric) {
        (Family::Ipv4, metric) => metric.unwrap_or(0),
        (Family::Ipv6, None | Some(0)) => 1024,
        (Family::Ipv6, Some(metric)) => metric,
    }
}

/// The kernel refuses a second route of the same prefix and metric.
fn refuse_twice(node: &Draft, route: &Route) -> Result<(), Diagnostic> {
    let ours = metric(route);
    if let Some(first) = node.routes.iter().find(|other| other.to == route.to && metric(other) == ours) {
        return Err(Diagnostic::error(route.span, format!("a second route to {} with metric {ours}", route.to))
            .label("the kernel takes one")
            .related(first.span, "the first")
            .help("give them different metrics: the smaller one wins"));
    }
    let own = node.interfaces.iter().filter(|interface| interface.up).flat_map(|interface| &interface.addresses);
    let own = own.filter(|cidr| cidr.address.is_ipv4() && cidr.length < 32).find(|cidr| cidr.network() == route.to);
    match own {
        Some(address) if ours == 0 => {
            Err(Diagnostic::error(route.span, format!("there is a route to {} already", route.to))
                .label("the kernel takes no second one with metric 0")
                .related(address.span, "made by the kernel for this address")
                .help("leave it out, or give it a metric"))
        }
        _ => Ok(()),
    }
}
