//! Neighbour table entries.
//!
//! An entry that stands for nobody (`failed`: asked in vain; `incomplete`: being asked) is no neighbour: it counts as
//! absent, unless the check asks for that very state. A probe towards an address that nobody has leaves such an entry
//! behind, and it must not look like a neighbour.

use super::super::Judgement;
use super::differs;
use crate::observation::Neighbour;
use crate::plan::{Neigh, Plan};
use crate::verdict::Finding;
use crate::verdict::describe::{neighbour, node, target_words, whose_mac};
use crate::verdict::words::any_of;
use crate::words::NeighState;

/// Decides about the entries for one address.
pub(in super::super) fn judge(plan: &Plan, check: &Neigh, entries: &[Neighbour]) -> Judgement {
    let about: Vec<&Neighbour> = entries.iter().filter(|entry| entry.address == check.to.address).collect();
    let candidates: Vec<&Neighbour> = about.iter().copied().filter(|entry| is_candidate(check, entry)).collect();
    let matching = candidates.iter().find(|entry| differences(plan, check, entry).is_empty());
    let on = node(plan, check.on);
    let target = target_words(&check.to);
    let dev = check.dev.as_ref().map(|dev| format!(" on {dev}")).unwrap_or_default();
    match (check.present, matching) {
        (true, Some(_)) | (false, None) => Judgement::proven(),
        (false, Some(entry)) => Judgement::Mismatch(
            Finding::new(format!(
                "{on} has a neighbour entry for {target}{dev}, expected none: {}",
                neighbour(plan, entry)
            ))
            .about(&["present"]),
        ),
        (true, None) => Judgement::Mismatch(match candidates.as_slice() {
            [] => Finding::new(format!("{on} has no neighbour entry for {target}{dev}"))
                .about(&["to"])
                .note(table(plan, &about)),
            [entry] => {
                let (keys, wrong): (Vec<&str>, Vec<String>) = differences(plan, check, entry).into_iter().unzip();
                let wrong = wrong.join("; ");
                Finding::new(format!("{on} has a different neighbour entry for {target}{dev}: {wrong}"))
                    .about(&keys)
                    .note(table(plan, &about))
            }
            [_, _, ..] => {
                Finding::new(format!("{on} has no such neighbour entry for {target}{dev}")).note(table(plan, &about))
            }
        }),
    }
}

fn table(plan: &Plan, entries: &[&Neighbour]) -> String {
    if entries.is_empty() {
        return "the table has nothing about this address".to_owned();
    }
    let lines: Vec<String> = entries.iter().map(|entry| neighbour(plan, entry)).collect();
    format!("the table has {}", lines.join(", "))
}

fn is_candidate(check: &Neigh, entry: &Neighbour) -> bool {
    let nobody = match entry.state {
        NeighState::Incomplete | NeighState::Failed => !check.state.contains(&entry.state),
        NeighState::Reachable
        | NeighState::Stale
        | NeighState::Delay
        | NeighState::Probe
        | NeighState::Noarp
        | NeighState::Permanent => false,
    };
    !nobody && check.dev.as_ref().is_none_or(|dev| *dev == entry.dev)
}

/// What is not as expected, each with the key of the check that expects it.
fn differences(plan: &Plan, check: &Neigh, entry: &Neighbour) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    if let Some((mac, words)) = &check.mac
        && entry.mac != Some(*mac)
    {
        let found = entry.mac.map_or("none".to_owned(), |mac| whose_mac(plan, mac));
        let expected = if words == &mac.to_string() { words.clone() } else { format!("{words} ({mac})") };
        wrong.push(("mac", differs("mac", found, expected)));
    }
    if !check.state.is_empty() && !check.state.contains(&entry.state) {
        wrong.push(("state", differs("state", entry.state, any_of(&check.state))));
    }
    wrong
}
