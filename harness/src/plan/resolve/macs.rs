//! MAC addresses for interfaces to which the case gives none: the same in every run, and each once.

use std::collections::HashSet;

use super::lab::Lab;
use crate::plan::{End, InterfaceKind};
use crate::source::Spanned;
use crate::words::Mac;

/// Gives every interface that has none its MAC address; `lo` stays without, and so does what a script makes; a VLAN has that
/// of its `dev`.
pub(super) fn fill(lab: &mut Lab) {
    let ends: Vec<End> = lab.ends().collect();
    let taken: HashSet<Mac> = ends.iter().filter_map(|end| lab.at(*end).mac).map(|mac| mac.value).collect();
    for end in ends {
        let interface = lab.at_mut(end);
        match interface.kind {
            Some(InterfaceKind::Loopback | InterfaceKind::Found) => {}
            // The kernel gives a VLAN the address of its `dev`, and changes both together.
            Some(InterfaceKind::Vlan { .. }) => interface.follows |= interface.mac.is_none(),
            _ if interface.mac.is_none() => {
                interface.mac = Some(Spanned::new(automatic(end, &taken), interface.span));
            }
            _ => {}
        }
    }
    lab.follow_macs();
}

/// Locally administered (the second lowest bit of the first byte), then the node's place and the interface's.
/// Another first byte is taken where the case itself uses that address elsewhere.
fn automatic(End { node, interface }: End, taken: &HashSet<Mac>) -> Mac {
    let [.., n1, n0] = node.to_be_bytes();
    let [.., i1, i0] = interface.to_be_bytes();
    let candidates = (0..=u8::MAX).map(|first| Mac([(first << 2) | 2, 0x6e, n1, n0, i1, i0]));
    candidates.into_iter().find(|mac| !taken.contains(mac)).unwrap_or(Mac([2, 0x6e, n1, n0, i1, i0]))
}
