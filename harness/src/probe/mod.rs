//! Traffic, one file per kind, each with the same verbs: `start` opens sockets inside the node and sends, `wait` says
//! what has been heard by a deadline and may be called again with a later one.
//!
//! A refusal or a silence is what a probe is for, never an error; a [`ProbeError`] means that the probe could not be
//! made, and satisfies no expectation.

pub mod capture;
mod departure;
pub mod dns;
mod error_queue;
pub mod focus;
pub mod frames;
pub mod http;
pub mod ping;
pub mod ports;
pub mod solicit;
pub mod stamps;
pub mod tcp;
pub mod udp;

use std::fmt;
use std::io;

use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub use departure::{Sent, left, syn_left};

use crate::observation::{LocalRefusal, Seen};

/// What is said of a connection that was open, and that the other side has reset.
const RESET: &str = "the connection was reset";

/// A probe that could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError(pub String);

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProbeError {}

impl ProbeError {
    /// A system call that failed for a reason that says nothing about the network under test.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self(format!("{what}: {}", nix::errno::Errno::from_raw(errno).desc())),
            None => Self(format!("{what}: {error}")),
        }
    }
}

/// Tells a refusal of the node's own kernel, which is an observation, from a probe that could not be made.
///
/// Source: `ip(7)`, `ip_route_output_key` and `ip6_route_output` of the kernel: no route is ENETUNREACH, a blackhole
/// EINVAL, a prohibit EACCES, an unreachable EHOSTUNREACH; a drop in the OUTPUT chain is EPERM; a packet larger than
/// the known path is EMSGSIZE.
fn local(what: &str, error: &io::Error) -> Result<Seen, ProbeError> {
    match error.raw_os_error() {
        Some(
            errno @ (libc::ENETUNREACH
            | libc::EINVAL
            | libc::EACCES
            | libc::EHOSTUNREACH
            | libc::EPERM
            | libc::EMSGSIZE),
        ) => Ok(Seen::Local(LocalRefusal { errno })),
        _ => Err(ProbeError::io(what, error)),
    }
}

/// Whether the node's own queue or link threw a packet away: a silence, and whether the packet left is for its time stamp
/// to say. (So does a kernel whose neighbour table is full; that one counts what it refuses.)
///
/// Source: `net_xmit_errno` of linux/netdevice.h, which sockets that ask for errors are told.
fn is_dropped(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// A socket that the current runtime watches.
fn watch(socket: Socket, interest: Interest) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: the descriptor is the socket's own, open for as long as the socket, and nothing swaps it.
    #[expect(unsafe_code, reason = "the safe constructor is deprecated for types that give out another descriptor")]
    let watched = unsafe { AsyncFd::register_with_interest(socket, interest) };
    watched.map_err(io::Error::from)
}
