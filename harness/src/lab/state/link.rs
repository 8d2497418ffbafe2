//! Interfaces.

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use rtnetlink::packet_route::nsid::{NsidAttribute, NsidMessage};

use crate::lab::{KernelError, Lab, LabNode};
use crate::observation::Link;
use crate::plan::{Interface, InterfaceKind, NodeId, Plan};
use crate::words::{Cidr, LinkState, Mac};

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
    let known = plan.nodes[on].interfaces.iter().find(|interface| interface.present && interface.index == index);
    let settled = match known {
        Some(interface) => settled_above(plan, lab, on, interface).await?,
        None => settled_link(node, index).await?,
    };
    let Some(link) = &settled else { return Ok(None) };
    let addresses = node.netlink.addresses().await?;
    let identity = identity(link);
    let other = match peer_index(link) {
        Some(index) => peer_name(plan, lab, on, link, index).await?,
        None => None,
    };
    // The kernel tells what carries an interface as it tells the other end of a veth.
    let (peer, dev) = if is_veth(link) { (other, None) } else { (None, other) };
    let dev = match identity.dev.and_then(|index| name_by_index(&links, index)) {
        Some(name) => Some(format!("{}.{name}", plan.nodes[on].name)),
        None => dev,
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
        kind: identity.kind,
        id: identity.id,
        dev,
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
pub(in crate::lab) async fn settled_link(node: &LabNode, index: u32) -> Result<Option<LinkMessage>, KernelError> {
    for _ in 0..SETTLE_LOOKS {
        let Some(link) = node.netlink.link(index).await? else { return Ok(None) };
        let pending = is_up(&link) && is_veth(&link) && is_unknown(&link);
        if !pending {
            return Ok(Some(link));
        }
        tokio::time::sleep(SETTLE_INTERVAL).await;
    }
    Err(KernelError::broken("ip link show", "the state of an interface that was taken up is still not known"))
}

/// An interface of the plan after every pending change of its carrier, and of the carrier of what it stands on: a VLAN
/// and a macvlan have theirs from there, some time later.
///
/// # Errors
///
/// As [`settled_link`].
pub(in crate::lab) async fn settled_above(
    plan: &Plan,
    lab: &Lab,
    node: NodeId,
    interface: &Interface,
) -> Result<Option<LinkMessage>, KernelError> {
    // Down to what stands on nothing, and up again: each has its carrier from the one below.
    let mut row = vec![(node, interface)];
    while let InterfaceKind::Vlan { dev, .. } | InterfaceKind::Macvlan { dev, .. } = row[row.len() - 1].1.kind {
        let below = plan.interface(dev);
        // What a script made has no place in the plan.
        if below.kind == InterfaceKind::Found {
            break;
        }
        row.push((dev.node, below));
    }
    let mut below: Option<LinkMessage> = None;
    while let Some((node, interface)) = row.pop() {
        let Some(mut link) = settled_link(lab.node(node), interface.index).await? else { return Ok(None) };
        if let Some(below) = below.filter(|below| is_up(&link) && is_up(below)) {
            let mut looks = 0;
            while has_carrier(&link) != has_carrier(&below) || has_carrier(&link) != is_operating(&link) {
                if looks == SETTLE_LOOKS {
                    return Err(KernelError::broken(
                        "ip link show",
                        "the carrier of an interface is not that of its dev",
                    ));
                }
                looks += 1;
                tokio::time::sleep(SETTLE_INTERVAL).await;
                let Some(again) = settled_link(lab.node(node), interface.index).await? else { return Ok(None) };
                link = again;
            }
        }
        below = Some(link);
    }
    Ok(below)
}

fn is_up(link: &LinkMessage) -> bool {
    link.header.flags.contains(LinkFlags::Up)
}

fn has_carrier(link: &LinkMessage) -> bool {
    link.header.flags.contains(LinkFlags::LowerUp)
}

fn is_operating(link: &LinkMessage) -> bool {
    link.attributes.contains(&LinkAttribute::OperState(State::Up))
}

/// What an interface says that it is.
#[derive(Default)]
pub(super) struct Identity {
    pub(super) kind: Option<String>,
    id: Option<u32>,
    dev: Option<u32>,
}

pub(super) fn identity(link: &LinkMessage) -> Identity {
    let mut identity = Identity::default();
    let infos = link.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    for info in infos.flatten() {
        match info {
            LinkInfo::Kind(kind) => identity.kind = Some(kind.to_string()),
            LinkInfo::Data(InfoData::Vlan(infos)) => {
                identity.id = infos.iter().find_map(|info| match info {
                    InfoVlan::Id(id) => Some(u32::from(*id)),
                    _ => None,
                });
            }
            LinkInfo::Data(InfoData::Vxlan(infos)) => {
                for info in infos {
                    match info {
                        InfoVxlan::Id(id) => identity.id = Some(*id),
                        InfoVxlan::Link(index) => identity.dev = Some(*index),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    identity
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
pub(in crate::lab) fn name_of(link: &LinkMessage) -> &str {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.as_str()),
            _ => None,
        })
        .unwrap_or_default()
}

pub(in crate::lab) fn name_by_index(links: &[LinkMessage], index: u32) -> Option<String> {
    links.iter().find(|link| link.header.index == index).map(|link| name_of(link).to_owned())
}

/// The index of the far end of a veth pair, in the far end's namespace.
pub(in crate::lab) fn peer_index(link: &LinkMessage) -> Option<u32> {
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
        if identity_of(lab.node(on), candidate).await? == Some(identity) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The identity under which a node's kernel knows the namespace of another, if it does.
pub(in crate::lab) async fn identity_of(on: &LabNode, other: &LabNode) -> Result<Option<i32>, KernelError> {
    let mut message = NsidMessage::default();
    let fd = other.namespace.as_fd().as_raw_fd().unsigned_abs();
    message.attributes.push(NsidAttribute::Fd(fd));
    let answer = on.netlink.get(RouteNetlinkMessage::GetNsId(message), || "ip netns list-id".to_owned()).await?;
    let Some(RouteNetlinkMessage::NewNsId(answer)) = answer else { return Ok(None) };
    Ok(answer.attributes.iter().find_map(|attribute| match attribute {
        // `NETNSA_NSID_NOT_ASSIGNED` is -1.
        NsidAttribute::Id(id) if *id >= 0 => Some(*id),
        _ => None,
    }))
}

/// The address and prefix of an address message.
pub(in crate::lab) fn cidr_of(message: &AddressMessage) -> Option<Cidr> {
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
pub(in crate::lab) fn mac_of(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac)
}
