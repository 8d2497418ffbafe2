//! A finding as the user reads it: drawn over the line of the case that it is about.

use crate::diagnostic::{Diagnostic, Line, Severity, Style};
use crate::evidence::{Explanation, Place};
use crate::report::{CaseReport, Status, TestReport, Worst};
use crate::source::Span;
use crate::verdict::{Finding, path_lines};

/// The explanation of a red test; nothing for the others.
pub fn explain(report: &CaseReport, test: &TestReport, style: Style) -> Option<String> {
    match &test.status {
        Status::Pass | Status::Skip(_) => None,
        Status::Fail(finding) | Status::Error(finding) => Some(draw(report, test, finding, style)),
        Status::BadInput(finding) => {
            let drawn = drawn(report, |_| true, style);
            Some(if drawn.is_empty() { draw(report, test, finding, style) } else { drawn.join("\n\n") })
        }
    }
}

/// What was doubtful in a file that could be used, drawn one by one; what could not be used is explained as a whole.
pub fn warnings(report: &CaseReport, style: Style) -> Vec<String> {
    match report.worst() {
        Worst::BadInput => Vec::new(),
        Worst::Skip | Worst::Pass | Worst::Fail | Worst::Error => {
            drawn(report, |severity| severity == Severity::Warning, style)
        }
    }
}

fn drawn(report: &CaseReport, wanted: impl Fn(Severity) -> bool, style: Style) -> Vec<String> {
    let Some(source) = &report.source else { return Vec::new() };
    let wanted = report.diagnostics.iter().filter(|diagnostic| wanted(diagnostic.severity));
    wanted.map(|diagnostic| diagnostic.render(source, style)).collect()
}

/// What somebody else has said, so that it does nothing to a terminal.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

fn draw(report: &CaseReport, test: &TestReport, finding: &Finding, style: Style) -> String {
    // Programs of the case may have said some of it.
    let all = |texts: &[String]| texts.iter().map(|text| visible(text)).collect::<Vec<_>>();
    let Finding { message, label, notes, helps, about: _ } = finding;
    let (message, label, notes, helps) = (&visible(message), &visible(label), &all(notes), &all(helps));
    match (&report.source, test.blame.or(test.span)) {
        (Some(source), Some(span)) => {
            let mut diagnostic = Diagnostic::error(span, message).label(label);
            diagnostic.notes =
                notes.iter().map(String::as_str).chain(source.notes_inside(span)).map(str::to_owned).collect();
            diagnostic.helps.clone_from(helps);
            if let Some(explained) = &test.explained {
                add(&mut diagnostic, test.span, &explained.explanation);
            }
            diagnostic.closing = report.bundle.as_ref().map(|bundle| ("bundle".to_owned(), bundle.clone()));
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
            text.extend(report.bundle.iter().map(|bundle| format!("\n   = bundle: {bundle}")));
            text
        }
    }
}

/// Adds where the packet went, and why it ended there.
fn add(diagnostic: &mut Diagnostic, check: Option<Span>, explanation: &Explanation) {
    // The check itself is drawn anyway.
    let is_drawn = |span: &Span| check.is_some_and(|check| span.start < check.end && check.start < span.end);
    diagnostic.told.extend(path_lines(explanation).into_iter().map(|(word, line)| (word.to_owned(), visible(&line))));
    diagnostic.told.extend(explanation.flaky.iter().map(|flaky| ("flaky".to_owned(), visible(flaky))));
    for (at, cause) in explanation.causes.iter().enumerate() {
        diagnostic.told.push(((if at == 0 { "cause" } else { "and" }).to_owned(), visible(&cause.words)));
        let label = if at == 0 { "the cause" } else { "and this" };
        match &cause.blame {
            Some(Place::Case(span)) if is_drawn(span) || diagnostic.related.iter().any(|(known, _)| known == span) => {}
            Some(Place::Case(span)) => diagnostic.related.push((*span, label.to_owned())),
            Some(Place::File { path, line, text, .. }) => diagnostic.elsewhere.push(Line {
                path: path.clone(),
                number: *line,
                text: visible(text),
                label: label.to_owned(),
            }),
            None => {}
        }
    }
    if !explanation.causes.is_empty() {
        diagnostic.helps = explanation.causes.iter().filter_map(|cause| cause.help.as_deref()).map(visible).collect();
    } else if !explanation.known.is_empty() {
        // What the plan alone suggests is less than what was seen.
        diagnostic.helps.clear();
        diagnostic.told.push(("cause".to_owned(), format!("not known; {}", visible(&explanation.known.join("; ")))));
    }
    diagnostic.told.extend(explanation.cut.iter().map(|cut| ("cut".to_owned(), visible(cut))));
}
