//! Ports of bridges: frames that were seen to come in and not to go on, and addresses that belong on the bridge.

use std::net::IpAddr;

use super::blame;
use super::refusal::is_link_local;
use super::world::{End, World};
use crate::evidence::{self, BridgePort, Cause, CauseKind, Fdb, Payload};
use crate::words::Mac;

/// The destination of a frame for everybody.
const EVERYBODY: Mac = Mac([0xff; 6]);

/// Destination and source of the frames that were seen at an interface.
pub(super) fn frames_at<'a>(world: &World<'a>, end: End, outgoing: bool) -> impl Iterator<Item = (Mac, Mac)> + use<'a> {
    let frames = world.evidence().frames.iter();
    let here = frames.filter(move |it| (it.node, it.interface, it.outgoing) == (end.0, end.1, outgoing));
    here.filter_map(|frame| {
        let mac = |from: usize| frame.bytes.get(from..from + 6)?.try_into().ok().map(Mac);
        Some((mac(0)?, mac(6)?))
    })
}

/// A bridge on a way, with the ports before and behind it; there is none before it where it sends itself.
#[derive(Clone, Copy)]
struct Crossing {
    before: Option<End>,
    bridge: End,
    behind: End,
}

/// Why bridges keep what the first interface of a way sends to the last.
pub(super) fn kept(world: &World<'_>, way: &[End]) -> Vec<Cause> {
    let (Some(from), Some(to)) = (way.first(), way.last()) else { return Vec::new() };
    let Some(sender) = world.interface(*from).and_then(|it| it.mac) else { return Vec::new() };
    let is_port = |port: End, bridge: End| {
        port.0 == bridge.0 && world.interface(port).is_some_and(|it| it.master == Some(bridge.1) && it.port.is_some())
    };
    let mut causes = Vec::new();
    for (at, pair) in way.windows(2).enumerate() {
        let (bridge, behind) = (pair[0], pair[1]);
        let before = at.checked_sub(1).map(|at| way[at]);
        if !is_port(behind, bridge) || before.is_some_and(|before| !is_port(before, bridge)) {
            continue;
        }
        let crossing = Crossing { before, bridge, behind };
        let lost = lost(world, crossing, sender, *to);
        causes.extend(lost.into_iter().find_map(|wanted| reason(world, crossing, sender, wanted, *to)));
    }
    causes
}

/// Where frames should have gone that came into a bridge and did not leave it by a port: those that say or ask something
/// of the last interface of a way.
fn lost(world: &World<'_>, crossing: Crossing, sender: Mac, to: End) -> Vec<Mac> {
    let receiver = world.interface(to).and_then(|it| it.mac);
    let (entrance, outgoing) = crossing.before.map_or((crossing.bridge, true), |port| (port, false));
    let left: Vec<Mac> =
        frames_at(world, crossing.behind, true).filter(|(_, from)| *from == sender).map(|(to, _)| to).collect();
    let frames = world.evidence().frames.iter();
    let here = frames.filter(|it| (it.node, it.interface, it.outgoing) == (entrance.0, entrance.1, outgoing));
    let mut found: Vec<Mac> = here
        .filter_map(|frame| {
            let packet = evidence::decode(&frame.bytes)?;
            let (from, wanted) = packet.macs?;
            let asks = matches!(&packet.payload, Payload::Neighbour(it) if !it.answer && world.has(to.0, it.about));
            let is_it = from == sender && (Some(wanted) == receiver || (is_group(wanted) && asks));
            is_it.then_some(wanted)
        })
        .collect();
    found.retain(|wanted| !left.contains(wanted));
    found.dedup();
    found
}

/// The lowest bit of the first byte says "group" (IEEE 802).
fn is_group(mac: Mac) -> bool {
    mac.0[0] & 1 == 1
}

/// Why a frame did not go on by a port (`br_handle_frame_finish` and `br_flood` of the kernel).
fn reason(world: &World<'_>, crossing: Crossing, sender: Mac, wanted: Mac, to: End) -> Option<Cause> {
    let Crossing { before, bridge, behind } = crossing;
    let port = |end: End| -> Option<BridgePort> { world.interface(end)?.port };
    let table = |mac: Mac| {
        let here = |entry: &&Fdb| {
            let end = (bridge.0, entry.interface);
            end == bridge || world.interface(end).is_some_and(|it| it.master == Some(bridge.1))
        };
        world.node(bridge.0).fdb.iter().filter(here).filter(move |entry| entry.mac == mac)
    };
    let names = (world.end_name(behind), world.end_name(bridge));
    if let Some(before) = before.filter(|before| {
        port(*before).is_some_and(|port| port.locked) && !table(sender).any(|entry| entry.interface == before.1)
    }) {
        let name = world.end_name(before);
        let words = format!(
            "{name} is a locked port of {}, and the forwarding table has no entry that {sender} is behind it: it takes nothing \
             from there",
            names.1
        );
        return Some(blamed(
            world,
            before,
            "locked",
            words,
            "`bridge link set dev PORT locked off`, or a static entry",
        ));
    }
    let out = port(behind)?;
    // What the bridge itself sends to many goes out by all ports.
    let passed = before.is_some();
    if wanted == EVERYBODY {
        let words = || format!("{} is a port of {} with bcast_flood off: no broadcast leaves by it", names.0, names.1);
        let help = "`bridge link set dev PORT bcast_flood on`";
        return (passed && !out.floods_broadcasts).then(|| blamed(world, behind, "bcast_flood", words(), help));
    }
    if is_group(wanted) {
        let words = || format!("{} is a port of {} with mcast_flood off: no multicast leaves by it", names.0, names.1);
        let help = "`bridge link set dev PORT mcast_flood on`";
        return (passed && !out.floods_groups).then(|| blamed(world, behind, "mcast_flood", words(), help));
    }
    match table(wanted).find(|entry| entry.permanent) {
        Some(entry) if entry.interface != behind.1 => Some(misplaced(world, crossing, entry, to)),
        None if !out.floods && table(wanted).next().is_none() => {
            let words = format!(
                "{} is a port of {} with flood off, and the forwarding table has no entry that {wanted} is behind it",
                names.0, names.1
            );
            Some(blamed(world, behind, "flood", words, "`bridge link set dev PORT flood on`, or learning"))
        }
        _ => None,
    }
}

/// A static entry of a forwarding table that sends frames out by another port.
fn misplaced(world: &World<'_>, crossing: Crossing, entry: &Fdb, to: End) -> Cause {
    let (node, mac) = (crossing.bridge.0, entry.mac.to_string());
    let wrong = world.end_name((node, entry.interface));
    let words = format!(
        "{} has a static entry in its forwarding table that {mac} is at {wrong}; {} is behind {}",
        world.end_name(crossing.bridge),
        world.end_name(to),
        world.end_name(crossing.behind)
    );
    let help = Some("`bridge fdb del` takes the entry away".to_owned());
    let made = blame::done_by(world, node, &["fdb", &mac]).or_else(|| {
        let port = world.interface((node, entry.interface))?;
        blame::done_by(world, node, &["fdb", &port.name])
    });
    match made {
        Some(line) => blame::by(world, node, Cause::at(CauseKind::PortBlocked, words, Some(line), help)),
        None => blame::on_node(world, node, CauseKind::PortBlocked, words, help),
    }
}

/// A cause that a flag of a port is: the command that set it, else the port.
fn blamed(world: &World<'_>, port: End, flag: &str, words: String, help: &str) -> Cause {
    let name = world.interface(port).map_or("", |it| it.name.as_str());
    // In a loop over its ports a script names none of them.
    let made = blame::done_by(world, port.0, &[name, flag]).or_else(|| blame::done_by(world, port.0, &[flag]));
    let help = Some(help.to_owned());
    match made {
        Some(line) => blame::by(world, port.0, Cause::at(CauseKind::PortBlocked, words, Some(line), help)),
        None => blame::of_interface(world, port, CauseKind::PortBlocked, words, help),
    }
}

/// An address in the network of `hop` that a port of a bridge has: what comes in there is the bridge's.
pub(super) fn address_on_port(world: &World<'_>, end: End, hop: IpAddr) -> Option<Cause> {
    let port = world.interface(end)?;
    let bridge = (end.0, port.master?);
    world.interface(bridge).filter(|it| it.kind.as_deref() == Some("bridge"))?;
    let mut own = port.addresses.iter().map(|own| own.cidr);
    let own = own.find(|own| own.contains(hop) && !is_link_local(own.address))?;
    let (name, other) = (world.end_name(end), world.end_name(bridge));
    let words =
        format!("{name} is a port of {other}, which takes all that comes in there: its address {own} hears nothing");
    let help = Some(format!("put the address on {other}"));
    let text = own.to_string();
    match blame::done_by(world, end.0, &[&port.name, "add", &text]) {
        Some(line) => Some(blame::by(world, end.0, Cause::at(CauseKind::NoAddress, words, Some(line), help))),
        None => Some(blame::of_interface(world, end, CauseKind::NoAddress, words, help)),
    }
}
