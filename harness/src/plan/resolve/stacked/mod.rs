//! Interfaces that stand on others: VXLANs, VLANs and macvlans.
//!
//! What they stand on may be an interface that a network gives, and where a VXLAN ends an address that a network gives,
//! so they are looked up when everything else of the topology is there.

mod check;
mod lab;
#[cfg(test)]
mod tests;
mod vxlan;
mod warn;

use std::collections::BTreeSet;

use super::checker::Checker;
use super::lab::Lab;
use crate::case::link::{Macvlan, Vlan, Vxlan};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{End, InterfaceKind, NodeId};
use crate::source::{Span, Spanned};
use crate::words::MacvlanMode;

pub(super) use check::{check_mtu_of, check_port, check_up, same_mac};
pub(super) use lab::USUAL_MTU;
pub(super) use vxlan::port_holder;

/// An interface that stands on another, as written.
#[derive(Clone)]
pub(super) enum Above {
    Vxlan(Vxlan),
    Vlan(Vlan),
    Macvlan(Macvlan),
}

impl Above {
    /// The one that is said, if any.
    pub(super) fn of(vxlan: Option<Vxlan>, vlan: Option<Vlan>, macvlan: Option<Macvlan>) -> Option<Self> {
        vxlan.map(Self::Vxlan).or(vlan.map(Self::Vlan)).or(macvlan.map(Self::Macvlan))
    }

    /// Its kind, as `ip link` calls it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Vxlan(_) => "vxlan",
            Self::Vlan(_) => "vlan",
            Self::Macvlan(_) => "macvlan",
        }
    }

    /// Where it says its `id`, its `dev` and its `remote`; the whole table where it says none.
    fn places(&self) -> Places {
        match self {
            Self::Vxlan(vxlan) => Places {
                id: vxlan.id.span,
                dev: vxlan.dev.as_ref().map_or(vxlan.span, |dev| dev.span),
                remote: vxlan.remote.span,
            },
            Self::Vlan(vlan) => Places { id: vlan.id.span, dev: vlan.dev.span, remote: vlan.span },
            Self::Macvlan(macvlan) => Places { id: macvlan.span, dev: macvlan.dev.span, remote: macvlan.span },
        }
    }
}

/// Where what may be wrong is written.
#[derive(Clone, Copy)]
struct Places {
    id: Span,
    dev: Span,
    remote: Span,
}

/// Looks up what every such interface of the topology stands on.
pub(super) fn lay(lab: &mut Lab, out: &mut Diagnostics) {
    let (mut standing, mut unknown) = (Vec::new(), Vec::new());
    for end in lab.ends().collect::<Vec<_>>() {
        let Some(above) = lab.at(end).above.clone() else { continue };
        let name = lab.at(end).name.clone();
        match kind(lab, end.node, &name, &above, out) {
            Some(kind) => {
                lab.at_mut(end).kind = Some(kind);
                standing.push((end, above.places()));
            }
            None => unknown.push(end),
        }
        lab.at_mut(end).above = None;
    }
    for end in unknown {
        lab.nodes[end.node].sound = false;
    }
    let circles: Vec<(End, Places)> = standing.iter().copied().filter(|(end, _)| lab.stands_on(*end, *end)).collect();
    for (at, (end, places)) in circles.iter().enumerate() {
        // Each circle is told once.
        if !circles[..at].iter().any(|(told, _)| lab.stands_on(*told, *end) && lab.stands_on(*end, *told)) {
            out.push(check::circle(lab, *end, places.dev));
        }
    }
    // Without a kind nobody goes round in it.
    for (end, _) in &circles {
        lab.at_mut(*end).kind = None;
        lab.nodes[end.node].sound = false;
    }
    for (at, (end, places)) in standing.iter().enumerate() {
        let before: Vec<End> = standing[..at].iter().map(|(end, _)| *end).collect();
        finish(lab, *end, *places, &before, out);
    }
    for (end, _) in &standing {
        out.extend(check::up(lab, *end));
    }
    warn::look(lab, &standing, out);
}

/// Looks up what an interface made by a step stands on; it is not in the lab yet.
pub(super) fn kind(
    lab: &Lab,
    node: NodeId,
    name: &Spanned<String>,
    above: &Above,
    out: &mut Diagnostics,
) -> Option<InterfaceKind> {
    match above {
        Above::Vlan(Vlan { dev, id, span: _, sound: _ }) => {
            let id = id.value.u16();
            own_dev(lab, node, name, dev, "VLAN", out).map(|dev| InterfaceKind::Vlan { dev, id })
        }
        Above::Macvlan(Macvlan { dev, mode, span: _, sound: _ }) => {
            let mode = mode.map_or(MacvlanMode::Bridge, |mode| mode.value);
            let dev = match lab.nodes[node].interface(dev) {
                None if dev.contains('.') => {
                    let captured = &BTreeSet::new();
                    Checker { lab, services: &[], captured, out, sound: true }.end(dev)
                }
                _ => own_dev(lab, node, name, dev, "macvlan", out),
            }?;
            carries(lab, name, dev, above, out).then_some(InterfaceKind::Macvlan { dev, mode })
        }
        Above::Vxlan(written) => {
            let dev = match &written.dev {
                Some(dev) => Some(own_dev(lab, node, name, dev, "VXLAN", out)?),
                None => None,
            };
            vxlan::resolve(lab, node, written, dev, out).map(InterfaceKind::Vxlan)
        }
    }
}

/// The interface of the same node that a `dev` names.
fn own_dev(
    lab: &Lab,
    node: NodeId,
    name: &Spanned<String>,
    dev: &Spanned<String>,
    what: &str,
    out: &mut Diagnostics,
) -> Option<End> {
    let draft = &lab.nodes[node];
    match draft.interface(dev) {
        Some(0) => {
            let wrong = Diagnostic::error(dev.span, format!("`lo` carries no {what}"));
            out.push(wrong.label("every node's `lo` ends in the node itself"));
            None
        }
        Some(at) if *draft.interfaces[at].name == **name => {
            let wrong = Diagnostic::error(dev.span, format!("`{}` cannot stand on itself", **name));
            out.push(wrong.label("another interface of the node is expected"));
            None
        }
        Some(interface) => Some(End { node, interface }),
        None => {
            let elsewhere = dev.split_once('.').and_then(|(other, _)| lab.find(other));
            match elsewhere {
                Some(other) if other == node => {
                    let inner = &dev[draft.name.len() + 1..];
                    let wrong = Diagnostic::error(dev.span, "`dev` is the name of an interface, without its node");
                    out.push(wrong.label(format!("did you mean `{inner}`?")));
                }
                Some(_) => {
                    let wrong = Diagnostic::error(dev.span, format!("a {what} is made where its `dev` is"));
                    out.push(
                        wrong
                            .label(format!("not an interface of `{}`", *draft.name))
                            .help("make it there; in a step, `link-set` with `node` moves it afterwards"),
                    );
                }
                None if draft.sound => out.push(draft.unknown_interface(dev, dev.span)),
                None => {}
            }
            None
        }
    }
}

/// Whether an interface can carry a macvlan.
fn carries(lab: &Lab, name: &Spanned<String>, dev: End, above: &Above, out: &mut Diagnostics) -> bool {
    let place = above.places().dev;
    if dev.interface == 0 {
        let wrong = Diagnostic::error(place, "`lo` carries no macvlan");
        out.push(wrong.label("every node's `lo` ends in the node itself"));
        return false;
    }
    let carrier = lab.at(dev);
    let below = match (&carrier.kind, &carrier.above) {
        (Some(InterfaceKind::Macvlan { dev, .. }), _) => lab.at(*dev).name.value.clone(),
        (_, Some(Above::Macvlan(below))) => below.dev.value.clone(),
        _ => return true,
    };
    let wrong = Diagnostic::error(place, format!("`{}` is a macvlan itself", *carrier.name));
    out.push(
        wrong
            .label(format!("did you mean its `dev`, `{below}`?"))
            .note(format!("the kernel makes `{}` a sibling of it, not something that stands on it", **name)),
    );
    false
}

/// Checks an interface against those that were there before it, and gives it the largest packet that it has.
fn finish(lab: &mut Lab, end: End, places: Places, before: &[End], out: &mut Diagnostics) {
    let said = check::beside(lab, end, places, before);
    out.extend(said);
    out.extend(check_mtu_of(lab, end, None));
    lab.inherit_mtu(end);
    if lab.at(end).sound {
        super::nodes::check_mtu(lab.at(end), out);
    }
}

/// Checks an interface that a step has just put into the lab.
pub(super) fn settle(lab: &mut Lab, end: End, above: &Above, out: &mut Diagnostics) {
    let before: Vec<End> = lab.ends().filter(|other| *other != end).collect();
    finish(lab, end, above.places(), &before, out);
}
