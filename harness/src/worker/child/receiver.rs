//! The far end of a transfer: where it ends behind all forwards, whether somebody listens there, what arrived, and from
//! whom.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::attempt::Bench;
use super::observe::address_lives;
use super::{services, way};
use crate::lab;
use crate::observation::Life;
use crate::plan::{End, Landing, NatKind, NodeId, ServiceKind, Transfer, holders, landing};
use crate::probe::ProbeError;
use crate::probe::capture::Capture;
use crate::words::{Port, Transport};

/// Where a transfer ends, as far as the plan shows it.
fn planned_end(bench: &Bench, transfer: &Transfer, transport: Transport) -> Landing {
    landing(&bench.plan.nodes, &transfer.to, Some(Port { number: transfer.port, transport }))
}

/// Whether the target listens, by its own socket table, at an address that it has, on a link that is up: who listens on
/// all addresses still does when the link is gone.
pub(super) async fn lives(bench: &Bench, transfer: &Transfer, transport: Transport) -> Result<Life, ProbeError> {
    let port = Some(Port { number: transfer.port, transport });
    let (owner, Landing { address, port, .. }) = match way::end_of(bench, transfer.from, &transfer.to, port).await? {
        Ok(end) => end,
        Err(reason) => return Ok(Life::Unproven(reason)),
    };
    let node = owner.node;
    let name = &bench.plan.nodes[node].name;
    match services::listens(&bench.lab, node, transport, address, port) {
        Ok(true) => address_lives(bench, owner, address).await,
        Ok(false) => Ok(Life::Unproven(format!("nothing in {name} listens on {port}/{transport}"))),
        Err(error) => Err(ProbeError(format!("the socket table of {name} cannot be read: {error}"))),
    }
}

/// The source address of a connection as its server has it, where the case asks for it.
///
/// The server's socket has at its far end what the server sees. It is found by the port that it sees: no two probes of a
/// case have the same, and translation keeps it while it is free. Where rules change ports too, one connection alone is
/// still told.
///
/// # Errors
///
/// When no socket, or more than one, could be it.
pub(super) fn connection_seen_from(
    bench: &Bench,
    transfer: &Transfer,
    flow: (SocketAddr, SocketAddr),
) -> Result<Option<IpAddr>, ProbeError> {
    if transfer.seen_from.is_none() {
        return Ok(None);
    }
    let Landing { address, port, owner } = planned_end(bench, transfer, Transport::Tcp);
    if let Some(End { node, .. }) = owner {
        let (namespace, own) = (&bench.node(node).namespace, SocketAddr::new(address, port));
        let likely = lab::connected(namespace, own, flow.0.port(), &likely(bench, transfer, flow.0.ip()));
        if let [one] = *likely.map_err(|error| unreadable(bench, node, &error))? {
            return Ok(Some(one));
        }
    }
    let sender = flow.0.port();
    let by_port = |(own, far): &(SocketAddr, SocketAddr)| far.port() == sender && *own != flow.0;
    let mut servers = BTreeSet::new();
    if let Some(End { node, .. }) = owner {
        let here: Vec<_> = connections(bench, node)?.into_iter().filter(|(own, _)| own.port() == port).collect();
        servers.extend(here.iter().filter(|ends| by_port(ends)).map(|(_, far)| far.ip()));
        if servers.is_empty() {
            let strangers = here.iter().filter(|(_, far)| !bench.ports.gave_out(far.port()));
            servers.extend(strangers.map(|(_, far)| far.ip()));
        }
    }
    // Rules that a case brings may lead a connection elsewhere than the plan shows.
    if servers.is_empty() {
        for node in 0..bench.plan.nodes.len() {
            servers.extend(connections(bench, node)?.iter().filter(|ends| by_port(ends)).map(|(_, far)| far.ip()));
        }
    }
    let mut servers = servers.into_iter();
    match (servers.next(), servers.next()) {
        (Some(one), None) => Ok(Some(one)),
        (None, _) => Err(ProbeError("no node of this case has the other end of the connection".to_owned())),
        (Some(one), Some(other)) => Err(ProbeError(format!(
            "the other end of the connection cannot be told: it came from {one}, from {other}, or from another address"
        ))),
    }
}

fn connections(bench: &Bench, node: NodeId) -> Result<Vec<(SocketAddr, SocketAddr)>, ProbeError> {
    lab::connections(&bench.node(node).namespace).map_err(|error| unreadable(bench, node, &error))
}

fn unreadable(bench: &Bench, node: NodeId, error: &io::Error) -> ProbeError {
    ProbeError(format!("the socket table of {} cannot be read: {error}", bench.plan.nodes[node].name))
}

/// Whom a server is likely to see: the sender itself, who is expected, and every address that the plan knows.
fn likely(bench: &Bench, transfer: &Transfer, sender: IpAddr) -> Vec<IpAddr> {
    let expected = transfer.seen_from.iter().flat_map(|expected| expected.addresses.iter().copied());
    let nodes = &bench.plan.nodes;
    let interfaces = nodes.iter().flat_map(|node| &node.interfaces);
    let own = interfaces.flat_map(|interface| &interface.addresses).map(|cidr| cidr.address);
    let given = nodes.iter().flat_map(|node| &node.nat).filter_map(|nat| match nat.kind {
        NatKind::Snat { to, .. } => Some(to),
        NatKind::Masquerade { .. } | NatKind::Forward(_) => None,
    });
    let mut likely = Vec::new();
    for address in [sender].into_iter().chain(expected).chain(own).chain(given) {
        if !likely.contains(&address) {
            likely.push(address);
        }
    }
    likely
}

/// How the arrival of a datagram is proved.
pub(super) enum Receiver {
    /// A service of ours notes what it gets, and answers.
    Ours,
    /// Somebody else's program: the datagram is looked for on the target's interface.
    Program(Capture),
    /// No node of the lab has the address.
    Stranger,
}

impl Receiver {
    pub(super) fn of(bench: &Bench, transfer: &Transfer) -> Result<Self, ProbeError> {
        let Landing { address, port, owner } = planned_end(bench, transfer, Transport::Udp);
        let Some(owner) = owner else {
            // Whichever of them is meant, our services note what arrives.
            let several = holders(&bench.plan.nodes, address).len() > 1;
            return Ok(if several { Self::Ours } else { Self::Stranger });
        };
        let on_node = || bench.plan.services.iter().filter(|service| service.node == owner.node);
        let ours = on_node().any(|service| match &service.kind {
            ServiceKind::Echo { transport: Transport::Udp, port: own, .. } => *own == port,
            _ => false,
        });
        let programs = on_node().any(|service| matches!(service.kind, ServiceKind::Command { .. }));
        if ours || !programs {
            return Ok(Self::Ours);
        }
        let interface = if owner.node == transfer.from {
            // A node's packets to itself pass its `lo`, not the interface that has the address.
            bench.plan.index(End { node: owner.node, interface: 0 })
        } else if bench.plan.nodes[owner.node].serves(address) && owner.interface == 0 {
            Capture::EVERYWHERE
        } else {
            bench.plan.index(owner)
        };
        Capture::start(&bench.node(owner.node).namespace, interface).map(Self::Program)
    }

    /// The source address of a datagram that arrived, where the case asks for it.
    ///
    /// # Errors
    ///
    /// When nobody noted it.
    pub(super) fn seen_from(
        &self,
        bench: &Bench,
        transfer: &Transfer,
        nonce: &[u8],
    ) -> Result<Option<IpAddr>, ProbeError> {
        if transfer.seen_from.is_none() {
            return Ok(None);
        }
        let noted = match self {
            Self::Ours | Self::Stranger => bench.services.arrivals.source(nonce),
            Self::Program(capture) => {
                capture.saw(nonce)?;
                capture.source().or_else(|| bench.services.arrivals.source(nonce))
            }
        };
        match noted {
            Some(address) => Ok(Some(address)),
            None => Err(ProbeError("no node of this case has noted who sent the datagram".to_owned())),
        }
    }
}
