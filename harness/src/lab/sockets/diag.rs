//! The socket table by `sock_diag(7)`: the kernel looks at its listeners only, while for a line of `/proc/net/tcp` it
//! walks the whole table of connections, over a millisecond on a machine with much memory.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send};

use super::Listener;
use crate::words::Transport;

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;

/// `NLM_F_REQUEST` and `NLM_F_DUMP`, and the types and the flag of answers, of linux/netlink.h.
const DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const INTERRUPTED: u16 = 0x10;

/// Lengths of `struct nlmsghdr` of linux/netlink.h, and of `struct inet_diag_req_v2` and `struct inet_diag_msg` of
/// `linux/inet_diag.h`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
const ANSWER: usize = 72;

/// `INET_DIAG_SKV6ONLY` of `linux/inet_diag.h`.
const ONLY_V6: u16 = 11;

/// How often a table that changed while it was read is asked for again.
const TRIES: u32 = 10;

/// The sockets that wait for packets of one protocol and family, in the namespace the thread is in; `None` where the
/// kernel has no `sock_diag` for them.
pub(super) fn dump(transport: Transport, v6: bool) -> io::Result<Option<Vec<Listener>>> {
    let socket = match open() {
        Err(Errno::EPROTONOSUPPORT) => return Ok(None),
        other => other?,
    };
    let mut buffer = vec![0; 32 * 1024];
    for _ in 0..TRIES {
        send(socket.as_raw_fd(), &request(transport, v6), MsgFlags::empty())?;
        let mut table = Table::default();
        while table.end.is_none() {
            let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            table.take(transport, buffer.get(..length).unwrap_or_default()).ok_or_else(unknown_form)?;
        }
        match table.end {
            // A kernel without the module for a protocol says so at the end of an empty table, or instead of it.
            Some(libc::ENOENT | libc::EOPNOTSUPP | libc::EINVAL) => return Ok(None),
            Some(errno) if errno != 0 => return Err(Errno::from_raw(errno).into()),
            _ if table.interrupted => {}
            _ => return Ok(Some(table.found)),
        }
    }
    Err(io::Error::other(format!("the socket table changed during each of {TRIES} dumps")))
}

/// What has been read of a table, and with which errno it ended.
#[derive(Debug, Default)]
struct Table {
    found: Vec<Listener>,
    interrupted: bool,
    end: Option<i32>,
}

impl Table {
    /// Takes in messages; `None` for one of unknown form.
    fn take(&mut self, transport: Transport, mut messages: &[u8]) -> Option<()> {
        while !messages.is_empty() && self.end.is_none() {
            let (kind, flags, message, behind) = split(messages)?;
            messages = behind;
            self.interrupted |= flags & INTERRUPTED != 0;
            match kind {
                // Both begin with an errno, negative or zero.
                DONE | ERROR => self.end = Some(-i32::from_ne_bytes(*message.first_chunk()?)),
                BY_FAMILY => self.found.push(listener(transport, message)?),
                _ => return None,
            }
        }
        Some(())
    }
}

/// Of some addresses those that have a connection from a port to one of the ends in the namespace the thread is in; none
/// where the kernel has no `sock_diag`.
pub(super) fn connected(own: SocketAddr, port: u16, from: &[IpAddr]) -> io::Result<Vec<IpAddr>> {
    let socket = match open() {
        Err(Errno::EPROTONOSUPPORT) => return Ok(Vec::new()),
        other => other?,
    };
    let mut buffer = vec![0; 4096];
    let mut found = Vec::new();
    for address in from.iter().filter(|address| address.is_ipv4() == own.is_ipv4()) {
        let far = SocketAddr::new(*address, port);
        send(socket.as_raw_fd(), &exactly(own, far), MsgFlags::empty())?;
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let (kind, _, message, _) = split(buffer.get(..length).unwrap_or_default()).ok_or_else(unknown_form)?;
        // Where there is no connection, the kernel shows who listens instead.
        if kind == BY_FAMILY && far_end(message).ok_or_else(unknown_form)? == far {
            found.push(*address);
        }
    }
    Ok(found)
}

/// The question for one connection: both ends, on any interface (0), of any cookie (`INET_DIAG_NOCOOKIE`).
fn exactly(own: SocketAddr, far: SocketAddr) -> [u8; HEADER + REQUEST] {
    // `NLM_F_REQUEST`.
    const ASK: u16 = 0x1;
    let mut message = request(Transport::Tcp, own.is_ipv6());
    message[6..8].copy_from_slice(&ASK.to_ne_bytes());
    message[HEADER + 4..HEADER + 8].fill(0xff);
    let mut put = |at: usize, bytes: &[u8]| message[HEADER + at..HEADER + at + bytes.len()].copy_from_slice(bytes);
    put(8, &own.port().to_be_bytes());
    put(10, &far.port().to_be_bytes());
    for (at, end) in [(12, own.ip()), (28, far.ip())] {
        match end {
            IpAddr::V4(address) => put(at, &address.octets()),
            IpAddr::V6(address) => put(at, &address.octets()),
        }
    }
    put(48, &[0xff; 8]);
    message
}

/// The far end in an `inet_diag_msg`.
fn far_end(message: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes([*message.get(6)?, *message.get(7)?]);
    let address: IpAddr = match i32::from(*message.first()?) {
        libc::AF_INET => Ipv4Addr::from(*message.get(24..)?.first_chunk::<4>()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(*message.get(24..)?.first_chunk::<16>()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

fn open() -> nix::Result<OwnedFd> {
    let protocol = nix::sys::socket::SockProtocol::NetlinkSockDiag;
    nix::sys::socket::socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
}

fn unknown_form() -> io::Error {
    io::Error::other("the kernel's socket table has an entry of unknown form")
}

fn request(transport: Transport, v6: bool) -> [u8; HEADER + REQUEST] {
    let (protocol, states) = match transport {
        // `TCP_LISTEN` of net/tcp_states.h.
        Transport::Tcp => (libc::IPPROTO_TCP, 1_u32 << 10),
        // TCP_CLOSE: a UDP socket that is not connected.
        Transport::Udp => (libc::IPPROTO_UDP, 1_u32 << 7),
    };
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    let mut message = [0; HEADER + REQUEST];
    let length = u32::try_from(message.len()).unwrap_or_default();
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    message[HEADER] = family.to_le_bytes()[0];
    message[HEADER + 1] = protocol.to_le_bytes()[0];
    message[HEADER + 4..HEADER + 8].copy_from_slice(&states.to_ne_bytes());
    message
}

/// Type, flags and content of the first message, and what stands behind it.
fn split(bytes: &[u8]) -> Option<(u16, u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let flags = u16::from_ne_bytes(*bytes.get(6..)?.first_chunk()?);
    let content = bytes.get(HEADER..length)?;
    Some((kind, flags, content, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// An `inet_diag_msg`: family, state, timer, retransmissions; then ports and addresses as they are on the wire. Behind it
/// stand attributes.
fn listener(transport: Transport, message: &[u8]) -> Option<Listener> {
    let (message, attributes) = message.split_first_chunk::<ANSWER>()?;
    let port = u16::from_be_bytes([message[4], message[5]]);
    let address: IpAddr = match i32::from(message[0]) {
        libc::AF_INET => Ipv4Addr::from(*message[8..].first_chunk::<4>()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(*message[8..].first_chunk::<16>()?).into(),
        _ => return None,
    };
    let word = |at: usize| message[at..].first_chunk().copied().map(u32::from_ne_bytes);
    let device = word(40).filter(|index| *index != 0);
    // Of a TCP listener the queues count connections: those that wait, and how many may (`tcp_diag_get_info`). The kernel
    // takes one more than that (`sk_acceptq_is_full`).
    let room = word(60).filter(|_| transport == Transport::Tcp);
    let full = room.is_some_and(|room| word(56).is_some_and(|waiting| waiting > room));
    Some(Listener { transport, address, only_v6: is_only_v6(attributes)?, port, device, full, room })
}

/// Whether attributes (`struct nlattr`: length and type, then the value) say that a socket takes IPv6 only.
fn is_only_v6(mut attributes: &[u8]) -> Option<bool> {
    while !attributes.is_empty() {
        let length = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = u16::from_ne_bytes(*attributes.get(2..)?.first_chunk()?);
        let value = attributes.get(4..length)?;
        if kind == ONLY_V6 {
            return Some(value.first().is_some_and(|only| *only != 0));
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_by_both_its_ends() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket can be bound");
        let own = listener.local_addr().expect("a bound socket has an address");
        let client = std::net::TcpStream::connect(own).expect("somebody listens");
        let port = client.local_addr().expect("a connected socket has an address").port();
        let [here, other] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 9)].map(IpAddr::from);
        assert_eq!(connected(own, port, &[other, here]).expect("the kernel answers"), [here]);
        assert_eq!(connected(own, port ^ 1, &[here]).expect("the kernel answers"), [] as [IpAddr; 0]);
    }

    #[test]
    fn reads_an_entry_and_refuses_half_of_one() {
        let mut message = [0; ANSWER];
        message[0] = 2;
        message[4..6].copy_from_slice(&8080_u16.to_be_bytes());
        message[8..12].copy_from_slice(&[127, 0, 0, 1]);
        let found = listener(Transport::Tcp, &message);
        let expected = Listener {
            transport: Transport::Tcp,
            address: Ipv4Addr::LOCALHOST.into(),
            only_v6: false,
            port: 8080,
            device: None,
            full: false,
            room: Some(0),
        };
        assert_eq!(found, Some(expected));
        message[40..44].copy_from_slice(&3_u32.to_ne_bytes());
        message[56..60].copy_from_slice(&2_u32.to_ne_bytes());
        message[60..64].copy_from_slice(&1_u32.to_ne_bytes());
        assert_eq!(
            listener(Transport::Tcp, &message),
            Some(Listener { device: Some(3), full: true, room: Some(1), ..expected })
        );
        assert_eq!(listener(Transport::Tcp, &message[..40]), None);
        message[0] = 99;
        assert_eq!(listener(Transport::Tcp, &message), None);
    }

    /// A message of a type, with content.
    fn message(kind: u16, flags: u16, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + content.len()).expect("it is short");
        let header = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8]];
        [&header.concat(), content].concat()
    }

    #[test]
    fn a_table_ends_with_what_the_kernel_says() {
        let mut entry = [0; ANSWER];
        entry[0] = 2;
        for (kind, errno, end) in
            [(DONE, 0, 0), (DONE, -libc::ENOENT, libc::ENOENT), (ERROR, -libc::EPERM, libc::EPERM)]
        {
            let mut table = Table::default();
            let bytes = [message(BY_FAMILY, 2, &entry), message(kind, 2, &i32::to_ne_bytes(errno))].concat();
            assert_eq!(table.take(Transport::Udp, &bytes), Some(()));
            assert_eq!((table.found.len(), table.interrupted, table.end), (1, false, Some(end)));
        }
        let mut table = Table::default();
        assert_eq!(table.take(Transport::Udp, &message(BY_FAMILY, INTERRUPTED, &entry)), Some(()));
        assert!(table.interrupted && table.end.is_none());
        for wrong in [message(BY_FAMILY, 2, &entry[..9]), message(77, 2, &entry), message(DONE, 2, &[])] {
            assert_eq!(Table::default().take(Transport::Udp, &wrong), None);
        }
        assert_eq!(Table::default().take(Transport::Udp, &message(DONE, 2, &[0; 4])[..HEADER + 2]), None);
    }
}
