//! What is known where no cause is, and what was ruled out.

use super::death::Death;
use super::rule_text;
use super::trails::Trails;
use super::walk::{self, Step};
use super::world::World;
use crate::evidence::{Rule, Trace, TraceVerdict, Way};
use crate::observation::{Observation, Seen};

/// What is known, a line each.
pub(super) fn of(world: &World<'_>, steps: &[Step], death: Option<&Death>, trails: &Trails<'_>) -> Vec<String> {
    let Some(death) = death else {
        // An answer that is not the one expected says enough itself.
        let nothing = matches!(world.matter.observation, Some(Observation::NoAnswer { .. }))
            || walk::seen(world) == Some(Seen::Silent);
        let back = trails.back.iter().any(|trail| trail.last().is_some_and(|sight| !sight.frame.outgoing));
        return (back && nothing).then(|| "packets went there and came back".to_owned()).into_iter().collect();
    };
    let step = &steps[death.step];
    let name = world.name(step.node);
    let what = if step.way == Way::Answer { "the answer" } else { "the packet" };
    let mut known = vec![if death.on_link {
        format!("{what} left {name} and was seen nowhere else but in {}", world.name(death.node))
    } else if step.iif.is_some() {
        format!("{what} was seen last coming into {name}")
    } else {
        format!("{what} was seen on no interface of {name}")
    }];
    let out = ruled_out(world, step);
    if !out.is_empty() {
        known.push(format!("ruled out in {name}: {}", out.join(", ")));
    }
    known
}

/// Whether a rule does more to a packet than let it pass: changes it, sends it elsewhere, or makes another one of it.
fn changes(rule: &Rule) -> bool {
    let statements = ["set", "fwd", "dup", "queue", "tproxy", "synproxy"];
    let targets = ["TTL", "HL", "TEE", "NFQUEUE", "TPROXY", "SYNPROXY", "MARK", "CONNMARK", "TCPMSS", "CT"];
    rule_text::words(rule).iter().any(|word| statements.contains(word) || targets.contains(word))
}

/// What a node is known not to have dropped a packet for.
fn ruled_out(world: &World<'_>, step: &Step) -> Vec<&'static str> {
    let node = world.node(step.node);
    let mut out = Vec::new();
    if node.interfaces.iter().all(|interface| interface.up && (interface.carrier || interface.name == "lo")) {
        out.push("an interface that is down");
    }
    let marked = node.policy.iter().any(|rule| rule.text.contains("fwmark"));
    if (step.is_local() || step.has_way()) && !marked {
        out.push("a missing route");
    }
    let mut traced = world.evidence().traces.iter().filter(|trace| trace.node == step.node).peekable();
    let all = !world.evidence().untraced.contains(&step.node);
    let passes = |trace: &Trace| !matches!(trace.verdict, TraceVerdict::Drop | TraceVerdict::Other(_));
    if all && traced.peek().is_some() && traced.all(passes) && !node.rules.iter().any(changes) {
        out.push("a rule");
    }
    out
}
