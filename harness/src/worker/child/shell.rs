//! A program of the user's own in a node of the lab, which stands for as long as that runs.

use std::io;
use std::os::unix::process::ExitStatusExt;

use super::Wire;
use super::programs::Programs;
use crate::lab::{KernelError, Lab};
use crate::plan::{NodeId, Plan};
use crate::service::command::Invocation;
use crate::service::shell::{self, Wiring};
use crate::worker::message::{Broken, Left, Message, Opened, Shell};

/// Runs it to its end, and says when it has begun and how it ended.
///
/// # Errors
///
/// That it could not be started.
pub(super) async fn open(
    wire: Wire,
    plan: &Plan,
    lab: &Lab,
    programs: Option<&Programs>,
    node: NodeId,
    asked: &Shell,
    broken: Option<Broken>,
) -> Result<(), Broken> {
    let name = &plan.nodes[node].name;
    let Some(programs) = programs else {
        return Err(Broken::new("there is no place where programs run"));
    };
    wire.doing(&format!("opening a shell in {name}"));
    let mut child = start(plan, lab, programs, node, asked).map_err(|error| {
        let words = KernelError::words(&error);
        let what = asked.run.first().map_or("", String::as_str);
        programs.explain(&asked.run, &error, Broken::new(format!("cannot run `{what}` in {name}: {words}")))
    })?;
    let process = child.id().unwrap_or_default();
    // Waiting closes it, and a program that waits for nothing but its end would end.
    let input = child.stdin.take();
    wire.say(&Message::Opened(Opened { node, process, broken: broken.map(Box::new) }));
    let status = child.wait().await.map_err(|error| Broken::new(format!("cannot wait for the shell: {error}")))?;
    drop(input);
    wire.say(&Message::Left(Left { status: status.code(), signal: status.signal() }));
    Ok(())
}

fn start(
    plan: &Plan,
    lab: &Lab,
    programs: &Programs,
    node: NodeId,
    asked: &Shell,
) -> io::Result<tokio::process::Child> {
    let room = programs.room(plan, lab, node)?;
    let wiring = || match asked.descriptors {
        Some(numbers) => Wiring::inherited(numbers, asked.terminal),
        None => Ok(Wiring::Nowhere),
    };
    let invocation = |run: &[String]| Invocation { run: run.to_vec(), env: asked.env.clone(), ..Invocation::default() };
    let place = programs.place(lab, node, &room);
    match shell::start(place, &invocation(&asked.run), wiring()?) {
        // A shell that lies where programs see nothing of the machine's.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !asked.otherwise.is_empty() => {
            shell::start(place, &invocation(&asked.otherwise), wiring()?)
        }
        started => started,
    }
}
