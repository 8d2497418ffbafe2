//! What a rule asks of a packet, as far as its text says it: nft(8), iptables-save(8) and iptables-extensions(8).

mod read;

use std::net::IpAddr;

use super::rule_text;
use super::trails::Ends;
use super::travelling::Travelling;
use super::walk::Step;
use super::world::World;
use crate::evidence::{Protocol, Rule, Way};
use crate::words::Cidr;
use read::{What, read};

/// A packet at a hook of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage<'a> {
    pub(super) node: usize,
    pub(super) ends: Ends,
    pub(super) protocol: Protocol,
    /// The interface it came in by; none for what the node itself sends.
    pub(super) iif: Option<&'a str>,
    /// The interface it leaves by, where that is known at the hook.
    pub(super) oif: Option<&'a str>,
    /// Whether it answers one that the node has let through before.
    pub(super) answer: bool,
}

impl<'a> Passage<'a> {
    /// The packet of a step as a hook sees it, and the interface by which it leaves where the hook knows that.
    pub(super) fn of(world: &World<'a>, step: &Step, seen: Travelling, out: Option<u32>) -> Option<Self> {
        let name = |index: Option<u32>| world.interface((step.node, index?)).map(|it| it.name.as_str());
        Some(Self {
            node: step.node,
            ends: seen.ends()?,
            protocol: seen.protocol,
            iif: name(step.iif),
            oif: name(out),
            answer: step.way == Way::Answer,
        })
    }
}

/// What of a packet is not as a rule asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    Source,
    Target,
    Port,
    Protocol,
    Family,
    In,
    Out,
}

/// Whether a rule is about a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fit {
    /// What speaks against it.
    pub(super) misses: Vec<Miss>,
    /// Whether it asks for something that is not known.
    pub(super) unknown: bool,
}

impl Fit {
    /// Whether it is certain that it is.
    pub(super) fn is_sure(&self) -> bool {
        self.misses.is_empty() && !self.unknown
    }
}

/// Whether a rule is about a packet.
pub(super) fn fit(world: &World<'_>, rule: &Rule, passage: &Passage<'_>) -> Fit {
    let (conditions, mut unknown) = read(&rule.text);
    let v6 = passage.ends.to.is_ipv6();
    let mut misses = Vec::new();
    if !sees(&rule.family, v6) {
        misses.push(Miss::Family);
    }
    for condition in conditions {
        let any: Option<Vec<bool>> =
            condition.values.iter().map(|value| holds(world, condition.what, value, passage)).collect();
        match any {
            None => unknown = true,
            Some(any) if any.contains(&true) != condition.but => {}
            Some(_) => {
                let miss = miss(condition.what);
                if !misses.contains(&miss) {
                    misses.push(miss);
                }
            }
        }
        unknown |= condition.what == What::State && condition.but;
    }
    Fit { misses, unknown }
}

/// Whether the tables of a family of nft, or of the older iptables, see packets of IPv6, or else of IPv4.
pub(super) fn sees(family: &str, v6: bool) -> bool {
    match family {
        "ip" | "iptables" => !v6,
        "ip6" | "ip6tables" => v6,
        _ => true,
    }
}

/// Whether a rule asks for an address, a port or a kind of echo.
pub(super) fn is_narrow(rule: &Rule) -> bool {
    let narrow = [What::Source, What::Target, What::SourcePort, What::Port, What::Echo];
    read(&rule.text).0.iter().any(|condition| narrow.contains(&condition.what))
}

/// The prefixes that a rule takes packets from; none where it names none, or such as it does not take.
pub(super) fn sources(rule: &Rule) -> Vec<Cidr> {
    let (conditions, _) = read(&rule.text);
    let own = conditions.iter().filter(|condition| condition.what == What::Source && !condition.but);
    own.flat_map(|condition| &condition.values).filter_map(|value| prefix(value)).collect()
}

/// The interfaces that a rule names: `out` those that packets leave by, else those that they come in by.
pub(super) fn interfaces(rule: &Rule, out: bool) -> Vec<&str> {
    let (conditions, _) = read(&rule.text);
    let what = if out { What::Out } else { What::In };
    let own = conditions.into_iter().filter(|condition| condition.what == what && !condition.but);
    own.flat_map(|condition| condition.values).collect()
}

fn miss(what: What) -> Miss {
    match what {
        What::Source => Miss::Source,
        What::Target | What::TargetType => Miss::Target,
        What::SourcePort | What::Port => Miss::Port,
        What::Protocol | What::State | What::Echo => Miss::Protocol,
        What::In => Miss::In,
        What::Out => Miss::Out,
    }
}

/// Whether a condition holds for one of its values; `None` where that is not known.
fn holds(world: &World<'_>, what: What, value: &str, passage: &Passage<'_>) -> Option<bool> {
    let Passage { node, ends, protocol, .. } = *passage;
    // A variable of its file, or a set that is elsewhere.
    if value.starts_with(['$', '@']) {
        return None;
    }
    match what {
        What::Source => covers(value, ends.from),
        What::Target => covers(value, ends.to),
        What::SourcePort => in_range(value, ends.source_port),
        What::Port => in_range(value, ends.port),
        What::Protocol => is_protocol(value, protocol, ends.to.is_ipv6()),
        What::In => Some(passage.iif.is_some_and(|name| is_named(value, name))),
        What::Out => passage.oif.map(|name| is_named(value, name)),
        What::TargetType => value.eq_ignore_ascii_case("local").then(|| world.has(node, ends.to)),
        What::State => Some(value.eq_ignore_ascii_case(if passage.answer { "established" } else { "new" })),
        What::Echo => match value {
            "echo-request" | "8" | "128" => Some(!passage.answer),
            "echo-reply" | "0" | "129" => Some(passage.answer),
            _ => Some(false),
        },
    }
}

/// `*` of nft and `+` of iptables stand for any end of a name.
fn is_named(value: &str, name: &str) -> bool {
    match value.strip_suffix(['*', '+']) {
        Some(start) => name.starts_with(start),
        None => value == name,
    }
}

fn prefix(value: &str) -> Option<Cidr> {
    match value.split_once('/') {
        Some((base, length)) => Some(Cidr { address: base.parse().ok()?, length: length.parse().ok()? }),
        None => {
            let address: IpAddr = value.parse().ok()?;
            Some(Cidr { address, length: if address.is_ipv4() { 32 } else { 128 } })
        }
    }
}

fn covers(value: &str, address: IpAddr) -> Option<bool> {
    if let Some((first, last)) = value.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        return Some((first..=last).contains(&address));
    }
    prefix(value).map(|prefix| prefix.contains(address))
}

/// `PORT`, `FIRST-LAST` of nft, `FIRST:LAST` of iptables.
fn in_range(value: &str, port: u16) -> Option<bool> {
    let number = |text: &str| match text {
        "ssh" => Some(22),
        "domain" => Some(53),
        "http" => Some(80),
        "https" => Some(443),
        _ => text.parse::<u16>().ok(),
    };
    match value.split_once(['-', ':']) {
        Some((first, last)) => Some((number(first)?..=number(last)?).contains(&port)),
        None => number(value).map(|own| own == port),
    }
}

fn is_protocol(value: &str, protocol: Protocol, v6: bool) -> Option<bool> {
    Some(match value {
        "tcp" | "6" => protocol == Protocol::Tcp,
        "udp" | "17" => protocol == Protocol::Udp,
        "icmp" | "1" => protocol == Protocol::Icmp && !v6,
        "icmpv6" | "ipv6-icmp" | "58" => protocol == Protocol::Icmp && v6,
        "ip" | "ipv4" => !v6,
        "ip6" | "ipv6" => v6,
        "all" => true,
        _ => return None,
    })
}

/// Whether a rule has its packets not tracked, and thereby not translated.
pub(super) fn is_untracking(rule: &Rule) -> bool {
    let tokens = rule_text::tokens(&rule.text);
    let plain = |words: &[&str]| tokens.iter().any(|token| !token.quoted && words.contains(&token.text));
    plain(&["notrack", "--notrack", "NOTRACK"])
}
