//! From bytes to a [`Packet`]. Frames are cut short, so every length is one that a header says, and whatever is missing
//! makes the packet say less: nothing here fails.

use std::net::IpAddr;

use etherparse::{ArpOperation, ArpPacketSlice, LaxNetSlice, LaxSlicedPacket};

use super::{Icmp, Packet, Payload, Question, Quoted};
use crate::words::Mac;

/// How much of a datagram's data tells it from others.
const DATA: u16 = 64;

/// Numbers in the IP header (IANA, "Assigned Internet Protocol Numbers").
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;

/// Hop-by-hop options, routing, fragment, authentication, destination options (RFC 8200, section 4; RFC 4302).
const EXTENSIONS: [u8; 5] = [0, 43, 44, 51, 60];

/// Reads a frame, from the Ethernet header on; `None` for one that is neither IP nor ARP, or that cannot be read.
pub fn decode(frame: &[u8]) -> Option<Packet> {
    let (to, from) = (mac_at(frame, 0)?, mac_at(frame, 6)?);
    let packet = match LaxSlicedPacket::from_ethernet(frame).ok()?.net? {
        LaxNetSlice::Arp(arp) => arp_packet(&arp)?,
        net => packet(&network(&net)?),
    };
    Some(Packet { macs: Some((from, to)), ..packet })
}

/// Reads what a rule trace shows: the header of IP, and the start of what it carries, or that of ARP. A whole packet may
/// stand in the place of its header, with nothing behind.
pub fn decode_headers(header: &[u8], transport: &[u8]) -> Option<Packet> {
    let first = *header.first()?;
    let version = first >> 4;
    // What begins with neither version begins with the kind of hardware, which is 1 for Ethernet (RFC 826).
    if !matches!(version, 4 | 6) {
        return arp_packet(&ArpPacketSlice::from_slice(header).ok()?);
    }
    let mut bytes = header.to_vec();
    if version == 6 {
        // The kernel shows 40 bytes (`NFT_TRACETYPE_NETWORK_HSIZE` of net/netfilter/nf_tables_trace.c): extension headers
        // are not among them, and what stands behind them cannot be read without.
        let next = *header.get(6)?;
        if header.len() == 40 && EXTENSIONS.contains(&next) {
            return Some(packet(&network(&LaxSlicedPacket::from_ip(header).ok()?.net?)?));
        }
    } else {
        // Likewise the last options of IPv4, up to 60 bytes; nobody reads them.
        let length = usize::from(first & 0xf) * 4;
        bytes.resize(bytes.len().max(length), 0);
    }
    bytes.extend_from_slice(transport);
    Some(packet(&network(&LaxSlicedPacket::from_ip(&bytes).ok()?.net?)?))
}

/// An IP header read, and what stands behind it.
struct Network<'a> {
    from: IpAddr,
    to: IpAddr,
    ttl: u8,
    length: u32,
    whole: bool,
    fragment: bool,
    protocol: u8,
    carried: &'a [u8],
}

fn network<'a>(net: &LaxNetSlice<'a>) -> Option<Network<'a>> {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            Some(Network {
                from: header.source_addr().into(),
                to: header.destination_addr().into(),
                ttl: header.ttl(),
                length: header.total_len().into(),
                whole: header.dont_fragment(),
                fragment: header.fragments_offset().value() > 0,
                protocol: ip.payload().ip_number.0,
                carried: ip.payload().payload,
            })
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            Some(Network {
                from: header.source_addr().into(),
                to: header.destination_addr().into(),
                ttl: header.hop_limit(),
                length: 40 + u32::from(header.payload_length()),
                whole: true,
                fragment: is_later_fragment(header.next_header().0, ip.extensions().slice()),
                protocol: ip.payload().ip_number.0,
                carried: ip.payload().payload,
            })
        }
        LaxNetSlice::Arp(_) => None,
    }
}

/// Whether extension headers say that a packet is a fragment that is not the first (RFC 8200, sections 4.2 to 4.6).
///
/// etherparse's own iterator over them reads beyond the end of a packet that was cut inside one.
fn is_later_fragment(first: u8, mut headers: &[u8]) -> bool {
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    let mut kind = first;
    while EXTENSIONS.contains(&kind) {
        let (Some(next), Some(length)) = (headers.first(), headers.get(1)) else { return false };
        let length = usize::from(*length);
        if kind == FRAGMENT {
            return u16_at(headers, 2).is_some_and(|offset| offset >> 3 > 0);
        }
        let size = if kind == AUTHENTICATION { (length + 2) * 4 } else { (length + 1) * 8 };
        headers = headers.get(size..).unwrap_or_default();
        kind = *next;
    }
    false
}

fn packet(network: &Network) -> Packet {
    let payload = payload(network).unwrap_or(Payload::Other { protocol: network.protocol });
    let to = match &payload {
        Payload::Neighbour(question) if !question.answer => question.about,
        _ => network.to,
    };
    let &Network { from, ttl, length, whole, fragment, .. } = network;
    Packet { macs: None, from, to, ttl, length, whole, fragment, payload }
}

fn payload(network: &Network) -> Option<Payload> {
    let bytes = network.carried;
    match network.protocol {
        _ if network.fragment => None,
        TCP => tcp(bytes),
        UDP => udp(bytes),
        ICMP if network.from.is_ipv4() => icmp(bytes).map(Payload::Icmp),
        ICMP6 if network.from.is_ipv6() => icmp6(bytes),
        _ => None,
    }
}

/// RFC 9293, section 3.1. Options are not read, and may be missing.
fn tcp(bytes: &[u8]) -> Option<Payload> {
    let flags = *bytes.get(13)?;
    Some(Payload::Tcp {
        source_port: u16_at(bytes, 0)?,
        port: u16_at(bytes, 2)?,
        sequence: u32_at(bytes, 4)?,
        acknowledged: u32_at(bytes, 8)?,
        fin: flags & 0x01 != 0,
        syn: flags & 0x02 != 0,
        rst: flags & 0x04 != 0,
        ack: flags & 0x10 != 0,
    })
}

/// RFC 768.
fn udp(bytes: &[u8]) -> Option<Payload> {
    let wanted = u16_at(bytes, 4)?.saturating_sub(8).min(DATA);
    let data = bytes.get(8..8 + usize::from(wanted)).unwrap_or_default().to_vec();
    Some(Payload::Udp { source_port: u16_at(bytes, 0)?, port: u16_at(bytes, 2)?, data })
}

/// RFC 792; the size that fits stands in RFC 1191, section 4.
fn icmp(bytes: &[u8]) -> Option<Icmp> {
    let (kind, code) = (*bytes.first()?, *bytes.get(1)?);
    let read = match kind {
        0 | 8 => echo(bytes, kind == 0),
        3 | 4 | 5 | 11 | 12 => {
            let mtu =
                if (kind, code) == (3, 4) { u16_at(bytes, 6).filter(|mtu| *mtu > 0).map(u32::from) } else { None };
            Some(Icmp::Error { kind, code, mtu, about: bytes.get(8..).and_then(quoted) })
        }
        _ => None,
    };
    Some(read.unwrap_or(Icmp::Other { kind, code }))
}

/// RFC 4443; neighbour discovery and redirects stand in RFC 4861, section 4.
fn icmp6(bytes: &[u8]) -> Option<Payload> {
    let (kind, code) = (*bytes.first()?, *bytes.get(1)?);
    let read = match kind {
        128 | 129 => echo(bytes, kind == 129).map(Payload::Icmp),
        1..=4 => {
            let mtu = if kind == 2 { u32_at(bytes, 4) } else { None };
            Some(Payload::Icmp(Icmp::Error { kind, code, mtu, about: bytes.get(8..).and_then(quoted) }))
        }
        // The packet stands in the option "redirected header", behind six reserved bytes.
        137 => {
            let about =
                bytes.get(40..).and_then(|options| option(options, 4)).and_then(|header| quoted(header.get(6..)?));
            Some(Payload::Icmp(Icmp::Error { kind, code, mtu: None, about }))
        }
        // The link-layer address is the option "source" of a question and "target" of an answer.
        135 | 136 => ipv6_at(bytes, 8).map(|about| {
            let mac = bytes.get(24..).and_then(|options| option(options, kind - 134)).and_then(|mac| mac_at(mac, 0));
            Payload::Neighbour(Question { answer: kind == 136, about, mac })
        }),
        _ => None,
    };
    Some(read.unwrap_or(Payload::Icmp(Icmp::Other { kind, code })))
}

fn echo(bytes: &[u8], reply: bool) -> Option<Icmp> {
    Some(Icmp::Echo { reply, identifier: u16_at(bytes, 4)?, sequence: u16_at(bytes, 6)? })
}

/// The start of a packet inside an error: at least its IP header and 8 bytes (RFC 792).
fn quoted(bytes: &[u8]) -> Option<Quoted> {
    let network = network(&LaxSlicedPacket::from_ip(bytes).ok()?.net?)?;
    let at = match network.protocol {
        _ if network.fragment => None,
        TCP | UDP => Some(0),
        ICMP | ICMP6 => network.carried.first().filter(|kind| matches!(kind, 0 | 8 | 128 | 129)).map(|_| 4),
        _ => None,
    };
    let ports = at.and_then(|at| Some((u16_at(network.carried, at)?, u16_at(network.carried, at + 2)?)));
    let (from, to, protocol) = (network.from, network.to, network.protocol);
    Some(Quoted { from, to, protocol, ports: ports.unwrap_or_default() })
}

/// An option of neighbour discovery, without its type and its length in units of 8 bytes (RFC 4861, section 4.6).
fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (kind, length) = (*options.first()?, usize::from(*options.get(1)?) * 8);
        let own = options.get(2..length)?;
        if kind == wanted {
            return Some(own);
        }
        options = &options[length..];
    }
}

/// RFC 826, of IPv4 on Ethernet.
fn arp_packet(arp: &ArpPacketSlice) -> Option<Packet> {
    let arp = arp.to_packet().try_eth_ipv4().ok()?;
    let answer = match arp.operation {
        ArpOperation::REQUEST => false,
        ArpOperation::REPLY => true,
        _ => return None,
    };
    let (from, to) = (IpAddr::from(arp.sender_ipv4), IpAddr::from(arp.target_ipv4));
    let question = Question { answer, about: if answer { from } else { to }, mac: Some(Mac(arp.sender_mac)) };
    Some(Packet {
        macs: None,
        from,
        to,
        ttl: 0,
        length: 28,
        whole: true,
        fragment: false,
        payload: Payload::Neighbour(question),
    })
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_be_bytes)
}

fn mac_at(bytes: &[u8], at: usize) -> Option<Mac> {
    array_at(bytes, at).map(Mac)
}

fn ipv6_at(bytes: &[u8], at: usize) -> Option<IpAddr> {
    array_at::<16>(bytes, at).map(IpAddr::from)
}
