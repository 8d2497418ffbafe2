//! What single rules have done with a packet, other than to drop it or to let it pass.

use std::collections::HashSet;

use super::rule_text;
use super::trails::Ends;
use super::world::World;
use crate::evidence::{Rule, Trace, TraceKind, TraceVerdict};

/// What a rule has done that neither dropped a packet nor let it go on: sent it by another interface, or given it to a
/// program (nft(8), `fwd` and `queue`; iptables-extensions(8), `NFQUEUE`).
pub(super) fn takes_away(world: &World<'_>, trace: &Trace) -> Option<&'static str> {
    let (TraceKind::Rule(handle), TraceVerdict::Other(_)) = (trace.kind, &trace.verdict) else { return None };
    let is_it = |it: &&Rule| {
        (&it.family, &it.table, &it.chain, it.handle) == (&trace.family, &trace.table, &trace.chain, handle)
    };
    let words = rule_text::words(world.node(trace.node).rules.iter().find(is_it)?);
    let has = |word: &str| words.contains(&word);
    match () {
        () if has("fwd") => Some("sent elsewhere"),
        () if has("queue") || has("NFQUEUE") => Some("gave a program"),
        () => None,
    }
}

/// The one rule that has set the time to live, or hop limit, of a packet with any of these ends (nft(8), payload
/// statements; iptables-extensions(8), `TTL` and `HL`).
pub(super) fn set_ttl<'a>(world: &World<'a>, node: usize, ends: &[Ends]) -> Option<&'a Rule> {
    let own = || world.evidence().traces.iter().filter(move |trace| trace.node == node);
    let of = |trace: &&Trace| trace.packet.as_ref().and_then(Ends::of).is_some_and(|found| ends.contains(&found));
    let known: HashSet<u32> = own().filter(of).map(|trace| trace.id).collect();
    let sets = |rule: &&Rule| {
        let words = rule_text::words(rule);
        let pair = |one: &str| words.windows(2).any(|pair| pair == [one, "set"]);
        pair("ttl") || pair("hoplimit") || matches!(rule_text::target(&rule.text), Some("TTL" | "HL"))
    };
    let passed = |rule: &&Rule| {
        own().any(|trace| {
            known.contains(&trace.id)
                && trace.kind == TraceKind::Rule(rule.handle)
                && (&trace.family, &trace.table, &trace.chain) == (&rule.family, &rule.table, &rule.chain)
        })
    };
    let mut found = world.node(node).rules.iter().filter(sets).filter(passed);
    found.next().filter(|_| found.next().is_none())
}

/// The rule by which a packet has left the chain of a step for another one, never to come back (nft(8), `goto`).
pub(super) fn left_for_good<'a>(world: &World<'a>, end: &Trace) -> Option<&'a Rule> {
    let mut own =
        world.evidence().traces.iter().filter(|it| it.node == end.node && it.id == end.id && it.chain_is(end));
    let handle = own.find_map(|it| match (it.kind, &it.verdict) {
        (TraceKind::Rule(handle), TraceVerdict::Goto(_)) => Some(handle),
        _ => None,
    })?;
    let is_it =
        |it: &&Rule| (&it.family, &it.table, &it.chain, it.handle) == (&end.family, &end.table, &end.chain, handle);
    world.node(end.node).rules.iter().find(is_it)
}
