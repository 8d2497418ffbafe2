//! Why no rule of a node has looked at a packet.

use std::net::IpAddr;

use super::blame;
use super::conditions;
use super::rule_text;
use super::unmet::is_users;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Chain, Rule};
use crate::verdict::words::all_of;

/// That a packet did not pass the node that should have refused it.
pub(super) fn not_passed(world: &World<'_>, node: usize) -> Cause {
    let name = world.name(node);
    let words = format!("the packet did not pass {name}: it went another way");
    let help = format!("routes that lead through {name}, or another node that refuses it");
    blame::on_node(world, node, CauseKind::LetThrough, words, Some(help))
}

/// Why none of a node's rules has looked at a packet that came by these hooks, or was passed on by its bridge; nothing
/// where one may have. A node that the case does not name needs rules that would refuse something before it is blamed.
pub(super) fn no_chain(world: &World<'_>, (node, hooks): (usize, &[&str]), to: IpAddr, named: bool) -> Option<Cause> {
    let (state, name) = (world.node(node), world.name(node));
    let chains: Vec<&Chain> = state.chains.iter().filter(|chain| chain.hook.is_some() && is_users(chain)).collect();
    if chains.is_empty() {
        let words = format!("nothing in {name} refuses the packet to {to}: it has no rules, and it has a way for it");
        return named.then(|| blame::on_node(world, node, CauseKind::LetThrough, words, None));
    }
    let refusing: Vec<&Chain> = chains.into_iter().filter(|chain| refuses(world, node, chain)).collect();
    let first = refusing.first()?;
    let why = if refusing.iter().all(|chain| !conditions::sees(&chain.family, to.is_ipv6())) {
        let (own, other) = if to.is_ipv6() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
        format!("its rules are about {own} only, and {to} is {other}")
    } else if refusing.iter().all(|chain| is_elsewhere(chain, hooks)) {
        let mut stand: Vec<&str> = refusing.iter().filter_map(|chain| chain.hook.as_deref()).collect();
        stand.dedup();
        let not = if hooks.is_empty() {
            "where what its bridge passes on is not seen"
        } else {
            "where the packet did not pass"
        };
        format!("its rules stand at {}, {not}", all_of(&stand))
    } else {
        return None;
    };
    Some(Cause {
        kind: CauseKind::LetThrough,
        words: format!("no rule of {name} has looked at the packet to {to}: {why}"),
        node: Some(name.to_owned()),
        rule: None,
        blame: first.place.clone(),
        help: None,
    })
}

/// Whether the table of a chain has something that refuses packets.
fn refuses(world: &World<'_>, node: usize, chain: &Chain) -> bool {
    let is_here = |rule: &&Rule| (&rule.family, &rule.table) == (&chain.family, &chain.table);
    let mut rules = world.node(node).rules.iter().filter(is_here);
    chain.policy.as_deref() == Some("drop") || rules.any(rule_text::stops)
}

/// Whether a chain stands at a hook that a packet did not come by: those of interfaces and of bridges see others.
fn is_elsewhere(chain: &Chain, hooks: &[&str]) -> bool {
    let routed = ["ip", "ip6", "inet", "iptables", "ip6tables"].contains(&&*chain.family);
    routed && chain.hook.as_deref().is_some_and(|hook| !hooks.contains(&hook) && hook != "ingress")
}
