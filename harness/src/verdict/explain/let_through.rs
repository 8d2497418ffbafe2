//! The rules that let through what should not have come through.

use super::endpoint;
use super::rules;
use super::trails::Ends;
use super::walk::{self, Step};
use super::world::World;
use crate::evidence::{Blame, Cause, CauseKind, Chain, LOOKS, NodeState, Trace, TraceKind, TraceVerdict, Way};
use crate::observation::Seen;
use crate::words::Outcome;

/// By what each firewall on the way there has let a packet through that somebody should have refused; nothing where the
/// packet did not arrive.
pub(super) fn of(world: &World<'_>, steps: &[Step]) -> Vec<Cause> {
    let there: Vec<&Step> = steps.iter().filter(|step| step.way == Way::Request).collect();
    let arrived = match walk::seen(world) {
        Some(Seen::Answered | Seen::Delivered) => true,
        // Who refuses has got it.
        Some(Seen::Reset) => there.last().is_some_and(|step| step.is_local() && step.inside.iter().all(is_endpoints)),
        _ => false,
    };
    if !arrived || !is_unwanted(world) {
        return Vec::new();
    }
    let refuser = world.matter.check.refuser().map(|refuser| refuser.node);
    let asked = |step: &&&Step| refuser.is_none_or(|node| node == step.node);
    let mut causes: Vec<Cause> = there.iter().filter(asked).filter_map(|step| by(world, step)).collect();
    causes.dedup();
    causes
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
fn by(world: &World<'_>, step: &Step) -> Option<Cause> {
    let ends = step.ends();
    let own = || world.evidence().traces.iter().filter(|trace| trace.node == step.node && trace.table != LOOKS);
    let is_it = |trace: &Trace| trace.packet.as_ref().and_then(Ends::of).is_some_and(|found| ends.contains(&found));
    let first = world.evidence().traces.iter().find(|trace| trace.node == step.node && is_it(trace))?;
    let node = world.node(step.node);
    let accepted = || {
        let refuses = |trace: &&Trace| refuses(node, trace);
        own().filter(|trace| trace.id == first.id && trace.verdict == TraceVerdict::Accept).filter(refuses)
    };
    let by_rule = accepted().find_map(|trace| match trace.kind {
        TraceKind::Rule(handle) => Some((trace, Some(handle))),
        TraceKind::Policy | TraceKind::Return => None,
    });
    let (trace, handle) = by_rule.or_else(|| accepted().next().map(|trace| (trace, None)))?;
    Some(cause(world, step, trace, handle))
}

/// Whether the table of a step has what could have refused the packet: the chains of one table are one firewall.
fn refuses(node: &NodeState, trace: &Trace) -> bool {
    let drops =
        |text: &str| text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word.eq_ignore_ascii_case("drop"));
    let here = |family: &str, table: &str| family == trace.family && table == trace.table;
    let filters = |chain: &Chain| here(&chain.family, &chain.table) && chain.policy.as_deref() == Some("drop");
    node.chains.iter().any(filters)
        || node
            .rules
            .iter()
            .any(|rule| here(&rule.family, &rule.table) && (drops(&rule.text) || rules::is_refusing(rule)))
}

fn cause(world: &World<'_>, step: &Step, trace: &Trace, handle: Option<u64>) -> Cause {
    let (node, name) = (world.node(step.node), world.name(step.node));
    let Trace { family, table, chain, .. } = trace;
    let is_here = |f: &str, t: &str, c: &str| f == family && t == table && c == chain;
    let to = step.before.to;
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
