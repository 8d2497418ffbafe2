//! Every green case is broken in every single way that there is, and notices it; what makes no difference stands in
//! `fixtures/mutants/survivors.toml`, with the reason. And each negative expectation that rests on silence is no longer
//! proved once the listener, the route, the address or the link behind it is gone; `fixtures/mutants/negatives.toml` has
//! the reasons why one holds all the same.

#[path = "mutants/known.rs"]
mod known;
#[path = "mutants/lane.rs"]
mod lane;
#[path = "mutants/lines.rs"]
mod lines;
#[path = "mutants/mutation.rs"]
mod mutation;
#[path = "mutants/negatives.rs"]
mod negatives;
#[path = "mutants/numbers.rs"]
mod numbers;
#[path = "support/staging.rs"]
mod staging;
#[path = "mutants/steps.rs"]
mod steps;
#[path = "mutants/topology.rs"]
mod topology;
#[path = "mutants/tree.rs"]
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use known::Known;
use lane::{Changed, Outcome, Status};
use mutation::{Kind, Mutation, mutations, read};
use negatives::negatives;

/// A case, all its mutants, and what became of each.
struct Played {
    case: String,
    /// Written again without a change.
    unbroken: Outcome,
    mutants: Vec<(Mutation, Outcome)>,
}

/// What a mutant shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The case is red.
    Killed,
    /// It is as green as before.
    Survived,
    /// It is green, and fewer probes were made: a name is asked for in the families that both ends have, so an address
    /// that is the only one of its family takes the probes of that family with it.
    AskedLess,
    /// No such case: `netcase check` refuses it.
    Refused,
    /// This machine lacks what the case needs.
    Skipped,
}

#[test]
#[ignore = "takes four minutes: a lane of its own"]
fn every_mutant_is_noticed() {
    let mut table: BTreeMap<Kind, [usize; 5]> = BTreeMap::new();
    let (mut found, mut open) = (BTreeSet::new(), BTreeSet::new());
    for played in all() {
        for (mutation, outcome) in &played.mutants {
            let verdict = verdict(&played.unbroken, mutation, outcome);
            table.entry(mutation.kind).or_default()[verdict as usize] += 1;
            let key = (played.case.clone(), mutation.to_string());
            match verdict {
                Verdict::Survived => drop(found.insert(key)),
                Verdict::Skipped => drop(open.insert(key)),
                Verdict::Killed | Verdict::AskedLess | Verdict::Refused => {}
            }
        }
    }
    println!("{}", drawn(&table));
    let faults = Known::read(&root().join("fixtures/mutants/survivors.toml")).faults(&found, &open);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
#[ignore = "takes four minutes: a lane of its own"]
fn no_silence_is_proved_without_what_it_rests_on() {
    let (mut found, mut open, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
    for played in all() {
        let tree = read(&root(), Path::new(&format!("{}.toml", played.case)));
        let (negatives, expectations) = negatives(&tree);
        for (mutation, outcome) in played.mutants.iter().filter(|(_, outcome)| !outcome.is_refused()) {
            for negative in negatives.iter().filter(|negative| negative.rests_on(&tree, mutation)) {
                let (Some(before), Some(after)) =
                    (played.unbroken.of(negative.index, expectations), outcome.of(negative.index, expectations))
                else {
                    continue;
                };
                count += 1;
                let key = (played.case.clone(), format!("{mutation} -> {}", before[0].name));
                let passed = after.iter().filter(|test| test.status == Status::Passed).count();
                if after.iter().any(|test| test.status == Status::Skipped) {
                    open.insert(key);
                } else if passed == before.len() {
                    found.insert(key);
                }
            }
        }
    }
    println!("{count} removals behind negatives, {} of which make no difference", found.len());
    let faults = Known::read(&root().join("fixtures/mutants/negatives.toml")).faults(&found, &open);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All cases with their mutants: run once, and judged by every test.
fn all() -> &'static [Played] {
    static ALL: OnceLock<Vec<Played>> = OnceLock::new();
    ALL.get_or_init(|| {
        let root = root();
        let known = Known::read(&root.join("fixtures/mutants/survivors.toml"));
        let mut played = play(&root);
        repeat(&root, &known, &mut played);
        played
    })
}

fn play(root: &Path) -> Vec<Played> {
    let (mut changed, mut played) = (Vec::new(), Vec::new());
    for case in staging::green_cases(root) {
        let path = PathBuf::from(format!("{case}.toml"));
        let text = toml::to_string(&read(root, &path)).expect("a tree that was read can be written");
        changed.push(Changed { case: path.display().to_string(), texts: vec![(path.clone(), text)] });
        let mutants = mutations(root, &path);
        changed.extend(mutants.iter().map(|mutation| mutant(&case, mutation)));
        let mutants = mutants.into_iter().map(|mutation| (mutation, Outcome::default())).collect();
        played.push(Played { case, unbroken: Outcome::default(), mutants });
    }
    let mut outcomes = lane::run(root, "mutants", &changed, &[]).into_iter();
    for played in &mut played {
        let mut next = || outcomes.next().expect("each has an outcome");
        played.unbroken = next();
        assert!(played.unbroken.worst() <= Status::Skipped, "{} is red: {:?}", played.case, played.unbroken);
        played.mutants.iter_mut().for_each(|(_, outcome)| *outcome = next());
    }
    played
}

/// Runs again, one after another, what may have failed for another reason than its change: what met a full table of
/// neighbours, and what is known to make no difference.
fn repeat(root: &Path, known: &Known, played: &mut [Played]) {
    let (mut changed, mut places) = (Vec::new(), Vec::new());
    for Played { case, mutants, .. } in played {
        for (mutation, outcome) in mutants {
            let is_red = outcome.worst() > Status::Skipped && !outcome.is_refused();
            if outcome.is_crowded() || is_red && known.has(case, &mutation.to_string()) {
                changed.push(mutant(case, mutation));
                places.push(outcome);
            }
        }
    }
    for (place, outcome) in places.into_iter().zip(lane::run(root, "mutants-again", &changed, &["--jobs", "1"])) {
        *place = outcome;
    }
}

fn mutant(case: &str, mutation: &Mutation) -> Changed {
    Changed { case: format!("{case}.toml"), texts: mutation.texts.clone() }
}

fn verdict(unbroken: &Outcome, mutation: &Mutation, outcome: &Outcome) -> Verdict {
    match outcome.worst() {
        _ if outcome.is_refused() => Verdict::Refused,
        Status::Failed | Status::Error => Verdict::Killed,
        Status::Skipped => Verdict::Skipped,
        Status::Passed if mutation.kind == Kind::Address && outcome.0.len() < unbroken.0.len() => Verdict::AskedLess,
        Status::Passed => Verdict::Survived,
    }
}

/// The table of what was broken, and what became of it.
fn drawn(table: &BTreeMap<Kind, [usize; 5]>) -> String {
    let mut text =
        format!("{:12}{:>8}{:>10}{:>12}{:>10}{:>10}\n", "", "killed", "survived", "asked less", "refused", "skipped");
    let mut total = [0; 5];
    let mut line = |kind: &str, [killed, survived, less, refused, skipped]: [usize; 5]| {
        text.push_str(&format!("{kind:12}{killed:>8}{survived:>10}{less:>12}{refused:>10}{skipped:>10}\n"));
    };
    for (kind, row) in table {
        line(&kind.to_string(), *row);
        total.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
    }
    line("all", total);
    text
}
