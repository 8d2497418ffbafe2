//! Keeps what is gathered of one probe so small that it can be told, whatever floods a lab and however large that is: a
//! runner takes longer messages for a worker gone mad, and a case would end in an error for being explained.

use std::io::{self, Write};

use serde::Serialize;

use crate::evidence::{Evidence, NodeState};

/// How much of each may be told, in bytes of JSON. A node with a few interfaces has some 16 KB, a frame of 60 bytes 300,
/// a step of a rule trace as much. All together is less than the longest message (`supervise/conversation.rs`).
const FRAMES: usize = 8 * 1024 * 1024;
const TRACES: usize = 4 * 1024 * 1024;
const NODES: usize = 32 * 1024 * 1024;

/// Keeps the first frames and steps of traces, and the tables of as many nodes as fit, and says in words what is not here.
pub(super) fn bound(evidence: &mut Evidence) {
    let all: Vec<usize> = evidence.frames.iter().map(|frame| frame.node).collect();
    let frames = first(&mut evidence.frames, FRAMES);
    add_new(&mut evidence.unseen, &all[evidence.frames.len()..]);
    let said = |left: usize, kept: usize| format!("{left} frames more were captured; the first {kept} are here");
    evidence.cut.extend(frames.map(|left| said(left, evidence.frames.len())));
    bound_traces(evidence);
    evidence.cut.extend(whole_nodes(&mut evidence.nodes, NODES));
}

/// Keeps the first steps of rule traces.
pub(super) fn bound_traces(evidence: &mut Evidence) {
    let all: Vec<usize> = evidence.traces.iter().map(|trace| trace.node).collect();
    let left = first(&mut evidence.traces, TRACES);
    add_new(&mut evidence.untraced, &all[evidence.traces.len()..]);
    let kept = evidence.traces.len();
    evidence.cut.extend(left.map(|left| format!("{left} steps more of rule traces; the first {kept} are here")));
}

fn add_new(nodes: &mut Vec<usize>, more: &[usize]) {
    for node in more {
        if !nodes.contains(node) {
            nodes.push(*node);
        }
    }
}

/// The first entries that take so many bytes at most; how many were left out, if any were.
fn first<T: Serialize>(entries: &mut Vec<T>, most: usize) -> Option<usize> {
    let mut sum = 0;
    let kept = entries.iter().take_while(|entry| {
        sum += size(*entry);
        sum <= most
    });
    let kept = kept.count();
    let left = entries.len() - kept;
    entries.truncate(kept);
    (left > 0).then_some(left)
}

/// Leaves out the largest tables until the rest fits. Of such a node the interfaces stay, which captures are named by.
fn whole_nodes(nodes: &mut [NodeState], most: usize) -> Vec<String> {
    let mut sizes: Vec<usize> = nodes.iter().map(size).collect();
    let mut largest: Vec<usize> = (0..nodes.len()).collect();
    largest.sort_by_key(|at| std::cmp::Reverse(sizes[*at]));
    let mut said = Vec::new();
    for at in largest {
        if sizes.iter().sum::<usize>() <= most {
            break;
        }
        let NodeState { name, absent, interfaces, .. } = std::mem::take(&mut nodes[at]);
        said.push(format!("the tables of {name} are left out: with them the evidence would be too large"));
        nodes[at] = NodeState { name, absent, interfaces, whole: absent, ..NodeState::default() };
        sizes[at] = size(&nodes[at]);
    }
    said
}

/// How long the JSON of a value is.
pub(super) fn size(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    // What cannot be written is not told either.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Frame, Trace, TraceKind, TraceVerdict};

    fn frame() -> Frame {
        Frame { node: 0, interface: 1, time: 1 << 60, outgoing: true, vlan: None, length: 60, bytes: vec![0xab; 60] }
    }

    fn step() -> Trace {
        let text = || "a".repeat(100);
        Trace {
            node: 0,
            id: 1,
            family: text(),
            table: text(),
            chain: text(),
            kind: TraceKind::Policy,
            verdict: TraceVerdict::Accept,
            iif: None,
            oif: None,
            packet: None,
        }
    }

    #[test]
    fn a_flood_is_cut_and_said_to_be() {
        let mut evidence =
            Evidence { frames: vec![frame(); 100_000], traces: vec![step(); 30_000], ..Evidence::default() };
        bound(&mut evidence);
        assert!(size(&evidence) < FRAMES + TRACES + NODES, "{}", size(&evidence));
        let (frames, steps) = (evidence.frames.len(), evidence.traces.len());
        assert!(frames > 20_000 && steps > 5_000, "{frames} {steps}");
        let said = [
            format!("{} frames more were captured; the first {frames} are here", 100_000 - frames),
            format!("{} steps more of rule traces; the first {steps} are here", 30_000 - steps),
        ];
        assert_eq!(evidence.cut, said);
        assert_eq!((&*evidence.unseen, &*evidence.untraced), (&[0][..], &[0][..]));
        bound(&mut evidence);
        assert_eq!(evidence.cut.len(), 2, "what fits is left as it is");
    }

    #[test]
    fn the_largest_tables_go_first_and_are_not_whole() {
        let node = |name: &str, routes: usize| NodeState {
            name: name.to_owned(),
            whole: true,
            routes: vec!["10.0.0.0/8 via 192.168.1.1 dev eth0".to_owned(); routes],
            ..NodeState::default()
        };
        let mut nodes = [node("a", 10), node("b", 1000), node("c", 100)];
        let said = whole_nodes(&mut nodes, 10_000);
        assert_eq!(said, ["the tables of b are left out: with them the evidence would be too large"]);
        assert_eq!(nodes.iter().map(|node| node.whole).collect::<Vec<_>>(), [true, false, true]);
        assert!(nodes[1].name == "b" && nodes[1].routes.is_empty() && nodes[2].routes.len() == 100);
    }
}
