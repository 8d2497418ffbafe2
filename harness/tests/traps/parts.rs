//! Programs that a case runs in its nodes: this test binary itself, so that no other program is needed.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{env, fs};

use nix::poll::{PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use crate::program::Folder;

/// Says which part this process plays.
const PART: &str = "NETCASE_TEST_PART";

/// The service of the last node of a case that plays a part; the case's own folder holds its program, for elsewhere a
/// case may see nothing.
pub(crate) fn service(place: &Folder, part: &str, ready: &str) -> String {
    let own = env::current_exe().expect("the test knows its own path");
    fs::copy(own, place.0.join("part")).expect("a program can be copied");
    format!(
        "services.part = {{ command = {{ run = [\"./part\", \"parts::play\", \"--exact\", \"--nocapture\"], \
         env = {{ {PART} = \"{part}\" }}, ready = {{ {ready} }} }} }}\n"
    )
}

/// Not a test but a program, when it is told its part.
#[test]
fn play() {
    match env::var(PART).as_deref() {
        Ok("one-connection") => one_connection(),
        Ok("new-senders-only") => new_senders_only(),
        Ok("swallow") => queue(b"blackhole\0\0\0", &[]),
        // A queue that holds no byte.
        Ok("refuse") => queue(b"bfifo\0\0\0", &0_u32.to_ne_bytes()),
        Ok("fill-neighbours") => fill_neighbours(),
        Ok(part) => panic!("there is no part {part}"),
        Err(_) => {}
    }
}

fn rest() -> ! {
    loop {
        let _ = poll(&mut [], PollTimeout::NONE);
    }
}

/// Serves one connection, whoever makes it, and listens no longer.
fn one_connection() -> ! {
    let listener = TcpListener::bind("0.0.0.0:8000").expect("the port is free");
    let (mut stream, _) = listener.accept().expect("a connection comes");
    drop(listener);
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    drop(stream);
    rest()
}

/// Answers datagrams until a sender that it has seen before comes again; then it closes its port.
fn new_senders_only() -> ! {
    let socket = UdpSocket::bind("0.0.0.0:5000").expect("the port is free");
    let mut seen = HashSet::new();
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).expect("a datagram can be received");
        if !seen.insert(from) {
            break;
        }
        let _ = socket.send_to(&buffer[..length], from);
    }
    drop(socket);
    rest()
}

/// Learns its neighbour, and then gives its interface a queue that lets nothing out, by its kind and options: one that
/// swallows every packet as if it was sent, or one that refuses them.
///
/// Source: linux/rtnetlink.h: `RTM_NEWQDISC` (36), `struct tcmsg`, `TCA_KIND` (1), `TCA_OPTIONS` (2), `TC_H_ROOT`;
/// `struct tc_fifo_qopt` of `linux/pkt_sched.h`; `sch_blackhole` of the kernel.
fn queue(kind: &[u8], options: &[u8]) -> ! {
    let probe = UdpSocket::bind("10.0.0.2:0").expect("the address is there");
    probe.send_to(b"hello", "10.0.0.1:7").expect("a datagram can be sent");
    probe.recv_from(&mut [0; 64]).expect("the echo service answers");
    let mut body = Vec::new();
    // Family and padding; the interface; handle 1:0; below the root; nothing more.
    let interface = nix::net::if_::if_nametoindex("eth0").expect("the interface is there");
    body.extend([0; 4]);
    body.extend(interface.to_ne_bytes());
    body.extend(0x0001_0000_u32.to_ne_bytes());
    body.extend(0xffff_ffff_u32.to_ne_bytes());
    body.extend([0; 4]);
    for (attribute, value) in [(1_u16, kind), (2, options)].into_iter().filter(|(_, value)| !value.is_empty()) {
        body.extend(u16::try_from(value.len() + 4).expect("it is short").to_ne_bytes());
        body.extend(attribute.to_ne_bytes());
        body.extend(value);
    }
    let mut request = Vec::new();
    request.extend(u32::try_from(body.len() + 16).expect("it is short").to_ne_bytes());
    request.extend(36_u16.to_ne_bytes());
    // NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE.
    request.extend(0x0505_u16.to_ne_bytes());
    request.extend([0; 8]);
    request.extend(body);
    let routing = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), SockProtocol::NetlinkRoute)
        .expect("a routing socket can be opened");
    send(routing.as_raw_fd(), &request, MsgFlags::empty()).expect("the request can be sent");
    let mut answer = [0; 256];
    recv(routing.as_raw_fd(), &mut answer, MsgFlags::empty()).expect("the kernel answers");
    let error = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    assert_eq!(error, 0, "the kernel refuses the queue");
    println!("part begun");
    rest()
}

/// Keeps asking for two thousand neighbours that nobody is.
fn fill_neighbours() -> ! {
    // What waits for a neighbour counts against its socket: a few for each.
    let sockets: Vec<UdpSocket> = (0..40).map(|_| UdpSocket::bind("0.0.0.0:0").expect("a socket")).collect();
    for socket in &sockets {
        socket.set_nonblocking(true).expect("a socket can be made so");
    }
    for round in 0_u32.. {
        for number in 0..2000_u16 {
            let [high, low] = number.to_be_bytes();
            let target = (Ipv4Addr::new(10, 200, 100 + high, low), 9);
            // That the table is full is what this is for.
            let _ = sockets[usize::from(number) % sockets.len()].send_to(b"x", target);
        }
        if round == 0 {
            println!("part begun");
        }
        let pause = Duration::from_millis(20);
        let _ = poll(&mut [], PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX));
    }
    rest()
}
