//! TCP: whether a connection opens, and who says that it does not.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error_queue::{self, Queued};
use super::ports::Ports;
use super::{ProbeError, local, watch};
use crate::namespace::Namespace;
use crate::observation::Seen;

/// A connection on its way.
#[derive(Debug)]
pub struct Connection {
    socket: AsyncFd<Socket>,
    seen: Option<Seen>,
    reset: bool,
    /// The ends of the flow.
    pub flow: (SocketAddr, SocketAddr),
}

/// The address to bind to: the one asked for, or any of the target's family.
pub(super) fn source_of(source: Option<IpAddr>, target: SocketAddr) -> SocketAddr {
    let any = if target.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(source.unwrap_or(any), 0)
}

impl Connection {
    /// Sends the SYN.
    ///
    /// # Errors
    ///
    /// When the connection could not be tried.
    pub fn start(
        namespace: &Namespace,
        ports: &Ports,
        source: Option<IpAddr>,
        target: SocketAddr,
    ) -> Result<Self, ProbeError> {
        let failed = |error: io::Error| ProbeError::io("cannot open a TCP socket", &error);
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket =
            namespace.within(|| Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))).map_err(failed)?;
        error_queue::listen(&socket, target.is_ipv6()).map_err(failed)?;
        ports.bind(&socket, source_of(source, target)).map_err(failed)?;
        let seen = match socket.connect(&target.into()) {
            Ok(()) => Some(Seen::Answered),
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => None,
            Err(error) => Some(refusal(&socket, &error)?),
        };
        let from = socket.local_addr().ok().and_then(|address| address.as_socket());
        let socket = watch(socket, Interest::WRITABLE | Interest::ERROR).map_err(failed)?;
        Ok(Self { socket, seen, reset: false, flow: (from.unwrap_or_else(|| source_of(source, target)), target) })
    }

    /// What has been heard by `until`; [`Seen::Silent`] when nothing.
    ///
    /// # Errors
    ///
    /// When the socket broke.
    pub async fn wait(&mut self, until: Instant) -> Result<Seen, ProbeError> {
        loop {
            if let Some(seen) = self.seen {
                return Ok(seen);
            }
            let ready = self.socket.ready(Interest::WRITABLE | Interest::ERROR);
            let mut ready = match tokio::time::timeout_at(until.into(), ready).await {
                Ok(Ok(ready)) => ready,
                Ok(Err(error)) => return Err(ProbeError::io("cannot wait for a TCP socket", &error)),
                Err(_) => return Ok(Seen::Silent),
            };
            ready.clear_ready();
            let socket = self.socket.get_ref();
            let broken = |error: io::Error| ProbeError::io("cannot read a TCP socket", &error);
            match socket.take_error().map_err(broken)? {
                // A connection that was refused says ECONNREFUSED: this one had opened before (`tcp_reset` of
                // net/ipv4/tcp_input.c).
                Some(error) if error_queue::is_reset(&error) => {
                    (self.seen, self.reset) = (Some(Seen::Answered), true);
                }
                Some(error) => self.seen = Some(refusal(socket, &error)?),
                None if socket.peer_addr().is_ok() => self.seen = Some(Seen::Answered),
                None => {}
            }
        }
    }

    /// Whether the other side has reset the connection since it opened.
    pub(super) fn was_reset(&self) -> bool {
        self.reset
    }

    /// The open connection, for what is spoken over it.
    ///
    /// # Errors
    ///
    /// When the runtime does not take the socket.
    pub(super) fn into_stream(self) -> io::Result<tokio::net::TcpStream> {
        tokio::net::TcpStream::from_std(self.socket.into_inner().into())
    }
}

/// Who refused: the error queue knows, the errno alone does not.
fn refusal(socket: &Socket, error: &io::Error) -> Result<Seen, ProbeError> {
    let queued = error_queue::drain(socket).map_err(|error| ProbeError::io("cannot read an error queue", &error))?;
    for entry in queued {
        if let Queued::Icmp { error, by } = entry {
            return Ok(Seen::Icmp { error, by, own: false });
        }
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Ok(Seen::Reset),
        _ => local("cannot connect", error),
    }
}
