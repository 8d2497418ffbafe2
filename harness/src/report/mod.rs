//! What is told to the outside. A report listens to [`Event`]s and knows nothing of labs and probes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};
use crate::verdict::Finding;

/// What happens in a run, in the order it is told. Cases end in any order; reports put them in the order of input.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// How many cases were selected.
        cases: usize,
    },
    /// A case begins.
    CaseStarted {
        /// Place of the case in the input.
        index: usize,
        /// Its name.
        name: String,
    },
    /// A case has ended.
    CaseFinished {
        /// Place of the case in the input.
        index: usize,
        /// How it ended.
        report: Arc<CaseReport>,
    },
    /// The run ends.
    RunFinished {
        /// The counts.
        summary: Summary,
    },
}

/// How one case ended.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// The path of the case without `.toml`: its name everywhere.
    pub name: String,
    /// Its title, where it could be read.
    pub title: Option<String>,
    /// The file; `None` when it could not be read.
    pub source: Option<Source>,
    /// What was doubtful or wrong in the file.
    pub diagnostics: Vec<Diagnostic>,
    /// One for each expectation, in the order of the file; one for the case itself when it could not be built.
    pub tests: Vec<TestReport>,
    /// From start to end.
    pub elapsed: Duration,
}

/// How one expectation ended.
#[derive(Clone, Debug)]
pub struct TestReport {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// Where it stands.
    pub span: Option<Span>,
    /// From the first probe to the verdict.
    pub elapsed: Duration,
    /// How many times it was probed.
    pub attempts: u32,
}

/// The four ways an expectation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds. A reason stands there when the pass is unproven and that was allowed.
    Pass {
        /// Why the pass proves less than it seems to.
        unproven: Option<String>,
    },
    /// It does not hold.
    Fail(Finding),
    /// Bad input: the case could not be used.
    BadInput(Finding),
    /// The lab, a probe or the worker broke.
    Error(Finding),
    /// This machine lacks what the case needs.
    Skip(String),
}

/// The counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Expectations that hold.
    pub passed: usize,
    /// Expectations that do not hold.
    pub failed: usize,
    /// Expectations of cases with bad input.
    pub bad_input: usize,
    /// Expectations that could not be found out.
    pub errors: usize,
    /// Expectations of cases that this machine cannot run.
    pub skipped: usize,
    /// Among `passed` and `errors`: negatives without proof.
    pub unproven: usize,
    /// Cases that ran or were to run.
    pub cases: usize,
    /// Wall time of the whole run.
    pub elapsed: Duration,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// Where reports were written.
    pub written: Vec<PathBuf>,
}
