//! What a lab asks of the kernel, one method per request, named `verb_noun`.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkMessage};
use rtnetlink::packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use rtnetlink::packet_route::neighbour_table::{
    NeighbourTableAttribute, NeighbourTableMessage, NeighbourTableParameter,
};
use rtnetlink::packet_route::route::{RouteMessage, RouteProtocol, RouteType as KernelRouteType};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::Netlink;
use super::parameters::neighbour_parameter;
use crate::lab::KernelError;
use crate::lab::sysctl::NEIGHBOUR_BASELINE;
use crate::namespace::Namespace;
use crate::plan::{Interface, Route};
use crate::words::{Admin, Cidr, Family, Mac, RouteType};

/// Flags of a request that makes something new: that it is there already is a mistake of the plan, never swallowed.
pub(super) const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// One end of a veth pair to be made.
pub(in crate::lab) struct VethEnd<'a> {
    pub(in crate::lab) interface: &'a Interface,
    pub(in crate::lab) index: u32,
    pub(in crate::lab) master: Option<u32>,
}

impl Netlink {
    /// Makes a veth pair with both ends in place, in one request: moving a device afterwards costs 40 ms. A first end
    /// with a master is up at once; the second is always down (its peer's message cannot carry "up": ENOTCONN).
    pub(in crate::lab) async fn add_veth(
        &self,
        first: VethEnd<'_>,
        second: VethEnd<'_>,
        second_namespace: &Namespace,
    ) -> Result<(), KernelError> {
        let peer = describe_link(LinkUnspec::new_with_name(&second.interface.name), second.interface, second.index)
            .setns_by_fd(second_namespace.as_fd().as_raw_fd())
            .build();
        let mut builder = describe_link(LinkVeth::new(&first.interface.name, ""), first.interface, first.index)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
        if let Some(master) = first.master {
            builder = builder.controller(master);
            if first.interface.up {
                builder = builder.up();
            }
        }
        self.ask(RouteNetlinkMessage::NewLink(builder.build()), CREATE, || {
            format!("ip link add {} type veth peer name {}", first.interface.name, second.interface.name)
        })
        .await
    }

    /// Makes an interface a port of a bridge, or of none.
    pub(in crate::lab) async fn set_master(
        &self,
        index: u32,
        master: Option<u32>,
        name: &str,
    ) -> Result<(), KernelError> {
        let change = LinkUnspec::new_with_index(index);
        match master {
            Some(master) => self.change_link(change.controller(master), || format!("ip link set {name} master")).await,
            None => self.change_link(change.nocontroller(), || format!("ip link set {name} nomaster")).await,
        }
    }

    /// Takes an interface up or down.
    pub(in crate::lab) async fn set_admin(&self, index: u32, admin: Admin, name: &str) -> Result<(), KernelError> {
        let change = LinkUnspec::new_with_index(index);
        let change = match admin {
            Admin::Up => change.up(),
            Admin::Down => change.down(),
        };
        self.change_link(change, || format!("ip link set {name} {admin}")).await
    }

    /// Gives an interface another name.
    pub(in crate::lab) async fn set_name(&self, index: u32, name: &str, new: &str) -> Result<(), KernelError> {
        let change = LinkUnspec::new_with_index(index).name(new);
        self.change_link(change, || format!("ip link set {name} name {new}")).await
    }

    /// Changes an interface's largest packet.
    pub(in crate::lab) async fn set_mtu(&self, index: u32, mtu: u32, name: &str) -> Result<(), KernelError> {
        let change = LinkUnspec::new_with_index(index).mtu(mtu);
        self.change_link(change, || format!("ip link set {name} mtu {mtu}")).await
    }

    /// Changes an interface's MAC address.
    pub(in crate::lab) async fn set_mac(&self, index: u32, mac: Mac, name: &str) -> Result<(), KernelError> {
        let change = LinkUnspec::new_with_index(index).address(mac.0.to_vec());
        self.change_link(change, || format!("ip link set {name} address {mac}")).await
    }

    /// Moves an interface to another namespace.
    pub(in crate::lab) async fn set_namespace(
        &self,
        index: u32,
        namespace: &Namespace,
        name: &str,
    ) -> Result<(), KernelError> {
        let change = LinkUnspec::new_with_index(index).setns_by_fd(namespace.as_fd().as_raw_fd());
        self.change_link(change, || format!("ip link set {name} netns")).await
    }

    async fn change_link(
        &self,
        change: LinkMessageBuilder<LinkUnspec>,
        operation: impl FnOnce() -> String,
    ) -> Result<(), KernelError> {
        self.ask(RouteNetlinkMessage::SetLink(change.build()), 0, operation).await
    }

    /// Deletes an interface.
    pub(in crate::lab) async fn del_link(&self, index: u32, name: &str) -> Result<(), KernelError> {
        let message = LinkUnspec::new_with_index(index).build();
        self.ask(RouteNetlinkMessage::DelLink(message), 0, || format!("ip link del {name}")).await
    }

    /// Deletes an address.
    pub(in crate::lab) async fn del_address(&self, index: u32, cidr: Cidr, name: &str) -> Result<(), KernelError> {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.prefix_len = cidr.length;
        message.header.family = family(cidr.address);
        message.attributes = vec![AddressAttribute::Local(cidr.address), AddressAttribute::Address(cidr.address)];
        self.ask(RouteNetlinkMessage::DelAddress(message), 0, || format!("ip address del {cidr} dev {name}")).await
    }

    /// Adds an address. IPv6 ones are usable at once: duplicate address detection would take seconds (`nodad`).
    pub(in crate::lab) async fn add_address(&self, index: u32, cidr: Cidr, name: &str) -> Result<(), KernelError> {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.prefix_len = cidr.length;
        message.header.family = family(cidr.address);
        message.attributes = vec![AddressAttribute::Local(cidr.address), AddressAttribute::Address(cidr.address)];
        match cidr.address {
            IpAddr::V4(address) if cidr.length < 31 => {
                let host = u32::MAX >> cidr.length;
                message.attributes.push(AddressAttribute::Broadcast((u32::from(address) | host).into()));
            }
            IpAddr::V4(_) => {}
            IpAddr::V6(_) => {
                message.header.flags = AddressHeaderFlags::Nodad;
                message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
            }
        }
        self.ask(RouteNetlinkMessage::NewAddress(message), CREATE, || format!("ip address add {cidr} dev {name}")).await
    }

    /// Adds a route to the main table.
    pub(in crate::lab) async fn add_route(&self, route: &Route, dev: Option<(u32, &str)>) -> Result<(), KernelError> {
        let message = describe_route(route, dev)?;
        self.ask(RouteNetlinkMessage::NewRoute(message), CREATE, || route_words("add", route, dev)).await
    }

    /// Deletes a route of the main table: the first that has everything that is said.
    pub(in crate::lab) async fn del_route(&self, route: &Route, dev: Option<(u32, &str)>) -> Result<(), KernelError> {
        let mut message = describe_route(route, dev)?;
        // Who made it, how far it reaches, and mostly its type, is not said: any will do.
        message.header.protocol = RouteProtocol::Unspec;
        message.header.scope = rtnetlink::packet_route::route::RouteScope::NoWhere;
        if route.kind == RouteType::Unicast {
            message.header.kind = KernelRouteType::Unspec;
        }
        self.ask(RouteNetlinkMessage::DelRoute(message), 0, || route_words("del", route, dev)).await
    }

    /// Sets all of an interface's [`NEIGHBOUR_BASELINE`].
    pub(in crate::lab) async fn set_neighbour_parameters(&self, table: Family, index: u32) -> Result<(), KernelError> {
        let (family, name) = match table {
            Family::Ipv4 => (AddressFamily::Inet, "arp_cache"),
            Family::Ipv6 => (AddressFamily::Inet6, "ndisc_cache"),
        };
        let mut parameters = vec![NeighbourTableParameter::Ifindex(index)];
        parameters.extend(NEIGHBOUR_BASELINE.iter().filter_map(|(setting, ipv4, ipv6)| {
            let value = if table == Family::Ipv4 { *ipv4 } else { *ipv6 };
            neighbour_parameter(setting, value)
        }));
        let mut message = NeighbourTableMessage::default();
        message.header.family = family;
        message.attributes =
            vec![NeighbourTableAttribute::Name(name.to_owned()), NeighbourTableAttribute::Parms(parameters)];
        self.ask(RouteNetlinkMessage::SetNeighbourTable(message), 0, || format!("ip ntable change name {name}")).await
    }

    /// Every interface.
    pub(in crate::lab) async fn links(&self) -> Result<Vec<LinkMessage>, KernelError> {
        let answers = self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), "ip link show").await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })
            .collect())
    }

    /// One interface. Unlike a dump, asking for one makes the kernel (6.5 and later) carry out a pending change of its
    /// carrier first, without which its state is not known yet and what it sends is dropped.
    pub(in crate::lab) async fn link(&self, index: u32) -> Result<Option<LinkMessage>, KernelError> {
        let message = LinkUnspec::new_with_index(index).build();
        match self.get(RouteNetlinkMessage::GetLink(message), || format!("ip link show (index {index})")).await {
            Ok(Some(RouteNetlinkMessage::NewLink(link))) => Ok(Some(link)),
            Ok(_) => Ok(None),
            Err(error) if error.errno == libc::ENODEV => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every address.
    pub(in crate::lab) async fn addresses(&self) -> Result<Vec<AddressMessage>, KernelError> {
        let answers = self.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()), "ip address show").await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewAddress(address) => Some(address),
                _ => None,
            })
            .collect())
    }

    /// Every route of one family, of every table.
    pub(in crate::lab) async fn routes(&self, table: Family) -> Result<Vec<RouteMessage>, KernelError> {
        let mut message = RouteMessage::default();
        message.header.address_family = match table {
            Family::Ipv4 => AddressFamily::Inet,
            Family::Ipv6 => AddressFamily::Inet6,
        };
        let answers = self.dump(RouteNetlinkMessage::GetRoute(message), "ip route show").await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(route) => Some(route),
                _ => None,
            })
            .collect())
    }

    /// The route that a packet of this node to an address would take.
    pub(in crate::lab) async fn route_to(&self, address: IpAddr) -> Result<Option<RouteMessage>, KernelError> {
        let length = if address.is_ipv4() { 32 } else { 128 };
        let mut message = RouteMessageBuilder::<IpAddr>::new()
            .destination_prefix(address, length)
            .map_err(|error| KernelError::broken(format!("ip route get {address}"), error.to_string()))?
            .build();
        // A lookup names no table, protocol, scope or type: strict checking refuses what the builder fills in.
        message.header.table = 0;
        message.header.protocol = RouteProtocol::Unspec;
        message.header.scope = rtnetlink::packet_route::route::RouteScope::Universe;
        message.header.kind = KernelRouteType::Unspec;
        let answer = self.get(RouteNetlinkMessage::GetRoute(message), || format!("ip route get {address}")).await?;
        Ok(match answer {
            Some(RouteNetlinkMessage::NewRoute(route)) => Some(route),
            _ => None,
        })
    }

    /// Every neighbour of both families.
    pub(in crate::lab) async fn neighbours(&self) -> Result<Vec<NeighbourMessage>, KernelError> {
        let answers =
            self.dump(RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()), "ip neighbour show").await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewNeighbour(neighbour) => Some(neighbour),
                _ => None,
            })
            .collect())
    }

    /// Every entry of the forwarding tables of all bridges.
    pub(in crate::lab) async fn forwarding(&self) -> Result<Vec<NeighbourMessage>, KernelError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        let answers = self.dump(RouteNetlinkMessage::GetNeighbour(message), "bridge fdb show").await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewNeighbour(entry) => Some(entry),
                _ => None,
            })
            .collect())
    }

    /// Deletes a neighbour. That it is gone already is what was wanted.
    pub(in crate::lab) async fn delete_neighbour(&self, entry: &NeighbourMessage) -> Result<(), KernelError> {
        let mut message = NeighbourMessage::default();
        message.header.family = entry.header.family;
        message.header.ifindex = entry.header.ifindex;
        message.header.state = NeighbourState::None;
        message.attributes = entry
            .attributes
            .iter()
            .filter(|attribute| matches!(attribute, NeighbourAttribute::Destination(_)))
            .cloned()
            .collect();
        match self.ask(RouteNetlinkMessage::DelNeighbour(message), 0, || "ip neighbour delete".to_owned()).await {
            Err(error) if error.errno == libc::ENOENT => Ok(()),
            other => other,
        }
    }

    /// The kernel's neighbour tables: settings, and counters over the whole machine.
    pub(in crate::lab) async fn neighbour_tables(&self) -> Result<Vec<NeighbourTableMessage>, KernelError> {
        let message = NeighbourTableMessage::default();
        let answers = self.dump(RouteNetlinkMessage::GetNeighbourTable(message), "ip ntable show").await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewNeighbourTable(table) => Some(table),
                _ => None,
            })
            .collect())
    }
}

/// The attributes that every kind of interface has.
pub(super) fn describe_link<T>(
    builder: LinkMessageBuilder<T>,
    interface: &Interface,
    index: u32,
) -> LinkMessageBuilder<T> {
    let mut builder = builder.name(interface.name.clone()).index(index);
    if let Some(Mac(mac)) = interface.mac {
        builder = builder.address(mac.to_vec());
    }
    if let Some(mtu) = interface.mtu {
        builder = builder.mtu(mtu);
    }
    builder
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn describe_route(route: &Route, dev: Option<(u32, &str)>) -> Result<RouteMessage, KernelError> {
    let broken =
        |error: &dyn std::fmt::Display| KernelError::broken(format!("ip route {}", route.to), error.to_string());
    let mut builder = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(route.to.address, route.to.length)
        .map_err(|error| broken(&error))?
        .protocol(RouteProtocol::Static)
        .kind(match route.kind {
            RouteType::Unicast => KernelRouteType::Unicast,
            RouteType::Blackhole => KernelRouteType::BlackHole,
            RouteType::Unreachable => KernelRouteType::Unreachable,
            RouteType::Prohibit => KernelRouteType::Prohibit,
        });
    if let Some(via) = route.via {
        builder = builder.gateway(via).map_err(|error| broken(&error))?;
    } else if route.kind == RouteType::Unicast && route.to.address.is_ipv4() {
        builder = builder.scope(rtnetlink::packet_route::route::RouteScope::Link);
    }
    if let Some(src) = route.src {
        builder = builder.pref_source(src).map_err(|error| broken(&error))?;
    }
    if let Some((index, _)) = dev {
        builder = builder.output_interface(index);
    }
    if let Some(metric) = route.metric {
        builder = builder.priority(metric);
    }
    if route.onlink {
        builder = builder.onlink();
    }
    Ok(builder.build())
}

fn route_words(verb: &str, route: &Route, dev: Option<(u32, &str)>) -> String {
    let kind = if route.kind == RouteType::Unicast { String::new() } else { format!("{} ", route.kind) };
    let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
    let dev = dev.map(|(_, name)| format!(" dev {name}")).unwrap_or_default();
    format!("ip route {verb} {kind}{}{via}{dev}", route.to)
}
