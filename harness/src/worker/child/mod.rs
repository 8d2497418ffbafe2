//! The worker: enters namespaces of its own, builds the lab, starts the services, probes, judges, says what it found.
//!
//! The one place that joins lab, service and probe. It has one thread throughout: only such a process may enter a user
//! namespace, and only so is a thread never in the wrong network namespace.

mod attempt;
mod bound;
mod budget;
mod clock;
mod decide;
mod enter;
mod explain;
mod fetch;
mod files;
mod gather;
mod late;
mod observe;
mod programs;
mod query;
mod quiet;
mod receiver;
mod redirect;
mod refusals;
mod rules;
mod runner;
mod runs;
mod scripts;
mod send_on;
mod services;
mod shell;
mod solicit;
mod steps;
mod trace;
mod transfer;
mod users;
mod way;

use std::io::{self, BufRead, Write};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::message::{At, Broken, Explain, Message, Order, Shell, VERSION};
use crate::lab::{self, KernelError, Lab, LabError, NeighbourTable, Netlink};
use crate::namespace::Namespace;
use crate::plan::{Plan, Step};
use crate::verdict::{Outcome, Verdict};
use attempt::Bench;
use clock::Clock;
use programs::Programs;
use runner::Runner;
use services::Services;

/// How many neighbour entries one lab may have at a time; the machine has 1024 for everybody.
const NEIGHBOURS: usize = 400;

/// How many expectations are probed at a time: each may hold a socket or two.
const AT_ONCE: usize = 1000;

/// The wire to the runner.
#[derive(Clone, Copy, Debug)]
struct Wire;

impl Wire {
    /// Says one thing. When nobody listens any more there is nothing left to do.
    fn say(self, message: &Message) {
        let said = serde_json::to_vec(message).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            let mut out = io::stdout().lock();
            out.write_all(&line)?;
            out.flush()
        });
        if said.is_err() {
            std::process::exit(1);
        }
    }

    fn doing(self, what: &str) {
        self.say(&Message::Doing { what: what.to_owned(), span: None });
    }
}

/// The worker's whole life.
pub(super) fn main() -> ! {
    let wire = Wire;
    match serve(wire, Runner::now()) {
        Ok(()) => wire.say(&Message::Done),
        Err(broken) => wire.say(&Message::Broken(broken)),
    }
    // The lab stands until the runner lets go of it: many torn down together cost far less than one after another.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    std::process::exit(0)
}

fn serve(wire: Wire, runner: Runner) -> Result<(), Broken> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| Broken::new(format!("cannot read the order: {error}")))?;
    let order: Order =
        serde_json::from_str(&line).map_err(|error| Broken::new(format!("cannot read the order: {error}")))?;
    drop(line);
    if order.version != VERSION {
        return Err(Broken::new(format!("the runner speaks version {} of the wire, not {VERSION}", order.version)));
    }
    wire.doing("entering namespaces of its own");
    allow_descriptors();
    // A program of the user's own is caged as those of the case are.
    let programs = order.plan.runs_programs() || order.shell.is_some();
    let wanted = enter::Wanted {
        user: order.rootless || programs,
        programs,
        folder: order.plan.folder.as_deref().filter(|_| programs),
    };
    let files = if programs { files::Files::read(&order.plan)? } else { files::Files::default() };
    let enter::Entered { home, folder } = enter::enter(wanted, runner)?;
    let programs = if programs { Some(Programs::prepare(&order.plan, folder, files)?) } else { None };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Broken::new(format!("cannot start the worker's runtime: {error}")))?;
    let local = tokio::task::LocalSet::new();
    let result = local.block_on(&runtime, async {
        tokio::select! {
            result = case(wire, order, &home, programs) => result,
            Err(error) = runner::end_with_it() => Err(Broken::new(format!("cannot watch for the runner's end: {error}"))),
        }
    });
    // Closing packet sockets costs the kernel 14 ms each: that is left to the process's end.
    std::mem::forget(local);
    std::mem::forget(runtime);
    result
}

async fn case(wire: Wire, order: Order, home: &Namespace, programs: Option<Programs>) -> Result<(), Broken> {
    let Order { version: _, plan, rootless: _, timeout_scale, explain, shell } = order;
    wire.doing("asking the kernel what it can do");
    if let Some(reason) = lab::nat_lacking(&plan, home) {
        return Err(Broken::lacking(reason));
    }
    wire.doing("building the lab");
    let lab = lab::make(&plan, home).await.map_err(broken_lab)?;
    let netlink = Netlink::open_in(home).map_err(|error| Broken::new(KernelError::words(&error)))?;
    let read = async || NeighbourTable::read_by(&netlink).await.map_err(|error| Broken::new(error.to_string()));
    let table = read().await?;
    let manner = Manner { timeout_scale, explain, shell };
    match in_lab(wire, plan, lab, home, programs, table, manner).await {
        // A program that asks for a neighbour fails where there is no room for one.
        Err(broken) if broken.subject.is_some() => Err(match read().await?.overflowed_since(&table) {
            Some(overflow) => Broken { subject: None, ..broken }.note(format!("{overflow}: what fails proves nothing")),
            None => broken,
        }),
        ended => ended,
    }
}

/// How a case is run.
#[derive(Clone, Debug)]
struct Manner {
    timeout_scale: f64,
    explain: Explain,
    shell: Option<Shell>,
}

/// An expectation that is decided, and what its last probe saw.
#[derive(Debug)]
struct Decided {
    expectation: usize,
    verdict: Verdict,
    last: decide::Last,
}

impl Decided {
    /// Whether a second probe must prove who refused, before the verdict stands.
    fn is_pending(&self, plan: &Plan) -> bool {
        let refuser = plan.expectations[self.expectation].check.refuser();
        refuser.is_some() && matches!(self.verdict.outcome, Outcome::Pass { .. })
    }

    fn say_verdict(&self, wire: Wire) {
        wire.say(&Message::Verdict { expectation: self.expectation, verdict: Box::new(self.verdict.clone()) });
    }
}

/// What is done once the lab stands.
async fn in_lab(
    wire: Wire,
    mut plan: Plan,
    mut lab: Lab,
    home: &Namespace,
    programs: Option<Programs>,
    table: NeighbourTable,
    Manner { timeout_scale, explain, shell }: Manner,
) -> Result<(), Broken> {
    let steps = std::mem::take(&mut plan.steps);
    let clock = Clock::start();
    let mut half_built = None;
    if let Some(programs) = &programs {
        programs.know(&lab)?;
        let until = scripts::until(&plan, timeout_scale);
        half_built = scripts::set_up(wire, &plan, &lab, programs, until).await?;
        half_built = half_built.or(scripts::find(&plan, &mut lab, programs));
        rules::load_all(wire, &plan, &lab, programs, false, until).await?;
    }
    wire.doing("starting the services");
    let mut services = Services::new(&plan, programs, timeout_scale);
    services.start_in(&plan, &lab, |_| true).await?;
    // Those in the network namespaces of processes come when these processes run.
    scripts::find_processes(&plan, &mut lab, &services)?;
    if let Some(programs) = services.programs() {
        rules::load_all(wire, &plan, &lab, programs, true, scripts::until(&plan, timeout_scale)).await?;
    }
    services.start_in(&plan, &lab, |_| true).await?;
    wire.doing("probing");
    let mut bench = Bench::new(plan, lab, services, table, clock, timeout_scale);
    bench.initial.clone_from(&bench.plan.nodes);
    if let Some(shell) = &shell
        && let At::Lab { node, steps: most } = shell.at
    {
        if let Some(broken) = half_built {
            return Err(broken);
        }
        for number in 0..most.min(steps.len()) {
            steps::perform(wire, &mut bench, home, &steps[..=number]).await?;
        }
        let opened = shell::open(wire, &bench.plan, &bench.lab, bench.services.programs(), node, shell, None).await;
        std::mem::forget(bench);
        return opened;
    }
    let mut red = None;
    let walked = walk(wire, &mut bench, home, &steps, half_built.is_some(), &explain, &mut red).await;
    if let Some(shell) = &shell
        && (red.is_some() || walked.is_err() || half_built.is_some())
    {
        let broken = walked.err().or(half_built);
        let node = red.and_then(|red| bench.plan.expectations[red].check.nodes().next()).unwrap_or(0);
        let opened = shell::open(wire, &bench.plan, &bench.lab, bench.services.programs(), node, shell, broken).await;
        std::mem::forget(bench);
        return opened;
    }
    walked?;
    // The entries of a lab that waits for its release would count against the machine's limit.
    lab::neighbours::forget(&bench.lab).await.map_err(|error| Broken::new(error.to_string()))?;
    std::mem::forget(bench);
    half_built.map_or(Ok(()), Err)
}

/// Goes through the steps; `red` becomes the first expectation that does not hold.
async fn walk(
    wire: Wire,
    bench: &mut Bench,
    home: &Namespace,
    steps: &[Step],
    half_built: bool,
    which: &Explain,
    red: &mut Option<usize>,
) -> Result<(), Broken> {
    for (number, step) in steps.iter().enumerate() {
        let until_here = &steps[..=number];
        if !step.actions.is_empty() {
            if half_built {
                break;
            }
            steps::perform(wire, bench, home, until_here).await?;
        }
        late::read(bench, step).await?;
        wire.doing("probing");
        let decided = check_step(wire, bench, step, half_built).await?;
        let reds = decided.iter().filter(|decided| !matches!(decided.verdict.outcome, Outcome::Pass { .. }));
        *red = red.or(reds.map(|decided| decided.expectation).min());
        explain::explain(wire, bench, decided, which).await;
    }
    Ok(())
}

/// Decides the expectations of a step: its traffic first, and when that has settled what is looked at. In a lab that is
/// half built, only those whose nodes and addresses are there.
async fn check_step(wire: Wire, bench: &Bench, step: &Step, half_built: bool) -> Result<Vec<Decided>, Broken> {
    let mut decided = Vec::new();
    let expectations = &bench.plan.expectations;
    let reached = step.expectations.clone().filter(|index| !half_built || bench.is_there(*index));
    let (traffic, state): (Vec<_>, Vec<_>) = reached.partition(|index| expectations[*index].check.is_traffic());
    for (number, batch) in batches(&bench.plan, &traffic).iter().enumerate() {
        if number > 0 {
            lab::neighbours::forget(&bench.lab).await.map_err(|error| Broken::new(error.to_string()))?;
        }
        decided.extend(decide_all(wire, bench, batch).await);
    }
    decided.extend(decide_all(wire, bench, &state).await);
    decided.sort_by_key(|decided| decided.expectation);
    Ok(decided)
}

/// Decides expectations side by side, and says each verdict as soon as it stands; those that a second probe must prove
/// are left to it.
async fn decide_all(wire: Wire, bench: &Bench, indices: &[usize]) -> Vec<Decided> {
    let mut all = Vec::with_capacity(indices.len());
    let mut running: FuturesUnordered<_> =
        indices.iter().map(|index| async move { (*index, decide::decide(bench, *index).await) }).collect();
    while let Some((expectation, (verdict, last))) = running.next().await {
        let decided = Decided { expectation, verdict, last };
        if !decided.is_pending(&bench.plan) {
            decided.say_verdict(wire);
        }
        all.push(decided);
    }
    all
}

/// The traffic checks in groups that need at most [`NEIGHBOURS`] entries each; nearly always one group.
///
/// A pair of nodes needs an entry at either end, in whichever direction it is probed, so pairs stay together.
fn batches(plan: &Plan, traffic: &[usize]) -> Vec<Vec<usize>> {
    let mut keyed: Vec<(attempt::Pair, usize)> =
        traffic.iter().filter_map(|index| Some((attempt::pair(&plan.expectations[*index].check)?, *index))).collect();
    if keyed.len() * 2 > NEIGHBOURS {
        keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
    }
    let mut batches = vec![Vec::new()];
    let (mut entries, mut last) = (0, None);
    for (pair, index) in keyed {
        if last.as_ref() != Some(&pair) {
            entries += 2;
            last = Some(pair);
            if entries > NEIGHBOURS || batches.last().is_some_and(|batch| batch.len() >= AT_ONCE) {
                entries = 2;
                batches.push(Vec::new());
            }
        }
        if let Some(batch) = batches.last_mut() {
            batch.push(index);
        }
    }
    batches
}

/// Raises the soft limit of open files to the hard one: a lab holds two for each node and one or two for each probe.
/// Where that is refused, a lab that needs more says so itself.
fn allow_descriptors() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

fn broken_lab(error: LabError) -> Broken {
    Broken { notes: error.notes, helps: error.helps, span: error.span, ..Broken::new(error.message) }
}

/// A wait stretched for a slow machine.
fn stretch(wait: Duration, scale: f64) -> Duration {
    wait.mul_f64(scale)
}
