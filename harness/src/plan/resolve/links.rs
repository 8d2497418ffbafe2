//! Cables and bridges: every interface gets to know what it is, and what is at its other end.

use std::collections::HashSet;

use super::lab::{DraftInterface, Lab};
use super::names;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{End, InterfaceKind};
use crate::source::{Span, Spanned};

/// How many ports a bridge has at most: `BR_MAX_PORTS` of the kernel's `net/bridge/br_private.h`, but number 0.
const MOST_PORTS: usize = 1023;

/// Plugs in every cable, then every port, and complains about interfaces that are left.
pub(super) fn plug(lab: &mut Lab, out: &mut Diagnostics) {
    let dangling = plug_cables(lab, out);
    plug_ports(lab, out);
    find_loose_ends(lab, &dangling, out);
}

/// Gives the interface names that a wrong `peer` may have meant.
fn plug_cables(lab: &mut Lab, out: &mut Diagnostics) -> HashSet<String> {
    let cables: Vec<(End, Spanned<String>)> =
        lab.ends().filter_map(|end| lab.at(end).peer.clone().map(|peer| (end, peer))).collect();
    let mut dangling = HashSet::new();
    for (near, peer) in cables {
        let plugged = far_end(lab, near, &peer).and_then(|far| plug_cable(lab, near, far, &peer));
        if let Err(wrong) = plugged {
            out.push(wrong);
            lab.nodes[near.node].sound = false;
            lab.at_mut(near).sound = false;
            dangling.insert(peer.split_once('.').map_or(&**peer, |(_, name)| name).to_owned());
        }
    }
    dangling
}

/// The other end of a cable; it is made where its node does not declare it.
fn far_end(lab: &mut Lab, near: End, peer: &Spanned<String>) -> Result<End, Diagnostic> {
    let Some((node_name, name)) = peer.split_once('.') else {
        return Err(no_interface(lab, peer));
    };
    let node = lab.machine(node_name, peer.part(0..node_name.len()))?;
    let place = peer.part(node_name.len() + 1..peer.len());
    if let Some(interface) = lab.nodes[node].interface(name) {
        return Ok(End { node, interface });
    }
    if let Some(wrong) = names::check_interface(name, place) {
        return Err(wrong);
    }
    let mut made = DraftInterface::new(Spanned::new(name.to_owned(), peer.span), None);
    made.sound = lab.at(near).sound;
    Ok(End { node, interface: lab.nodes[node].add(made) })
}

/// That a `peer` names no interface.
fn no_interface(lab: &mut Lab, peer: &Spanned<String>) -> Diagnostic {
    let Some(node) = lab.find(peer).filter(|node| !lab.nodes[*node].switch) else {
        return Diagnostic::error(peer.span, format!("`{}` is not an interface of a node", **peer))
            .label("the other end is written `NODE.INTERFACE`");
    };
    let node = &mut lab.nodes[node];
    // One of its loose ends is meant, and there is no use in complaining of it too.
    let mut meant = None;
    for interface in node.interfaces.iter_mut().filter(|interface| interface.is_unknown()) {
        interface.sound = false;
        meant = meant.or(Some(interface.name.value.clone()));
    }
    let meant = meant.unwrap_or_else(|| "eth0".to_owned());
    Diagnostic::error(peer.span, format!("`{}` is a node, and a cable ends in one of its interfaces", **peer))
        .label(format!("`{}.{meant}`?", **peer))
}

fn plug_cable(lab: &mut Lab, near: End, far: End, peer: &Spanned<String>) -> Result<(), Diagnostic> {
    let (near_name, far_name) = (lab.end_name(near), lab.end_name(far));
    if near == far {
        return Err(Diagnostic::error(peer.span, format!("`{near_name}` cannot be its own other end"))
            .label("a veth has two ends"));
    }
    let (near_kind, far_kind) = (lab.at(near).kind.clone(), lab.at(far).kind.clone());
    if near_kind == Some(InterfaceKind::Veth { peer: far }) {
        return Ok(());
    }
    if let Some(above) = &lab.at(far).above {
        return Err(not_an_end(lab, far, above.word(), peer));
    }
    if let Some(InterfaceKind::Veth { peer: other }) = near_kind {
        return Err(taken(lab, &near_name, other, peer));
    }
    match far_kind {
        None | Some(InterfaceKind::Found) => {
            lab.at_mut(near).kind = Some(InterfaceKind::Veth { peer: far });
            lab.at_mut(far).kind = Some(InterfaceKind::Veth { peer: near });
            Ok(())
        }
        Some(InterfaceKind::Veth { peer: other }) => Err(taken(lab, &far_name, other, peer)),
        Some(InterfaceKind::Bridge) => {
            let (near_node, far_node) = (&lab.nodes[near.node].name, &lab.nodes[far.node].name);
            let bridge = &lab.at(far).name;
            Err(Diagnostic::error(peer.span, format!("`{far_name}` is a bridge, not the end of a veth"))
                .label("a cable ends in a port of a bridge")
                .related(bridge.span, "a bridge here")
                .help(format!(
                    "write `peer = \"{0}.veth-{1}\"` here, and `veth-{1}` among the `ports` of `{2}`",
                    **far_node, **near_node, **bridge
                )))
        }
        Some(InterfaceKind::Loopback) => Err(Diagnostic::error(peer.span, "`lo` cannot be the end of a veth")
            .label("every node's `lo` ends in the node itself")),
        Some(
            kind @ (InterfaceKind::Vxlan(_)
            | InterfaceKind::Vlan { .. }
            | InterfaceKind::Macvlan { .. }
            | InterfaceKind::Dummy),
        ) => Err(not_an_end(lab, far, kind.word(), peer)),
    }
}

/// That a `peer` names an interface of a kind that no cable ends in.
fn not_an_end(lab: &Lab, far: End, kind: &str, peer: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(peer.span, format!("`{}` is a {kind}, not the end of a veth", lab.end_name(far)))
        .label("a cable ends in an interface of its own")
        .related(lab.at(far).name.span, format!("a {kind} here"))
}

/// That an interface has another end than the one a `peer` says.
fn taken(lab: &Lab, name: &str, other: End, peer: &Spanned<String>) -> Diagnostic {
    let wrong = Diagnostic::error(peer.span, format!("`{name}` is already the other end of `{}`", lab.end_name(other)))
        .label("a veth has two ends");
    match lab.at(other).peer.as_ref() {
        Some(first) if first.span != peer.span => wrong.related(first.span, "plugged in here"),
        _ => wrong.related(lab.at(other).name.span, "this interface"),
    }
}

fn plug_ports(lab: &mut Lab, out: &mut Diagnostics) {
    for bridge in lab.ends().collect::<Vec<_>>() {
        let ports = std::mem::take(&mut lab.at_mut(bridge).ports);
        out.extend(too_many_ports(&lab.end_name(bridge), "ports", ports.iter().map(|port| port.span)));
        for port in ports {
            if let Err(wrong) = plug_port(lab, bridge, &port) {
                out.extend(wrong);
                lab.nodes[bridge.node].sound = false;
            }
        }
    }
}

/// Makes an interface a port; the error is empty where all was said before.
/// Complains about the first port that the kernel does not take; `what` is what the case calls them.
pub(super) fn too_many_ports(
    bridge: &str,
    what: &str,
    ports: impl ExactSizeIterator<Item = Span>,
) -> Option<Diagnostic> {
    let message = format!("`{bridge}` has {} {what}", ports.len());
    let first = ports.into_iter().nth(MOST_PORTS)?;
    Some(
        Diagnostic::error(first, message)
            .label(format!("the kernel takes {MOST_PORTS} in a bridge"))
            .help("two bridges can be joined by a veth with one end in each"),
    )
}

fn plug_port(lab: &mut Lab, bridge: End, port: &Spanned<String>) -> Result<(), Option<Diagnostic>> {
    let node = &lab.nodes[bridge.node];
    let name = lab.at(bridge).name.value.clone();
    let wrong = |message: String, label: &str| Diagnostic::error(port.span, message).label(label);
    let Some(interface) = node.interface(port) else {
        let candidates = node.interface_names().filter(|other| *other != name && *other != "lo");
        return Err(node.sound.then(|| {
            wrong(
                format!("`{}` has no interface `{}`", *node.name, **port),
                &crate::diagnostic::suggest(port, candidates),
            )
            .help(format!(
                "a port is an interface of the same node: declare it, or name `{}.{}` as the `peer` of a veth",
                *node.name, **port
            ))
        }));
    };
    let end = End { node: bridge.node, interface };
    match &lab.at(end).kind {
        Some(InterfaceKind::Loopback) => {
            return Err(Some(wrong("`lo` cannot be a port of a bridge".into(), "an end of a veth is expected")));
        }
        Some(InterfaceKind::Bridge) => {
            return Err(Some(
                wrong(format!("the bridge `{}` cannot be a port of a bridge", **port), "an end of a veth is expected")
                    .help("join two bridges by a veth with one end in each"),
            ));
        }
        Some(
            InterfaceKind::Veth { .. }
            | InterfaceKind::Vxlan(_)
            | InterfaceKind::Vlan { .. }
            | InterfaceKind::Macvlan { .. }
            | InterfaceKind::Dummy
            | InterfaceKind::Found,
        )
        | None => {}
    }
    match lab.at(end).master {
        Some(first) if first == bridge.interface => {
            Err(Some(wrong(format!("`{}` stands twice among the ports of `{name}`", **port), "the same port again")))
        }
        Some(first) => {
            let first = &lab.nodes[bridge.node].interfaces[first].name;
            Err(Some(
                wrong(
                    format!("`{}` is a port of `{}` already", **port, **first),
                    "an interface is a port of one bridge",
                )
                .related(first.span, "the other bridge"),
            ))
        }
        None => {
            lab.at_mut(end).master = Some(bridge.interface);
            Ok(())
        }
    }
}

/// Complains about interfaces that are of no kind, nor an end of a veth.
fn find_loose_ends(lab: &mut Lab, dangling: &HashSet<String>, out: &mut Diagnostics) {
    // The cable that ends here may stand in an interface that could not be read.
    let unread = lab.ends().map(|end| lab.at(end)).any(|interface| !interface.sound && interface.is_unknown());
    for end in lab.ends().collect::<Vec<_>>() {
        let interface = lab.at(end);
        if interface.kind.is_some() || interface.above.is_some() {
            continue;
        }
        if !unread && interface.sound && !dangling.contains(interface.name.as_str()) {
            out.push(loose_end(lab, end));
        }
        lab.nodes[end.node].sound = false;
    }
}

fn loose_end(lab: &Lab, end: End) -> Diagnostic {
    let name = lab.end_name(end);
    let wrong = Diagnostic::error(lab.at(end).name.span, format!("`{name}` has no other end"))
        .label("it says no kind, and is not the `peer` of a veth");
    // An end that some `peer` made by a slip of the pen is the likely reason.
    let made = lab.nodes[end.node].interfaces.iter().find(|other| {
        other.span == other.name.span
            && other.peer.is_none()
            && matches!(other.kind, Some(InterfaceKind::Veth { peer }) if lab.at(peer).peer.as_ref().is_some_and(|peer| peer.span == other.span))
            && strsim::damerau_levenshtein(&other.name, &lab.at(end).name) <= 2
    });
    match made {
        Some(made) => wrong.related(made.span, format!("did you mean `{name}` here?")),
        None => wrong.help(format!(
            "write `veth = {{ peer = \"NODE.INTERFACE\" }}` here, or `peer = \"{name}\"` at another node's interface"
        )),
    }
}
