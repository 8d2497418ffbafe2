//! Routes.

use std::net::IpAddr;

use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope as KernelScope,
    RouteType as KernelType,
};

use super::link::name_by_index;
use crate::lab::{KernelError, LabNode};
use crate::observation::{LocalRefusal, Route};
use crate::words::{Cidr, Family, RouteKind, RouteProto, RouteScope};

/// The routes of a node's main table, of one family.
///
/// # Errors
///
/// A dump that failed.
pub async fn main_routes(node: &LabNode, family: Family) -> Result<Vec<Route>, KernelError> {
    let links = node.netlink.links().await?;
    let routes = node.netlink.routes(family).await?;
    Ok(routes
        .iter()
        .filter(|route| table(route) == u32::from(RouteHeader::RT_TABLE_MAIN))
        .map(|route| route_of(route, &links))
        .collect())
}

pub(in crate::lab) fn table(route: &RouteMessage) -> u32 {
    route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Table(table) => Some(*table),
            _ => None,
        })
        .unwrap_or_else(|| route.header.table.into())
}

/// The route that a packet of this node would take, or why there is none.
///
/// # Errors
///
/// A request that failed otherwise than by "no route".
pub async fn lookup_route(node: &LabNode, address: IpAddr) -> Result<Result<Route, LocalRefusal>, KernelError> {
    match node.netlink.route_to(address).await {
        Ok(Some(message)) => {
            let links = node.netlink.links().await?;
            Ok(Ok(route_of(&message, &links)))
        }
        Ok(None) => {
            Err(KernelError::broken(format!("ip route get {address}"), "the kernel gave no route and no error"))
        }
        // The kernel answers a lookup with the error that sending would give.
        Err(error) if matches!(error.errno, libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL) => {
            Ok(Err(LocalRefusal { errno: error.errno }))
        }
        Err(error) => Err(error),
    }
}

/// A route in the words of an observation.
pub(in crate::lab) fn route_of(message: &RouteMessage, links: &[LinkMessage]) -> Route {
    let any = |v6: bool| if v6 { IpAddr::from([0_u16; 8]) } else { IpAddr::from([0_u8; 4]) };
    let v6 = message.header.address_family == rtnetlink::packet_route::AddressFamily::Inet6;
    let mut route = Route {
        to: Cidr { address: any(v6), length: message.header.destination_prefix_length },
        via: None,
        dev: None,
        src: None,
        proto: protocol(message.header.protocol),
        scope: scope(message.header.scope),
        kind: kind(message.header.kind),
        metric: 0,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => {
                if let Some(address) = ip(address) {
                    route.to.address = address;
                }
            }
            RouteAttribute::Gateway(address) => route.via = ip(address),
            RouteAttribute::PrefSource(address) => route.src = ip(address),
            RouteAttribute::Oif(index) => route.dev = name_by_index(links, *index),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            _ => {}
        }
    }
    route
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn protocol(protocol: RouteProtocol) -> Option<RouteProto> {
    match protocol {
        RouteProtocol::Kernel => Some(RouteProto::Kernel),
        RouteProtocol::Boot => Some(RouteProto::Boot),
        RouteProtocol::Static => Some(RouteProto::Static),
        RouteProtocol::Ra => Some(RouteProto::Ra),
        _ => None,
    }
}

fn scope(scope: KernelScope) -> Option<RouteScope> {
    match scope {
        KernelScope::Universe => Some(RouteScope::Global),
        KernelScope::Link => Some(RouteScope::Link),
        KernelScope::Host => Some(RouteScope::Host),
        _ => None,
    }
}

fn kind(kind: KernelType) -> Option<RouteKind> {
    match kind {
        KernelType::Unicast => Some(RouteKind::Unicast),
        KernelType::Local => Some(RouteKind::Local),
        KernelType::Broadcast => Some(RouteKind::Broadcast),
        KernelType::Multicast => Some(RouteKind::Multicast),
        KernelType::BlackHole => Some(RouteKind::Blackhole),
        KernelType::Unreachable => Some(RouteKind::Unreachable),
        KernelType::Prohibit => Some(RouteKind::Prohibit),
        _ => None,
    }
}
