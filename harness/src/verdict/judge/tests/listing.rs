//! Lists of the kernel's.

use super::super::decide;
use super::*;
use crate::observation::Listed;
use crate::plan::{Entry, List, Listing, Must};

fn entries(list: &[&str]) -> Vec<Entry> {
    list.iter().map(|entry| Entry { value: (*entry).to_owned(), words: (*entry).to_owned() }).collect()
}

/// What is said of a list, empty when it is as expected. What begins with `own-` is of the kernel's own making.
fn said(list: List, must: Must, expected: &[&str], found: &[&str]) -> String {
    let check = Check::Listing(Box::new(Listing { on: 0, list, must, entries: entries(expected) }));
    let found = Listed::new(found.iter().map(|entry| (*entry).to_owned()), |entry| entry.starts_with("own-"));
    match decide(&plan(), &check, &Observation::Listed(found)).expect("the observation is of its kind") {
        Judgement::Match { unproven } => unproven.unwrap_or_default(),
        Judgement::Mismatch(finding) => finding.message,
    }
}

#[test]
fn every_way_a_list_must_be_against_every_list() {
    use Must::{BeExactly, Have, Lack};
    for (must, expected, found, wrong) in [
        (Have, &["a"][..], &["a", "b"][..], ""),
        (Have, &["a", "c"], &["a", "b"], "c is missing"),
        (Have, &["a"], &[], "a is missing"),
        (Have, &[], &["a"], ""),
        (Have, &[], &["own-a"], ""),
        (Have, &[], &[], "there is none"),
        (Lack, &["a"], &["b"], ""),
        (Lack, &["a", "b"], &["b", "c"], "b is there"),
        (Lack, &["own-a"], &["own-a"], "own-a is there"),
        (Lack, &["a"], &[], ""),
        (Lack, &[], &[], ""),
        (Lack, &[], &["a"], "a is there"),
        (BeExactly, &[], &[], ""),
        (BeExactly, &["a", "b"], &["b", "a", "a"], ""),
        (BeExactly, &["a"], &["a", "own-b"], ""),
        (BeExactly, &["own-b"], &["own-b"], ""),
        (BeExactly, &["own-b"], &[], "own-b is missing"),
        (BeExactly, &["a", "b"], &["b", "c"], "a is missing; c is too much"),
        (BeExactly, &[], &["a"], "a is too much"),
        (BeExactly, &["a"], &[], "a is missing"),
    ] {
        let message = said(List::Links, must, expected, found);
        let name = &plan().nodes[0].name;
        let expected_message = if wrong.is_empty() { String::new() } else { format!("interfaces of {name}: {wrong}") };
        assert_eq!(message, expected_message, "{must:?} {expected:?} in {found:?}");
    }
}

#[test]
fn a_setting_is_told_with_its_value() {
    let setting = || List::Setting { path: "net/a".into(), key: "net.a".into() };
    let name = plan().nodes[0].name.clone();
    assert_eq!(said(setting(), Must::Have, &["1"], &["1"]), "");
    assert_eq!(said(setting(), Must::Have, &["1"], &["2"]), format!("net.a of {name} is 2, expected 1"));
    assert_eq!(said(setting(), Must::Have, &["1"], &[]), format!("net.a of {name}: the kernel has no such setting"));
}

#[test]
fn another_observation_satisfies_no_list() {
    for must in [Must::Have, Must::Lack, Must::BeExactly] {
        let check = Check::Listing(Box::new(Listing { on: 0, list: List::Links, must, entries: Vec::new() }));
        assert_eq!(decide(&plan(), &check, &Observation::Routes(Vec::new())), None);
    }
}
