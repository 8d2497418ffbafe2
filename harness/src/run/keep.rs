//! A lab that is kept after a failure, until the user has seen enough.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use super::session::{self, Ended, Prepared};
use super::signals::Signals;
use crate::diagnostic::Style;
use crate::plan::Plan;
use crate::report::{CaseReport, terminal};
use crate::worker::message::{At, Shell};
use crate::worker::supervise::opened::Opening;

/// Keeps labs in which something failed.
#[derive(Debug)]
pub struct Keeper {
    style: Style,
    signals: OnceLock<Signals>,
}

/// What was made ready for the case that may fail.
pub(super) struct Ready(Option<Prepared>);

impl Keeper {
    /// One that shows what failed in this style.
    pub fn new(style: Style) -> Self {
        Self { style, signals: OnceLock::new() }
    }

    /// Makes ready for a case, and gives what its worker is told.
    pub(super) fn prepare(&self) -> io::Result<(Ready, Shell)> {
        let prepared = Prepared::new()?;
        if prepared.has_terminal() {
            let order = prepared.order(At::Failure, &[]);
            return Ok((Ready(Some(prepared)), order));
        }
        // Nobody types: it only has to be there, and others enter the node by it.
        let run = ["/bin/sh", "-c", "read _"].map(str::to_owned).to_vec();
        let order =
            Shell { at: At::Failure, run, otherwise: Vec::new(), env: Vec::new(), descriptors: None, terminal: false };
        Ok((Ready(None), order))
    }

    /// Shows what failed, and returns when the user has seen enough.
    pub(super) fn hold(&self, report: &CaseReport, plan: &Plan, ready: Ready, mut opening: Opening) {
        let signals = match self.signals.get() {
            Some(signals) => signals,
            None => match Signals::listen() {
                Ok(signals) => self.signals.get_or_init(|| signals),
                Err(error) => return tell(&format!("cannot listen to signals: {error}\n")),
            },
        };
        let mut out = io::stdout().lock();
        // Whoever does not read this does not want it.
        let _ = write!(out, "\n{}\n", terminal::details(report, self.style)).and_then(|()| out.flush());
        drop(out);
        tell(&words(report, plan, &opening, ready.0.is_some()));
        let ended = match ready.0 {
            Some(prepared) => prepared.pass(opening, signals),
            None => session::wait(&mut opening, signals, Some(io::stdin().as_fd())),
        };
        match ended {
            Ok(Ended::Left(_) | Ended::Signal | Ended::Closed) => {}
            Err(error) => tell(&format!("the lab is gone: {error}\n")),
        }
    }
}

/// What can be done now.
fn words(report: &CaseReport, plan: &Plan, opening: &Opening, has_terminal: bool) -> String {
    let node = &plan.nodes[opening.node].name;
    let others = others(plan, opening.node);
    let label = report.label();
    if has_terminal {
        return format!(
            "kept: the lab of {label}; this is a shell in {node}\n  ip netns exec NODE COMMAND   in another node: {others}\n  exit                         goes on\n"
        );
    }
    let process = opening.process;
    // Root's users are others in there; an ordinary user is root in there as it is, and so is one who may set no groups
    // (user_namespaces(7)).
    let groups = std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|groups| groups.trim() == "deny");
    let is_root = nix::unistd::geteuid().is_root() && !groups;
    let credentials = if is_root { "" } else { " --preserve-credentials" };
    format!(
        "kept: the lab of {label}, until standard input is closed or a signal comes\n  nsenter --target {process}{credentials} -U -m -u -n   enters {node}\n  ip netns exec NODE COMMAND   from there, in another node: {others}\n"
    )
}

/// The nodes that a shell in this one finds.
pub(super) fn others(plan: &Plan, node: usize) -> String {
    let others = plan.nodes.iter().enumerate().filter(|(at, it)| *at != node && it.created_by.is_none());
    let names: Vec<&str> = others.map(|(_, node)| node.name.as_str()).collect();
    if names.is_empty() { "there is none".to_owned() } else { names.join(", ") }
}

fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
