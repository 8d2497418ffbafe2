//! Recorded ends of cases, for the tests of the reports.

use std::sync::Arc;
use std::time::Duration;

use super::{CaseReport, Event, Listener, Status, Summary, TestReport};
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};
use crate::verdict::Finding;

const NAT: &str = r#"title = "blue reaches the LAN"

[[expect]]
tcp = { from = "blue", to = "lan:7", seen-from = "192.168.1.2" }

[[expect]]
ping = { from = "red", to = "lan", outcome = "no-route" }

[[expect]]
ping = { from = "blue", to = "lan" }
"#;

/// Where a text stands in [`NAT`].
fn at(text: &str) -> Span {
    let start = NAT.find(text).expect("the sample has the text");
    Span::new(start, start + text.len())
}

fn test(name: &str, span: Span, milliseconds: u64, attempts: u32, status: Status) -> TestReport {
    TestReport {
        elapsed: Duration::from_millis(milliseconds),
        attempts,
        ..TestReport::unprobed(name, Some(span), status)
    }
}

fn case(name: &str, milliseconds: u64, tests: Vec<TestReport>) -> CaseReport {
    CaseReport {
        name: name.into(),
        path: format!("{name}.toml"),
        title: Some("blue reaches the LAN".into()),
        source: Some(Source::new(format!("{name}.toml"), NAT)),
        diagnostics: Vec::new(),
        tests,
        printed: Vec::new(),
        plan: None,
        options: Vec::new(),
        bundle: None,
        elapsed: Duration::from_millis(milliseconds),
    }
}

const TCP: &str = r#"tcp = { from = "blue", to = "lan:7""#;
const PING_RED: &str = r#"ping = { from = "red", to = "lan""#;
const PING_BLUE: &str = r#"ping = { from = "blue", to = "lan" }"#;

/// One that passes, one that does not.
pub(crate) fn failed() -> CaseReport {
    let finding = Finding::new("blue could not open lan:7 (192.168.1.3:7): silent for 1 s, expected open")
        .label("192.168.15.2:41532 -> 192.168.1.3:7")
        .note("path: blue.veth-blue -> host.eth0 -> lan.eth0, delivered\nlan answered to 192.168.15.2")
        .help("line 6 masquerades \"192.168.5.0/24\"");
    case(
        "cases/nat",
        1_234,
        vec![
            test("tcp blue -> lan:7", at(TCP), 1_001, 11, Status::Fail(finding)),
            test("ping red -> lan: no-route", at(PING_RED), 0, 1, Status::Pass),
        ],
    )
}

/// All pass, one of them without proof; and one doubt.
pub(crate) fn passed() -> CaseReport {
    let mut unproven = test("ping red -> lan", at(PING_RED), 1_000, 1, Status::Pass);
    unproven.unproven = Some("lan was never seen alive".into());
    let proven = test("ping blue -> lan", at(PING_BLUE), 2, 2, Status::Pass);
    let mut report = case("cases/green", 12, vec![unproven, proven]);
    report.diagnostics.push(Diagnostic::warning(at("\"lan:7\""), "nothing listens on lan:7").label("at this port"));
    report
}

/// A worker that died: one cause, several expectations.
pub(crate) fn broken() -> CaseReport {
    let finding = Finding::new("the worker was killed by SIGKILL while it built the lab").note("last: adding a veth");
    let mut tests = vec![
        test("tcp blue -> lan:7", at(TCP), 0, 0, Status::Error(finding.clone())),
        test("ping blue -> lan", at(PING_BLUE), 0, 0, Status::Error(finding)),
    ];
    for test in &mut tests {
        test.blame = Some(at("title"));
    }
    case("cases/broken", 40, tests)
}

/// What this machine cannot run.
pub(crate) fn skipped() -> CaseReport {
    let skip = Status::Skip("there is no program `nginx` in /usr/sbin".into());
    let tests = vec![test("tcp", at(TCP), 0, 0, skip.clone()), test("ping", at(PING_BLUE), 0, 0, skip)];
    case("cases/nginx", 0, tests)
}

/// Two mistakes and a doubt in one file.
pub(crate) fn bad_input() -> CaseReport {
    let finding = Finding::new("cases/bad.toml:4: unknown node `blue` (and 1 more)");
    let mut report =
        case("cases/bad", 0, vec![TestReport::unprobed("case", Some(at("\"blue\"")), Status::BadInput(finding))]);
    report.diagnostics = vec![
        Diagnostic::error(at("\"blue\""), "unknown node `blue`").label("did you mean `blu`?"),
        Diagnostic::error(at("\"red\""), "unknown node `red`").help("declare it as [nodes.red]"),
        Diagnostic::warning(at("\"lan:7\""), "nothing listens on lan:7"),
    ];
    report
}

/// A file that cannot be read.
pub(crate) fn unreadable() -> CaseReport {
    let finding = Finding::new("cases/none.toml: cannot read this file: Permission denied");
    let test = TestReport::unprobed("case", None, Status::BadInput(finding));
    CaseReport { title: None, source: None, ..case("cases/none", 0, vec![test]) }
}

/// Tells a listener a whole run in which these cases end in this order; the numbers are their places in the input.
pub(crate) fn tell(listener: &mut dyn Listener, cases: Vec<(usize, CaseReport)>) -> Summary {
    let mut summary = Summary { elapsed: Duration::from_millis(840), ..Summary::default() };
    listener.on_event(&Event::RunStarted { cases: cases.len() });
    for (index, report) in &cases {
        listener.on_event(&Event::CaseStarted { index: *index, name: report.name.clone() });
    }
    for (index, report) in cases {
        summary.add(&report);
        listener.on_event(&Event::CaseFinished { index, report: Arc::new(report) });
    }
    listener.on_event(&Event::RunFinished { summary: summary.clone() });
    summary
}
