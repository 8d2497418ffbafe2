//! The JUnit report: one suite for each case file, one test case for each expectation.
//!
//! Written for what its readers take from it: GitLab shows the class name and the text of an outcome and drops its
//! message, so the text begins with the message; two tests of one class and name vanish into one, so both are unique;
//! annotations on GitHub come from `file` and `line` of the test case.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::diagnostic::Style;
use crate::report::explain::explain;
use crate::report::{CaseReport, Event, Listener, Status, TestReport};
use crate::verdict::Finding;

/// Collects cases and writes the file when the run ends.
pub struct Junit {
    path: PathBuf,
    cases: BTreeMap<usize, Arc<CaseReport>>,
    failure: Option<String>,
}

impl Listener for Junit {
    fn on_event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { .. } => self.remove_old(),
            Event::CaseStarted { .. } => {}
            Event::CaseFinished { index, report } => {
                self.cases.insert(*index, Arc::clone(report));
            }
            Event::RunFinished { summary } => {
                let xml = xml(self.cases.values().map(|report| &**report), summary.elapsed);
                if let Err(error) = xml.and_then(|xml| write_atomically(&self.path, xml.as_bytes())) {
                    self.fail("write", &error);
                }
            }
        }
    }
}

impl Junit {
    /// A report that is going to this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cases: BTreeMap::new(), failure: None }
    }

    /// Why the file could not be written.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// A run that is killed leaves no file, rather than that of an earlier run.
    fn remove_old(&mut self) {
        if is_device(&self.path) {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.fail("replace", &error),
            Ok(()) | Err(_) => {}
        }
    }

    fn fail(&mut self, verb: &str, error: &io::Error) {
        self.failure = Some(format!("cannot {verb} the report {}: {error}", self.path.display()));
    }
}

/// The text of the report.
///
/// # Errors
/// Never in practice: text is written to memory.
pub fn xml<'a>(cases: impl Iterator<Item = &'a CaseReport>, elapsed: Duration) -> io::Result<String> {
    let mut report = Report::new("netcase");
    report.set_time(elapsed);
    report.add_test_suites(cases.map(suite));
    report.to_string().map_err(io::Error::other)
}

/// Writes a file that no reader sees half of, whenever this process ends, and that leaves nothing else behind.
///
/// # Errors
/// When a folder or the file cannot be made, with the operating system's reason.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_device(path) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().ok_or_else(|| io::Error::other("this names no file"))?.to_owned();
    // A file without a name is gone with the process that is killed while it writes.
    if let Ok(mut file) = fs::OpenOptions::new().write(true).mode(0o666).custom_flags(libc::O_TMPFILE).open(folder) {
        file.write_all(bytes)?;
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        if linkat(AT_FDCWD, &*unnamed, AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW).is_ok() {
            return Ok(());
        }
    }
    // Not every file system has such files, and none lets one take the place of another file.
    name.push(format!(".{}.tmp", process::id()));
    let beside = folder.join(name);
    let written =
        fs::File::create(&beside).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to tell; what cannot be written can often not be removed either.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Whether a path is something that is written to and never replaced: a device such as `/dev/null`, or a pipe.
pub fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn suite(report: &CaseReport) -> TestSuite {
    let mut suite = TestSuite::new(&*report.name);
    suite.set_time(report.elapsed);
    let mut names = HashSet::new();
    for test in &report.tests {
        let name = unique(one_line(&test.name), &mut names);
        suite.add_test_case(test_case(report, test, &name));
    }
    if !report.printed.is_empty() {
        let parts = report.printed.iter().map(|(who, text)| format!("{who} printed:\n{text}"));
        suite.set_system_out(parts.collect::<Vec<_>>().join("\n").replace(is_no_xml, ""));
    }
    suite
}

/// Names are unique in a case, but may no longer be once control characters are gone.
fn unique(name: String, known: &mut HashSet<String>) -> String {
    let mut candidate = name.clone();
    let mut count = 1;
    while !known.insert(candidate.clone()) {
        count += 1;
        candidate = format!("{name} ({count})");
    }
    candidate
}

fn test_case(report: &CaseReport, test: &TestReport, name: &str) -> TestCase {
    let mut case = TestCase::new(name, status(report, test));
    case.set_classname(&*report.name);
    case.set_time(test.elapsed);
    case.extra.insert("file".into(), (&*report.path).into());
    if let (Some(source), Some(span)) = (&report.source, test.span) {
        case.extra.insert("line".into(), source.line_column(span).line.to_string().into());
    }
    if test.attempts > 0 {
        case.add_property(("attempts", &*test.attempts.to_string()));
    }
    if let Some(flaky) = test.explained.as_ref().and_then(|explained| explained.explanation.flaky.as_deref()) {
        case.add_property(("flaky", &*one_line(flaky)));
    }
    if let Some(bundle) = &report.bundle {
        case.add_property(("bundle", &*one_line(bundle)));
    }
    if !test.attachments.is_empty() {
        // GitLab reads the first such line, Jenkins all of them.
        let lines = test.attachments.iter().map(|path| format!("[[ATTACHMENT|{}]]\n", one_line(path)));
        case.set_system_out(lines.collect::<String>());
    }
    if let Some(reason) = &test.unproven {
        case.add_property(("unproven", &*one_line(reason)));
    }
    case
}

fn status(report: &CaseReport, test: &TestReport) -> TestCaseStatus {
    match &test.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Skip(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(one_line(reason));
            status
        }
        Status::Fail(finding) => red(NonSuccessKind::Failure, "failed", finding, report, test),
        Status::Error(finding) => red(NonSuccessKind::Error, "error", finding, report, test),
        Status::BadInput(finding) => red(NonSuccessKind::Error, "bad-input", finding, report, test),
    }
}

fn red(kind: NonSuccessKind, word: &str, finding: &Finding, report: &CaseReport, test: &TestReport) -> TestCaseStatus {
    let verdict = one_line(&finding.message);
    let drawn = explain(report, test, Style::Plain).unwrap_or_default();
    // Several mistakes of one file keep their own first lines; a single finding's is the verdict itself.
    let rest = drawn.strip_prefix(&format!("error: {}", finding.message)).unwrap_or(&drawn).trim_start_matches('\n');
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(&*verdict).set_type(word).set_description(format!("{verdict}\n{rest}").replace(is_no_xml, ""));
    status
}

/// Characters that no document may have (XML 1.0, section 2.2) and that are not dropped on writing; the control
/// characters are.
fn is_no_xml(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Line breaks in an attribute become spaces for every reader of XML.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || is_no_xml(c)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
