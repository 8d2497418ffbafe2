//! What the end of a worker means for each expectation.

use std::time::Duration;

use super::*;
use crate::report::Summary;
use crate::run::budget::estimate;
use crate::run::exit;
use crate::run::load::resolve;
use crate::run::select::CaseFile;
use crate::source::{Source, Span};

const CASE: &str = r#"
title = "Three expectations, of which one looks at state"
[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b.interfaces]
eth0 = { address = "10.0.0.2/24" }
[[expect]]
ping = { from = ["a", "b"], to = ["10.0.0.1", "10.0.0.2"] }
[[expect]]
tcp = { from = "a", to = "10.0.0.2:80", outcome = "refused" }
[[expect]]
link = { on = "a.eth0" }
"#;

fn loaded() -> Loaded {
    let file =
        CaseFile { name: "case".into(), shown: "case.toml".into(), path: "case.toml".into(), ..CaseFile::default() };
    resolve(&file, Source::new("case.toml", CASE))
}

fn plan() -> Plan {
    loaded().plan.expect("the case is right")
}

#[expect(clippy::unnecessary_wraps, reason = "a verdict as a worker gives it: it may be missing")]
fn verdict(outcome: Outcome) -> Option<Verdict> {
    Some(Verdict { outcome, attempts: 3, elapsed: Duration::from_millis(7) })
}

fn concluded(conduct: Conduct, verdicts: Vec<Option<Verdict>>, broken: Option<Broken>) -> Vec<TestReport> {
    Crew::new(conduct).conclude(
        &plan(),
        Ending {
            verdicts,
            broken,
            printed: Vec::new(),
            explained: Vec::new(),
            unexplained: Vec::new(),
            opening: None,
            elapsed: Duration::ZERO,
        },
    )
}

#[test]
fn neighbours_are_counted_for_each_sender_and_target_once() {
    let plan = plan();
    let pings = plan.expectations.iter().filter(|expectation| matches!(expectation.check, crate::plan::Check::Ping(_)));
    // The connection goes from a to an address that a pings as well; state puts nothing on the wire.
    assert_eq!(estimate(&plan), pings.count() * 2);
}

#[test]
fn verdicts_that_were_sent_stand_and_the_rest_says_why() {
    let broken = Broken {
        message: "the worker was killed by SIGKILL while it probed".into(),
        notes: vec!["last: a ping".into()],
        helps: vec!["give it more memory".into()],
        span: Some(Span::new(1, 6)),
        subject: None,
        lacking: false,
    };
    let fail = Finding::new("not reachable");
    let verdicts = vec![verdict(Outcome::Pass { unproven: None }), verdict(Outcome::Fail(fail.clone())), None];
    let tests = concluded(Conduct::default(), verdicts, Some(broken));
    assert_eq!(tests.len(), plan().expectations.len());
    assert_eq!((&tests[0].status, tests[0].attempts), (&Status::Pass, 3));
    let why = "not probed once more to explain it: the worker was killed by SIGKILL while it probed";
    assert_eq!(tests[1].status, Status::Fail(fail.note(why)));
    for test in &tests[2..] {
        let finding = Finding::new("the worker was killed by SIGKILL while it probed")
            .note("last: a ping")
            .help("give it more memory");
        assert_eq!((&test.status, test.blame), (&Status::Error(finding), Some(Span::new(1, 6))));
    }
}

#[test]
fn a_worker_that_says_nothing_is_an_error_for_every_expectation() {
    let tests = concluded(Conduct::default(), Vec::new(), None);
    let silent = Status::Error(Finding::new("the worker ended without a verdict"));
    assert!(!tests.is_empty() && tests.iter().all(|test| test.status == silent), "{tests:?}");
}

#[test]
fn an_unproven_pass_is_an_error_unless_allowed_and_counted_in_both_cases() {
    for (allow_unproven, passed, errors, code) in [(false, 0, 1, exit::ERROR), (true, 1, 0, exit::PASSED)] {
        let conduct = Conduct { allow_unproven, ..Conduct::default() };
        let verdicts = vec![verdict(Outcome::Pass { unproven: Some("nobody listens".into()) })];
        let tests = concluded(conduct, verdicts, None);
        let mut summary = Summary::default();
        summary.add(&loaded().report(tests.into_iter().take(1).collect()));
        assert_eq!((summary.passed, summary.errors, summary.unproven), (passed, errors, 1));
        assert_eq!(exit::code(&summary), code);
    }
}
