//! The end of a worker at each of its messages.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use netcase::worker::message::{Explain, Message, Order, VERSION};
use netcase::worker::supervise::ROLE;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};

use crate::cases::plan;
use crate::program::program;
use crate::scratch::{User, is_inside, run_inside};
use crate::{FREED, NAMESPACES, Watch, case, children_of, no_process_is_left};

/// How the end comes.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The worker is killed.
    Worker,
    /// The runner closes the worker's standard input, or the kernel does when the runner ends, and nothing else tells.
    Input,
    /// The runner is killed, and the input stays open: somebody else has a copy of it.
    Parent,
}

/// A shell with a worker below it; killed when a test gives up on it.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        // It can only fail for a process that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a worker, below a shell so that its parent can be killed too, and gives it its order.
fn start(text: &str) -> Shell {
    let order = Order {
        version: VERSION,
        plan: plan(text),
        rootless: false,
        timeout_scale: 1.0,
        explain: Explain::Failed,
        shell: None,
    };
    let mut line = serde_json::to_vec(&order).expect("an order can be written");
    line.push(b'\n');
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "\"$@\"; :", "runner"]).arg(program()).arg(ROLE);
    let mut shell = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a worker can be started by a shell");
    shell.stdin.as_mut().expect("it is a pipe").write_all(&line).expect("the worker takes its order");
    Shell(shell)
}

/// Reads messages up to this number, or to the last, and gives that.
fn hear(reader: &mut impl BufRead, number: usize) -> Result<Message, String> {
    let mut line = String::new();
    for heard in 0.. {
        line.clear();
        reader.read_line(&mut line).map_err(|error| error.to_string())?;
        match serde_json::from_str(&line).map_err(|error| format!("{line:?} is no message: {error}"))? {
            Message::Broken(broken) => return Err(format!("the worker cannot go on: {broken:?}")),
            message if heard == number || matches!(message, Message::Done) => return Ok(message),
            _ => {}
        }
    }
    Err("it never ended".to_owned())
}

/// Reads on until the worker has ended: nobody else has copies of its output.
fn hear_the_end(reader: &mut BufReader<ChildStdout>) -> Result<(), String> {
    let until = Instant::now() + FREED;
    loop {
        let mut watched = [PollFd::new(reader.get_ref().as_fd(), PollFlags::POLLIN)];
        let left = PollTimeout::try_from(until.saturating_duration_since(Instant::now())).unwrap_or(PollTimeout::MAX);
        if reader.buffer().is_empty() && poll(&mut watched, left).map_err(|errno| errno.to_string())? == 0 {
            return Err("the worker outlives its runner".to_owned());
        }
        let length = reader.fill_buf().map_err(|error| error.to_string())?.len();
        if length == 0 {
            return Ok(());
        }
        reader.consume(length);
    }
}

/// One worker, ended at one message. `false` when it has said fewer.
fn end_at(number: usize, end: End) -> Result<bool, String> {
    let mut started = start(&case());
    let shell = &mut started.0;
    let stdout = shell.stdout.take().expect("it is a pipe");
    let mut reader = BufReader::new(stdout);
    let said = hear(&mut reader, number)?;
    let worker = children_of(shell.id()).first().copied().ok_or("the worker ended by itself")?;
    let input = shell.stdin.take();
    match end {
        End::Worker => kill(worker, Signal::SIGKILL).map_err(|errno| errno.to_string())?,
        End::Input => drop(input),
        End::Parent => {
            shell.kill().map_err(|error| error.to_string())?;
            hear_the_end(&mut reader)?;
            drop(input);
        }
    }
    shell.wait().map_err(|error| error.to_string())?;
    Ok(!matches!(said, Message::Done))
}

fn killed_at_each_message(test: &str, user: User) {
    if !is_inside() {
        return run_inside(test, user, &[("max_net_namespaces", u32::from(NAMESPACES) + 1)]);
    }
    let watch = Watch::begin();
    let mut faults = Vec::new();
    for end in [End::Worker, End::Input, End::Parent] {
        let mut messages = 0;
        loop {
            match end_at(messages, end) {
                Ok(true) => messages += 1,
                Ok(false) => break,
                Err(fault) => {
                    faults.push(format!("{end:?} at message {messages}: {fault}"));
                    break;
                }
            }
        }
        // Entering, building, starting, probing, four verdicts.
        if messages < 8 {
            faults.push(format!("{end:?}: only {messages} messages were heard"));
        }
        faults.extend(no_process_is_left().err());
    }
    watch.end(&mut faults);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn killed_at_each_message_as_root() {
    killed_at_each_message("messages::killed_at_each_message_as_root", User::Root);
}

#[test]
fn killed_at_each_message_as_an_ordinary_user() {
    killed_at_each_message("messages::killed_at_each_message_as_an_ordinary_user", User::Ordinary);
}

/// A worker in the midst of a long case must not go on to its end for a runner that nobody told it the end of.
#[test]
fn a_worker_ends_when_its_input_does_though_its_parent_lives() {
    let long = case().replace("timeout = \"20s\"", "timeout = \"200s\"").replace("\"100ms\"", "\"100s\"");
    let mut started = start(&long);
    let shell = &mut started.0;
    let mut reader = BufReader::new(shell.stdout.take().expect("it is a pipe"));
    // Entering, building, starting, probing, and a first verdict.
    hear(&mut reader, 4).expect("the worker speaks");
    drop(shell.stdin.take());
    hear_the_end(&mut reader).expect("the worker ends with its input");
    shell.wait().expect("the shell ends with the worker");
}
