//! The raw socket of a ping, and what is set on it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::Type;
use surge_ping::{Client, Config, ICMP};

use super::Kind;
use crate::namespace::Namespace;
use crate::probe::error_queue;

/// As much as an ordinary user may ask for (`net.core.rmem_max` of most machines); the kernel doubles it.
const RECEIVE_BUFFER: usize = 212_992;

/// `ICMP_FILTER` of linux/icmp.h at the level of raw sockets, and `ICMPV6_FILTER` of linux/icmpv6.h.
const FILTER4: (libc::c_int, libc::c_int) = (255, 1);
const FILTER6: (libc::c_int, libc::c_int) = (libc::IPPROTO_ICMPV6, 1);

/// Opens the socket inside a node.
pub(super) fn open(namespace: &Namespace, kind: Kind) -> io::Result<Client> {
    let mut config = Config::builder().kind(if kind.v6 { ICMP::V6 } else { ICMP::V4 }).sock_type_hint(Type::RAW);
    if let Some(source) = kind.source {
        config = config.bind(SocketAddr::new(source, 0));
    }
    if let Some(ttl) = kind.ttl {
        config = config.ttl(ttl.into());
    }
    let client = namespace.within(|| Client::new(&config.build()))?;
    if client.get_socket().get_type() != Type::RAW {
        return Err(io::Error::other("the kernel gave no raw socket"));
    }
    let socket = Native(client.clone());
    // Without it a broadcast target is refused with the errno of a prohibiting route.
    setsockopt(&socket, sockopt::Broadcast, &true)?;
    setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    ignore_requests(&socket, kind.v6)?;
    ignore_learned_sizes(&socket, kind)?;
    // IP_RECVERR stays off: with it, an error about one echo request becomes the next one's errno, since they share the
    // socket. The errors themselves arrive as packets anyway.
    Ok(client)
}

/// Asks for a time stamp of every echo request that leaves.
pub(super) fn stamp(client: &Client) -> io::Result<()> {
    error_queue::stamp(&Native(client.clone()))
}

/// Keeps out what answers no echo request: a raw socket gets a copy of every ICMP packet of its node, and what others
/// ask this node would fill its buffer.
fn ignore_requests(socket: &Native, v6: bool) -> io::Result<()> {
    // A bit that is set keeps a type out: echo request 8 (RFC 792).
    const REQUESTS4: [u32; 1] = [1 << 8];
    // Echo request 128 (RFC 4443); router and neighbour solicitations and advertisements 133 to 136 (RFC 4861).
    const REQUESTS6: [u32; 8] = [0, 0, 0, 0, 1 | 0b1111 << 5, 0, 0, 0];
    if v6 { set(socket, FILTER6, &REQUESTS6) } else { set(socket, FILTER4, &REQUESTS4) }
}

/// Makes every echo request go out as the first: what another has taught the kernel about the path would cut this one
/// into fragments, which arrive where it itself does not. For IPv4 the kernel offers that only for packets that need no
/// fragments on the first link either.
fn ignore_learned_sizes(socket: &Native, kind: Kind) -> io::Result<()> {
    match (kind.v6, kind.whole) {
        (true, _) => set(socket, (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER), &libc::IPV6_PMTUDISC_OMIT),
        (false, true) => set(socket, (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER), &libc::IP_PMTUDISC_PROBE),
        (false, false) => Ok(()),
    }
}

/// An option that neither nix nor socket2 knows.
fn set<T: Copy>(socket: &Native, (level, option): (libc::c_int, libc::c_int), value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default();
    // SAFETY: the descriptor is open, and the kernel reads `length` bytes of a value that outlives the call.
    #[expect(unsafe_code, reason = "neither nix nor socket2 knows these options")]
    let set =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw const *value).cast(), length) };
    nix::errno::Errno::result(set).map(|_| ()).map_err(io::Error::from)
}

/// surge-ping's socket as a descriptor; the client keeps it open meanwhile.
struct Native(Client);

impl AsFd for Native {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let fd = self.0.get_socket().get_native_sock();
        // SAFETY: the client owns the socket, and the borrow does not outlive the client.
        #[expect(unsafe_code, reason = "surge-ping gives its socket as a bare number")]
        unsafe {
            BorrowedFd::borrow_raw(fd)
        }
    }
}
