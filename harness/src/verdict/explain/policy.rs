//! Policy rules and the tables of routes that they lead to, as a kernel goes through them.
//!
//! A kernel that refuses a packet does not say by which of them. Their texts are those of `ip rule` and `ip route`
//! (`lab/snapshot`), and they are gone through in the kernel's order: `fib_rules_lookup` of `net/core/fib_rules.c`.

use std::net::IpAddr;

use super::world::World;
use crate::evidence::{Ask, Chosen, PolicyRule, Protocol};
use crate::words::Cidr;

/// What decides on a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decider<'a> {
    /// A policy rule that refuses.
    Rule(&'a PolicyRule),
    /// A route, and the policy rule that led to its table; none for the tables of every node.
    Route(&'a str, Option<&'a PolicyRule>),
}

/// Whether a rule is about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fits {
    Yes,
    No,
    /// It looks at what is not known of the packet.
    Unknown,
}

/// A rule as it is gone through: its priority, the name of its table, and the rule where it is none of every node.
type Turn<'a> = (u32, Option<String>, Option<&'a PolicyRule>);

/// What became of a table while the rules were gone through.
#[derive(Clone, Copy, Debug)]
pub(super) enum Looked<'a> {
    /// A rule led there.
    Used,
    /// Only this rule led there, and what it suppresses is just the route that there is.
    PassedOver(&'a PolicyRule),
    /// No rule led there.
    Never,
}

/// Whether the rules lead a packet to a table; `None` where that is not known.
pub(super) fn looked<'a>(world: &World<'a>, ask: &Ask, name: &str) -> Option<Looked<'a>> {
    let mut passed_over = None;
    for (_, table, rule) in turns(world, ask.node, ask.to.is_ipv6()) {
        match rule.map_or(Fits::Yes, |rule| fits(world, rule, ask)) {
            Fits::Yes => {}
            Fits::No => continue,
            Fits::Unknown => return None,
        }
        let words: Vec<&str> = rule.map(|rule| rule.text.split(' ').collect()).unwrap_or_default();
        match (table, rule) {
            (None, _) if words.contains(&"nop") => {}
            // What decides without a table, or leaves some out, is another matter.
            (None, _) => return None,
            (Some(table), _) if table != name => {}
            (Some(_), None) => return Some(Looked::Used),
            (Some(_), Some(rule)) => {
                if behind(&words, "suppress_prefixlength").is_none() {
                    return Some(Looked::Used);
                }
                passed_over = passed_over.or(Some(rule));
            }
        }
    }
    Some(passed_over.map_or(Looked::Never, Looked::PassedOver))
}

/// What decides on a packet; `None` where nothing does, or where that is not known.
pub(super) fn decider<'a>(world: &World<'a>, ask: &Ask) -> Option<Decider<'a>> {
    let v6 = ask.to.is_ipv6();
    let mut turns = turns(world, ask.node, v6);
    turns.reverse();
    while let Some((_, table, rule)) = turns.pop() {
        match rule.map_or(Fits::Yes, |rule| fits(world, rule, ask)) {
            Fits::Yes => {}
            Fits::No => continue,
            Fits::Unknown => return None,
        }
        let words: Vec<&str> = rule.map(|rule| rule.text.split(' ').collect()).unwrap_or_default();
        let Some(table) = table else {
            let rule = rule?;
            if let Some(target) = behind(&words, "goto") {
                let target: u32 = target.parse().ok()?;
                turns.retain(|(priority, ..)| *priority >= target);
            } else if !words.contains(&"nop") {
                return Some(Decider::Rule(rule));
            }
            continue;
        };
        let Some((line, length)) = best(world, ask.node, &table, ask.to) else { continue };
        let least = behind(&words, "suppress_prefixlength").and_then(|least| least.parse::<u8>().ok());
        if kind(line) == "throw" || (least.is_some_and(|least| length <= least) && !refuses(line)) {
            continue;
        }
        return Some(Decider::Route(line, rule));
    }
    None
}

/// The rules in the kernel's order, with those that every node has.
fn turns<'a>(world: &World<'a>, node: usize, v6: bool) -> Vec<Turn<'a>> {
    let usual: &[(u32, &str)] = &[(0, "local"), (32766, "main"), (32767, "default")];
    let own = world.node(node).policy.iter().filter(|rule| rule.v6 == v6);
    // Somebody may have deleted one of these.
    let gone = |priority: u32| world.node(node).policy_gone.contains(&(v6, priority));
    let usual = usual.iter().filter(|(priority, _)| !gone(*priority));
    let mut turns: Vec<Turn<'a>> =
        usual.map(|(priority, table)| (*priority, Some((*table).to_owned()), None)).collect();
    turns.extend(own.map(|rule| (rule.priority, rule.table.map(table_name), Some(rule))));
    turns.sort_by_key(|(priority, ..)| *priority);
    turns
}

fn table_name(table: u32) -> String {
    match table {
        255 => "local".to_owned(),
        254 => "main".to_owned(),
        253 => "default".to_owned(),
        other => other.to_string(),
    }
}

/// Whether a rule is about a packet: every one of its conditions must hold.
pub(super) fn fits(world: &World<'_>, rule: &PolicyRule, ask: &Ask) -> Fits {
    let mut words = rule.text.split(' ').skip(1).peekable();
    let turned = words.next_if_eq(&"not").is_some();
    let mut all = true;
    while let Some(word) = words.next() {
        let holds = match word {
            "from" => {
                words.next().is_some_and(|prefix| prefix == "all" || ask.from.is_some_and(|it| covers(prefix, it)))
            }
            "to" => words.next().is_some_and(|prefix| covers(prefix, ask.to)),
            "fwmark" => words.next().is_some_and(|mark| marked(mark, ask.mark)),
            // What a node sends itself comes by `lo`, so to say (`LOOPBACK_IFINDEX` in net/ipv4/route.c).
            "iif" => {
                let name = ask.iif.and_then(|iif| world.interface((ask.node, iif))).map_or("lo", |it| it.name.as_str());
                words.next() == Some(name)
            }
            "ipproto" => words.next().is_some_and(|name| is_protocol(name, ask)),
            "sport" => words.next().is_some_and(|ports| in_range(ports, ask.source_port)),
            "dport" => words.next().is_some_and(|ports| in_range(ports, ask.port)),
            // Only a socket that is bound to an interface asks for a way by that.
            "oif" => false,
            "lookup" | "suppress_prefixlength" | "goto" | "nop" | "blackhole" | "unreachable" | "prohibit" => break,
            _ => return Fits::Unknown,
        };
        all &= holds;
    }
    if all == turned { Fits::No } else { Fits::Yes }
}

fn marked(text: &str, mark: u32) -> bool {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    number(value).zip(number(mask)).is_some_and(|(value, mask)| mark & mask == value & mask)
}

/// A number as `ip` and `nft` write marks.
pub(super) fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok())
}

fn is_protocol(name: &str, ask: &Ask) -> bool {
    match ask.protocol {
        Protocol::Tcp => name == "tcp",
        Protocol::Udp => name == "udp",
        Protocol::Icmp if ask.to.is_ipv6() => name == "ipv6-icmp",
        Protocol::Icmp => name == "icmp",
        Protocol::Neighbour => false,
    }
}

fn in_range(ports: &str, port: u16) -> bool {
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    first.parse().is_ok_and(|first: u16| first <= port) && last.parse().is_ok_and(|last: u16| port <= last)
}

/// The word behind another one.
pub(super) fn behind<'t>(words: &[&'t str], word: &str) -> Option<&'t str> {
    words.windows(2).find(|pair| pair[0] == word).map(|pair| pair[1])
}

/// The types of routes that `ip route` names in front of the prefix.
const KINDS: [&str; 9] =
    ["unicast", "local", "broadcast", "multicast", "throw", "unreachable", "prohibit", "blackhole", "anycast"];

/// The type of a route.
pub(super) fn kind(line: &str) -> &str {
    let first = line.split(' ').next().unwrap_or_default();
    if KINDS.contains(&first) { first } else { "unicast" }
}

/// The prefix of a route.
pub(super) fn target(line: &str) -> &str {
    line.split(' ').find(|word| !KINDS.contains(word)).unwrap_or_default()
}

/// Whether a route refuses what goes by it.
pub(super) fn refuses(line: &str) -> bool {
    matches!(kind(line), "unreachable" | "prohibit" | "blackhole")
}

/// The table of a route.
pub(super) fn table(line: &str) -> &str {
    let words: Vec<&str> = line.split(' ').collect();
    behind(&words, "table").unwrap_or("main")
}

/// The interfaces of a route: several of one with several next hops.
pub(super) fn devices(line: &str) -> Vec<&str> {
    let words: Vec<&str> = line.split(' ').collect();
    words.windows(2).filter(|pair| pair[0] == "dev").map(|pair| pair[1]).collect()
}

/// Where a route leads: the interface, and the gateway, if it has one.
pub(super) fn way(world: &World<'_>, node: usize, line: &str) -> Option<(u32, Option<IpAddr>)> {
    let device = devices(line).into_iter().next().filter(|_| !refuses(line))?;
    let (end, _) = world.ends().find(|(end, it)| end.0 == node && it.name == device)?;
    let words: Vec<&str> = line.split(' ').collect();
    // With a gateway of the other family that is named, too.
    let via = behind(&words, "via").map(|via| if via == "inet6" { behind(&words, "inet6") } else { Some(via) });
    let via = match via {
        Some(via) => Some(via?.parse().ok()?),
        None => None,
    };
    Some((end.1, via))
}

/// The way that the rules choose by their texts, where the kernel itself says nothing of it: it looks no farther than to
/// whether it forwards.
pub(super) fn chosen(world: &World<'_>, ask: &Ask) -> Option<Chosen> {
    let Decider::Route(line, Some(rule)) = decider(world, ask)? else { return None };
    let (oif, via) = way(world, ask.node, line).filter(|_| kind(line) == "unicast")?;
    let table = rule.table?;
    Some(Chosen { local: false, many: false, via, oif: Some(oif), source: None, table, mtu: None })
}

/// The route of a table that counts for an address, and the length of its prefix.
fn best<'a>(world: &World<'a>, node: usize, name: &str, to: IpAddr) -> Option<(&'a str, u8)> {
    all(world, node, name, to).into_iter().next()
}

/// The routes of a table that an address falls under, the best first.
pub(super) fn all<'a>(world: &World<'a>, node: usize, name: &str, to: IpAddr) -> Vec<(&'a str, u8)> {
    let usable = |line: &&str| {
        // Only those of IPv6 have a preference (RFC 4191), and these always have.
        table(line) == name && line.contains(" pref ") == to.is_ipv6() && !line.split(' ').any(|word| word == "dead")
    };
    let lines = world.node(node).routes.iter().map(|line| line.trim()).filter(usable);
    let covering = lines.filter(|line| covers(target(line), to));
    let mut found: Vec<(&str, u8)> = covering.map(|line| (line, length(target(line), to))).collect();
    let metric = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        behind(&words, "metric").and_then(|metric| metric.parse::<u32>().ok()).unwrap_or(0)
    };
    found.sort_by_key(|(line, length)| (std::cmp::Reverse(*length), metric(line)));
    found
}

/// The length of a prefix as `ip route` writes it.
pub(super) fn length(target: &str, to: IpAddr) -> u8 {
    match target.split_once('/') {
        _ if target == "default" => 0,
        Some((_, length)) => length.parse().unwrap_or(0),
        None if to.is_ipv4() => 32,
        None => 128,
    }
}

/// Whether a prefix as `ip route` writes it covers an address.
pub(super) fn covers(target: &str, to: IpAddr) -> bool {
    if target == "default" {
        return true;
    }
    match target.split_once('/') {
        None => target.parse() == Ok(to),
        Some((address, length)) => match (address.parse(), length.parse()) {
            (Ok(address), Ok(length)) => Cidr { address, length }.contains(to),
            _ => false,
        },
    }
}
