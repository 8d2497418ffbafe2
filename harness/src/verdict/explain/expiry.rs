//! A time to live that ran out: too small a one, one that somebody lowered, and loops.

use super::blame;
use super::doings;
use super::refusal::planned_routes;
use super::trails::{Ends, Sight, Trail, Trails};
use super::travelling::Travelling;
use super::walk::{self, Step};
use super::world::{End, World};
use crate::evidence::{Cause, CauseKind, Icmp, Payload, Protocol, Rule, Way};
use crate::plan::Check;
use crate::verdict::words::all_of;

/// Whether the time to live ran out, and between which nodes the packet went round.
pub(super) fn ran_out(world: &World<'_>, steps: &[Step], trails: &Trails<'_>) -> Option<Cause> {
    let is_expired = |sight: &&Sight<'_>| matches!(sight.packet.payload, Payload::Icmp(Icmp::Error { kind, code: 0, .. }) if kind == if sight.packet.to.is_ipv6() { 3 } else { 11 });
    let trail = trails.there.first()?;
    let last = trail.last()?;
    let at_end = ended_at(steps, trail).is_some();
    let expired = trails.errors.iter().flat_map(|trail| &trail.sights).find(is_expired);
    if !at_end && expired.is_none() {
        return None;
    }
    // Who says so knows best where it was; the packet may not have been seen there.
    let owner = expired.and_then(|expired| world.owners(expired.packet.from).first().map(|owner| owner.0));
    let node = owner.filter(|_| !at_end).unwrap_or(last.frame.node);
    let end = world.name(node);
    let set_there = || steps.iter().find(|step| step.way == Way::Request && step.node == node);
    round(world, steps, Way::Request, trail)
        .or_else(|| lowered(world, trail, end))
        .or_else(|| ended_by_rule(world, set_there()?))
        .or_else(|| Some(too_small(world, trail, end)))
}

/// The node in which the time to live of a packet must have run out.
fn ended_at(steps: &[Step], trail: &Trail<'_>) -> Option<usize> {
    let last = trail.last()?;
    let (node, ttl) = (last.frame.node, last.packet.ttl);
    let arrived = steps.iter().any(|step| step.is_local() && step.node == node);
    (!last.frame.outgoing && ttl <= 1 && !arrived).then_some(node)
}

/// Why the sender did not hear of it: what became of the error that the node should have sent, or did.
pub(super) fn error_lost<'a>(world: &World<'a>, steps: &[Step], trails: &Trails<'a>) -> Vec<Cause> {
    let node = trails.there.first().and_then(|trail| ended_at(steps, trail));
    let Some((node, source)) = node.zip(world.evidence().flow.source) else { return Vec::new() };
    let error = Travelling { protocol: Protocol::Icmp, ..Travelling::question(source) };
    let name = world.name(node);
    let told =
        |cause: Cause| Cause { words: format!("the ICMP error of {name} did not come back: {}", cause.words), ..cause };
    walk::carried(world, node, error, trails.errors.first()).into_iter().map(told).collect()
}

/// What a kernel gives packets, where nobody says otherwise.
const USUAL_TTL: u8 = 64;

/// The settings that say with which time to live a node sends: for IPv6 each interface has its own (`ip6_dst_hoplimit`).
fn default_keys(world: &World<'_>, end: End, v6: bool) -> Vec<String> {
    if !v6 {
        return vec!["ipv4/ip_default_ttl".to_owned()];
    }
    let own = world.interface(end).map(|it| format!("ipv6/conf/{}/hop_limit", it.name));
    own.into_iter().chain(["ipv6/conf/all/hop_limit".to_owned()]).collect()
}

fn too_small(world: &World<'_>, trail: &Trail<'_>, end: &str) -> Cause {
    let ttl = trail.sights.first().map_or(0, |sight| sight.packet.ttl);
    let words = format!("the time to live of {ttl} ran out at {end}, before the packet was there");
    let sets = matches!(world.matter.check, Check::Ping(ping) if ping.ttl.is_some());
    let (node, v6) = (world.evidence().flow.from, world.evidence().flow.to.is_ipv6());
    let keys = default_keys(world, (node, trail.sights.first().map_or(0, |sight| sight.frame.interface)), v6);
    if let Some(key) = keys.iter().find(|key| !sets && world.setting(node, key) == i64::from(ttl)) {
        let help = format!("{USUAL_TTL} is usual (net.{})", key.replace('/', "."));
        return blame::of_setting(world, node, std::slice::from_ref(key), CauseKind::TtlExpired, words, Some(help));
    }
    match world.matter.check {
        Check::Ping(_) => blame::at(CauseKind::TtlExpired, words, world.matter.span, Some("a larger `ttl`".to_owned())),
        _ => Cause { kind: CauseKind::TtlExpired, words, node: None, rule: None, blame: None, help: None },
    }
}

/// The nodes that send a packet round.
fn round(world: &World<'_>, steps: &[Step], way: Way, trail: &Trail<'_>) -> Option<Cause> {
    let to = trail.last()?.packet.to;
    // Bridges pass on what they take no part in.
    let takes = |node: usize| steps.iter().any(|step| step.node == node && step.iif.is_some());
    let came = trail.sights.iter().filter(|sight| !sight.frame.outgoing).map(|sight| sight.frame.node);
    let origin = trail.sights.first().filter(|sight| sight.frame.outgoing).map(|sight| sight.frame.node);
    let mut nodes: Vec<usize> =
        origin.into_iter().chain(came.filter(|node| takes(*node) || Some(*node) == origin)).collect();
    nodes.dedup();
    let again =
        nodes.iter().enumerate().find_map(|(at, node)| Some((nodes[..at].iter().position(|it| it == node)?, at)));
    let (first, second) = again?;
    let round: Vec<&str> = nodes[first..second].iter().map(|node| world.name(*node)).collect();
    // Who sent it back to where it had been already.
    let culprit = nodes[second - 1];
    let what = if way == Way::Answer { "the time to live of the answer" } else { "the time to live" };
    let words = format!(
        "{what} ran out: {} send what is for {to} round in a loop ({} -> {})",
        all_of(&round),
        round.join(" -> "),
        round[0]
    );
    let help = Some(format!("{} must send what is for {to} on, and not back", world.name(culprit)));
    let hop = steps.iter().find(|step| step.way == way && step.node == culprit).and_then(Step::hop);
    let routes = planned_routes(world, culprit, to);
    let route = routes.iter().find(|route| hop.is_none() || route.via == hop).or(routes.first());
    let done = || blame::done_by(world, culprit, &["via", &hop?.to_string()]);
    Some(match (route, blame::script_of(world, culprit)) {
        (Some(route), _) => blame::at(CauseKind::TtlExpired, words, route.span, help),
        (None, script) => match (done(), script) {
            (Some(line), _) => Cause::at(CauseKind::TtlExpired, words, Some(line), help),
            (None, Some(span)) => blame::at(CauseKind::TtlExpired, words, span, help),
            (None, None) => blame::on_node(world, culprit, CauseKind::TtlExpired, words, help),
        },
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
    let ends: Vec<Ends> = trail.sights.iter().filter_map(|sight| Ends::of(&sight.packet)).collect();
    Some(match doings::set_ttl(world, node, &ends) {
        Some(rule) => by_rule(world, node, words, rule),
        None => blame::on_node(world, node, CauseKind::TtlExpired, words, None),
    })
}

/// A rule has set the time to live.
fn by_rule(world: &World<'_>, node: usize, words: String, rule: &Rule) -> Cause {
    let Rule { family, table, chain, text, .. } = rule;
    Cause {
        kind: CauseKind::TtlExpired,
        words: format!("{words}: a rule of chain `{chain}` ({family} {table}) sets it: {text}"),
        node: Some(world.name(node).to_owned()),
        rule: Some(text.clone()),
        blame: rule.place.clone(),
        help: Some("make the rule narrower, or have it set a larger one".to_owned()),
    }
}

/// A rule of the node where a packet ended has set its time to live, so that the node could not send it on.
pub(super) fn ended_by_rule(world: &World<'_>, step: &Step) -> Option<Cause> {
    if step.is_local() || step.iif.is_none() {
        return None;
    }
    let rule = doings::set_ttl(world, step.node, &step.ends())?;
    let what = if step.way == Way::Answer { "the answer" } else { "the packet" };
    let words = format!("the time to live of {what} ran out at {}", world.name(step.node));
    Some(by_rule(world, step.node, words, rule))
}

/// Whether the time to live of an answer ran out.
pub(super) fn answer_ran_out(world: &World<'_>, steps: &[Step], trails: &Trails<'_>) -> Option<Cause> {
    let trail = trails.back.first()?;
    let (first, last) = (trail.sights.first()?, trail.last()?);
    if last.frame.outgoing || last.packet.ttl > 1 || last.frame.node == world.evidence().flow.from {
        return None;
    }
    if let Some(cause) = round(world, steps, Way::Answer, trail) {
        return Some(cause);
    }
    let (node, at) = (first.frame.node, world.name(last.frame.node));
    let name = world.name(node);
    let words = format!("the time to live of the answer ran out at {at}: {name} sends with {}", first.packet.ttl);
    let keys = default_keys(world, (node, first.frame.interface), first.packet.to.is_ipv6());
    let own = keys.iter().find(|key| world.setting(node, key) == i64::from(first.packet.ttl));
    let key = own.or(keys.first())?.clone();
    let help = Some(format!("{USUAL_TTL} is usual (net.{})", key.replace('/', ".")));
    Some(blame::of_setting(world, node, &[key], CauseKind::TtlExpired, words, help))
}
