//! The path of a packet: what was seen, in order.

use std::net::{IpAddr, SocketAddr};

use super::blame;
use super::death::Death;
use super::refusal::planned_routes;
use super::trails::{Ends, Sight, Trail, Trails};
use super::walk::Step;
use super::world::World;
use crate::evidence::{Act, Cause, CauseKind, Hop, Icmp, Payload, Way};
use crate::plan::Check;

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
        if hops.len() >= MOST_HOPS {
            break;
        }
    }
    hops
}

/// How many hops of one way are told: a packet in a loop makes two for each of its 64 lives.
const MOST_HOPS: usize = 24;

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

/// Whether the time to live ran out, and between which nodes the packet went round.
pub(super) fn ran_out(world: &World<'_>, steps: &[Step], trails: &Trails<'_>) -> Option<Cause> {
    let is_expired = |sight: &&Sight<'_>| matches!(sight.packet.payload, Payload::Icmp(Icmp::Error { kind, code: 0, .. }) if kind == if sight.packet.to.is_ipv6() { 3 } else { 11 });
    let trail = trails.there.first()?;
    let last = trail.last()?;
    let at_end = !last.frame.outgoing
        && last.packet.ttl <= 1
        && !steps.iter().any(|step| step.is_local() && step.node == last.frame.node);
    let expired = trails.errors.iter().flat_map(|trail| &trail.sights).find(is_expired);
    if !at_end && expired.is_none() {
        return None;
    }
    // Who says so knows best where it was; the packet may not have been seen there.
    let owner = expired.and_then(|expired| world.owners(expired.packet.from).first().map(|owner| owner.0));
    let end = world.name(owner.filter(|_| !at_end).unwrap_or(last.frame.node));
    let mut nodes: Vec<usize> =
        trail.sights.iter().filter(|sight| !sight.frame.outgoing).map(|sight| sight.frame.node).collect();
    nodes.retain(|node| steps.iter().any(|step| step.node == *node && step.iif.is_some()));
    nodes.dedup();
    let to = last.packet.to;
    let again =
        nodes.iter().enumerate().find_map(|(at, node)| Some((nodes[..at].iter().position(|it| it == node)?, at)));
    let Some((first, second)) = again else {
        if let Some(cause) = lowered(world, trail, end) {
            return Some(cause);
        }
        let ttl = trail.sights.first().map_or(0, |sight| sight.packet.ttl);
        let words = format!("the time to live of {ttl} ran out at {end}, before the packet was there");
        return Some(match world.matter.check {
            Check::Ping(_) => {
                blame::at(CauseKind::TtlExpired, words, world.matter.span, Some("a larger `ttl`".to_owned()))
            }
            _ => Cause { kind: CauseKind::TtlExpired, words, node: None, rule: None, blame: None, help: None },
        });
    };
    let round: Vec<&str> = nodes[first..second].iter().map(|node| world.name(*node)).collect();
    // Who sent it back to where it had been already.
    let culprit = nodes[second - 1];
    let words = format!(
        "the time to live ran out: {} send what is for {to} round in a loop ({} -> {})",
        crate::verdict::words::all_of(&round),
        round.join(" -> "),
        round[0]
    );
    let help = Some(format!("{} must send what is for {to} on, and not back", world.name(culprit)));
    let route = planned_routes(world, culprit, to).first().copied();
    Some(match (route, blame::script_of(world, culprit)) {
        (Some(route), _) => blame::at(CauseKind::TtlExpired, words, route.span, help),
        (None, Some(span)) => blame::at(CauseKind::TtlExpired, words, span, help),
        (None, None) => blame::on_node(world, culprit, CauseKind::TtlExpired, words, help),
    })
}

/// Whether somebody on the way has made the time to live shorter than by one. Between two nodes there may be others that
/// were not seen, each of which takes one.
fn lowered(world: &World<'_>, trail: &Trail<'_>, end: &str) -> Option<Cause> {
    let mut pairs = trail.sights.windows(2).filter(|pair| pair[0].frame.node == pair[1].frame.node);
    let pair = pairs.find(|pair| pair[0].packet.ttl > pair[1].packet.ttl.saturating_add(1))?;
    let (node, before, after) = (pair[1].frame.node, pair[0].packet.ttl, pair[1].packet.ttl);
    let name = world.name(node);
    let words = format!("{name} lowered the time to live from {before} to {after}, and it ran out at {end}");
    Some(blame::on_node(world, node, CauseKind::TtlExpired, words, None))
}

/// Whether the time to live of an answer ran out.
pub(super) fn answer_ran_out(world: &World<'_>, trails: &Trails<'_>) -> Option<Cause> {
    let trail = trails.back.first()?;
    let (first, last) = (trail.sights.first()?, trail.last()?);
    if last.frame.outgoing || last.packet.ttl > 1 || last.frame.node == world.evidence().flow.from {
        return None;
    }
    let (node, at) = (first.frame.node, world.name(last.frame.node));
    let name = world.name(node);
    let words = format!("the time to live of the answer ran out at {at}: {name} sends with {}", first.packet.ttl);
    let key = "ipv4/ip_default_ttl".to_owned();
    let help = Some("64 is usual (net.ipv4.ip_default_ttl)".to_owned());
    Some(blame::of_setting(world, node, &[key], CauseKind::TtlExpired, words, help))
}
