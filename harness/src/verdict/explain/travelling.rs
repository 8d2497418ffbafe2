//! A packet on its way, as far as its route depends on it.

use std::net::IpAddr;

use super::trails::{Ends, Trail};
use crate::evidence::{Ask, Evidence, Packet, Protocol};
use crate::words::{Port, Transport};

/// A packet as it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Travelling {
    /// Where it comes from; not known before the first node has chosen.
    pub(super) from: Option<IpAddr>,
    pub(super) to: IpAddr,
    pub(super) protocol: Protocol,
    /// Ports; of an echo both are its identifier.
    pub(super) source_port: u16,
    pub(super) port: u16,
    /// Its length in bytes, 0 when it is not known.
    pub(super) length: u32,
    /// Whether routers may not cut it.
    pub(super) whole: bool,
}

impl Travelling {
    pub(super) fn first(evidence: &Evidence, trail: Option<&Trail<'_>>) -> Self {
        let flow = &evidence.flow;
        let packet = trail.and_then(|trail| trail.sights.first()).map(|sight| &sight.packet);
        // What the sender's own rules have dropped is on no interface, and in their trace.
        let own = || evidence.traces.iter().filter(|trace| trace.node == flow.from);
        let traced = || own().filter_map(|trace| trace.packet.as_ref()).find(|packet| packet.is_request_of(flow));
        // What its own rules have translated it was before what it is asked for.
        let asked = |packet: &&Packet| packet.is_request_of(flow) || flow.source_port == 0;
        let ends = packet.or_else(traced).filter(asked).and_then(Ends::of);
        Self {
            from: ends.map(|ends| ends.from).or(flow.source),
            to: ends.map_or(flow.to, |ends| ends.to),
            protocol: flow.protocol,
            source_port: ends.map_or(flow.source_port, |ends| ends.source_port),
            port: ends.map_or(flow.port, |ends| ends.port),
            length: packet.map_or(0, |packet| packet.length),
            whole: packet.is_some_and(|packet| packet.whole),
        }
    }

    /// What asks for a neighbour.
    pub(super) fn question(to: IpAddr) -> Self {
        let protocol = Protocol::Neighbour;
        Self { from: None, to, protocol, source_port: 0, port: 0, length: 0, whole: false }
    }

    pub(super) fn ends(&self) -> Option<Ends> {
        Some(Ends { from: self.from?, to: self.to, source_port: self.source_port, port: self.port })
    }

    pub(super) fn with(self, ends: Ends) -> Self {
        Self { from: Some(ends.from), to: ends.to, source_port: ends.source_port, port: ends.port, ..self }
    }

    /// The question where a node would send it.
    pub(super) fn ask(&self, node: usize, iif: Option<u32>) -> Ask {
        let ports = self.protocol != Protocol::Icmp;
        let [source_port, port] = [self.source_port, self.port].map(|port| if ports { port } else { 0 });
        Ask { node, to: self.to, from: self.from, iif, protocol: self.protocol, source_port, port, mark: 0 }
    }

    /// The question where a node would send it if it was its own.
    pub(super) fn own_ask(&self, node: usize) -> Ask {
        Ask { from: None, ..self.ask(node, None) }
    }

    /// The port of the target, where it has one.
    pub(super) fn target_port(&self) -> Option<Port> {
        let transport = match self.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
            Protocol::Icmp | Protocol::Neighbour => return None,
        };
        Some(Port { number: self.port, transport })
    }
}
