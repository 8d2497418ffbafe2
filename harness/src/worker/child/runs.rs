//! Programs that are run to their end, as actions and as checks.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use super::attempt::Bench;
use super::stretch;
use crate::lab::KernelError;
use crate::observation::Ran;
use crate::plan::{Input, Run, Template};
use crate::service::command::{self, Invocation};
use crate::verdict::{Judgement, captured, judge_run};
use crate::worker::message::Broken;

/// What the case's programs have said that later checks go by.
pub(super) type Captured = HashMap<String, String>;

/// Runs a program to its end, or to its time.
///
/// # Errors
///
/// That it could not be started, or its input not read.
pub(super) async fn run(bench: &Bench, run: &Run) -> Result<Ran, Broken> {
    let node = &bench.plan.nodes[run.on].name;
    let Some(programs) = bench.services.programs() else {
        return Err(Broken::new("there is no place where programs run"));
    };
    let command = run.command.iter().map(|word| filled(bench, word)).collect::<Result<Vec<_>, Broken>>()?;
    let failed = |error: io::Error| {
        let words = KernelError::words(&error);
        programs.explain(&command, &error, Broken::new(format!("cannot run `{}` in {node}: {words}", run.words())))
    };
    let stdin = match &run.stdin {
        Input::Text(text) => filled(bench, text)?.into_bytes(),
        Input::File(path) => read(bench, path)?,
    };
    let mut env = Vec::with_capacity(run.env.len());
    for (name, value) in &run.env {
        env.push((name.clone(), filled(bench, value)?));
    }
    let invocation = Invocation { run: command.clone(), env, stdin, folder: run.cwd.as_ref().map(Into::into) };
    let room = programs.room(&bench.plan, &bench.lab, run.on).map_err(failed)?;
    let until = Instant::now() + stretch(run.timeout, bench.scale());
    let place = programs.place(&bench.lab, run.on, &room);
    let ended = command::run(place, &invocation, until).await.map_err(failed)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ran {
        exit: ended.status.and_then(|status| status.code()),
        how: ended.how(),
        stdout: text(&ended.stdout),
        stderr: text(&ended.stderr),
        cut: ended.cut,
    })
}

/// A text with the values that programs have said.
fn filled(bench: &Bench, text: &Template) -> Result<String, Broken> {
    let captured = bench.captured.borrow();
    text.fill(|name| captured.get(name).map(String::as_str)).ok_or_else(|| not_captured(text))
}

/// What is said of a text whose values were not found.
pub(super) fn not_captured(text: &Template) -> Broken {
    let names = text.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Broken::new(format!("{names} was not captured"))
}

fn read(bench: &Bench, path: &str) -> Result<Vec<u8>, Broken> {
    let whole = bench.plan.folder.as_deref().map_or_else(|| path.into(), |folder| folder.join(path));
    std::fs::read(whole).map_err(|error| Broken::new(format!("cannot read {path}: {}", KernelError::words(&error))))
}

/// Runs a program as an action: what it must do it must do, and what it says is kept.
///
/// # Errors
///
/// That it could not be run, or did not end as it must.
pub(super) async fn act(bench: &mut Bench, wanted: &Run) -> Result<(), Broken> {
    let ran = run(bench, wanted).await?;
    if let Judgement::Mismatch(finding) = judge_run(&bench.plan, wanted, &ran) {
        let on = &bench.plan.nodes[wanted.on].name;
        let mut broken = Broken::new(finding.message).of(format!("run {} in {on}", wanted.words()));
        broken.notes = finding.notes;
        broken.helps = finding.helps;
        return Err(broken);
    }
    keep(bench, wanted, &ran);
    Ok(())
}

/// Keeps what a program said.
pub(super) fn keep(bench: &Bench, wanted: &Run, ran: &Ran) {
    let values = captured(wanted, ran).into_iter().filter_map(|(name, value)| Some((name, value.ok()?)));
    bench.captured.borrow_mut().extend(values);
}
