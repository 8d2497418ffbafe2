//! Gathers the evidence of one probe: what passes the interfaces, what the rules do with it, what the counters count,
//! and how the nodes are right after it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;

use super::attempt::Bench;
use super::bound;
use super::rules;
use crate::evidence::{Chain, Evidence, Flow, NodeState, Protocol, Rule, ScriptText};
use crate::lab::{self, Counters, Netlink, Tracer};
use crate::plan::{Interface, InterfaceKind, NodeId};
use crate::probe::ProbeError;
use crate::probe::focus::Focus;
use crate::probe::frames::{Frames, Taken};
use crate::probe::stamps;

/// The packet sockets of the nodes. Opening one is cheap, closing it is not, so each is kept for the rest of the case.
#[derive(Debug, Default)]
pub(super) struct Captures(HashMap<NodeId, Frames>);

impl Captures {
    /// The socket of a node, opened where it has none yet.
    pub(super) fn of(
        &mut self,
        node: NodeId,
        open: impl FnOnce() -> Result<Frames, ProbeError>,
    ) -> Result<&Frames, ProbeError> {
        Ok(match self.0.entry(node) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(place) => place.insert(open()?),
        })
    }

    /// Lets go of nodes that may end.
    pub(super) fn let_go(&mut self, nodes: &[NodeId]) {
        self.0.retain(|node, _| !nodes.contains(node));
    }
}

/// What has begun to be watched.
#[derive(Default)]
pub(super) struct Watch {
    tracers: Vec<(NodeId, Tracer)>,
    /// Nodes whose rules nobody follows.
    untraced: Vec<NodeId>,
    taken: Vec<(NodeId, Taken)>,
    before: Vec<Counters>,
    /// Of nodes with rules of the older kind, which count and say nothing.
    counted: HashMap<NodeId, (Vec<Chain>, Vec<Rule>)>,
    cut: Vec<String>,
}

/// Begins to watch all nodes. What cannot be watched is said in the evidence, and fails nothing.
pub(super) async fn begin(bench: &mut Bench, flow: &Flow) -> Watch {
    let mut watch = Watch::default();
    let first = bench.captures.0.is_empty();
    let tunnels = bench.plan.nodes.iter().any(|node| node.open || node.interfaces.iter().any(is_tunnel));
    // A DNS query may be asked again over TCP, and what a tunnel carries travels in UDP.
    let more = match (flow.protocol, tunnels) {
        (Protocol::Udp, _) => Protocol::Tcp,
        (_, true) => Protocol::Udp,
        (own, false) => own,
    };
    let protocols = [flow.protocol, more];
    let focus = Focus::on(&protocols.map(|own| [own.number(false), own.number(true)]).concat());
    for node in there(bench) {
        let name = &bench.plan.nodes[node].name;
        let namespace = &bench.lab.node(node).namespace;
        if lab::legacy_rules(namespace).is_ok_and(|families| !families.is_empty())
            && let Ok(counted) = rules::rules_of(bench, node).await
        {
            watch.counted.insert(node, counted);
        }
        match Tracer::start(namespace, &protocols) {
            Ok(tracer) => watch.tracers.extend(tracer.map(|tracer| (node, tracer))),
            Err(error) => {
                watch.untraced.push(node);
                watch.cut.push(format!("what the rules of {name} do is not seen: {error}"));
            }
        }
        match bench.captures.of(node, || Frames::open(namespace)).and_then(Frames::watch) {
            Ok(()) => watch.taken.push((node, Taken::new(node, focus.clone()))),
            Err(error) => watch.cut.push(format!("what passes {name} is not seen: {error}")),
        }
    }
    if first {
        watch.cut.extend(unstamped().await);
    }
    let counted = join_all((0..bench.plan.nodes.len()).map(|node| counters(bench, node))).await;
    for counters in counted {
        watch.before.push(counters.unwrap_or_else(|error| {
            watch.cut.push(error);
            Counters::default()
        }));
    }
    // What came until now is none of the probe's, and shows what else is going on.
    for (node, taken) in &mut watch.taken {
        if let Some(frames) = bench.captures.0.get(node) {
            let _ = frames.begin(taken);
        }
    }
    watch
}

/// How often what was captured is taken while a probe is made: a socket holds some ten thousand frames, and a flood has
/// some hundred thousand a second.
const INTERVAL: Duration = Duration::from_millis(10);

/// Goes on watching until a probe has been made.
pub(super) async fn during<T>(bench: &Bench, watch: &mut Watch, probing: impl Future<Output = T>) -> T {
    let mut probing = pin!(probing);
    loop {
        match tokio::time::timeout(INTERVAL, &mut probing).await {
            Ok(made) => return made,
            Err(_) => take(bench, watch),
        }
    }
}

/// Takes what was captured; a socket that is broken says so at the end, too.
fn take(bench: &Bench, watch: &mut Watch) {
    for (node, taken) in &mut watch.taken {
        if let Some(frames) = bench.captures.0.get(node) {
            let _ = frames.take(taken);
        }
    }
}

fn is_tunnel(interface: &Interface) -> bool {
    matches!(interface.kind, InterfaceKind::Vxlan(_))
}

/// Why what is captured may be out of order; waits until it is not.
async fn unstamped() -> Option<String> {
    let begun = async {
        let netlink = Netlink::open().map_err(|error| error.to_string())?;
        netlink.take_loopback_up().await.map_err(|error| error.to_string())?;
        stamps::begun().await.map_err(|error| error.to_string())
    };
    match begun.await {
        Ok(true) => None,
        Ok(false) => Some("the kernel does not stamp packets: their order between nodes is not certain".to_owned()),
        Err(error) => Some(format!("whether the kernel stamps packets is not known: {error}")),
    }
}

/// Ends the watching, and takes down how the nodes are.
pub(super) async fn end(bench: &mut Bench, watch: Watch, flow: Flow) -> Evidence {
    let Watch { tracers, untraced, taken, before, counted, mut cut } = watch;
    let mut evidence = Evidence { flow, untraced, ..Evidence::default() };
    let seen: Vec<NodeId> = taken.iter().map(|(node, _)| *node).collect();
    evidence.unseen = there(bench).into_iter().filter(|node| !seen.contains(node)).collect();
    for (node, mut taken) in taken {
        let Some(frames) = bench.captures.0.get(&node) else { continue };
        let name = &bench.plan.nodes[node].name;
        let ended = frames.take(&mut taken).and_then(|()| frames.rest());
        if ended.is_err() || taken.may_miss() {
            evidence.unseen.push(node);
        }
        cut.extend(taken.missing().map(|missing| format!("{name}: {missing}")));
        cut.extend(ended.err().map(|error| format!("what passed {name} cannot be read: {error}")));
        evidence.frames.extend(taken.into_frames());
    }
    evidence.frames.sort_by_key(|frame| frame.time);
    let mut stopping = Vec::new();
    for (node, tracer) in tracers {
        let name = &bench.plan.nodes[node].name;
        match tracer.take(node) {
            Ok((traces, lost)) => {
                evidence.traces.extend(traces);
                evidence.untraced.extend(lost.is_some().then_some(node));
                cut.extend(lost.map(|lost| format!("{name}: {lost}")));
            }
            Err(error) => {
                evidence.untraced.push(node);
                cut.push(format!("what the rules of {name} did cannot be read: {error}"));
            }
        }
        stopping.push(tracer);
    }
    if let Err(error) = Tracer::stop_all(stopping) {
        cut.push(format!("a rule trace cannot be taken out again: {error}"));
    }
    let (states, missing): (Vec<_>, Vec<_>) =
        join_all((0..bench.plan.nodes.len()).map(|node| state(bench, node, before.get(node))))
            .await
            .into_iter()
            .unzip();
    evidence.nodes = states;
    cut.extend(missing.into_iter().flatten());
    for node in 0..evidence.nodes.len() {
        evidence.nodes[node].services = bench.services.states(&bench.plan, node);
        evidence.nodes[node].scripts = scripts(bench, node);
        if let Some(before) = counted.get(&node) {
            let NodeState { chains, rules, .. } = &mut evidence.nodes[node];
            rules::since(before, chains, rules);
        }
    }
    evidence.cut = cut;
    bound::bound(&mut evidence);
    evidence
}

/// How much of a script is kept.
const LONGEST_SCRIPT: usize = 64 * 1024;

/// The scripts that may have changed a node: those of the node itself, and of the one that makes it.
fn scripts(bench: &Bench, node: NodeId) -> Vec<ScriptText> {
    let Some(programs) = bench.services.programs() else { return Vec::new() };
    let whose = bench.plan.nodes[node].created_by.unwrap_or(node);
    let own = bench.plan.setup.iter().filter(|script| script.node == whose);
    own.filter_map(|script| {
        let text = programs.files().text(script.node, Path::new(&script.path))?;
        let end = (0..=LONGEST_SCRIPT.min(text.len())).rev().find(|end| text.is_char_boundary(*end))?;
        Some(ScriptText { path: script.path.clone(), text: text[..end].to_owned() })
    })
    .collect()
}

/// The nodes that are there.
fn there(bench: &Bench) -> Vec<NodeId> {
    (0..bench.plan.nodes.len()).filter(|node| !bench.node(*node).absent).collect()
}

async fn counters(bench: &Bench, node: NodeId) -> Result<Counters, String> {
    if bench.node(node).absent {
        return Ok(Counters::default());
    }
    let name = &bench.plan.nodes[node].name;
    lab::counters(bench.node(node)).await.map_err(|error| format!("the counters of {name} cannot be read: {error}"))
}

/// A node, and what of it cannot be said.
async fn state(bench: &Bench, node: NodeId, before: Option<&Counters>) -> (NodeState, Vec<String>) {
    let name = &bench.plan.nodes[node].name;
    let mut cut = Vec::new();
    let mut state = match lab::snapshot(&bench.plan, &bench.lab, node).await {
        Ok((state, missing)) => {
            cut.extend(missing);
            state
        }
        Err(error) => {
            cut.push(format!("the tables of {name} cannot be read: {error}"));
            NodeState::default()
        }
    };
    match (counters(bench, node).await, before) {
        (Ok(after), Some(before)) => state.grown = lab::grown(before, &after),
        (Ok(_), None) => {}
        (Err(error), _) => cut.push(error),
    }
    if !bench.node(node).absent {
        match rules::rules_of(bench, node).await {
            Ok((chains, rules)) => (state.chains, state.rules) = (chains, rules),
            Err(broken) => cut.push(format!("the rules of {name} cannot be read: {}", broken.message)),
        }
    }
    state.name.clone_from(name);
    (state, cut)
}
