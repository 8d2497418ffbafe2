//! The scripts of a case, and the nodes that they make and change.

use std::io;
use std::time::{Duration, Instant};

use super::attempt::Bench;
use super::programs::Programs;
use super::services::Services;
use super::{Wire, stretch};
use crate::lab::{KernelError, Lab};
use crate::namespace::Namespace;
use crate::plan::{NodeId, Operation, Plan, Script};
use crate::probe::ping::Pingers;
use crate::probe::solicit::Wires;
use crate::service::cage::NOTER;
use crate::service::command::{self, Ended, Invocation};
use crate::worker::message::{Broken, Message, Printed};

/// How long before the end of the case a script is ended, so that there is time to say what it printed.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// When a script must have ended.
pub(super) fn until(plan: &Plan, scale: f64) -> Instant {
    Instant::now() + stretch(plan.timeout, scale.max(1.0)).saturating_sub(LAST_WORDS)
}

/// Runs the scripts that build the lab, in order, up to the first that fails: gives how, while there is still time to
/// look at what stands.
///
/// # Errors
///
/// That one could not be run, or took all the time there was.
pub(super) async fn set_up(
    wire: Wire,
    plan: &Plan,
    lab: &Lab,
    programs: &Programs,
    until: Instant,
) -> Result<Option<Broken>, Broken> {
    for script in &plan.setup {
        let who = format!("{} in {}", script.path, plan.nodes[script.node].name);
        wire.say(&Message::Doing { what: format!("running {who}"), span: Some(script.span) });
        let ended = start(plan, lab, programs, script, until).await.map_err(|broken| broken.at(script.span))?;
        if !ended.printed.is_empty() {
            wire.say(&Message::Printed(Printed { who: who.clone(), text: ended.printed.clone() }));
        }
        if !ended.status.is_some_and(|status| status.success()) {
            let broken = failed(plan, lab, programs, script, &ended).at(script.span).of(format!("setup {who}"));
            return if ended.status.is_some() { Ok(Some(broken)) } else { Err(broken) };
        }
    }
    Ok(None)
}

async fn start(plan: &Plan, lab: &Lab, programs: &Programs, script: &Script, until: Instant) -> Result<Ended, Broken> {
    let node = &plan.nodes[script.node].name;
    // A path with a slash is not looked for on the search path.
    let path = programs.path(&script.path);
    let run = vec![path.display().to_string()];
    let env = vec![("BASH_ENV".to_owned(), NOTER.to_owned())];
    let invocation = Invocation { run: run.clone(), env, ..Invocation::default() };
    let failed = |error: io::Error| {
        let words = KernelError::words(&error);
        programs.explain(&run, &error, Broken::new(format!("cannot run {} in {node}: {words}", script.path)))
    };
    let room = programs.room(plan, lab, script.node).map_err(failed)?;
    command::run(programs.place(lab, script.node, &room), &invocation, until)
        .await
        .map_err(|error| failed(error).of(format!("setup {} in {node}", script.path)))
}

/// How a script failed, and where, as far as is known.
fn failed(plan: &Plan, lab: &Lab, programs: &Programs, script: &Script, ended: &Ended) -> Broken {
    let mut broken = Broken::new(format!("{} in {} {}", script.path, plan.nodes[script.node].name, ended.how()));
    let exit = ended.status.and_then(|status| status.code());
    let noted = |exit: i32| {
        let room = programs.room(plan, lab, script.node).ok()?;
        programs.failed_line(&room, &programs.path(&script.path).display().to_string(), exit)
    };
    let said = String::from_utf8_lossy(&ended.stderr);
    let line = exit.and_then(|exit| complained_line(script, &said, exit).or_else(|| noted(exit)));
    broken.notes.extend(line.and_then(|number| shown(programs, script, number)));
    broken.notes.push(match &*ended.last_lines {
        [] => "it printed nothing".to_owned(),
        lines => format!("it printed:\n{}", lines.join("\n")),
    });
    broken.notes.extend(programs.unseen(&script.path));
    broken.notes.extend(programs.lost().iter().cloned());
    broken
}

/// The line of a script that its shell complains about last, as `NAME: line 3: ...` (bash) or `NAME: 3: ...` (dash),
/// where it is what the shell has ended the script for: other complaints a script may live with.
fn complained_line(script: &Script, said: &str, exit: i32) -> Option<usize> {
    let name = script.path.rsplit('/').next()?;
    let complaint = |line: &str| {
        let (_, rest) = line.split_once(&format!("{name}: "))?;
        let (number, words) = rest.strip_prefix("line ").unwrap_or(rest).split_once(": ")?;
        Some((number.parse().ok()?, words.to_lowercase()))
    };
    let mut complaints = said.lines().rev().map_while(complaint);
    let (number, words): (usize, String) = complaints.next()?;
    let ends = |words: &str| ENDING.iter().any(|ending| words.contains(ending));
    // bash shows the line below what it says of it; programs that cannot be run end a script with their own statuses.
    let ended = ends(&words) || complaints.any(|(same, words)| same == number && ends(&words));
    (ended || matches!(exit, 126 | 127)).then_some(number)
}

/// What a shell cannot go on after.
const ENDING: [&str; 4] = ["syntax error", "unbound variable", "parameter not set", "bad substitution"];

fn shown(programs: &Programs, script: &Script, number: usize) -> Option<String> {
    let line = programs.line(&script.path, number)?;
    Some(format!("it failed at line {number} of {}:\n{line}", script.path))
}

/// Takes hold of the nodes that scripts have made; gives the first that is missing.
pub(super) fn find(plan: &Plan, lab: &mut Lab, programs: &Programs) -> Option<Broken> {
    let mut missing = None;
    for (node, creator) in created(plan).filter(|(node, _)| plan.nodes[*node].process.is_none()) {
        if let Err(error) = find_one(plan, lab, programs, node, creator) {
            let (name, by) = (&plan.nodes[node].name, &plan.nodes[creator].name);
            let mut broken = Broken::new(format!("{by} has not made the node {name}: /run/netns/{name}: {error}"));
            broken.span = plan.setup.iter().rev().find(|script| script.node == creator).map(|script| script.span);
            let there = programs.names(plan, lab, creator);
            missing = missing.or(Some(broken.note(format!("in {by} there are: {there}")).of(format!("setup of {by}"))));
        }
    }
    missing
}

/// Takes hold of them again after a step; one that was deleted is not there any more.
pub(super) fn find_again(bench: &mut Bench) {
    // What scripts have made is no process's own.
    let (processes, made): (Vec<_>, Vec<_>) =
        (0..bench.plan.nodes.len()).partition(|node| bench.plan.nodes[*node].process.is_some());
    for node in made.into_iter().chain(processes) {
        find_one_again(bench, node);
    }
}

/// Takes hold of one of them again, while the others can be deleted.
pub(super) fn find_one_again(bench: &mut Bench, node: NodeId) {
    let Some(creator) = bench.plan.nodes[node].created_by else { return };
    find_one_again(bench, creator);
    let Bench { plan, lab, services, .. } = bench;
    let Some(programs) = services.programs() else { return };
    // What is not there is said where it is missed.
    let _ = match plan.nodes[node].process {
        Some(service) => find_process(plan, lab, services, node, service).map(drop),
        None => find_one(plan, lab, programs, node, creator),
    };
}

/// Takes hold of the nodes that are the network namespaces of processes; each of those that run must have one.
pub(super) fn find_processes(plan: &Plan, lab: &mut Lab, services: &Services) -> Result<(), Broken> {
    for (node, creator) in created(plan) {
        let Some(at) = plan.nodes[node].process.filter(|at| plan.services[*at].initial) else { continue };
        if lab.node(creator).absent {
            continue;
        }
        let service = &plan.services[at];
        let failed = |why: String| {
            let (name, by) = (&plan.nodes[node].name, &plan.nodes[creator].name);
            Broken::new(format!("the service {} in {by} has not made the node {name}: {why}", service.name))
                .at(service.span)
                .of(format!("service {} in {by}", service.name))
        };
        match find_process(plan, lab, services, node, at) {
            Ok(true) => {}
            Ok(false) => {
                return Err(failed("its process has no network namespace of its own".to_owned())
                    .help("such as `unshare --net`; it must have it when the service is ready"));
            }
            Err(error) => return Err(failed(KernelError::words(&error))),
        }
    }
    Ok(())
}

fn find_process(plan: &Plan, lab: &mut Lab, services: &Services, node: NodeId, service: usize) -> io::Result<bool> {
    let Some(namespace) = services.own_network(plan, lab, service)? else { return Ok(false) };
    let namespace = services.programs().map_or(Err(io::ErrorKind::NotFound.into()), |it| it.settle(namespace))?;
    lab.find(node, namespace).map(|()| true)
}

/// Lets go of the nodes that scripts have made, with every socket in them: one that a script deletes then ends.
pub(super) async fn let_go(bench: &mut Bench, home: &Namespace) -> Result<(), Broken> {
    let created: Vec<NodeId> = created(&bench.plan).map(|(node, _)| node).collect();
    if created.is_empty() {
        return Ok(());
    }
    bench.pingers = Pingers::default();
    bench.wires = Wires::default();
    bench.captures.let_go(&created);
    for node in created {
        if let Some(programs) = bench.services.programs() {
            programs.forget(node);
        }
        bench.lab.let_go(node, home).map_err(|error| Broken::new(KernelError::words(&error)))?;
    }
    // The tasks that drive the sockets end when they are next looked at.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn created(plan: &Plan) -> impl Iterator<Item = (NodeId, NodeId)> {
    plan.nodes.iter().enumerate().filter_map(|(node, made)| Some((node, made.created_by?)))
}

fn find_one(plan: &Plan, lab: &mut Lab, programs: &Programs, node: NodeId, creator: NodeId) -> io::Result<()> {
    let namespace = programs.namespace(plan, lab, creator, &plan.nodes[node].name)?;
    // Whoever is absent is where netcase itself is.
    let own = plan.nodes.iter().zip(&lab.nodes).filter(|(other, made)| other.created_by.is_none() || made.absent);
    for (other, made) in own {
        if made.namespace.is_same(&namespace)? {
            let whose = if made.absent { "netcase itself" } else { &other.name };
            return Err(io::Error::other(format!("it is the namespace of {whose}")));
        }
    }
    lab.find(node, namespace)
}

/// An operation on interfaces as they are now: which index one of a script has is known only then.
pub(super) async fn place(bench: &mut Bench, operation: &Operation) -> Result<Operation, Broken> {
    let mut operation = operation.clone();
    let Bench { plan, lab, .. } = bench;
    for place in operation.action.places_mut() {
        let node = place.node;
        if !plan.nodes[node].open {
            continue;
        }
        lab.read(node, &mut plan.nodes[node]).await.map_err(|error| Broken::new(error.to_string()))?;
        let interfaces = &plan.nodes[node].interfaces;
        let Some(found) = interfaces.iter().find(|interface| interface.present && interface.name == place.name) else {
            let there: Vec<&str> = interfaces
                .iter()
                .filter(|interface| interface.present)
                .map(|interface| interface.name.as_str())
                .collect();
            return Err(Broken::new(format!("there is no interface {}.{}", plan.nodes[node].name, place.name))
                .at(operation.span)
                .note(format!("{} has {}", plan.nodes[node].name, there.join(", "))));
        };
        place.index = found.index;
    }
    Ok(operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    #[test]
    fn only_what_ends_a_script_is_its_line() {
        let script = Script { node: 0, path: "sub/x.sh".to_owned(), span: Span::default() };
        for (said, exit, expected) in [
            ("./sub/x.sh: line 3: ip2: command not found\n", 127, Some(3)),
            ("./sub/x.sh: 3: ip2: not found\n", 127, Some(3)),
            ("./sub/x.sh: 3: ip2: not found\n", 4, None),
            ("./sub/x.sh: 3: ip2: not found\nCannot find device\n", 127, None),
            ("./sub/x.sh: line 4: x: unbound variable\n", 1, Some(4)),
            ("./sub/x.sh: 4: x: parameter not set\n", 2, Some(4)),
            ("./sub/x.sh: line 5: syntax error near `fi'\n./sub/x.sh: line 5: `fi'\n", 2, Some(5)),
            ("./sub/x.sh: line 5: cd: nowhere: No such file or directory\n", 1, None),
            ("y.sh: line 3: ip2: command not found\n", 127, None),
            ("", 1, None),
        ] {
            assert_eq!(complained_line(&script, said, exit), expected, "{said}");
        }
    }
}
