//! What a frame can pass between two interfaces: cables, bridges, and what stands on them.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::world::{End, World};
use super::{below, blame, macvlan, ports, tunnel};
use crate::evidence::{Cause, CauseKind, Interface, PortState};

/// The interfaces that a frame passes from one to another, both included; `None` where nothing connects them. Of several
/// ways one that is open is taken; where none is, the shortest.
pub(super) fn between(world: &World<'_>, from: End, to: End) -> Option<Vec<End>> {
    let is_open = |end: End| {
        let interface = world.interface(end);
        interface.is_some_and(|it| it.up && it.port.is_none_or(|port| port.state == PortState::Forwarding))
    };
    way(world, from, to, is_open).or_else(|| way(world, from, to, |_| true))
}

/// The shortest way by interfaces of which those between are fit.
fn way(world: &World<'_>, from: End, to: End, is_fit: impl Fn(End) -> bool) -> Option<Vec<End>> {
    let mut before: HashMap<End, End> = HashMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(at) = waiting.pop_front() {
        if at == to {
            let mut way = vec![to];
            while let Some(last) = way.last().and_then(|end| before.get(end)) {
                way.push(*last);
            }
            way.reverse();
            return Some(way);
        }
        for next in beside(world, at).iter().copied() {
            if next != from && !before.contains_key(&next) && (next == to || is_fit(next)) {
                before.insert(next, at);
                waiting.push_back(next);
            }
        }
    }
    None
}

/// All interfaces that a frame could reach from one, itself left out.
pub(super) fn segment(world: &World<'_>, from: End) -> Vec<End> {
    let mut found = vec![from];
    let mut at = 0;
    while let Some(end) = found.get(at).copied() {
        for next in beside(world, end).iter().copied() {
            if !found.contains(&next) {
                found.push(next);
            }
        }
        at += 1;
    }
    found.remove(0);
    found
}

/// Where a frame goes next from an interface.
fn beside(world: &World<'_>, end: End) -> Rc<[End]> {
    world.beside(end, || look_beside(world, end))
}

fn look_beside(world: &World<'_>, end: End) -> Vec<End> {
    let Some(interface) = world.interface(end) else { return Vec::new() };
    let (node, index) = end;
    let mut found = Vec::new();
    let is = |kind: &str| interface.kind.as_deref() == Some(kind);
    // A veth knows its other end, a VLAN and a macvlan what carries them; a tunnel's frames travel inside packets.
    if is("vxlan") {
        found.extend(tunnel::far_ends(world, end));
    } else {
        found.extend(interface.link.filter(|other| world.interface(*other).is_some()));
    }
    found.extend(interface.master.map(|master| (node, master)));
    for (other, it) in world.ends() {
        let port = other.0 == node && it.master == Some(index);
        let above = it.link == Some(end) && matches!(it.kind.as_deref(), Some("vlan" | "macvlan"));
        let far = it.kind.as_deref() == Some("vxlan") && tunnel::far_ends(world, other).contains(&end);
        if port || above || far {
            found.push(other);
        }
    }
    found
}

/// Why a frame of this length does not pass a row of interfaces.
pub(super) fn faults(world: &World<'_>, way: &[End], length: u32) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (at, end) in way.iter().enumerate() {
        let Some(interface) = world.interface(*end) else { continue };
        if !interface.up {
            causes.push(blame::of_interface(
                world,
                *end,
                CauseKind::LinkDown,
                format!("{} is down", world.end_name(*end)),
                Some("take it up".to_owned()),
            ));
        } else if !interface.carrier && !explained_by_other_end(world, *end, interface, way) {
            causes.push(no_port_up(world, *end).unwrap_or_else(|| no_carrier(world, *end, interface)));
        }
        causes.extend(port(world, way, at, interface));
        if at > 0 && length > interface.mtu && must_fit(world, way[at - 1], *end) && interface.mtu > 0 {
            causes.push(blame::of_interface(
                world,
                *end,
                CauseKind::MtuTooSmall,
                format!(
                    "{} takes packets of at most {} bytes, and drops this one of {length} without a word",
                    world.end_name(*end),
                    interface.mtu
                ),
                Some("all interfaces of one link need the same `mtu`".to_owned()),
            ));
        }
    }
    causes.extend(way.windows(2).filter_map(|pair| tunnel::mismatch(world, pair[0], pair[1])));
    for pair in way.windows(2) {
        match tunnel::dropped(world, pair[0], pair[1]) {
            Some(cause) => causes.push(cause),
            None => causes.extend(below::faults(world, pair[0], pair[1], length)),
        }
    }
    causes.extend(macvlan::kept(world, way));
    causes.extend(ports::kept(world, way));
    causes
}

/// Whether an interface drops what is larger than it takes: what a cable brings, and what a bridge would send by a port
/// (`is_skb_forwardable` of the kernel).
fn must_fit(world: &World<'_>, from: End, to: End) -> bool {
    let Some(interface) = world.interface(to) else { return false };
    let cable = interface.kind.as_deref() == Some("veth") && interface.link == Some(from);
    cable || (from.0 == to.0 && interface.master == Some(from.1))
}

/// Whether an interface of a way has no carrier because the other end of its cable is down, which is said of that one.
fn explained_by_other_end(world: &World<'_>, end: End, interface: &Interface, way: &[End]) -> bool {
    // A bridge has no carrier while none of its ports forwards, which is said of these.
    let mut ports = world.ends().filter(|(other, it)| other.0 == end.0 && it.master == Some(end.1));
    if ports.any(|(port, it)| way.contains(&port) || (it.up && it.carrier)) {
        return true;
    }

    let carries = matches!(interface.kind.as_deref(), Some("veth" | "vlan" | "macvlan"));
    let other = interface.link.filter(|_| carries).and_then(|end| world.interface(end));
    other.is_some_and(|other| !other.up)
}

/// Why the only port of a bridge without carrier has none: it is down, or the other end of its cable is.
fn no_port_up(world: &World<'_>, bridge: End) -> Option<Cause> {
    let mut ports = world.ends().filter(|(other, it)| other.0 == bridge.0 && it.master == Some(bridge.1));
    let (port, interface) = ports.next()?;
    if ports.next().is_some() {
        return None;
    }
    let other = interface.link.filter(|_| interface.kind.as_deref() == Some("veth"));
    let mut ends = [Some(port), other].into_iter().flatten();
    let down = ends.find(|end| world.interface(*end).is_some_and(|it| !it.up))?;
    let words = format!("{} is down", world.end_name(down));
    Some(blame::of_interface(world, down, CauseKind::LinkDown, words, Some("take it up".to_owned())))
}

fn no_carrier(world: &World<'_>, end: End, interface: &Interface) -> Cause {
    let name = world.end_name(end);
    let (words, help) = match interface.kind.as_deref() {
        Some("bridge") => {
            let ports = world.ends().filter(|(other, it)| other.0 == end.0 && it.master == Some(end.1)).count();
            let why = if ports == 0 { "it has no port" } else { "none of its ports has one" };
            (format!("{name} has no carrier: {why}"), "name the ends of cables in its `ports`")
        }
        Some("veth") if interface.link.is_none_or(|other| world.interface(other).is_none()) => (
            format!("{name} has no carrier: its other end is in no node of this case"),
            "plug its other end into a node",
        ),
        _ => (format!("{name} is up and has no carrier"), "something must be plugged in at its other end"),
    };
    blame::of_interface(world, end, CauseKind::NoCarrier, words, Some(help.to_owned()))
}

/// What keeps a frame from passing a bridge, at the port where it comes in or where it would leave.
fn port(world: &World<'_>, way: &[End], at: usize, interface: &Interface) -> Option<Cause> {
    let port = interface.port?;
    let end = way[at];
    let bridge = (end.0, interface.master?);
    let passes = at > 0 && way[at - 1] == bridge || way.get(at + 1) == Some(&bridge);
    if !passes {
        return None;
    }
    let name = world.end_name(end);
    let alive = interface.up && interface.carrier && world.interface(bridge).is_some_and(|bridge| bridge.up);
    if port.state != PortState::Forwarding && alive {
        let state = match port.state {
            PortState::Disabled => "disabled",
            PortState::Listening => "listening",
            PortState::Learning => "learning",
            PortState::Blocking => "blocking",
            PortState::Forwarding => "forwarding",
        };
        return Some(blame::of_interface(
            world,
            end,
            CauseKind::PortBlocked,
            format!("{name} is a port of {} in state {state}: it passes nothing on", world.end_name(bridge)),
            Some("`bridge link set dev PORT state 3` makes it forward".to_owned()),
        ));
    }
    // Between two isolated ports nothing passes; it is said of the second.
    let other = at.checked_sub(2).map(|other| way[other]).filter(|_| way[at - 1] == bridge)?;
    let both = port.isolated && world.interface(other)?.port.is_some_and(|other| other.isolated);
    both.then(|| {
        let first = world.end_name(other);
        blame::of_interface(
            world,
            end,
            CauseKind::PortIsolated,
            format!("{first} and {name} are isolated ports of {}: nothing passes between them", world.end_name(bridge)),
            Some("`bridge link set dev PORT isolated off` for one of the two".to_owned()),
        )
    })
}
