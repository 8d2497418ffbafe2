//! A rule that keeps a packet from being translated: it is taken before the rule that would translate it, or is not
//! tracked, and only what is tracked is translated.

use super::conditions::{self, Passage};
use super::rule_text;
use super::translator::{self, Side, Translator};
use super::travelling::Travelling;
use super::walk::Step;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Rule, TraceVerdict};

/// A rule, and what would have translated the packet without it.
#[derive(Debug)]
pub(super) struct Exemption<'a> {
    rule: &'a Rule,
    translator: Translator<'a>,
    untracked: bool,
}

/// The rule that has kept a packet from being translated at a step, where its traces show one, or its counters.
pub(super) fn of<'a>(world: &World<'a>, step: &Step, side: Side) -> Option<Exemption<'a>> {
    let passage = translator::passage(world, step, side)?;
    let all = translator::all(world, step.node, side, passage.ends.to.is_ipv6());
    let wanting = || all.iter().filter(|it| it.fit(world, &passage).is_sure());
    let first = *wanting().next()?;
    let passed = passed(world, step, &passage);
    let untracking = passed.iter().find(|(rule, _)| conditions::is_untracking(rule));
    if let Some((rule, _)) = untracking {
        return Some(Exemption { rule, translator: first, untracked: true });
    }
    wanting().find_map(|wanting| {
        let Translator::Rule(meant) = wanting else { return None };
        let taken = passed.iter().find(|(rule, verdict)| is_before(world, step.node, (rule, verdict), meant, side))?;
        Some(Exemption { rule: taken.0, translator: *wanting, untracked: false })
    })
}

/// The rule by which an answer is not tracked at a node that has translated what it answers: then it is not translated
/// back.
pub(super) fn of_answer(world: &World<'_>, node: usize, answer: &Travelling) -> Option<Cause> {
    let traces = translator::steps_of(world, node, &[answer.ends()?]);
    let mut rules = traces.into_iter().filter_map(|trace| translator::rule_of(world, trace));
    let rule = rules.find(|rule| conditions::is_untracking(rule))?;
    let Rule { family, table, chain, text, .. } = rule;
    let name = world.name(node);
    let words = format!(
        "{name} does not translate the answer of {} back: by the rule `{text}` of chain `{chain}` ({family} {table}) it is \
         not tracked",
        answer.from?
    );
    let help = Some("make that rule narrower: only what is tracked is translated".to_owned());
    let cause = Cause::at(CauseKind::NatMissing, words, None, help);
    Some(translator::by(world, node, Some(Translator::Rule(rule)), cause))
}

/// The rules that a packet has met and been about, with what each did.
fn passed<'a>(world: &World<'a>, step: &Step, passage: &Passage<'_>) -> Vec<(&'a Rule, TraceVerdict)> {
    let traces = translator::steps_of(world, step.node, &translator::ends_at(step));
    let traced =
        traces.into_iter().filter_map(|trace| Some((translator::rule_of(world, trace)?, trace.verdict.clone())));
    // Rules of the older kind only count.
    let counted = |rule: &&Rule| {
        rule.family.ends_with("tables")
            && rule.packets.is_some_and(|packets| packets > 0)
            && conditions::fit(world, rule, passage).is_sure()
    };
    let older = world.node(step.node).rules.iter().filter(counted).filter_map(|rule| {
        let verdict = match rule_text::target(&rule.text)? {
            "ACCEPT" => TraceVerdict::Accept,
            "RETURN" => TraceVerdict::Return,
            _ => TraceVerdict::Continue,
        };
        Some((rule, verdict))
    });
    traced.chain(older).collect()
}

/// Whether a packet that a rule has taken does not come to another one any more.
fn is_before(
    world: &World<'_>,
    node: usize,
    (rule, verdict): (&Rule, &TraceVerdict),
    other: &Rule,
    side: Side,
) -> bool {
    if (&rule.family, &rule.table) != (&other.family, &other.table) || translator::does(rule, side) {
        return false;
    }
    let before = |chain: &str| {
        let mut order = Vec::new();
        in_order(world, node, (rule, chain), DEEPEST, &mut order);
        let place = |wanted: &Rule| order.iter().position(|it| std::ptr::eq(*it, wanted));
        place(rule).zip(place(other)).is_some_and(|(rule, other)| rule < other)
    };
    match verdict {
        TraceVerdict::Accept => {
            let chains = world.node(node).chains.iter();
            let own = |it: &&crate::evidence::Chain| (&it.family, &it.table) == (&rule.family, &rule.table);
            chains.filter(own).filter(|it| it.hook.is_some()).any(|it| before(&it.name))
        }
        TraceVerdict::Return => before(&rule.chain),
        _ => false,
    }
}

/// `NFT_JUMP_STACK_SIZE` of `linux/netfilter/nf_tables.h`: how deep chains may lead to others.
const DEEPEST: usize = 16;

/// The rules of a chain as a packet meets them, with those of the chains that they lead to.
fn in_order<'a>(world: &World<'a>, node: usize, (of, chain): (&Rule, &str), depth: usize, order: &mut Vec<&'a Rule>) {
    let own = |it: &&Rule| (&it.family, &it.table, it.chain.as_str()) == (&of.family, &of.table, chain);
    for rule in world.node(node).rules.iter().filter(own) {
        order.push(rule);
        if let Some(next) = rule_text::leads_to(rule).filter(|_| depth > 0) {
            in_order(world, node, (of, next), depth - 1, order);
        }
    }
}

impl Exemption<'_> {
    /// How it came that the packet was not translated.
    pub(super) fn words(&self) -> String {
        let Rule { family, table, chain, text, .. } = self.rule;
        let (rule, other) = (format!("rule `{text}` of chain `{chain}` ({family} {table})"), self.translator.name());
        if self.untracked {
            format!("by the {rule} it is not tracked, so that the {other} does not translate it")
        } else {
            format!("the {rule} takes it before the {other} can")
        }
    }

    /// The cause that it makes of one.
    pub(super) fn cause(&self, world: &World<'_>, node: usize, words: String) -> Cause {
        let help = if self.untracked {
            "make that rule narrower: only what is tracked is translated".to_owned()
        } else {
            "make that rule narrower, or put it behind the one that translates".to_owned()
        };
        let cause = Cause::at(CauseKind::NatMissing, words, None, Some(help));
        translator::by(world, node, Some(Translator::Rule(self.rule)), cause)
    }
}
