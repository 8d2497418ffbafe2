//! What translates addresses at a node: the entries of the case, and the rules of its files.

use std::net::IpAddr;

use super::blame;
use super::conditions::{self, Fit, Miss, Passage};
use super::rule_text;
use super::trails::Ends;
use super::walk::{OWN_TABLE, Step};
use super::world::World;
use crate::evidence::{Blame, Rule, Trace, TraceKind, TraceVerdict};
use crate::plan::{Forward, Leaving, Nat, NatKind};
use crate::words::{Cidr, Family};

/// Which end of packets is given another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Target,
}

/// An entry, or a rule.
#[derive(Clone, Copy, Debug)]
pub(super) enum Translator<'a> {
    Entry(&'a Nat),
    Rule(&'a Rule),
}

/// All that translate packets at a node, in their order, of whatever family.
pub(super) fn both_families<'a>(world: &World<'a>, node: usize, side: Side) -> Vec<Translator<'a>> {
    let entries = world.planned(node).nat.iter().map(Translator::Entry);
    let rules = world.node(node).rules.iter().filter(|rule| rule.table != OWN_TABLE).map(Translator::Rule);
    entries.chain(rules).filter(|it| it.is_of(side)).collect()
}

/// All that translate packets of a family at a node, in their order.
pub(super) fn all<'a>(world: &World<'a>, node: usize, side: Side, v6: bool) -> Vec<Translator<'a>> {
    both_families(world, node, side).into_iter().filter(|it| it.has_family(v6)).collect()
}

/// The one that has translated a packet with any of these ends at a node. Where no trace shows which, it is the only one
/// of which nothing says that it has not.
pub(super) fn acted<'a>(world: &World<'a>, node: usize, side: Side, ends: &[Ends]) -> Option<Translator<'a>> {
    let v6 = ends.first()?.to.is_ipv6();
    let seen = steps_of(world, node, ends).into_iter().filter(|trace| trace.verdict == TraceVerdict::Accept);
    let shown = seen.filter_map(|trace| rule_of(world, trace)).find(|rule| does(rule, side));
    if let Some(rule) = shown {
        return Some(of_rule(world, node, rule));
    }
    let all = all(world, node, side, v6);
    if let [only] = *all {
        return Some(only);
    }
    // Rules of the older kind only count.
    let counted = |it: &&Translator<'a>| match it {
        Translator::Rule(rule) => rule.family.ends_with("tables") && rule.packets.is_some_and(|packets| packets > 0),
        Translator::Entry(_) => false,
    };
    let mut counted = all.iter().filter(counted);
    counted.next().copied().filter(|_| counted.next().is_none())
}

/// The line of what has translated a packet at a step of its way.
pub(super) fn line(world: &World<'_>, step: &Step, side: Side) -> Option<Blame> {
    acted(world, step.node, side, &ends_at(step)).and_then(|it| it.place(world, step.node))
}

/// The ends of a packet as it comes to a node, in between, and as it leaves.
pub(super) fn ends_at(step: &Step) -> Vec<Ends> {
    let (before, after) = (step.before, step.leaving());
    let between = super::travelling::Travelling { to: after.to, port: after.port, ..before };
    [before.ends(), between.ends(), after.ends()].into_iter().flatten().collect()
}

/// A packet as those see it that translate one of its ends at a step.
pub(super) fn passage<'a>(world: &World<'a>, step: &Step, side: Side) -> Option<Passage<'a>> {
    let after = step.leaving();
    let seen = match side {
        Side::Target => step.before,
        Side::Source => super::travelling::Travelling { to: after.to, port: after.port, ..step.before },
    };
    // A hook before the route knows of no way out.
    let out = step.out().map(|out| out.1).filter(|_| side == Side::Source || step.iif.is_none());
    Passage::of(world, step, seen, out)
}

/// The steps that the rules of a node have taken with a packet.
pub(super) fn steps_of<'a>(world: &World<'a>, node: usize, ends: &[Ends]) -> Vec<&'a Trace> {
    let own = || world.evidence().traces.iter().filter(move |trace| trace.node == node);
    let shows = |trace: &&Trace| trace.packet.as_ref().and_then(Ends::of).is_some_and(|shown| ends.contains(&shown));
    let packets: Vec<u32> = own().filter(shows).map(|trace| trace.id).collect();
    own().filter(|trace| packets.contains(&trace.id)).collect()
}

/// The rule of a step.
pub(super) fn rule_of<'a>(world: &World<'a>, trace: &Trace) -> Option<&'a Rule> {
    let TraceKind::Rule(handle) = trace.kind else { return None };
    let is_it = |rule: &&Rule| {
        (&rule.family, &rule.table, &rule.chain, rule.handle) == (&trace.family, &trace.table, &trace.chain, handle)
    };
    world.node(trace.node).rules.iter().find(is_it)
}

/// Whether a rule translates this end.
pub(super) fn does(rule: &Rule, side: Side) -> bool {
    match side {
        Side::Source => rule_text::translates_source(rule),
        Side::Target => rule_text::translates_target(rule),
    }
}

/// A rule of the lab's own table is the entry that asks for it.
fn of_rule<'a>(world: &World<'a>, node: usize, rule: &'a Rule) -> Translator<'a> {
    let entry = || world.planned(node).nat.iter().find(|nat| rule.place == Some(Blame::Case(nat.span)));
    match Some(()).filter(|()| rule.table == OWN_TABLE).and_then(|()| entry()) {
        Some(nat) => Translator::Entry(nat),
        None => Translator::Rule(rule),
    }
}

impl Translator<'_> {
    fn is_of(&self, side: Side) -> bool {
        match self {
            Self::Rule(rule) => does(rule, side),
            Self::Entry(nat) => matches!(nat.kind, NatKind::Forward(_)) == (side == Side::Target),
        }
    }

    fn has_family(&self, v6: bool) -> bool {
        match self {
            Self::Rule(rule) => conditions::sees(&rule.family, v6),
            Self::Entry(nat) => match &nat.kind {
                NatKind::Masquerade { families, .. } => {
                    families.contains(if v6 { &Family::Ipv6 } else { &Family::Ipv4 })
                }
                NatKind::Snat { to, .. } | NatKind::Forward(Forward { to, .. }) => to.is_ipv6() == v6,
            },
        }
    }

    /// The line to blame.
    pub(super) fn place(&self, world: &World<'_>, node: usize) -> Option<Blame> {
        match self {
            Self::Entry(nat) => Some(Blame::Case(nat.span)),
            Self::Rule(rule) => blame::of_rule(world, node, rule),
        }
    }

    /// The rule's text, where it is one.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Entry(_) => None,
            Self::Rule(rule) => Some(rule.text.clone()),
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Entry(nat) => match nat.kind {
                NatKind::Masquerade { .. } => "`masquerade`".to_owned(),
                NatKind::Snat { .. } => "`snat`".to_owned(),
                NatKind::Forward(_) => "`forward`".to_owned(),
            },
            Self::Rule(rule) => format!("rule `{}`", rule.text),
        }
    }

    /// Whether it is about a packet.
    pub(super) fn fit(&self, world: &World<'_>, passage: &Passage<'_>) -> Fit {
        match self {
            Self::Rule(rule) => conditions::fit(world, rule, passage),
            Self::Entry(nat) => {
                let mut fit = match &nat.kind {
                    NatKind::Masquerade { leaving, .. } | NatKind::Snat { leaving, .. } => {
                        leaves(world, leaving, passage)
                    }
                    NatKind::Forward(forward) => comes(world, forward, passage),
                };
                fit.misses.extend(Some(Miss::Family).filter(|_| !self.has_family(passage.ends.to.is_ipv6())));
                fit
            }
        }
    }

    /// The prefixes from which it takes packets; none where it names none.
    pub(super) fn sources(&self) -> Vec<Cidr> {
        match self {
            Self::Rule(rule) => conditions::sources(rule),
            Self::Entry(nat) => match &nat.kind {
                NatKind::Masquerade { leaving, .. } | NatKind::Snat { leaving, .. } => leaving.src.clone(),
                NatKind::Forward(_) => Vec::new(),
            },
        }
    }

    /// The interfaces that it names, by which packets leave or come in.
    pub(super) fn interfaces(&self, world: &World<'_>, node: usize, out: bool) -> Vec<String> {
        match self {
            Self::Rule(rule) => conditions::interfaces(rule, out).into_iter().map(str::to_owned).collect(),
            Self::Entry(nat) => match &nat.kind {
                NatKind::Masquerade { leaving, .. } | NatKind::Snat { leaving, .. } if out => leaving
                    .dev
                    .and_then(|dev| world.planned(node).interfaces.get(dev))
                    .map(|it| it.name.clone())
                    .into_iter()
                    .collect(),
                _ => Vec::new(),
            },
        }
    }

    /// Where it sends packets, or what source it gives them, as far as it says so.
    pub(super) fn gives(&self) -> Option<(IpAddr, Option<u16>)> {
        match self {
            Self::Rule(rule) => super::rules::target_of(&rule.text),
            Self::Entry(nat) => match &nat.kind {
                NatKind::Forward(forward) => Some((forward.to, forward.to_port)),
                NatKind::Snat { to, .. } => Some((*to, None)),
                NatKind::Masquerade { .. } => None,
            },
        }
    }
}

fn leaves(world: &World<'_>, leaving: &Leaving, passage: &Passage<'_>) -> Fit {
    let mut fit = Fit::default();
    if !leaving.takes(passage.ends.from) {
        fit.misses.push(Miss::Source);
    }
    let dev = leaving.dev.and_then(|dev| world.planned(passage.node).interfaces.get(dev));
    match (dev, passage.oif) {
        (Some(dev), Some(oif)) if dev.name != oif => fit.misses.push(Miss::Out),
        (Some(_), None) => fit.unknown = true,
        _ => {}
    }
    fit
}

fn comes(world: &World<'_>, forward: &Forward, passage: &Passage<'_>) -> Fit {
    let mut fit = Fit::default();
    let to = passage.ends.to;
    let taken = if forward.addresses.is_empty() {
        !to.is_loopback() && world.has(passage.node, to)
    } else {
        forward.addresses.contains(&to)
    };
    if !taken {
        fit.misses.push(Miss::Target);
    }
    if let Some(port) = forward.port {
        let own = match passage.protocol {
            crate::evidence::Protocol::Tcp => Some(crate::words::Transport::Tcp),
            crate::evidence::Protocol::Udp => Some(crate::words::Transport::Udp),
            _ => None,
        };
        if own != Some(port.transport) {
            fit.misses.push(Miss::Protocol);
        }
        if port.number != passage.ends.port {
            fit.misses.push(Miss::Port);
        }
    }
    fit
}

/// Says that a translator did it.
pub(super) fn by(
    world: &World<'_>,
    node: usize,
    translator: Option<Translator<'_>>,
    cause: crate::evidence::Cause,
) -> crate::evidence::Cause {
    let place =
        translator.and_then(|it| it.place(world, node)).or_else(|| blame::of_node(world, node).map(Blame::Case));
    let rule = translator.and_then(|it| it.text());
    blame::by(world, node, crate::evidence::Cause { blame: place, rule, ..cause })
}
