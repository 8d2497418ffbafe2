//! Making interfaces that have one end.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use rtnetlink::packet_core::NLM_F_CREATE;
use rtnetlink::packet_route::link::{LinkMessage, MacVlanMode};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{LinkBridge, LinkDummy, LinkMacVlan, LinkMessageBuilder, LinkVlan, LinkVxlan};

use super::Netlink;
use super::verbs::{CREATE, describe_link};
use crate::lab::KernelError;
use crate::namespace::Namespace;
use crate::plan::{InterfaceKind, Made, Vxlan};
use crate::words::MacvlanMode;

/// `NLM_F_APPEND` of linux/netlink.h: one more of what is there.
const APPEND: u16 = 0x800;

/// The address that stands for every other one in the table of a VXLAN.
const ANYBODY: [u8; 6] = [0; 6];

impl Netlink {
    /// Makes an interface, still down, here or in another namespace. What carries it is one of this socket's namespace.
    pub(in crate::lab) async fn add_link(&self, made: &Made, elsewhere: Option<&Namespace>) -> Result<(), KernelError> {
        let name = &made.interface.name;
        let kind = &made.interface.kind;
        let words = || format!("ip link add {name} type {}", kind.word());
        let dev = || match &made.dev {
            Some(dev) => Ok(dev.index),
            None => Err(KernelError::broken(words(), "nothing carries it")),
        };
        let message = match kind {
            InterfaceKind::Bridge => describe(LinkBridge::new(name), made, elsewhere),
            InterfaceKind::Dummy => describe(LinkDummy::new(name), made, elsewhere),
            InterfaceKind::Vlan { dev: _, id } => describe(LinkVlan::new(name, dev()?, *id), made, elsewhere),
            InterfaceKind::Macvlan { dev: _, mode } => {
                describe(LinkMacVlan::new(name, dev()?, macvlan_mode(*mode)), made, elsewhere)
            }
            InterfaceKind::Vxlan(vxlan) => {
                let dev = made.dev.as_ref().map(|dev| dev.index);
                describe(describe_vxlan(name, vxlan, dev), made, elsewhere)
            }
            InterfaceKind::Loopback | InterfaceKind::Veth { .. } | InterfaceKind::Found => {
                return Err(KernelError::broken(words(), "it has no single end"));
            }
        };
        self.ask(RouteNetlinkMessage::NewLink(message), CREATE, words).await?;
        if let InterfaceKind::Vxlan(vxlan) = kind {
            for remote in vxlan.remotes.iter().skip(1) {
                self.add_remote(made.interface.index, *remote, name).await?;
            }
        }
        Ok(())
    }

    /// Has a VXLAN send to one more machine what is not known to be behind one of them.
    async fn add_remote(&self, index: u32, remote: IpAddr, name: &str) -> Result<(), KernelError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = index;
        message.header.state = NeighbourState::Permanent;
        message.header.flags = NeighbourFlags::Own;
        message.attributes = vec![
            NeighbourAttribute::LinkLayerAddress(ANYBODY.to_vec()),
            NeighbourAttribute::Destination(NeighbourAddress::from(remote)),
        ];
        self.ask(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | APPEND, || {
            format!("bridge fdb append 00:00:00:00:00:00 dev {name} dst {remote}")
        })
        .await
    }

    /// Where a VXLAN sends what is not known to be behind one of its remotes.
    pub(in crate::lab) async fn remotes(&self, index: u32) -> Result<Vec<IpAddr>, KernelError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        let answers = self.dump(RouteNetlinkMessage::GetNeighbour(message), "bridge fdb show").await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewNeighbour(entry) if entry.header.ifindex == index => Some(entry),
                _ => None,
            })
            .filter(|entry| entry.attributes.contains(&NeighbourAttribute::LinkLayerAddress(ANYBODY.to_vec())))
            .filter_map(|entry| entry.attributes.iter().find_map(destination))
            .collect())
    }
}

fn describe<T>(builder: LinkMessageBuilder<T>, made: &Made, elsewhere: Option<&Namespace>) -> LinkMessage {
    let mut builder = describe_link(builder.down(), &made.interface, made.interface.index);
    if let Some(master) = &made.master {
        builder = builder.controller(master.index);
    }
    if let Some(namespace) = elsewhere {
        builder = builder.setns_by_fd(namespace.as_fd().as_raw_fd());
    }
    builder.build()
}

fn describe_vxlan(name: &str, vxlan: &Vxlan, dev: Option<u32>) -> LinkMessageBuilder<LinkVxlan> {
    let mut builder = LinkVxlan::new(name, vxlan.id).port(vxlan.port).learning(vxlan.learning);
    if let Some(index) = dev {
        builder = builder.dev(index);
    }
    builder = match vxlan.local {
        Some(IpAddr::V4(local)) => builder.local(local),
        Some(IpAddr::V6(local)) => builder.local6(local),
        None => builder,
    };
    match vxlan.remotes.first() {
        Some(IpAddr::V4(remote)) => builder.remote(*remote),
        Some(IpAddr::V6(remote)) => builder.remote6(*remote),
        None => builder,
    }
}

/// A mode in the kernel's words.
pub(in crate::lab) fn macvlan_mode(mode: MacvlanMode) -> MacVlanMode {
    match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
    }
}

/// The address of an entry; in a bridge's table the family is not said, and the length tells.
fn destination(attribute: &NeighbourAttribute) -> Option<IpAddr> {
    let NeighbourAttribute::Destination(address) = attribute else { return None };
    match address {
        NeighbourAddress::Inet(address) => Some((*address).into()),
        NeighbourAddress::Inet6(address) => Some((*address).into()),
        NeighbourAddress::Other(bytes) => <[u8; 4]>::try_from(&**bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(&**bytes).map(IpAddr::from))
            .ok(),
        _ => None,
    }
}
