//! Neighbours, and what they say of the next hop.

use std::net::IpAddr;

use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};

use super::link::{mac_of, name_by_index};
use super::route::lookup_route;
use crate::lab::{KernelError, LabNode};
use crate::observation::Neighbour;
use crate::words::{NeighState, RouteKind};

/// The entries of a node's neighbour table that are about one address.
///
/// # Errors
///
/// A dump that failed.
pub async fn neighbours_of(node: &LabNode, address: IpAddr) -> Result<Vec<Neighbour>, KernelError> {
    let mut entries = all_neighbours(node).await?;
    entries.retain(|entry| entry.address == address);
    Ok(entries)
}

/// The entries of a node's neighbour table.
///
/// # Errors
///
/// A dump that failed.
pub(super) async fn all_neighbours(node: &LabNode) -> Result<Vec<Neighbour>, KernelError> {
    let links = node.netlink.links().await?;
    let entries = node.netlink.neighbours().await?;
    Ok(entries
        .iter()
        .filter_map(|entry| {
            Some(Neighbour {
                dev: name_by_index(&links, entry.header.ifindex)?,
                address: destination(entry)?,
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
pub(in crate::lab) fn destination(entry: &NeighbourMessage) -> Option<IpAddr> {
    entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}

/// A state in the words of `ip neighbour`; `None` for an entry that was just made and not asked for yet.
pub(in crate::lab) fn neighbour_state(state: NeighbourState) -> Option<NeighState> {
    Some(match state {
        NeighbourState::Incomplete => NeighState::Incomplete,
        NeighbourState::Reachable => NeighState::Reachable,
        NeighbourState::Stale => NeighState::Stale,
        NeighbourState::Delay => NeighState::Delay,
        NeighbourState::Probe => NeighState::Probe,
        NeighbourState::Failed => NeighState::Failed,
        NeighbourState::Noarp => NeighState::Noarp,
        NeighbourState::Permanent => NeighState::Permanent,
        _ => return None,
    })
}

/// What is known of the next hop towards an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopState {
    /// It has answered, or needs no asking.
    Resolved,
    /// It is still being asked for, or in doubt: silence is not judged yet.
    Asking,
    /// It did not answer.
    Failed,
    /// The neighbour table does not say.
    Unknown,
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
        Err(_) => return Ok(HopState::Unknown),
    };
    let entries = neighbours_of(node, route.via.unwrap_or(address)).await?;
    let entry = entries.iter().find(|entry| Some(&entry.dev) == route.dev.as_ref());
    Ok(match entry.map(|entry| entry.state) {
        Some(NeighState::Incomplete | NeighState::Delay | NeighState::Probe) => HopState::Asking,
        Some(NeighState::Reachable | NeighState::Stale | NeighState::Noarp | NeighState::Permanent) => {
            HopState::Resolved
        }
        Some(NeighState::Failed) => HopState::Failed,
        None => HopState::Unknown,
    })
}
