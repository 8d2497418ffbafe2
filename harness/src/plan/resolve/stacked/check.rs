//! What the kernel refuses of interfaces that stand on others.

use super::Places;
use crate::diagnostic::Diagnostic;
use crate::plan::resolve::lab::Lab;
use crate::plan::{End, InterfaceKind};
use crate::source::Span;
use crate::words::Family;

/// That two interfaces stand on each other.
pub(super) fn circle(lab: &Lab, end: End, dev: Span) -> Diagnostic {
    let name = &*lab.at(end).name;
    Diagnostic::error(dev, format!("`{name}` stands on itself"))
        .label(format!("what this names stands on `{name}`"))
        .note("an interface stands on its `dev`, and a bridge on its ports")
}

/// What is wrong with an interface beside others.
pub(super) fn beside(lab: &Lab, end: End, places: Places, others: &[End]) -> Option<Diagnostic> {
    match lab.at(end).kind.as_ref()? {
        InterfaceKind::Vlan { dev, id } => {
            let same = InterfaceKind::Vlan { dev: *dev, id: *id };
            let first = others.iter().find(|other| lab.at(**other).kind.as_ref() == Some(&same))?;
            let message = format!("`{}` has a VLAN with the id {id} already", lab.end_name(*dev));
            Some(again(lab, *first, Diagnostic::error(places.id, message).label("the same id again")))
        }
        InterfaceKind::Vxlan(vxlan) => {
            let family = |remotes: &[std::net::IpAddr]| remotes.first().map(|address| Family::of(*address));
            let first = others.iter().filter(|other| other.node == end.node).find(|other| {
                matches!(&lab.at(**other).kind, Some(InterfaceKind::Vxlan(other))
                    if (other.id, other.port, family(&other.remotes)) == (vxlan.id, vxlan.port, family(&vxlan.remotes)))
            })?;
            let node = &lab.nodes[end.node].name;
            let message = format!("`{}` has a VXLAN with the id {} on port {} already", **node, vxlan.id, vxlan.port);
            let wrong = Diagnostic::error(places.id, message).label("what arrives could be for either");
            Some(again(lab, *first, wrong).help("several machines on one overlay are several `remote` of one VXLAN"))
        }
        InterfaceKind::Macvlan { dev, .. } => {
            let Some(bridge) = lab.at(*dev).master else {
                return same_mac(lab, end, lab.at(end).mac?.span, others);
            };
            let bridge = lab.nodes[dev.node].interfaces[bridge].name.value.clone();
            Some(taken_by_bridge(lab, *dev, end, &bridge, places.dev))
        }
        InterfaceKind::Loopback
        | InterfaceKind::Veth { .. }
        | InterfaceKind::Bridge
        | InterfaceKind::Dummy
        | InterfaceKind::Found => None,
    }
}

/// That two macvlans of one `dev`, or one and its `dev`, are to have one MAC address: frames for it could be for either.
pub(in crate::plan::resolve) fn same_mac(lab: &Lab, end: End, place: Span, others: &[End]) -> Option<Diagnostic> {
    let mac = lab.at(end).mac?.value;
    let dev_of = |end: End| match lab.at(end).kind {
        Some(InterfaceKind::Macvlan { dev, .. }) => Some(dev),
        _ => None,
    };
    let beside = |other: End| match (dev_of(end), dev_of(other)) {
        (Some(dev), other_dev) => other_dev == Some(dev) || other == dev,
        (None, dev) => dev == Some(end),
    };
    let first = others.iter().find(|other| beside(**other) && lab.at(**other).mac.is_some_and(|it| it.value == mac))?;
    let name = lab.end_name(*first);
    let wrong = Diagnostic::error(place, format!("`{name}` has the MAC address {mac} already"));
    Some(again(lab, *first, wrong.label("on one link a macvlan needs one of its own")))
}

fn again(lab: &Lab, first: End, wrong: Diagnostic) -> Diagnostic {
    wrong.related(lab.at(first).name.span, "this one")
}

fn taken_by_bridge(lab: &Lab, dev: End, macvlan: End, bridge: &str, place: Span) -> Diagnostic {
    let (dev, macvlan) = (&*lab.at(dev).name, &*lab.at(macvlan).name);
    Diagnostic::error(place, format!("`{dev}` cannot be both a port of `{bridge}` and the `dev` of `{macvlan}`"))
        .label("the kernel gives what arrives there to one of them")
        .help(format!("let `{macvlan}` stand on the bridge: `dev = \"{bridge}\"`"))
}

/// What is wrong with making an interface a port of a bridge.
pub(in crate::plan::resolve) fn check_port(lab: &Lab, port: End, bridge: End, place: Span) -> Option<Diagnostic> {
    let name = &*lab.at(bridge).name;
    if lab.stands_on(port, bridge) {
        let port = &*lab.at(port).name;
        return Some(
            Diagnostic::error(place, format!("`{port}` cannot be a port of `{name}`"))
                .label(format!("`{port}` stands on `{name}` itself")),
        );
    }
    let macvlan = |end: &&End| matches!(lab.at(**end).kind, Some(InterfaceKind::Macvlan { .. }));
    let carried = lab.carried_by(port);
    let macvlan = carried.iter().find(macvlan)?;
    Some(taken_by_bridge(lab, port, *macvlan, name, place))
}

/// What is wrong with the largest packet of an interface; with that of a step, if it says one.
pub(in crate::plan::resolve) fn check_mtu_of(
    lab: &Lab,
    end: End,
    new: Option<crate::source::Spanned<u32>>,
) -> Option<Diagnostic> {
    let (mtu, room) = (new.or(lab.at(end).mtu)?, lab.room(end)?);
    let kind = lab.at(end).kind.as_ref()?;
    let dev = kind.dev()?;
    let (name, below) = (&*lab.at(end).name, &*lab.at(dev).name);
    (mtu.value > room).then(|| {
        let wrong = Diagnostic::error(mtu.span, format!("`{name}` cannot carry packets of {} bytes", mtu.value));
        wrong.label(match kind {
            InterfaceKind::Vxlan(vxlan) => {
                format!("at most {room}: `{below}` has {}, and {} are for the tunnel", lab.mtu(dev), vxlan.overhead())
            }
            _ => format!("at most {room}, as `{below}` has"),
        })
    })
}

/// What is wrong with a VLAN of the topology that is up.
pub(super) fn up(lab: &Lab, end: End) -> Option<Diagnostic> {
    let interface = lab.at(end);
    if interface.up { check_up(lab, end, interface.name.span) } else { None }
}

/// What is wrong with taking an interface up: a VLAN is not without what carries it.
pub(in crate::plan::resolve) fn check_up(lab: &Lab, end: End, place: Span) -> Option<Diagnostic> {
    let Some(InterfaceKind::Vlan { dev, .. }) = lab.at(end).kind else { return None };
    (!lab.at(dev).up).then(|| {
        let (name, dev) = (&*lab.at(end).name, lab.at(dev));
        Diagnostic::error(place, format!("the VLAN `{name}` cannot be up while `{}` is down", *dev.name))
            .label("write `up = false` here too, or take its `dev` up")
            .related(dev.name.span, "its `dev`")
    })
}
