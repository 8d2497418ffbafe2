//! The wire between runner and worker: one JSON object a line.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Explanation};
use crate::plan::Plan;
use crate::source::Span;
use crate::verdict::{Probed, Verdict};

/// The version of the wire; both ends are the same binary, so a difference is a mistake of the set-up.
pub const VERSION: u32 = 1;

/// How long the explanations of one step may take, beside the windows of silence of the last one: a dozen, each with one.
/// The worker begins no other one a while before.
pub const EXPLAINING: Duration = Duration::from_secs(60);

/// What the worker is told, once.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// [`VERSION`].
    pub version: u32,
    /// What to do.
    pub plan: Plan,
    /// A user namespace even as root.
    pub rootless: bool,
    /// Stretches every wait that is not a limit of the case.
    pub timeout_scale: f64,
    /// What is probed once more with evidence on.
    pub explain: Explain,
    /// A program of the user's own that runs in the lab.
    pub shell: Option<Shell>,
}

/// A program of the user's own in a node of the lab. Limits of the case do not count while it runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shell {
    /// Where, and when.
    pub at: At,
    /// The program and its arguments.
    pub run: Vec<String>,
    /// What is run where that is not there; empty for nothing.
    pub otherwise: Vec<String>,
    /// Environment variables beside the fixed ones.
    pub env: Vec<(String, String)>,
    /// The descriptors, inherited by the worker, that become its standard input, output and error; without them it
    /// reads and writes nothing.
    pub descriptors: Option<[i32; 3]>,
    /// Whether they are a terminal.
    pub terminal: bool,
}

/// Where a program of the user's own runs, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// In the lab before anything is probed.
    Lab {
        /// The node.
        node: usize,
        /// How many steps' actions are performed before.
        steps: usize,
    },
    /// After a failure, in the node that sent the probe.
    Failure,
}

/// A program of the user's own has begun.
#[derive(Debug, Serialize, Deserialize)]
pub struct Opened {
    /// The node.
    pub node: usize,
    /// Its process.
    pub process: u32,
    /// Why the case could not go on before.
    pub broken: Option<Box<Broken>>,
}

/// How a program of the user's own ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Left {
    /// Its exit status.
    pub status: Option<i32>,
    /// The signal that has killed it.
    pub signal: Option<i32>,
}

/// Which expectations are probed once more with evidence on, when they are decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Explain {
    /// None.
    Nothing,
    /// Those that do not hold.
    #[default]
    Failed,
    /// Those that hold, too.
    Everything,
    /// Those whose name has this text in it, whether they hold or not.
    Named(String),
}

/// What the worker says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    /// What it does from now on, for the report when nothing follows.
    Doing {
        /// In words that read behind "while".
        what: String,
        /// The place of the case that asks for it.
        span: Option<Span>,
    },
    /// An expectation is decided.
    Verdict {
        /// Its place in the plan.
        expectation: usize,
        /// How.
        verdict: Box<Verdict>,
    },
    /// What is decided is probed once more from now on, which counts for no limit of the case.
    Explaining,
    /// What became of an expectation's second probe.
    Explained {
        /// Which one, and what was seen.
        probed: Box<Probed>,
        /// Where the packet went, and why it ended there.
        explanation: Box<Explanation>,
        /// What was gathered.
        evidence: Box<Evidence>,
    },
    /// What was to be explained, and is not.
    Unexplained {
        /// Which ones.
        expectations: Vec<usize>,
        /// Why, in words.
        why: String,
    },
    /// The explanations are done: limits count again.
    Onward,
    /// What a script of the case has printed.
    Printed(Printed),
    /// A program of the user's own has begun: nothing else is said before it ends.
    Opened(Opened),
    /// It has ended.
    Left(Left),
    /// The case cannot go on.
    Broken(Broken),
    /// Every expectation is decided.
    Done,
}

/// Says why something was not explained.
pub fn not_explained(why: &str) -> String {
    format!("not probed once more to explain it: {why}")
}

/// What a program of the case has printed, kept as evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Printed {
    /// Which one.
    pub who: String,
    /// The end of it, at most 64 KiB.
    pub text: String,
}

/// Why a case could not go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Broken {
    /// One line.
    pub message: String,
    /// What else is known, a line each.
    pub notes: Vec<String>,
    /// Ways out, a line each.
    pub helps: Vec<String>,
    /// The place of the case that asked for what went wrong.
    pub span: Option<Span>,
    /// What the case itself brings that has failed, by the name of a test of its own: a script, rules, a program.
    pub subject: Option<String>,
    /// Whether it is this machine that lacks what the case needs, known before anything was built: no fault of
    /// anybody's.
    pub lacking: bool,
}

impl Broken {
    /// A reason of one line.
    pub fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { message, notes: Vec::new(), helps: Vec::new(), span: None, subject: None, lacking: false }
    }

    /// What this machine lacks, in words that read behind "skipped:".
    pub fn lacking(reason: impl Into<String>) -> Self {
        Self { lacking: true, ..Self::new(reason) }
    }

    /// Says that it is something of the case's own that has failed: no fault of netcase or the machine.
    #[must_use]
    pub fn of(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(help.into());
        self
    }

    /// Adds what else is known.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds the place of the case that asked for it.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }
}
