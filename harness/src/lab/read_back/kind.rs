//! Whether an interface is what was asked for.

use std::net::IpAddr;

use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoVlan, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage,
};

use crate::lab::netlink::macvlan_mode;
use crate::plan::{Interface, InterfaceKind, Plan, Vxlan};

/// What is different of the kind of an interface, and of what it says of itself.
pub(super) fn difference(plan: &Plan, name: &str, interface: &Interface, infos: &[LinkInfo]) -> Vec<String> {
    let wanted = match &interface.kind {
        InterfaceKind::Loopback => return Vec::new(),
        InterfaceKind::Veth { .. } => InfoKind::Veth,
        InterfaceKind::Bridge => InfoKind::Bridge,
        InterfaceKind::Vxlan(_) => InfoKind::Vxlan,
        InterfaceKind::Vlan { .. } => InfoKind::Vlan,
        InterfaceKind::Macvlan { .. } => InfoKind::MacVlan,
        InterfaceKind::Dummy => InfoKind::Dummy,
    };
    let mut differences = Vec::new();
    for info in infos {
        match info {
            LinkInfo::Kind(found) if *found != wanted => {
                differences.push(format!("{name} is of the kind {found}, asked for {wanted}"));
            }
            LinkInfo::Data(data) => differences.extend(data_difference(plan, name, &interface.kind, data)),
            _ => {}
        }
    }
    differences
}

fn data_difference(plan: &Plan, name: &str, kind: &InterfaceKind, data: &InfoData) -> Option<String> {
    match (kind, data) {
        (InterfaceKind::Vlan { dev: _, id }, InfoData::Vlan(infos)) if !infos.contains(&InfoVlan::Id(*id)) => {
            Some(format!("{name} has not the VLAN id {id}"))
        }
        (InterfaceKind::Macvlan { dev: _, mode }, InfoData::MacVlan(infos)) => {
            let wanted = macvlan_mode(*mode);
            (!infos.contains(&InfoMacVlan::Mode(wanted))).then(|| format!("{name} has not the mode {mode}"))
        }
        (InterfaceKind::Vxlan(vxlan), InfoData::Vxlan(infos)) => {
            let wanted = vxlan_infos(plan, vxlan);
            let missing: Vec<String> =
                wanted.iter().filter(|info| !infos.contains(info)).map(|info| format!("{info:?}")).collect();
            (!missing.is_empty()).then(|| format!("{name} has not {}", missing.join(", ")))
        }
        _ => None,
    }
}

/// What the kernel says of a VXLAN as it was asked for.
fn vxlan_infos(plan: &Plan, vxlan: &Vxlan) -> Vec<InfoVxlan> {
    let mut infos = vec![InfoVxlan::Id(vxlan.id), InfoVxlan::Port(vxlan.port), InfoVxlan::Learning(vxlan.learning)];
    infos.extend(vxlan.dev.map(|dev| InfoVxlan::Link(plan.index(dev))));
    infos.extend(vxlan.local.map(|local| match local {
        IpAddr::V4(address) => InfoVxlan::Local(address),
        IpAddr::V6(address) => InfoVxlan::Local6(address),
    }));
    infos.extend(vxlan.remotes.first().map(|remote| match remote {
        IpAddr::V4(address) => InfoVxlan::Group(*address),
        IpAddr::V6(address) => InfoVxlan::Group6(*address),
    }));
    infos
}

/// Whether a VLAN or a macvlan is carried by another interface than was asked for. Every index of a lab is there once,
/// in whatever node.
pub(super) fn dev_difference(plan: &Plan, name: &str, interface: &Interface, link: &LinkMessage) -> Option<String> {
    let (InterfaceKind::Vlan { dev, .. } | InterfaceKind::Macvlan { dev, .. }) = interface.kind else { return None };
    let wanted = plan.index(dev);
    let found = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    });
    (found != Some(wanted))
        .then(|| format!("{name} stands on interface {found:?}, asked for {} ({wanted})", plan.end_name(dev)))
}
