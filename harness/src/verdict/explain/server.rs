//! An answer from another server than the one that was meant.

use super::blame;
use super::forward;
use super::seen_source;
use super::translator::{self, Side};
use super::travelling::Travelling;
use super::walk::Step;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Way};
use crate::plan::{Check, Landing, Service, ServiceKind};
use crate::words::{Outcome, Port};

/// The answer came from another node than the one that was meant.
pub(super) fn other(world: &World<'_>, steps: &[Step], end: &Step) -> Option<Cause> {
    let transfer = world.matter.check.transfer()?;
    let plan = world.plan();
    let port = end.before.target_port()?;
    let landing: Landing =
        crate::plan::landing(&plan.nodes, &transfer.to, Some(Port { number: transfer.port, ..port }));
    let meant = landing.owner?.node;
    let goes = |packet: Travelling| (packet.to, packet.port);
    let translated = |step: &&Step| step.way == Way::Request && goes(step.before) != goes(step.leaving());
    let translated = steps.iter().find(translated);
    if meant == end.node && translated.is_none() {
        return None;
    }
    if let Some(step) = translated {
        return behind(world, step, end, meant);
    }
    if seen_source::is_wrong(world) {
        return None;
    }
    let (there, wanted) = (world.name(end.node), world.name(meant));
    let words = format!("it was {there} that answered, not {wanted}: both have {}", end.before.to);
    let iface = world.owners(end.before.to).into_iter().find(|owner| owner.0 == end.node)?;
    Some(blame::of_interface(world, iface, CauseKind::WrongServer, words, None))
}

/// The target was translated on the way.
fn behind(world: &World<'_>, step: &Step, end: &Step, meant: usize) -> Option<Cause> {
    let (there, name) = (world.name(end.node), world.name(step.node));
    let acted = translator::acted(world, step.node, Side::Target, &translator::ends_at(step));
    let said = |kind, words, help: &str| {
        Some(translator::by(world, step.node, acted, Cause::at(kind, words, None, Some(help.to_owned()))))
    };
    if step.node == end.node && meant != end.node {
        let words = format!(
            "it was {there} that answered, not {}: it takes what is for {} to its own port {}",
            world.name(meant),
            std::net::SocketAddr::new(step.before.to, step.before.port),
            step.leaving().port
        );
        return said(CauseKind::WrongServer, words, "let pass what is for the server that is meant");
    }
    if seen_source::is_wrong(world) || step.node == end.node {
        return None;
    }
    let (before, after) = (step.before, step.leaving());
    if !wants_answer(world) {
        let words = format!("it was {there} that answered: {name} forwards {} to {}", before.to, after.to);
        let to = std::net::SocketAddr::new(before.to, before.port);
        // Only where the translator itself is the one to refuse it is certain that it should not be translated.
        let by = world.matter.check.transfer().and_then(|transfer| transfer.by.as_ref());
        let stays = by.is_some_and(|by| by.addresses.iter().any(|it| world.has(step.node, *it)));
        let stays = stays && !is_open(world, step.node, &before);
        return if stays { said(CauseKind::WrongServer, words, &format!("leave {to} to {name}")) } else { None };
    }
    // Who was asked by its own address, and is not the one that answered, was meant.
    let asked = meant != step.node && meant != end.node && world.has(meant, before.to);
    let reached = service(world, end.node, after.port);
    let right = match reached {
        Some(service) if answers(world, service) != Some(false) => None,
        _ => right_one(world),
    };
    match right {
        Some(right) if right.node == end.node => {
            let port = right.kind.port()?;
            let words = format!(
                "{name} forwards {} to port {} of {there}, and the answer that is expected is that of {port}",
                before.to, after.port
            );
            said(CauseKind::NatWrong, words, "the port of the server that is meant")
        }
        _ if asked || right.is_some() || unknown_other(world, end, reached) => {
            let words = format!("it was {there} that answered: {name} forwards {} to {}", before.to, after.to);
            let not =
                right.map(|right| format!(", and the answer that is expected is that of {}", world.name(right.node)));
            said(CauseKind::WrongServer, words + &not.unwrap_or_default(), "the address of the server that is meant")
        }
        _ => None,
    }
}

/// Whether anything but a refusal, or silence, is expected.
fn wants_answer(world: &World<'_>) -> bool {
    let answer = |word: &Outcome| matches!(word, Outcome::Open | Outcome::Delivered);
    world.matter.check.transfer().is_none_or(|transfer| transfer.outcome.iter().any(answer))
}

/// Whether a node itself listens on the port of a packet.
fn is_open(world: &World<'_>, node: usize, packet: &Travelling) -> bool {
    let Some(port) = packet.target_port() else { return false };
    world.node(node).listening.iter().any(|it| it.transport == port.transport && it.at.port() == port.number)
}

/// Whether one other node alone listens there, where what either answers is not known.
fn unknown_other(world: &World<'_>, end: &Step, reached: Option<&Service>) -> bool {
    let other = if let [only] = *forward::who_listens(world, end.node, &end.before) { Some(only) } else { None };
    let theirs = other.and_then(|node| service(world, node, end.before.port));
    let known = |service: Option<&Service>| service.and_then(|service| answers(world, service));
    other.is_some() && known(reached) != Some(true) && known(theirs) != Some(false)
}

fn service<'a>(world: &World<'a>, node: usize, port: u16) -> Option<&'a Service> {
    let is_it = |it: &&Service| it.node == node && it.kind.port().is_some_and(|own| own.number == port);
    world.plan().services.iter().find(is_it)
}

/// The only service of the case that gives the expected answer.
fn right_one<'a>(world: &World<'a>) -> Option<&'a Service> {
    let mut right = world.plan().services.iter().filter(|it| answers(world, it) == Some(true));
    right.next().filter(|_| right.next().is_none())
}

/// Whether a service gives the answer that is expected, where that is known of it.
fn answers(world: &World<'_>, service: &Service) -> Option<bool> {
    match (world.matter.check, &service.kind) {
        (Check::Http(http), ServiceKind::Http { status, headers, body, .. }) => {
            Some(crate::verdict::judge::is_as_expected(http, *status, headers, body))
        }
        (Check::Http(_), ServiceKind::Echo { .. } | ServiceKind::Dns { .. }) => Some(false),
        _ => None,
    }
}
