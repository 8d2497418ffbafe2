//! A socket's error queue: who refused, and which of its packets left.
//!
//! An errno alone cannot tell a RST from a firewall's port-unreachable, nor a dead host from a prohibition; the queue
//! keeps the ICMP error itself and its sender (ip(7), `IP_RECVERR`), for TCP too. Transmit time stamps come by the same
//! way (Documentation/networking/timestamping.rst).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, TimestampingFlag, recvmsg, setsockopt, sockopt,
};

use crate::observation::IcmpError;

/// `SO_EE_ORIGIN_*` of linux/errqueue.h.
const ORIGIN_LOCAL: u8 = 1;
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

/// One entry of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queued {
    /// An ICMP error about a packet of this socket.
    Icmp { error: IcmpError, by: IpAddr },
    /// The node's own kernel refused.
    Local(i32),
    /// A packet of this socket was handed to its interface's driver.
    Left,
}

/// Asks for ICMP errors in the queue.
pub(super) fn listen(socket: &impl AsFd, v6: bool) -> io::Result<()> {
    if v6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    }
    Ok(())
}

/// Asks for a time stamp in the queue for every packet that leaves.
pub(super) fn stamp(socket: &impl AsFd) -> io::Result<()> {
    let flags = TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
    setsockopt(socket, sockopt::Timestamping, &flags)?;
    Ok(())
}

/// Takes everything that is in the queue now.
pub(super) fn drain(socket: &impl AsRawFd) -> io::Result<Vec<Queued>> {
    let mut queued = Vec::new();
    // A quoted packet is not needed, but room for a small one keeps the kernel from marking it truncated.
    let mut quoted = [0; 256];
    let mut space = nix::cmsg_space!([u8; 256]);
    loop {
        let mut parts = [IoSliceMut::new(&mut quoted)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Ok(message) => message,
            Err(nix::errno::Errno::EAGAIN) => return Ok(queued),
            Err(error) => return Err(error.into()),
        };
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv4RecvErr(error, from) => {
                    let by = from.map(|from| IpAddr::from(from.sin_addr.s_addr.to_ne_bytes()));
                    queued.extend(entry(&error, by));
                }
                ControlMessageOwned::Ipv6RecvErr(error, from) => {
                    let by = from.map(|from| IpAddr::from(Ipv6Addr::from(from.sin6_addr.s6_addr)));
                    queued.extend(entry(&error, by));
                }
                // The stamp itself; what stands beside it differs between IP and packet sockets.
                ControlMessageOwned::ScmTimestampsns(_) => queued.push(Queued::Left),
                _ => {}
            }
        }
    }
}

/// Whether an error says that the other side has reset a connection that was open.
pub(super) fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn entry(error: &libc::sock_extended_err, by: Option<IpAddr>) -> Option<Queued> {
    match error.ee_origin {
        ORIGIN_ICMP | ORIGIN_ICMP6 => Some(Queued::Icmp {
            error: IcmpError { v6: error.ee_origin == ORIGIN_ICMP6, kind: error.ee_type, code: error.ee_code },
            by: by?,
        }),
        ORIGIN_LOCAL => Some(Queued::Local(i32::try_from(error.ee_errno).unwrap_or(libc::EIO))),
        _ => None,
    }
}
