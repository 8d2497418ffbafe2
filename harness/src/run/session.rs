//! A program of the user's own and the user: through a terminal of its own, or straight through.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{self, SetArg, Termios};

use super::signals::{Signals, WINDOW};
use crate::worker::message::{At, Left, Shell};
use crate::worker::supervise::opened::{Opening, Said};

/// How much of what is typed or pasted waits for the program.
const MOST_WAITING: usize = 64 * 1024;

/// What is run where the user's own shell is not there.
const PLAIN_SHELL: &str = "/bin/sh";

/// What stands between the user and a program that is not started yet.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The runner's end of the program's terminal.
    master: Option<File>,
    /// What the worker inherits.
    given: Vec<OwnedFd>,
}

impl Prepared {
    /// A terminal of the program's own where standard input is one, else what this process reads and writes.
    ///
    /// # Errors
    /// That there is no terminal to be had.
    pub(super) fn new() -> io::Result<Self> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let pair = openpty(window(stdin.as_fd()).as_ref(), termios::tcgetattr(&stdin).ok().as_ref())?;
            fcntl(&pair.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
            let flags = OFlag::from_bits_truncate(fcntl(&pair.master, FcntlArg::F_GETFL)?);
            fcntl(&pair.master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
            return Ok(Self { master: Some(pair.master.into()), given: vec![pair.slave] });
        }
        let own = [stdin.as_fd().try_clone_to_owned()?, own(io::stdout().as_fd())?, own(io::stderr().as_fd())?];
        for descriptor in &own {
            fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        Ok(Self { master: None, given: own.into() })
    }

    /// Whether the program has a terminal.
    pub(super) fn has_terminal(&self) -> bool {
        self.master.is_some()
    }

    /// What the worker is told: a command, or else the user's shell.
    pub(super) fn order(&self, at: At, command: &[String]) -> Shell {
        let descriptors = match &*self.given {
            [one] => [one.as_raw_fd(); 3],
            several => [0, 1, 2].map(|at: usize| several.get(at).map_or(-1, AsRawFd::as_raw_fd)),
        };
        let shell = std::env::var("SHELL").ok().filter(|shell| shell.starts_with('/'));
        let (run, otherwise) = match command {
            [] => (vec![shell.unwrap_or_else(|| PLAIN_SHELL.to_owned())], vec![PLAIN_SHELL.to_owned()]),
            command => (command.to_vec(), Vec::new()),
        };
        let term = std::env::var("TERM").ok().filter(|_| self.has_terminal());
        let env = term.into_iter().map(|term| ("TERM".to_owned(), term)).collect();
        Shell { at, run, otherwise, env, descriptors: Some(descriptors), terminal: self.has_terminal() }
    }

    /// Stands between the two until the program has ended, or a signal ends it.
    ///
    /// # Errors
    /// What broke, in words.
    pub(super) fn pass(self, mut opening: Opening, signals: &Signals) -> io::Result<Ended> {
        drop(self.given);
        let Some(master) = self.master else { return wait(&mut opening, signals, None) };
        let _raw = Raw::enter()?;
        pump(&master, &mut opening, signals)
    }
}

/// How a session ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The program did.
    Left(Left),
    /// A signal came.
    Signal,
    /// Whoever it waited for is gone.
    Closed,
}

fn own(descriptor: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    descriptor.try_clone_to_owned()
}

/// Waits for the end of a program, for a signal, and for the end of an input if there is one.
pub(super) fn wait(opening: &mut Opening, signals: &Signals, input: Option<BorrowedFd<'_>>) -> io::Result<Ended> {
    loop {
        // Before waiting: that it has begun and that it has ended may have been said in one breath.
        if let Some(ended) = heard(opening, signals, || ())? {
            return Ok(ended);
        }
        let mut watched =
            vec![PollFd::new(opening.news(), PollFlags::POLLIN), PollFd::new(signals.news(), PollFlags::POLLIN)];
        watched.extend(input.map(|input| PollFd::new(input, PollFlags::POLLIN)));
        if !polled(&mut watched)? {
            continue;
        }
        let typed = watched.get(2).is_some_and(|input| input.any().unwrap_or(false));
        drop(watched);
        if let Some(input) = input.filter(|_| typed)
            && nix::unistd::read(input, &mut [0; 4096]).is_ok_and(|length| length == 0)
        {
            return Ok(Ended::Closed);
        }
    }
}

/// What has ended the session, if something did.
fn heard(opening: &mut Opening, signals: &Signals, resized: impl FnOnce()) -> io::Result<Option<Ended>> {
    match signals.take() {
        Some(WINDOW) => resized(),
        Some(_) => return Ok(Some(Ended::Signal)),
        None => {}
    }
    match opening.hear()? {
        Said::Nothing => Ok(None),
        Said::Left(left) => Ok(Some(Ended::Left(left))),
        Said::Broken(Some(broken)) => Err(io::Error::other(broken.message)),
        Said::Broken(None) => Err(io::Error::other("the worker died")),
    }
}

fn polled(watched: &mut [PollFd<'_>]) -> io::Result<bool> {
    match poll(watched, PollTimeout::NONE) {
        Ok(_) => Ok(true),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn pump(master: &File, opening: &mut Opening, signals: &Signals) -> io::Result<Ended> {
    let stdin = io::stdin();
    let mut waiting: Vec<u8> = Vec::new();
    let (mut listens, mut hung_up) = (true, false);
    loop {
        // As in `wait`.
        if let Some(ended) = heard(opening, signals, || resize(stdin.as_fd(), master))? {
            // What it printed last is in the terminal by now.
            while show_some(master).is_some_and(|length| length > 0) {}
            return Ok(ended);
        }
        let mut watched =
            vec![PollFd::new(opening.news(), PollFlags::POLLIN), PollFd::new(signals.news(), PollFlags::POLLIN)];
        if !hung_up {
            let more = if waiting.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
            watched.push(PollFd::new(master.as_fd(), PollFlags::POLLIN | more));
        }
        let typing = listens && waiting.len() < MOST_WAITING;
        if typing {
            watched.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
        }
        if !polled(&mut watched)? {
            continue;
        }
        let typed = typing && watched.last().is_some_and(|input| input.any().unwrap_or(false));
        drop(watched);
        hung_up = hung_up || !show(master);
        if typed {
            let mut buffer = [0; 4096];
            match nix::unistd::read(stdin.as_fd(), &mut buffer) {
                Ok(0) => listens = false,
                Ok(length) => waiting.extend_from_slice(&buffer[..length]),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(_) => listens = false,
            }
        }
        if let Ok(length) = (&*master).write(&waiting) {
            waiting.drain(..length);
        }
    }
}

/// Shows what there is; `false` once the other end is closed for good.
fn show(master: &File) -> bool {
    show_some(master).is_none_or(|length| length > 0)
}

/// Shows a part of what there is: how much, nothing at the end, `None` when there may be more later.
fn show_some(master: &File) -> Option<usize> {
    let mut buffer = [0; 16 * 1024];
    match (&*master).read(&mut buffer) {
        Ok(length) => {
            let mut out = io::stdout().lock();
            // Nobody looks any more: the program goes on until it ends.
            let _ = out.write_all(&buffer[..length]).and_then(|()| out.flush());
            Some(length)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => None,
        // EIO: every program has closed it.
        Err(_) => Some(0),
    }
}

/// The user's terminal while it passes on every key as it is; as it was once this is dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

fn window(terminal: BorrowedFd<'_>) -> Option<Winsize> {
    let (width, height) = terminal_size::terminal_size_of(terminal)?;
    Some(Winsize { ws_row: height.0, ws_col: width.0, ws_xpixel: 0, ws_ypixel: 0 })
}

/// Tells the program's terminal how large the user's is; the kernel tells the program.
fn resize(from: BorrowedFd<'_>, to: &File) {
    let Some(size) = window(from) else { return };
    // SAFETY: the size lives for the call, which reads it (ioctl_tty(2), `TIOCSWINSZ`).
    #[expect(unsafe_code, reason = "nix has no name for this call")]
    let _ = unsafe { libc::ioctl(to.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// A program that ends at once has left before anybody waits for it; the worker says no more then.
    #[test]
    fn what_was_heard_with_the_beginning_is_not_waited_for() {
        let mut silent = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat");
        let stdout = silent.stdout.take().expect("a pipe");
        let left = Left { status: Some(7), signal: None };
        let mut line = serde_json::to_vec(&crate::worker::message::Message::Left(left)).expect("a message");
        line.push(b'\n');
        let (say, hear) = mpsc::channel();
        thread::spawn(move || {
            let signals = Signals::listen().expect("signals");
            let mut opening = Opening::new(0, 1, stdout, line);
            let ended = wait(&mut opening, &signals, None).expect("it is waited for");
            say.send(matches!(ended, Ended::Left(Left { status: Some(7), .. }))).expect("it is heard");
        });
        assert_eq!(hear.recv_timeout(Duration::from_secs(20)), Ok(true));
        silent.kill().expect("it runs");
        silent.wait().expect("it is dead");
    }
}
