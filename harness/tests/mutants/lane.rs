//! Runs many changed cases in one go, and reads what became of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::staging::stage;

/// A case, and the files that are different for it.
pub(crate) struct Changed {
    /// The case, with `.toml`.
    pub(crate) case: String,
    /// The files, below the root of the tree, and their texts.
    pub(crate) texts: Vec<(PathBuf, String)>,
}

/// What a report says of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Passed,
    Skipped,
    Failed,
    Error,
}

/// One test of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    /// The line in the changed file; none for what is about the case itself.
    pub(crate) line: Option<u32>,
    pub(crate) name: String,
    pub(crate) status: Status,
    /// The first line of what is said.
    pub(crate) message: String,
}

/// What became of a changed case: its tests, of every combination of its matrix.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome(pub(crate) Vec<Test>);

impl Outcome {
    /// The worst of its tests.
    pub(crate) fn worst(&self) -> Status {
        self.0.iter().map(|test| test.status).max().unwrap_or(Status::Error)
    }

    /// Whether the file was refused before anything was built.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.0.as_slice(), [test, ..] if test.name == netcase::run::CASE_TEST && test.line.is_none()
            && test.message.contains(".toml"))
    }

    /// The tests of one of the expectations, by how many stand before it in the file; nothing when not all were reported.
    pub(crate) fn of(&self, index: usize, count: usize) -> Option<Vec<&Test>> {
        let lines: BTreeSet<u32> = self.0.iter().filter_map(|test| test.line).collect();
        let line = lines.iter().nth(index).filter(|_| lines.len() == count)?;
        Some(self.0.iter().filter(|test| test.line == Some(*line)).collect())
    }

    /// Whether something else than the change may be to blame: the machine's one table of neighbours was full.
    pub(crate) fn is_crowded(&self) -> bool {
        self.0.iter().any(|test| test.message.contains("neighbour table"))
    }
}

/// Runs them all, as many at a time as `netcase run` does by itself.
pub(crate) fn run(root: &Path, lane: &str, cases: &[Changed], more: &[&str]) -> Vec<Outcome> {
    if cases.is_empty() {
        return Vec::new();
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(lane);
    let mut paths = Vec::new();
    for (index, changed) in cases.iter().enumerate() {
        stage(root, &place.join(index.to_string()), &changed.case, &changed.texts).expect("a case can be staged");
        paths.push(format!("{index}/{}", changed.case));
    }
    let output = Command::new(env!("CARGO_BIN_EXE_netcase"))
        .args(["run", "--color", "never", "--capture", "never", "--bundle", "never", "--junit", "junit.xml"])
        .args(more)
        .args(&paths)
        .current_dir(&place)
        .output()
        .expect("netcase can be started");
    let report = std::fs::read_to_string(place.join("junit.xml"))
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&output.stderr)));
    let outcomes = read(&report, cases.len());
    std::fs::remove_dir_all(&place).expect("the folder of the test can be removed");
    outcomes
}

/// The report, by the folder that each case was staged in.
fn read(report: &str, count: usize) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::default(); count];
    let mut reader = Reader::from_str(report);
    let mut current: Option<(usize, Test)> = None;
    loop {
        match reader.read_event().expect("the report is XML") {
            Event::Start(tag) => take(&tag, false, &mut current, &mut outcomes),
            Event::Empty(tag) => take(&tag, true, &mut current, &mut outcomes),
            Event::End(tag) if tag.name().as_ref() == "testcase" => finish(&mut current, &mut outcomes),
            Event::Eof => return outcomes,
            _ => {}
        }
    }
}

fn take(tag: &BytesStart<'_>, is_empty: bool, current: &mut Option<(usize, Test)>, outcomes: &mut [Outcome]) {
    let value = |name: &str| {
        let attribute = tag.try_get_attribute(name).expect("the report is XML")?;
        Some(quick_xml::escape::unescape(&attribute.value).expect("only known entities").into_owned())
    };
    let status = match tag.name().as_ref() {
        "testcase" => {
            let class = value("classname").expect("a test has a class");
            let index = class.split('/').next().and_then(|index| index.parse().ok()).expect("staged by its number");
            let line = value("line").and_then(|line| line.parse().ok());
            let name = value("name").expect("a test has a name");
            *current = Some((index, Test { line, name, status: Status::Passed, message: String::new() }));
            if is_empty {
                finish(current, outcomes);
            }
            return;
        }
        "failure" => Status::Failed,
        "error" => Status::Error,
        "skipped" => Status::Skipped,
        _ => return,
    };
    if let Some((_, test)) = current {
        test.status = status;
        test.message = value("message").unwrap_or_default();
    }
}

fn finish(current: &mut Option<(usize, Test)>, outcomes: &mut [Outcome]) {
    if let Some((index, test)) = current.take() {
        outcomes[index].0.push(test);
    }
}
