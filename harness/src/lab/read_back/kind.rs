//! Whether an interface is what was asked for.

use std::net::IpAddr;

use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoMacVlan, InfoVlan, InfoVxlan, LinkAttribute, LinkInfo};

use crate::lab::netlink::macvlan_mode;
use crate::plan::{InterfaceKind, Place, Vxlan};

/// What is different of the kind of an interface, and of what it says of itself; `dev` is what carries it.
pub(super) fn difference(name: &str, kind: &InterfaceKind, dev: Option<&Place>, infos: &[LinkInfo]) -> Vec<String> {
    let wanted = match kind {
        InterfaceKind::Loopback | InterfaceKind::Found => return Vec::new(),
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
            LinkInfo::Data(data) => differences.extend(data_difference(name, kind, dev, data)),
            _ => {}
        }
    }
    differences
}

fn data_difference(name: &str, kind: &InterfaceKind, dev: Option<&Place>, data: &InfoData) -> Option<String> {
    match (kind, data) {
        (InterfaceKind::Vlan { dev: _, id }, InfoData::Vlan(infos)) if !infos.contains(&InfoVlan::Id(*id)) => {
            Some(format!("{name} has not the VLAN id {id}"))
        }
        (InterfaceKind::Macvlan { dev: _, mode }, InfoData::MacVlan(infos)) => {
            let wanted = macvlan_mode(*mode);
            (!infos.contains(&InfoMacVlan::Mode(wanted))).then(|| format!("{name} has not the mode {mode}"))
        }
        (InterfaceKind::Vxlan(vxlan), InfoData::Vxlan(infos)) => {
            let wanted = vxlan_infos(vxlan, dev);
            let missing: Vec<String> =
                wanted.iter().filter(|info| !infos.contains(info)).map(|info| format!("{info:?}")).collect();
            (!missing.is_empty()).then(|| format!("{name} has not {}", missing.join(", ")))
        }
        _ => None,
    }
}

/// What the kernel says of a VXLAN as it was asked for.
fn vxlan_infos(vxlan: &Vxlan, dev: Option<&Place>) -> Vec<InfoVxlan> {
    let mut infos = vec![InfoVxlan::Id(vxlan.id), InfoVxlan::Port(vxlan.port), InfoVxlan::Learning(vxlan.learning)];
    infos.extend(dev.map(|dev| InfoVxlan::Link(dev.index)));
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
pub(super) fn dev_difference(
    name: &str,
    kind: &InterfaceKind,
    dev: Option<&Place>,
    attributes: &[LinkAttribute],
) -> Option<String> {
    let dev = dev.filter(|_| matches!(kind, InterfaceKind::Vlan { .. } | InterfaceKind::Macvlan { .. }))?;
    let found = attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    });
    (found != Some(dev.index))
        .then(|| format!("{name} stands on interface {found:?}, asked for {} ({})", dev.name, dev.index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::End;
    use crate::words::MacvlanMode;

    const DEV: End = End { node: 0, interface: 1 };

    fn place() -> Place {
        Place { node: 0, index: 7, name: "eth0".to_owned() }
    }

    fn vxlan() -> InterfaceKind {
        let address = |text: &str| text.parse().expect("an address");
        InterfaceKind::Vxlan(Vxlan {
            id: 42,
            port: 4789,
            dev: Some(DEV),
            local: Some(address("10.0.0.1")),
            remotes: vec![address("10.0.0.2"), address("10.0.0.3")],
            learning: true,
        })
    }

    #[test]
    fn every_attribute_of_a_vxlan_is_compared() {
        let right = || {
            vec![
                InfoVxlan::Id(42),
                InfoVxlan::Port(4789),
                InfoVxlan::Learning(true),
                InfoVxlan::Link(7),
                InfoVxlan::Local([10, 0, 0, 1].into()),
                InfoVxlan::Group([10, 0, 0, 2].into()),
            ]
        };
        let said = |infos: Vec<InfoVxlan>| {
            let infos = [LinkInfo::Kind(InfoKind::Vxlan), LinkInfo::Data(InfoData::Vxlan(infos))];
            difference("a.vx", &vxlan(), Some(&place()), &infos)
        };
        assert_eq!(said(right()), [""; 0]);
        for at in 0..right().len() {
            let mut infos = right();
            let gone = infos.remove(at);
            assert_eq!(said(infos), [format!("a.vx has not {gone:?}")]);
        }
    }

    #[test]
    fn ids_modes_kinds_and_what_carries_them_are_compared() {
        let vlan = InterfaceKind::Vlan { dev: DEV, id: 5 };
        let macvlan = InterfaceKind::Macvlan { dev: DEV, mode: MacvlanMode::Private };
        let of_vlan = |id| LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id)]));
        let of_macvlan = |mode| LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(macvlan_mode(mode))]));
        for (kind, info, expected) in [
            (&vlan, of_vlan(5), None),
            (&vlan, of_vlan(6), Some("a.x has not the VLAN id 5")),
            (&vlan, LinkInfo::Kind(InfoKind::MacVlan), Some("a.x is of the kind macvlan, asked for vlan")),
            (&macvlan, of_macvlan(MacvlanMode::Private), None),
            (&macvlan, of_macvlan(MacvlanMode::Bridge), Some("a.x has not the mode private")),
            (&InterfaceKind::Dummy, LinkInfo::Kind(InfoKind::Veth), Some("a.x is of the kind veth, asked for dummy")),
        ] {
            let said = difference("a.x", kind, Some(&place()), &[info]);
            assert_eq!(said.first().map(String::as_str), expected);
        }
        for kind in [&vlan, &macvlan] {
            let said = |index| dev_difference("a.x", kind, Some(&place()), &[LinkAttribute::Link(index)]);
            assert_eq!(said(7), None);
            assert_eq!(said(8).as_deref(), Some("a.x stands on interface Some(8), asked for eth0 (7)"));
        }
    }
}
