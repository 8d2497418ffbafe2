//! What is possibly meant so: an engineer may want to see a wrong network at work.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

use super::lab::Lab;
use super::networks::Gateway;
use super::stacked::USUAL_MTU;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{End, InterfaceKind, Vxlan};
use crate::source::{Span, Spanned};

/// Warns of doubtful things in the topology.
pub(super) fn look(lab: &Lab, gateways: &[Gateway], out: &mut Diagnostics) {
    for gateway in gateways {
        warn_without_forwarding(lab, gateway, out);
    }
    let addresses = lab
        .ends()
        .flat_map(|end| lab.at(end).addresses.iter().map(move |cidr| (end, Spanned::new(cidr.address, cidr.span))));
    let addresses = addresses.filter(|(_, address)| !super::lab::is_link_local(address.value));
    warn_duplicates(lab, "address", addresses, out);
    warn_duplicates(lab, "MAC address", lab.ends().filter_map(|end| lab.at(end).mac.map(|mac| (end, mac))), out);
    warn_mtu(lab, out);
    warn_loops(lab, out);
}

fn warn_without_forwarding(lab: &Lab, gateway: &Gateway, out: &mut Diagnostics) {
    let Gateway { node, family, network, span } = gateway;
    let node = &lab.nodes[*node];
    if node.whole && !node.forwards(*family) {
        let message = format!("gateway `{}` of network `{network}` does not forward {}", *node.name, family.name());
        out.push(
            Diagnostic::warning(*span, message)
                .label("the members' packets end here")
                .help(format!("write `forwarding = true` under `[nodes.{}]`", *node.name)),
        );
    }
}

fn warn_duplicates<T: Copy + Eq + Hash + Display>(
    lab: &Lab,
    what: &str,
    given: impl Iterator<Item = (End, Spanned<T>)>,
    out: &mut Diagnostics,
) {
    let mut first: HashMap<T, (End, Span)> = HashMap::new();
    for (end, value) in given {
        let Some((holder, place)) = first.get(&value.value) else {
            first.insert(value.value, (end, value.span));
            continue;
        };
        out.push(
            Diagnostic::warning(
                value.span,
                format!("`{}` and `{}` have the same {what}", lab.end_name(*holder), lab.end_name(end)),
            )
            .label(format!("{} again", value.value))
            .related(*place, "first here"),
        );
    }
}

fn warn_mtu(lab: &Lab, out: &mut Diagnostics) {
    for end in lab.ends() {
        let Some(InterfaceKind::Veth { peer }) = lab.at(end).kind else { continue };
        let (here, there) = (lab.at(end).mtu, lab.at(peer).mtu);
        let value = |mtu: Option<Spanned<u32>>| mtu.map_or(USUAL_MTU, |mtu| mtu.value);
        // Each pair once, at the end that says its MTU, the later one if both do.
        let speaks = here.is_some() && (there.is_none() || (peer.node, peer.interface) < (end.node, end.interface));
        let Some(mtu) = here.filter(|_| speaks && value(here) != value(there)) else { continue };
        let (name, other) = (lab.end_name(end), lab.end_name(peer));
        let warning = Diagnostic::warning(
            mtu.span,
            format!("the two ends of a veth have different MTUs: `{name}` and `{other}`"),
        )
        .label(format!("{} here, {} there", value(here), value(there)));
        out.push(match there {
            Some(there) => warning.related(there.span, "the other end"),
            None => warning.note(format!("`{other}` has the usual {USUAL_MTU}")),
        });
    }
}

/// Bridges and what is between them, cables and overlays, are a graph; what joins what is joined already closes a loop.
fn warn_loops(lab: &Lab, out: &mut Diagnostics) {
    let mut group: HashMap<(usize, usize), (usize, usize)> = HashMap::new();
    join_overlays(lab, &mut group);
    for end in lab.ends() {
        let Some(InterfaceKind::Veth { peer }) = lab.at(end).kind else { continue };
        if (peer.node, peer.interface) < (end.node, end.interface) {
            continue;
        }
        let (Some(here), Some(there)) = (lab.at(end).master, lab.at(peer).master) else { continue };
        let (here, there) = (root(&group, (end.node, here)), root(&group, (peer.node, there)));
        if here != there {
            group.insert(here, there);
            continue;
        }
        let declaring = if lab.at(end).peer.is_some() { end } else { peer };
        out.push(
            Diagnostic::warning(
                lab.at(declaring).peer.as_ref().map_or(lab.at(declaring).span, |peer| peer.span),
                format!("`{}` and `{}` close a loop of bridges", lab.end_name(end), lab.end_name(peer)),
            )
            .label("these bridges are joined already")
            .note("without spanning tree a broadcast goes round for ever"),
        );
    }
}

/// Joins the bridges whose VXLANs name each other. A VXLAN passes nothing on that came by a VXLAN, so they make no loop
/// among themselves.
fn join_overlays(lab: &Lab, group: &mut HashMap<(usize, usize), (usize, usize)>) {
    let tunnels: Vec<(End, usize, &Vxlan)> = lab
        .ends()
        .filter_map(|end| match (&lab.at(end).kind, lab.at(end).master) {
            (Some(InterfaceKind::Vxlan(vxlan)), Some(bridge)) => Some((end, bridge, vxlan)),
            _ => None,
        })
        .collect();
    for (end, bridge, vxlan) in &tunnels {
        for (other, far_bridge, far) in &tunnels {
            let same = (vxlan.id, vxlan.port) == (far.id, far.port);
            let named = vxlan.remotes.iter().any(|remote| lab.nodes[other.node].owns(*remote));
            let (here, there) = (root(group, (end.node, *bridge)), root(group, (other.node, *far_bridge)));
            if same && named && here != there {
                group.insert(here, there);
            }
        }
    }
}

fn root(group: &HashMap<(usize, usize), (usize, usize)>, mut bridge: (usize, usize)) -> (usize, usize) {
    while let Some(next) = group.get(&bridge) {
        bridge = *next;
    }
    bridge
}
