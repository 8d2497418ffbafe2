//! Who gets a frame in the name of the next hop, where it is not who is meant.

use std::net::IpAddr;

use super::super::travelling::Travelling;
use super::super::walk::Step;
use super::super::world::{End, World};
use super::super::{blame, command, endpoint};
use crate::evidence::{Cause, CauseKind, Way};
use crate::plan::Check;
use crate::words::NeighState;

/// A neighbour entry that somebody has made, with a MAC address that is not the neighbour's.
pub(super) fn misled(world: &World<'_>, out: End, hop: IpAddr, near: &[End], by_mac: &[End]) -> Option<Cause> {
    let entry = world.neighbour(out, hop).filter(|entry| entry.state == NeighState::Permanent)?;
    let (mac, owner) = (entry.mac?, *near.first()?);
    // An address may have a MAC address of its own (RFC 5798), on another interface of the same node.
    if by_mac.iter().any(|end| near.iter().any(|owner| owner.0 == end.0)) {
        return None;
    }
    let (name, other) = (world.name(out.0), world.end_name(owner));
    let whose = by_mac.first().map(|end| format!("that of {}, and ", world.end_name(*end))).unwrap_or_default();
    let words = format!(
        "{name} has a permanent neighbour entry that {hop} is {mac}, which is {whose}not the address of {other}"
    );
    let neigh = |words: &command::Words<'_>| {
        words.iter().any(|word| matches!(*word, "neigh" | "neighbour" | "neighbor" | "arp" | "n"))
    };
    let (address, mac) = (hop.to_string(), mac.to_string());
    let made = command::doing(world, out.0, |words| neigh(words) && words.contains(&&*address))
        .or_else(|| command::doing(world, out.0, |words| neigh(words) && words.contains(&&*mac)))
        .or_else(|| command::doing(world, out.0, neigh));
    let help = Some(format!("delete the entry, or give it the MAC address of {other}"));
    Some(match (made, blame::script_of(world, out.0)) {
        (Some(line), _) => blame::by(world, out.0, Cause::at(CauseKind::NoNeighbour, words, Some(line), help)),
        (None, Some(span)) => blame::by(world, out.0, blame::at(CauseKind::NoNeighbour, words, span, help)),
        (None, None) => blame::on_node(world, out.0, CauseKind::NoNeighbour, words, help),
    })
}

/// An interface that asks for nobody gives its frames its own MAC address.
///
/// Source: `arp_constructor` and `ndisc_constructor` of the kernel.
pub(super) fn to_itself(world: &World<'_>, out: End, hop: IpAddr) -> Option<Cause> {
    let interface = world.interface(out).filter(|it| it.noarp && it.mac.is_some())?;
    let cable = matches!(interface.kind.as_deref(), Some("veth" | "vlan" | "macvlan"));
    let told = world.neighbour(out, hop).is_some_and(|entry| entry.state == NeighState::Permanent);
    if !cable || told {
        return None;
    }
    let name = world.end_name(out);
    let words = format!(
        "{name} asks for no neighbours (NOARP), and so sends what is for {hop} to its own MAC address, which nobody takes"
    );
    let help = Some("`arp on`, or a permanent neighbour entry".to_owned());
    Some(blame::of_interface(world, out, CauseKind::NoNeighbour, words, help))
}

/// Several nodes have the address of the next hop, and the packet went to one that is not known to be the right one.
pub(super) fn duplicate(world: &World<'_>, hop: IpAddr, near: &[End], next: Option<End>) -> Option<Cause> {
    let next = next.filter(|next| near.contains(next))?;
    let other = near.iter().find(|end| end.0 != next.0 && !is_mute(world, **end, hop))?;
    if meant(world, hop) == Some(next.0) {
        return None;
    }
    let (one, two) = (world.end_name(next), world.end_name(*other));
    let words = format!("{one} and {two} both have {hop}; the packet went to {one}");
    let help = Some("every interface of a link needs an address of its own".to_owned());
    Some(blame::of_interface(world, next, CauseKind::DuplicateAddress, words, help))
}

/// Whether an interface says to nobody that it has an address: a spare that is to take over.
fn is_mute(world: &World<'_>, end: End, hop: IpAddr) -> bool {
    world.interface(end).is_some_and(|it| it.noarp) || (hop.is_ipv4() && world.larger_setting(end, "arp_ignore") == 8)
}

/// The node that is meant by an address, where it is an end of the probe.
fn meant(world: &World<'_>, address: IpAddr) -> Option<usize> {
    let flow = &world.evidence().flow;
    if flow.source == Some(address) {
        return Some(flow.from);
    }
    let target = match world.matter.check {
        Check::Ping(ping) => &ping.to,
        check => &check.transfer()?.to,
    };
    target.owner.filter(|_| target.address == address).map(|owner| owner.node)
}

/// An address that several have, and what would have ended the packet at the one that was meant.
pub(in super::super) fn duplicated(world: &World<'_>, steps: &[Step], cause: Cause) -> Vec<Cause> {
    let mut causes = vec![cause];
    if let Some(end) = steps.iter().find(|step| step.local && step.way == Way::Request) {
        let other = meant(world, end.before.to).filter(|meant| *meant != end.node);
        let packet: &Travelling = &end.before;
        let faults = other.map(|meant| endpoint::faults(world, meant, Way::Request, packet)).unwrap_or_default();
        causes.extend(faults.into_iter().filter(|fault| !endpoint::is_wanted(world, fault.kind)));
    }
    causes
}
