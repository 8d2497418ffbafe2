//! VXLAN tunnels: whether two ends fit each other.

use std::net::IpAddr;

use super::blame;
use super::world::{End, World};
use crate::evidence::{Cause, CauseKind, Interface, Tunnel};

/// The addresses that a tunnel sends to: its own remote, and those of its forwarding table.
pub(super) fn remotes(world: &World<'_>, end: End) -> Vec<IpAddr> {
    let Some(tunnel) = world.interface(end).and_then(|interface| interface.tunnel.as_ref()) else { return Vec::new() };
    // What it has learned tells where others are, and not where it sends what it does not know.
    let table = world.node(end.0).fdb.iter().filter(|entry| entry.interface == end.1 && entry.permanent);
    let mut all: Vec<IpAddr> = tunnel.remote.into_iter().chain(table.filter_map(|entry| entry.remote)).collect();
    all.sort();
    all.dedup();
    all.retain(|remote| !remote.is_unspecified());
    all
}

/// The tunnels that one leads to: those in the nodes that have its remotes, the one with the same number first.
pub(super) fn far_ends(world: &World<'_>, end: End) -> Vec<End> {
    let Some(own) = world.interface(end).and_then(|interface| interface.tunnel.as_ref()) else { return Vec::new() };
    let mut found = Vec::new();
    for remote in remotes(world, end) {
        for (node, _) in world.owners(remote) {
            let there: Vec<(End, &Interface)> =
                world.ends().filter(|(other, it)| other.0 == node && node != end.0 && it.tunnel.is_some()).collect();
            let same = there.iter().find(|(_, it)| it.tunnel.as_ref().is_some_and(|other| other.id == own.id));
            found.extend(same.or(there.first()).map(|(end, _)| *end));
        }
    }
    found
}

/// Why what one tunnel sends to the other is not for that one.
pub(super) fn mismatch(world: &World<'_>, from: End, to: End) -> Option<Cause> {
    let tunnel = |end: End| world.interface(end).and_then(|interface| interface.tunnel.as_ref());
    let (own, other) = (tunnel(from)?, tunnel(to)?);
    let names = (world.end_name(from), world.end_name(to));
    if let Some((words, key)) = differing(own, other, &names) {
        let help = format!("both ends of a tunnel need the same `{key}`");
        return Some(blame::of_interface(world, from, CauseKind::TunnelMismatch, words, Some(help)));
    }
    // The other end may know the way to this one, and this one none to it.
    if far_ends(world, from).contains(&to) {
        None
    } else {
        leads_nowhere(world, from).or_else(|| Some(leads_astray(world, from, to)))
    }
}

fn differing(own: &Tunnel, other: &Tunnel, (here, there): &(String, String)) -> Option<(String, &'static str)> {
    if own.id != other.id {
        return Some((format!("{here} has the VXLAN id {}, and {there} has {}", own.id, other.id), "id"));
    }
    if own.port != other.port {
        return Some((format!("{here} sends to UDP port {}, and {there} takes {}", own.port, other.port), "port"));
    }
    None
}

/// A tunnel that leads to another one than it should.
fn leads_astray(world: &World<'_>, from: End, to: End) -> Cause {
    let remotes: Vec<String> = remotes(world, from).iter().map(ToString::to_string).collect();
    let (here, there) = (world.end_name(from), world.end_name(to));
    let words = format!("{here} sends to {}, where {there} does not end", remotes.join(" and "));
    let help = Some("`remote` is the address of the other end in the network below".to_owned());
    blame::of_interface(world, from, CauseKind::TunnelMismatch, words, help)
}

/// Why a tunnel leads nowhere.
pub(super) fn leads_nowhere(world: &World<'_>, end: End) -> Option<Cause> {
    world.interface(end)?.tunnel.as_ref()?;
    let name = world.end_name(end);
    let remotes = remotes(world, end);
    let help = Some("`remote` is the address of the other end in the network below".to_owned());
    if remotes.is_empty() {
        let words = format!("{name} has no remote to send to");
        return Some(blame::of_interface(world, end, CauseKind::TunnelMismatch, words, help));
    }
    let stray = remotes.iter().find(|remote| {
        let owners = world.owners(**remote);
        !world.ends().any(|(other, it)| it.tunnel.is_some() && owners.iter().any(|(node, _)| *node == other.0))
    })?;
    let words = match world.owners(*stray).first() {
        None => format!("{name} sends to {stray}, which no node of this case has"),
        Some((owner, _)) => format!("{name} sends to {stray}, which is {}, where no tunnel ends", world.name(*owner)),
    };
    Some(blame::of_interface(world, end, CauseKind::TunnelMismatch, words, help))
}

/// What dropped the packets of a tunnel on their way below.
pub(super) fn dropped(world: &World<'_>, from: End, to: End) -> Option<Cause> {
    let own = world.interface(from).and_then(|interface| interface.tunnel.as_ref())?;
    world.interface(to)?.tunnel.as_ref()?;
    (0..world.evidence().nodes.len()).find_map(|node| super::rules::dropped_tunnel(world, node, own.port))
}
