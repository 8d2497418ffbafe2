//! Everything that a worker may do wrong, as shell scripts in its place.

use std::time::Duration;

use netcase::verdict::{Outcome, Verdict};
use netcase::worker::message::{Broken, Message};

/// A script, called with lines that it may print.
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) does: String,
    pub(crate) says: Vec<String>,
    /// Which verdicts stand.
    pub(crate) stand: [bool; 2],
    /// What the error says.
    pub(crate) error: &'static str,
}

impl Script {
    fn new(
        name: &'static str,
        does: impl Into<String>,
        says: Vec<String>,
        stand: [bool; 2],
        error: &'static str,
    ) -> Self {
        Self { name, does: does.into(), says, stand, error }
    }
}

/// Prints every line.
const SAY: &str = "for said in \"$@\"; do printf '%s\\n' \"$said\"; done";

fn line(message: &Message) -> String {
    serde_json::to_string(message).expect("a message can be written")
}

fn doing(what: &str) -> String {
    line(&Message::Doing { what: what.to_owned(), span: None })
}

fn pass(expectation: usize) -> String {
    let outcome = Outcome::Pass { unproven: None };
    let verdict = Verdict { outcome, attempts: 1, elapsed: Duration::ZERO };
    line(&Message::Verdict { expectation, verdict: Box::new(verdict) })
}

fn probing() -> String {
    doing("probing")
}

/// All of them.
pub(crate) fn all() -> Vec<Script> {
    [silent(), flooding(), dying(), lying()].into_iter().flatten().collect()
}

/// Workers that say nothing more.
fn silent() -> Vec<Script> {
    vec![
        Script::new(
            "hangs at once",
            "cat >&2; exec tail -f /dev/null",
            vec![],
            [false; 2],
            "longer than its `timeout`, while starting",
        ),
        Script::new("never reads", "exec tail -f /dev/null", vec![], [false; 2], "while starting"),
        Script::new(
            "hangs later",
            format!("{SAY}; exec tail -f /dev/null"),
            vec![probing(), pass(1)],
            [false, true],
            "longer than its `timeout`, while probing",
        ),
        Script::new(
            "closes its output",
            "exec 1>/dev/null; exec tail -f /dev/null",
            vec![],
            [false; 2],
            "closed its output and went on, while starting",
        ),
    ]
}

/// Workers that say too much.
fn flooding() -> Vec<Script> {
    vec![
        Script::new("floods without a line", "exec cat /dev/zero", vec![], [false; 2], "floods the runner with output"),
        Script::new(
            "floods with messages",
            format!("{SAY}; yes \"$1\""),
            vec![probing()],
            [false; 2],
            ", while probing",
        ),
        Script::new(
            "floods its standard error",
            format!("{SAY}; yes complaint >&2"),
            vec![pass(0), probing()],
            [true, false],
            "longer than its `timeout`, while probing",
        ),
    ]
}

/// Workers that end.
fn dying() -> Vec<Script> {
    vec![
        Script::new(
            "is killed",
            format!("{SAY}; kill -KILL $$"),
            vec![doing("building the lab")],
            [false; 2],
            "the worker died (signal: 9 (SIGKILL)), while building the lab",
        ),
        Script::new(
            "aborts",
            format!("{SAY}; echo 'what a pity' >&2; kill -ABRT $$"),
            vec![probing(), pass(0)],
            [true, false],
            "the worker died (signal: 6 (SIGABRT)",
        ),
        Script::new(
            "ends early",
            format!("{SAY}; exit 7"),
            vec![probing()],
            [false; 2],
            "(exit status: 7), while probing",
        ),
        Script::new("ends without a word", "exit 0", vec![], [false; 2], "(exit status: 0), while starting"),
        Script::new(
            "ends in the middle of a line",
            "printf '%s' '{\"Done\"'",
            vec![],
            [false; 2],
            "the worker died (exit status: 0), while starting",
        ),
        Script::new(
            "is done too early",
            SAY,
            vec![pass(0), line(&Message::Done)],
            [true, false],
            "done without a verdict for every expectation",
        ),
        Script::new(
            "says why it cannot go on",
            SAY,
            vec![pass(0), line(&Message::Broken(Broken::new("out of luck")))],
            [true, false],
            "out of luck",
        ),
    ]
}

/// Workers that say what is wrong.
fn lying() -> Vec<Script> {
    vec![
        Script::new(
            "talks nonsense",
            SAY,
            vec![pass(0), probing(), "{\"Hello\":1}".to_owned(), pass(1)],
            [true, false],
            "no message: \"{\\\"Hello\\\":1}\", while probing",
        ),
        Script::new("talks binary", "printf '\\377\\0\\n'", vec![], [false; 2], "no message: "),
        Script::new(
            "judges twice",
            SAY,
            vec![pass(0), probing(), pass(0), pass(1)],
            [true, false],
            "judged an expectation twice, while probing",
        ),
        Script::new(
            "judges what there is not",
            SAY,
            vec![pass(1), pass(2)],
            [false, true],
            "judged an expectation that it was not asked for",
        ),
    ]
}
