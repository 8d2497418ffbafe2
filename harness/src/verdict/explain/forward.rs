//! A packet whose target was translated to what leads nowhere, or should have been translated and was not.

use std::net::{IpAddr, SocketAddr};

use super::conditions::Miss;
use super::exemption;
use super::translator::{self, Side, Translator};
use super::travelling::Travelling;
use super::walk::Step;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Way};
use crate::plan::{Check, ServiceKind};
use crate::words::Port;

/// The target of a forward leads nowhere.
pub(super) fn wrong(world: &World<'_>, steps: &[Step], at: usize, cause: &Cause) -> Option<Cause> {
    let end = |packet: Travelling| (packet.to, packet.target_port());
    let here = end(steps[at].before);
    let changes = |step: &&Step| end(step.before) != end(step.leaving()) && end(step.leaving()) == here;
    let own_port = |step: &Step| step.is_local() && step.before.port != step.leaving().port;
    let step = steps[..=at].iter().rev().filter(|step| step.way == Way::Request).find(changes).or_else(|| {
        let own = &steps[at];
        (own.before.to != own.leaving().to || own_port(own)).then_some(own)
    })?;
    let (before, after) = (step.before, step.leaving());
    let name = world.name(step.node);
    let nobody = cause.kind == CauseKind::NobodyListens;
    // A service that is declared there and does not listen is what is missing.
    if nobody && is_declared(world, steps[at].node, after.target_port()?) {
        return None;
    }
    let acted = translator::acted(world, step.node, Side::Target, &translator::ends_at(step));
    if step.is_local() && nobody {
        let words = format!(
            "{name} takes what is for {} to its own port {}, where nobody listens",
            ends(before.to, before.port),
            after.port
        );
        return Some(translator::by(
            world,
            step.node,
            acted,
            Cause { kind: CauseKind::NatWrong, words, ..cause.clone() },
        ));
    }
    let gone = world.owners(after.to).is_empty()
        && matches!(cause.kind, CauseKind::NoNeighbour | CauseKind::NoRoute | CauseKind::WrongGateway);
    let server = steps[at].node;
    let others = if nobody { who_listens(world, server, &after) } else { Vec::new() };
    let own = if nobody { listens(world, server, &after) } else { Vec::new() };
    let why = match (gone, &others[..], &own[..]) {
        (true, ..) => "which no node of this case has".to_owned(),
        (false, [other], _) => format!("where nobody listens on {}; {} does", after.port, world.name(*other)),
        // Who listens to nothing is no server.
        (false, [_, _, ..], []) => {
            let others: Vec<&str> = others.iter().map(|node| world.name(*node)).collect();
            format!("where nobody listens on {}; {} do", after.port, crate::verdict::words::all_of(&others))
        }
        (false, [], []) => return None,
        (false, _, own) => {
            let own = crate::verdict::words::all_of(own);
            format!("where nobody listens on {}; {} listens on {own}", after.port, world.name(server))
        }
    };
    let words = format!("{name} forwards {} to {}, {why}", ends(before.to, before.port), ends(after.to, after.port));
    let help = Some("the address and port of the server behind it".to_owned());
    Some(translator::by(world, step.node, acted, Cause::at(CauseKind::NatWrong, words, None, help)))
}

/// What came for a router that forwards other packets, and that it kept for itself.
pub(super) fn missing(world: &World<'_>, step: &Step, cause: &Cause) -> Option<Cause> {
    let port = step.before.target_port()?;
    let translated = step.before.ends() != step.leaving().ends();
    if cause.kind != CauseKind::NobodyListens || !step.is_local() || translated {
        return None;
    }
    let all = translator::all(world, step.node, Side::Target, step.before.to.is_ipv6());
    let name = world.name(step.node);
    if let Some(exemption) = exemption::of(world, step, Side::Target) {
        let words = format!("{name} did not forward what came for {port}: {}", exemption.words());
        return Some(exemption.cause(world, step.node, format!("{words}; {}", cause.words)));
    }
    // It is the router's own service that is meant where it has one like that.
    let own = world.plan().services.iter().any(|it| it.node == step.node && suits(world, &it.kind, port));
    if own || is_declared(world, step.node, port) {
        return None;
    }
    let near = near(world, step, &all);
    let first = *near.first()?;
    let meant = meant(world, step, &near, port);
    let which = match first {
        Translator::Entry(_) => "entry",
        Translator::Rule(_) => "rule",
    };
    let why = meant.and_then(|it| why(world, step, it)).map_or_else(String::new, |why| format!("{why}, so that "));
    let words = format!(
        "{name} forwards, but no {which} took what came for {port}: {why}it kept the packet, and {}",
        cause.words
    );
    let help = match meant.unwrap_or(first) {
        Translator::Entry(_) => format!("a `forward` of {port} in the table of {name}"),
        Translator::Rule(rule) => {
            format!("a rule in chain `{}` ({} {}) that gives {port} its target", rule.chain, rule.family, rule.table)
        }
    };
    Some(translator::by(world, step.node, meant, Cause::at(CauseKind::NatMissing, words, None, Some(help))))
}

/// Why the one that is meant has not taken a packet, in words.
fn why(world: &World<'_>, step: &Step, meant: Translator<'_>) -> Option<String> {
    let fit = meant.fit(world, &translator::passage(world, step, Side::Target)?);
    let what = match fit.misses.first()? {
        Miss::Port => "is for another port",
        Miss::Protocol => "is for another protocol",
        Miss::Target => "is for another address",
        Miss::Source => "is for other sources",
        Miss::In => "is for what comes in by another interface",
        Miss::Family | Miss::Out => return None,
    };
    Some(format!("its {} {what}", meant.name()))
}

/// Those of which one thing alone speaks against their being about a packet.
fn near<'a>(world: &World<'a>, step: &Step, all: &[Translator<'a>]) -> Vec<Translator<'a>> {
    let Some(passage) = translator::passage(world, step, Side::Target) else { return Vec::new() };
    all.iter().filter(|it| it.fit(world, &passage).misses.len() <= 1).copied().collect()
}

/// The one of these that is meant for a packet which none of them has taken: the only one, or the only one that leads to
/// somebody who listens, or of these the only one of its port, or to it.
fn meant<'a>(world: &World<'a>, step: &Step, near: &[Translator<'a>], port: Port) -> Option<Translator<'a>> {
    let only = |found: Vec<&Translator<'a>>| if let [only] = *found { Some(*only) } else { None };
    let live: Vec<Translator<'a>> = near.iter().filter(|it| lives(world, **it, port)).copied().collect();
    let passage = translator::passage(world, step, Side::Target)?;
    let of_port = |it: &&Translator<'a>| !it.fit(world, &passage).misses.contains(&Miss::Port);
    let ends_there = |it: &&Translator<'a>| it.gives().is_some_and(|(_, own)| own == Some(port.number));
    only(near.iter().collect())
        .or_else(|| only(live.iter().collect()))
        .or_else(|| only(live.iter().filter(of_port).collect()))
        .or_else(|| only(live.iter().filter(ends_there).collect()))
}

/// Whether somebody listens where a translator sends packets who may be meant by the check.
fn lives(world: &World<'_>, translator: Translator<'_>, port: Port) -> bool {
    let Some((to, number)) = translator.gives() else { return true };
    let port = Port { number: number.unwrap_or(port.number), ..port };
    let listens = |node: usize| {
        let mut services = world.plan().services.iter().filter(|it| it.node == node && it.kind.takes(port));
        let unsuited = services.any(|it| !suits(world, &it.kind, port));
        let all = &world.node(node).listening;
        !unsuited && all.iter().any(|it| it.transport == port.transport && it.at.port() == port.number)
    };
    world.owners(to).into_iter().any(|owner| listens(owner.0))
}

/// Whether a service of the plan should listen on a port of a node.
fn is_declared(world: &World<'_>, node: usize, port: Port) -> bool {
    world.plan().services.iter().any(|it| it.node == node && it.kind.takes(port))
}

/// Whether a service could be the one that a check is about, if only its port were another one.
fn suits(world: &World<'_>, service: &ServiceKind, port: Port) -> bool {
    let of_check = match (world.matter.check, service) {
        (_, ServiceKind::Command { .. }) => true,
        (Check::Http(_), kind) => matches!(kind, ServiceKind::Http { .. }),
        (Check::Dns(_), kind) => matches!(kind, ServiceKind::Dns { .. }),
        _ => true,
    };
    of_check && service.port().is_none_or(|own| own.transport == port.transport)
}

/// The ports on which a server listens that might have been meant instead of one that nobody has.
fn listens(world: &World<'_>, node: usize, packet: &Travelling) -> Vec<String> {
    let Some(port) = packet.target_port() else { return Vec::new() };
    let of_plan = |own: Port| world.plan().services.iter().find(|it| it.node == node && it.kind.takes(own));
    let all = world.node(node).listening.iter();
    let all = all.filter(|it| it.transport == port.transport && !it.at.ip().is_loopback());
    let all = all.map(|it| Port { number: it.at.port(), transport: it.transport });
    let mut all: Vec<Port> = all.filter(|own| of_plan(*own).is_none_or(|it| suits(world, &it.kind, port))).collect();
    all.sort_by_key(|own| own.number);
    all.dedup();
    all.iter().map(ToString::to_string).collect()
}

/// The other nodes that listen on the port of a packet; who has sent it means none of its own.
pub(super) fn who_listens(world: &World<'_>, but: usize, packet: &Travelling) -> Vec<usize> {
    let Some(port) = packet.target_port() else { return Vec::new() };
    let listens = |node: &usize| {
        let all = &world.node(*node).listening;
        all.iter().any(|it| it.transport == port.transport && it.at.port() == port.number && !it.at.ip().is_loopback())
    };
    let sender = world.evidence().flow.from;
    (0..world.evidence().nodes.len()).filter(|node| ![but, sender].contains(node)).filter(listens).collect()
}

fn ends(address: IpAddr, port: u16) -> String {
    if port == 0 { address.to_string() } else { SocketAddr::new(address, port).to_string() }
}
