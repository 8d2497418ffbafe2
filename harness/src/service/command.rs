//! A program of the case's own, run as root of its node: until the case ends, or until it ends itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Instant;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use super::cage::{Cage, Room};
use super::missing;
use crate::namespace::Namespace;
use crate::words::Stream;

/// Where programs are looked for, whatever the environment says: the same on every machine.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of a program's output is kept, from the end of both streams together, and from the start of each. Whatever
/// is more is read and dropped: a program is never held up, and nothing fills.
const KEPT: usize = 64 * 1024;
const CAPTURED: usize = 1024 * 1024;

/// How many bytes of a line are shown where some lines are: one may have no end.
const WIDEST: usize = 4000;

/// What is left in a pipe when its writer has ended is at most its capacity (pipe(7)); others may go on writing.
const LEFT: usize = 256 * 1024;

/// A pipe's capacity as it is made.
const AT_ONCE: usize = 64 * 1024;

/// Where a program runs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The cage of the case.
    pub cage: &'a Cage,
    /// The room of the node.
    pub room: &'a Room,
    /// The network of the node.
    pub network: &'a Namespace,
}

/// What is run.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The program and its arguments.
    pub run: Vec<String>,
    /// Environment variables beside the fixed ones.
    pub env: Vec<(String, String)>,
    /// What it finds on its standard input; nothing means that it is empty.
    pub stdin: Vec<u8>,
    /// The folder it starts in, seen from the case's own (default: that one).
    pub folder: Option<PathBuf>,
}

/// A running program.
#[derive(Debug)]
pub struct Program {
    child: Child,
    output: Rc<Output>,
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How; `None` for one that took too long and was killed.
    pub status: Option<ExitStatus>,
    /// The start of its standard output, at most 1 MiB.
    pub stdout: Vec<u8>,
    /// The start of its standard error, at most 1 MiB.
    pub stderr: Vec<u8>,
    /// Of which of the two there was more.
    pub cut: Vec<Stream>,
    /// The last lines of both.
    pub last_lines: Vec<String>,
    /// The end of both, at most 64 KiB.
    pub printed: String,
}

/// Runs a program to its end, or kills it at a deadline, with all that it has started and that did not leave it.
///
/// # Errors
///
/// What execve(2) and the steps into the cage say.
pub async fn run(place: Place<'_>, invocation: &Invocation, deadline: Instant) -> io::Result<Ended> {
    let mut program = Program::start(place, invocation)?;
    let status = match tokio::time::timeout_at(deadline.into(), program.child.wait()).await {
        Ok(status) => Some(status?),
        Err(_) => {
            program.stop().await?;
            None
        }
    };
    program.output.drain();
    let streams = program.output.streams.borrow();
    let [stdout, stderr] = streams.start.clone();
    let cut = [Stream::Stdout, Stream::Stderr].into_iter().zip(streams.cut).filter_map(|(it, cut)| cut.then_some(it));
    let cut = cut.collect();
    drop(streams);
    Ok(Ended { status, stdout, stderr, cut, last_lines: program.last_lines(), printed: program.printed() })
}

impl Ended {
    /// How it ended, in words that read behind the program's name.
    pub fn how(&self) -> String {
        match self.status {
            None => "was killed: it took too long".to_owned(),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with exit status {code}"),
                (None, Some(signal)) => {
                    let name = Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |s| s.to_string());
                    format!("was killed by {name}")
                }
                (None, None) => format!("ended ({status})"),
            },
        }
    }
}

impl Program {
    /// Starts a program in a node.
    ///
    /// # Errors
    ///
    /// What execve(2) and the steps into the cage say.
    pub fn start(place: Place<'_>, invocation: &Invocation) -> io::Result<Self> {
        let (program, arguments) = invocation.run.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", SEARCH_PATH).env("HOME", "/root").env("LANG", "C.UTF-8");
        command.envs(invocation.env.iter().map(|(name, value)| (name, value)));
        command.stdin(if invocation.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let entry = place.cage.entry(place.room, place.network, invocation.folder.as_deref());
        // SAFETY: the worker has one thread, so its copy may do what it may do: nothing is locked by another thread.
        #[expect(unsafe_code, reason = "std runs code between fork and exec only so")]
        unsafe {
            command.pre_exec(move || entry.step_in());
        }
        let mut child = command.spawn().map_err(|error| missing::explained(place, invocation, error))?;
        let output = Rc::new(Output::default());
        for (stream, pipe) in [
            child.stdout.take().map(tokio::process::ChildStdout::into_owned_fd),
            child.stderr.take().map(tokio::process::ChildStderr::into_owned_fd),
        ]
        .into_iter()
        .enumerate()
        {
            pipe.transpose()?.map(|pipe| Output::follow(&output, stream, pipe)).transpose()?;
        }
        if let Some(mut stdin) = child.stdin.take() {
            let text = invocation.stdin.clone();
            // A program may end without reading all of it.
            tokio::task::spawn_local(async move { stdin.write_all(&text).await });
        }
        Ok(Self { child, output })
    }

    /// The network namespace that it, or a process below it, has instead of those given; none while it has none.
    ///
    /// # Errors
    ///
    /// That a namespace cannot be looked at.
    pub fn own_network(&self, instead_of: &[&Namespace]) -> io::Result<Option<OwnedFd>> {
        let mut processes: Vec<u32> = self.child.id().into_iter().collect();
        while let Some(process) = processes.pop() {
            // A process may end while it is looked at.
            let Ok(namespace) = File::open(format!("/proc/{process}/ns/net")) else { continue };
            let namespace = OwnedFd::from(namespace);
            let known = instead_of.iter().map(|known| known.is_same(&namespace)).collect::<io::Result<Vec<bool>>>()?;
            if !known.contains(&true) {
                return Ok(Some(namespace));
            }
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
            processes.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        Ok(None)
    }

    /// How it has ended, if it has; all that it printed is there then.
    ///
    /// # Errors
    ///
    /// What waitpid(2) says.
    pub fn ended(&mut self) -> io::Result<Option<String>> {
        let ended = self.child.try_wait()?.map(|status| status.to_string());
        if ended.is_some() {
            self.output.drain();
        }
        Ok(ended)
    }

    /// Kills it with all processes of its session that did not leave its group, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// What kill(2) and waitpid(2) say.
    pub async fn stop(&mut self) -> io::Result<()> {
        if let Some(group) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            killpg(Pid::from_raw(group), Signal::SIGKILL)?;
        }
        self.child.wait().await.map(drop)
    }

    /// Whether it has printed this text: among the last that it has printed, or at the start of what it prints, which a
    /// flood behind it does not wash away.
    pub fn has_printed(&self, text: &str) -> bool {
        let streams = self.output.streams.borrow();
        let (front, back) = streams.end.as_slices();
        let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        has(&[front, back].concat()) || streams.start.iter().any(|start| has(start))
    }

    /// Returns when it has printed more.
    pub async fn prints(&self) {
        self.output.changed.notified().await;
    }

    /// The end of what it has printed.
    fn printed(&self) -> String {
        let printed: Vec<u8> = self.output.streams.borrow().end.iter().copied().collect();
        String::from_utf8_lossy(&printed).into_owned()
    }

    /// The last lines that it has printed, of each the start.
    pub fn last_lines(&self) -> Vec<String> {
        let text = self.printed();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(10));
        last.map(|line| {
            let end = (0..=WIDEST.min(line.len())).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
            format!("{}{}", &line[..end], if end < line.len() { "..." } else { "" })
        })
        .collect()
    }
}

/// What a program has printed.
#[derive(Debug, Default)]
struct Output {
    streams: RefCell<Streams>,
    pipes: RefCell<Vec<(usize, Rc<Receiver>)>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Streams {
    start: [Vec<u8>; 2],
    cut: [bool; 2],
    end: VecDeque<u8>,
}

impl Output {
    fn follow(self: &Rc<Self>, stream: usize, pipe: OwnedFd) -> io::Result<()> {
        let pipe = Rc::new(Receiver::from_owned_fd(pipe)?);
        self.pipes.borrow_mut().push((stream, Rc::clone(&pipe)));
        let output = Rc::clone(self);
        tokio::task::spawn_local(async move {
            while pipe.readable().await.is_ok() && output.take(stream, &pipe).is_none_or(|length| length > 0) {}
            output.changed.notify_waiters();
        });
        Ok(())
    }

    /// Takes what is there: how much, nothing at the end, `None` when there may be more later.
    fn take(&self, stream: usize, pipe: &Receiver) -> Option<usize> {
        let mut buffer = vec![0; AT_ONCE];
        let length = match pipe.try_read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(_) => 0,
        };
        let mut streams = self.streams.borrow_mut();
        let room = CAPTURED.saturating_sub(streams.start[stream].len());
        streams.start[stream].extend_from_slice(&buffer[..length.min(room)]);
        streams.cut[stream] |= length > room;
        streams.end.extend(&buffer[length.saturating_sub(KEPT)..length]);
        let surplus = streams.end.len().saturating_sub(KEPT);
        streams.end.drain(..surplus);
        drop(streams);
        self.changed.notify_waiters();
        Some(length)
    }

    /// Takes what a program that has ended left in its pipes; others may hold them open.
    fn drain(&self) {
        for (stream, pipe) in self.pipes.borrow().iter() {
            let mut taken = 0;
            while let Some(length @ 1..) = self.take(*stream, pipe) {
                taken += length;
                if taken > LEFT {
                    break;
                }
            }
        }
    }
}
