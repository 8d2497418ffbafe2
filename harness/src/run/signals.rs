//! Signals as something to wait for beside other things.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::signal::unix::{SignalKind, signal};

/// The size of the terminal has changed.
pub(super) const WINDOW: u8 = b'w';

/// Somebody wants this process to end.
const END: u8 = b'e';

/// Says which signals have come: the size of the window, and what ends a process.
#[derive(Debug)]
pub(super) struct Signals(PipeReader);

impl Signals {
    /// Listens from now on; none of them ends this process any more.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub(super) fn listen() -> io::Result<Self> {
        let (reader, mut writer) = io::pipe()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut window, mut int, mut term, mut hup) = {
            let _inside = runtime.enter();
            let of = |kind| signal(kind);
            (
                of(SignalKind::window_change())?,
                of(SignalKind::interrupt())?,
                of(SignalKind::terminate())?,
                of(SignalKind::hangup())?,
            )
        };
        thread::Builder::new().name("signals of a shell".into()).spawn(move || {
            runtime.block_on(async move {
                loop {
                    let word = tokio::select! {
                        _ = window.recv() => WINDOW,
                        _ = int.recv() => END,
                        _ = term.recv() => END,
                        _ = hup.recv() => END,
                    };
                    if writer.write_all(&[word]).is_err() {
                        break;
                    }
                }
            });
        })?;
        Ok(Self(reader))
    }

    /// What can be read when there is one.
    pub(super) fn news(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The next one, if one has come.
    pub(super) fn take(&self) -> Option<u8> {
        let mut watched = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        poll(&mut watched, PollTimeout::ZERO).ok().filter(|ready| *ready > 0)?;
        let mut word = [0];
        (&self.0).read_exact(&mut word).ok().map(|()| word[0])
    }
}
