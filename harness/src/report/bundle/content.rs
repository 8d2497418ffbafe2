//! What is in a bundle.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::files::{Draft, MARK};
use super::folder::{Names, named, slug};
use super::{is_explained, pcapng, plain, tables};
use crate::diagnostic::Style;
use crate::evidence::{Cause, Evidence, Frame, Interface, NodeState, Place};
use crate::report::{CaseReport, Explained, Status, TestReport, command, path, terminal};
use crate::verdict;

/// How many interfaces without a packet have a capture, too.
const MOST_EMPTY: usize = 64;

/// Names that are not those of an expectation.
const OWN: &[&str] = &["output"];

/// Writes everything, and gives for each test the files that belong to it, the most telling first.
pub(super) fn write(report: &CaseReport, draft: &Draft) -> io::Result<Vec<Vec<PathBuf>>> {
    let mut names = Names::default();
    for own in OWN {
        names.unique(own, "");
    }
    draft.file("explanation.txt", explanation(report).as_bytes())?;
    if let Some(plan) = &report.plan {
        draft.file("plan.json", &pretty(&**plan)?)?;
    }
    draft.file("command.txt", commands(report).as_bytes())?;
    for (name, text) in outputs(report) {
        draft.file(Path::new("output").join(name), text.as_bytes())?;
    }
    let mut attachments = Vec::new();
    for test in &report.tests {
        let is_green = matches!(test.status, Status::Pass | Status::Skip(_));
        let mut own = if is_green { Vec::new() } else { vec![PathBuf::from("explanation.txt")] };
        if let Some(explained) = &test.explained {
            let folder = PathBuf::from(names.unique(&slug(&test.name), ""));
            own.extend(write_explained(explained, &folder, draft)?);
        }
        attachments.push(own);
    }
    let entries: Vec<Value> = report.tests.iter().filter_map(|test| entry(report, test)).collect();
    draft.file(MARK, &pretty(&entries)?)?;
    Ok(attachments)
}

fn entry(report: &CaseReport, test: &TestReport) -> Option<Value> {
    let status = match test.status {
        Status::Pass => "pass",
        Status::Fail(_) => "fail",
        Status::Error(_) | Status::BadInput(_) => "error",
        Status::Skip(_) => "skip",
    };
    let explanation = &test.explained.as_ref()?.explanation;
    let lines: Vec<Value> = explanation.causes.iter().map(|cause| line(report, cause)).collect();
    let rerun = command::again(report, test);
    Some(json!({
        "expectation": test.name,
        "status": status,
        "explanation": explanation,
        "lines": lines,
        "rerun": rerun,
    }))
}

/// The line that a cause comes from, for programs that have no use for bytes; null where none is known.
fn line(report: &CaseReport, cause: &Cause) -> Value {
    match (&cause.blame, &report.source) {
        (Some(Place::Case(span)), Some(source)) => {
            let at = source.line_column(*span).line;
            let place = source.place(*span);
            let text = place.text.lines().nth(at - 1).unwrap_or_default().trim();
            json!({ "file": place.path, "line": at, "text": text })
        }
        (Some(Place::File { path, line, text, .. }), _) => json!({ "file": path, "line": line, "text": text }),
        (Some(Place::Case(_)), None) | (None, _) => Value::Null,
    }
}

/// What the terminal shows of the case, and the paths of what holds.
fn explanation(report: &CaseReport) -> String {
    let mut text = terminal::details(report, Style::Plain).trim_start().to_owned();
    for test in report.tests.iter().filter(|test| test.status == Status::Pass) {
        if let Some(explained) = &test.explained {
            let lines = path::lines(&explained.explanation).join("\n");
            text.push_str(&format!("\npass {}\n{}\n", test.name, plain(&lines)));
        }
    }
    text
}

/// A command a line, for what failed, or for everything where nothing did.
fn commands(report: &CaseReport) -> String {
    let failed = |test: &&TestReport| test.span.is_some() && !matches!(test.status, Status::Pass | Status::Skip(_));
    let is_green = report.tests.iter().filter(failed).count() == 0;
    let tests = report.tests.iter().filter(|test| if is_green { is_explained(test) } else { failed(test) });
    tests.map(|test| command::again(report, test) + "\n").collect()
}

/// What scripts and services have printed, each with a name of its own.
fn outputs(report: &CaseReport) -> Vec<(String, String)> {
    let mut names = Names::default();
    let mut outputs = Vec::new();
    for (who, text) in &report.printed {
        outputs.push((names.unique(&named(who), ".txt"), format!("{}\n", plain(text).trim_end())));
    }
    let mut services = BTreeMap::new();
    let explained = report.tests.iter().filter_map(|test| test.explained.as_ref());
    for service in explained.flat_map(|it| &it.evidence.nodes).flat_map(|node| &node.services) {
        if !service.printed.is_empty() || service.ended.is_some() {
            services.insert(service.service, service);
        }
    }
    for (at, service) in services {
        let planned = report.plan.as_ref().and_then(|plan| Some((plan, plan.services.get(at)?)));
        let name = planned.map_or_else(
            || format!("service-{at}"),
            |(plan, service)| {
                let node = plan.nodes.get(service.node).map_or("", |node| node.name.as_str());
                format!("service-{}-{node}", service.name)
            },
        );
        let mut text: String = service.printed.iter().map(|line| plain(line) + "\n").collect();
        text.extend(service.ended.iter().map(|ended| format!("[it {ended}]\n")));
        outputs.push((names.unique(&named(&name), ".txt"), text));
    }
    outputs
}

/// Everything of one explained expectation, below a folder of its own.
fn write_explained(explained: &Explained, folder: &Path, draft: &Draft) -> io::Result<Vec<PathBuf>> {
    let Explained { explanation, evidence, probed } = explained;
    let path_text = folder.join("path.txt");
    let lines: String = path::lines(explanation).iter().map(|line| plain(line) + "\n").collect();
    draft.file(&path_text, lines.as_bytes())?;
    draft.file(folder.join("path.json"), &pretty(&explanation.hops)?)?;
    draft.file(folder.join("evidence.json"), &pretty(&**evidence)?)?;
    if let Some(probed) = probed {
        draft.file(folder.join("probed.json"), &pretty(&**probed)?)?;
    }
    let mut names = Names::default();
    for node in &evidence.nodes {
        draft.file(folder.join(names.unique(&named(&node.name), ".txt")), tables::of(node).as_bytes())?;
    }
    let mut attachments = vec![path_text];
    for (name, capture) in captures(evidence) {
        let path = folder.join(name);
        draft.file(&path, &capture)?;
        attachments.push(path);
    }
    Ok(attachments)
}

/// A capture for each interface, by the name of its file.
fn captures(evidence: &Evidence) -> Vec<(String, Vec<u8>)> {
    let comments = verdict::comments(evidence);
    let mut by_place: BTreeMap<(usize, u32), Vec<(&Frame, &str)>> = BTreeMap::new();
    for (frame, comment) in evidence.frames.iter().zip(&comments) {
        by_place.entry((frame.node, frame.interface)).or_default().push((frame, comment.as_str()));
    }
    let (mut names, mut empty, mut captures) = (Names::default(), 0, Vec::new());
    for (at, node) in evidence.nodes.iter().enumerate() {
        for interface in &node.interfaces {
            let frames = by_place.remove(&(at, interface.index)).unwrap_or_default();
            if frames.is_empty() {
                empty += 1;
                if interface.kind.is_none() || empty > MOST_EMPTY {
                    continue;
                }
            }
            let name = format!("{}.{}", node.name, interface.name);
            let file = names.unique(&named(&name), ".pcapng");
            captures.push((file, pcapng::write_commented(&name, &description(node, interface), frames)));
        }
    }
    // Of interfaces that were gone when the tables were read.
    for ((at, index), frames) in by_place {
        let node = evidence.nodes.get(at).map_or("node", |node| node.name.as_str());
        let name = format!("{node}.{index}");
        let file = names.unique(&named(&name), ".pcapng");
        captures.push((file, pcapng::write_commented(&name, "an interface that is gone", frames)));
    }
    captures
}

fn description(node: &NodeState, interface: &Interface) -> String {
    let kind = interface.kind.as_deref().unwrap_or("loopback");
    let addresses = interface.addresses.iter().map(|address| address.cidr.to_string());
    let words = [format!("{} of {}", interface.name, node.name), kind.to_owned()].into_iter().chain(addresses);
    words.collect::<Vec<_>>().join(", ")
}

fn pretty(value: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}
