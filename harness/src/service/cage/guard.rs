//! Network namespaces that programs make: settled before anything runs in them.
//!
//! A new namespace takes settings over from the machine itself, in whichever namespace it is made, so a router that a
//! script makes and forgets to have forward would forward on a machine with a container engine. The kernel tells the
//! [`Guard`] of each call by which a program could change such a setting, or show the namespace to others
//! (`seccomp_unotify(2)`), and waits: `ip netns add` mounts what it has made, `unshare --net` executes a program in it.
//! Whoever asks from a namespace that nobody has seen yet has it settled first, and then goes on. One in which nothing
//! of the kind ever happens is settled when the worker finds it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, sendmsg,
    socketpair,
};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::seccomp;

/// Settles the network namespace that the thread is in.
pub type Settle = fn() -> io::Result<()>;

/// How many numbers one message tells.
const AT_ONCE: usize = 512;

/// What a message of one byte brings: who hears of a program that was started, or a namespace that was found.
const STARTED: u8 = b'!';
const FOUND: u8 = b'?';

/// The worker's end.
#[derive(Debug)]
pub(super) struct Wire(OwnedFd);

/// The guard's end.
#[derive(Debug)]
pub(super) struct Guard {
    wire: OwnedFd,
    settle: Settle,
    /// The numbers of the lab's own namespaces; these last as long as the case.
    own: HashSet<u64>,
    /// The cookies of namespaces that were settled.
    settled: HashSet<u64>,
    /// One for each program that the worker has started, until no process is left of it.
    listeners: Vec<OwnedFd>,
}

/// Makes both ends.
pub(super) fn pair(settle: Settle) -> io::Result<(Wire, Guard)> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    let guard = Guard { wire: theirs, settle, own: HashSet::new(), settled: HashSet::new(), listeners: Vec::new() };
    Ok((Wire(ours), guard))
}

impl Wire {
    /// Tells the guard of namespaces that are the lab's own.
    pub(super) fn tell(&self, numbers: &[u64]) -> io::Result<()> {
        for some in numbers.chunks(AT_ONCE) {
            let bytes: Vec<u8> = some.iter().flat_map(|number| number.to_ne_bytes()).collect();
            sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(&bytes)], &[], MsgFlags::empty(), None)?;
        }
        Ok(())
    }

    /// Has a namespace settled that the worker has found, if nobody has seen it yet.
    pub(super) fn settle(&self, namespace: BorrowedFd<'_>) -> io::Result<()> {
        let descriptors = [namespace.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(&[FOUND])], &rights, MsgFlags::empty(), None)?;
        let mut answer = [0; size_of::<i32>()];
        let length = recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        match i32::from_ne_bytes(answer) {
            _ if length < answer.len() => Err(io::ErrorKind::UnexpectedEof.into()),
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// The number of its descriptor, for [`watch`].
    pub(super) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Has the calling process watched, with all that it starts, by the guard at the other end of a [`Wire`].
///
/// The process must have `no_new_privs`. Where a machine refuses it, the cage has said so when it was made.
pub(super) fn watch(wire: RawFd) -> io::Result<()> {
    let Ok(listener) = seccomp::listen() else { return Ok(()) };
    let descriptors = [listener.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    sendmsg::<()>(wire, &[IoSlice::new(&[STARTED])], &rights, MsgFlags::empty(), None)?;
    Ok(())
}

impl Guard {
    /// Waits for processes that were left to this one, and answers those that are watched. Only the worker's end, or the
    /// kernel, ends it.
    pub(super) fn live(mut self) -> io::Result<()> {
        let mut children = SigSet::empty();
        children.add(Signal::SIGCHLD);
        children.thread_block()?;
        let children = SignalFd::with_flags(&children, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let home = File::open("/proc/thread-self/ns/net")?;
        loop {
            while matches!(waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)), Ok(it) if it != WaitStatus::StillAlive)
            {
            }
            let [_, wire, listeners @ ..] = &*self.wait(&children)? else { continue };
            while matches!(children.read_signal(), Ok(Some(_))) {}
            for (index, seen) in listeners.iter().enumerate().rev() {
                let goes_on =
                    if seen.contains(PollFlags::POLLIN) { self.answer(index, &home) } else { seen.is_empty() };
                if !goes_on {
                    self.listeners.swap_remove(index);
                }
            }
            if !wire.is_empty() && !self.hear(&home)? {
                return Ok(());
            }
        }
    }

    /// What there is to do: for children, the wire and each listener.
    fn wait(&self, children: &SignalFd) -> io::Result<Vec<PollFlags>> {
        let all = [children.as_fd(), self.wire.as_fd()].into_iter().chain(self.listeners.iter().map(AsFd::as_fd));
        let mut all: Vec<PollFd<'_>> = all.map(|it| PollFd::new(it, PollFlags::POLLIN)).collect();
        match poll(&mut all, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok(Vec::new()),
            polled => polled?,
        };
        Ok(all.iter().map(|it| it.revents().unwrap_or(PollFlags::POLLHUP)).collect())
    }

    /// Takes one message of the worker or of one of its programs; none when the worker is gone.
    fn hear(&mut self, home: &File) -> io::Result<bool> {
        let mut bytes = [0; AT_ONCE * size_of::<u64>()];
        let mut space = cmsg_space!(RawFd);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.wire.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
        let mut brought = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(descriptors) = control {
                // SAFETY: the kernel has just made them for this process, and nobody else knows them.
                #[expect(unsafe_code, reason = "nix gives numbers")]
                brought.extend(descriptors.into_iter().map(|it| unsafe { OwnedFd::from_raw_fd(it) }));
            }
        }
        let length = message.bytes;
        match (&bytes[..length], brought.pop()) {
            ([STARTED], Some(listener)) => self.listeners.push(listener),
            ([FOUND], found) => {
                let settled = found.map_or(Err(Errno::EMFILE.into()), |it| self.look(&File::from(it), home));
                let answer = number_of(&settled).to_ne_bytes();
                sendmsg::<()>(self.wire.as_raw_fd(), &[IoSlice::new(&answer)], &[], MsgFlags::empty(), None)?;
            }
            (numbers, _) => {
                let (numbers, _) = numbers.as_chunks();
                self.own.extend(numbers.iter().map(|number| u64::from_ne_bytes(*number)));
            }
        }
        Ok(length > 0)
    }

    /// Answers one process, which waits; gives whether there may be more to answer.
    fn answer(&mut self, index: usize, home: &File) -> bool {
        let listener = self.listeners[index].as_fd();
        let asked = match seccomp::receive(listener) {
            Ok(Some(asked)) => asked,
            Ok(None) => return true,
            Err(_) => return false,
        };
        let settled = match File::open(format!("/proc/{}/ns/net", asked.pid)) {
            Ok(namespace) => self.look(&namespace, home),
            Err(error) => match error.raw_os_error() {
                // It has ended; or it is a copy of the worker, which nobody may look into, on its way to being the
                // program, in a namespace that it was given.
                Some(libc::ENOENT | libc::ESRCH | libc::EACCES) => Ok(()),
                _ => Err(error),
            },
        };
        seccomp::send(self.listeners[index].as_fd(), asked.id, number_of(&settled)).is_ok()
    }

    /// Settles a namespace, if nobody has seen it yet.
    fn look(&mut self, namespace: &File, home: &File) -> io::Result<()> {
        let number = namespace.metadata()?.ino();
        if self.own.contains(&number) {
            return Ok(());
        }
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        let result = cookie(number).and_then(|cookie| {
            if !self.settled.contains(&cookie) {
                (self.settle)()?;
                self.settled.insert(cookie);
            }
            Ok(())
        });
        setns(home, CloneFlags::CLONE_NEWNET)?;
        result
    }
}

/// The number that says how something ended, as errno(3) has it.
fn number_of(result: &io::Result<()>) -> i32 {
    result.as_ref().map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0)
}

/// What tells the network namespace that the thread is in from every other, also from one that has ended: numbers of
/// namespaces are used again. Kernels before 5.14 know of no such thing (`SO_NETNS_COOKIE`); there it is the number.
fn cookie(number: u64) -> io::Result<u64> {
    let socket = nix::sys::socket::socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).unwrap_or_default();
    // SAFETY: the kernel writes at most `length` bytes to a number of that size.
    #[expect(unsafe_code, reason = "nix has no name for this option")]
    let done = unsafe {
        let value = std::ptr::from_mut(&mut cookie).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_NETNS_COOKIE, value, &raw mut length)
    };
    Ok(if done == 0 { cookie } else { number })
}

/// `asm-generic/socket.h`.
const SO_NETNS_COOKIE: libc::c_int = 71;
