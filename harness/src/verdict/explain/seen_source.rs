//! The source that a server saw, where it is another one than expected.

use std::net::IpAddr;

use super::translator::{self, Side, Translator};
use super::walk::Step;
use super::way_back;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Way};
use crate::observation::Observation;
use crate::plan::NatKind;

/// Whether it is the source that is wrong which the server saw.
pub(super) fn is_wrong(world: &World<'_>) -> bool {
    let Some(expected) = world.matter.check.transfer().and_then(|transfer| transfer.seen_from.as_ref()) else {
        return false;
    };
    seen(world).is_none_or(|seen| !expected.addresses.contains(&seen))
}

/// The addresses that the server is to see, where the case says so.
pub(super) fn wanted<'a>(world: &World<'a>) -> Option<&'a [IpAddr]> {
    world.matter.check.transfer()?.seen_from.as_ref().map(|expected| &*expected.addresses)
}

fn seen(world: &World<'_>) -> Option<IpAddr> {
    match world.matter.observation {
        Some(Observation::Http(answer)) => answer.seen_from,
        Some(Observation::Traffic(traffic)) => traffic.seen_from,
        _ => None,
    }
}

/// What has given it that source, or should have given it the expected one.
pub(super) fn cause(world: &World<'_>, steps: &[Step]) -> Option<Cause> {
    if !is_wrong(world) {
        return None;
    }
    let expected = world.matter.check.transfer()?.seen_from.as_ref()?;
    let seen = seen(world)?;
    let there = || steps.iter().filter(|step| step.way == Way::Request);
    let server = there().find(|step| step.is_local())?;
    let whom = Whom { server: world.name(server.node), seen, expected: &expected.addresses, words: &expected.words };
    let changed = |step: &&Step| step.before.from.is_some_and(|from| Some(from) != step.leaving().from);
    if let Some(step) = there().rfind(changed) {
        return (step.leaving().from == Some(seen)).then(|| given(world, step, &whom))?;
    }
    // What the sender itself has chosen nobody has translated.
    let first = there().next()?;
    if first.before.from != Some(seen) {
        return None;
    }
    should_be_given(world, there().filter(|step| step.iif.is_some() && !step.is_local()), &whom)
}

/// Whom a server saw, and whom it should have seen.
struct Whom<'a> {
    server: &'a str,
    seen: IpAddr,
    expected: &'a [IpAddr],
    words: &'a str,
}

/// A translation to another source than the expected one.
fn given(world: &World<'_>, step: &Step, whom: &Whom<'_>) -> Option<Cause> {
    let (name, from) = (world.name(step.node), step.before.from?);
    let Whom { server, seen, expected, words } = whom;
    let acted = translator::acted(world, step.node, Side::Source, &translator::ends_at(step));
    let sender = world.evidence().flow.from;
    let by = acted.map_or_else(String::new, |it| format!(" by its {}", it.name()));
    let to = step.leaving().to;
    let hairpin = matches!(acted, Some(Translator::Entry(nat)) if matches!(nat.kind, NatKind::Forward(_)));
    let help = if hairpin {
        format!("what leaves by where it has come in gets an address of {name}, so that it is asked for the answer")
    } else if expected.iter().any(|address| world.has(sender, *address)) {
        let what = acted.map_or_else(|| format!("what {name} translates"), |it| format!("its {}", it.name()));
        format!("{what} must not be about what goes from {from} to {to}")
    } else {
        format!("another source for {from} at {name}, one that is {words}")
    };
    let words = format!("{name} translates the source {from} to {seen}{by}, and {server} was to see {words}");
    Some(translator::by(world, step.node, acted, Cause::at(CauseKind::NatWrong, words, None, Some(help))))
}

/// A translation that is missing: where the expected source is an address of a router on the way, or one that it gives.
fn should_be_given<'s>(world: &World<'_>, routers: impl Iterator<Item = &'s Step>, whom: &Whom<'_>) -> Option<Cause> {
    let gives = |node: usize, address: &IpAddr| {
        let all = translator::all(world, node, Side::Source, address.is_ipv6());
        all.iter().any(|it: &Translator<'_>| it.gives().is_some_and(|(to, _)| to == *address))
    };
    let mut routers =
        routers.filter(|step| whom.expected.iter().any(|it| world.has(step.node, *it) || gives(step.node, it)));
    let step = routers.next().filter(|_| routers.next().is_none())?;
    let Whom { server, seen, words, .. } = whom;
    let lack = way_back::missing(world, step).or_else(|| way_back::nearest(world, step)).unwrap_or_default();
    let words = format!(
        "{} did not translate the source {seen}{}, and {server} was to see {words}",
        world.name(step.node),
        lack.why()
    );
    Some(lack.cause(world, step, words))
}
