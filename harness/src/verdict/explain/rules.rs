//! What the rules of a node did with a packet.

use std::collections::HashSet;

use super::doings::{left_for_good, takes_away};
use super::older;
use super::trails::Ends;
use super::world::World;
use crate::evidence::{
    Blame, Cause, CauseKind, Chain, Icmp, LOOKS, Packet, Payload, Rule, Trace, TraceKind, TraceVerdict,
};

/// What dropped or refused a packet with any of these ends in a node.
pub(super) fn dropped(world: &World<'_>, node: usize, ends: &[Ends]) -> Option<Cause> {
    // Of an echo that was never seen the identifier is not known.
    let is_one = |own: &Ends, found: &Ends| {
        own == found || (own.source_port == 0 && own.port == 0 && (own.from, own.to) == (found.from, found.to))
    };
    let is_it = |trace: &Trace| {
        let packet = trace.packet.as_ref().and_then(Ends::of);
        packet.is_some_and(|found| ends.iter().any(|own| is_one(own, &found)))
    };
    let traced = find(world, node, is_it).map(|(first, end)| cause(world, first, end, &what(world, first)));
    traced.or_else(|| older::dropped(world, node, ends))
}

/// Whether a trace of the probe itself, or of its answer, shows what a cause says.
pub(super) fn is_seen(world: &World<'_>, cause: &Cause) -> bool {
    let kinds = [CauseKind::RuleDropped, CauseKind::RuleRejected, CauseKind::PolicyDropped, CauseKind::BridgeNetfilter];
    let flow = &world.evidence().flow;
    let is_it = |trace: &Trace| {
        trace.packet.as_ref().is_some_and(|packet| packet.is_request_of(flow) || packet.is_answer_to(flow))
    };
    let nodes = (0..world.evidence().nodes.len()).filter(|node| cause.node.as_deref() == Some(world.name(*node)));
    kinds.contains(&cause.kind) && nodes.into_iter().any(|node| find(world, node, is_it).is_some())
}

/// What dropped a question about a neighbour, or its answer.
pub(super) fn dropped_question(world: &World<'_>, node: usize, about: std::net::IpAddr) -> Option<Cause> {
    let is_it = |trace: &Trace| {
        trace.packet.as_ref().is_some_and(|packet| match &packet.payload {
            Payload::Neighbour(question) => question.about == about,
            // A trace shows too little of it to read whom it is about: a solicitation goes to the group of that address,
            // and an advertisement comes from it (RFC 4861, sections 4.3 and 4.4).
            Payload::Icmp(Icmp::Other { kind: 135, .. }) => packet.to == about || group_of(about) == Some(packet.to),
            Payload::Icmp(Icmp::Other { kind: 136, .. }) => packet.from == about,
            _ => false,
        })
    };
    find(world, node, is_it).map(|(first, end)| {
        let answer = first.packet.as_ref().is_some_and(|packet| match &packet.payload {
            Payload::Neighbour(question) => question.answer,
            payload => matches!(payload, Payload::Icmp(Icmp::Other { kind: 136, .. })),
        });
        let what = match (about.is_ipv4(), answer) {
            (true, false) => "the ARP request for",
            (true, true) => "the ARP reply of",
            (false, false) => "the neighbour solicitation for",
            (false, true) => "the neighbour advertisement of",
        };
        cause(world, first, end, &format!("{what} {about}"))
    })
}

/// What dropped a fragment that shows no ports, of a packet with any of these ends: all of it is lost with it, however
/// far its first fragment came (RFC 815; RFC 8200, section 4.5).
pub(super) fn dropped_fragment(world: &World<'_>, node: usize, ends: &[Ends]) -> Option<Cause> {
    let is_it = |trace: &Trace| {
        let packet = trace.packet.as_ref().filter(|packet| match packet.payload {
            // The rules of IPv6 see the header of every fragment.
            Payload::Other { protocol } => packet.fragment || protocol == FRAGMENT,
            _ => false,
        });
        packet.is_some_and(|packet| ends.iter().any(|own| (own.from, own.to) == (packet.from, packet.to)))
    };
    let (first, end) = find(world, node, is_it)?;
    let to = first.packet.as_ref()?.to;
    Some(cause(world, first, end, &format!("a fragment of the packet to {to}")))
}

/// The next header of a fragment (RFC 8200, section 4.5).
const FRAGMENT: u8 = 44;

/// What dropped the packets of a tunnel to a UDP port in a node.
pub(super) fn dropped_tunnel(world: &World<'_>, node: usize, port: u16) -> Option<Cause> {
    let is_it = |trace: &Trace| {
        let payload = trace.packet.as_ref().map(|packet| &packet.payload);
        matches!(payload, Some(Payload::Udp { port: to, .. }) if *to == port)
    };
    let own = &world.evidence().flow;
    if own.protocol == crate::evidence::Protocol::Udp && own.port == port {
        return None;
    }
    find(world, node, is_it).map(|(first, end)| cause(world, first, end, "the tunnel's packets"))
}

/// What dropped an ICMP error on its way to an end of the probe. A trace shows too little of one to read what it is
/// about; there is no other traffic to these addresses than the probe's.
pub(super) fn dropped_error(world: &World<'_>) -> Option<Cause> {
    let flow = &world.evidence().flow;
    let ends = [flow.source?, flow.to];
    let is_it = |trace: &Trace| {
        trace.packet.as_ref().is_some_and(|packet| {
            let (kind, v6) = match &packet.payload {
                Payload::Icmp(Icmp::Error { kind, .. } | Icmp::Other { kind, .. }) => (*kind, packet.to.is_ipv6()),
                _ => return false,
            };
            // Unreachable, too big, exceeded, problem (RFC 792; RFC 4443, section 3).
            ends.contains(&packet.to) && if v6 { (1..=4).contains(&kind) } else { matches!(kind, 3 | 11 | 12) }
        })
    };
    (0..world.evidence().nodes.len()).find_map(|node| {
        let (first, end) = find(world, node, is_it)?;
        let to = first.packet.as_ref()?.to;
        Some(cause(world, first, end, &format!("the ICMP error to {to}")))
    })
}

/// The solicited-node multicast address of an address (RFC 4291, section 2.7.1).
fn group_of(address: std::net::IpAddr) -> Option<std::net::IpAddr> {
    let std::net::IpAddr::V6(address) = address else { return None };
    let [.., a, b, c] = address.octets();
    let low = u16::from_be_bytes([b, c]);
    Some(std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), low).into())
}

/// The step that ended a packet. Only the first step of each hook shows the packet, so it is known by the number of the
/// steps.
fn find<'a>(world: &World<'a>, node: usize, is_it: impl Fn(&Trace) -> bool) -> Option<(&'a Trace, &'a Trace)> {
    let own = || world.evidence().traces.iter().filter(move |trace| trace.node == node);
    // In a flood most of what ends is something else.
    let known: HashSet<u32> = own().filter(|trace| is_it(trace)).map(|trace| trace.id).collect();
    let is_end = |trace: &&Trace| {
        known.contains(&trace.id) && (trace.verdict == TraceVerdict::Drop || takes_away(world, trace).is_some())
    };
    let mut ends = own().filter(is_end).filter(|trace| counts(world, trace));
    let shown =
        |end: &Trace, near: bool| own().filter(|it| it.id == end.id && (!near || it.chain_is(end)) && is_it(it)).last();
    ends.find_map(|end| Some((shown(end, true).or_else(|| shown(end, false))?, end)))
}

/// Whether a step says what becomes of the probe. What was sent on has left no connection in the nodes before: what looks
/// for one there says nothing.
fn counts(world: &World<'_>, trace: &Trace) -> bool {
    let Some(sent_on) = world.evidence().sent_on.as_ref().filter(|it| it.passed.contains(&trace.node)) else {
        return true;
    };
    let behind = world.evidence().traces.iter().position(|it| std::ptr::eq(it, trace));
    let is_here = |it: &&Rule| it.family == trace.family && it.table == trace.table && it.chain == trace.chain;
    let mut rules = world.node(trace.node).rules.iter().filter(is_here);
    let looks = |rule: &Rule| ["ct ", "conntrack", "state "].iter().any(|word| rule.text.contains(word));
    behind.is_some_and(|at| at < sent_on.traces)
        || match trace.kind {
            TraceKind::Rule(handle) => rules.any(|rule| rule.handle == handle && !looks(rule)),
            TraceKind::Policy | TraceKind::Return => !rules.any(looks),
        }
}

/// Whether a packet is on its way back. Where a node asks itself, only ports and kind tell it from the one there.
fn is_answer(world: &World<'_>, packet: &Packet) -> bool {
    let flow = &world.evidence().flow;
    match flow.source {
        // Who has never sent has not chosen its source.
        None => return packet.from == flow.to,
        Some(source) if source != flow.to => return packet.to == source,
        Some(_) => {}
    }
    packet.to == flow.to && !packet.is_request_of(flow)
}

pub(super) fn what(world: &World<'_>, trace: &Trace) -> String {
    trace.packet.as_ref().map_or_else(
        || "the packet".to_owned(),
        |packet| match &packet.payload {
            _ if is_answer(world, packet) => format!("the answer to {}", packet.to),
            Payload::Tcp { port, .. } => format!("the packet to {}, {port}/tcp,", packet.to),
            Payload::Udp { port, .. } => format!("the packet to {}, {port}/udp,", packet.to),
            _ => format!("the packet to {}", packet.to),
        },
    )
}

fn cause(world: &World<'_>, first: &Trace, trace: &Trace, what: &str) -> Cause {
    let node = world.node(trace.node);
    let name = world.name(trace.node);
    let Trace { family, table, chain, .. } = trace;
    let is_here = |f: &str, t: &str, c: &str| f == family && t == table && c == chain;
    let bridged = is_passing_by(world, first) && ["ip", "ip6", "inet"].contains(&&**family);
    let kind = |usual: CauseKind| if bridged { CauseKind::BridgeNetfilter } else { usual };
    let also = if bridged { ", to which bridge netfilter gives what its bridge passes on" } else { "" };
    let v6 = first.packet.as_ref().is_some_and(|packet| packet.to.is_ipv6());
    let key = if v6 { "bridge-nf-call-ip6tables" } else { "bridge-nf-call-iptables" };
    let off = format!("`sysctl net.bridge.{key} = 0` leaves bridged packets alone");
    let help = |usual: &str| Some(if bridged { off.clone() } else { usual.to_owned() });
    match trace.kind {
        TraceKind::Rule(handle) => {
            let rule = node.rules.iter().find(|it| is_here(&it.family, &it.table, &it.chain) && it.handle == handle);
            let text = rule.map_or_else(|| format!("rule {handle}"), |rule| rule.text.clone());
            let rejects = rule.is_some_and(is_refusing);
            let usual = if rejects { CauseKind::RuleRejected } else { CauseKind::RuleDropped };
            let verb = takes_away(world, trace).unwrap_or(if rejects { "rejected" } else { "dropped" });
            Cause {
                kind: kind(usual),
                words: format!("{name} {verb} {what} by a rule of chain `{chain}` ({family} {table}){also}: {text}"),
                node: Some(name.to_owned()),
                rule: rule.map(|rule| rule.text.clone()),
                blame: rule.and_then(|rule| super::blame::of_rule(world, trace.node, rule)),
                help: help("accept it before this rule, or make the rule narrower"),
            }
        }
        TraceKind::Policy | TraceKind::Return if left_for_good(world, trace).is_some() => {
            let rule = left_for_good(world, trace);
            let text = rule.map(|rule| rule.text.clone()).unwrap_or_default();
            Cause {
                kind: kind(CauseKind::PolicyDropped),
                words: format!(
                    "{name} dropped {what} because the rule `{text}` of chain `{chain}` ({family} {table}){also} does not \
                     come back from where it leads, no rule decided there, and the policy is drop"
                ),
                node: Some(name.to_owned()),
                blame: rule.and_then(|rule| rule.place.clone()),
                rule: Some(text),
                help: help("`jump` comes back to the rules behind it"),
            }
        }
        TraceKind::Policy | TraceKind::Return => {
            let found = node.chains.iter().find(|it| is_here(&it.family, &it.table, &it.name));
            Cause {
                kind: kind(CauseKind::PolicyDropped),
                words: format!(
                    "{name} dropped {what} because no rule of chain `{chain}` ({family} {table}){also} matched it and the \
                     policy is drop"
                ),
                node: Some(name.to_owned()),
                rule: None,
                blame: found.and_then(|chain: &Chain| -> Option<Blame> { chain.place.clone() }),
                help: help("a rule of that chain must accept it"),
            }
        }
    }
}

/// Whether a rule says so to the sender: nft's `reject`, and the target REJECT of iptables.
pub(super) fn is_refusing(rule: &Rule) -> bool {
    rule.text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word.eq_ignore_ascii_case("reject"))
}

/// Whether a node's rules may change the ends of packets.
pub(super) fn may_translate(world: &World<'_>, node: usize) -> bool {
    let words = ["dnat", "snat", "masquerade", "redirect", "DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP"];
    let translates = |rule: &Rule| {
        rule.text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| words.contains(&word)) || rule.table == "nat"
    };
    world.node(node).rules.iter().any(translates)
}

/// Whether a packet is for neither address nor MAC address of the node, so that its bridge passes it on.
fn is_passing_by(world: &World<'_>, trace: &Trace) -> bool {
    let Some(packet) = &trace.packet else { return false };
    !world.has(trace.node, packet.to) && !world.has(trace.node, packet.from) && is_bridged(world, trace)
}

/// Whether both interfaces of a step are one bridge, or ports of one.
fn is_bridged(world: &World<'_>, trace: &Trace) -> bool {
    let bridge = |index: Option<u32>| {
        let index = index?;
        let interface = world.interface((trace.node, index))?;
        interface.master.or((interface.kind.as_deref() == Some("bridge")).then_some(index))
    };
    bridge(trace.iif).is_some() && (trace.oif.is_none() || bridge(trace.oif) == bridge(trace.iif))
}

/// The ends that a packet with these ends had behind a node's translations, where a later hook, or a rule behind them, has
/// shown it.
pub(super) fn translated(world: &World<'_>, node: usize, ends: Ends) -> Option<Ends> {
    let own = || world.evidence().traces.iter().filter(move |trace| trace.node == node);
    let shown = |trace: &Trace| trace.packet.as_ref().and_then(Ends::of);
    let id = own().find(|trace| shown(trace) == Some(ends))?.id;
    let is_later = |trace: &Trace| trace.table == LOOKS && ["input", "forward", "postrouting"].contains(&&*trace.chain);
    let last = own().filter(|trace| trace.id == id).filter_map(|trace| Some((trace, shown(trace)?))).next_back()?;
    if is_later(last.0) || last.1 != ends {
        return Some(last.1);
    }
    // What ends before that has only the text of the rule that took it.
    let taken = own().filter(|trace| trace.id == id && trace.verdict == TraceVerdict::Accept);
    taken.into_iter().find_map(|trace| {
        let TraceKind::Rule(handle) = trace.kind else { return None };
        let is_it = |it: &&Rule| {
            (&it.family, &it.table, &it.chain, it.handle) == (&trace.family, &trace.table, &trace.chain, handle)
        };
        let (to, port) = target_of(&world.node(node).rules.iter().find(is_it)?.text)?;
        Some(Ends { to, port: port.filter(|_| ends.port != ends.source_port).unwrap_or(ends.port), ..ends })
    })
}

/// Where a rule sends packets, or from where: `dnat to ADDRESS[:PORT]` and `snat` of nft(8), `--to-destination
/// ADDRESS[:PORT]` and `--to-source` of iptables.
pub(super) fn target_of(text: &str) -> Option<(std::net::IpAddr, Option<u16>)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after =
        words.iter().position(|word| ["--to-destination", "--to-source"].contains(word)).map(|at| at + 1).or_else(
            || {
                let dnat = words.iter().position(|word| ["dnat", "snat"].contains(word))?;
                words.iter().skip(dnat).position(|word| *word == "to").map(|at| dnat + at + 1)
            },
        )?;
    let target = words.get(after)?;
    if let Ok(socket) = target.parse::<std::net::SocketAddr>() {
        return Some((socket.ip(), Some(socket.port())));
    }
    target.trim_matches(['[', ']']).parse().ok().map(|address| (address, None))
}
