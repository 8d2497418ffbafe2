//! What runner and worker say to each other, as the runner hears it.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::opened::Opening;
use super::{Ending, Finished, Options};
use crate::plan::Plan;
use crate::worker::message::{Broken, Message, Opened, Order, VERSION};

/// The longest message, and the most output altogether, that a worker may send: a case of 10,000 expectations stays a
/// hundred times below, and evidence is kept below by the worker (`child/bound.rs`, `child/explain.rs`).
const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;
const MOST_OUTPUT: usize = 512 * 1024 * 1024;

/// How much of a worker's standard error is kept, from its end.
const KEPT_STDERR: usize = 16 * 1024;

/// How long after the end of its output a worker may take to die, and from one look for that to the next, in
/// milliseconds.
const LAST_MOMENT: Duration = Duration::from_secs(1);
const LOOK_AGAIN: u8 = 2;

/// What a worker has said so far.
pub(super) struct Conversation {
    stdin: ChildStdin,
    /// What of the order has not been taken by the worker yet.
    order: Vec<u8>,
    stdout: ChildStdout,
    stderr: ChildStderr,
    deadline: Instant,
    line: Vec<u8>,
    heard: usize,
    complaints: Vec<u8>,
    doing: String,
    /// How long explanations may take, and what was left of the case's own time when they began.
    pub(super) explaining: Duration,
    left: Option<Duration>,
    place: Option<crate::source::Span>,
}

/// How a conversation went on.
enum Next {
    /// There is more to hear.
    More,
    /// The worker is done.
    Done,
    /// The worker says why it cannot go on, or is beyond hearing.
    Broken(Broken),
    /// The user has the lab now.
    Opened(Opened),
    /// The worker has closed its end.
    End,
}

impl Conversation {
    pub(super) fn new(stdin: ChildStdin, stdout: ChildStdout, stderr: ChildStderr, deadline: Instant) -> Self {
        Self {
            stdin,
            order: Vec::new(),
            stdout,
            stderr,
            deadline,
            line: Vec::new(),
            heard: 0,
            complaints: Vec::new(),
            doing: "starting".to_owned(),
            explaining: Duration::MAX,
            left: None,
            place: None,
        }
    }

    /// Gives the order and listens until the worker is done, broken, dead or late. The worker keeps its standard input,
    /// and with it its lab, until it is let go.
    pub(super) fn hold(mut self, plan: &Plan, options: Options, ending: &mut Ending, finished: &mut Finished) {
        let order = Order {
            version: VERSION,
            plan: plan.clone(),
            rootless: options.rootless,
            timeout_scale: options.timeout_scale,
            explain: options.explain,
            shell: options.shell,
        };
        let outcome = serde_json::to_vec(&order).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.order = line;
            self.listen(ending)
        });
        ending.broken = match outcome {
            Ok(Next::Done) if ending.verdicts.iter().all(Option::is_some) => None,
            Ok(Next::Done) => Some(self.while_doing("the worker was done without a verdict for every expectation")),
            Ok(Next::Broken(broken)) => Some(broken),
            Ok(Next::Opened(Opened { node, process, broken })) => {
                ending.opening = Some(Opening::new(node, process, self.stdout, std::mem::take(&mut self.line)));
                if let Some(child) = &mut finished.child {
                    child.stdin = Some(self.stdin);
                }
                ending.broken = broken.map(|broken| *broken);
                return;
            }
            Ok(Next::End | Next::More) => Some(self.epitaph(finished)),
            Err(error) => Some(self.while_doing(&format!("the runner cannot talk to the worker: {error}"))),
        };
        if let Some(child) = &mut finished.child {
            child.stdin = Some(self.stdin);
        }
    }

    fn listen(&mut self, ending: &mut Ending) -> io::Result<Next> {
        for pipe in [self.stdin.as_fd(), self.stdout.as_fd(), self.stderr.as_fd()] {
            set_nonblocking(pipe)?;
        }
        let mut stderr_open = true;
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Next::Broken(self.late()));
            }
            let timeout = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            let mut watched = vec![PollFd::new(self.stdout.as_fd(), PollFlags::POLLIN)];
            if stderr_open {
                watched.push(PollFd::new(self.stderr.as_fd(), PollFlags::POLLIN));
            }
            if !self.order.is_empty() {
                watched.push(PollFd::new(self.stdin.as_fd(), PollFlags::POLLOUT));
            }
            match poll(&mut watched, timeout) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            drop(watched);
            self.give_order()?;
            stderr_open = stderr_open && self.hear_complaints()?;
            match self.hear(ending)? {
                Next::More => {}
                other => {
                    self.hear_complaints()?;
                    return Ok(other);
                }
            }
        }
    }

    /// Gives as much of the order as the worker takes now: one that does not read must not keep the deadline away.
    fn give_order(&mut self) -> io::Result<()> {
        while !self.order.is_empty() {
            match self.stdin.write(&self.order) {
                Ok(length) => drop(self.order.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // A worker that died before it had read its order has said, or shows, why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.order.clear(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes in what the worker has said; at most one buffer, so that a flood cannot keep the deadline away.
    fn hear(&mut self, ending: &mut Ending) -> io::Result<Next> {
        let mut buffer = vec![0; 64 * 1024];
        let length = match self.stdout.read(&mut buffer) {
            Ok(0) => return Ok(Next::End),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::More),
            Err(error) => return Err(error),
        };
        self.heard += length;
        let mut begin = 0;
        for part in buffer[..length].split_inclusive(|byte| *byte == b'\n') {
            begin += part.len();
            self.line.extend_from_slice(part);
            if self.line.len() > LARGEST_MESSAGE || self.heard > MOST_OUTPUT {
                return Ok(Next::Broken(self.while_doing("the worker floods the runner with output")));
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                match self.understand(&line, ending) {
                    Next::More => {}
                    other => {
                        self.line = buffer[begin..length].to_vec();
                        return Ok(other);
                    }
                }
            }
        }
        Ok(Next::More)
    }

    fn understand(&mut self, line: &[u8], ending: &mut Ending) -> Next {
        match serde_json::from_slice(line) {
            Ok(Message::Doing { what, span }) => {
                (self.doing, self.place) = (what, span);
                Next::More
            }
            Ok(Message::Verdict { expectation, verdict }) => match ending.verdicts.get_mut(expectation) {
                Some(place) if place.is_none() => {
                    *place = Some(*verdict);
                    Next::More
                }
                Some(_) => Next::Broken(self.while_doing("the worker judged an expectation twice")),
                None => Next::Broken(self.while_doing("the worker judged an expectation that it was not asked for")),
            },
            // What is explained takes none of the case's own time.
            Ok(Message::Explaining) => {
                self.left = Some(self.deadline.saturating_duration_since(Instant::now()));
                self.deadline = Instant::now().checked_add(self.explaining).unwrap_or(self.deadline);
                "explaining".clone_into(&mut self.doing);
                Next::More
            }
            Ok(Message::Explained { probed, explanation, evidence }) => {
                if probed.expectation >= ending.verdicts.len() {
                    return Next::Broken(self.while_doing("the worker explained an expectation that there is not"));
                }
                ending.explained.push((*probed, *explanation, *evidence));
                Next::More
            }
            Ok(Message::Unexplained { expectations, why }) => {
                ending.unexplained.extend(expectations.into_iter().map(|expectation| (expectation, why.clone())));
                Next::More
            }
            Ok(Message::Onward) => {
                self.deadline = self.left.take().map_or(self.deadline, |left| Instant::now() + left);
                Next::More
            }
            Ok(Message::Printed(printed)) => {
                ending.printed.push(printed);
                Next::More
            }
            Ok(Message::Opened(opened)) => Next::Opened(opened),
            Ok(Message::Left(_)) => Next::Broken(self.while_doing("a shell ended that was not opened")),
            Ok(Message::Broken(broken)) => Next::Broken(broken),
            Ok(Message::Done) => Next::Done,
            Err(_) => {
                let start = String::from_utf8_lossy(&line[..line.len().min(80)]).trim_end().to_owned();
                Next::Broken(self.while_doing(&format!("the worker said something that is no message: {start:?}")))
            }
        }
    }

    /// Takes in standard error; `false` when it is closed.
    fn hear_complaints(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        match self.stderr.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(length) => {
                self.complaints.extend_from_slice(&buffer[..length]);
                let surplus = self.complaints.len().saturating_sub(KEPT_STDERR);
                self.complaints.drain(..surplus);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn late(&self) -> Broken {
        self.while_doing("the case took longer than its `timeout`")
            .help("a larger `timeout = \"60s\"` in the case, or `--timeout-scale 2` on a slow machine")
    }

    /// Why a worker has closed its output. One that dies does so a moment before the kernel tells how.
    fn epitaph(&mut self, finished: &mut Finished) -> Broken {
        let until = Instant::now() + LAST_MOMENT;
        let status = loop {
            match finished.child.as_mut().map(Child::try_wait) {
                Some(Ok(Some(status))) => break Some(status),
                Some(Ok(None)) if Instant::now() < until => {}
                _ => break None,
            }
            // Nothing tells of a child's end that could be waited for with a limit, so it is looked for.
            let _ = poll(&mut [], PollTimeout::from(LOOK_AGAIN));
        };
        let Some(status) = status else {
            return self.while_doing("the worker closed its output and went on");
        };
        let broken = self.while_doing(&format!("the worker died ({status})"));
        match ExitStatus::signal(&status) {
            Some(libc::SIGKILL) => {
                broken.help("it was killed from outside; when memory runs out the kernel does so: see `dmesg`")
            }
            _ => broken,
        }
    }

    fn while_doing(&self, what: &str) -> Broken {
        let mut broken = Broken::new(format!("{what}, while {}", self.doing));
        broken.span = self.place;
        let complaints = String::from_utf8_lossy(&self.complaints);
        if !complaints.trim().is_empty() {
            broken.notes.push(format!("it printed:\n{}", complaints.trim_end()));
        }
        broken
    }
}

fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
