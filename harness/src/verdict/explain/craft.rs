//! A packet as the node behind the place of death would have got it.

use std::net::IpAddr;

use etherparse::{
    EtherType, Ethernet2Header, IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpNumber,
    Ipv4Header, Ipv6Header, LaxSlicedPacket, TcpHeader, TransportHeader, TransportSlice, UdpHeader,
};

use super::trails::Trail;
use super::travelling::Travelling;
use super::walk::Step;
use super::world::{End, World};
use crate::evidence::Protocol;

/// The time to live of a packet that was not seen: what most senders give it (RFC 1700).
const USUAL_TTL: u8 = 64;

/// How much of its data goes on: more than any rule looks at, and it fits wherever a packet does.
const MOST_DATA: usize = 64;

/// The frame that goes out by an interface to one of the next node. What is an answer was never sent: it is made to what
/// the trail shows.
pub(super) fn frame(
    world: &World<'_>,
    step: &Step,
    trail: Option<&Trail<'_>>,
    answer: bool,
    out: End,
    next: End,
) -> Option<Vec<u8>> {
    let packet = step.leaving();
    let seen = trail.and_then(|trail| trail.sights.first());
    let (transport, data) = match seen {
        Some(seen) => again(&packet, &seen.frame.bytes)?,
        None => (anew(&packet)?, Vec::new()),
    };
    let transport = if answer { answering(transport) } else { transport };
    let ttl = trail.and_then(Trail::last).filter(|_| !answer).map_or(USUAL_TTL, |sight| sight.packet.ttl.max(2) - 1);
    let ip = under(&packet, ttl, transport, &data)?;
    let ethernet = Ethernet2Header {
        source: world.interface(out)?.mac?.0,
        destination: world.interface(next)?.mac?.0,
        ether_type: if packet.to.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 },
    };
    Some([&ethernet.to_bytes()[..], &ip].concat())
}

/// What was captured, with the ports that it has now. What has a connection before it does not go on alone.
fn again(packet: &Travelling, bytes: &[u8]) -> Option<(TransportHeader, Vec<u8>)> {
    let (source_port, port) = (packet.source_port, packet.port);
    let (header, data) = match LaxSlicedPacket::from_ethernet(bytes).ok()?.transport? {
        TransportSlice::Tcp(tcp) if tcp.syn() => {
            (TransportHeader::Tcp(TcpHeader { source_port, destination_port: port, ..tcp.to_header() }), tcp.payload())
        }
        TransportSlice::Udp(udp) => (TransportHeader::Udp(datagram(packet)), udp.payload()),
        TransportSlice::Icmpv4(icmp) => {
            (TransportHeader::Icmpv4(Icmpv4Header::new(named(icmp.icmp_type(), source_port))), icmp.payload())
        }
        TransportSlice::Icmpv6(icmp) => {
            (TransportHeader::Icmpv6(Icmpv6Header::new(named_six(icmp.icmp_type(), source_port))), icmp.payload())
        }
        TransportSlice::Tcp(_) | TransportSlice::Igmp(_) => return None,
    };
    Some((header, data[..data.len().min(MOST_DATA)].to_vec()))
}

/// The first packet of a probe that has not left its sender.
fn anew(packet: &Travelling) -> Option<TransportHeader> {
    /// What a sender of Linux offers at first.
    const WINDOW: u16 = 64_240;
    let echo = IcmpEchoHeader { id: packet.source_port, seq: 1 };
    Some(match packet.protocol {
        Protocol::Tcp => {
            let header = TcpHeader::new(packet.source_port, packet.port, 1, WINDOW);
            TransportHeader::Tcp(TcpHeader { syn: true, ..header })
        }
        Protocol::Udp => TransportHeader::Udp(datagram(packet)),
        Protocol::Icmp if packet.to.is_ipv4() => {
            TransportHeader::Icmpv4(Icmpv4Header::new(Icmpv4Type::EchoRequest(echo)))
        }
        Protocol::Icmp => TransportHeader::Icmpv6(Icmpv6Header::new(Icmpv6Type::EchoRequest(echo))),
        Protocol::Neighbour => return None,
    })
}

fn datagram(packet: &Travelling) -> UdpHeader {
    UdpHeader { source_port: packet.source_port, destination_port: packet.port, length: 0, checksum: 0 }
}

/// What a receiver says to the first packet of a probe (RFC 9293, section 3.5; RFC 792; RFC 4443, section 4.2).
fn answering(asked: TransportHeader) -> TransportHeader {
    match asked {
        TransportHeader::Tcp(syn) => {
            let acknowledgment_number = syn.sequence_number.wrapping_add(1);
            TransportHeader::Tcp(TcpHeader { ack: true, acknowledgment_number, sequence_number: 1, ..syn })
        }
        TransportHeader::Icmpv4(Icmpv4Header { icmp_type: Icmpv4Type::EchoRequest(echo), .. }) => {
            TransportHeader::Icmpv4(Icmpv4Header::new(Icmpv4Type::EchoReply(echo)))
        }
        TransportHeader::Icmpv6(Icmpv6Header { icmp_type: Icmpv6Type::EchoRequest(echo), .. }) => {
            TransportHeader::Icmpv6(Icmpv6Header::new(Icmpv6Type::EchoReply(echo)))
        }
        other => other,
    }
}

/// An echo with another identifier: who translates changes it as it changes ports (RFC 5508, section 3.1).
fn named(kind: Icmpv4Type, id: u16) -> Icmpv4Type {
    match kind {
        Icmpv4Type::EchoRequest(echo) => Icmpv4Type::EchoRequest(IcmpEchoHeader { id, ..echo }),
        Icmpv4Type::EchoReply(echo) => Icmpv4Type::EchoReply(IcmpEchoHeader { id, ..echo }),
        other => other,
    }
}

fn named_six(kind: Icmpv6Type, id: u16) -> Icmpv6Type {
    match kind {
        Icmpv6Type::EchoRequest(echo) => Icmpv6Type::EchoRequest(IcmpEchoHeader { id, ..echo }),
        Icmpv6Type::EchoReply(echo) => Icmpv6Type::EchoReply(IcmpEchoHeader { id, ..echo }),
        other => other,
    }
}

/// The packet from its IP header on, with all checksums.
fn under(packet: &Travelling, ttl: u8, mut transport: TransportHeader, data: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(transport.header_len() + data.len()).ok()?;
    if let TransportHeader::Udp(udp) = &mut transport {
        udp.length = length;
    }
    let protocol = IpNumber(packet.protocol.number(packet.to.is_ipv6()));
    let mut bytes = match (packet.from?, packet.to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut ip = Ipv4Header::new(length, ttl, protocol, from.octets(), to.octets()).ok()?;
            ip.header_checksum = ip.calc_header_checksum();
            transport.update_checksum_ipv4(&ip, data).ok()?;
            ip.to_bytes().to_vec()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let ip = Ipv6Header {
                payload_length: length,
                next_header: protocol,
                hop_limit: ttl,
                source: from.octets(),
                destination: to.octets(),
                ..Ipv6Header::default()
            };
            transport.update_checksum_ipv6(&ip, data).ok()?;
            ip.to_bytes().to_vec()
        }
        _ => return None,
    };
    transport.write(&mut bytes).ok()?;
    bytes.extend_from_slice(data);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Fingerprint, Payload, decode};

    fn travelling(protocol: Protocol, six: bool) -> Travelling {
        let address = |last: u16| -> IpAddr {
            if six { [0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into() } else { [10, 0, 0, last.to_be_bytes()[1]].into() }
        };
        let (from, to) = (Some(address(1)), address(2));
        Travelling { from, to, protocol, source_port: 4000, port: 80, length: 0, whole: true }
    }

    fn framed(packet: &Travelling, ttl: u8, transport: TransportHeader, data: &[u8]) -> Vec<u8> {
        let kind = if packet.to.is_ipv6() { [0x86, 0xdd] } else { [0x08, 0x00] };
        [&[2; 12][..], &kind, &under(packet, ttl, transport, data).expect("it has both ends")].concat()
    }

    #[test]
    fn a_packet_goes_on_with_other_ends_and_the_same_content() {
        for six in [false, true] {
            for protocol in [Protocol::Icmp, Protocol::Tcp, Protocol::Udp] {
                let first = travelling(protocol, six);
                let bytes = framed(&first, 64, anew(&first).expect("a probe begins so"), b"nonce");
                let changed =
                    Travelling { to: first.from.expect("it has one"), port: 8080, source_port: 4001, ..first };
                let (transport, data) = again(&changed, &bytes).expect("it is the first of a probe");
                let bytes = framed(&changed, 63, transport, &data);
                let (before, after) = (first, decode(&bytes).expect("it can be read"));
                assert_eq!((after.from, after.to, after.ttl), (before.from.expect("it has one"), changed.to, 63));
                match (protocol, &after.payload) {
                    (Protocol::Tcp, Payload::Tcp { source_port: 4001, port: 8080, syn: true, .. }) => {}
                    (Protocol::Udp, Payload::Udp { source_port: 4001, port: 8080, data }) => assert_eq!(data, b"nonce"),
                    (Protocol::Icmp, Payload::Icmp(_)) => {
                        assert!(matches!(after.fingerprint(), Fingerprint::Echo { .. }), "{after:?}");
                    }
                    (_, other) => panic!("{protocol:?} became {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_has_a_connection_before_it_stays() {
        let packet = travelling(Protocol::Tcp, false);
        let header = TcpHeader { ack: true, ..TcpHeader::new(4000, 80, 7, 100) };
        assert_eq!(again(&packet, &framed(&packet, 64, TransportHeader::Tcp(header), b"GET /")), None);
        assert_eq!(again(&packet, &[0; 60]), None);
    }
}
