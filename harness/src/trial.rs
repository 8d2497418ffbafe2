//! Cases as tests of `cargo test` and `cargo nextest`: one trial for each case.
//!
//! A crate gets them with one line in a test target of its own, `tests/cases.rs`:
//!
//! ```ignore
//! netcase::cases!("cases");
//! ```
//!
//! and in its `Cargo.toml`, since the trials bring their own `main`:
//!
//! ```toml
//! [[test]]
//! name = "cases"
//! harness = false
//! ```
//!
//! The folder is relative to the package, where cargo runs its tests. Trials are called as `netcase run` calls the
//! cases: by their path from the package; a folder outside the package counts from its own parent.
//!
//! What this machine lacks is found out when the trials are listed, and such a trial is ignored: an ignored trial is
//! shown as skipped by cargo-nextest too, while one that gives up when it runs is shown there as passed. The reason
//! stands in the report.
//!
//! Each process writes a JUnit report below `reports/trial/`, beside the folder of cases: `CASE.xml` for a single case
//! asked for with `--exact`, as cargo-nextest does; `TARGET.skipped.xml` for what was found to be skipped while listing
//! for cargo-nextest, which never runs it; `TARGET.xml` else.
//!
//! The environment says what the options of `netcase run` say on the command line: `NETCASE_STRICT=1`,
//! `NETCASE_MAY_LACK="NEED ..."`, `NETCASE_ROOTLESS=1`, `NETCASE_ALLOW_UNPROVEN=1`, `NETCASE_TIMEOUT_SCALE=X`, and
//! `NETCASE_SET` with one `NAME=VALUE` a line. The number of trials at the same time is eight for each core, or
//! `--test-threads`, or `RUST_TEST_THREADS`.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::diagnostic::Style;
use crate::preflight::scratch::answer_if_asked;
use crate::report::junit::Junit;
use crate::report::terminal::details;
use crate::report::{CaseReport, Event, Listener, Status, Summary, Worst};
use crate::run::select::{self, CaseFile, Set};
use crate::run::{Conduct, Crew, Explain, Loaded, default_jobs, load};
use crate::worker::supervise::become_worker_if_asked;

/// Declares the `main` of a test target whose trials are the cases below a folder.
#[macro_export]
macro_rules! cases {
    ($folder:expr) => {
        fn main() -> ::std::process::ExitCode {
            $crate::trial::main($folder)
        }
    };
}

/// As the standard test harness ends when a test fails.
const FAILED: u8 = 101;

/// Runs the cases below a folder as trials, with the arguments of this process.
pub fn main(folder: &str) -> ExitCode {
    become_worker_if_asked();
    answer_if_asked();
    let mut arguments = Arguments::from_args();
    let set = match set(env::var("NETCASE_SET").unwrap_or_default().as_str()) {
        Ok(set) => set,
        Err(message) => return refuse(&message),
    };
    let target = Target::new(Path::new(folder), set);
    let conduct = match conduct(|name| env::var(name).ok()) {
        Ok(conduct) => conduct,
        Err(message) => return refuse(&message),
    };
    let files = match target.files(&arguments) {
        Ok(files) => files,
        Err(message) => return refuse(&message),
    };
    if arguments.test_threads.is_none() {
        let asked = env::var("RUST_TEST_THREADS").ok().and_then(|threads| threads.parse().ok());
        arguments.test_threads = Some(asked.unwrap_or(default_jobs().get()));
    }
    let begin = Instant::now();
    let session = Arc::new(Session { crew: Crew::new(conduct), reports: Mutex::default() });
    let trials = files.into_iter().enumerate().filter_map(|(index, file)| session.trial(index, file, &arguments));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    session.crew.dismiss();
    match session.write(&target, &arguments, begin) {
        Some(failure) => refuse(&failure),
        None => conclusion.exit_code(),
    }
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(FAILED)
}

/// The values of parameters, one a line.
fn set(text: &str) -> Result<Set, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| select::read_set(line).map_err(|message| format!("NETCASE_SET: {message}"))).collect()
}

/// What the environment asks for.
fn conduct(variable: impl Fn(&str) -> Option<String>) -> Result<Conduct, String> {
    let flag = |name: &str| match variable(name).as_deref() {
        None | Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(format!("{name} is {other:?}; it must be 0 or 1")),
    };
    let scale = match variable("NETCASE_TIMEOUT_SCALE") {
        None => 1.0,
        Some(text) => Conduct::read_scale(&text).map_err(|message| format!("NETCASE_TIMEOUT_SCALE: {message}"))?,
    };
    let listed = variable("NETCASE_MAY_LACK").unwrap_or_default();
    let may_lack: Result<_, _> = listed.split_whitespace().map(Conduct::read_need).collect();
    let may_lack = may_lack.map_err(|message| format!("NETCASE_MAY_LACK is {listed:?}: {message}"))?;
    Ok(Conduct {
        strict: flag("NETCASE_STRICT")?,
        may_lack,
        rootless: flag("NETCASE_ROOTLESS")?,
        allow_unproven: flag("NETCASE_ALLOW_UNPROVEN")?,
        timeout_scale: scale,
        explain: Explain::Failed,
        keep: None,
    })
}

/// A test target: where its cases are, and what they are called after.
struct Target {
    folder: PathBuf,
    base: PathBuf,
    name: String,
    set: Set,
}

impl Target {
    fn new(folder: &Path, set: Set) -> Self {
        let here = env::current_dir().unwrap_or_default();
        let program = env::args_os().next().map(PathBuf::from).unwrap_or_default();
        let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = here.join(folder);
        let folder = folder.canonicalize().unwrap_or(folder);
        let base = match (here.canonicalize(), folder.parent()) {
            (Ok(here), Some(parent)) if !folder.starts_with(&here) => parent.to_owned(),
            _ => here,
        };
        Self { folder, base, name: without_hash(&name).to_owned(), set }
    }

    /// The cases that may be asked for: a single one by its name without a look at the others, or all.
    fn files(&self, arguments: &Arguments) -> Result<Vec<CaseFile>, String> {
        if let (true, Some(name)) = (arguments.exact, &arguments.filter) {
            let file = select::by_name(name, &self.base, &self.set).filter(|file| file.path.starts_with(&self.folder));
            return Ok(file.into_iter().collect());
        }
        let selection = select::select(std::slice::from_ref(&self.folder), &self.base, &self.set);
        match selection.problems.first() {
            Some(problem) => Err(format!("{}: {}", problem.argument, problem.message)),
            None if selection.cases.is_empty() => Err(format!("there is no case below {}", self.folder.display())),
            None => Ok(selection.cases),
        }
    }

    /// Where the report goes.
    fn report(&self, arguments: &Arguments) -> PathBuf {
        let name = match &arguments.filter {
            Some(case) if arguments.exact => as_file(case),
            _ if arguments.list => format!("{}.skipped", self.name),
            _ => self.name.clone(),
        };
        self.base.join("reports/trial").join(name + ".xml")
    }
}

/// The name of a case as a path: what stands in brackets is not a folder, whatever the values of its matrix are.
fn as_file(case: &str) -> String {
    match case.split_once('[') {
        Some((path, combination)) => format!("{path}[{}", combination.replace('/', "%2F")),
        None => case.to_owned(),
    }
}

/// Cargo adds `-` and 16 hexadecimal digits to the name of a test target.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => name,
    }
}

/// What the trials of this process share.
struct Session {
    crew: Crew,
    reports: Mutex<BTreeMap<usize, CaseReport>>,
}

impl Session {
    /// The trial of a case; nothing for one that the arguments exclude by its name, which need not be read then.
    fn trial(self: &Arc<Self>, index: usize, file: CaseFile, arguments: &Arguments) -> Option<Trial> {
        let name = file.name.clone();
        let probe = Trial::test(name.clone(), || Ok(())).with_ignored_flag(true);
        if arguments.is_filtered_out(&probe) {
            return None;
        }
        // A list needs no plan: only a matrix was looked for.
        if arguments.list && !arguments.ignored {
            return Some(Trial::test(name, || Ok(())));
        }
        let loaded = load(&file);
        let skipped = self.crew.without_running(&loaded).filter(|report| report.worst() == Worst::Skip);
        let ignored = skipped.is_some();
        if let Some(report) = skipped {
            self.keep(index, report);
        }
        let session = Arc::clone(self);
        let trial = Trial::ignorable_test(name, move || session.run(index, &loaded));
        Some(trial.with_ignored_flag(ignored))
    }

    fn run(&self, index: usize, loaded: &Loaded) -> Result<Completion, Failed> {
        let report = self.crew.run(loaded, || {});
        let text = details(&report, Style::Plain);
        let completion = match report.worst() {
            Worst::Pass => Ok(Completion::Completed),
            Worst::Fail | Worst::Error | Worst::BadInput => Err(Failed::from(text.trim_end())),
            Worst::Skip => Ok(Completion::ignored_with(reason(&report))),
        };
        self.keep(index, report);
        completion
    }

    fn keep(&self, index: usize, report: CaseReport) {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).insert(index, report);
    }

    /// Writes the report of this process, and says why it could not.
    fn write(&self, target: &Target, arguments: &Arguments, begin: Instant) -> Option<String> {
        if arguments.list && !arguments.ignored {
            return None;
        }
        let reports = std::mem::take(&mut *self.reports.lock().unwrap_or_else(PoisonError::into_inner));
        let mut junit = Junit::new(target.report(arguments));
        junit.on_event(&Event::RunStarted { cases: reports.len() });
        if reports.is_empty() {
            return junit.failure().map(str::to_owned);
        }
        let mut summary = Summary::default();
        for (index, report) in reports {
            summary.add(&report);
            junit.on_event(&Event::CaseFinished { index, report: Arc::new(report) });
        }
        summary.elapsed = begin.elapsed();
        junit.on_event(&Event::RunFinished { summary });
        junit.failure().map(str::to_owned)
    }
}

fn reason(report: &CaseReport) -> String {
    let mut reasons = report.tests.iter().filter_map(|test| match &test.status {
        Status::Skip(reason) => Some(reason.clone()),
        Status::Pass | Status::Fail(_) | Status::BadInput(_) | Status::Error(_) => None,
    });
    reasons.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_adds_a_hash_that_is_no_part_of_the_name() {
        for (name, expected) in [
            ("cases-0123456789abcdef", "cases"),
            ("my-cases", "my-cases"),
            ("a-0123456789abcdeg", "a-0123456789abcdeg"),
        ] {
            assert_eq!(without_hash(name), expected);
        }
    }

    #[test]
    fn a_combination_is_no_folder() {
        for (case, file) in
            [("cases/a", "cases/a"), ("cases/a[net=10.0.0.0/8,x=../..]", "cases/a[net=10.0.0.0%2F8,x=..%2F..]")]
        {
            assert_eq!(as_file(case), file);
        }
    }

    #[test]
    fn values_stand_one_a_line() {
        let read = set("a=1\n\nb=x = y\n").expect("both are right");
        assert_eq!(*read, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x = y".to_owned())]);
        for wrong in ["a", "2=x", "a=1\n=2"] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_environment_is_read_strictly() {
        let with =
            |name: &'static str, value: &'static str| conduct(move |asked| (asked == name).then(|| value.into()));
        assert!(with("NETCASE_STRICT", "1").is_ok_and(|conduct| conduct.strict));
        assert!(with("NETCASE_STRICT", "0").is_ok_and(|conduct| !conduct.strict));
        assert!(with("NETCASE_STRICT", "yes").is_err());
        assert!(with("NETCASE_TIMEOUT_SCALE", "2.5").is_ok_and(|conduct| conduct.timeout_scale > 2.4));
        assert!(with("NETCASE_TIMEOUT_SCALE", "fast").is_err());
        assert!(with("NETCASE_MAY_LACK", "link:vlan ipv6").is_ok_and(|conduct| conduct.may_lack.len() == 2));
        assert!(with("NETCASE_MAY_LACK", "vlan").is_err());
    }
}
