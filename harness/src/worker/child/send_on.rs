//! Sends a packet on behind the place where it ended, and hears what the rules there do with it.

use std::time::Duration;

use super::attempt::Bench;
use super::bound;
use crate::evidence::{Evidence, SentOn, Trace, TraceVerdict};
use crate::lab::{KernelError, Tracer};
use crate::plan::NodeId;
use crate::probe::ProbeError;
use crate::probe::frames::Frames;

/// How often is looked, and how many times: a packet passes a lab in less than a millisecond, but for the neighbours that
/// its nodes may have to ask for first.
const INTERVAL: Duration = Duration::from_millis(1);
const LOOKS: u32 = 40;

/// Sends it, and adds to the evidence what the rules of the nodes behind make of it and of its answer. What fails is said
/// in the evidence: what is known stays known.
pub(super) async fn send(bench: &mut Bench, packet: SentOn, evidence: &mut Evidence) {
    let mut tracers: Vec<(NodeId, Tracer)> = Vec::new();
    for node in 0..bench.plan.nodes.len() {
        if bench.node(node).absent {
            continue;
        }
        match Tracer::start(&bench.lab.node(node).namespace, &[evidence.flow.protocol]) {
            Ok(tracer) => tracers.extend(tracer.map(|tracer| (node, tracer))),
            Err(error) => evidence.cut.push(missed(bench, node, &error)),
        }
    }
    match put(bench, &packet) {
        Ok(()) => evidence.traces.extend(heard(&tracers).await.unwrap_or_else(|error| {
            evidence.cut.push(format!("what rules do behind that place cannot be read: {error}"));
            Vec::new()
        })),
        Err(error) => evidence.cut.push(format!("nothing could be sent on behind that place: {error}")),
    }
    if let Err(error) = Tracer::stop_all(tracers.into_iter().map(|(_, tracer)| tracer).collect()) {
        evidence.cut.push(format!("a rule trace cannot be taken out again: {error}"));
    }
    evidence.sent_on = Some(packet);
    bound::bound_traces(evidence);
}

fn missed(bench: &Bench, node: NodeId, error: &KernelError) -> String {
    format!("what the rules of {} do is not seen: {error}", bench.plan.nodes[node].name)
}

fn put(bench: &mut Bench, packet: &SentOn) -> Result<(), ProbeError> {
    let namespace = &bench.lab.node(packet.node).namespace;
    bench.captures.of(packet.node, || Frames::open(namespace))?.send(packet.interface, &packet.bytes)
}

/// The steps until a rule has ended it, or for as long as a packet may take through the lab.
async fn heard(tracers: &[(NodeId, Tracer)]) -> Result<Vec<Trace>, KernelError> {
    let mut traces = Vec::new();
    for _ in 0..LOOKS {
        for (node, tracer) in tracers {
            traces.extend(tracer.take(*node)?.0);
        }
        if traces.iter().any(|trace: &Trace| trace.verdict == TraceVerdict::Drop) {
            break;
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Ok(traces)
}
