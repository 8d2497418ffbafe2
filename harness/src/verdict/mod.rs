//! What was found out about one expectation.
//!
//! [`judge`] decides, purely, from what was expected and what was seen; it is the only place that does.

mod describe;
mod explain;
mod judge;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use describe::target_words;
pub use describe::{describe_check, describe_traffic};
pub use explain::{Explained, Matter, Probed, comments, explain, path_lines};
pub(crate) use judge::refuser::judge as judge_refuser;
pub(crate) use judge::run::{captured, judge as judge_run};
pub use judge::{Judgement, judge};
pub(crate) use words::duration;

/// The end of one expectation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// Pass, fail or error.
    pub outcome: Outcome,
    /// How many times it was probed.
    pub attempts: u32,
    /// From the first probe to the decision.
    pub elapsed: Duration,
}

/// The three ways a probed expectation ends; the fourth, a skip, is decided before anything is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It holds.
    Pass {
        /// Why the pass proves less than it seems to; `None` when it is proved.
        unproven: Option<String>,
    },
    /// It does not hold.
    Fail(Finding),
    /// It could not be found out.
    Error(Finding),
}

/// A sentence for the first line of a report, and what else is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// One line: what was found instead of what was expected.
    pub message: String,
    /// Stands behind the carets under the check.
    pub label: String,
    /// Lines below: what was seen.
    pub notes: Vec<String>,
    /// Lines below: a way out.
    pub helps: Vec<String>,
    /// The keys of the check that it may be about, the best first: the carets stand under the first that is written.
    pub about: Vec<String>,
}

impl Finding {
    /// A finding of one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Sets the keys that it may be about.
    #[must_use]
    pub fn about(mut self, keys: &[&str]) -> Self {
        self.about = keys.iter().map(|key| (*key).to_owned()).collect();
        self
    }

    /// Sets the words behind the carets.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(help.into());
        self
    }
}
