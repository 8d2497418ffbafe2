//! The scripts of a case, and the nodes that they make and change.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::attempt::Bench;
use super::programs::Programs;
use super::{Wire, stretch};
use crate::lab::{KernelError, Lab};
use crate::namespace::Namespace;
use crate::plan::{By, End, NodeId, Plan, ReadFrom, Script, Step, Target};
use crate::probe::ping::Pingers;
use crate::probe::solicit::Wires;
use crate::service::cage::NOTER;
use crate::service::command::{self, Invocation};
use crate::verdict::Finding;
use crate::worker::message::{Broken, Message};

/// How long before the end of the case a script is ended, so that there is time to say what it printed.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// When a script must have ended.
pub(super) fn until(plan: &Plan, scale: f64) -> Instant {
    Instant::now() + stretch(plan.timeout, scale.max(1.0)).saturating_sub(LAST_WORDS)
}

/// Runs the scripts that build the lab, in order.
pub(super) async fn set_up(
    wire: Wire,
    plan: &Plan,
    lab: &Lab,
    programs: &Programs,
    until: Instant,
) -> Result<(), Broken> {
    for script in &plan.setup {
        let name = format!("{} in {}", script.path, plan.nodes[script.node].name);
        wire.say(&Message::Doing { what: format!("running {name}"), span: Some(script.span) });
        run(plan, lab, programs, script, until).await.map_err(|broken| broken.at(script.span))?;
    }
    Ok(())
}

async fn run(plan: &Plan, lab: &Lab, programs: &Programs, script: &Script, until: Instant) -> Result<(), Broken> {
    let node = &plan.nodes[script.node].name;
    // A path with a slash is not looked for on the search path.
    let path = programs.path(&script.path);
    let run = vec![path.display().to_string()];
    let env = vec![("BASH_ENV".to_owned(), NOTER.to_owned())];
    let invocation = Invocation { run: run.clone(), env, ..Invocation::default() };
    let failed = |error: std::io::Error| {
        let words = KernelError::words(&error);
        programs.explain(&run, &error, Broken::new(format!("cannot run {} in {node}: {words}", script.path)))
    };
    let room = programs.room(plan, lab, script.node).map_err(failed)?;
    let ended = command::run(programs.place(lab, script.node, &room), &invocation, until).await.map_err(failed)?;
    if ended.status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let mut broken = Broken::new(format!("{} in {node} {}", script.path, ended.how()));
    let line = complained_line(script, &ended.last_lines).or_else(|| programs.failed_line(&room, &run[0]));
    broken.notes.extend(line.and_then(|number| shown(programs, script, number)));
    broken.notes.push(match &*ended.last_lines {
        [] => "it printed nothing".to_owned(),
        lines => format!("it printed:\n{}", lines.join("\n")),
    });
    broken.notes.extend(programs.lost().iter().cloned());
    Err(broken)
}

/// The line of a script that its shell complains about, as `NAME: line 3: ...` (bash) or `NAME: 3: ...` (dash).
fn complained_line(script: &Script, printed: &[String]) -> Option<usize> {
    let name = script.path.rsplit('/').next()?;
    printed.iter().rev().find_map(|line| {
        let (_, rest) = line.split_once(&format!("{name}: "))?;
        let number = rest.strip_prefix("line ").unwrap_or(rest).split(':').next()?;
        number.parse().ok()
    })
}

fn shown(programs: &Programs, script: &Script, number: usize) -> Option<String> {
    let line = programs.line(&script.path, number)?;
    Some(format!("it failed at line {number} of {}:\n{line}", script.path))
}

/// Takes hold of the nodes that scripts have made; each must be there.
pub(super) fn find(plan: &Plan, lab: &mut Lab, programs: &Programs) -> Result<(), Broken> {
    for (node, creator) in created(plan) {
        if let Err(error) = find_one(plan, lab, programs, node, creator) {
            let (name, by) = (&plan.nodes[node].name, &plan.nodes[creator].name);
            let mut broken = Broken::new(format!("{by} has not made the node {name}: /run/netns/{name}: {error}"));
            broken.span = plan.setup.iter().rev().find(|script| script.node == creator).map(|script| script.span);
            let there = programs.names(plan, lab, creator);
            return Err(broken.note(format!("in {by} there are: {there}")));
        }
    }
    Ok(())
}

/// Takes hold of them again after a step; one that was deleted is not there any more.
pub(super) fn find_again(bench: &mut Bench) -> Result<(), Broken> {
    let Bench { plan, lab, services, .. } = bench;
    let Some(programs) = services.programs() else { return Ok(()) };
    for (node, creator) in created(plan) {
        // What is not there is said where it is missed.
        let _ = find_one(plan, lab, programs, node, creator);
    }
    Ok(())
}

/// Lets go of the nodes that scripts have made, with every socket in them: one that a script deletes then ends.
pub(super) async fn let_go(bench: &mut Bench, home: &Namespace) -> Result<(), Broken> {
    let created: Vec<NodeId> = created(&bench.plan).map(|(node, _)| node).collect();
    if created.is_empty() {
        return Ok(());
    }
    bench.pingers = Pingers::default();
    bench.wires = Wires::default();
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

fn find_one(plan: &Plan, lab: &mut Lab, programs: &Programs, node: NodeId, creator: NodeId) -> std::io::Result<()> {
    let namespace = programs.namespace(plan, lab, creator, &plan.nodes[node].name)?;
    lab.find(node, namespace)
}

/// Reads the nodes that scripts change, and the addresses that a step's expectations take from them.
pub(super) async fn read(bench: &mut Bench, step: &Step) -> Result<(), Broken> {
    let Bench { plan, lab, unread, .. } = bench;
    let open: Vec<NodeId> = (0..plan.nodes.len()).filter(|node| plan.nodes[*node].open).collect();
    if open.is_empty() {
        return Ok(());
    }
    for node in open {
        lab.read(node, &mut plan.nodes[node]).await.map_err(|error| Broken::new(error.to_string()))?;
    }
    let nodes = Nodes(&plan.nodes);
    for index in step.expectations.clone() {
        let check = &mut plan.expectations[index].check;
        for target in check.targets_mut() {
            if let Err(finding) = nodes.fill(target) {
                unread.insert(index, finding);
            }
        }
        for (mac, words) in check.macs_mut() {
            *mac = nodes.interface(words).and_then(|end| nodes.at(end).mac).unwrap_or(*mac);
        }
        for by in check.bys_mut() {
            nodes.fill_by(by);
        }
    }
    Ok(())
}

/// The nodes as they have been read.
struct Nodes<'a>(&'a [crate::plan::Node]);

impl Nodes<'_> {
    fn at(&self, end: End) -> &crate::plan::Interface {
        &self.0[end.node].interfaces[end.interface]
    }

    fn ends(&self) -> impl Iterator<Item = End> {
        let nodes = self.0.iter().enumerate();
        nodes.flat_map(|(node, made)| (0..made.interfaces.len()).map(move |interface| End { node, interface }))
    }

    /// The interface that a `NODE.INTERFACE` names.
    fn interface(&self, words: &str) -> Option<End> {
        let (node, interface) = words.split_once('.')?;
        self.ends().find(|end| self.0[end.node].name == node && self.at(*end).name == interface)
    }

    /// The address of a target that scripts give, and the interface that has it.
    fn fill(&self, target: &mut Target) -> Result<(), Finding> {
        let Some(ReadFrom { node, interface, family }) = target.read.clone() else {
            if target.owner.is_none() {
                target.owner =
                    self.ends().find(|end| self.at(*end).addresses.iter().any(|cidr| cidr.address == target.address));
            }
            return Ok(());
        };
        let wanted = |end: &End| end.node == node && interface.is_none_or(|interface| interface == end.interface);
        let mut found: Vec<(End, IpAddr)> = Vec::new();
        for end in self.ends().filter(wanted).filter(|end| end.interface > 0 || interface.is_some()) {
            let own = self.at(end).addresses.iter().map(|cidr| cidr.address);
            let plain = own.filter(|address| family == crate::words::Family::of(*address) && !is_link_local(*address));
            found.extend(plain.map(|address| (end, address)));
        }
        if let [(end, address)] = *found {
            (target.owner, target.address) = (Some(end), address);
            return Ok(());
        }
        let name = interface.map_or_else(
            || self.0[node].name.clone(),
            |interface| format!("{}.{}", self.0[node].name, self.0[node].interfaces[interface].name),
        );
        let mut there: Vec<String> = Vec::new();
        for end in self.ends().filter(|end| end.node == node) {
            let interface = self.at(end);
            there.extend(interface.addresses.iter().map(|cidr| format!("{}: {cidr}", interface.name)));
        }
        let finding = Finding::new(match found.len() {
            0 => format!("{name} has no {} address when the step begins", family.name()),
            several => format!("{name} has {several} {} addresses when the step begins", family.name()),
        });
        Err(finding.about(&["to", "get", "url"]).note(match &*there {
            [] => format!("{} has no address at all", self.0[node].name),
            there => format!("{} has {}", self.0[node].name, there.join(", ")),
        }))
    }

    fn fill_by(&self, by: &mut By) {
        let named = |end: &End| match by.words.split_once('.') {
            Some((node, interface)) => self.0[end.node].name == node && self.at(*end).name == interface,
            None => self.0[end.node].name == by.words,
        };
        let read: Vec<IpAddr> =
            self.ends().filter(named).flat_map(|end| self.at(end).addresses.iter().map(|cidr| cidr.address)).collect();
        if !read.is_empty() {
            by.addresses = read;
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
