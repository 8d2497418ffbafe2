//! An answer that does not find back: to a source that nobody has translated, or to one that leads nowhere.

use std::net::IpAddr;

use super::conditions::{Miss, Passage};
use super::exemption;
use super::loss;
use super::seen_source;
use super::translator::{self, Side, Translator};
use super::travelling::Travelling;
use super::walk::Step;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Way};
use crate::words::Cidr;

/// What the end of an answer comes from, where that is a translation, or its lack.
pub(super) fn cause(world: &World<'_>, steps: &[Step], at: usize, cause: &Cause) -> Option<Cause> {
    let lost = [CauseKind::NoRoute, CauseKind::NoNeighbour, CauseKind::WrongGateway, CauseKind::NotConnected];
    // What ends below a tunnel is no answer of the probe: that has a way, by the tunnel.
    let elsewhere = cause.kind == CauseKind::NoRoute
        && (steps[at].has_way() || cause.node.as_deref().is_some_and(|node| node != world.name(steps[at].node)));
    if !lost.contains(&cause.kind) || elsewhere {
        return None;
    }
    let to = steps[at].before.to;
    // A route that was there until somebody took it needs no translation instead.
    if cause.kind == CauseKind::NoRoute && loss::route(world, steps[at].node, to).is_some() {
        return None;
    }
    let translates = |step: &&Step| step.before.from.is_some_and(|from| from != to) && step.leaving().from == Some(to);
    let there = || steps.iter().filter(|step| step.way == Way::Request);
    let given = there().enumerate().filter(|(_, step)| translates(step)).map(|(at, _)| at).last();
    if let Some(cause) = given.and_then(|at| to_nobody(world, there().nth(at)?, to, cause)) {
        return Some(cause);
    }
    // Who has given it an address of its own has done its part.
    let routers = || there().skip(given.map_or(0, |at| at + 1)).filter(|step| step.iif.is_some() && !step.is_local());
    let wanted = seen_source::wanted(world);
    // Who stands for networks outside of the case has no routes into it.
    let outside = !world.planned(steps[at].node).serves.is_empty();
    let is_wanted = |step: &&Step| wanted.is_some_and(|wanted| wanted.iter().any(|it| world.has(step.node, *it)));
    let found = if wanted.is_some_and(|wanted| wanted.contains(&to)) {
        // The server is to see the sender itself.
        None
    } else {
        let found = routers().find_map(|step| Some((step, missing(world, step)?)));
        let found =
            found.or_else(|| routers().find(is_wanted).map(|step| (step, nearest(world, step).unwrap_or_default())));
        found.or_else(|| routers().filter(|_| outside).find_map(|step| Some((step, nearest(world, step)?))))
    };
    if let Some((step, lack)) = found {
        let words =
            format!("{} did not translate the source {to}{}, and {}", world.name(step.node), lack.why(), cause.words);
        return Some(lack.cause(world, step, words));
    }
    (cause.kind == CauseKind::NoRoute && (given.is_none() || routers().next().is_some()))
        .then(|| no_way_back(world, routers(), (steps[at].node, to), cause))
}

/// The source was translated to an address of which the translator gets no answers.
fn to_nobody(world: &World<'_>, step: &Step, to: IpAddr, cause: &Cause) -> Option<Cause> {
    let (name, from) = (world.name(step.node), step.before.from?);
    if world.has(step.node, to) {
        return None;
    }
    let words = format!("{name} translates {from} to {to}, which is no address of its own; {}", cause.words);
    let help = Some(format!("an address of {name} to which the answers find back"));
    let acted = translator::acted(world, step.node, Side::Source, &translator::ends_at(step));
    Some(translator::by(world, step.node, acted, Cause::at(CauseKind::NatWrong, words, None, help)))
}

fn no_way_back<'s>(
    world: &World<'_>,
    mut routers: impl Iterator<Item = &'s Step>,
    (node, to): (usize, IpAddr),
    cause: &Cause,
) -> Cause {
    let name = world.name(node);
    let others = routers.find_map(|step| {
        let first = *translator::all(world, step.node, Side::Source, to.is_ipv6()).first()?;
        Some((step, first, why(world, step, first)))
    });
    let (why, help) = match others {
        Some((step, translator, why)) => {
            let router = world.name(step.node);
            let help = match translator {
                Translator::Entry(_) => format!("a `masquerade` for it in the table of {router}"),
                Translator::Rule(_) => format!("a rule of {router} that gives it another source"),
            };
            (format!(": {router}'s {why}"), help)
        }
        None => {
            let help = "`nat = [{ masquerade = { .. } }]` at a router on the way that it can answer to";
            (String::new(), help.to_owned())
        }
    };
    Cause {
        kind: CauseKind::NoWayBack,
        words: format!(
            "the way back is missing: {name} has no route to {to}, and nobody on the way has translated it{why}"
        ),
        node: Some(name.to_owned()),
        rule: None,
        blame: cause.blame.clone(),
        help: Some(format!("a route to {to} for {name}, or {help}")),
    }
}

/// Why a router has not translated the source of what it passed on.
#[derive(Default)]
pub(super) struct Lack<'a> {
    exemption: Option<exemption::Exemption<'a>>,
    translator: Option<Translator<'a>>,
    why: String,
}

/// Why a router has not translated a source that it should have: a rule kept it from doing so, or what is meant to
/// translate it is about something else.
pub(super) fn missing<'a>(world: &World<'a>, step: &Step) -> Option<Lack<'a>> {
    if let Some(exemption) = exemption::of(world, step, Side::Source) {
        return Some(Lack { why: exemption.words(), exemption: Some(exemption), translator: None });
    }
    let passage = translator::passage(world, step, Side::Source)?;
    let all = translator::both_families(world, step.node, Side::Source);
    let meant: Vec<Translator<'a>> = all.into_iter().filter(|it| is_meant(world, *it, &passage)).collect();
    let names = |it: &&Translator<'a>| it.sources().iter().any(|prefix| prefix.contains(passage.ends.from));
    let meant = *meant.iter().find(names).or(meant.first())?;
    Some(Lack { exemption: None, translator: Some(meant), why: format!("its {}", why(world, step, meant)) })
}

/// What comes nearest to translating a source, where one thing alone keeps it from that; the router, where there is none.
pub(super) fn nearest<'a>(world: &World<'a>, step: &Step) -> Option<Lack<'a>> {
    let passage = translator::passage(world, step, Side::Source)?;
    let all = translator::both_families(world, step.node, Side::Source);
    let least = all.iter().map(|it| it.fit(world, &passage).misses.len()).min()?;
    let mut near = all.into_iter().filter(|it| it.fit(world, &passage).misses.len() == least);
    let translator = near.next().filter(|_| near.next().is_none());
    let why = translator.map_or_else(String::new, |it| format!("its {}", why(world, step, it)));
    Some(Lack { exemption: None, translator, why })
}

/// Whether a translator is meant for the sender of a packet, though it has not taken it: nobody else of the case is whom
/// it names, or it is about some of the sender's packets.
fn is_meant(world: &World<'_>, translator: Translator<'_>, passage: &Passage<'_>) -> bool {
    let exists = |name: &String| world.node(passage.node).interfaces.iter().any(|it| it.name == *name);
    let others = |name: &String| exists(name) && Some(name.as_str()) != passage.iif;
    match translator.fit(world, passage).misses[..] {
        [] | [Miss::Protocol | Miss::Port] => true,
        [Miss::Source] => {
            let (sources, sender) = (of_family(translator, passage), world.evidence().flow.from);
            // A router has an address in each of its networks.
            let key = if passage.ends.to.is_ipv6() { "ipv6/conf/all/forwarding" } else { "ipv4/ip_forward" };
            let routes = |node: usize| world.setting(node, key) != 0;
            let whose = |(end, it): (super::world::End, &crate::evidence::Interface)| {
                let own = it.addresses.iter().map(|own| own.cidr.address);
                let named = own.into_iter().any(|own| sources.iter().any(|prefix| prefix.contains(own)));
                end.0 != passage.node && end.0 != sender && !routes(end.0) && named
            };
            !sources.is_empty() && !world.ends().any(whose)
        }
        // A table of rules is of one family, and says nothing of the other.
        [Miss::Family] => matches!(translator, Translator::Entry(_)),
        // Whom it names leaves neither by where it has come in, nor by what is not there.
        [Miss::Out] => {
            let names = translator.interfaces(world, passage.node, true);
            let named = of_family(translator, passage).iter().any(|prefix| prefix.contains(passage.ends.from));
            !names.is_empty() && !names.iter().any(|name| if named { others(name) } else { exists(name) })
        }
        [Miss::In] => {
            let names = translator.interfaces(world, passage.node, false);
            !names.is_empty() && !names.iter().any(exists)
        }
        _ => false,
    }
}

/// The prefixes of a packet's family from which a translator takes packets.
fn of_family(translator: Translator<'_>, passage: &Passage<'_>) -> Vec<Cidr> {
    let mut sources = translator.sources();
    sources.retain(|prefix| prefix.address.is_ipv6() == passage.ends.to.is_ipv6());
    sources
}

/// Why a translator has not taken what a router passed on, in words that read behind whose it is.
fn why(world: &World<'_>, step: &Step, translator: Translator<'_>) -> String {
    let name = translator.name();
    let Some(passage) = translator::passage(world, step, Side::Source) else { return format!("{name} has not") };
    let listed = |all: Vec<String>| crate::verdict::words::any_of(&all);
    match translator.fit(world, &passage).misses.first() {
        Some(Miss::Source) => {
            let own = Some(of_family(translator, &passage)).filter(|own| !own.is_empty());
            let sources = own.unwrap_or_else(|| translator.sources());
            let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
            if sources.is_empty() {
                format!("{name} leaves it out")
            } else {
                format!("{name} is for {}", listed(sources))
            }
        }
        Some(Miss::Out) => {
            let names = translator.interfaces(world, step.node, true);
            let own = passage.oif.unwrap_or("another interface");
            if names.is_empty() {
                format!("{name} is for what leaves by another interface than {own}")
            } else {
                format!("{name} is for what leaves by {}, and this leaves by {own}", listed(names))
            }
        }
        Some(Miss::In) => format!("{name} is for what comes in by another interface"),
        Some(Miss::Protocol) => format!("{name} is for another protocol"),
        Some(Miss::Family) => format!("{name} is for the other family of addresses"),
        Some(Miss::Port) => format!("{name} is for other ports"),
        Some(Miss::Target) => format!("{name} is for other targets"),
        None => format!("{name} has not taken it"),
    }
}

impl Lack<'_> {
    /// Why, in brackets.
    pub(super) fn why(&self) -> String {
        if self.why.is_empty() { String::new() } else { format!(" ({})", self.why) }
    }

    /// The cause that it is.
    pub(super) fn cause(&self, world: &World<'_>, step: &Step, words: String) -> Cause {
        if let Some(exemption) = &self.exemption {
            return exemption.cause(world, step.node, words);
        }
        let name = world.name(step.node);
        let from = step.before.from.map_or_else(|| "the sender".to_owned(), |from| from.to_string());
        let out =
            step.out().and_then(|out| world.interface(out)).map(|it| format!(", and about what leaves by {}", it.name));
        let out = out.unwrap_or_default();
        let help = match self.translator {
            Some(Translator::Rule(_)) => format!(
                "a rule of {name} that gives what comes from {from} another source{}",
                out.replace(", and about what", " where it")
            ),
            Some(translator) => format!("the {} of {name} must be about {from}{out}", translator.name()),
            None => format!("`nat = [{{ masquerade = {{ .. }} }}]` in the table of {name}, about {from}"),
        };
        translator::by(world, step.node, self.translator, Cause::at(CauseKind::NatMissing, words, None, Some(help)))
    }
}

/// An answer that came to another one than who has translated the source: to whose address it has given.
pub(super) fn strayed(world: &World<'_>, steps: &[Step], step: &Step, packet: &Travelling) -> Option<Cause> {
    if step.way != Way::Answer || step.iif.is_none() || step.node == world.evidence().flow.from {
        return None;
    }
    let to = packet.to;
    let translates = |it: &&Step| it.before.from.is_some_and(|from| from != to) && it.leaving().from == Some(to);
    let by = steps.iter().filter(|it| it.way == Way::Request).rfind(translates)?;
    let owner = *world.owners(to).iter().find(|owner| owner.0 == step.node)?;
    if world.has(by.node, to) {
        return None;
    }
    let (name, from) = (world.name(by.node), by.before.from?);
    let words = format!(
        "{name} translates {from} to {to}, which is the address of {}: the answers go there",
        world.end_name(owner)
    );
    let help = Some(format!("an address of {name} to which the answers find back"));
    let acted = translator::acted(world, by.node, Side::Source, &translator::ends_at(by));
    Some(translator::by(world, by.node, acted, Cause::at(CauseKind::NatWrong, words, None, help)))
}

/// An answer that the receiver keeps for itself, because it takes the sender's address for one of its own.
pub(super) fn kept(world: &World<'_>, steps: &[Step], step: &Step, packet: &Travelling) -> Option<Cause> {
    let sender = world.evidence().flow.from;
    let own = step.way == Way::Answer && step.iif.is_none() && step.node != sender;
    if !own || !world.has(sender, packet.to) {
        return None;
    }
    let there = || steps.iter().filter(|it| it.way == Way::Request && it.iif.is_some() && it.node != step.node);
    let found = there().find_map(|it| Some((it, missing(world, it)?)));
    let found = found.or_else(|| there().find_map(|it| Some((it, nearest(world, it)?))));
    let (router, lack) = found.or_else(|| Some((there().next_back()?, Lack::default())))?;
    let (name, source) = (world.name(step.node), packet.to);
    let words = format!(
        "{} has not translated the source {source}{}, and {name} keeps what is for that address: it answers for it itself",
        world.name(router.node),
        lack.why()
    );
    Some(lack.cause(world, router, words))
}
