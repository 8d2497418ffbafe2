//! A finding as the user reads it: drawn over the line of the case that it is about.

use crate::diagnostic::{Diagnostic, Severity, Style};
use crate::report::{CaseReport, Status, TestReport};
use crate::verdict::Finding;

/// The explanation of a red test; nothing for the others.
pub fn explain(report: &CaseReport, test: &TestReport, style: Style) -> Option<String> {
    match &test.status {
        Status::Pass | Status::Skip(_) => None,
        Status::Fail(finding) | Status::Error(finding) => Some(draw(report, test, finding, style)),
        Status::BadInput(finding) => {
            let mistakes = mistakes(report, style);
            Some(if mistakes.is_empty() { draw(report, test, finding, style) } else { mistakes.join("\n\n") })
        }
    }
}

/// What was wrong in the file, drawn one by one.
pub fn mistakes(report: &CaseReport, style: Style) -> Vec<String> {
    drawn(report, Severity::Error, style)
}

/// What was doubtful in the file, drawn one by one.
pub fn warnings(report: &CaseReport, style: Style) -> Vec<String> {
    drawn(report, Severity::Warning, style)
}

fn drawn(report: &CaseReport, severity: Severity, style: Style) -> Vec<String> {
    let Some(source) = &report.source else { return Vec::new() };
    let of_severity = report.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
    of_severity.map(|diagnostic| diagnostic.render(source, style)).collect()
}

fn draw(report: &CaseReport, test: &TestReport, finding: &Finding, style: Style) -> String {
    let Finding { message, label, notes, helps } = finding;
    match (&report.source, test.blame.or(test.span)) {
        (Some(source), Some(span)) => {
            let mut diagnostic = Diagnostic::error(span, message).label(label);
            diagnostic.notes.clone_from(notes);
            diagnostic.helps.clone_from(helps);
            diagnostic.render(source, style)
        }
        // Without a place in the file there is nothing to draw over; the words are the same.
        _ => {
            let mut text = format!("error: {message}");
            for (word, lines) in [("note", notes), ("help", helps)] {
                for line in lines {
                    text.push_str(&format!("\n   = {word}: {}", line.replace('\n', "\n           ")));
                }
            }
            text
        }
    }
}
