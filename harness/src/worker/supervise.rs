//! The runner's side of a worker: starts it, owns its deadline, kills what is left, and turns what is missing into an
//! error that says what happened last.

mod conversation;
pub mod opened;

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::message::{Broken, EXPLAINING, Explain, Printed, Shell};
use crate::evidence::{Evidence, Explanation};
use crate::plan::Plan;
use crate::verdict::{Probed, Verdict};
use conversation::Conversation;
use opened::Opening;

/// Hidden first argument of a worker process.
pub const ROLE: &str = "netcase-worker";

/// How many windows of silence one explanation may have: a name is asked for, then what has it.
const WINDOWS: u32 = 3;

/// How workers are started.
#[derive(Clone, Debug)]
pub struct Options {
    /// An own user namespace even as root.
    pub rootless: bool,
    /// Stretches every wait that is not a limit of the case.
    pub timeout_scale: f64,
    /// What is probed once more with evidence on.
    pub explain: Explain,
    /// A program of the user's own that runs in the lab.
    pub shell: Option<Shell>,
}

/// What became of one case.
#[derive(Debug)]
pub struct Ending {
    /// One for each expectation of the plan that was decided.
    pub verdicts: Vec<Option<Verdict>>,
    /// Why the rest was not.
    pub broken: Option<Broken>,
    /// What its scripts have printed.
    pub printed: Vec<Printed>,
    /// What became of second probes.
    pub explained: Vec<(Probed, Explanation, Evidence)>,
    /// What was to be explained and is not, and why.
    pub unexplained: Vec<(usize, String)>,
    /// The program of the user's own that runs in the lab now.
    pub opening: Option<Opening>,
    /// From start to end.
    pub elapsed: Duration,
}

/// A worker whose verdicts are in. Its lab stands until this is dropped; tearing many labs down together costs the
/// kernel far less than one after another, so the runner drops them in batches.
#[derive(Debug)]
pub struct Finished {
    child: Option<Child>,
}

impl Finished {
    /// Kills all of them first, then waits for all of them.
    pub fn release(mut workers: Vec<Self>) {
        for worker in &mut workers {
            worker.kill();
        }
        drop(workers);
    }

    fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            // It can only fail for a process that has ended already.
            let _ = child.kill();
        }
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

/// Becomes a worker if this process was started as one; call it first thing in `main`. Returns otherwise.
pub fn become_worker_if_asked() {
    if std::env::args_os().nth(1).is_some_and(|role| role == ROLE) {
        super::child::main();
    }
}

/// Runs one case in a worker of its own, and blocks until its verdicts are in.
///
/// The thread that calls this must outlive the [`Finished`] worker: the kernel kills it with the thread.
pub fn supervise(plan: &Plan, options: Options) -> (Ending, Finished) {
    let mut command = Command::new("/proc/self/exe");
    command.arg(ROLE);
    supervise_with(command, plan, options)
}

/// As [`supervise`], with any program in the place of the worker.
pub fn supervise_with(mut command: Command, plan: &Plan, options: Options) -> (Ending, Finished) {
    let started = Instant::now();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C on a terminal goes to a whole process group: it is the runner's to answer.
    command.process_group(0);
    let verdicts = plan.expectations.iter().map(|_| None).collect();
    let mut ending = Ending {
        verdicts,
        broken: None,
        printed: Vec::new(),
        explained: Vec::new(),
        unexplained: Vec::new(),
        opening: None,
        elapsed: Duration::ZERO,
    };
    let mut finished = Finished { child: None };
    match command.spawn() {
        Ok(mut child) => {
            let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            finished.child = Some(child);
            if let (Some(stdin), Some(stdout), Some(stderr)) = pipes {
                let scale = options.timeout_scale.max(1.0);
                let deadline = started + plan.timeout.mul_f64(scale);
                let mut conversation = Conversation::new(stdin, stdout, stderr, deadline);
                conversation.explaining = (EXPLAINING + WINDOWS * plan.silence).mul_f64(scale);
                conversation.hold(plan, options, &mut ending, &mut finished);
            }
        }
        Err(error) => ending.broken = Some(not_started(&error)),
    }
    ending.elapsed = started.elapsed();
    (ending, finished)
}

fn not_started(error: &io::Error) -> Broken {
    let broken = Broken::new(format!("cannot start a worker: {error}"));
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => {
            broken.help("raise the limit of open files (`ulimit -n 4096`), or lower `--jobs`")
        }
        Some(libc::EAGAIN | libc::ENOMEM) => {
            broken.help("raise the limits of processes and memory (`ulimit -a`), or lower `--jobs`")
        }
        _ => broken,
    }
}
