//! Lists of the kernel's, entry by entry. Each is a set: neither the order nor how often an entry stands there counts.

use super::super::Judgement;
use crate::observation::Listed;
use crate::plan::{Entry, List, Listing, Must, Plan};
use crate::verdict::Finding;
use crate::verdict::describe::node;
use crate::verdict::words::all_of;

/// Decides about a list.
pub(in super::super) fn judge(plan: &Plan, check: &Listing, found: &Listed) -> Judgement {
    let has = |entry: &Entry| found.entries.contains(&entry.value);
    let (missing, there): (Vec<&Entry>, Vec<&Entry>) = check.entries.iter().partition(|entry| !has(entry));
    // What the kernel has of its own accord counts only where the case names it.
    let more: Vec<&String> =
        found.entries.iter().filter(|found| !check.entries.iter().any(|entry| entry.value == **found)).collect();
    let wrong = match check.must {
        Must::Have if check.entries.is_empty() && found.entries.is_empty() => vec!["there is none".to_owned()],
        Must::Have => said(&missing, "missing"),
        Must::Lack if check.entries.is_empty() => more.iter().map(|entry| format!("{entry} is there")).collect(),
        Must::Lack => said(&there, "there"),
        Must::BeExactly => {
            let more =
                more.iter().filter(|entry| !found.own.contains(entry)).map(|entry| format!("{entry} is too much"));
            said(&missing, "missing").into_iter().chain(more).collect()
        }
    };
    if wrong.is_empty() {
        return Judgement::proven();
    }
    let (what, keys) = subject(plan, check);
    let message = match (&check.list, found.entries.first(), check.entries.first()) {
        (List::Setting { .. }, Some(found), Some(entry)) => format!("{what} is {found}, expected {}", entry.value),
        (List::Setting { .. }, None, _) => format!("{what}: the kernel has no such setting"),
        _ => format!("{what}: {}", wrong.join("; ")),
    };
    let unknown = matches!(check.list, List::Setting { .. }) && found.entries.is_empty();
    let finding = Finding::new(message).about(if unknown { &["key"] } else { keys });
    Judgement::Mismatch(match (&check.list, &*found.entries) {
        (List::Setting { .. }, _) => finding,
        (_, []) => finding.note("the kernel has none"),
        (_, entries) => finding.note(format!("the kernel has {}", all_of(entries))),
    })
}

fn said(entries: &[&Entry], how: &str) -> Vec<String> {
    let shown = |entry: &Entry| {
        if entry.words == entry.value { entry.value.clone() } else { format!("{} ({})", entry.words, entry.value) }
    };
    entries.iter().map(|entry| format!("{} is {how}", shown(entry))).collect()
}

/// What the check is about, and its keys that a finding may be about.
fn subject(plan: &Plan, check: &Listing) -> (String, &'static [&'static str]) {
    let on = node(plan, check.on);
    match &check.list {
        List::Setting { key, .. } => (format!("{key} of {on}"), &["value"]),
        List::Addresses { dev } => (format!("addresses of {on}.{dev}"), &["address", "exactly"]),
        List::Ports { bridge, mac: (mac, words) } => {
            let mac = if *words == mac.to_string() { words.clone() } else { format!("{words} ({mac})") };
            (format!("ports of {on}.{bridge} for {mac}"), &["port", "mac"])
        }
        List::Links => (format!("interfaces of {on}"), &["exactly"]),
        List::Routes { .. } => (format!("routes of {on}"), &["exactly"]),
        List::Neighbours { dev: Some(dev), .. } => (format!("neighbours of {on} on {dev}"), &["exactly"]),
        List::Neighbours { dev: None, .. } => (format!("neighbours of {on}"), &["exactly"]),
    }
}
