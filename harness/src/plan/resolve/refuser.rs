//! `dropped-by` and `rejected-by`: who must be proved to have refused.

use super::checker::Checker;
use super::outcomes::{self, Wanted};
use crate::case::refuser::{ByRule, Refuser as Written};
use crate::diagnostic::Diagnostic;
use crate::plan::{Refusal, Refuser};
use crate::source::{Span, Spanned};

/// Both keys as written.
#[derive(Default)]
pub(super) struct WrittenRefusers {
    pub dropped_by: Option<Spanned<Written>>,
    pub rejected_by: Option<Spanned<Written>>,
}

/// Reads who must have refused; nothing where nobody is asked for, or it was complained about.
pub(super) fn read(
    checker: &mut Checker<'_>,
    written: WrittenRefusers,
    wanted: &Wanted,
    by: Option<Span>,
) -> Option<Refuser> {
    let (how, written) = match (written.dropped_by, written.rejected_by) {
        (Some(dropped), Some(rejected)) => {
            checker.derive(
                Diagnostic::error(rejected.span, "`dropped-by` and `rejected-by` in one check")
                    .label("one of them")
                    .related(dropped.span, "what is dropped is not rejected"),
            );
            return None;
        }
        (Some(dropped), None) => (Refusal::Dropped, dropped),
        (None, Some(rejected)) => (Refusal::Rejected, rejected),
        (None, None) => return None,
    };
    check_outcome(checker, how, wanted, written.span);
    if let (Some(by), Refusal::Dropped) = (by, how) {
        checker.derive(
            Diagnostic::error(by, "`by` and `dropped-by` in one check")
                .label("nobody says that a packet was dropped")
                .related(written.span, "this must drop it")
                .help("`by` is whose error comes back; `rejected-by` goes with it"),
        );
    }
    let (node, rule) = match written.value {
        Written::Node(node) => (Spanned::new(node, written.span), None),
        Written::Rule(ByRule { node, rule, span: _, sound: _ }) => (node, rule),
    };
    let rule = rule.filter(|rule| {
        let empty = rule.trim().is_empty();
        if empty {
            checker.say(
                Diagnostic::error(rule.span, "this rule is empty")
                    .label("text of the rule, such as \"tcp dport 80 drop\"")
                    .help("without `rule`, any means of the node will do"),
            );
        }
        !empty
    });
    let found = checker.lab.machine(&node, node.span);
    let id = checker.ok(found)?;
    Some(Refuser { how, node: id, name: node.value, rule: rule.map(|rule| rule.value) })
}

/// Refuses it where nobody can have done that.
fn check_outcome(checker: &mut Checker<'_>, how: Refusal, wanted: &Wanted, place: Span) {
    let fits = match how {
        Refusal::Dropped => outcomes::is_met_by_silence,
        Refusal::Rejected => outcomes::is_said_by_another,
    };
    if wanted.outcomes.iter().copied().any(fits) {
        return;
    }
    let (message, instead) = match how {
        Refusal::Dropped => ("`dropped-by` names who dropped it, and here nothing is dropped", "silent"),
        Refusal::Rejected => ("`rejected-by` names who rejected it, and here nobody does", "rejected"),
    };
    let wrong = Diagnostic::error(place, message);
    let wrong = match (wanted.span, how) {
        (Some(span), _) if wanted.positive => wrong.related(span, "the traffic gets through"),
        (Some(span), Refusal::Dropped) => wrong.related(span, "something must be heard"),
        (Some(span), Refusal::Rejected) => wrong.related(span, "nobody is heard, or the sender's own kernel refuses"),
        (None, _) => wrong.label("the traffic is expected to get through"),
    };
    checker.derive(wrong.help(format!("it goes with `outcome = \"{instead}\"`")));
}
