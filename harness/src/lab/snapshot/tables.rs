//! Neighbours, forwarding tables, and who listens.

use std::net::{IpAddr, SocketAddr};

use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};

use crate::evidence::{Fdb, Listening, Neighbour};
use crate::lab::state::{destination, mac_of, neighbour_state};
use crate::lab::{KernelError, LabNode, listeners};
use crate::words::{Mac, NeighState, Transport};

/// A node's neighbours of both families, but for groups and for what needs no asking.
pub(super) async fn neighbours(node: &LabNode) -> Result<Vec<Neighbour>, KernelError> {
    Ok(node.netlink.neighbours().await?.iter().filter_map(neighbour).collect())
}

fn neighbour(entry: &NeighbourMessage) -> Option<Neighbour> {
    let address = destination(entry).filter(|address| !address.is_multicast())?;
    let state = neighbour_state(entry.header.state).filter(|state| *state != NeighState::Noarp)?;
    Some(Neighbour { interface: entry.header.ifindex, address, mac: mac(entry), state })
}

/// The entries of the forwarding tables of a node's bridges and tunnels, but for groups: what an interface that is
/// neither listens to stands in the same list.
pub(super) async fn forwarding(node: &LabNode) -> Result<Vec<Fdb>, KernelError> {
    Ok(node.netlink.forwarding().await?.iter().filter_map(forwarded).collect())
}

/// `NUD_NOARP` and `NUD_PERMANENT` of linux/neighbour.h: what was put there never ages. A tunnel sets others with them.
const PUT: u16 = 0x40 | 0x80;

fn forwarded(entry: &NeighbourMessage) -> Option<Fdb> {
    // The lowest bit of the first byte says "group" (IEEE 802).
    let mac = mac(entry).filter(|mac| mac.0[0] & 1 == 0)?;
    let mut found = Fdb {
        interface: entry.header.ifindex,
        mac,
        vlan: None,
        remote: None,
        permanent: u16::from(entry.header.state) & PUT != 0,
    };
    for attribute in &entry.attributes {
        match attribute {
            NeighbourAttribute::Vlan(id) => found.vlan = Some(*id),
            NeighbourAttribute::Destination(address) => found.remote = remote(address),
            _ => {}
        }
    }
    Some(found)
}

/// In a bridge's table the family of an address is not said, and its length tells.
fn remote(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(address) => Some((*address).into()),
        NeighbourAddress::Inet6(address) => Some((*address).into()),
        NeighbourAddress::Other(bytes) => {
            let old = <[u8; 4]>::try_from(&**bytes).map(IpAddr::from);
            old.or_else(|_| <[u8; 16]>::try_from(&**bytes).map(IpAddr::from)).ok()
        }
        _ => None,
    }
}

fn mac(entry: &NeighbourMessage) -> Option<Mac> {
    entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => mac_of(bytes),
        _ => None,
    })
}

/// Who listens in a node, by TCP and by UDP.
pub(super) fn listening(node: &LabNode) -> Result<Vec<Listening>, KernelError> {
    let mut found = Vec::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        let sockets = listeners(&node.namespace, transport)
            .map_err(|error| KernelError::broken(format!("ss -l --{transport}"), KernelError::words(&error)))?;
        found.extend(sockets.iter().map(|socket| Listening {
            transport,
            at: SocketAddr::new(socket.address, socket.port),
            only_v6: socket.only_v6,
            device: socket.device,
            full: socket.full,
            room: socket.room,
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::neighbour::NeighbourState;

    use super::*;

    fn entry(state: NeighbourState, attributes: Vec<NeighbourAttribute>) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.state = state;
        message.header.ifindex = 3;
        message.attributes = attributes;
        message
    }

    #[test]
    fn groups_are_no_neighbours() {
        let about = |text: &str| {
            let address: IpAddr = text.parse().expect("an address");
            NeighbourAttribute::Destination(NeighbourAddress::from(address))
        };
        let read = |state, text: &str| neighbour(&entry(state, vec![about(text)])).map(|it| it.state);
        assert_eq!(read(NeighbourState::Failed, "10.0.0.1"), Some(NeighState::Failed));
        assert_eq!(read(NeighbourState::Noarp, "10.0.0.1"), None);
        assert_eq!(read(NeighbourState::Permanent, "ff02::1"), None);
        assert_eq!(read(NeighbourState::None, "10.0.0.1"), None);
    }

    #[test]
    fn an_entry_of_a_forwarding_table_is_read() {
        let remote = NeighbourAttribute::Destination(NeighbourAddress::Other(vec![192, 0, 2, 1]));
        let own = NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 1]);
        let read = forwarded(&entry(NeighbourState::Noarp, vec![own.clone(), remote, NeighbourAttribute::Vlan(7)]));
        let read = read.expect("it is about one station");
        assert_eq!((read.interface, read.vlan, read.permanent), (3, Some(7), true));
        assert_eq!(read.remote, Some([192, 0, 2, 1].into()));
        assert!(forwarded(&entry(NeighbourState::Reachable, vec![own.clone()])).is_some_and(|it| !it.permanent));
        let both = entry(NeighbourState::Other(0x82), vec![own]);
        assert!(forwarded(&both).is_some_and(|it| it.permanent));
        let group = NeighbourAttribute::LinkLayerAddress(vec![0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(forwarded(&entry(NeighbourState::Permanent, vec![group])), None);
    }
}
