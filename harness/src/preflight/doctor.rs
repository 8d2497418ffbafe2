//! What this machine can do, everything in one answer.

use std::fmt;

/// What was found out about the machine.
#[derive(Debug, Default)]
pub struct Examination {
    /// One by one.
    pub findings: Vec<Found>,
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct Found {
    /// What.
    pub what: &'static str,
    /// How it is.
    pub state: State,
    /// In words.
    pub words: String,
    /// What to do about it, a line each.
    pub remedies: Vec<String>,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There.
    Good,
    /// Not there, and only some cases miss it.
    Lacking,
    /// Not there, and no case can run without it.
    Fatal,
}

impl Examination {
    /// Whether cases can run here.
    pub fn can_run(&self) -> bool {
        self.findings.iter().all(|found| found.state != State::Fatal)
    }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Found { what, state, words, remedies } in &self.findings {
            let mark = match state {
                State::Good => "ok  ",
                State::Lacking => "no  ",
                State::Fatal => "STOP",
            };
            writeln!(f, "{mark} {what}: {words}")?;
            for remedy in remedies {
                writeln!(f, "       {remedy}")?;
            }
        }
        let end = if self.can_run() { "cases can run on this machine" } else { "cases cannot run on this machine" };
        writeln!(f, "\n{end}")
    }
}

/// Looks at everything.
pub fn examine() -> Examination {
    Examination::default()
}
