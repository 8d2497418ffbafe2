//! What is told to the outside. A report listens to [`Event`]s and knows nothing of labs and probes.

pub mod bundle;
pub mod command;
pub mod explain;
pub mod explained;
pub mod junit;
pub mod path;
pub mod plan;
pub mod terminal;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::evidence::{Evidence, Explanation};
use crate::plan::Plan;
use crate::source::{Source, Span};
use crate::verdict::{Finding, Probed};

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

/// What hears of a run: a report, a display. All listeners are called from one thread.
pub trait Listener {
    /// Takes note of an event. A listener that cannot write keeps its error until it is asked: a run goes on.
    fn on_event(&mut self, event: &Event);
}

/// How one case ended.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// The path of the case without `.toml`: its name everywhere.
    pub name: String,
    /// The path as it is shown.
    pub path: String,
    /// Its title, where it could be read.
    pub title: Option<String>,
    /// The file; `None` when it could not be read.
    pub source: Option<Source>,
    /// What was doubtful or wrong in the file.
    pub diagnostics: Vec<Diagnostic>,
    /// One for each expectation, in the order of the file, and before them one for a script, rules or a program of the
    /// case that failed; one for the case itself when it could not be built.
    pub tests: Vec<TestReport>,
    /// Each of its scripts that has printed something, and what.
    pub printed: Vec<(String, String)>,
    /// What was built and probed; `None` when nothing was.
    pub plan: Option<Arc<Plan>>,
    /// The arguments that a command needs to run it as it ran.
    pub options: Vec<String>,
    /// The folder that holds all that is known of it, once it is written.
    pub bundle: Option<String>,
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
    /// The place that its explanation is about, where that is another one.
    pub blame: Option<Span>,
    /// Why a pass proves less than it seems to. An unproven pass is an error unless it was allowed.
    pub unproven: Option<String>,
    /// From the first probe to the verdict.
    pub elapsed: Duration,
    /// How many times it was probed.
    pub attempts: u32,
    /// What became of it when it was probed once more with evidence on.
    pub explained: Option<Box<Explained>>,
    /// The files of the bundle that belong to it, the most telling first.
    pub attachments: Vec<String>,
}

/// What became of a second probe.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Where the packet went, and why it ended there.
    pub explanation: Explanation,
    /// What was gathered.
    pub evidence: Arc<Evidence>,
    /// What was probed, and what that saw; for the bundle only.
    pub probed: Option<Arc<Probed>>,
}

impl TestReport {
    /// A test that was not probed.
    pub fn unprobed(name: impl Into<String>, span: Option<Span>, status: Status) -> Self {
        Self {
            name: name.into(),
            status,
            span,
            blame: None,
            unproven: None,
            elapsed: Duration::ZERO,
            attempts: 0,
            explained: None,
            attachments: Vec::new(),
        }
    }
}

/// The five ways a test ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail(Finding),
    /// Bad input: the case could not be used.
    BadInput(Finding),
    /// The lab, a probe or the worker broke; or it holds without proof.
    Error(Finding),
    /// This machine lacks what the case needs, or the case was not run; why.
    Skip(String),
}

/// The worst of a case's tests, for the one word that stands before its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worst {
    /// Everything was skipped.
    Skip,
    /// Everything that was not skipped holds.
    Pass,
    /// Something does not hold.
    Fail,
    /// Something could not be found out.
    Error,
    /// The case could not be used.
    BadInput,
}

impl CaseReport {
    /// The path, and behind it the combination of the matrix.
    pub fn label(&self) -> String {
        let file = self.path.strip_suffix(".toml").unwrap_or(&self.path);
        match self.name.strip_prefix(file) {
            Some(combination) if !combination.is_empty() => format!("{} {combination}", self.path),
            _ => self.path.clone(),
        }
    }

    /// The worst of the tests.
    pub fn worst(&self) -> Worst {
        let worst = |test: &TestReport| match test.status {
            Status::Skip(_) => Worst::Skip,
            Status::Pass => Worst::Pass,
            Status::Fail(_) => Worst::Fail,
            Status::Error(_) => Worst::Error,
            Status::BadInput(_) => Worst::BadInput,
        };
        self.tests.iter().map(worst).max().unwrap_or(Worst::Skip)
    }

    /// Whether anything in it is red.
    pub fn is_red(&self) -> bool {
        self.worst() > Worst::Pass
    }
}

/// The counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Expectations that hold.
    pub passed: usize,
    /// Expectations that do not hold.
    pub failed: usize,
    /// Cases that could not be used.
    pub bad_input: usize,
    /// Expectations that could not be found out.
    pub errors: usize,
    /// Expectations that were not tried.
    pub skipped: usize,
    /// Among `passed` and `errors`: expectations that hold without proof.
    pub unproven: usize,
    /// Cases that ran or were to run.
    pub cases: usize,
    /// Wall time of the whole run.
    pub elapsed: Duration,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// What was not selected, when nothing was.
    pub left_out: LeftOut,
}

/// The cases that there were when none was selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many there were to choose from.
    pub cases: usize,
    /// Their tags, when tags were what to choose by; else names were.
    pub tags: Option<BTreeSet<String>>,
}

/// How many tags are named at most.
const MOST_TAGS: usize = 12;

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no case was selected")?;
        let has = match self.cases {
            0 => return Ok(()),
            1 => "the only one has no".to_owned(),
            many => format!("none of {many} has a"),
        };
        match &self.tags {
            None => write!(f, ": {has} name that `--filter` asks for"),
            Some(tags) if tags.is_empty() => write!(f, ": {has} tag"),
            Some(tags) => {
                let named: Vec<String> = tags.iter().take(MOST_TAGS).map(|tag| format!("`{tag}`")).collect();
                let more = if tags.len() > MOST_TAGS { ", ..." } else { "" };
                write!(f, ": {has} tag that `--tag` asks for; there are {}{more}", named.join(", "))
            }
        }
    }
}

impl Summary {
    /// Counts one more case.
    pub fn add(&mut self, report: &CaseReport) {
        self.cases += 1;
        for test in &report.tests {
            match test.status {
                Status::Pass => self.passed += 1,
                Status::Fail(_) => self.failed += 1,
                Status::BadInput(_) => self.bad_input += 1,
                Status::Error(_) => self.errors += 1,
                Status::Skip(_) => self.skipped += 1,
            }
            self.unproven += usize::from(test.unproven.is_some());
        }
    }
}

#[cfg(test)]
pub(crate) mod samples;
