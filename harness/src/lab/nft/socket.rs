//! The socket to netfilter of one node. The kernel answers inside the call that sends, so nothing is waited for: what is
//! not there at once never comes.

use std::io;

use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use rtnetlink::sys::{Socket as Native, SocketAddr};

use super::message::HEADER;
use crate::extended_ack;
use crate::lab::KernelError;
use crate::namespace::Namespace;

/// `NLMSG_ERROR`, `NLMSG_DONE` and `NLMSG_OVERRUN`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;

/// `NLM_F_DUMP_INTR`: the table changed while it was dumped.
const INTERRUPTED: u16 = 0x10;

/// How often an interrupted dump is asked for again.
const TRIES: u32 = 10;

/// A socket to netfilter.
pub(super) struct Socket(Native);

/// What the kernel refused: which request, and why.
pub(super) struct Refused {
    /// The request's place in its batch; 0 for the batch as a whole.
    pub(super) sequence: u32,
    /// The error number; 0 when an answer could not be used.
    pub(super) errno: i32,
    /// The kernel's own sentence.
    pub(super) text: Option<String>,
}

impl Refused {
    fn broken(text: impl Into<String>) -> Self {
        Self { sequence: 0, errno: 0, text: Some(text.into()) }
    }

    fn io(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self { sequence: 0, errno, text: None },
            None => Self::broken(error.to_string()),
        }
    }

    /// The refusal of what was asked.
    pub(super) fn named(self, operation: impl Into<String>) -> KernelError {
        KernelError { operation: operation.into(), errno: self.errno, text: self.text }
    }
}

/// One message of the kernel.
struct Answer<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl Socket {
    /// Opens a socket in a namespace.
    pub(super) fn open(namespace: &Namespace) -> Result<Self, Refused> {
        let open = || {
            let mut socket = Native::new(NETLINK_NETFILTER)?;
            socket.bind_auto()?;
            socket.set_non_blocking(true)?;
            socket.set_ext_ack(true)?;
            Ok(socket)
        };
        namespace.within(open).map(Self).map_err(|error| Refused::io(&error))
    }

    /// Opens a socket in a namespace that hears what the kernel says to a group, and keeps so many bytes of it unread.
    pub(super) fn listen(namespace: &Namespace, group: u32, buffer: usize) -> Result<Self, Refused> {
        let socket = Self::open(namespace)?;
        // Beyond `net.core.rmem_max` only who administers the machine may go (socket(7)).
        if setsockopt(&socket.0, sockopt::RcvBufForce, &buffer).is_err() {
            setsockopt(&socket.0, sockopt::RcvBuf, &buffer).map_err(|errno| Refused::io(&errno.into()))?;
        }
        socket.0.add_membership(group).map_err(|error| Refused::io(&error))?;
        Ok(socket)
    }

    /// What the kernel has said of a kind since the last call, as far as it stands in one packet: what stands behind the
    /// netlink header of each message. Nothing is there any more at `None`.
    pub(super) fn heard(&self, kind: u16) -> Result<Option<Vec<Vec<u8>>>, Refused> {
        let Some(bytes) = self.receive()? else { return Ok(None) };
        let meant = answers(&bytes).filter(|answer| answer.kind == kind);
        Ok(Some(meant.map(|answer| answer.payload.to_vec()).collect()))
    }

    /// Has a batch of so many requests done.
    pub(super) fn ask(&self, batch: &[u8], requests: u32) -> Result<(), Refused> {
        self.send(batch)?;
        let mut done = 0;
        let mut refused: Option<Refused> = None;
        while done < requests {
            let Some(bytes) = self.receive()? else { break };
            for answer in answers(&bytes) {
                match error_of(&answer) {
                    Some(0) => done += 1,
                    Some(errno) => {
                        let text = extended_ack::text(answer.flags, answer.payload.get(4..).unwrap_or_default());
                        refused.get_or_insert(Refused { sequence: answer.sequence, errno, text });
                    }
                    None => {}
                }
            }
        }
        match refused {
            Some(refused) => Err(refused),
            None if done < requests => {
                Err(Refused::broken(format!("the kernel answered {done} of {requests} requests")))
            }
            None => Ok(()),
        }
    }

    /// Everything that a dump gives: what stands behind the headers of each message of this kind.
    pub(super) fn dump(&self, request: &[u8], kind: u16, skip: usize) -> Result<Vec<Vec<u8>>, Refused> {
        for _ in 0..TRIES {
            self.send(request)?;
            if let Some(found) = self.collect(kind, skip)? {
                return Ok(found);
            }
        }
        Err(Refused::broken(format!("the table changed during each of {TRIES} dumps")))
    }

    /// One whole dump, or nothing when it was interrupted.
    fn collect(&self, kind: u16, skip: usize) -> Result<Option<Vec<Vec<u8>>>, Refused> {
        let (mut found, mut interrupted) = (Vec::new(), false);
        loop {
            let Some(bytes) = self.receive()? else { return Err(Refused::broken("the kernel's answer has no end")) };
            for answer in answers(&bytes) {
                interrupted |= answer.flags & INTERRUPTED != 0;
                match answer.kind {
                    DONE => match error_of(&answer) {
                        Some(errno) if errno != 0 => return Err(Refused { sequence: 0, errno, text: None }),
                        _ => return Ok((!interrupted).then_some(found)),
                    },
                    ERROR => {
                        let errno = error_of(&answer).unwrap_or_default();
                        let text = extended_ack::text(answer.flags, answer.payload.get(4..).unwrap_or_default());
                        return Err(Refused { sequence: 0, errno, text });
                    }
                    OVERRUN => return Err(Refused::broken("an answer of the kernel was lost")),
                    other if other == kind => found.push(answer.payload.get(skip..).unwrap_or_default().to_vec()),
                    _ => {}
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Refused> {
        self.0.send_to(bytes, &SocketAddr::new(0, 0), 0).map(drop).map_err(|error| Refused::io(&error))
    }

    /// What is there now.
    fn receive(&self) -> Result<Option<Vec<u8>>, Refused> {
        match self.0.recv_from_full() {
            Ok((bytes, _)) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Refused::io(&error)),
        }
    }
}

/// The messages in one packet of the kernel's; what is cut off at the end is left out.
fn answers(bytes: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let header = rest.get(..HEADER)?;
        let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let length = word(0) as usize;
        let payload = rest.get(HEADER..length)?;
        rest = rest.get(length.div_ceil(4) * 4..).unwrap_or_default();
        Some(Answer {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            flags: u16::from_ne_bytes([header[6], header[7]]),
            sequence: word(8),
            payload,
        })
    })
}

/// The error number of an answer that has one; 0 is a yes.
fn error_of(answer: &Answer<'_>) -> Option<i32> {
    let number = answer.payload.get(..4)?.try_into().ok().map(i32::from_ne_bytes)?;
    matches!(answer.kind, ERROR | DONE).then(|| number.saturating_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_and_cut_ones_are_left_out() {
        let message = |kind: u16, sequence: u32, number: i32| {
            let mut bytes = 20_u32.to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 2]);
            bytes.extend(sequence.to_ne_bytes());
            bytes.extend([0; 4]);
            bytes.extend(number.to_ne_bytes());
            bytes
        };
        let bytes = [message(ERROR, 1, 0), message(ERROR, 2, -libc::ENOENT)].concat();
        let read: Vec<_> = answers(&bytes).map(|answer| (answer.sequence, error_of(&answer))).collect();
        assert_eq!(read, [(1, Some(0)), (2, Some(libc::ENOENT))]);
        for cut in 0..bytes.len() {
            answers(&bytes[..cut]).for_each(drop);
        }
    }
}
