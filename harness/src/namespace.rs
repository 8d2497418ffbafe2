//! A network namespace held by a descriptor, and the one way to open something inside it.
//!
//! A socket belongs for ever to the namespace in which it was opened, so a thread enters a namespace only to open
//! sockets and is driven from home afterwards. Between entering and leaving there is no `.await`: [`Namespace::within`]
//! takes a plain closure, so another task can never run in the wrong place.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::fstat;

/// A network namespace; it lives as long as somebody holds it, a process or a socket is in it.
#[derive(Clone, Debug)]
pub struct Namespace {
    own: Rc<OwnedFd>,
    home: Rc<OwnedFd>,
}

impl Namespace {
    /// Makes a new namespace for the calling thread to come home to, and stays in it.
    ///
    /// # Errors
    ///
    /// What unshare(2) says: `EPERM` without `CAP_SYS_ADMIN`, `ENOSPC` at `user.max_net_namespaces`.
    pub fn home() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let own = Rc::new(current()?);
        Ok(Self { home: Rc::clone(&own), own })
    }

    /// Makes another namespace with the same home, and runs `first` in it before anything else can.
    ///
    /// # Errors
    ///
    /// As [`Namespace::home`], and what `first` gives.
    pub fn beside<T>(&self, first: impl FnOnce() -> io::Result<T>) -> io::Result<(Self, T)> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let made = current().and_then(|own| Ok((own, first()?)));
        setns(&*self.home, CloneFlags::CLONE_NEWNET)?;
        let (own, value) = made?;
        Ok((Self { own: Rc::new(own), home: Rc::clone(&self.home) }, value))
    }

    /// A namespace that somebody else has made, with the same home.
    #[must_use]
    pub fn found(&self, own: OwnedFd) -> Self {
        Self { own: Rc::new(own), home: Rc::clone(&self.home) }
    }

    /// Whether two descriptors hold one namespace (namespaces(7): the same device and inode).
    ///
    /// # Errors
    ///
    /// What fstat(2) says.
    pub fn is_same(&self, other: impl AsFd) -> io::Result<bool> {
        let (own, other) = (fstat(&*self.own)?, fstat(other)?);
        Ok((own.st_dev, own.st_ino) == (other.st_dev, other.st_ino))
    }

    /// Its number, as namespaces(7) shows it; another may have it when this one has ended.
    ///
    /// # Errors
    ///
    /// What fstat(2) says.
    pub fn number(&self) -> io::Result<u64> {
        Ok(fstat(&*self.own)?.st_ino)
    }

    /// Runs `action` inside, and comes home.
    ///
    /// # Errors
    ///
    /// What setns(2) says, and what `action` gives.
    pub fn within<T>(&self, action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        setns(&*self.own, CloneFlags::CLONE_NEWNET)?;
        let result = action();
        setns(&*self.home, CloneFlags::CLONE_NEWNET)?;
        result
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.own.as_fd()
    }
}

/// The namespace that the calling thread is in.
fn current() -> io::Result<OwnedFd> {
    File::open("/proc/thread-self/ns/net").map(OwnedFd::from)
}
