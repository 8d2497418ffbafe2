//! Holds the source tree to ARCHITECTURE.md: who imports whom, how long files are, that nothing sleeps, that words are
//! documented.

#[path = "architecture/code.rs"]
mod code;
#[path = "architecture/layers.rs"]
mod layers;

use std::fs;
use std::path::{Path, PathBuf};

use code::without_comments_and_strings;
use layers::{Table, imports, module_path};

/// A file is one noun; past this it is two.
const LONGEST_FILE: usize = 500;

/// The files that may sleep, each with its reason. An entry that is no longer needed fails the test too.
const SLEEPERS: &[(&str, &str)] = &[
    ("src/lab/ipv6.rs", "the kernel tells nobody when it has joined a group; looked for first"),
    (
        "src/lab/state/link.rs",
        "kernels before 6.5 tell nobody when they have carried out a change of carrier; looked for first",
    ),
    ("tests/interrupt.rs", "nobody tells when a program of the case begins or ends; looked for first"),
    ("src/worker/child/send_on.rs", "nobody tells that no rule will end a packet; looked for first"),
    ("src/probe/stamps.rs", "the kernel tells nobody when it has begun to stamp packets; looked for first"),
    ("src/worker/child/decide.rs", "the documented interval from one attempt of an expectation to the next"),
    ("src/worker/child/explain.rs", "the documented time from one refusal of a router to the next"),
];

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below these folders of the package, with its path in the package and its text, in order of name.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| package().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(place) = waiting.pop() {
        if place.is_dir() {
            let entries = fs::read_dir(&place).expect("the folder is part of the package");
            waiting.extend(entries.map(|entry| entry.expect("the folder can be read").path()));
        } else if place.extension().is_some_and(|extension| extension == "rs") {
            let name = place.strip_prefix(package()).expect("it lies below the package").display().to_string();
            found.push((name, fs::read_to_string(&place).expect("source files are UTF-8")));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no source file below {folders:?}");
    found
}

fn table() -> Table {
    let place = package().join("../ARCHITECTURE.md");
    let text = fs::read_to_string(&place).expect("ARCHITECTURE.md is at the root");
    Table::read(&text).expect("ARCHITECTURE.md holds the table of imports")
}

fn fail_with(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn imports_go_strictly_downwards() {
    let table = table();
    let mut faults = Vec::new();
    for (name, text) in sources(&["src"]) {
        // The library's root declares the modules; it is of no layer.
        if name != "src/lib.rs" {
            faults.extend(table.faults(&name, &text));
        }
    }
    fail_with(&faults);
}

#[test]
fn files_stay_short() {
    let faults: Vec<String> = sources(&["src", "tests"])
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(name, lines)| format!("{name} has {lines} lines; split it before {LONGEST_FILE}"))
        .collect();
    fail_with(&faults);
}

#[test]
fn nothing_sleeps() {
    let mut faults = Vec::new();
    let mut slept = Vec::new();
    for (name, text) in sources(&["src", "tests"]) {
        let places = code::sleeps(&without_comments_and_strings(&text));
        if places.is_empty() {
            continue;
        }
        if SLEEPERS.iter().any(|(file, _)| *file == name) {
            slept.push(name);
        } else {
            faults.extend(places.iter().map(|line| format!("{name}:{line} sleeps: wait for the event itself")));
        }
    }
    for (file, reason) in SLEEPERS {
        if !slept.iter().any(|name| name == file) {
            faults.push(format!("{file} sleeps no longer; take it off the list ({reason})"));
        }
    }
    fail_with(&faults);
}

#[test]
fn words_are_documented() {
    let text = fs::read_to_string(package().join("src/words.rs")).expect("the words are in src/words.rs");
    let (words, faults) = code::undocumented_words(&text);
    assert!(words > 50, "only {words} words were found: did the way they are declared change?");
    fail_with(&faults);
}

#[test]
fn a_violation_is_caught() {
    let table = table();
    for (file, code, fault) in [
        ("src/lab/build.rs", "use crate::case::Case;", "src/lab/build.rs:1: `lab` may not use `case`"),
        (
            "src/verdict/judge.rs",
            "\nuse crate::{source::Span, lab};",
            "src/verdict/judge.rs:2: `verdict` may not use `lab`",
        ),
        ("src/plan/mod.rs", "fn f() { crate::verdict::judge() }", "src/plan/mod.rs:1: `plan` may not use `verdict`"),
        ("src/plan/mod.rs", "use super::run::all;", "src/plan/mod.rs:1: `plan` may not use `run`"),
        ("src/plan/resolve.rs", "use super::super::run;", "src/plan/resolve.rs:1: `plan` may not use `run`"),
        ("src/words.rs", "use crate::diagnostic::quoted;", "src/words.rs:1: `words` may not use `diagnostic`"),
        ("src/report/junit.rs", "use crate::worker::Ending;", "src/report/junit.rs:1: `report` may not use `worker`"),
        ("src/worker/supervise.rs", "use crate::lab::Lab;", "src/worker/supervise.rs:1: `worker` may not use `lab`"),
        ("src/run.rs", "use crate::probe::ping;", "src/run.rs:1: `run` may not use `probe`"),
        ("src/cli.rs", "use crate::trial::main;", "src/cli.rs:1: `cli` may not use `trial`"),
        ("src/helpers.rs", "", "src/helpers.rs: `helpers` stands in no layer of ARCHITECTURE.md"),
        ("src/cli.rs", "use crate::helpers::x;", "src/cli.rs:1: `helpers` stands in no layer of ARCHITECTURE.md"),
    ] {
        assert_eq!(table.faults(file, code), [fault], "{file}: {code}");
    }
}

#[test]
fn what_is_allowed_passes() {
    let table = table();
    for (file, code) in [
        ("src/worker/child.rs", "use crate::{lab::Lab, probe, service::{self, Http}, verdict::judge};"),
        ("src/worker/child/state.rs", "use crate::lab::Lab;"),
        ("src/verdict/judge.rs", "use crate::{observation::Seen, plan::Plan, words};\nuse crate::verdict::words;"),
        ("src/verdict/judge.rs", "use super::words;\n// use crate::case::Case;\nconst S: &str = \"crate::run::x\";"),
        ("src/report/mod.rs", "use crate::verdict::Finding; use crate::diagnostic::Diagnostic;"),
        ("src/main.rs", "use netcase::cli;"),
        ("src/source.rs", "mod tests { use super::helper; use crate::source::{Span, line}; }"),
        ("src/lab/mod.rs", "use crate::namespace::Namespace; pub(in crate::lab) fn f() {}"),
    ] {
        assert_eq!(table.faults(file, code), [""; 0], "{file}: {code}");
    }
}

#[test]
fn imports_are_read_whatever_their_shape() {
    let names = |file: &str, code: &str| -> Vec<String> {
        imports(&module_path(file), &without_comments_and_strings(code))
            .into_iter()
            .map(|import| import.module)
            .collect()
    };
    assert_eq!(names("src/a.rs", "use crate::b; use crate :: c :: D;"), ["b", "c"]);
    assert_eq!(names("src/a.rs", "use crate::{\n  b::{C, D},\n  e,\n  f as g,\n};"), ["b", "e", "f"]);
    assert_eq!(names("src/a.rs", "pub(crate) fn f() -> crate::b::C { $crate::d::e!() }"), ["b", "d"]);
    assert_eq!(names("src/a/b.rs", "use super::c; use super::super::d;"), ["d"]);
    assert_eq!(names("src/a/mod.rs", "use super::d; use self::e;"), ["d"]);
    assert_eq!(names("src/main.rs", "netcase::cli::main()"), ["cli"]);
    assert_eq!(
        names("src/a.rs", "// crate::b\n/* crate::c /* crate::d */ */ let s = r#\"crate::e\"#; let q = '\"';"),
        [""; 0]
    );
    assert_eq!(names("src/a.rs", "fn f<'a>(x: &'a str) -> char { '\\'' } use crate::b;"), ["b"]);
}

#[test]
fn sleeps_and_undocumented_words_are_seen() {
    let code =
        "std::thread::sleep(d);\n// sleep\nlet s = \"sleep\";\ntokio::time::sleep_until(t).await;\nlet asleep = 1;";
    assert_eq!(code::sleeps(&without_comments_and_strings(code)), [1, 4]);
    let text = "words! {\n    /// What.\n    pub enum A: \"a\" {\n        /// One.\n        One = \"one\",\n        Two = \"two\",\n    }\n}";
    assert_eq!(code::undocumented_words(text), (2, vec!["words.rs:6: `two` has no documentation".to_owned()]));
}
