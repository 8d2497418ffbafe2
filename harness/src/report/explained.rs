//! What `netcase explain` prints: each expectation with its verdict, and the path of its packets, hop by hop.

use super::explain::{self, visible};
use super::{CaseReport, Status, TestReport, path, terminal};
use crate::diagnostic::Style;
use crate::evidence::Explanation;
use crate::plan::Plan;

/// The whole text.
pub fn print(report: &CaseReport, plan: &Plan, style: Style) -> String {
    let title = report.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
    let mut text = format!("{}{title}\n", report.label());
    for warning in explain::warnings(report, style) {
        text.push_str(&format!("\n{warning}\n"));
    }
    for test in &report.tests {
        text.push_str(&format!("\n{}\n", block(report, test, plan, style)));
    }
    text
}

fn block(report: &CaseReport, test: &TestReport, plan: &Plan, style: Style) -> String {
    let mut lines = vec![terminal::verdict_words(test, style)];
    if let Status::Skip(reason) = &test.status {
        lines.push(format!("  {reason}"));
    }
    if let Some(explained) = &test.explained {
        lines.extend(path::lines(&explained.explanation).iter().map(|line| format!("  {}", visible(line))));
        let rules = path::decided(&explained.evidence);
        if !rules.is_empty() {
            lines.push("  rules:".to_owned());
            lines.extend(rules.iter().map(|rule| format!("    {}", visible(rule))));
        }
        lines.extend(doubts(&explained.explanation));
    } else if let Some(expectation) = plan.expectations.iter().find(|expectation| expectation.name == test.name)
        && !expectation.check.is_traffic()
    {
        lines.push("  looked at in the kernel: no packet is sent for it".to_owned());
    }
    if let Some(drawn) = explain::explain(report, test, style) {
        lines.push(format!("\n{drawn}"));
    }
    lines.join("\n")
}

/// What is told of a failure is drawn with it; what holds may be doubtful, too.
fn doubts(explanation: &Explanation) -> Vec<String> {
    let flaky = explanation.flaky.iter().map(|flaky| format!("  flaky: {}", visible(flaky)));
    flaky.chain(explanation.cut.iter().map(|cut| format!("  cut: {}", visible(cut)))).collect()
}
