//! What survives the way of a packet: the same one is recognised on the next node, also behind NAT.

use std::net::IpAddr;

use super::{Icmp, Packet, Payload};

/// What neither a router nor address translation changes in a packet.
///
/// Two packets with one fingerprint are the same one, seen in two places, or cannot be told apart by what they carry:
///
/// - a segment that TCP sent again: the earlier frame on the same interface is the first one;
/// - two datagrams with the same first 64 bytes, above all empty ones; of a rule trace the data is not known, so it
///   matches no frame that has some: compare those by their ends;
/// - the echoes of two programs that both began to count at the same number: [`Packet::identifier`] tells them apart
///   where nothing translates;
/// - two ICMP errors of one kind, questions for one address by two nodes, fragments behind the first.
///
/// A proxy sends a packet of its own, and the kernel's SYNPROXY changes the sequence numbers: neither is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fingerprint {
    /// Of a TCP segment.
    Tcp {
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
    },
    /// Of a datagram: its first 64 bytes.
    Udp(Vec<u8>),
    /// Of an ICMP echo.
    Echo {
        /// Whether it is the reply.
        reply: bool,
        /// The sequence number.
        sequence: u16,
    },
    /// Of any other ICMP message, errors among them; what an error quotes is translated with it.
    Icmp {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
    },
    /// Of a question or an answer about an address, which bridges pass on.
    Neighbour {
        /// Whether it is the answer.
        answer: bool,
        /// The address.
        about: IpAddr,
    },
    /// Of anything else.
    Other {
        /// The number in the IP header.
        protocol: u8,
        /// The length.
        length: u32,
    },
}

impl Packet {
    /// What of it survives forwarding and address translation.
    pub fn fingerprint(&self) -> Fingerprint {
        match &self.payload {
            &Payload::Tcp { sequence, acknowledged, syn, ack, rst, .. } => {
                Fingerprint::Tcp { sequence, acknowledged, syn, ack, rst }
            }
            Payload::Udp { data, .. } => Fingerprint::Udp(data.clone()),
            &Payload::Icmp(Icmp::Echo { reply, sequence, .. }) => Fingerprint::Echo { reply, sequence },
            &Payload::Icmp(Icmp::Error { kind, code, .. } | Icmp::Other { kind, code }) => {
                Fingerprint::Icmp { kind, code }
            }
            Payload::Neighbour(question) => Fingerprint::Neighbour { answer: question.answer, about: question.about },
            &Payload::Other { protocol } => Fingerprint::Other { protocol, length: self.length },
        }
    }
}
