//! Questions on the wire: `arp` and `ndp`.

use super::aims::Aim;
use super::checker::Checker;
use super::targets::{self, Goal};
use crate::case::Many;
use crate::case::expect::Solicit as Written;
use crate::diagnostic::Diagnostic;
use crate::plan::{Check, End, Solicit, Target};
use crate::source::{Span, Spanned};
use crate::words::{Answer, Family, Mac};

/// Where a question is asked: on one interface, or on the one of a node that fits.
struct Asker {
    node: usize,
    interface: Option<usize>,
    span: Span,
}

/// Resolves `arp` (IPv4) and `ndp` (IPv6).
pub(super) fn resolve(checker: &mut Checker<'_>, family: Family, written: Written) -> Vec<Check> {
    let Written { from, to, mac, outcome, span: _, sound: _ } = written;
    let askers: Vec<Asker> = checker.once(from.items).iter().filter_map(|word| asker(checker, word)).collect();
    let (macs, outcome) = answers(checker, mac, outcome);
    let mut checks = Vec::new();
    for word in checker.once(to.items) {
        let Some(aim) = checker.aim(&word) else { continue };
        let goal = Goal { words: word.value, span: word.span, aim };
        for asker in &askers {
            if aim == Aim::Node(asker.node) && askers.len() > 1 {
                continue;
            }
            let Some(to) = target(checker, &goal, asker, family) else { continue };
            let Some(from) = interface(checker, asker, &to) else { continue };
            checks.push(Solicit { from, to, macs: macs.clone(), outcome: outcome.clone() });
        }
    }
    let wrap = match family {
        Family::Ipv4 => Check::Arp,
        Family::Ipv6 => Check::Ndp,
    };
    checks.into_iter().map(wrap).collect()
}

fn asker(checker: &mut Checker<'_>, word: &Spanned<String>) -> Option<Asker> {
    if word.contains('.') {
        let end = checker.end(word)?;
        return Some(Asker { node: end.node, interface: Some(end.interface), span: word.span });
    }
    let node = checker.lab.machine(word, word.span);
    let node = checker.ok(node)?;
    Some(Asker { node, interface: None, span: word.span })
}

/// The MAC addresses and the outcome, which must not contradict each other.
fn answers(
    checker: &mut Checker<'_>,
    mac: Option<Many<Spanned<String>>>,
    outcome: Option<Many<Spanned<Answer>>>,
) -> (Vec<(Mac, String)>, Vec<Answer>) {
    let mac_span = mac.as_ref().map(|mac| mac.span);
    let words = checker.once(mac.map(|mac| mac.items).unwrap_or_default());
    let macs: Vec<(Mac, String)> = words.iter().filter_map(|word| checker.mac(word)).collect();
    let implied = if words.len() > 1 { Answer::Several } else { Answer::Answered };
    let Some(outcome) = outcome else { return (macs, vec![implied]) };
    let written: Vec<Answer> = outcome.items.iter().map(|answer| answer.value).collect();
    if let Some(mac) = mac_span
        && let Some(wrong) = outcome.items.iter().find(|answer| answer.value != implied)
    {
        let label = match wrong.value {
            Answer::Silent => "nobody answers",
            Answer::Answered => "exactly one answers",
            Answer::Several => "two or more answer",
        };
        checker.derive(
            Diagnostic::error(mac, format!("`mac` contradicts the outcome `{}`", wrong.value))
                .label(if words.len() > 1 { "several answer" } else { "exactly this one answers" })
                .related(wrong.span, label)
                .help("`mac` alone says it: one for a single answer, a list for several"),
        );
    }
    (macs, written)
}

/// The address asked for, in the family of the question.
fn target(checker: &mut Checker<'_>, goal: &Goal, asker: &Asker, family: Family) -> Option<Target> {
    match goal.aim {
        Aim::Address(address) if Family::of(address) != family => {
            let (here, other) = match family {
                Family::Ipv4 => ("arp", "ndp"),
                Family::Ipv6 => ("ndp", "arp"),
            };
            checker.say(
                Diagnostic::error(goal.span, format!("`{here}` asks for {} addresses", family.name()))
                    .label(format!("for this one it is `{other}`")),
            );
            None
        }
        Aim::Address(address) => checker.literal(asker.node, goal, address, None),
        Aim::Captured => Some(targets::captured_target(goal, Some(family))),
        Aim::Node(node) => checker.in_family(goal, node, None, family),
        Aim::Interface(end) => checker.in_family(goal, end.node, Some(end.interface), family),
    }
}

/// The interface on which to ask: the one written, the one whose network has the address, or the only one.
fn interface(checker: &mut Checker<'_>, asker: &Asker, to: &Target) -> Option<End> {
    let draft = &checker.lab.nodes[asker.node];
    if let Some(interface) = asker.interface {
        if interface == 0 {
            checker.say(
                Diagnostic::error(asker.span, "nobody can be asked on `lo`")
                    .label("an interface with a cable is expected"),
            );
            return None;
        }
        return Some(End { node: asker.node, interface });
    }
    let wires: Vec<End> = checker.wires(asker.node).collect();
    if draft.open {
        checker.say(
            Diagnostic::error(asker.span, format!("on which interface of `{}` is asked?", *draft.name))
                .label(format!("scripts change this node: write `{}.INTERFACE`", *draft.name)),
        );
        return None;
    }
    let near: Vec<End> = wires.iter().copied().filter(|end| checker.lab.at(*end).reaches(to.address)).collect();
    match (&*near, &*wires) {
        ([one], _) | ([], [one]) => Some(*one),
        (_, []) => {
            if draft.sound {
                checker.derive(
                    Diagnostic::error(asker.span, format!("`{}` has no interface but `lo`", *draft.name))
                        .label("there is no wire to ask on"),
                );
            }
            None
        }
        (near, _) => {
            let names: Vec<String> = wires.iter().map(|end| checker.lab.end_name(*end)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let how = if near.is_empty() { "none of the networks" } else { "several networks" };
            let wrong = Diagnostic::error(
                asker.span,
                format!("on which interface of `{}` is {} asked for?", *draft.name, to.address),
            )
            .label(format!("one of {}", crate::diagnostic::quoted(&names)))
            .note(format!(
                "{how} of `{}` {} that address",
                *draft.name,
                if near.is_empty() { "has" } else { "have" }
            ));
            if draft.sound {
                checker.derive(wrong);
            }
            None
        }
    }
}
