//! What passes the interfaces of a node is seen whole, and what is written of it is what others read.

#[path = "captures/path.rs"]
mod path;
#[path = "support/program.rs"]
mod program;
#[path = "support/reachable.rs"]
mod reachable;
#[expect(dead_code, reason = "nothing is limited here, and nobody is without privilege")]
#[path = "support/scratch.rs"]
mod scratch;
#[path = "captures/wire.rs"]
mod wire;

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use netcase::evidence::{Frame, Payload, decode};
use netcase::namespace::Namespace;
use netcase::probe::focus::Focus;
use netcase::probe::frames::{Frames, MOST_OF_INTERFACE, SNAP, Taken};
use netcase::report::bundle::pcapng;

use program::{Folder, told};
use scratch::{User, is_inside, run_inside};

/// An ethertype that nobody else uses (IEEE Std 802: local experimental).
const OURS: u16 = 0x88b5;

/// A frame of ours with a number in it.
fn ours(number: u8, tags: &[u8], length: usize) -> Vec<u8> {
    let mut frame = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], tags, &OURS.to_be_bytes(), &[number]].concat();
    frame.resize(length, 0);
    frame
}

/// The frames of ours among those that a node has seen: the kernel says a word of its own now and then.
fn of_ours(frames: Vec<Frame>) -> Vec<Frame> {
    let own = |frame: &Frame| {
        frame.bytes.get(..24).is_some_and(|start| start.windows(2).any(|two| two == OURS.to_be_bytes()))
    };
    frames.into_iter().filter(own).collect()
}

#[test]
fn frames_are_seen_on_every_interface_and_only_while_watched() {
    if !is_inside() {
        return run_inside("frames_are_seen_on_every_interface_and_only_while_watched", User::Root, &[]);
    }
    let home = Namespace::home().expect("a namespace can be made inside");
    let (node, ()) = home.beside(wire::make).expect("a node with a veth pair can be made");
    let frames = Frames::open(&node).expect("a packet socket can be opened");
    let sender = wire::Sender::open(&node);
    let take = || {
        let mut taken = Taken::new(7, Focus::on(&[1]));
        frames.take(&mut taken).expect("frames can be taken");
        let missing = taken.missing();
        (of_ours(taken.into_frames()), missing)
    };

    sender.send(&ours(1, &[], 60));
    assert_eq!(take(), (vec![], None), "a socket at rest takes nothing in");

    frames.watch().expect("a filter can be set");
    sender.send(&ours(2, &[], 60));
    frames.forget().expect("frames can be thrown away");
    let mut seen = Vec::new();
    for frame in [ours(3, &[], 60), ours(4, &[0x81, 0x00, 0x60, 0x05], 64), ours(5, &[], 9000)] {
        sender.send(&frame);
        // The other end receives in its own time.
        let (until, enough) = (Instant::now() + Duration::from_secs(5), seen.len() + 2);
        while seen.len() < enough && Instant::now() < until {
            let (more, missing) = take();
            assert_eq!(missing, None);
            seen.extend(more.into_iter().filter(|frame| frame.outgoing || frame.bytes[14] != 2));
        }
    }
    frames.rest().expect("a filter can be set");
    sender.send(&ours(6, &[], 60));
    assert_eq!(take().0, vec![], "a socket at rest takes nothing in");
    let [first, second] = wire::indexes(&node);
    let told: Vec<_> = seen.iter().map(|frame| (frame.interface, frame.outgoing, frame.vlan, frame.length)).collect();
    // A tag stays in the bytes of a frame that was sent so, and is taken off one that comes in.
    let expected = [
        (first, true, None, 60),
        (second, false, None, 60),
        (first, true, None, 64),
        (second, false, Some(5), 60),
        (first, true, None, 9000),
        (second, false, None, 9000),
    ];
    assert_eq!(told, expected);
    assert!(seen.iter().all(|frame| frame.node == 7 && frame.time > 1_600_000_000_000_000_000), "{seen:?}");
    assert!(seen.is_sorted_by_key(|frame| frame.time), "{seen:?}");
    assert_eq!(seen[0].bytes, ours(3, &[], 60));
    assert_eq!(seen[2].bytes, ours(4, &[0x81, 0x00, 0x60, 0x05], 64));
    assert_eq!(seen[3].bytes, ours(4, &[], 60));
    assert_eq!(seen[4].bytes.len(), SNAP);

    // More than is kept, and more than the kernel keeps for us.
    frames.watch().expect("a filter can be set");
    (0..30_000_u16).for_each(|number| sender.send(&ours(number.to_be_bytes()[0], &[], 60)));
    frames.rest().expect("a filter can be set");
    let (seen, missing) = take();
    let of_first = seen.iter().filter(|frame| frame.interface == first).count();
    assert!((MOST_OF_INTERFACE - 20..=MOST_OF_INTERFACE).contains(&of_first), "{of_first}");
    assert!(seen.iter().all(|frame| frame.bytes[14] <= 1), "the first ones are kept");
    let missing = missing.expect("it is told");
    assert!(missing.contains("later frames were left out") && missing.contains("was not captured"), "{missing}");
    assert_eq!(take(), (vec![], None), "what was told is not told again");
    in_a_flood(&frames, &sender);
}

/// Once other packets are a flood, the kernel gives those only that may be the probe's.
fn in_a_flood(frames: &Frames, sender: &wire::Sender) {
    let of_ipv4 = |protocol: u8, number: u8| {
        let mut frame = ours(number, &[], 60);
        (frame[12], frame[13], frame[14], frame[23], frame[50]) = (8, 0, 0x45, protocol, number);
        frame
    };
    frames.watch().expect("a filter can be set");
    let mut taken = Taken::new(7, Focus::on(&[1]));
    (0..2000).for_each(|_| sender.send(&of_ipv4(17, 0)));
    frames.begin(&mut taken).expect("frames can be taken");
    for number in 1..=3 {
        sender.send(&of_ipv4(1, number));
        (0..2000).for_each(|_| sender.send(&of_ipv4(17, 0)));
        let until = Instant::now() + Duration::from_secs(5);
        let seen = |taken: &Taken| taken.frames().iter().filter(|frame| frame.bytes[50] == number).count();
        while seen(&taken) < 2 && Instant::now() < until {
            frames.take(&mut taken).expect("frames can be taken");
        }
    }
    let numbers: Vec<u8> = taken.frames().iter().map(|frame| frame.bytes[50]).filter(|number| *number > 0).collect();
    assert_eq!(numbers, [1, 1, 2, 2, 3, 3], "{:?}", taken.missing());
    assert!(!taken.may_miss() && taken.missing().is_some_and(|missing| missing.contains("flood")));
    // What may be the probe's may be a flood itself: then enough is enough.
    (0..5).for_each(|_| {
        (0..2000).for_each(|_| sender.send(&of_ipv4(1, 0)));
        frames.take(&mut taken).expect("frames can be taken");
    });
    frames.rest().expect("a filter can be set");
    assert!(taken.may_miss() && taken.frames().len() < 4000, "{:?}", taken.missing());
}

#[test]
fn a_loopback_interface_shows_a_packet_twice() {
    if !is_inside() {
        return run_inside("a_loopback_interface_shows_a_packet_twice", User::Root, &[]);
    }
    let home = Namespace::home().expect("a namespace can be made inside");
    let (node, ()) = home.beside(wire::make).expect("a node can be made");
    let frames = Frames::open(&node).expect("a packet socket can be opened");
    frames.watch().expect("a filter can be set");
    let sender = node.within(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).expect("the loopback interface is up");
    sender.send_to(b"hello", (Ipv4Addr::LOCALHOST, 9)).expect("a datagram can be sent");
    let mut taken = Taken::new(0, Focus::on(&[1]));
    frames.take(&mut taken).expect("frames can be taken");
    assert_eq!(taken.missing(), None);
    let seen = taken.into_frames();
    let datagram = |frame: &&Frame| {
        let packet = decode(&frame.bytes);
        packet
            .is_some_and(|packet| matches!(packet.payload, Payload::Udp { port: 9, ref data, .. } if data == b"hello"))
    };
    let directions: Vec<bool> = seen.iter().filter(datagram).map(|frame| frame.outgoing).collect();
    assert_eq!(directions, [true, false], "{seen:?}");
}

/// Whether there is a reader; without it a strict run fails.
fn is_tshark_there() -> bool {
    let there = Command::new("tshark").arg("--version").output().is_ok();
    if !there {
        let reason = "skipped: tshark is not installed";
        assert!(std::env::var_os("NETCASE_STRICT").is_none_or(|strict| strict != "1"), "{reason}");
        eprintln!("{reason}");
    }
    there
}

/// By the probe's own tuple there are packets on every interface that it passed, and on none behind the place where it
/// ended.
#[test]
fn captures_show_the_probe_where_it_passed_and_nowhere_else() {
    if !is_tshark_there() {
        return;
    }
    std::thread::scope(|scope| {
        for fault in [path::Fault::Rule, path::Fault::Forwarding, path::Fault::NoWayBack] {
            for check in ["ping", "tcp", "udp"] {
                scope.spawn(move || [false, true].map(|v6| path::look(fault, check, v6)));
            }
        }
    });
}

/// Wireshark's own reader is the judge.
#[test]
fn wireshark_reads_what_is_written() {
    if !is_tshark_there() {
        return;
    }
    let folder = Folder::new("pcapng");
    let path = folder.0.join("host.eth0.pcapng");
    let time = 1_700_000_000_123_456_789;
    let plain = ours(1, &[], 61);
    let frame = |bytes: &[u8], length| Frame {
        node: 0,
        interface: 2,
        time,
        outgoing: true,
        vlan: None,
        length,
        bytes: bytes.to_vec(),
    };
    let sent = frame(&plain, 61);
    let tagged = Frame { outgoing: false, vlan: Some(5), time: time + 1, ..frame(&plain, 61) };
    let cut = Frame { time: time + 1_000_000_000, ..frame(&ours(1, &[], SNAP), 9000) };
    let frames = [(&sent, "left, \"quoted\" — é"), (&tagged, ""), (&cut, "dropped by rule 3")];
    std::fs::write(&path, pcapng::write_commented("host.eth0", "towards fw.eth1", frames))
        .expect("a file can be written");
    let fields = [
        "frame.interface_name",
        "frame.interface_description",
        "frame.time_epoch",
        "frame.packet_flags_direction",
        "frame.len",
        "frame.cap_len",
        "vlan.id",
        "frame.comment",
    ];
    let mut command = Command::new("tshark");
    command
        .args(["-n", "-T", "fields", "-E", "separator=|", "-r"])
        .arg(&path)
        .args(fields.iter().flat_map(|field| ["-e", field]));
    let output = command.env("HOME", &folder.0).env("LC_ALL", "C.UTF-8").output().expect("tshark can be started");
    assert!(output.status.success(), "{}", told(&output));
    let expected = "host.eth0|towards fw.eth1|1700000000.123456789|0x00000002|61|61||left, \"quoted\" — é\n\
        host.eth0|towards fw.eth1|1700000000.123456790|0x00000001|65|65|5|\n\
        host.eth0|towards fw.eth1|1700000001.123456789|0x00000002|9000|2048||dropped by rule 3\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", told(&output));
}
