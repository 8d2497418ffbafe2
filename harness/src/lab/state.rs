//! The kernel's state as observations: what the state checks look at.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use rtnetlink::packet_route::nsid::{NsidAttribute, NsidMessage};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope as KernelScope,
    RouteType as KernelType,
};

use super::{KernelError, Lab, LabNode};
use crate::observation::{Link, LocalRefusal, Neighbour, Route};
use crate::plan::{NodeId, Plan};
use crate::words::{Cidr, Family, LinkState, Mac, NeighState, RouteKind, RouteProto, RouteScope};

/// An interface by name, or that there is none.
///
/// # Errors
///
/// A dump that failed.
pub async fn link_state(plan: &Plan, lab: &Lab, on: NodeId, name: &str) -> Result<Option<Link>, KernelError> {
    let node = lab.node(on);
    let links = node.netlink.links().await?;
    let Some(index) = links.iter().find(|link| name_of(link) == name).map(|link| link.header.index) else {
        return Ok(None);
    };
    let Some(link) = &settled_link(node, index).await? else { return Ok(None) };
    let addresses = node.netlink.addresses().await?;
    let peer = match peer_index(link) {
        Some(index) => peer_name(plan, lab, on, link, index).await?,
        None => None,
    };
    let mut seen = Link {
        name: name.to_owned(),
        up: link.header.flags.contains(LinkFlags::Up),
        carrier: link.header.flags.contains(LinkFlags::LowerUp),
        state: LinkState::Unknown,
        mtu: 0,
        mac: None,
        master: None,
        peer,
        addresses: addresses.iter().filter(|a| a.header.index == link.header.index).filter_map(cidr_of).collect(),
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => seen.mtu = *mtu,
            LinkAttribute::Address(bytes) => seen.mac = mac_of(bytes),
            LinkAttribute::OperState(state) => seen.state = oper_state(*state),
            LinkAttribute::Controller(index) => seen.master = name_by_index(&links, *index),
            _ => {}
        }
    }
    Ok(Some(seen))
}

/// How often, and how many times, is looked whether a pending change of a carrier has been carried out.
const SETTLE_INTERVAL: Duration = Duration::from_millis(5);
const SETTLE_LOOKS: u32 = 600;

/// An interface after every pending change of its carrier. Kernels before 6.5 do that by themselves within a second; a
/// veth end whose operational state is unknown has not got there yet.
///
/// # Errors
///
/// A request that failed, or a change that is pending for ever.
pub(super) async fn settled_link(node: &LabNode, index: u32) -> Result<Option<LinkMessage>, KernelError> {
    for _ in 0..SETTLE_LOOKS {
        let Some(link) = node.netlink.link(index).await? else { return Ok(None) };
        let pending = link.header.flags.contains(LinkFlags::Up) && is_veth(&link) && is_unknown(&link);
        if !pending {
            return Ok(Some(link));
        }
        tokio::time::sleep(SETTLE_INTERVAL).await;
    }
    Err(KernelError::broken("ip link show", "the state of an interface that was taken up is still not known"))
}

fn is_veth(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| {
        matches!(attribute, LinkAttribute::LinkInfo(infos) if infos.contains(&LinkInfo::Kind(InfoKind::Veth)))
    })
}

fn is_unknown(link: &LinkMessage) -> bool {
    link.attributes.contains(&LinkAttribute::OperState(State::Unknown))
}

fn oper_state(state: State) -> LinkState {
    match state {
        State::NotPresent => LinkState::NotPresent,
        State::Down => LinkState::Down,
        State::LowerLayerDown => LinkState::LowerLayerDown,
        State::Testing => LinkState::Testing,
        State::Dormant => LinkState::Dormant,
        State::Up => LinkState::Up,
        _ => LinkState::Unknown,
    }
}

/// An interface's name, empty when the kernel gave none.
pub(super) fn name_of(link: &LinkMessage) -> &str {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.as_str()),
            _ => None,
        })
        .unwrap_or_default()
}

fn name_by_index(links: &[LinkMessage], index: u32) -> Option<String> {
    links.iter().find(|link| link.header.index == index).map(|link| name_of(link).to_owned())
}

/// The index of the far end of a veth pair, in the far end's namespace.
fn peer_index(link: &LinkMessage) -> Option<u32> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(index) if *index != 0 => Some(*index),
        _ => None,
    })
}

/// `NODE.INTERFACE` of the far end, where its namespace is a node of the lab.
async fn peer_name(
    plan: &Plan,
    lab: &Lab,
    on: NodeId,
    link: &LinkMessage,
    index: u32,
) -> Result<Option<String>, KernelError> {
    let identity = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkNetNsId(id) => Some(*id),
        _ => None,
    });
    let place = match identity {
        None => Some(on),
        Some(id) => node_of_identity(lab, on, id).await?,
    };
    let Some(place) = place else { return Ok(None) };
    let far = lab.node(place).netlink.links().await?;
    Ok(name_by_index(&far, index).map(|name| format!("{}.{name}", plan.nodes[place].name)))
}

/// The node that another node's kernel knows under a namespace identity.
async fn node_of_identity(lab: &Lab, on: NodeId, identity: i32) -> Result<Option<NodeId>, KernelError> {
    for (id, candidate) in lab.nodes.iter().enumerate() {
        let mut message = NsidMessage::default();
        let fd = candidate.namespace.as_fd().as_raw_fd().unsigned_abs();
        message.attributes.push(NsidAttribute::Fd(fd));
        let answer =
            lab.node(on).netlink.get(RouteNetlinkMessage::GetNsId(message), || "ip netns list-id".to_owned()).await?;
        if let Some(RouteNetlinkMessage::NewNsId(answer)) = answer
            && answer.attributes.contains(&NsidAttribute::Id(identity))
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The address and prefix of an address message.
pub(super) fn cidr_of(message: &AddressMessage) -> Option<Cidr> {
    let mut found = None;
    for attribute in &message.attributes {
        match attribute {
            // For IPv6 there is only Address; for IPv4 Local is the address and Address the peer's.
            AddressAttribute::Local(address) => found = Some(*address),
            AddressAttribute::Address(address) if found.is_none() => found = Some(*address),
            _ => {}
        }
    }
    found.map(|address| Cidr { address, length: message.header.prefix_len })
}

/// Six bytes as a MAC address.
pub(super) fn mac_of(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac)
}

/// The entries of a node's neighbour table that are about one address.
///
/// # Errors
///
/// A dump that failed.
pub async fn neighbours_of(node: &LabNode, address: IpAddr) -> Result<Vec<Neighbour>, KernelError> {
    let links = node.netlink.links().await?;
    let entries = node.netlink.neighbours().await?;
    Ok(entries
        .iter()
        .filter(|entry| destination(entry) == Some(address))
        .filter_map(|entry| {
            Some(Neighbour {
                dev: name_by_index(&links, entry.header.ifindex)?,
                address,
                mac: entry.attributes.iter().find_map(|attribute| match attribute {
                    NeighbourAttribute::LinkLayerAddress(bytes) => mac_of(bytes),
                    _ => None,
                }),
                state: neighbour_state(entry.header.state)?,
            })
        })
        .collect())
}

/// The address that an entry is about.
pub(super) fn destination(entry: &NeighbourMessage) -> Option<IpAddr> {
    entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}

fn neighbour_state(state: NeighbourState) -> Option<NeighState> {
    Some(match state {
        NeighbourState::Incomplete => NeighState::Incomplete,
        NeighbourState::Reachable => NeighState::Reachable,
        NeighbourState::Stale => NeighState::Stale,
        NeighbourState::Delay => NeighState::Delay,
        NeighbourState::Probe => NeighState::Probe,
        NeighbourState::Failed => NeighState::Failed,
        NeighbourState::Noarp => NeighState::Noarp,
        NeighbourState::Permanent => NeighState::Permanent,
        // An entry that was just made and not asked for yet.
        _ => return None,
    })
}

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

pub(super) fn table(route: &RouteMessage) -> u32 {
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
pub(super) fn route_of(message: &RouteMessage, links: &[LinkMessage]) -> Route {
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

/// What is known of the next hop towards an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HopState {
    /// It has answered, or needs no asking.
    Resolved,
    /// It is still being asked for: silence is not judged yet.
    Asking,
    /// It did not answer, or there is no entry for it.
    Unresolved(IpAddr),
}

/// What a node knows of its next hop towards an address.
///
/// # Errors
///
/// A request that failed.
pub async fn next_hop_state(node: &LabNode, address: IpAddr) -> Result<HopState, KernelError> {
    let route = match lookup_route(node, address).await? {
        Ok(route) if route.kind == Some(RouteKind::Local) => return Ok(HopState::Resolved),
        Ok(route) => route,
        Err(_) => return Ok(HopState::Unresolved(address)),
    };
    let hop = route.via.unwrap_or(address);
    let entries = neighbours_of(node, hop).await?;
    let on_dev = entries.iter().filter(|entry| Some(&entry.dev) == route.dev.as_ref());
    let mut state = HopState::Unresolved(hop);
    for entry in on_dev {
        match entry.state {
            NeighState::Incomplete | NeighState::Probe => return Ok(HopState::Asking),
            // Delay waits up to five seconds for a sign of life while packets already flow: that is no reason to wait.
            NeighState::Reachable
            | NeighState::Stale
            | NeighState::Delay
            | NeighState::Noarp
            | NeighState::Permanent => state = HopState::Resolved,
            NeighState::Failed => {}
        }
    }
    Ok(state)
}
