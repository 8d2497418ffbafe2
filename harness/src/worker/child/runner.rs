//! The runner as its worker knows it: there for as long as it holds its end of the worker's standard input.
//!
//! The kernel's signal at the runner's end (`PR_SET_PDEATHSIG`) is lost when the runner ends before it is asked for, and
//! when the worker changes its user. The end of the input is never lost.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, getppid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The process that has started this one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runner(Pid);

impl Runner {
    /// The present parent; asked as early as can be.
    pub(super) fn now() -> Self {
        Self(getppid())
    }

    /// Whether it is gone: this process has another parent, or its input has ended. The runner says nothing after its
    /// order, so whatever there is to read is the end.
    pub(super) fn is_gone(self) -> io::Result<bool> {
        let input = io::stdin();
        let mut watched = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
        Ok(getppid() != self.0 || poll(&mut watched, PollTimeout::ZERO)? > 0)
    }
}

/// Ends this process when the runner is gone, and never returns otherwise but with an error.
pub(super) async fn end_with_it() -> Result<Infallible, io::Error> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    // SAFETY: the descriptor is owned here, open for as long as it is watched, and nothing swaps it.
    #[expect(unsafe_code, reason = "the safe constructor is deprecated for types that give out another descriptor")]
    let input = unsafe { AsyncFd::register_with_interest(input, Interest::READABLE) }.map_err(io::Error::from)?;
    let _ = input.readable().await?;
    // Nothing is dropped on the way: closing sockets one by one takes longer than letting the kernel do it.
    std::process::exit(1)
}
