//! Interfaces, with what they are connected to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{
    BridgePortState, InfoBridge, InfoBridgePort, InfoData, InfoMacVlan, InfoPortData, InfoVlan, InfoVxlan,
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode, VxlanDf,
};

use super::ends::Ends;
use super::limit::Limit;
use crate::evidence::{Address, BridgePort, Interface, PortState, Tunnel};
use crate::lab::state::{cidr_of, mac_of, name_of, peer_index};
use crate::lab::{KernelError, Lab};
use crate::plan::{NodeId, Plan};
use crate::words::MacvlanMode;

/// These interfaces of a node.
pub(super) async fn interfaces(
    plan: &Plan,
    lab: &Lab,
    id: NodeId,
    links: Vec<&LinkMessage>,
    limit: &mut Limit<'_>,
) -> Result<Vec<Interface>, KernelError> {
    let addresses = lab.node(id).netlink.addresses().await?;
    let mut by_interface: BTreeMap<u32, Vec<Address>> = BTreeMap::new();
    for message in limit.keep(addresses, "addresses") {
        by_interface.entry(message.header.index).or_default().extend(address(&message));
    }
    let mut ends = Ends::of(plan, lab, id);
    let mut found = Vec::with_capacity(links.len());
    for link in links {
        let mut interface = interface(link);
        interface.addresses = by_interface.remove(&interface.index).unwrap_or_default();
        interface.link = match far(link) {
            Some(index) => {
                let pair = interface.kind.as_deref() == Some("veth");
                ends.find(interface.index, index, namespace(link), pair).await?
            }
            None => None,
        };
        found.push(interface);
    }
    Ok(found)
}

/// An interface by what its own message says.
fn interface(link: &LinkMessage) -> Interface {
    let flags = link.header.flags;
    let mut interface = Interface {
        index: link.header.index,
        name: name_of(link).to_owned(),
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        noarp: flags.contains(LinkFlags::Noarp),
        ..Interface::default()
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            LinkAttribute::Address(bytes) if !flags.contains(LinkFlags::Loopback) => interface.mac = mac_of(bytes),
            LinkAttribute::Controller(index) => interface.master = Some(*index),
            LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|info| adopt(&mut interface, info)),
            _ => {}
        }
    }
    interface
}

fn adopt(interface: &mut Interface, info: &LinkInfo) {
    match info {
        LinkInfo::Kind(kind) => interface.kind = Some(kind.to_string()),
        LinkInfo::Data(InfoData::Vlan(infos)) => {
            interface.vlan = infos.iter().find_map(|info| match info {
                InfoVlan::Id(id) => Some(*id),
                _ => None,
            });
        }
        LinkInfo::Data(InfoData::MacVlan(infos)) => {
            interface.macvlan = infos.iter().find_map(|info| match info {
                InfoMacVlan::Mode(MacVlanMode::Bridge) => Some(MacvlanMode::Bridge),
                InfoMacVlan::Mode(MacVlanMode::Private) => Some(MacvlanMode::Private),
                InfoMacVlan::Mode(MacVlanMode::Vepa) => Some(MacvlanMode::Vepa),
                _ => None,
            });
        }
        LinkInfo::Data(InfoData::Vxlan(infos)) => interface.tunnel = Some(tunnel(infos)),
        LinkInfo::Data(InfoData::Bridge(infos)) => {
            interface.vlan_filtering = infos.contains(&InfoBridge::VlanFiltering(true));
        }
        LinkInfo::PortData(InfoPortData::BridgePort(infos)) => interface.port = Some(port(infos)),
        _ => {}
    }
}

fn tunnel(infos: &[InfoVxlan]) -> Tunnel {
    let mut tunnel = Tunnel::default();
    for info in infos {
        match info {
            InfoVxlan::Id(id) => tunnel.id = *id,
            InfoVxlan::Port(port) => tunnel.port = *port,
            InfoVxlan::Local(address) => tunnel.local = Some((*address).into()),
            InfoVxlan::Local6(address) => tunnel.local = Some((*address).into()),
            InfoVxlan::Group(address) => tunnel.remote = Some((*address).into()),
            InfoVxlan::Group6(address) => tunnel.remote = Some((*address).into()),
            InfoVxlan::Df(df) => tunnel.whole = *df == VxlanDf::Set,
            _ => {}
        }
    }
    let said = |address: &IpAddr| !address.is_unspecified();
    Tunnel { local: tunnel.local.filter(said), remote: tunnel.remote.filter(said), ..tunnel }
}

/// A port of a bridge. What an older kernel does not say is as it was before there was a choice.
fn port(infos: &[InfoBridgePort]) -> BridgePort {
    let mut port = BridgePort { state: PortState::Disabled, ..BridgePort::default() };
    for info in infos {
        match info {
            InfoBridgePort::State(state) => port.state = port_state(*state),
            InfoBridgePort::Isolated(isolated) => port.isolated = *isolated,
            InfoBridgePort::UnicastFlood(floods) => port.floods = *floods,
            InfoBridgePort::MulticastFlood(floods) => port.floods_groups = *floods,
            InfoBridgePort::BroadcastFlood(floods) => port.floods_broadcasts = *floods,
            InfoBridgePort::Learning(learns) => port.learns = *learns,
            InfoBridgePort::Locked(locked) => port.locked = *locked,
            _ => {}
        }
    }
    port
}

fn port_state(state: BridgePortState) -> PortState {
    match state {
        BridgePortState::Listening => PortState::Listening,
        BridgePortState::Learning => PortState::Learning,
        BridgePortState::Forwarding => PortState::Forwarding,
        BridgePortState::Blocking => PortState::Blocking,
        _ => PortState::Disabled,
    }
}

/// The index of the other end of a veth pair, or of what carries an interface. A tunnel says the latter among its own
/// attributes.
fn far(link: &LinkMessage) -> Option<u32> {
    let infos = link.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    for info in infos.flatten() {
        if let LinkInfo::Data(InfoData::Vxlan(infos)) = info {
            return infos.iter().find_map(|info| match info {
                InfoVxlan::Link(index) if *index != 0 => Some(*index),
                _ => None,
            });
        }
    }
    peer_index(link)
}

/// The identity of the namespace of the other end, if that is another.
fn namespace(link: &LinkMessage) -> Option<i32> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkNetNsId(id) => Some(*id),
        _ => None,
    })
}

fn address(message: &AddressMessage) -> Option<Address> {
    // The header has the first eight flags only.
    let short = AddressFlags::from_bits_retain(message.header.flags.bits().into());
    let flags = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    let flags = flags.unwrap_or(short);
    Some(Address {
        cidr: cidr_of(message)?,
        tentative: flags.contains(AddressFlags::Tentative),
        duplicate: flags.contains(AddressFlags::Dadfailed),
    })
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::address::AddressHeaderFlags;
    use rtnetlink::packet_route::link::InfoKind;

    use super::*;

    fn read(infos: Vec<LinkInfo>) -> Interface {
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::LinkInfo(infos)];
        interface(&message)
    }

    #[test]
    fn a_bridge_and_its_ports_are_read() {
        let bridge = |filters| {
            let data = InfoData::Bridge(vec![InfoBridge::VlanFiltering(filters)]);
            read(vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(data)])
        };
        assert!(bridge(true).vlan_filtering && !bridge(false).vlan_filtering);
        let infos = vec![
            InfoBridgePort::State(BridgePortState::Blocking),
            InfoBridgePort::Isolated(true),
            InfoBridgePort::UnicastFlood(false),
            InfoBridgePort::MulticastFlood(false),
            InfoBridgePort::BroadcastFlood(false),
            InfoBridgePort::Learning(false),
            InfoBridgePort::Locked(true),
        ];
        let port = read(vec![LinkInfo::PortData(InfoPortData::BridgePort(infos))]).port;
        let expected = BridgePort {
            state: PortState::Blocking,
            isolated: true,
            floods: false,
            floods_groups: false,
            floods_broadcasts: false,
            learns: false,
            locked: true,
        };
        assert_eq!(port, Some(expected));
    }

    #[test]
    fn what_carries_an_interface_is_read() {
        let mut vlan = LinkMessage::default();
        let data = InfoData::Vlan(vec![InfoVlan::Id(7)]);
        vlan.attributes = vec![LinkAttribute::Link(3), LinkAttribute::LinkInfo(vec![LinkInfo::Data(data)])];
        assert_eq!((interface(&vlan).vlan, far(&vlan)), (Some(7), Some(3)));
        // A tunnel that nothing carries has its own index there.
        let mut tunnel = LinkMessage::default();
        let data = InfoData::Vxlan(vec![InfoVxlan::Id(42), InfoVxlan::Link(0)]);
        tunnel.attributes = vec![LinkAttribute::Link(9), LinkAttribute::LinkInfo(vec![LinkInfo::Data(data)])];
        assert_eq!(interface(&tunnel).tunnel.map(|tunnel| tunnel.id), Some(42));
        assert_eq!(far(&tunnel), None);
    }

    #[test]
    fn a_macvlan_says_whom_it_reaches() {
        let mode = |mode| read(vec![LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)]))]).macvlan;
        assert_eq!(mode(MacVlanMode::Private), Some(MacvlanMode::Private));
        assert_eq!(mode(MacVlanMode::Vepa), Some(MacvlanMode::Vepa));
        assert_eq!(mode(MacVlanMode::Bridge), Some(MacvlanMode::Bridge));
        assert_eq!(mode(MacVlanMode::Source), None);
    }

    #[test]
    fn an_address_says_whether_it_is_in_use() {
        let mut message = AddressMessage::default();
        message.attributes = vec![AddressAttribute::Address("fd00::1".parse().expect("an address"))];
        let flags = |message: &AddressMessage| address(message).map(|it| (it.tentative, it.duplicate));
        assert_eq!(flags(&message), Some((false, false)));
        message.header.flags = AddressHeaderFlags::Tentative;
        assert_eq!(flags(&message), Some((true, false)));
        let long = AddressFlags::Tentative | AddressFlags::Dadfailed | AddressFlags::Noprefixroute;
        message.attributes.push(AddressAttribute::Flags(long));
        assert_eq!(flags(&message), Some((true, true)));
    }
}
