//! The path of a packet: what was seen, in order.

use std::net::{IpAddr, SocketAddr};

use super::death::Death;
use super::trails::{Ends, Sight, Trail, Trails};
use super::walk::Step;
use super::world::World;
use crate::evidence::{Act, Cause, CauseKind, Hop, Payload, Way};

/// The hops of a probe, there and back, and how it ended.
pub(super) fn of(
    world: &World<'_>,
    there: Option<&Trail<'_>>,
    back: Option<&Trail<'_>>,
    trails: &Trails<'_>,
    steps: &[Step],
    death: Option<&Death>,
    causes: &[Cause],
) -> Vec<Hop> {
    let mut hops = Vec::new();
    // What a rule has dropped needed nobody's address, whoever else was asked for meanwhile.
    let by_rule = causes.first().is_some_and(|cause| {
        matches!(cause.kind, CauseKind::RuleDropped | CauseKind::PolicyDropped | CauseKind::RuleRejected)
    });
    if let Some(hop) = steps.first().and_then(Step::hop).filter(|_| there.is_none() && !by_rule) {
        hops.extend(asked(world, trails, Some(hop)));
    }
    hops.extend(there.into_iter().flat_map(|trail| seen(world, Way::Request, trail)));
    let answers = back.or(trails.errors.first());
    if let Some(trail) = answers {
        hops.extend(seen(world, Way::Answer, trail));
    }
    // What went behind an answer was not refused by it.
    let begun = |trail: &Trail<'_>| trail.sights.first().map(|sight| sight.frame.time);
    let answered = answers.is_some_and(|answer| there.is_none_or(|there| begun(answer) >= begun(there)));
    hops.extend(death.map(|death| ending(world, steps, death, causes, answered)));
    hops
}

/// The hops of a question on the wire.
pub(super) fn of_questions(world: &World<'_>, trails: &Trails<'_>, about: IpAddr, answered: bool) -> Vec<Hop> {
    let mut hops = asked(world, trails, Some(about));
    // A flood gets to many; the one that answered is the first that says something.
    let first = trails.questions.iter().find(|sight| {
        let says = matches!(&sight.packet.payload, Payload::Neighbour(it) if it.answer && it.about == about);
        says && sight.frame.outgoing
    });
    if let Some(sight) = first.filter(|_| answered) {
        let node = world.name(sight.frame.node);
        let asked = hops.iter().rposition(|hop| hop.node == node && matches!(hop.act, Act::Received { .. }));
        let interface = match asked {
            Some(at) => hops.remove(at).interface,
            None => world.interface((sight.frame.node, sight.frame.interface)).map(|it| it.name.clone()),
        };
        hops.push(Hop { way: Way::Ask, node: node.to_owned(), interface, act: Act::Answered });
    }
    hops
}

/// What a trail shows.
fn seen(world: &World<'_>, way: Way, trail: &Trail<'_>) -> Vec<Hop> {
    let mut hops: Vec<Hop> = Vec::new();
    let mut visit: Option<&Sight<'_>> = None;
    let mut before: Option<&Sight<'_>> = None;
    for sight in &trail.sights {
        let end = (sight.frame.node, sight.frame.interface);
        let Some(interface) = world.interface(end) else { continue };
        let same_node = before.is_some_and(|before| before.frame.node == sight.frame.node);
        let same_way = before.is_some_and(|before| before.frame.outgoing == sight.frame.outgoing);
        let act = match (sight.frame.outgoing, same_node && same_way) {
            // What stands on another interface passes that one, too.
            (_, true) => None,
            (false, false) => {
                visit = Some(sight);
                Some(Act::Received { flow: flow(sight) })
            }
            (true, false) => Some(passed(world, visit.filter(|visit| visit.frame.node == sight.frame.node), sight)),
        };
        before = Some(sight);
        if let Some(act) = act {
            hops.push(Hop { way, node: world.name(end.0).to_owned(), interface: Some(interface.name.clone()), act });
        }
    }
    without_middle(hops)
}

/// How many hops of one way are told: a packet in a loop makes two for each of its 64 lives.
const MOST_HOPS: usize = 24;
/// How many of them are the last ones.
const LAST_HOPS: usize = 8;

/// The first hops and the last ones, and between them how many are left out.
fn without_middle(mut hops: Vec<Hop>) -> Vec<Hop> {
    if hops.len() <= MOST_HOPS + 1 {
        return hops;
    }
    let (first, last) = (MOST_HOPS - LAST_HOPS, hops.len() - LAST_HOPS);
    let gap = Hop { act: Act::LeftOut { hops: last - first }, interface: None, ..hops[first].clone() };
    hops.splice(first..last, [gap]);
    hops
}

/// How a packet left a node: as its own, or as one that it has got.
fn passed(world: &World<'_>, visit: Option<&Sight<'_>>, sight: &Sight<'_>) -> Act {
    let Some(visit) = visit else { return Act::Sent { flow: flow(sight) } };
    let master = |sight: &Sight<'_>| {
        let end = (sight.frame.node, sight.frame.interface);
        world.interface(end).and_then(|it| it.master.map(|master| (end.0, master)))
    };
    if let Some(bridge) = master(visit).filter(|bridge| master(sight) == Some(*bridge)) {
        return Act::Bridged { bridge: world.interface(bridge).map(|it| it.name.clone()).unwrap_or_default() };
    }
    let (from, to) = (flow(visit), flow(sight));
    if from == to { Act::Forwarded } else { Act::Translated { from, to } }
}

/// The ends of a packet in words.
fn flow(sight: &Sight<'_>) -> String {
    let Some(ends) = Ends::of(&sight.packet) else {
        return format!("{} -> {}", sight.packet.from, sight.packet.to);
    };
    let ports = !matches!(sight.packet.payload, Payload::Icmp(_));
    let end = |address: IpAddr, port: u16| {
        if ports { SocketAddr::new(address, port).to_string() } else { address.to_string() }
    };
    format!("{} -> {}", end(ends.from, ends.source_port), end(ends.to, ends.port))
}

/// How it ended.
fn ending(world: &World<'_>, steps: &[Step], death: &Death, causes: &[Cause], answered: bool) -> Hop {
    let step = &steps[death.step];
    let dropped = [
        CauseKind::RuleDropped,
        CauseKind::PolicyDropped,
        CauseKind::RuleRejected,
        CauseKind::ReversePath,
        CauseKind::BridgeNetfilter,
    ];
    let arrived = causes.first().is_none_or(|cause| !dropped.contains(&cause.kind));
    if step.is_local() && !death.on_link && step.way == Way::Request && !answered && arrived {
        // It arrived: it is the answer that there was none of.
        let node = world.name(step.node).to_owned();
        return Hop { way: Way::Answer, node, interface: None, act: Act::Dropped { by: None } };
    }
    let rejected = causes.first().filter(|cause| cause.kind == CauseKind::RuleRejected);
    let node = if death.on_link { death.node } else { step.node };
    let act = match rejected {
        Some(_) => Act::Rejected { how: "by a rule".to_owned() },
        None if answered && step.way == Way::Request => Act::Rejected { how: "with an error".to_owned() },
        None => Act::Dropped { by: None },
    };
    Hop { way: step.way, node: world.name(node).to_owned(), interface: None, act }
}

/// Who asked for whom.
fn asked(world: &World<'_>, trails: &Trails<'_>, about: Option<IpAddr>) -> Vec<Hop> {
    let mut hops: Vec<Hop> = Vec::new();
    for sight in &trails.questions {
        let Payload::Neighbour(question) = &sight.packet.payload else { continue };
        let wanted = about.is_none_or(|about| question.about == about);
        let mine = about.is_some() || world.has(world.evidence().flow.from, sight.packet.from);
        // Who has no address yet asks whether anybody has the one that it would like.
        if !wanted || !mine || question.answer || sight.packet.from.is_unspecified() {
            continue;
        }
        let end = (sight.frame.node, sight.frame.interface);
        let Some(interface) = world.interface(end).filter(|it| it.master.is_none()) else { continue };
        let flow = format!("who has {}", question.about);
        let act = if sight.frame.outgoing {
            Act::Asked { about: question.about.to_string() }
        } else {
            Act::Received { flow }
        };
        let hop =
            Hop { way: Way::Ask, node: world.name(end.0).to_owned(), interface: Some(interface.name.clone()), act };
        if !hops.contains(&hop) && hops.len() < MOST_HOPS {
            hops.push(hop);
        }
    }
    hops
}
