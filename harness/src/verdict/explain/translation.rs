//! What a cause comes from when the ends of the packet were translated, or were not.

use std::net::IpAddr;

use super::rule_text;
use super::rules;
use super::walk::Step;
use super::world::World;
use crate::evidence::{Blame, Cause, CauseKind, Way};
use crate::plan::{Nat, NatKind};

/// What a cause at a step comes from: a translation to what leads nowhere, or one that is missing.
pub(super) fn meant(world: &World<'_>, steps: &[Step], at: usize, cause: &Cause) -> Cause {
    let step = &steps[at];
    let found = match step.way {
        Way::Answer => way_back(world, steps, at, cause),
        _ => forwarded(world, steps, at, cause).or_else(|| not_forwarded(world, step, cause)),
    };
    found.unwrap_or_else(|| cause.clone())
}

/// The answer does not find back: to a source that nobody has translated, or to one that leads nowhere.
fn way_back(world: &World<'_>, steps: &[Step], at: usize, cause: &Cause) -> Option<Cause> {
    let lost = [CauseKind::NoRoute, CauseKind::NoNeighbour, CauseKind::WrongGateway, CauseKind::NotConnected];
    // What ends below a tunnel is no answer of the probe.
    let elsewhere = cause.kind == CauseKind::NoRoute
        && cause.node.as_deref().is_some_and(|node| node != world.name(steps[at].node));
    if !lost.contains(&cause.kind) || elsewhere {
        return None;
    }
    let to = steps[at].before.to;
    let there = || steps.iter().filter(|step| step.way == Way::Request);
    let translator =
        there().find(|step| step.before.from.is_some_and(|from| from != to) && step.leaving().from == Some(to));
    if let Some(step) = translator {
        let name = world.name(step.node);
        let from = step.before.from?;
        let whose = if world.has(step.node, to) { return None } else { "which is no address of its own" };
        return Some(Cause {
            kind: CauseKind::NatWrong,
            words: format!("{name} translates {from} to {to}, {whose}; {}", cause.words),
            node: Some(name.to_owned()),
            rule: None,
            blame: entry(world, step.node, &SOURCES).or_else(|| cause.blame.clone()),
            help: Some(format!("an address of {name} to which the answers find back")),
        });
    }
    let name = world.name(steps[at].node);
    let translators = there().filter(|step| step.iif.is_some()).map(|step| step.node);
    let mut translators = translators.filter(|node| has_entry(world, *node, &SOURCES));
    if let Some(node) = translators.next() {
        let words = format!("{} did not translate the source {to}, and {}", world.name(node), cause.words);
        let help = Some(format!("{} must be one that {} translates", to, world.name(node)));
        return Some(Cause {
            kind: CauseKind::NatMissing,
            words,
            node: Some(world.name(node).to_owned()),
            rule: None,
            blame: entry(world, node, &SOURCES),
            help,
        });
    }
    if cause.kind != CauseKind::NoRoute {
        return None;
    }
    let help = format!(
        "a route to {to} for {name}, or `nat = [{{ masquerade = {{ .. }} }}]` at a router on the way that it can answer to"
    );
    Some(Cause {
        kind: CauseKind::NoWayBack,
        words: format!("the way back is missing: {name} has no route to {to}, and nobody on the way has translated it"),
        node: Some(name.to_owned()),
        rule: None,
        blame: cause.blame.clone(),
        help: Some(help),
    })
}

/// The target of a forward leads nowhere.
fn forwarded(world: &World<'_>, steps: &[Step], at: usize, cause: &Cause) -> Option<Cause> {
    let to = steps[at].before.to;
    let changes = |step: &&Step| step.before.to != step.leaving().to && step.leaving().to == to;
    let own_port = |step: &Step| step.is_local() && step.before.port != step.leaving().port;
    let step = steps[..=at].iter().rev().filter(|step| step.way == Way::Request).find(changes).or_else(|| {
        let own = &steps[at];
        (own.before.to != own.leaving().to || own_port(own)).then_some(own)
    })?;
    let (before, after) = (step.before, step.leaving());
    let name = world.name(step.node);
    if step.is_local() && cause.kind == CauseKind::NobodyListens {
        return Some(Cause {
            kind: CauseKind::NatWrong,
            words: format!(
                "{name} takes what is for {} to its own port {}, where nobody listens",
                ends(before.to, before.port),
                after.port
            ),
            blame: entry(world, step.node, &TARGETS).or_else(|| cause.blame.clone()),
            ..cause.clone()
        });
    }
    let gone = world.owners(after.to).is_empty()
        && matches!(cause.kind, CauseKind::NoNeighbour | CauseKind::NoRoute | CauseKind::WrongGateway);
    let other = (cause.kind == CauseKind::NobodyListens).then(|| who_listens(world, steps[at].node, &after)).flatten();
    let why = match (gone, other) {
        (true, _) => "which no node of this case has".to_owned(),
        (false, Some(other)) => format!("where nobody listens on {}; {} does", after.port, world.name(other)),
        (false, None) => return None,
    };
    Some(Cause {
        kind: CauseKind::NatWrong,
        words: format!("{name} forwards {} to {}, {why}", ends(before.to, before.port), ends(after.to, after.port)),
        node: Some(name.to_owned()),
        rule: None,
        blame: entry(world, step.node, &TARGETS).or_else(|| cause.blame.clone()),
        help: Some("the address and port of the server behind it".to_owned()),
    })
}

/// What came for a router that forwards other ports, and that it kept for itself.
fn not_forwarded(world: &World<'_>, step: &Step, cause: &Cause) -> Option<Cause> {
    if cause.kind != CauseKind::NobodyListens || !has_entry(world, step.node, &TARGETS) || !step.is_local() {
        return None;
    }
    let name = world.name(step.node);
    let port = step.before.target_port()?;
    Some(Cause {
        kind: CauseKind::NatMissing,
        words: format!(
            "{name} forwards, but no entry took what came for {port}: it kept the packet, and {}",
            cause.words
        ),
        node: Some(name.to_owned()),
        rule: None,
        blame: entry(world, step.node, &TARGETS),
        help: Some(format!("a `forward` of {port}")),
    })
}

/// Another node that listens on the port of a packet.
pub(super) fn who_listens(world: &World<'_>, but: usize, packet: &super::travelling::Travelling) -> Option<usize> {
    let port = packet.target_port()?;
    let listens = |node: usize| {
        let all = &world.node(node).listening;
        all.iter().any(|it| it.transport == port.transport && it.at.port() == port.number && !it.at.ip().is_loopback())
    };
    let mut others = (0..world.evidence().nodes.len()).filter(|node| *node != but && listens(*node));
    let first = others.next()?;
    others.next().is_none().then_some(first)
}

fn ends(address: IpAddr, port: u16) -> String {
    if port == 0 { address.to_string() } else { std::net::SocketAddr::new(address, port).to_string() }
}

/// Words of rules that change the source, and the target.
const SOURCES: [&str; 4] = ["masquerade", "snat", "MASQUERADE", "SNAT"];
const TARGETS: [&str; 4] = ["dnat", "redirect", "DNAT", "REDIRECT"];

fn is_of(nat: &Nat, words: &[&str]) -> bool {
    let source = words.contains(&"snat");
    match nat.kind {
        NatKind::Masquerade { .. } | NatKind::Snat { .. } => source,
        NatKind::Forward(_) => !source,
    }
}

/// Whether a node may give a packet that it has not been seen to pass on another source.
pub(super) fn may_change_source(world: &World<'_>, node: usize, source: Option<IpAddr>) -> bool {
    let declared = world.planned(node).nat.iter().any(|nat| match &nat.kind {
        NatKind::Masquerade { leaving, .. } | NatKind::Snat { leaving, .. } => {
            source.is_none_or(|source| leaving.takes(source))
        }
        NatKind::Forward(_) => false,
    });
    declared || (rules::may_translate(world, node) && rule(world, node, &SOURCES).is_some())
}

fn has_entry(world: &World<'_>, node: usize, words: &[&str]) -> bool {
    world.planned(node).nat.iter().any(|nat| is_of(nat, words))
        || (rules::may_translate(world, node) && rule(world, node, words).is_some())
}

fn rule<'a>(world: &World<'a>, node: usize, words: &[&str]) -> Option<&'a crate::evidence::Rule> {
    let translates = if words.contains(&"snat") { rule_text::translates_source } else { rule_text::translates_target };
    let mut all = world.node(node).rules.iter().filter(|rule| rule.table != "netcase" && translates(rule));
    let first = all.next()?;
    // Of several the one that counts nothing, or the first.
    Some(first)
}

/// The entry of the case, or the rule of its files, that translates.
fn entry(world: &World<'_>, node: usize, words: &[&str]) -> Option<Blame> {
    let mut own = world.planned(node).nat.iter().filter(|nat| is_of(nat, words));
    match own.next() {
        Some(nat) => Some(Blame::Case(nat.span)),
        None => rule(world, node, words).and_then(|rule| rule.place.clone()),
    }
}

/// The entry or rule that changes targets at a node.
pub(super) fn of_target(world: &World<'_>, node: usize) -> Option<Blame> {
    entry(world, node, &TARGETS)
}

/// An answer that the receiver keeps for itself, because it takes the sender's address for one of its own.
pub(super) fn kept(
    world: &World<'_>,
    steps: &[Step],
    step: &Step,
    packet: &super::travelling::Travelling,
) -> Option<Cause> {
    let sender = world.evidence().flow.from;
    let own = step.way == Way::Answer && step.iif.is_none() && step.node != sender;
    if !own || !world.has(sender, packet.to) {
        return None;
    }
    let there = || steps.iter().filter(|it| it.way == Way::Request && it.iif.is_some() && it.node != step.node);
    let translator = there().find(|it| has_entry(world, it.node, &SOURCES)).or_else(|| there().next_back())?;
    let (router, name, source) = (world.name(translator.node), world.name(step.node), packet.to);
    let words = format!(
        "{router} has not translated the source {source}, and {name} keeps what is for that address: it answers for it itself"
    );
    let help = format!("`nat = [{{ masquerade = {{ .. }} }}]` in the table of {router}, about {source}");
    let blame = entry(world, translator.node, &SOURCES)
        .or_else(|| super::blame::of_node(world, translator.node).map(Blame::Case));
    Some(super::blame::by(world, translator.node, Cause::at(CauseKind::NatMissing, words, blame, Some(help))))
}

/// The entry or rule that changes sources at a node.
pub(super) fn of_source(world: &World<'_>, node: usize) -> Option<Blame> {
    entry(world, node, &SOURCES)
}
