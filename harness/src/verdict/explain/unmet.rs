//! What rules would do with a packet that never came to them, as far as their texts say it for certain.

use super::conditions::{self, Passage};
use super::rule_text;
use super::translator;
use super::travelling::Travelling;
use super::walk::{OWN_TABLE, Step};
use super::wire;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Chain, LOOKS, Protocol, Rule, Trace, TraceKind, TraceVerdict};

/// How deep chains lead to chains (`NFT_JUMP_STACK_SIZE` of `nf_tables.h`).
const DEEPEST: usize = 16;

/// What becomes of a packet in a chain.
enum Fate {
    /// It goes on to the next base chain.
    Accepted,
    /// It comes to the end of the chain.
    Through,
    Refused(Cause),
    /// The texts do not say.
    Unknown,
}

/// A packet at a node, and what is known of it there.
struct Visit<'w, 'a> {
    world: &'w World<'a>,
    passage: Passage<'a>,
    /// What the node's rules did with it before it ended.
    traces: Vec<&'a Trace>,
}

/// The hooks that a packet comes by in a node (nft(8), "ADDRESS FAMILIES").
pub(super) fn hooks(step: &Step) -> &'static [&'static str] {
    match (step.iif.is_some(), step.is_local()) {
        (true, true) => &["prerouting", "input"],
        (true, false) => &["prerouting", "forward", "postrouting"],
        (false, true) => &["output", "postrouting", "prerouting", "input"],
        (false, false) => &["output", "postrouting"],
    }
}

/// What else would refuse a packet at a node, behind what has stopped it.
pub(super) fn refusal(world: &World<'_>, step: &Step) -> Option<Cause> {
    if step.iif.is_none() && step.is_local() {
        return None;
    }
    let node = world.node(step.node);
    let traces = translator::steps_of(world, step.node, &step.ends());
    for hook in hooks(step) {
        let visit = Visit { world, passage: passage(world, step, hook)?, traces: traces.clone() };
        let is_here = |chain: &&Chain| chain.hook.as_deref() == Some(hook) && looks_at(chain, &visit.passage);
        let mut chains: Vec<&Chain> = node.chains.iter().filter(is_here).collect();
        chains.sort_by_key(|chain| chain.priority);
        for base in chains {
            match visit.base(base) {
                Fate::Accepted | Fate::Through => {}
                Fate::Refused(cause) => return Some(cause),
                Fate::Unknown => return None,
            }
        }
    }
    None
}

fn looks_at(chain: &Chain, passage: &Passage<'_>) -> bool {
    let routed = ["ip", "ip6", "inet", "iptables", "ip6tables"].contains(&&*chain.family);
    routed && conditions::sees(&chain.family, passage.ends.to.is_ipv6()) && is_users(chain)
}

/// Whether it is one of the case's own.
pub(super) fn is_users(chain: &Chain) -> bool {
    chain.table != LOOKS && chain.table != OWN_TABLE
}

/// The packet as rules see it at a hook.
fn passage<'a>(world: &World<'a>, step: &Step, hook: &str) -> Option<Passage<'a>> {
    let (before, after) = (step.before, step.leaving());
    // The target is another one before the way is chosen.
    let seen = if hook == "prerouting" { before } else { Travelling { to: after.to, port: after.port, ..before } };
    // Behind what has no way it is the way to the machine that it should have gone to.
    let out = step.out().map(|out| out.1).or_else(|| {
        let next = step.next()?;
        let mut own = world.node(step.node).interfaces.iter().map(|it| it.index);
        own.find(|index| wire::between(world, (step.node, *index), next).is_some())
    });
    let out = out.filter(|_| matches!(hook, "forward" | "postrouting" | "output"));
    Passage::of(world, step, seen, out)
}

impl Visit<'_, '_> {
    fn base(&self, base: &Chain) -> Fate {
        // What has decided about it already needs no reading.
        let decided = |trace: &&&Trace| trace.verdict == TraceVerdict::Accept && is_of(base, trace);
        if self.traces.iter().any(|trace| decided(&trace)) {
            return Fate::Accepted;
        }
        match self.chain(base, &base.name, 0) {
            Fate::Through if base.policy.as_deref() == Some("drop") => {
                // Who accepts it before the rule that has dropped it keeps it from the policy, too.
                if self.has_ended_in(base) { Fate::Through } else { Fate::Refused(self.by_policy(base)) }
            }
            other => other,
        }
    }

    fn chain(&self, base: &Chain, name: &str, depth: usize) -> Fate {
        if depth > DEEPEST {
            return Fate::Unknown;
        }
        let is_here = |rule: &&Rule| rule.family == base.family && rule.table == base.table && rule.chain == name;
        for rule in self.world.node(self.passage.node).rules.iter().filter(is_here) {
            let fit = conditions::fit(self.world, rule, &self.passage);
            if !fit.misses.is_empty() || self.has_ended(rule) {
                continue;
            }
            if fit.unknown {
                return Fate::Unknown;
            }
            if rule_text::accepts(rule) {
                return Fate::Accepted;
            }
            if rule_text::stops(rule) {
                // One that drops whatever is left is a policy.
                let rest = self.has_ended_in(base) && !conditions::is_narrow(rule);
                return if rest { Fate::Through } else { Fate::Refused(self.by_rule(rule)) };
            }
            if rule_text::returns(rule) {
                return Fate::Through;
            }
            if rule_text::translates_source(rule) || rule_text::translates_target(rule) {
                return Fate::Unknown;
            }
            if let Some(other) = rule_text::leads_to(rule).filter(|other| self.has_chain(base, other)) {
                match self.chain(base, other, depth + 1) {
                    Fate::Through if !rule_text::is_final(rule) => {}
                    Fate::Through if depth == 0 => return Fate::Through,
                    Fate::Through => return Fate::Unknown,
                    fate => return fate,
                }
            }
        }
        Fate::Through
    }

    fn has_chain(&self, base: &Chain, name: &str) -> bool {
        let chains = &self.world.node(self.passage.node).chains;
        chains.iter().any(|it| it.family == base.family && it.table == base.table && it.name == name)
    }

    /// Whether the packet has ended in the table of a chain.
    fn has_ended_in(&self, base: &Chain) -> bool {
        let here = |trace: &&&Trace| (&trace.family, &trace.table) == (&base.family, &base.table);
        self.traces.iter().any(|trace| here(&trace) && trace.verdict == TraceVerdict::Drop)
    }

    /// Whether it is the rule that has ended it: what comes behind is asked for.
    fn has_ended(&self, rule: &Rule) -> bool {
        self.traces.iter().any(|trace| {
            let here = (&trace.family, &trace.table, &trace.chain) == (&rule.family, &rule.table, &rule.chain);
            here && trace.kind == TraceKind::Rule(rule.handle) && trace.verdict == TraceVerdict::Drop
        })
    }

    fn by_rule(&self, rule: &Rule) -> Cause {
        let rejects = rule_text::refuses(rule);
        let kind = if rejects { CauseKind::RuleRejected } else { CauseKind::RuleDropped };
        let verb = if rejects { "reject" } else { "drop" };
        let (name, what) = (self.world.name(self.passage.node), self.what());
        let Rule { family, table, chain, text, .. } = rule;
        Cause {
            kind,
            words: format!("{name} would {verb} {what} by a rule of chain `{chain}` ({family} {table}): {text}"),
            node: Some(name.to_owned()),
            rule: Some(text.clone()),
            blame: rule.place.clone(),
            help: Some("accept it before this rule, or make the rule narrower".to_owned()),
        }
    }

    fn by_policy(&self, base: &Chain) -> Cause {
        let (name, what) = (self.world.name(self.passage.node), self.what());
        let Chain { family, table, name: chain, .. } = base;
        Cause {
            kind: CauseKind::PolicyDropped,
            words: format!(
                "{name} would drop {what} because no rule of chain `{chain}` ({family} {table}) is about it and the policy \
                 is drop"
            ),
            node: Some(name.to_owned()),
            rule: None,
            blame: base.place.clone(),
            help: Some("a rule of that chain must accept it".to_owned()),
        }
    }

    fn what(&self) -> String {
        let Passage { ends, protocol, answer, .. } = self.passage;
        match (answer, protocol) {
            (true, _) => format!("the answer to {}", ends.to),
            (false, Protocol::Tcp) => format!("the packet to {}, {}/tcp,", ends.to, ends.port),
            (false, Protocol::Udp) => format!("the packet to {}, {}/udp,", ends.to, ends.port),
            (false, Protocol::Icmp | Protocol::Neighbour) => format!("the packet to {}", ends.to),
        }
    }
}

fn is_of(base: &Chain, trace: &Trace) -> bool {
    (&trace.family, &trace.table, &trace.chain) == (&base.family, &base.table, &base.name)
}
