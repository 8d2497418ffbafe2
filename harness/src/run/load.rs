//! From a file to a plan, with everything that is to be said about the file.

use std::path::Path;

use super::files::{check_files, complete};
use super::select::{CaseFile, Problem};
use crate::case::{self, Unreadable};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::plan::{self, Plan};
use crate::report::{CaseReport, Status, TestReport};
use crate::source::Source;
use crate::verdict::Finding;

/// The name of the one test of a case that could not be used.
pub const CASE_TEST: &str = "case";

/// A case file as far as it could be read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file.
    pub file: CaseFile,
    /// Its text; empty when it could not be read.
    pub source: Source,
    /// Its title.
    pub title: Option<String>,
    /// Its tags; `None` when they could not be read.
    pub tags: Option<Vec<String>>,
    /// What is wrong or doubtful in it.
    pub diagnostics: Vec<Diagnostic>,
    /// What it asks for, or why it cannot be used.
    pub plan: Result<Plan, Finding>,
}

/// Reads, parses and resolves a case.
pub fn load(file: &CaseFile) -> Loaded {
    match case::read(&file.path, &file.shown) {
        Ok(source) => resolve(file, source),
        Err(unreadable) => {
            let Unreadable { source, diagnostic } = *unreadable;
            let diagnostics = vec![diagnostic];
            let plan = Err(first_error(&source, &diagnostics));
            Loaded { file: file.clone(), source, title: None, tags: None, diagnostics, plan }
        }
    }
}

/// Parses and resolves the text of a case.
pub fn resolve(file: &CaseFile, mut source: Source) -> Loaded {
    let mut out = Diagnostics::default();
    let case = case::parse(&mut source, &file.given, &mut out);
    let title = case.as_ref().and_then(|case| case.title.0.as_ref()).map(|title| title.value.clone());
    let tags = match &case {
        Some(case) => match &case.tags {
            Some(tags) => Some(tags.items.iter().map(|tag| tag.value.clone()).collect()),
            // Wrong tags are dropped on reading, so with mistakes about there is no telling that it has none.
            None => (!out.has_errors()).then(Vec::new),
        },
        None => None,
    };
    let folder = file.path.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
    if let (Some(case), Some(folder)) = (&case, &folder) {
        check_files(case, folder, &mut out);
    }
    let mut plan = case.and_then(|case| plan::resolve(case, &mut out));
    if let (Some(plan), Some(folder)) = (&mut plan, &folder) {
        complete(plan, &source, folder);
        plan.folder = Some(folder.clone());
    }
    let failed = out.has_errors();
    let diagnostics = out.into_sorted(&source);
    let plan = plan.filter(|_| !failed).ok_or_else(|| first_error(&source, &diagnostics));
    Loaded { file: file.clone(), source, title, tags, diagnostics, plan }
}

fn first_error(source: &Source, diagnostics: &[Diagnostic]) -> Finding {
    let errors: Vec<_> = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
    let Some(first) = errors.first() else {
        return Finding::new(format!("{}: this case cannot be resolved, and no reason is known", source.path))
            .help("this is a fault of netcase: please report it, with the case");
    };
    let more = match errors.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    let place = if source.text.is_empty() { source.path.clone() } else { source.file_line(first.span) };
    Finding::new(format!("{place}: {}{more}", first.message))
}

impl Loaded {
    /// A report on the file alone: as if everything in it were skipped.
    pub fn checked(&self) -> CaseReport {
        self.all(&Status::Skip("only checked".into()))
    }

    /// How many mistakes and how many doubts there are. A file that cannot be read is one mistake.
    pub fn tally(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        let warnings = self.diagnostics.len() - errors;
        (errors.max(usize::from(self.plan.is_err())), warnings)
    }

    /// A report of the case whose tests are still to be filled in.
    pub(super) fn report(&self, tests: Vec<TestReport>) -> CaseReport {
        CaseReport {
            name: self.file.name.clone(),
            path: self.file.shown.clone(),
            title: self.title.clone(),
            source: Some(self.source.clone()),
            diagnostics: self.diagnostics.clone(),
            tests,
            printed: Vec::new(),
            plan: None,
            options: Vec::new(),
            bundle: None,
            elapsed: std::time::Duration::ZERO,
        }
    }

    /// A report in which every expectation ends alike. A case that cannot be used says so whatever the status.
    pub(super) fn all(&self, status: &Status) -> CaseReport {
        match &self.plan {
            Ok(plan) => self.report(
                plan.expectations
                    .iter()
                    .map(|expectation| TestReport::unprobed(&expectation.name, Some(expectation.span), status.clone()))
                    .collect(),
            ),
            Err(finding) => self.report(vec![TestReport::unprobed(CASE_TEST, None, Status::BadInput(finding.clone()))]),
        }
    }
}

/// The report on an argument that selects nothing: a red case of its own, so that it is in every report.
pub(super) fn problem_report(problem: &Problem) -> CaseReport {
    let finding = Finding::new(format!("{}: {}", problem.argument, problem.message));
    CaseReport {
        name: problem.argument.strip_suffix(".toml").unwrap_or(&problem.argument).to_owned(),
        path: problem.argument.clone(),
        title: None,
        source: None,
        diagnostics: Vec::new(),
        tests: vec![TestReport::unprobed(CASE_TEST, None, Status::BadInput(finding))],
        printed: Vec::new(),
        plan: None,
        options: Vec::new(),
        bundle: None,
        elapsed: std::time::Duration::ZERO,
    }
}
