//! The commands of a case that may make rules: its scripts, the programs of its services, and what it runs.

use std::collections::HashSet;
use std::path::Path;

use super::include::{Folders, Look, Text};
use super::made::{Files, Invocation, Made, Source, Starts};
use crate::lab::Lab;
use crate::plan::{Action, Check, Input, Loader, NodeId, Plan, Rules, RulesText, Run, ServiceKind};
use crate::worker::child::attempt::Bench;
use crate::worker::child::programs::Programs;

/// What the commands of a case may have made in a node so far.
///
/// Rules of the older kind do not say who has loaded them: what was loaded may have made them as well.
pub(super) fn made_in(bench: &Bench, programs: &Programs, node: NodeId, has_older: bool) -> Made {
    let mut sources = sources(bench);
    if has_older {
        sources.extend(programs.loads(node).iter().filter_map(|load| of_load(load.rules(), programs)));
    }
    let names: Vec<&str> = bench.plan.nodes.iter().map(|node| node.name.as_str()).collect();
    let files = Rooms { plan: &bench.plan, lab: &bench.lab, programs };
    Made::by(&sources, &files, &names, node)
}

fn sources(bench: &Bench) -> Vec<Source> {
    let plan = &bench.plan;
    let scripts = plan.setup.iter().map(|script| Source {
        node: script.node,
        starts: Starts::File(script.path.clone()),
        ran: true,
    });
    let later: HashSet<usize> = bench
        .performed
        .iter()
        .filter_map(|operation| match operation.action {
            Action::StartService(service) => Some(service),
            _ => None,
        })
        .collect();
    let services = plan.services.iter().enumerate().filter_map(|(at, service)| match &service.kind {
        ServiceKind::Command { run, .. } => Some(Source {
            node: service.node,
            starts: Starts::Command(Invocation {
                words: run.clone(),
                input: None,
                input_file: None,
                folder: None,
                span: service.span,
                inside: Vec::new(),
            }),
            ran: service.initial || later.contains(&at),
        }),
        _ => None,
    });
    let actions = bench.performed.iter().filter_map(|operation| match &operation.action {
        Action::Run(run) => Some(source(bench, run, operation.span, true)),
        _ => None,
    });
    let checks = plan.expectations.iter().filter_map(|expectation| match &expectation.check {
        Check::Run(run) => Some(source(bench, run, expectation.span, false)),
        _ => None,
    });
    scripts.chain(services).chain(actions).chain(checks).collect()
}

fn of_load(rules: &Rules, programs: &Programs) -> Option<Source> {
    let family = match rules.loader {
        Loader::Nft => return None,
        Loader::Iptables => "ip",
        Loader::Ip6tables => "ip6",
    };
    let (path, text) = match &rules.text {
        RulesText::File(path) => (Some(path.clone()), programs.files().text(rules.node, Path::new(path))?),
        RulesText::Inline(text) => (None, text.clone()),
    };
    Some(Source { node: rules.node, starts: Starts::Rules { family, path, text }, ran: true })
}

fn source(bench: &Bench, run: &Run, span: crate::source::Span, ran: bool) -> Source {
    let captured = bench.captured.borrow();
    let filled = |text: &crate::plan::Template| {
        text.fill(|name| captured.get(name).map(String::as_str)).unwrap_or_else(|| text.to_string())
    };
    // A file is named from the case's folder, and a program names its own from where it starts.
    let (input, input_file) = match &run.stdin {
        Input::Text(text) => (Some(filled(text)), None),
        Input::File(path) => (None, Some(path.clone()).filter(|_| run.cwd.is_none())),
    };
    let invocation = Invocation {
        words: run.command.iter().map(filled).collect(),
        input: input.filter(|text| !text.is_empty()),
        input_file,
        folder: run.cwd.clone(),
        span,
        inside: run.inside.clone(),
    };
    Source { node: run.on, starts: Starts::Command(invocation), ran }
}

/// The files of all rooms.
struct Rooms<'a> {
    plan: &'a Plan,
    lab: &'a Lab,
    programs: &'a Programs,
}

impl Files for Rooms<'_> {
    fn read(&self, node: NodeId, path: &str) -> Option<String> {
        let path = Path::new(path);
        self.programs.files().text(node, path).or_else(|| {
            let room = self.programs.room(self.plan, self.lab, node).ok()?;
            self.programs.read(&room, path)
        })
    }

    fn included(&self, node: NodeId, name: &str, main: &str) -> Vec<Text> {
        let start = self.programs.path("");
        let read = |path: &Path| self.read(node, &path.display().to_string());
        let list = |folder: &Path| {
            let room = self.programs.room(self.plan, self.lab, node);
            room.map(|room| self.programs.list(&room, folder)).unwrap_or_default()
        };
        Folders { start: &start, read: &read, list: &list }.included(name, main)
    }
}
