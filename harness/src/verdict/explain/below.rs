//! What carries a tunnel: the way of its packets through the network below.

use std::net::IpAddr;

use super::blame;
use super::trails::{self, Ends, Sight, Trail};
use super::travelling::Travelling;
use super::tunnel;
use super::walk;
use super::world::{End, World};
use crate::evidence::{self, Ask, Cause, CauseKind, Frame, Payload, Protocol};

/// What a tunnel adds to a packet: the Ethernet header inside, its own, UDP and IP (RFC 7348, section 5).
const ADDED: [u32; 2] = [14 + 8 + 8 + 20, 14 + 8 + 8 + 40];

/// A source port as a tunnel takes them, for one of which no packet was seen.
const SOURCE_PORT: u16 = 49152;

/// Why the packets of one tunnel do not come to the node of the other; `length` is that of what they carry.
pub(super) fn faults(world: &World<'_>, from: End, to: End, length: u32) -> Vec<Cause> {
    world.once_below(|| below(world, from, to, length).unwrap_or_default())
}

fn below(world: &World<'_>, from: End, to: End, length: u32) -> Option<Vec<Cause>> {
    let own = world.interface(from)?.tunnel.as_ref()?;
    world.interface(to)?.tunnel.as_ref()?;
    // A tunnel that was moved to another namespace still ends in the one where it was made.
    let (start, end) = (carrier(world, from)?, carrier(world, to)?);
    let sent = sent(world, start, end, own.port);
    let arrived = |trail: &&Trail<'_>| trail.sights.iter().any(|it| it.frame.node == end && !it.frame.outgoing);
    let trail = sent.iter().find(|trail| !arrived(trail)).or(sent.first());
    let first = trail.and_then(|trail| trail.sights.first()).map(|sight| &sight.packet);
    let ends = first.and_then(Ends::of);
    let remotes = tunnel::remotes(world, from);
    let target = ends.map(|ends| ends.to).or_else(|| remotes.iter().copied().find(|it| world.has(end, *it)))?;
    let source = match ends.map(|ends| ends.from).or(own.local) {
        Some(source) => Some(source),
        None => world.decide(Ask::plain(start, target))?.as_ref().ok().and_then(|chosen| chosen.source),
    };
    let added = ADDED[usize::from(target.is_ipv6())];
    let packet = Travelling {
        from: source,
        to: target,
        protocol: Protocol::Udp,
        source_port: ends.map_or(SOURCE_PORT, |ends| ends.source_port),
        port: own.port,
        length: first.map_or(0, |packet| packet.length).max(if length > 0 { length + added } else { 0 }),
        whole: first.is_some_and(|packet| packet.whole) || own.whole || target.is_ipv6(),
    };
    let causes = walk::carried(world, start, packet, trail);
    if remotes.contains(&target) {
        return Some(causes.into_iter().map(|cause| told(world, from, target, cause)).collect());
    }
    // It has learned where the other end is, from the address that one sends from.
    let cause = causes.into_iter().next()?;
    Some(vec![unanswerable(world, (from, to), target, &cause)])
}

/// The node whose network carries a tunnel.
fn carrier(world: &World<'_>, end: End) -> Option<usize> {
    let interface = world.interface(end)?;
    let local = interface.tunnel.as_ref().and_then(|tunnel| tunnel.local);
    let owner = local.and_then(|local| world.owners(local).first().map(|owner| owner.0));
    Some(interface.link.map(|link| link.0).or(owner).unwrap_or(end.0))
}

/// The packets that a tunnel was seen to send to a node, each with its places.
fn sent<'a>(world: &World<'a>, from: usize, to: usize, port: u16) -> Vec<Trail<'a>> {
    let flow = &world.evidence().flow;
    let mut trails = Vec::new();
    if flow.protocol == Protocol::Udp && flow.port == port {
        return trails;
    }
    let mut frames: Vec<&Frame> = world.evidence().frames.iter().collect();
    frames.sort_by_key(|frame| frame.time);
    for frame in frames {
        let Some(packet) = evidence::decode(&frame.bytes) else { continue };
        let is_for = matches!(packet.payload, Payload::Udp { port: to, .. } if to == port);
        let ends = world.has(from, packet.from) && world.has(to, packet.to);
        let sight = Sight { frame, packet };
        let begins = ends && frame.node == from && frame.outgoing;
        if is_for && (begins || trails.iter().any(|trail: &Trail<'_>| trail.is_of(&sight))) {
            trails::add(&mut trails, sight);
        }
    }
    trails
}

fn told(world: &World<'_>, from: End, target: IpAddr, cause: Cause) -> Cause {
    let words = format!("{}; {} sends to {target} by there", cause.words, world.end_name(from));
    Cause { words, ..cause }
}

/// The other end of a tunnel sends from an address that there is no way to.
fn unanswerable(world: &World<'_>, (from, to): (End, End), target: IpAddr, why: &Cause) -> Cause {
    let (here, there) = (world.end_name(from), world.end_name(to));
    let words = format!("{there} sends from {target}, and what {here} answers does not come there: {}", why.words);
    let help = Some("`local` is an address that the other end has a way to".to_owned());
    blame::of_interface(world, to, CauseKind::TunnelMismatch, words, help)
}
