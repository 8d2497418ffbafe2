//! A frame read: what of it tells one packet from another, and where it goes.

mod decode;
mod fingerprint;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Flow, Protocol};
use crate::words::Mac;

pub use decode::{decode, decode_headers};
pub use fingerprint::Fingerprint;

/// What is read of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Source and destination of the frame; a packet that a rule trace shows has none.
    pub macs: Option<(Mac, Mac)>,
    /// The source address.
    pub from: IpAddr,
    /// The destination address.
    pub to: IpAddr,
    /// Time to live, or hop limit; ARP has none, which reads 0.
    pub ttl: u8,
    /// The length of the whole IP packet as its header says it.
    pub length: u32,
    /// Whether routers may not cut it (IPv4: DF; IPv6: always).
    pub whole: bool,
    /// Whether it is a fragment that is not the first.
    pub fragment: bool,
    /// What it carries.
    pub payload: Payload,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// TCP: ports, sequence number, flags as in the header.
    Tcp {
        /// The source port.
        source_port: u16,
        /// The destination port.
        port: u16,
        /// The sequence number.
        sequence: u32,
        /// The acknowledgement number.
        acknowledged: u32,
        /// SYN.
        syn: bool,
        /// ACK.
        ack: bool,
        /// RST.
        rst: bool,
        /// FIN.
        fin: bool,
    },
    /// UDP: ports, and the start of the data.
    Udp {
        /// The source port.
        source_port: u16,
        /// The destination port.
        port: u16,
        /// The first 64 bytes of the data, none where fewer of them are known: of a rule trace there are none.
        data: Vec<u8>,
    },
    /// ICMP or ICMPv6.
    Icmp(Icmp),
    /// A question or an answer about the owner of an address: ARP, or IPv6 neighbour discovery. `from` and `to` of the
    /// packet are the addresses of who asks (0.0.0.0 or :: when it has none yet) and who is asked for; those of an
    /// answer are who answers and who is answered, which for IPv6 may be a group.
    Neighbour(Question),
    /// Anything else, every fragment that is not the first, and what is too short to say more. (A VXLAN packet is read
    /// as UDP; what is inside passes the tunnel's own interface as a frame of its own.)
    Other {
        /// The number in the IP header.
        protocol: u8,
    },
}

/// An ICMP message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Icmp {
    /// An echo request or reply.
    Echo {
        /// Whether it is the reply.
        reply: bool,
        /// The identifier.
        identifier: u16,
        /// The sequence number.
        sequence: u16,
    },
    /// An error, or a redirect, with the start of the packet that it is about.
    Error {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
        /// The size that fits, of "fragmentation needed" and "packet too big".
        mtu: Option<u32>,
        /// The packet that it is about.
        about: Option<Quoted>,
    },
    /// Anything else.
    Other {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
    },
}

/// The start of a packet that an ICMP error quotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// Its source address.
    pub from: IpAddr,
    /// Its destination address.
    pub to: IpAddr,
    /// The number in its IP header.
    pub protocol: u8,
    /// Its ports, or for an echo the identifier and the sequence number; zeros where they are not quoted.
    pub ports: (u16, u16),
}

/// Who asks for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Whether it is the answer.
    pub answer: bool,
    /// The address that is asked for, or answered about.
    pub about: IpAddr,
    /// The MAC address that the sender says it has.
    pub mac: Option<Mac>,
}

impl Packet {
    /// Whether it is a packet of the probe on its way there, as the prober sent it: behind a node that translates
    /// addresses it is not, which is for the [`Fingerprint`] to recognise. Every packet of a TCP connection in that
    /// direction is one. A fragment that is not the first has no ports, and is none.
    pub fn is_request_of(&self, flow: &Flow) -> bool {
        let from = flow.source.is_none_or(|source| source == self.from);
        from && self.to == flow.to
            && match &self.payload {
                Payload::Tcp { source_port, port, .. } => {
                    flow.protocol == Protocol::Tcp && flow.has_ports(*source_port, *port)
                }
                Payload::Udp { source_port, port, .. } => {
                    flow.protocol == Protocol::Udp && flow.has_ports(*source_port, *port)
                }
                Payload::Icmp(Icmp::Echo { reply, .. }) => flow.protocol == Protocol::Icmp && !reply,
                Payload::Neighbour(question) => flow.protocol == Protocol::Neighbour && !question.answer,
                Payload::Icmp(_) | Payload::Other { .. } => false,
            }
    }

    /// Whether it is a packet of the probe on its way back, as the prober would take it; no ICMP error is one.
    pub fn is_answer_to(&self, flow: &Flow) -> bool {
        let to = flow.source.is_none_or(|source| source == self.to);
        match &self.payload {
            // An answer about IPv6 may come from another address of the owner's, and go to all nodes.
            Payload::Neighbour(question) => {
                flow.protocol == Protocol::Neighbour && question.answer && question.about == flow.to
            }
            _ if !to || self.from != flow.to => false,
            Payload::Tcp { source_port, port, .. } => {
                flow.protocol == Protocol::Tcp && flow.has_ports(*port, *source_port)
            }
            Payload::Udp { source_port, port, .. } => {
                flow.protocol == Protocol::Udp && flow.has_ports(*port, *source_port)
            }
            Payload::Icmp(Icmp::Echo { reply, .. }) => flow.protocol == Protocol::Icmp && *reply,
            Payload::Icmp(_) | Payload::Other { .. } => false,
        }
    }

    /// Whether it is an ICMP error about a packet of the probe as the prober sent it.
    pub fn is_error_about(&self, flow: &Flow) -> bool {
        match &self.payload {
            Payload::Icmp(Icmp::Error { about: Some(quoted), .. }) => quoted.is_request_of(flow),
            _ => false,
        }
    }

    /// The identifier of an echo. It is no part of the [`Fingerprint`], for NAT may choose another one.
    pub fn identifier(&self) -> Option<u16> {
        match self.payload {
            Payload::Icmp(Icmp::Echo { identifier, .. }) => Some(identifier),
            _ => None,
        }
    }
}

impl Quoted {
    /// Whether the packet that is quoted is one of the probe on its way there, as the prober sent it.
    pub fn is_request_of(&self, flow: &Flow) -> bool {
        let from = flow.source.is_none_or(|source| source == self.from);
        let carries = flow.protocol != Protocol::Neighbour && self.protocol == flow.protocol.number(flow.to.is_ipv6());
        let ports = flow.protocol == Protocol::Icmp || flow.has_ports(self.ports.0, self.ports.1);
        from && self.to == flow.to && carries && ports
    }
}

impl Flow {
    /// Whether these are its ports, from the prober's side.
    fn has_ports(&self, source_port: u16, port: u16) -> bool {
        self.port == port && (self.source_port == 0 || self.source_port == source_port)
    }
}
