//! MAC addresses for interfaces to which the case gives none: the same in every run, and each once.

use std::collections::HashSet;

use super::lab::{Draft, Lab};
use crate::plan::InterfaceKind;
use crate::words::Mac;

/// The MAC addresses of every interface of every node; `lo` has none.
pub(super) fn assign(lab: &Lab) -> Vec<Vec<Option<Mac>>> {
    let taken: HashSet<Mac> = lab.ends().filter_map(|end| lab.at(end).mac).map(|mac| mac.value).collect();
    lab.nodes.iter().enumerate().map(|(node, draft)| of_node(node, draft, &taken)).collect()
}

fn of_node(node: usize, draft: &Draft, taken: &HashSet<Mac>) -> Vec<Option<Mac>> {
    let interfaces = draft.interfaces.iter().enumerate();
    interfaces
        .map(|(at, interface)| match (interface.kind, interface.mac) {
            (Some(InterfaceKind::Loopback), _) => None,
            (_, Some(mac)) => Some(mac.value),
            (_, None) => Some(automatic(node, at, taken)),
        })
        .collect()
}

/// Locally administered (the second lowest bit of the first byte), then the node's place and the interface's.
/// Another first byte is taken where the case itself uses that address elsewhere.
fn automatic(node: usize, interface: usize, taken: &HashSet<Mac>) -> Mac {
    let [.., n1, n0] = node.to_be_bytes();
    let [.., i1, i0] = interface.to_be_bytes();
    let candidates = (0..=u8::MAX).map(|first| Mac([(first << 2) | 2, 0x6e, n1, n0, i1, i0]));
    candidates.into_iter().find(|mac| !taken.contains(mac)).unwrap_or(Mac([2, 0x6e, n1, n0, i1, i0]))
}
