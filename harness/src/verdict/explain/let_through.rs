//! The rules that let through what should not have come through.

use super::endpoint;
use super::rule_text;
use super::trails::{Ends, Trail, Trails};
use super::unmet;
use super::unseen;
use super::walk::{self, Step};
use super::world::World;
use crate::evidence::{Blame, Cause, CauseKind, Chain, LOOKS, NodeState, Rule, Trace, TraceKind, TraceVerdict, Way};
use crate::observation::Seen;
use crate::words::Outcome;

/// A node that a packet has passed, and the ends that it had there.
struct Visit {
    node: usize,
    ends: Vec<Ends>,
    /// The hooks that it came by there; none for what a bridge passed on.
    hooks: &'static [&'static str],
}

/// By what each firewall on the way there has let a packet through that somebody should have refused; nothing where the
/// packet did not arrive.
pub(super) fn of(world: &World<'_>, steps: &[Step], trails: &Trails<'_>) -> Vec<Cause> {
    let there: Vec<&Step> = steps.iter().filter(|step| step.way == Way::Request).collect();
    let arrived = match walk::seen(world) {
        Some(Seen::Answered | Seen::Delivered) => true,
        // Who refuses has got it.
        Some(Seen::Reset) => there.last().is_some_and(|step| {
            let last = trails.there.first().and_then(Trail::last);
            let came = last.is_some_and(|last| last.frame.node == step.node && !last.frame.outgoing);
            step.is_local() && came && step.inside.iter().all(is_endpoints)
        }),
        _ => false,
    };
    if !arrived || !is_unwanted(world) {
        return Vec::new();
    }
    let visits = visits(&there, trails);
    let refuser = world.matter.check.refuser().map(|refuser| refuser.node);
    let asked: Vec<&Visit> = visits.iter().filter(|visit| refuser.is_none_or(|node| node == visit.node)).collect();
    if let (Some(node), []) = (refuser, &*asked) {
        return vec![unseen::not_passed(world, node)];
    }
    let mut causes: Vec<Cause> = asked.iter().filter_map(|visit| by(world, visit)).collect();
    if causes.is_empty() {
        let unseen =
            |visit: &&Visit| unseen::no_chain(world, (visit.node, visit.hooks), visit.ends[0].to, refuser.is_some());
        causes = asked.iter().filter_map(unseen).collect();
    }
    causes.dedup();
    causes
}

/// All nodes that a packet was seen in, bridges included.
fn visits(there: &[&Step], trails: &Trails<'_>) -> Vec<Visit> {
    let sights = trails.there.first().map(|trail| &*trail.sights).unwrap_or_default();
    let seen = sights.iter().filter_map(|sight| Some((sight.frame.node, vec![Ends::of(&sight.packet)?])));
    let hooks = |node: usize| there.iter().find(|step| step.node == node).map_or(&[][..], |step| unmet::hooks(step));
    let mut visits: Vec<Visit> = Vec::new();
    for (node, ends) in seen.chain(there.iter().map(|step| (step.node, step.ends()))) {
        match visits.iter_mut().find(|visit| visit.node == node) {
            Some(visit) => visit.ends.extend(ends),
            None if !ends.is_empty() => visits.push(Visit { node, ends, hooks: hooks(node) }),
            None => {}
        }
    }
    visits
}

/// Whether it is not a rule's doing.
fn is_endpoints(cause: &Cause) -> bool {
    !matches!(cause.kind, CauseKind::RuleRejected | CauseKind::RuleDropped | CauseKind::PolicyDropped)
}

/// Whether nothing that the case waits for is an arrival.
fn is_unwanted(world: &World<'_>) -> bool {
    let arrivals = [Outcome::Reachable, Outcome::Open, Outcome::Delivered, Outcome::Refused];
    let outcome = endpoint::wanted_outcome(world.matter.check);
    world.matter.check.refuser().is_some()
        || (!outcome.is_empty() && !outcome.iter().any(|word| arrivals.contains(word)))
}

/// By what a node has let it through: the rule that accepted it, or else the policy of a chain that refuses others.
fn by(world: &World<'_>, visit: &Visit) -> Option<Cause> {
    let own = || world.evidence().traces.iter().filter(|trace| trace.node == visit.node && trace.table != LOOKS);
    let is_it = |trace: &&Trace| trace.packet.as_ref().and_then(Ends::of).is_some_and(|it| visit.ends.contains(&it));
    let first = world.evidence().traces.iter().filter(|trace| trace.node == visit.node).find(is_it)?;
    let node = world.node(visit.node);
    let accepted = || {
        let refuses = |trace: &&Trace| refuses(node, trace);
        own().filter(|trace| trace.id == first.id && trace.verdict == TraceVerdict::Accept).filter(refuses)
    };
    let by_rule = accepted().find_map(|trace| match trace.kind {
        TraceKind::Rule(handle) => Some((trace, Some(handle))),
        TraceKind::Policy | TraceKind::Return => None,
    });
    let (trace, handle) = by_rule.or_else(|| accepted().next().map(|trace| (trace, None)))?;
    Some(cause(world, visit, trace, handle))
}

/// Whether the table of a step has what could have refused the packet: the chains of one table are one firewall.
fn refuses(node: &NodeState, trace: &Trace) -> bool {
    let here = |family: &str, table: &str| family == trace.family && table == trace.table;
    let filters = |chain: &Chain| here(&chain.family, &chain.table) && chain.policy.as_deref() == Some("drop");
    let stops = |rule: &Rule| here(&rule.family, &rule.table) && rule_text::stops(rule);
    node.chains.iter().any(filters) || node.rules.iter().any(stops)
}

fn cause(world: &World<'_>, visit: &Visit, trace: &Trace, handle: Option<u64>) -> Cause {
    let (node, name) = (world.node(visit.node), world.name(visit.node));
    let Trace { family, table, chain, .. } = trace;
    let is_here = |f: &str, t: &str, c: &str| f == family && t == table && c == chain;
    let to = visit.ends[0].to;
    if let Some(handle) = handle {
        let rule = node.rules.iter().find(|it| is_here(&it.family, &it.table, &it.chain) && it.handle == handle);
        let text = rule.map_or_else(|| format!("rule {handle}"), |rule| rule.text.clone());
        return Cause {
            kind: CauseKind::LetThrough,
            words: format!(
                "{name} let the packet to {to} through by a rule of chain `{chain}` ({family} {table}): {text}"
            ),
            node: Some(name.to_owned()),
            rule: rule.map(|rule| rule.text.clone()),
            blame: rule.and_then(|rule| rule.place.clone()),
            help: Some("refuse it before this rule, or make the rule narrower".to_owned()),
        };
    }
    let found = node.chains.iter().find(|it| is_here(&it.family, &it.table, &it.name));
    Cause {
        kind: CauseKind::LetThrough,
        words: format!(
            "{name} let the packet to {to} through because no rule of chain `{chain}` ({family} {table}) matched it and the \
             policy is accept"
        ),
        node: Some(name.to_owned()),
        rule: None,
        blame: found.and_then(|chain: &Chain| -> Option<Blame> { chain.place.clone() }),
        help: Some("a rule of that chain must refuse it".to_owned()),
    }
}
