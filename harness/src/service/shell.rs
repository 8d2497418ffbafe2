//! A program of the user's own in a node: with descriptors of the runner's, and with a terminal if there is one.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::command::{Invocation, Place, SEARCH_PATH};
use super::missing;

/// What it reads and writes.
#[derive(Debug)]
pub enum Wiring {
    /// Standard input, output and error; whether they are a terminal.
    Through([OwnedFd; 3], bool),
    /// Nothing: its input stays open and empty for as long as the child is held.
    Nowhere,
}

impl Wiring {
    /// Descriptors that this process was started with.
    ///
    /// # Errors
    ///
    /// That one of them is not open.
    pub fn inherited(numbers: [i32; 3], terminal: bool) -> io::Result<Self> {
        let [input, output, error] = numbers.map(|number| {
            // SAFETY: nothing in this process has opened or closed these; one that is not open gives an error.
            #[expect(unsafe_code, reason = "a descriptor that was inherited has no owner to borrow it from")]
            let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
            borrowed.try_clone_to_owned()
        });
        Ok(Self::Through([input?, output?, error?], terminal))
    }
}

/// Starts a program in a node. Unlike a program of the case's own it may be talked to.
///
/// # Errors
///
/// What execve(2) and the steps into the cage say.
pub fn start(place: Place<'_>, invocation: &Invocation, wiring: Wiring) -> io::Result<Child> {
    let (program, arguments) = invocation.run.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", SEARCH_PATH).env("HOME", "/root").env("LANG", "C.UTF-8");
    command.envs(invocation.env.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
    let mut has_terminal = false;
    match wiring {
        Wiring::Through([input, output, error], terminal) => {
            command.stdin(input).stdout(output).stderr(error);
            has_terminal = terminal;
        }
        Wiring::Nowhere => {
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        }
    }
    let entry = place.cage.entry(place.room, place.network, invocation.folder.as_deref());
    // SAFETY: the worker has one thread, so its copy may do what it may do: nothing is locked by another thread.
    #[expect(unsafe_code, reason = "std runs code between fork and exec only so")]
    unsafe {
        command.pre_exec(move || {
            entry.step_in()?;
            if has_terminal { take_terminal() } else { Ok(()) }
        });
    }
    command.spawn().map_err(|error| missing::explained(place, invocation, error))
}

/// Makes standard input the terminal of this process's new session: only so do Ctrl-C and job control work in it
/// (`ioctl_tty(2)`, `TIOCSCTTY`).
fn take_terminal() -> io::Result<()> {
    // SAFETY: this call takes numbers only.
    #[expect(unsafe_code, reason = "nix has no name for this call")]
    let taken = unsafe { libc::ioctl(io::stdin().as_raw_fd(), libc::TIOCSCTTY, 0) };
    if taken == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
