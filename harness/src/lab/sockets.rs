//! Who listens in a node, and who is connected, by the kernel's own socket table.
//!
//! A connection to find that out would use up a one-shot server and move counters, limits and conntrack.

mod diag;

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::namespace::Namespace;
use crate::words::Transport;

/// A bound socket: for TCP one that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// TCP or UDP.
    pub transport: Transport,
    /// The address it is bound to; unspecified means every address of the family, `::` those of IPv4 too.
    pub address: IpAddr,
    /// Whether it is known to take no IPv4 for all that.
    pub only_v6: bool,
    /// The port.
    pub port: u16,
    /// The only interface by which it takes something, where it is known to be bound to one.
    pub device: Option<u32>,
    /// Whether it is known that more connections wait than its queue is to hold.
    pub full: bool,
    /// How many connections may wait, where that is known: less than the program has asked for where the machine allows no
    /// more (`net.core.somaxconn`).
    pub room: Option<u32>,
}

impl Listener {
    /// Whether a packet to this address and port reaches it.
    pub fn takes(&self, transport: Transport, address: IpAddr, port: u16) -> bool {
        let everywhere = match self.address {
            IpAddr::V4(own) => own.is_unspecified() && address.is_ipv4(),
            IpAddr::V6(own) => own.is_unspecified() && (address.is_ipv6() || !self.only_v6),
        };
        self.transport == transport && self.port == port && (everywhere || self.address == address)
    }
}

/// Every listener of a node for one transport.
///
/// # Errors
///
/// What the kernel says, and a table that cannot be understood: never an empty list instead.
pub fn listeners(namespace: &Namespace, transport: Transport) -> io::Result<Vec<Listener>> {
    namespace.within(|| {
        let mut found = Vec::new();
        for v6 in [false, true] {
            found.extend(match diag::dump(transport, v6)? {
                Some(listeners) => listeners,
                None => from_proc(transport, v6)?,
            });
        }
        Ok(found)
    })
}

/// Those of one family in the namespace the thread is in, from `/proc`: for kernels without `sock_diag`.
fn from_proc(transport: Transport, v6: bool) -> io::Result<Vec<Listener>> {
    let mut found = Vec::new();
    for line in table(transport, v6)?.lines().skip(1) {
        found.extend(parse_line(transport, line).map_err(|()| unknown_line(line))?);
    }
    Ok(found)
}

/// Of some addresses those that have a connection from a port to one of this node's ends. The kernel looks each up by
/// itself, which takes microseconds; none where the kernel has no `sock_diag`.
///
/// # Errors
///
/// What the kernel says.
pub fn connected(namespace: &Namespace, own: SocketAddr, port: u16, from: &[IpAddr]) -> io::Result<Vec<IpAddr>> {
    namespace.within(|| diag::connected(own, port, from))
}

/// Every TCP connection of a node that somebody has opened to it or it to somebody, its own end first. The kernel walks
/// its whole table for that, over a millisecond on a machine with much memory.
///
/// # Errors
///
/// As [`listeners`].
pub fn connections(namespace: &Namespace) -> io::Result<Vec<(SocketAddr, SocketAddr)>> {
    let tables = namespace.within(|| Ok([table(Transport::Tcp, false)?, table(Transport::Tcp, true)?]))?;
    let mut found = Vec::new();
    for line in tables.iter().flat_map(|table| table.lines().skip(1)) {
        found.extend(parse_connection(line).map_err(|()| unknown_line(line))?);
    }
    Ok(found)
}

/// The text of a table in the namespace the thread is in.
fn table(transport: Transport, v6: bool) -> io::Result<String> {
    let table = format!("{transport}{}", if v6 { "6" } else { "" });
    match fs::read_to_string(format!("/proc/thread-self/net/{table}")) {
        // A kernel without IPv6 has no such table.
        Err(error) if v6 && error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

fn unknown_line(line: &str) -> io::Error {
    io::Error::other(format!("a socket table of /proc/net has a line of unknown form: {line}"))
}

/// `TCP_LISTEN` and, for an unconnected UDP socket, `TCP_CLOSE` of `net/tcp_states.h`.
const LISTENING: [(Transport, &str); 2] = [(Transport::Tcp, "0A"), (Transport::Udp, "07")];

/// A line of `proc_net_tcp(5)`: index, local address and port in hexadecimal, remote ones, state.
fn parse_line(transport: Transport, line: &str) -> Result<Option<Listener>, ()> {
    let mut words = line.split_whitespace().skip(1);
    let (local, _, state) = (words.next().ok_or(())?, words.next().ok_or(())?, words.next().ok_or(())?);
    if !LISTENING.contains(&(transport, state)) {
        return Ok(None);
    }
    let local = parse_end(local)?;
    // Whether an address of IPv6 takes IPv4 does not stand here.
    Ok(Some(Listener {
        transport,
        address: local.ip(),
        only_v6: false,
        port: local.port(),
        device: None,
        full: false,
        room: None,
    }))
}

/// `TCP_SYN_SENT`, `TCP_CLOSE` and `TCP_LISTEN` of `net/tcp_states.h`: what is no connection, or not yet.
const UNCONNECTED: [&str; 3] = ["02", "07", "0A"];

fn parse_connection(line: &str) -> Result<Option<(SocketAddr, SocketAddr)>, ()> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote, state) = (words.next().ok_or(())?, words.next().ok_or(())?, words.next().ok_or(())?);
    if UNCONNECTED.contains(&state) {
        return Ok(None);
    }
    let (local, remote) = (parse_end(local)?, parse_end(remote)?);
    // A socket for both families has IPv4 addresses inside IPv6 ones.
    let plain = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    Ok(Some((plain(local), plain(remote))))
}

fn parse_end(text: &str) -> Result<SocketAddr, ()> {
    let (address, port) = text.split_once(':').ok_or(())?;
    let port = u16::from_str_radix(port, 16).map_err(drop)?;
    Ok(SocketAddr::new(parse_address(address)?, port))
}

/// An address as 32-bit words, each in the byte order of the machine.
fn parse_address(text: &str) -> Result<IpAddr, ()> {
    let mut bytes = Vec::new();
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8).ok_or(())?, 16).map_err(drop)?;
        bytes.extend(word.to_ne_bytes());
    }
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into()).map_err(drop),
        16 => <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into()).map_err(drop),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_of_the_socket_tables() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0";
        let found = parse_line(Transport::Tcp, line).expect("a line of the kernel");
        assert_eq!(
            found,
            Some(Listener {
                transport: Transport::Tcp,
                address: Ipv4Addr::LOCALHOST.into(),
                only_v6: false,
                port: 8080,
                device: None,
                full: false,
                room: None,
            })
        );
        assert_eq!(parse_line(Transport::Tcp, &line.replace(" 0A ", " 01 ")), Ok(None));
        assert_eq!(parse_line(Transport::Tcp, "nonsense"), Err(()));
        assert_eq!(parse_connection(line), Ok(None));
        let line = line.replace("00000000:0000 0A", "0100000A:C001 01");
        let ends = parse_connection(&line).expect("a line of the kernel").expect("it is connected");
        assert_eq!(ends.1.to_string(), "10.0.0.1:49153");
    }

    #[test]
    fn both_tables_show_who_listens() {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket can be bound");
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket can be bound");
        for (transport, address) in [(Transport::Tcp, tcp.local_addr()), (Transport::Udp, udp.local_addr())] {
            let address = address.expect("a bound socket has an address");
            let (address, port) = (address.ip(), address.port());
            let listener = Listener { transport, address, only_v6: false, port, device: None, full: false, room: None };
            let shown = from_proc(transport, false).expect("the kernel has the table");
            assert!(shown.contains(&listener), "{listener:?} is not among {shown:?}");
            if let Some(shown) = diag::dump(transport, false).expect("the kernel answers") {
                let found = shown.iter().any(|it| Listener { room: None, ..*it } == listener);
                assert!(found, "{listener:?} is not among {shown:?}");
            }
        }
    }

    #[test]
    fn a_wildcard_listener_takes_every_address() {
        let any = |address: &str, only_v6| Listener {
            transport: Transport::Tcp,
            address: address.parse().expect("an address"),
            only_v6,
            port: 80,
            device: None,
            full: false,
            room: None,
        };
        let v4: IpAddr = "10.0.0.1".parse().expect("an address");
        let v6: IpAddr = "fd00::1".parse().expect("an address");
        for (own, only_v6, address, takes) in [
            ("0.0.0.0", false, v4, true),
            ("0.0.0.0", false, v6, false),
            ("::", false, v4, true),
            ("::", true, v4, false),
            ("::", true, v6, true),
            ("10.0.0.2", false, v4, false),
        ] {
            assert_eq!(any(own, only_v6).takes(Transport::Tcp, address, 80), takes, "{own} {only_v6} {address}");
        }
        assert!(!any("::", false).takes(Transport::Udp, v4, 80));
    }

    #[test]
    fn whether_a_listener_takes_ipv4_is_known() {
        for only_v6 in [false, true] {
            let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).expect("a socket");
            socket.set_only_v6(only_v6).expect("an option of IPv6");
            let any: std::net::SocketAddr = "[::]:0".parse().expect("an address");
            socket.bind(&any.into()).and_then(|()| socket.listen(1)).expect("the port is free");
            let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
            let Some(shown) = diag::dump(Transport::Tcp, true).expect("the kernel answers") else { continue };
            let own = shown.iter().find(|listener| listener.port == address.port()).expect("it is among them");
            assert_eq!(own.only_v6, only_v6);
        }
    }
}
