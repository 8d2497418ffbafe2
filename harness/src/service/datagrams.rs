//! A UDP socket of a server: what comes is answered from the address that was asked, whatever others its node has.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use socket2::Socket;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A bound UDP socket.
pub(super) struct Datagrams(UdpSocket);

/// Who asked, and the address that was asked.
pub(super) struct Asker {
    from: SocketAddr,
    asked: Option<Asked>,
}

/// The address that a datagram came for, as the kernel tells it (ip(7), `IP_PKTINFO`; RFC 3542, section 6).
enum Asked {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Asker {
    pub(super) fn address(&self) -> SocketAddr {
        self.from
    }
}

impl Datagrams {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        if socket.local_addr()?.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        UdpSocket::from_std(socket.into()).map(Self)
    }

    /// The next datagram, and who sent it.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Asker)> {
        self.0.async_io(Interest::READABLE, || receive(&self.0, buffer)).await
    }

    /// Sends an answer.
    pub(super) async fn answer(&self, content: &[u8], asker: &Asker) -> io::Result<()> {
        self.0.async_io(Interest::WRITABLE, || answer(&self.0, content, asker)).await
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Asker)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut space = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty())?;
    let from = message.address.and_then(address_of).ok_or_else(|| io::Error::other("a datagram of nobody"))?;
    let asked = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Asked::V4(info)),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(Asked::V6(info)),
        _ => None,
    });
    Ok((message.bytes, Asker { from, asked }))
}

fn address_of(storage: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|it| SocketAddr::V6((*it).into())))
}

fn answer(socket: &UdpSocket, content: &[u8], asker: &Asker) -> io::Result<()> {
    let parts = [IoSlice::new(content)];
    let to = SockaddrStorage::from(asker.from);
    let send = |from: &[ControlMessage<'_>]| {
        sendmsg(socket.as_raw_fd(), &parts, from, MsgFlags::empty(), Some(&to)).map(drop).map_err(io::Error::from)
    };
    match &asker.asked {
        // Of what came for all or for a group the kernel tells here the address to answer from. The way back is for the
        // node's routes to say.
        Some(Asked::V4(info)) => send(&[ControlMessage::Ipv4PacketInfo(&libc::in_pktinfo { ipi_ifindex: 0, ..*info })]),
        Some(Asked::V6(info)) if info.ipi6_addr.s6_addr[0] != MULTICAST => {
            send(&[ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo { ipi6_ifindex: 0, ..*info })])
        }
        _ => send(&[]),
    }
}

/// The first byte of every group's address (RFC 4291, section 2.4).
const MULTICAST: u8 = 0xff;
