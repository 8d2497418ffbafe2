//! Where a VXLAN begins and ends.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Above;
use crate::case::Template;
use crate::case::link::Vxlan as Written;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::resolve::aims::Aim;
use crate::plan::resolve::checker::Checker;
use crate::plan::resolve::lab::{DraftInterface, Lab, is_link_local};
use crate::plan::resolve::routes::not_an_address_of;
use crate::plan::resolve::targets::Goal;
use crate::plan::{End, InterfaceId, InterfaceKind, NodeId, Vxlan};
use crate::source::{Span, Spanned};
use crate::words::{Family, Port, Transport};

/// The port of RFC 7348.
const PORT: u16 = 4789;

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// Looks up the ends of a VXLAN.
pub(super) fn resolve(
    lab: &Lab,
    node: NodeId,
    written: &Written,
    dev: Option<End>,
    out: &mut Diagnostics,
) -> Option<Vxlan> {
    let Written { id, remote, local, dev: _, port, learning, span: _, sound: _ } = written;
    let before = out.errors();
    let draft = &lab.nodes[node];
    if let Some(local) = local.filter(|local| draft.sound && !draft.open && !draft.owns(local.value)) {
        out.push(not_an_address_of(draft, local, "`local` is an address of the node itself"));
    }
    let nothing = BTreeSet::new();
    let mut checker = Checker { lab, services: &[], captured: &nothing, out, sound: true };
    let mut goals = Vec::new();
    for word in checker.once(remote.items.clone()) {
        if Template::of(&word).is_some() {
            let wrong = Diagnostic::error(word.span, "a captured value cannot be the end of a VXLAN");
            checker.say(wrong.label("an address, a node or `NODE.INTERFACE`"));
            continue;
        }
        let Some(aim) = checker.aim(&word) else { continue };
        if own(lab, node, aim) {
            let wrong = format!("a VXLAN of `{}` cannot end in `{}` itself", *draft.name, *draft.name);
            checker.say(Diagnostic::error(word.span, wrong).label("another machine is expected"));
            continue;
        }
        goals.push(Goal { words: word.value, span: word.span, aim });
    }
    let family = family(&mut checker, node, dev, *local, &goals)?;
    let remotes = addresses(&mut checker, &goals, family, *local);
    (out.errors() == before).then(|| Vxlan {
        id: id.value.0,
        port: port.map_or(PORT, |port| port.value.u16()),
        dev,
        local: local.map(|local| local.value),
        remotes,
        learning: learning.is_none_or(|learning| learning.value),
    })
}

fn own(lab: &Lab, node: NodeId, aim: Aim) -> bool {
    match aim {
        Aim::Address(address) => lab.nodes[node].owns(address),
        Aim::Node(other) => other == node,
        Aim::Interface(end) => end.node == node,
        Aim::Captured => false,
    }
}

/// The family of the packets that carry it: that of an address that is written, or the only one that all ends have.
fn family(
    checker: &mut Checker<'_>,
    node: NodeId,
    dev: Option<End>,
    local: Option<Spanned<IpAddr>>,
    goals: &[Goal],
) -> Option<Family> {
    let said = goals.iter().find_map(|goal| match goal.aim {
        Aim::Address(address) => Some(address),
        Aim::Node(_) | Aim::Interface(_) | Aim::Captured => None,
    });
    if let Some(address) = local.map(|local| local.value).or(said) {
        return Some(Family::of(address));
    }
    let goal = goals.first()?;
    let lab = checker.lab;
    let here = |family| {
        let dev = dev.map(|dev| dev.interface);
        outside(lab, node, family).iter().any(|(at, _)| dev.is_none_or(|dev| dev == *at))
    };
    let there = |goal: &Goal, family| match goal.aim {
        Aim::Address(address) => Family::of(address) == family,
        Aim::Node(node) => !outside(lab, node, family).is_empty(),
        Aim::Interface(end) => lab.nodes[end.node].plain_addresses(family).any(|(at, _)| at == end.interface),
        Aim::Captured => false,
    };
    let common = |family: &Family| here(*family) && goals.iter().all(|goal| there(goal, *family));
    let families: Vec<Family> = FAMILIES.into_iter().filter(common).collect();
    let sound = |node: NodeId| lab.nodes[node].sound;
    let known = sound(node)
        && goals.iter().all(|goal| match goal.aim {
            Aim::Address(_) => true,
            Aim::Node(node) => sound(node),
            Aim::Interface(end) => sound(end.node),
            Aim::Captured => false,
        });
    let open = goals.iter().any(|goal| match goal.aim {
        Aim::Node(node) | Aim::Interface(End { node, .. }) => lab.nodes[node].open,
        Aim::Address(_) | Aim::Captured => false,
    });
    let name = &*lab.nodes[node].name;
    match *families {
        [family] => return Some(family),
        [] if open => checker.say(not_known_yet(goal)),
        [] if known => checker.say(
            Diagnostic::error(goal.span, format!("`{name}` and `{}` have no address family in common", goal.words))
                .label("there is nothing between them to send by")
                .help("give both an address on the link between them"),
        ),
        [_, _, ..] => checker.say(
            Diagnostic::error(goal.span, format!("`{name}` and `{}` have addresses of both families", goal.words))
                .label("which one is to carry the frames?")
                .help("write the address itself, or `local`"),
        ),
        [] => {}
    }
    None
}

/// The addresses of a node that are not addresses of an overlay themselves.
fn outside(lab: &Lab, node: NodeId, family: Family) -> Vec<(InterfaceId, IpAddr)> {
    let addresses = lab.nodes[node].plain_addresses(family);
    addresses.filter(|(interface, _)| !is_overlay(lab, End { node, interface: *interface })).collect()
}

/// Whether an interface is a VXLAN, or a bridge that has one for a port. What it is may not have been looked up yet.
fn is_overlay(lab: &Lab, end: End) -> bool {
    let tunnel = |interface: &DraftInterface| {
        matches!(interface.kind, Some(InterfaceKind::Vxlan(_))) || matches!(interface.above, Some(Above::Vxlan(_)))
    };
    let ports = lab.nodes[end.node].interfaces.iter().filter(|port| port.present);
    tunnel(lab.at(end)) || ports.filter(|port| port.master == Some(end.interface)).any(tunnel)
}

/// The addresses of the other ends.
fn addresses(checker: &mut Checker<'_>, goals: &[Goal], family: Family, local: Option<Spanned<IpAddr>>) -> Vec<IpAddr> {
    let mut found: Vec<(IpAddr, Span)> = Vec::new();
    for goal in goals {
        let address = match goal.aim {
            Aim::Address(address) => literal(checker, goal, address, family, local),
            Aim::Node(node) => {
                let found = outside(checker.lab, node, family);
                only_one(checker, goal, node, None, &found, family)
            }
            Aim::Interface(end) => {
                let addresses = checker.lab.nodes[end.node].plain_addresses(family);
                let found: Vec<_> = addresses.filter(|(at, _)| *at == end.interface).collect();
                only_one(checker, goal, end.node, Some(end.interface), &found, family)
            }
            Aim::Captured => None,
        };
        let Some(address) = address else { continue };
        if let Some((_, first)) = found.iter().find(|(other, _)| *other == address) {
            let wrong = Diagnostic::error(goal.span, format!("{address} stands twice among the remotes"));
            checker.say(wrong.label("the same machine again").related(*first, "first here"));
            continue;
        }
        found.push((address, goal.span));
    }
    found.into_iter().map(|(address, _)| address).collect()
}

/// The only one of the addresses found, or what is wrong with them.
fn only_one(
    checker: &mut Checker<'_>,
    goal: &Goal,
    node: NodeId,
    only: Option<InterfaceId>,
    found: &[(InterfaceId, IpAddr)],
    family: Family,
) -> Option<IpAddr> {
    match found {
        [(_, address)] => Some(*address),
        _ if checker.lab.nodes[node].open => {
            checker.say(not_known_yet(goal));
            None
        }
        _ => checker.in_family(goal, node, only, family).map(|target| target.address),
    }
}

fn not_known_yet(goal: &Goal) -> Diagnostic {
    Diagnostic::error(goal.span, format!("which address `{}` has is not known yet", goal.words))
        .label("a script gives it")
        .help("write the address itself")
}

fn literal(
    checker: &mut Checker<'_>,
    goal: &Goal,
    address: IpAddr,
    family: Family,
    local: Option<Spanned<IpAddr>>,
) -> Option<IpAddr> {
    if is_link_local(address) {
        let wrong = Diagnostic::error(goal.span, format!("{address} is on every link"));
        checker.say(wrong.label("a link-local address does not say which one is meant"));
        return None;
    }
    if Family::of(address) == family {
        return Some(address);
    }
    let label = format!("an {} address", Family::of(address).name());
    let other = format!("an {} address", family.name());
    checker.say(match local {
        Some(local) => Diagnostic::error(goal.span, "`remote` and `local` are of different families")
            .label(label)
            .related(local.span, other),
        None => Diagnostic::error(goal.span, "the remotes are of different families")
            .label(label)
            .help(format!("the first is {other}; make one VXLAN for each family")),
    });
    None
}

/// The VXLAN of a node that listens on a port; one that is down does not.
pub(in crate::plan::resolve) fn port_holder(lab: &Lab, node: NodeId, port: Port) -> Option<&Spanned<String>> {
    if port.transport != Transport::Udp {
        return None;
    }
    let interfaces = lab.nodes[node].interfaces.iter().filter(|interface| interface.up);
    interfaces
        .filter(|interface| matches!(&interface.kind, Some(InterfaceKind::Vxlan(vxlan)) if vxlan.port == port.number))
        .map(|interface| &interface.name)
        .next()
}
