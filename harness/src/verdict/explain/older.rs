//! Rules of the older iptables, which say nothing of a packet, but count.

use std::net::IpAddr;

use super::blame;
use super::rule_text::target;
use super::trails::Ends;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Protocol, Rule};
use crate::words::Cidr;

/// What dropped or refused a packet with any of these ends: the one rule that has counted meanwhile and could have meant
/// it, or the one policy that has. Where several have, nobody can say which.
pub(super) fn dropped(world: &World<'_>, node: usize, ends: &[Ends]) -> Option<Cause> {
    let state = world.node(node);
    let family = if world.evidence().flow.to.is_ipv4() { "iptables" } else { "ip6tables" };
    let protocol = world.evidence().flow.protocol;
    let ended = |rule: &&Rule| {
        let target = target(&rule.text);
        let counted = rule.packets.is_some_and(|packets| packets > 0);
        rule.family == family
            && counted
            && matches!(target, Some("DROP" | "REJECT"))
            && ends.iter().any(|ends| may_mean(&rule.text, protocol, *ends))
    };
    let mut rules = state.rules.iter().filter(ended);
    let what = what(world, ends);
    let name = world.name(node);
    if let Some(rule) = rules.next() {
        if rules.next().is_some() {
            return None;
        }
        let rejects = target(&rule.text) == Some("REJECT");
        let (kind, verb) =
            if rejects { (CauseKind::RuleRejected, "rejected") } else { (CauseKind::RuleDropped, "dropped") };
        return Some(Cause {
            kind,
            words: format!(
                "{name} {verb} {what} by a rule of chain `{}` ({family} {}): {}",
                rule.chain, rule.table, rule.text
            ),
            node: Some(name.to_owned()),
            rule: Some(rule.text.clone()),
            blame: blame::of_rule(world, node, rule),
            help: Some("accept it before this rule, or make the rule narrower".to_owned()),
        });
    }
    let drops = |policy: Option<&str>| policy == Some("drop");
    let mut chains = state.chains.iter().filter(|chain| {
        chain.family == family && drops(chain.policy.as_deref()) && chain.packets.is_some_and(|packets| packets > 0)
    });
    let chain = chains.next().filter(|_| chains.next().is_none())?;
    Some(Cause {
        kind: CauseKind::PolicyDropped,
        words: format!(
            "{name} dropped {what} because no rule of chain `{}` ({family} {}) matched it and the policy is drop",
            chain.name, chain.table
        ),
        node: Some(name.to_owned()),
        rule: None,
        blame: chain.place.clone(),
        help: Some("a rule of that chain must accept it".to_owned()),
    })
}

/// The packet with these ends; of several that a translation has made of it, as it came.
fn what(world: &World<'_>, ends: &[Ends]) -> String {
    let flow = &world.evidence().flow;
    let Some(Ends { to, port, source_port, .. }) = ends.first().copied() else { return "the packet".to_owned() };
    let back = if flow.source == Some(flow.to) { port != flow.port } else { Some(to) == flow.source };
    match flow.protocol {
        // A node that asks itself for an echo gets the answer with the same ends.
        Protocol::Icmp | Protocol::Neighbour if flow.source == Some(flow.to) => format!("the packet to {to}"),
        _ if back && port != source_port => format!("the answer to {to}"),
        Protocol::Tcp => format!("the packet to {to}, {port}/tcp,"),
        Protocol::Udp => format!("the packet to {to}, {port}/udp,"),
        _ if back => format!("the answer to {to}"),
        Protocol::Icmp | Protocol::Neighbour => format!("the packet to {to}"),
    }
}

fn behind<'t>(text: &'t str, keys: &[&str]) -> Option<&'t str> {
    let mut words = text.split_whitespace();
    words.find(|word| keys.contains(word))?;
    words.next()
}

/// Whether nothing that a rule says of protocol, addresses and ports speaks against these ends; `!` and what else a rule
/// may look at is not read.
fn may_mean(text: &str, protocol: Protocol, ends: Ends) -> bool {
    if text.contains('!') {
        return true;
    }
    let named = match protocol {
        Protocol::Tcp => &["tcp"][..],
        Protocol::Udp => &["udp"],
        Protocol::Icmp | Protocol::Neighbour => &["icmp", "ipv6-icmp"],
    };
    let covers = |keys: &[&str], address: IpAddr| {
        behind(text, keys).is_none_or(|cidr| match cidr.split_once('/') {
            Some((base, length)) => match (base.parse(), length.parse()) {
                (Ok(base), Ok(length)) => Cidr { address: base, length }.contains(address),
                _ => true,
            },
            None => cidr.parse().is_ok_and(|base: IpAddr| base == address),
        })
    };
    let port = |keys: &[&str], port: u16| behind(text, keys).is_none_or(|range| in_range(range, port));
    behind(text, &["-p"]).is_none_or(|word| named.contains(&word))
        && covers(&["-s"], ends.from)
        && covers(&["-d"], ends.to)
        && port(&["--dport", "--dports"], ends.port)
        && port(&["--sport", "--sports"], ends.source_port)
}

/// `PORT`, `FIRST:LAST`, or several with commas (iptables-extensions(8)).
fn in_range(text: &str, port: u16) -> bool {
    text.split(',').any(|part| match part.split_once(':') {
        Some((first, last)) => {
            let (first, last) = (first.parse().unwrap_or(0), last.parse().unwrap_or(u16::MAX));
            (first..=last).contains(&port)
        }
        None => part.parse() == Ok(port),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_means_what_it_does_not_exclude() {
        let ends = Ends { from: [10, 0, 0, 1].into(), to: [10, 0, 1, 2].into(), source_port: 4000, port: 80 };
        for (text, wanted) in [
            ("-A FORWARD -j DROP", true),
            ("-A FORWARD -p tcp -m tcp --dport 80 -j DROP", true),
            ("-A FORWARD -p udp -m udp --dport 80 -j DROP", false),
            ("-A FORWARD -p tcp -m tcp --dport 81 -j DROP", false),
            ("-A FORWARD -p tcp -m tcp --sport 80 -j DROP", false),
            ("-A FORWARD -p tcp -m tcp --dport 70:90 -j DROP", true),
            ("-A FORWARD -p tcp -m multiport --dports 22,80 -j DROP", true),
            ("-A FORWARD -p tcp -m multiport --dports 22,443 -j DROP", false),
            ("-A FORWARD -s 10.0.0.0/24 -d 10.0.1.2/32 -j REJECT", true),
            ("-A FORWARD -s 10.0.9.0/24 -j DROP", false),
            ("-A FORWARD ! -s 10.0.9.0/24 -j DROP", true),
        ] {
            assert_eq!(may_mean(text, Protocol::Tcp, ends), wanted, "{text}");
        }
    }

    #[test]
    fn a_target_stands_behind_its_word() {
        assert_eq!(target("-A INPUT -p tcp -j REJECT --reject-with tcp-reset"), Some("REJECT"));
        assert_eq!(target("-A INPUT -p tcp"), None);
    }
}
