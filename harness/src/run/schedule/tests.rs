//! A whole run over cases that never come to a worker: what is told, in which order, and what it counts to.

use std::fs;
use std::num::NonZero;

use super::*;
use crate::run::{Conduct, exit};

/// Resolves, and needs a program that no machine has.
const SKIPPED: &str = r#"
title = "Needs what is nowhere"
tags = ["slow", "nat"]
needs = ["program:no-such-program"]
[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b.interfaces]
eth0 = { address = "10.0.0.2/24" }
[[expect]]
ping = { from = "a", to = "b" }
[[expect]]
ping = { from = "b", to = "a" }
"#;

const BROKEN: &str = "[[nodes";

/// Remembers what it was told, in words.
#[derive(Default)]
struct Memory(Vec<String>);

impl Listener for Memory {
    fn on_event(&mut self, event: &Event) {
        self.0.push(match event {
            Event::RunStarted { cases } => format!("run of {cases}"),
            Event::CaseStarted { index, name } => format!("{index} {name} starts"),
            Event::CaseFinished { index, report } => {
                format!("{index} {}: {:?}{}", report.name, report.worst(), why(report))
            }
            Event::RunFinished { summary } => format!("run ends with {}", exit::code(summary)),
        });
    }
}

fn why(report: &CaseReport) -> String {
    match report.tests.first().map(|test| &test.status) {
        Some(Status::Skip(reason)) => format!(": {reason}"),
        Some(Status::BadInput(finding) | Status::Error(finding)) => format!(": {}", finding.message),
        Some(Status::Pass | Status::Fail(_)) | None => String::new(),
    }
}

/// Runs the files of a fresh folder one after the other.
fn run_files(name: &str, files: &[(&str, &str)], change: impl FnOnce(&mut RunOptions)) -> (Vec<String>, Summary) {
    let directory = std::env::temp_dir().join(format!("netcase-run-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("folders can be made");
    for (file, text) in files {
        fs::write(directory.join(file), text).expect("files can be made");
    }
    let mut options = RunOptions {
        paths: vec![".".into()],
        directory: directory.clone(),
        set: Set::default(),
        filters: Vec::new(),
        tags: Vec::new(),
        jobs: NonZero::<usize>::MIN,
        fail_fast: false,
        conduct: Conduct::default(),
        interrupt: None,
    };
    change(&mut options);
    let mut memory = Memory::default();
    let summary = run(&options, &mut [&mut memory]);
    fs::remove_dir_all(&directory).expect("the folder can be removed");
    (memory.0, summary)
}

const LACKING: &str =
    "there is no program `no-such-program` in /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn a_red_file_or_argument_stops_nobody() {
    let (told, summary) = run_files("red", &[("a.toml", BROKEN), ("b.toml", SKIPPED)], |options| {
        options.paths.push("nowhere".into());
    });
    assert_eq!(
        told,
        [
            "run of 3".into(),
            "0 nowhere: BadInput: nowhere: there is no such file or folder".into(),
            "1 a starts".into(),
            "1 a: BadInput: a.toml:1: this header is not closed".into(),
            "2 b starts".into(),
            format!("2 b: Skip: {LACKING}"),
            "run ends with 2".into(),
        ]
    );
    assert_eq!((summary.cases, summary.bad_input, summary.skipped), (3, 2, 2));
}

#[test]
fn strict_takes_a_skip_for_an_error() {
    let (told, summary) = run_files("strict", &[("b.toml", SKIPPED)], |options| options.conduct.strict = true);
    assert!(told[2].starts_with("0 b: Error: this machine lacks what the case needs: there is no program"), "{told:?}");
    assert_eq!((summary.errors, summary.skipped, exit::code(&summary)), (2, 0, exit::ERROR));
}

#[test]
fn fail_fast_reports_the_rest_as_skipped() {
    let files = [("a.toml", SKIPPED), ("b.toml", BROKEN), ("c.toml", SKIPPED), ("d.toml", BROKEN)];
    let (told, summary) = run_files("fail-fast", &files, |options| options.fail_fast = true);
    assert_eq!(
        told[5..7],
        ["2 c: Skip: not run: --fail-fast after b", "3 d: BadInput: d.toml:1: this header is not closed"]
    );
    assert_eq!((summary.bad_input, summary.skipped), (2, 4));
}

#[test]
fn an_interrupt_ends_the_run_and_every_case_is_reported() {
    let interrupt = Arc::new(Interrupt::default());
    interrupt.raise("SIGINT");
    let (told, summary) = run_files("interrupt", &[("a.toml", SKIPPED)], |options| options.interrupt = Some(interrupt));
    assert_eq!(told, ["run of 1", "0 a: Skip: not run: interrupted by SIGINT", "run ends with 3"]);
    assert!(summary.interrupted);
}

#[test]
fn filters_and_tags_select() {
    let files = [("one.toml", SKIPPED), ("two.toml", SKIPPED), ("broken.toml", BROKEN)];
    for (filters, tags, expected) in [
        (&[][..], &[][..], 3),
        (&["one"], &[], 1),
        (&["one", "two"], &[], 2),
        (&["none"], &[], 0),
        (&[], &["nat"], 3),
        (&[], &["fast"], 1),
        (&["o"], &["fast", "slow"], 3),
        (&["two"], &["fast"], 0),
    ] {
        let (_, summary) = run_files("filter", &files, |options| {
            options.filters = filters.iter().map(ToString::to_string).collect();
            options.tags = tags.iter().map(ToString::to_string).collect();
        });
        assert_eq!(summary.cases, expected, "{filters:?} {tags:?}");
    }
}

#[test]
fn an_empty_selection_says_what_there_was() {
    let untagged = SKIPPED.replace("tags = [\"slow\", \"nat\"]\n", "");
    let tags: Vec<String> = (10..30).map(|number| format!("\"t{number}\"")).collect();
    let many = SKIPPED.replace("\"slow\", \"nat\"", &tags.join(", "));
    let two = [("one.toml", SKIPPED), ("two.toml", &*untagged)];
    for (files, filters, tags, expected) in [
        (&[][..], &[][..], &[][..], "no case was selected"),
        (&two, &["x"], &["slow"], "no case was selected: none of 2 has a name that `--filter` asks for"),
        (&two, &[], &["x"], "no case was selected: none of 2 has a tag that `--tag` asks for; there are `nat`, `slow`"),
        (&two, &["two"], &["slow"], "no case was selected: the only one has no tag"),
        (
            &[("many.toml", &*many)],
            &[],
            &["x"],
            "no case was selected: the only one has no tag that `--tag` asks for; there are `t10`, `t11`, `t12`, `t13`, \
             `t14`, `t15`, `t16`, `t17`, `t18`, `t19`, `t20`, `t21`, ...",
        ),
        (&two, &["one"], &["slow"], "no case was selected"),
    ] {
        let (_, summary) = run_files("left-out", files, |options| {
            options.filters = filters.iter().map(ToString::to_string).collect();
            options.tags = tags.iter().map(ToString::to_string).collect();
        });
        assert_eq!(summary.left_out.to_string(), expected, "{filters:?} {tags:?}");
    }
}
