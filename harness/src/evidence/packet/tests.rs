//! Frames made by hand, byte by byte from the RFCs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 2);
const HERE6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const THERE6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 2);
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    joined(&[&OTHER, &OWN, &ethertype.to_be_bytes(), payload])
}

fn number(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("frames of tests are short").to_be_bytes()
}

fn ipv4_between(from: Ipv4Addr, to: Ipv4Addr, fragment: [u8; 2], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = number(20 + payload.len());
    joined(&[&[0x45, 0], &length, &[0, 7], &fragment, &[63, protocol, 0, 0], &from.octets(), &to.octets(), payload])
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_between(HERE, THERE, [0x40, 0], protocol, payload)
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = number(payload.len());
    joined(&[&[0x60, 0, 0, 0], &length, &[next, 62], &HERE6.octets(), &THERE6.octets(), payload])
}

fn tcp_segment(flags: u8) -> Vec<u8> {
    joined(&[
        &40_000_u16.to_be_bytes(),
        &80_u16.to_be_bytes(),
        &[0, 0, 1, 0, 0, 0, 2, 0],
        &[0x50, flags, 1, 0, 0, 0, 0, 0],
    ])
}

fn datagram(data: &[u8]) -> Vec<u8> {
    joined(&[&5000_u16.to_be_bytes(), &53_u16.to_be_bytes(), &number(8 + data.len()), &[0, 0], data])
}

fn echo_message(kind: u8) -> Vec<u8> {
    vec![kind, 0, 0, 0, 0x12, 0x34, 0, 9, b'd', b'a', b't', b'a']
}

fn arp(operation: u8, from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let payload = joined(&[&[0, 1, 8, 0, 6, 4, 0, operation], &OWN, &from.octets(), &[0; 6], &to.octets()]);
    ethernet(0x0806, &payload)
}

/// A packet between the two ends.
fn between(v6: bool, length: u32, payload: Payload) -> Packet {
    let (from, to) = if v6 { (HERE6.into(), THERE6.into()) } else { (HERE.into(), THERE.into()) };
    let ttl = if v6 { 62 } else { 63 };
    Packet { macs: Some((Mac(OWN), Mac(OTHER))), from, to, ttl, length, whole: true, fragment: false, payload }
}

fn syn() -> Payload {
    let (source_port, port, sequence, acknowledged) = (40_000, 80, 0x100, 0x200);
    Payload::Tcp { source_port, port, sequence, acknowledged, syn: true, ack: false, rst: false, fin: false }
}

fn error(kind: u8, code: u8, mtu: Option<u32>, about: Option<Quoted>) -> Payload {
    Payload::Icmp(Icmp::Error { kind, code, mtu, about })
}

fn quote(protocol: u8, ports: (u16, u16)) -> Quoted {
    Quoted { from: HERE.into(), to: THERE.into(), protocol, ports }
}

fn quote6(protocol: u8, ports: (u16, u16)) -> Quoted {
    Quoted { from: HERE6.into(), to: THERE6.into(), protocol, ports }
}

#[test]
fn transports_are_read() {
    let echo = |reply| Payload::Icmp(Icmp::Echo { reply, identifier: 0x1234, sequence: 9 });
    let data = Payload::Udp { source_port: 5000, port: 53, data: b"hello".to_vec() };
    let other = |protocol| Payload::Other { protocol };
    // A hop-by-hop header of 8 bytes, with a padding option.
    let extended = |next: u8, payload: &[u8]| joined(&[&[next, 0, 1, 4, 0, 0, 0, 0], payload]);
    for (frame, expected) in [
        (ethernet(0x0800, &ipv4(6, &tcp_segment(0x02))), between(false, 40, syn())),
        (ethernet(0x86dd, &ipv6(6, &tcp_segment(0x02))), between(true, 60, syn())),
        (ethernet(0x0800, &ipv4(17, &datagram(b"hello"))), between(false, 33, data.clone())),
        (ethernet(0x86dd, &ipv6(17, &datagram(b"hello"))), between(true, 53, data.clone())),
        (ethernet(0x86dd, &ipv6(0, &extended(17, &datagram(b"hello")))), between(true, 61, data)),
        (ethernet(0x0800, &ipv4(1, &echo_message(8))), between(false, 32, echo(false))),
        (ethernet(0x0800, &ipv4(1, &echo_message(0))), between(false, 32, echo(true))),
        (ethernet(0x86dd, &ipv6(58, &echo_message(128))), between(true, 52, echo(false))),
        (ethernet(0x86dd, &ipv6(58, &echo_message(129))), between(true, 52, echo(true))),
        (ethernet(0x0800, &ipv4(58, &echo_message(128))), between(false, 32, other(58))),
        (ethernet(0x0800, &ipv4(132, &[1, 2, 3])), between(false, 23, other(132))),
        (ethernet(0x0800, &ipv4(6, &[1, 2, 3])), between(false, 23, other(6))),
        (
            ethernet(0x86dd, &ipv6(58, &[143, 0, 0, 0])),
            between(true, 44, Payload::Icmp(Icmp::Other { kind: 143, code: 0 })),
        ),
    ] {
        assert_eq!(decode(&frame), Some(expected), "{frame:02x?}");
    }
}

#[test]
fn flags_are_told_apart() {
    for (flags, expected) in [
        (0x02, (true, false, false, false)),
        (0x12, (true, true, false, false)),
        (0x14, (false, true, true, false)),
        (0x11, (false, true, false, true)),
        (0xc8, (false, false, false, false)),
    ] {
        let packet = decode(&ethernet(0x0800, &ipv4(6, &tcp_segment(flags)))).expect("a whole frame is read");
        let Payload::Tcp { syn, ack, rst, fin, .. } = packet.payload else { panic!("{packet:?} carries no TCP") };
        assert_eq!((syn, ack, rst, fin), expected, "{flags:#x}");
    }
}

#[test]
fn tags_are_skipped_and_padding_is_no_data() {
    let inner = joined(&[&[0x08, 0x00], &ipv4(17, &datagram(b"x")), &[0; 20]]);
    let expected = between(false, 29, Payload::Udp { source_port: 5000, port: 53, data: b"x".to_vec() });
    for tags in [vec![], vec![0x81, 0x00, 0, 5], vec![0x88, 0xa8, 0, 9, 0x81, 0x00, 0, 5]] {
        let frame = joined(&[&OTHER, &OWN, &tags, &inner]);
        assert_eq!(decode(&frame), Some(expected.clone()), "{frame:02x?}");
    }
}

#[test]
fn fragments_have_no_ports_but_the_first_has() {
    let first = decode(&ethernet(0x0800, &ipv4_between(HERE, THERE, [0x20, 0], 17, &datagram(b"data"))));
    let first = first.expect("a whole frame is read");
    assert!(!first.fragment && !first.whole && matches!(first.payload, Payload::Udp { .. }), "{first:?}");
    let second = decode(&ethernet(0x0800, &ipv4_between(HERE, THERE, [0x00, 0x10], 17, &datagram(b"data"))));
    let second = second.expect("a whole frame is read");
    assert!(second.fragment && second.payload == Payload::Other { protocol: 17 }, "{second:?}");
    for (offset, behind) in [([0, 1], false), ([1, 1], true), ([1, 0], true)] {
        let fragment = joined(&[&[17, 0], &offset, &[0, 0, 0, 1], &datagram(b"data")]);
        let packet = decode(&ethernet(0x86dd, &ipv6(44, &fragment))).expect("a whole frame is read");
        assert_eq!(packet.fragment, behind, "{packet:?}");
        assert_eq!(matches!(packet.payload, Payload::Udp { .. }), !behind, "{packet:?}");
    }
}

#[test]
fn errors_quote_what_they_are_about() {
    let about = |kind: u8, code: u8, word: [u8; 4], quoted: &[u8]| joined(&[&[kind, code, 0, 0], &word, quoted]);
    let (short, none) = (&tcp_segment(0x02)[..8], [0; 4]);
    let udp = ipv4(17, &datagram(b"")[..8]);
    let (tcp_quote, udp_quote) = (Some(quote(6, (40_000, 80))), Some(quote(17, (5000, 53))));
    let echo_quote = Some(quote(1, (0x1234, 9)));
    let message = |kind, code, word, quoted: &[u8]| ethernet(0x0800, &ipv4(1, &about(kind, code, word, quoted)));
    for (frame, expected) in [
        (message(3, 1, none, &ipv4(6, short)), error(3, 1, None, tcp_quote.clone())),
        (message(3, 4, [0, 0, 0x05, 0xdc], &udp), error(3, 4, Some(1500), udp_quote.clone())),
        (message(3, 4, none, &udp), error(3, 4, None, udp_quote)),
        (message(5, 1, [10, 0, 0, 9], &ipv4(1, &echo_message(8))), error(5, 1, None, echo_quote.clone())),
        (message(11, 0, none, &ipv4(1, &echo_message(8)[..8])), error(11, 0, None, echo_quote)),
        (message(12, 0, none, &ipv4(6, short)), error(12, 0, None, tcp_quote)),
        (message(11, 0, none, &ipv4(6, &[])), error(11, 0, None, Some(quote(6, (0, 0))))),
        (message(11, 0, none, &ipv4(6, short)[..12]), error(11, 0, None, None)),
    ] {
        assert_eq!(decode(&frame).expect("a whole frame is read").payload, expected, "{frame:02x?}");
    }
    let message = |kind, code, word, quoted: &[u8]| ethernet(0x86dd, &ipv6(58, &about(kind, code, word, quoted)));
    let redirected = joined(&[&[4, 7, 0, 0, 0, 0, 0, 0], &ipv6(6, short)]);
    let options = joined(&[&[2, 1], &OTHER, &redirected]);
    for (frame, expected) in [
        (message(1, 4, none, &ipv6(17, &datagram(b""))), error(1, 4, None, Some(quote6(17, (5000, 53))))),
        (message(2, 0, [0, 0, 0x05, 0], &ipv6(6, short)), error(2, 0, Some(1280), Some(quote6(6, (40_000, 80))))),
        (message(3, 0, none, &ipv6(58, &echo_message(128))), error(3, 0, None, Some(quote6(58, (0x1234, 9))))),
        (message(4, 1, none, &ipv6(17, &[])), error(4, 1, None, Some(quote6(17, (0, 0))))),
        (message(137, 0, none, &joined(&[&[0; 32], &options])), error(137, 0, None, Some(quote6(6, (40_000, 80))))),
        (message(137, 0, none, &[0; 32]), error(137, 0, None, None)),
    ] {
        assert_eq!(decode(&frame).expect("a whole frame is read").payload, expected, "{frame:02x?}");
    }
}

#[test]
fn neighbours_ask_and_answer() {
    let nobody = Ipv4Addr::UNSPECIFIED;
    for (frame, from, to, answer, about) in [
        (arp(1, HERE, THERE), HERE, THERE, false, THERE),
        (arp(1, nobody, THERE), nobody, THERE, false, THERE),
        (arp(1, HERE, HERE), HERE, HERE, false, HERE),
        (arp(2, HERE, THERE), HERE, THERE, true, HERE),
    ] {
        let packet = decode(&frame).expect("ARP is read");
        assert_eq!((packet.from, packet.to), (IpAddr::from(from), IpAddr::from(to)));
        let question = Question { answer, about: about.into(), mac: Some(Mac(OWN)) };
        assert_eq!(packet.payload, Payload::Neighbour(question));
    }
    assert_eq!(decode(&arp(3, HERE, THERE)), None);
    let wanted = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 9);
    let message = |kind: u8, options: &[u8]| {
        ethernet(0x86dd, &ipv6(58, &joined(&[&[kind, 0, 0, 0, 0x60, 0, 0, 0], &wanted.octets(), options])))
    };
    let with_mac = |kind: u8| joined(&[&[kind, 1], &OWN]);
    for (frame, answer, to, mac) in [
        (message(135, &with_mac(1)), false, wanted, Some(Mac(OWN))),
        (message(135, &[]), false, wanted, None),
        (message(135, &with_mac(2)), false, wanted, None),
        (message(136, &with_mac(2)), true, THERE6, Some(Mac(OWN))),
        (message(136, &[2, 0, 1, 2, 3, 4, 5, 6]), true, THERE6, None),
    ] {
        let packet = decode(&frame).expect("neighbour discovery is read");
        assert_eq!((packet.from, packet.to), (HERE6.into(), to.into()));
        assert_eq!(packet.payload, Payload::Neighbour(Question { answer, about: wanted.into(), mac }));
    }
}

#[test]
fn nothing_of_interest_is_nothing() {
    for frame in [vec![], vec![0; 13], vec![0; 60], ethernet(0x88cc, &[0; 40]), ethernet(0x0800, &[0x45, 0, 0])] {
        assert_eq!(decode(&frame), None, "{frame:02x?}");
    }
}

#[test]
fn headers_of_a_rule_trace_are_read() {
    let without_macs = |v6, length, payload| Packet { macs: None, ..between(v6, length, payload) };
    // A SYN has options, and of 40 bytes the kernel shows 20.
    let mut segment = tcp_segment(0x02);
    segment[12] = 0xa0;
    let header = &ipv4(6, &[0; 40])[..20];
    assert_eq!(decode_headers(header, &segment), Some(without_macs(false, 60, syn())));
    assert_eq!(decode_headers(&[0x30; 20], &segment), None);
    assert_eq!(decode_headers(&ipv6(6, &[0; 40])[..40], &segment), Some(without_macs(true, 80, syn())));
    // Of data only the start is shown: it is not the fingerprint of any frame.
    let shown = datagram(&[7; 100]);
    let packet = decode_headers(&ipv4(17, &shown)[..20], &shown[..20]).expect("whole headers are read");
    assert_eq!(packet.payload, Payload::Udp { source_port: 5000, port: 53, data: Vec::new() });
    // 60 bytes of an IPv4 header with all options there can be, of which 40 are shown.
    let mut long = ipv4(6, &[0; 80])[..40].to_vec();
    long[0] = 0x4f;
    assert_eq!(decode_headers(&long, &segment).map(|packet| packet.payload), Some(syn()));
    // What stands behind extension headers that are not shown is not guessed.
    let hidden = decode_headers(&ipv6(0, &[0; 40])[..40], &segment).expect("a whole header is read");
    assert_eq!(hidden.payload, Payload::Other { protocol: 0 });
    // A whole packet in the place of its header.
    assert_eq!(decode_headers(&ipv4(6, &segment), &[]), Some(without_macs(false, 40, syn())));
    assert_eq!(decode_headers(&[], &[]), None);
    // ARP has one header and nothing behind it.
    let question = decode_headers(&arp(1, HERE, THERE)[14..], &[]).expect("ARP is read");
    assert_eq!(question, Packet { macs: None, ..decode(&arp(1, HERE, THERE)).expect("ARP is read") });
}

/// A flow of the tests' packets.
fn flow(protocol: Protocol, source_port: u16, port: u16) -> Flow {
    Flow { from: 0, source: Some(HERE.into()), to: THERE.into(), protocol, source_port, port }
}

fn turned(packet: &Packet) -> Packet {
    let mut turned = Packet { from: packet.to, to: packet.from, ..packet.clone() };
    match &mut turned.payload {
        Payload::Tcp { source_port, port, .. } | Payload::Udp { source_port, port, .. } => {
            std::mem::swap(source_port, port);
        }
        Payload::Icmp(Icmp::Echo { reply, .. }) => *reply = !*reply,
        _ => {}
    }
    turned
}

#[test]
fn packets_of_a_flow_are_recognised() {
    let tcp = between(false, 40, syn());
    let udp = between(false, 30, Payload::Udp { source_port: 5000, port: 53, data: Vec::new() });
    let echo = between(false, 32, Payload::Icmp(Icmp::Echo { reply: false, identifier: 1, sequence: 1 }));
    let of_tcp = flow(Protocol::Tcp, 40_000, 80);
    let elsewhere = IpAddr::from([10, 0, 0, 99]);
    for (packet, flow, expected) in [
        (&tcp, of_tcp.clone(), true),
        (&tcp, flow(Protocol::Tcp, 0, 80), true),
        (&tcp, Flow { source: None, ..of_tcp.clone() }, true),
        (&tcp, flow(Protocol::Tcp, 40_001, 80), false),
        (&tcp, flow(Protocol::Tcp, 40_000, 81), false),
        (&tcp, flow(Protocol::Udp, 40_000, 80), false),
        (&tcp, Flow { source: Some(elsewhere), ..of_tcp.clone() }, false),
        (&tcp, Flow { to: elsewhere, ..of_tcp.clone() }, false),
        (&udp, flow(Protocol::Udp, 5000, 53), true),
        (&udp, flow(Protocol::Udp, 5000, 54), false),
        (&echo, flow(Protocol::Icmp, 0, 0), true),
        (&echo, flow(Protocol::Tcp, 0, 0), false),
    ] {
        assert_eq!(packet.is_request_of(&flow), expected, "{packet:?} of {flow:?}");
        assert_eq!(turned(packet).is_answer_to(&flow), expected, "the answer to {packet:?} of {flow:?}");
        assert!(!packet.is_answer_to(&flow) && !turned(packet).is_request_of(&flow), "{packet:?} turned");
    }
    let question = decode(&arp(1, HERE, THERE)).expect("ARP is read");
    let answer = decode(&arp(2, THERE, HERE)).expect("ARP is read");
    let asked = flow(Protocol::Neighbour, 0, 0);
    assert!(question.is_request_of(&asked) && !question.is_answer_to(&asked));
    assert!(answer.is_answer_to(&asked) && !answer.is_request_of(&asked));
    assert!(!question.is_request_of(&of_tcp) && !answer.is_answer_to(&of_tcp));
}

#[test]
fn errors_about_a_flow_are_recognised() {
    let about = |quoted| between(false, 56, error(3, 1, None, quoted));
    for (quoted, flow, expected) in [
        (Some(quote(6, (40_000, 80))), flow(Protocol::Tcp, 40_000, 80), true),
        (Some(quote(6, (40_000, 80))), flow(Protocol::Tcp, 0, 80), true),
        (Some(quote(6, (40_000, 80))), flow(Protocol::Tcp, 40_000, 81), false),
        (Some(quote(17, (40_000, 80))), flow(Protocol::Tcp, 40_000, 80), false),
        (Some(quote(1, (77, 3))), flow(Protocol::Icmp, 0, 0), true),
        (Some(quote(1, (0, 0))), flow(Protocol::Neighbour, 0, 0), false),
        (None, flow(Protocol::Tcp, 0, 80), false),
    ] {
        let packet = about(quoted);
        assert_eq!(packet.is_error_about(&flow), expected, "{packet:?} about {flow:?}");
        assert!(!packet.is_request_of(&flow) && !packet.is_answer_to(&flow));
    }
}

#[test]
fn a_packet_is_recognised_behind_nat() {
    let echo = |identifier| Payload::Icmp(Icmp::Echo { reply: false, identifier, sequence: 9 });
    let Payload::Tcp { sequence, acknowledged, syn: begins, ack, rst, fin, .. } = syn() else { unreachable!() };
    let port =
        |source_port| Payload::Tcp { source_port, port: 8080, sequence, acknowledged, syn: begins, ack, rst, fin };
    for (before, behind) in [(syn(), port(1024)), (echo(7), echo(4000))] {
        let (before, mut behind) = (between(false, 40, before), between(false, 40, behind));
        (behind.from, behind.to, behind.ttl) = (THERE.into(), HERE.into(), 1);
        assert_eq!(before.fingerprint(), behind.fingerprint());
    }
    assert_eq!(between(false, 28, echo(7)).identifier(), Some(7));
    let answered = decode(&ethernet(0x0800, &ipv4(6, &tcp_segment(0x12)))).expect("a whole frame is read");
    assert_ne!(answered.fingerprint(), between(false, 40, syn()).fingerprint());
}

/// One frame of every kind.
fn seeds() -> Vec<Vec<u8>> {
    let quoted = joined(&[&[3, 4, 0, 0, 0, 0, 5, 0], &ipv4(6, &tcp_segment(2))]);
    let quoted6 = joined(&[&[137, 0, 0, 0], &[0; 36], &[2, 1], &OWN, &[4, 8], &[0; 6], &ipv6(17, &datagram(b"data"))]);
    let asks = joined(&[&[135, 0, 0, 0, 0, 0, 0, 0], &THERE6.octets(), &[1, 1], &OWN]);
    let tagged = joined(&[&[0, 5, 0x86, 0xdd], &ipv6(44, &joined(&[&[17, 0, 0, 1, 0, 0, 0, 1], &datagram(b"data")]))]);
    vec![
        arp(1, HERE, THERE),
        ethernet(0x0800, &ipv4(6, &tcp_segment(2))),
        ethernet(0x0800, &ipv4(17, &datagram(b"data"))),
        ethernet(0x0800, &ipv4(1, &quoted)),
        ethernet(0x86dd, &ipv6(58, &quoted6)),
        ethernet(0x86dd, &ipv6(58, &asks)),
        ethernet(0x8100, &tagged),
    ]
}

#[test]
fn a_frame_cut_anywhere_is_read_or_not() {
    for frame in seeds() {
        for cut in 0..frame.len() {
            decode(&frame[..cut]);
            decode_headers(frame.get(14..cut).unwrap_or_default(), &[]);
            decode_headers(frame.get(14..cut).unwrap_or_default(), &frame[..cut]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_in_a_frame_is_read_or_not(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        more in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut frame = seeds()[seed.index(seeds().len())].clone();
        for (place, byte) in changes {
            let place = place.index(frame.len());
            frame[place] = byte;
        }
        frame.extend(more);
        frame.truncate(cut.index(frame.len() + 1));
        if let Some(packet) = decode(&frame) {
            packet.fingerprint();
        }
        let packet = frame.get(14..).unwrap_or_default();
        decode_headers(packet, &[]);
        for length in [20, 40] {
            let (header, behind) = packet.split_at(packet.len().min(length));
            decode_headers(header, behind);
        }
    }
}
