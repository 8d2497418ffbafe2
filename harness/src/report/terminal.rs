//! What a person sees: progress while it runs, the failures, and one line of counts.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style as Paint};

use crate::diagnostic::Style;
use crate::report::explain::{explain, visible, warnings};
use crate::report::{CaseReport, Event, Listener, Status, Summary, TestReport, Worst};

/// How the display looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Coloured or plain.
    pub style: Style,
    /// Show each expectation, and the cases that pass also on a terminal.
    pub verbose: bool,
    /// The columns of a terminal on which one line is redrawn; `None` elsewhere.
    pub width: Option<usize>,
}

/// Writes to a terminal, a pipe or a file. When nobody reads any more it falls silent, and the run goes on.
pub struct Terminal<W: Write> {
    out: W,
    look: Look,
    closed: bool,
    status_shown: bool,
    total: usize,
    red: usize,
    running: BTreeMap<usize, String>,
    finished: BTreeMap<usize, Option<Arc<CaseReport>>>,
}

impl<W: Write> Listener for Terminal<W> {
    fn on_event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { cases } => self.total = *cases,
            Event::CaseStarted { index, name } => {
                self.running.insert(*index, name.clone());
                self.draw_status();
            }
            Event::CaseFinished { index, report } => self.case_finished(*index, report),
            Event::RunFinished { summary } => self.run_finished(summary),
        }
    }
}

impl<W: Write> Terminal<W> {
    /// A display that has shown nothing yet.
    pub fn new(out: W, look: Look) -> Self {
        Self {
            out,
            look,
            closed: false,
            status_shown: false,
            total: 0,
            red: 0,
            running: BTreeMap::new(),
            finished: BTreeMap::new(),
        }
    }

    fn case_finished(&mut self, index: usize, report: &Arc<CaseReport>) {
        self.running.remove(&index);
        self.red += usize::from(report.is_red());
        // On a terminal the status line already says that cases pass.
        if self.look.width.is_none() || self.look.verbose || report.worst() != Worst::Pass {
            let text = case_lines(report, self.look);
            self.print(&text);
        }
        let kept = report.is_red() || !report.diagnostics.is_empty();
        self.finished.insert(index, kept.then(|| Arc::clone(report)));
        self.draw_status();
    }

    fn run_finished(&mut self, summary: &Summary) {
        let kept: Vec<_> = std::mem::take(&mut self.finished).into_values().flatten().collect();
        // The combinations of a matrix have their doubts in common.
        let mut told = HashSet::new();
        for report in kept {
            let text = details(&report, self.look.style);
            if told.insert(text.clone()) {
                self.print(&format!("\n{text}"));
            }
        }
        let empty = if summary.cases == 0 { format!("{}\n", summary.left_out) } else { String::new() };
        // A blank line sets the counts apart from whatever stands above.
        let gap = if summary.cases == 0 { "" } else { "\n" };
        self.print(&format!("{gap}{empty}{}\n", counts(summary)));
        if self.out.flush().is_err() {
            self.closed = true;
        }
    }

    fn print(&mut self, text: &str) {
        let clear = if std::mem::take(&mut self.status_shown) { "\r\x1b[K" } else { "" };
        self.write(&format!("{clear}{text}"));
    }

    fn draw_status(&mut self) {
        let Some(width) = self.look.width else { return };
        let line = status_line(self.finished.len(), self.total, self.red, &self.running, width);
        self.write(&format!("\r\x1b[K{line}"));
        self.status_shown = true;
        if self.out.flush().is_err() {
            self.closed = true;
        }
    }

    fn write(&mut self, text: &str) {
        if !self.closed && self.out.write_all(text.as_bytes()).is_err() {
            self.closed = true;
        }
    }
}

/// `[12/40] 1 red running: cases/a, cases/b`, cut to the width of the terminal.
fn status_line(done: usize, total: usize, red: usize, running: &BTreeMap<usize, String>, width: usize) -> String {
    let mut line = format!("[{done}/{total}]");
    if red > 0 {
        line.push_str(&format!(" {red} red"));
    }
    if !running.is_empty() {
        line.push_str(" running: ");
        line.push_str(&running.values().map(String::as_str).collect::<Vec<_>>().join(", "));
    }
    // The last column stays free: a terminal may break the line there.
    let room = width.saturating_sub(1);
    if line.chars().count() <= room {
        return line;
    }
    line.chars().take(room.saturating_sub(3)).chain("...".chars()).collect()
}

/// `PASS cases/a (3 expectations, 12 ms)`, and below it what `-v` adds and why something was skipped.
fn case_lines(report: &CaseReport, look: Look) -> String {
    let (word, color) = match report.worst() {
        Worst::Skip => ("SKIP", AnsiColor::Yellow),
        Worst::Pass => ("PASS", AnsiColor::Green),
        Worst::Fail => ("FAIL", AnsiColor::Red),
        Worst::Error | Worst::BadInput => ("ERROR", AnsiColor::Red),
    };
    let count = plural(report.tests.len(), "expectation");
    let mut text = format!("{} {}", painted(word, color, look.style), report.name);
    match report.worst() {
        Worst::BadInput => text.push_str(" (bad input)\n"),
        Worst::Skip => text.push_str(&format!(" ({count})\n")),
        Worst::Pass | Worst::Fail | Worst::Error => {
            text.push_str(&format!(" ({count}, {})\n", time(report.elapsed)));
        }
    }
    if look.verbose && report.worst() != Worst::BadInput {
        report.tests.iter().for_each(|test| text.push_str(&test_line(test, look.style)));
        for (who, printed) in &report.printed {
            text.push_str(&format!("     {who} printed:\n"));
            printed.lines().for_each(|line| text.push_str(&format!("       {}\n", visible(line))));
        }
        return text;
    }
    let mut reasons: Vec<&str> = Vec::new();
    for test in &report.tests {
        if let Status::Skip(reason) = &test.status
            && !reasons.contains(&&**reason)
        {
            reasons.push(reason);
        }
    }
    for reason in reasons {
        text.push_str(&format!("     {reason}\n"));
    }
    text
}

fn test_line(test: &TestReport, style: Style) -> String {
    format!("     {}\n", verdict_words(test, style))
}

/// `pass ping a -> b (1.2 ms, 1 attempt)`.
pub fn verdict_words(test: &TestReport, style: Style) -> String {
    let (word, color) = match test.status {
        Status::Pass => ("pass", AnsiColor::Green),
        Status::Fail(_) => ("fail", AnsiColor::Red),
        Status::BadInput(_) | Status::Error(_) => ("error", AnsiColor::Red),
        Status::Skip(_) => ("skip", AnsiColor::Yellow),
    };
    let mut text = format!("{} {}", painted(word, color, style), test.name);
    if test.attempts > 0 {
        text.push_str(&format!(" ({}, {})", time(test.elapsed), plural(test.attempts as usize, "attempt")));
    }
    match (&test.status, &test.unproven) {
        (Status::Skip(reason), _) => text.push_str(&format!(": {reason}")),
        (_, Some(reason)) => text.push_str(&format!(", unproven: {reason}")),
        (Status::Pass | Status::Fail(_) | Status::BadInput(_) | Status::Error(_), None) => {}
    }
    text
}

/// Everything there is to say about a case that is red or doubtful.
pub fn details(report: &CaseReport, style: Style) -> String {
    let mut blocks = Vec::new();
    let heading = match report.worst() {
        Worst::Fail => Some("FAIL"),
        Worst::Error | Worst::BadInput => Some("ERROR"),
        Worst::Skip | Worst::Pass => None,
    };
    if let Some(word) = heading {
        let title = report.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
        blocks.push(format!("{} {}{title}", painted(word, AnsiColor::Red, style), report.label()));
    }
    blocks.extend(warnings(report, style));
    // One cause often ends many expectations; it is told once.
    let mut told: Vec<(String, usize)> = Vec::new();
    for text in report.tests.iter().filter_map(|test| explain(report, test, style)) {
        match told.iter_mut().find(|(known, _)| *known == text) {
            Some((_, times)) => *times += 1,
            None => told.push((text, 1)),
        }
    }
    blocks.extend(told.into_iter().map(|(text, times)| match times {
        1 => text,
        _ => format!("{text}\n({times} expectations ended so)"),
    }));
    blocks.join("\n\n") + "\n"
}

/// Why nothing of a case could be done: its details, or what this machine lacks.
pub fn why(report: &CaseReport, style: Style) -> String {
    match report.tests.iter().find_map(|test| if let Status::Skip(reason) = &test.status { Some(reason) } else { None })
    {
        Some(reason) if report.worst() == Worst::Skip => format!("SKIP {}: {reason}\n", report.label()),
        _ => details(report, style),
    }
}

/// Everything that is wrong or doubtful in a file, without a heading.
pub fn diagnostics(report: &CaseReport, style: Style) -> String {
    let mut blocks: Vec<String> = report.tests.iter().filter_map(|test| explain(report, test, style)).collect();
    blocks.extend(warnings(report, style));
    blocks.iter().map(|block| format!("{block}\n\n")).collect()
}

/// `3 cases: 2 errors, 1 warning`.
pub fn tally(cases: usize, errors: usize, warnings: usize) -> String {
    format!("{}: {}, {}\n", plural(cases, "case"), plural(errors, "error"), plural(warnings, "warning"))
}

/// `5 cases: 12 passed, 1 failed, 0 errors, 0 skipped, 0 unproven in 0.84 s`.
pub fn counts(summary: &Summary) -> String {
    let Summary { passed, failed, bad_input, errors, skipped, unproven, cases, elapsed, interrupted, left_out: _ } =
        summary;
    let errors = plural(errors + bad_input, "error");
    let interrupted = if *interrupted { "interrupted; " } else { "" };
    format!(
        "{interrupted}{}: {passed} passed, {failed} failed, {errors}, {skipped} skipped, {unproven} unproven in {:.2} s",
        plural(*cases, "case"),
        elapsed.as_secs_f64(),
    )
}

fn painted(word: &str, color: AnsiColor, style: Style) -> String {
    match style {
        Style::Plain => word.to_owned(),
        Style::Color => {
            let paint = Paint::new().fg_color(Some(color.into())).bold();
            format!("{paint}{word}{paint:#}")
        }
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `0.3 ms`, `12 ms`, `1.23 s`.
fn time(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        ..1.0 => format!("{milliseconds:.1} ms"),
        ..1000.0 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.2} s", milliseconds / 1e3),
    }
}

#[cfg(test)]
mod tests;
