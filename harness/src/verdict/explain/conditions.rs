//! What a rule asks of a packet, as far as its text says it: nft(8), iptables-save(8) and iptables-extensions(8).

use std::net::IpAddr;

use super::rule_text::{self, Token};
use super::trails::Ends;
use super::world::World;
use crate::evidence::{Protocol, Rule};
use crate::words::Cidr;

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

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Source,
    Target,
    SourcePort,
    Port,
    Protocol,
    In,
    Out,
    /// The type of the target: whether it is the node's own.
    TargetType,
    /// The state of the connection, of which this is the first packet, or the first answer.
    State,
    /// The type of ICMP, of which there are echoes only.
    Echo,
}

/// A condition: it holds for any of its values, or for all but these.
#[derive(Debug, PartialEq, Eq)]
struct Condition<'a> {
    what: What,
    but: bool,
    values: Vec<&'a str>,
}

/// Whether a rule is about a packet.
pub(super) fn fit(world: &World<'_>, rule: &Rule, passage: &Passage<'_>) -> Fit {
    let (conditions, mut unknown) = read(&rule.text);
    let v6 = passage.ends.to.is_ipv6();
    let mut misses = Vec::new();
    if !has_family(rule, v6) {
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

/// Whether the table of a rule is one for packets of a family.
pub(super) fn has_family(rule: &Rule, v6: bool) -> bool {
    match &*rule.family {
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

/// The conditions of a rule, and whether it has others that are not read here.
fn read(text: &str) -> (Vec<Condition<'_>>, bool) {
    let tokens = rule_text::tokens(text);
    if rule_text::is_of_iptables(text) { of_iptables(&tokens) } else { of_nft(&tokens) }
}

/// Words with which the part of a rule of nft begins that does something.
const STATEMENTS: [&str; 12] =
    ["masquerade", "snat", "dnat", "redirect", "accept", "drop", "reject", "return", "jump", "goto", "notrack", "xt"];

fn of_nft<'a>(tokens: &[Token<'a>]) -> (Vec<Condition<'a>>, bool) {
    let (mut conditions, mut unknown) = (Vec::new(), false);
    let word = |at: usize| tokens.get(at).filter(|token| !token.quoted).map_or("", |token| token.text);
    let mut at = 0;
    while at < tokens.len() {
        let (what, length) = match (word(at), word(at + 1)) {
            ("ip" | "ip6", "saddr") => (What::Source, 2),
            ("ip" | "ip6", "daddr") => (What::Target, 2),
            ("ip", "protocol") | ("ip6", "nexthdr") | ("meta", "l4proto" | "nfproto") => (What::Protocol, 2),
            (own @ ("tcp" | "udp"), port @ ("dport" | "sport")) => {
                conditions.push(Condition { what: What::Protocol, but: false, values: vec![own] });
                (if port == "dport" { What::Port } else { What::SourcePort }, 2)
            }
            ("th", "dport") => (What::Port, 2),
            ("th", "sport") => (What::SourcePort, 2),
            ("meta", "iifname" | "iif") => (What::In, 2),
            ("meta", "oifname" | "oif") => (What::Out, 2),
            ("iifname" | "iif", _) => (What::In, 1),
            ("oifname" | "oif", _) => (What::Out, 1),
            ("fib", "daddr") if word(at + 2) == "type" => (What::TargetType, 3),
            ("ct", "state") => (What::State, 2),
            (own @ ("icmp" | "icmpv6"), "type") => {
                conditions.push(Condition { what: What::Protocol, but: false, values: vec![own] });
                (What::Echo, 2)
            }
            ("comment", _) => {
                at += 2;
                continue;
            }
            ("counter", "packets") => {
                at += 5;
                continue;
            }
            // What is written to the log is said in quotes, and changes nothing.
            ("log", "prefix") => {
                at += 3;
                continue;
            }
            ("counter" | "log", _) => {
                at += 1;
                continue;
            }
            (word, _) if STATEMENTS.contains(&word) => break,
            _ => {
                unknown = true;
                at += 1;
                continue;
            }
        };
        let (condition, next) = values(tokens, what, at + length);
        conditions.push(condition);
        at = next;
    }
    (conditions, unknown)
}

/// What stands behind the name of what is looked at: `[!=] VALUE`, or several in braces or with commas between.
fn values<'a>(tokens: &[Token<'a>], what: What, start: usize) -> (Condition<'a>, usize) {
    let mut at = start;
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let but = text(at) == "!=";
    at += usize::from(but || text(at) == "==");
    let mut values = Vec::new();
    if text(at) == "{" {
        let end = (at..tokens.len()).find(|it| text(*it) == "}").unwrap_or(tokens.len());
        values.extend((at + 1..end).map(text).filter(|value| *value != ","));
        return (Condition { what, but, values }, end + 1);
    }
    values.push(text(at));
    at += 1;
    while text(at) == "," {
        values.push(text(at + 1));
        at += 2;
    }
    (Condition { what, but, values }, at)
}

fn of_iptables<'a>(tokens: &[Token<'a>]) -> (Vec<Condition<'a>>, bool) {
    let (mut conditions, mut unknown, mut but) = (Vec::new(), false, false);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1).map_or("", |token| token.text);
        let what = match token.text {
            "-s" | "--source" => What::Source,
            "-d" | "--destination" => What::Target,
            "-i" | "--in-interface" => What::In,
            "-o" | "--out-interface" => What::Out,
            "-p" | "--protocol" => What::Protocol,
            "--dport" | "--dports" | "--destination-port" => What::Port,
            "--sport" | "--sports" | "--source-port" => What::SourcePort,
            "--dst-type" => What::TargetType,
            "--ctstate" | "--state" => What::State,
            "--icmp-type" | "--icmpv6-type" => What::Echo,
            "!" => {
                but = true;
                at += 1;
                continue;
            }
            "-j" | "--jump" | "-g" | "--goto" => break,
            // Names of modules, of which what they ask for comes behind, and what asks for nothing.
            "-A" | "-m" | "--match" | "--comment" => {
                at += 2;
                continue;
            }
            text => {
                // The counters before a rule.
                unknown |= !text.starts_with('[');
                at += 1;
                continue;
            }
        };
        let mut values = vec![next];
        at += 2;
        // Several are one word with commas, which are parts of their own here.
        while tokens.get(at).is_some_and(|token| token.text == ",") {
            values.extend(tokens.get(at + 1).map(|token| token.text));
            at += 2;
        }
        conditions.push(Condition { what, but, values });
        but = false;
    }
    (conditions, unknown)
}

/// Whether a rule has its packets not tracked, and thereby not translated.
pub(super) fn is_untracking(rule: &Rule) -> bool {
    let tokens = rule_text::tokens(&rule.text);
    let plain = |words: &[&str]| tokens.iter().any(|token| !token.quoted && words.contains(&token.text));
    plain(&["notrack", "--notrack", "NOTRACK"])
}
