//! Whether packets leave a node at all: a twin of a probe whose own packets carry no time stamp.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;

use super::error_queue::{self, Queued};
use super::ports::Ports;
use super::udp::open;
use super::{ProbeError, is_dropped, local, watch};
use crate::namespace::Namespace;
use crate::observation::LocalRefusal;

/// How long the stamp of a packet that leaves may take: it is made when the packet reaches the driver, which on the
/// virtual links of a lab is within the call that sends it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Whether a UDP datagram from this node to this address and port leaves it.
///
/// # Errors
///
/// When the datagram could not be made.
pub async fn left(
    namespace: &Namespace,
    ports: &Ports,
    source: Option<IpAddr>,
    target: SocketAddr,
) -> Result<bool, ProbeError> {
    let failed = |error: io::Error| ProbeError::io("cannot send a control datagram", &error);
    let socket = open(namespace, ports, source, target).map_err(failed)?;
    error_queue::stamp(&socket).map_err(failed)?;
    let sent = socket.connect(&target.into()).and_then(|()| socket.send(b"netcase"));
    if let Err(error) = sent
        && !is_dropped(&error)
    {
        return local("cannot send a control datagram", &error).map(|_| false);
    }
    stamped(socket).await.map_err(failed)
}

/// What became of a SYN on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It left the node.
    Left,
    /// Nothing says so.
    Unknown,
    /// The node's own firewall dropped it.
    Blocked(LocalRefusal),
}

/// Whether a SYN leaves a node: the one of a connection once more, by a raw socket. A connection takes no notice of a
/// firewall that drops its SYN, and a datagram would not meet the rules for TCP.
///
/// # Errors
///
/// When the SYN could not be made.
pub async fn syn_left(namespace: &Namespace, flow: (SocketAddr, SocketAddr)) -> Result<Sent, ProbeError> {
    let failed = |error: io::Error| ProbeError::io("cannot send a control SYN", &error);
    let (from, to) = flow;
    let open = || Socket::new(Domain::for_address(to), Type::RAW.nonblocking().cloexec(), Some(Protocol::TCP));
    let socket = namespace.within(open).map_err(failed)?;
    error_queue::listen(&socket, to.is_ipv6()).map_err(failed)?;
    error_queue::stamp(&socket).map_err(failed)?;
    // A raw socket has no ports (raw(7)).
    let whole = |mut end: SocketAddr| {
        end.set_port(0);
        end.into()
    };
    let sent =
        socket.bind(&whole(from)).and_then(|()| socket.connect(&whole(to))).and_then(|()| socket.send(&syn(from, to)));
    match sent {
        Ok(_) => {}
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            return Ok(Sent::Blocked(LocalRefusal { errno: libc::EPERM }));
        }
        Err(error) if is_dropped(&error) => {}
        Err(error) => return local("cannot send a control SYN", &error).map(|_| Sent::Unknown),
    }
    Ok(if stamped(socket).await.map_err(failed)? { Sent::Left } else { Sent::Unknown })
}

/// A TCP header without options that asks for a connection (RFC 9293, section 3.1).
fn syn(from: SocketAddr, to: SocketAddr) -> [u8; 20] {
    const SYN: u8 = 0x02;
    const WORDS: u8 = 5;
    let mut header = [0; 20];
    header[0..2].copy_from_slice(&from.port().to_be_bytes());
    header[2..4].copy_from_slice(&to.port().to_be_bytes());
    header[12] = WORDS << 4;
    header[13] = SYN;
    header[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    let sum = checksum(from.ip(), to.ip(), &header);
    header[16..18].copy_from_slice(&sum.to_be_bytes());
    header
}

/// The checksum of a TCP header with nothing behind it, over the addresses too (RFC 9293, section 3.1; RFC 1071).
fn checksum(from: IpAddr, to: IpAddr, header: &[u8; 20]) -> u16 {
    const TCP: u32 = 6;
    let mut sum = TCP + 20;
    let mut add = |bytes: &[u8]| {
        for pair in bytes.chunks_exact(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair[1]);
        }
    };
    for address in [from, to] {
        match address {
            IpAddr::V4(address) => add(&address.octets()),
            IpAddr::V6(address) => add(&address.octets()),
        }
    }
    add(header);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// Whether what a socket has sent left its node.
async fn stamped(socket: Socket) -> io::Result<bool> {
    let socket = watch(socket, Interest::READABLE | Interest::ERROR)?;
    let stamped = async {
        loop {
            if error_queue::drain(socket.get_ref())?.contains(&Queued::Left) {
                return Ok::<_, io::Error>(());
            }
            socket.ready(Interest::ERROR).await?.clear_ready();
        }
    };
    match tokio::time::timeout(PATIENCE, stamped).await {
        Ok(result) => result.map(|()| true),
        // The stamp may have come while the worker could not look.
        Err(_) => Ok(error_queue::drain(socket.get_ref())?.contains(&Queued::Left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_makes_the_sum_of_everything_zero() {
        for (from, to) in [("10.0.1.2:32769", "10.0.2.2:80"), ("[fd01::2]:32770", "[fd02::2]:443")] {
            let (from, to): (SocketAddr, SocketAddr) =
                (from.parse().expect("it is an address"), to.parse().expect("it is an address"));
            let header = syn(from, to);
            assert_ne!(header[16..18], [0, 0]);
            assert_eq!(checksum(from.ip(), to.ip(), &header), 0);
        }
    }
}
