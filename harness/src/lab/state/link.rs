//! Interfaces.

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State};
use rtnetlink::packet_route::nsid::{NsidAttribute, NsidMessage};

use crate::lab::{KernelError, Lab, LabNode};
use crate::observation::Link;
use crate::plan::{NodeId, Plan};
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
pub(in crate::lab) async fn settled_link(node: &LabNode, index: u32) -> Result<Option<LinkMessage>, KernelError> {
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
pub(in crate::lab) fn name_of(link: &LinkMessage) -> &str {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.as_str()),
            _ => None,
        })
        .unwrap_or_default()
}

pub(super) fn name_by_index(links: &[LinkMessage], index: u32) -> Option<String> {
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
