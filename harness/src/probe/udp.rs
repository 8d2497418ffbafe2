//! UDP: a datagram sent, and its answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error_queue::{self, Queued};
use super::ports::Ports;
use super::{ProbeError, is_dropped, local, watch};
use crate::namespace::Namespace;
use crate::observation::Seen;

/// The longest answer that is read.
const LARGEST_ANSWER: usize = 4096;

/// One datagram on its way.
#[derive(Debug)]
pub struct Datagram {
    socket: AsyncFd<Socket>,
    sent: Vec<u8>,
    is_answer: fn(&[u8], &[u8]) -> bool,
    answer: Vec<u8>,
    seen: Option<Seen>,
    left: bool,
    /// The ends of the flow.
    pub flow: (SocketAddr, SocketAddr),
}

/// Opens a UDP socket in a node, bound to a port of its own.
pub(super) fn open(
    namespace: &Namespace,
    ports: &Ports,
    source: Option<IpAddr>,
    target: SocketAddr,
) -> io::Result<Socket> {
    let socket = namespace.within(|| {
        Socket::new(Domain::for_address(target), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))
    })?;
    error_queue::listen(&socket, target.is_ipv6())?;
    // Without it a broadcast target is refused with the errno of a prohibiting route.
    socket.set_broadcast(true)?;
    ports.bind(&socket, super::tcp::source_of(source, target))?;
    Ok(socket)
}

impl Datagram {
    /// Sends a datagram; `is_answer` tells from what was sent and what came whether the one answers the other.
    ///
    /// # Errors
    ///
    /// When the datagram could not be made.
    pub fn start(
        namespace: &Namespace,
        ports: &Ports,
        source: Option<IpAddr>,
        target: SocketAddr,
        content: Vec<u8>,
        is_answer: fn(&[u8], &[u8]) -> bool,
    ) -> Result<Self, ProbeError> {
        let failed = |error: io::Error| ProbeError::io("cannot open a UDP socket", &error);
        let socket = open(namespace, ports, source, target).map_err(failed)?;
        error_queue::stamp(&socket).map_err(failed)?;
        let sent = socket.connect(&target.into()).and_then(|()| socket.send(&content));
        let seen = match sent {
            Ok(_) => None,
            Err(error) if is_dropped(&error) => None,
            Err(error) => Some(local("cannot send a datagram", &error)?),
        };
        let from = socket.local_addr().ok().and_then(|address| address.as_socket());
        let socket = watch(socket, Interest::READABLE | Interest::ERROR).map_err(failed)?;
        let flow = (from.unwrap_or_else(|| super::tcp::source_of(source, target)), target);
        Ok(Self { socket, sent: content, is_answer, answer: Vec::new(), seen, left: false, flow })
    }

    /// What was sent, to look for at the receiver.
    pub fn sent(&self) -> &[u8] {
        &self.sent
    }

    /// The answer; empty before there is one.
    pub fn answer(&self) -> &[u8] {
        &self.answer
    }

    /// Whether the datagram is known to have left, by its own transmit time stamp.
    pub fn left(&self) -> bool {
        self.left
    }

    /// What has been heard by `until`; [`Seen::Silent`] when nothing.
    ///
    /// # Errors
    ///
    /// When the socket broke.
    pub async fn wait(&mut self, until: Instant) -> Result<Seen, ProbeError> {
        loop {
            self.look().map_err(|error| ProbeError::io("cannot read a UDP socket", &error))?;
            if let Some(seen) = self.seen {
                return Ok(seen);
            }
            let ready = self.socket.ready(Interest::READABLE | Interest::ERROR);
            match tokio::time::timeout_at(until.into(), ready).await {
                Ok(Ok(mut ready)) => ready.clear_ready(),
                Ok(Err(error)) => return Err(ProbeError::io("cannot wait for a UDP socket", &error)),
                Err(_) => return Ok(Seen::Silent),
            }
        }
    }

    fn look(&mut self) -> io::Result<()> {
        for queued in error_queue::drain(self.socket.get_ref())? {
            match queued {
                Queued::Left => self.left = true,
                Queued::Icmp { error, by } => {
                    self.seen.get_or_insert(Seen::Icmp { error, by, own: false });
                }
                Queued::Local(errno) => {
                    self.seen.get_or_insert(Seen::Local(crate::observation::LocalRefusal { errno }));
                }
            }
        }
        let mut buffer = [0; LARGEST_ANSWER];
        loop {
            match recv(self.socket.get_ref().as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).map_err(io::Error::from)
            {
                Ok(length) => {
                    let heard = buffer.get(..length).unwrap_or_default();
                    if (self.is_answer)(&self.sent, heard) {
                        heard.clone_into(&mut self.answer);
                        self.seen = Some(Seen::Answered);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The errno of an ICMP error that the queue tells in full.
                Err(_) if self.seen.is_some() => return Ok(()),
                Err(error) => {
                    return match local("", &error) {
                        Ok(seen) => {
                            self.seen = Some(seen);
                            Ok(())
                        }
                        // The error's text comes by the queue in a moment.
                        Err(_) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
                        Err(_) => Err(error),
                    };
                }
            }
        }
    }
}
