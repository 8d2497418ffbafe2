//! A case that is built for a program of the user's own.

use std::io;

use super::crew::Crew;
use super::keep::others;
use super::load::Loaded;
use super::session::{Ended, Prepared};
use super::signals::Signals;
use crate::plan::Plan;
use crate::report::CaseReport;
use crate::worker::message::{At, Left};

/// What is run in the lab.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The node.
    pub node: usize,
    /// How many steps' actions are performed before.
    pub steps: usize,
    /// The program and its arguments; nothing for the user's shell.
    pub command: Vec<String>,
}

/// Why there was no shell.
#[derive(Debug)]
pub enum NoShell {
    /// The case could not be built.
    Case(Box<CaseReport>),
    /// Something else broke, in words.
    Broken(String),
}

/// Builds the case, runs the program, and gives its exit status as shells give it; nothing when a signal ended it.
/// `opened` is called with a line for the user of a terminal.
///
/// # Errors
/// Why there was no shell.
pub fn shell(
    crew: &Crew,
    loaded: &Loaded,
    plan: &Plan,
    wanted: &Wanted,
    opened: impl FnOnce(&str),
) -> Result<Option<u8>, NoShell> {
    let broken = |error: io::Error| NoShell::Broken(error.to_string());
    let prepared = Prepared::new().map_err(broken)?;
    let at = At::Lab { node: wanted.node, steps: wanted.steps };
    let order = prepared.order(at, &wanted.command);
    let signals = Signals::listen().map_err(broken)?;
    let (opening, worker) = crew.open(loaded, order).map_err(NoShell::Case)?;
    if prepared.has_terminal() && wanted.command.is_empty() {
        let (node, others) = (&plan.nodes[wanted.node].name, others(plan, wanted.node));
        opened(&format!("a shell in {node}; `ip netns exec NODE COMMAND` reaches {others}; `exit` ends the lab"));
    }
    let ended = prepared.pass(opening, &signals).map_err(broken);
    drop(worker);
    Ok(match ended? {
        Ended::Left(left) => Some(code(left)),
        Ended::Signal | Ended::Closed => None,
    })
}

/// An exit status as a shell gives it: a signal counts from 128.
fn code(left: Left) -> u8 {
    let code = left.status.or(left.signal.map(|signal| 128 + signal)).unwrap_or(255);
    u8::try_from(code & 255).unwrap_or(255)
}
