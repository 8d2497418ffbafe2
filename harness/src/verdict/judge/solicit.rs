//! Who answered an ARP request or a neighbour solicitation.

use super::{Judgement, left_unproven};
use crate::observation::Answers;
use crate::plan::{Plan, Solicit};
use crate::verdict::Finding;
use crate::verdict::describe::{end, node, target_words, whose_mac};
use crate::verdict::words::{all_of, any_of, duration};
use crate::words::{Answer, Mac};

/// Decides about the answers to a question on the wire.
pub(super) fn judge(plan: &Plan, solicit: &Solicit, answers: &Answers) -> Judgement {
    let macs = each_once(answers.macs.iter().copied());
    let what = match macs.len() {
        0 => Answer::Silent,
        1 => Answer::Answered,
        _ => Answer::Several,
    };
    let expected = each_once(solicit.macs.iter().map(|(mac, _)| *mac));
    let same = expected.is_empty() || (expected.len() == macs.len() && expected.iter().all(|mac| macs.contains(mac)));
    if !solicit.outcome.contains(&what) || !same {
        return Judgement::Mismatch(mismatch(plan, solicit, answers, &macs));
    }
    match what {
        Answer::Answered | Answer::Several => Judgement::proven(),
        Answer::Silent => Judgement::Match {
            unproven: left_unproven(&answers.departure, node(plan, solicit.from.node))
                .map(|reason| format!("the silence proves nothing: {reason}")),
        },
    }
}

/// Sets are small, and the order of arrival is worth keeping.
fn each_once(macs: impl Iterator<Item = Mac>) -> Vec<Mac> {
    let mut unique = Vec::new();
    for mac in macs {
        if !unique.contains(&mac) {
            unique.push(mac);
        }
    }
    unique
}

fn mismatch(plan: &Plan, solicit: &Solicit, answers: &Answers, macs: &[Mac]) -> Finding {
    let from = end(plan, solicit.from);
    let target = target_words(&solicit.to);
    // In an order that does not depend on who was faster.
    let mut sorted = macs.to_vec();
    sorted.sort();
    let names: Vec<String> = sorted.iter().map(|mac| whose_mac(plan, *mac)).collect();
    let found = if names.is_empty() {
        format!("nobody answered for {}", duration(answers.elapsed))
    } else {
        format!("answered by {}", all_of(&names))
    };
    let expected = if solicit.macs.is_empty() {
        let words = solicit.outcome.iter().map(|word| match word {
            Answer::Answered => "exactly one answer",
            Answer::Several => "several answers",
            Answer::Silent => "silence",
        });
        any_of(&words.collect::<Vec<_>>())
    } else {
        let words: Vec<String> = solicit.macs.iter().map(|(mac, words)| mac_words(*mac, words)).collect();
        all_of(&words)
    };
    let mut finding = Finding::new(format!("{from} asked who has {target}: {found}, expected {expected}"))
        .about(if solicit.macs.is_empty() { &["outcome"] } else { &["mac"] });
    if macs.is_empty() {
        let left = left_unproven(&answers.departure, node(plan, solicit.from.node));
        finding.notes.push(left.unwrap_or_else(|| format!("the request left {from}")));
    }
    finding
}

/// A MAC address in the words it was written in: `netns1.ceth1 (02:00:00:00:00:01)`.
fn mac_words(mac: Mac, words: &str) -> String {
    if Mac::read(words) == Some(mac) { mac.to_string() } else { format!("{words} ({mac})") }
}
