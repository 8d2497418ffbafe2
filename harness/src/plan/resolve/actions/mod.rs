//! Actions: what each one will ask of the kernel, and what the lab is like after it.
//!
//! The lab is changed here as the kernel changes it, so that a later word can be looked up in what stands then: who
//! takes an interface down loses its routes, who moves it loses its addresses.

mod address;
mod link;
mod route;
mod service;

use std::collections::BTreeSet;
use std::time::Duration;

use super::checker::Checker;
use super::lab::Lab;
use super::{program, rules, sysctls};
use crate::case::step::{Action as Written, NeighFlush, RulesLoad, SysctlChange};
use crate::diagnostic::{Diagnostic, Diagnostics, quoted};
use crate::plan::{Action, Operation, Service};
use crate::source::{Span, Spanned};

/// The words of all actions.
const ACTIONS: [&str; 13] = [
    "link-add",
    "link-set",
    "link-del",
    "addr-add",
    "addr-del",
    "route-add",
    "route-del",
    "neigh-flush",
    "sysctl",
    "service-start",
    "service-stop",
    "rules",
    "run",
];

/// The lab between two actions.
pub(super) struct Stage<'a> {
    pub lab: &'a mut Lab,
    pub services: &'a [Service],
    /// Which of them run.
    pub running: &'a mut [bool],
    /// The values that programs have said so far.
    pub captured: &'a mut BTreeSet<String>,
    /// The case's.
    pub timeout: Duration,
    pub out: &'a mut Diagnostics,
}

impl Stage<'_> {
    /// Looks words up in the lab as it stands.
    fn checker(&mut self) -> Checker<'_> {
        Checker { lab: self.lab, services: self.services, captured: self.captured, out: self.out, sound: true }
    }

    /// The node that a word names.
    fn node(&mut self, word: &Spanned<String>) -> Option<crate::plan::NodeId> {
        let instead = "an action on one interface is `link-set`, `addr-add` or `link-del`";
        self.checker().senders("on", vec![word.clone()], instead).first().map(|sender| sender.node)
    }
}

/// Resolves one action. Where something cannot be made, nothing is concluded any more from what its node lacks.
pub(super) fn resolve(stage: &mut Stage<'_>, written: Written, operations: &mut Vec<Operation>) {
    let before = stage.out.errors();
    let gives: Vec<String> = gives(&written).into_iter().map(|word| word.value.clone()).collect();
    let (place, actions) = perform(stage, written);
    if stage.out.errors() > before {
        for word in gives {
            if let Some(node) = stage.lab.find(word.split('.').next().unwrap_or(&word)) {
                stage.lab.nodes[node].sound = false;
            }
        }
    }
    operations.extend(actions.into_iter().map(|action| Operation { action, span: place }));
}

/// The nodes, or interfaces of them, that have something new after an action.
fn gives(written: &Written) -> Vec<&Spanned<String>> {
    let mut words = Vec::new();
    words.extend(written.link_add.iter().flat_map(|add| [Some(&add.on), add.veth.as_ref().map(|veth| &veth.peer)]));
    let changed = written.link_set.iter().filter(|set| set.name.is_some() || set.node.is_some());
    words.extend(changed.flat_map(|set| [Some(&set.on), set.node.as_ref()]));
    words.extend(written.addr_add.iter().map(|add| Some(&add.on)));
    words.into_iter().flatten().collect()
}

/// Where the action stands, and what it does.
fn perform(stage: &mut Stage<'_>, written: Written) -> (Span, Vec<Action>) {
    let Written {
        link_add,
        link_set,
        link_del,
        addr_add,
        addr_del,
        route_add,
        route_del,
        neigh_flush,
        sysctl,
        service_start,
        service_stop,
        rules,
        run,
        span,
        sound,
    } = written;
    let places = [
        link_add.as_ref().map(|action| action.span),
        link_set.as_ref().map(|action| action.span),
        link_del.as_ref().map(|action| action.span),
        addr_add.as_ref().map(|action| action.span),
        addr_del.as_ref().map(|action| action.span),
        route_add.as_ref().map(|action| action.span),
        route_del.as_ref().map(|action| action.span),
        neigh_flush.as_ref().map(|action| action.span),
        sysctl.as_ref().map(|action| action.span),
        service_start.as_ref().map(|action| action.span),
        service_stop.as_ref().map(|action| action.span),
        rules.as_ref().map(|action| action.span),
        run.as_ref().map(|action| action.span),
    ];
    let mut given: Vec<(&str, Span)> =
        ACTIONS.into_iter().zip(places).filter_map(|(word, place)| Some((word, place?))).collect();
    given.sort_by_key(|(_, place)| *place);
    if sound {
        stage.out.extend(not_one(&given, span));
    } else {
        stage.lab.unsettle();
    }
    let mut actions = Vec::new();
    actions.extend(link_add.and_then(|action| link::add(stage, action)));
    actions.extend(link_set.into_iter().flat_map(|action| link::set(stage, action)));
    actions.extend(link_del.and_then(|action| link::del(stage, &action)));
    actions.extend(addr_add.into_iter().flat_map(|action| address::add(stage, action)));
    actions.extend(addr_del.into_iter().flat_map(|action| address::del(stage, action)));
    actions.extend(route_add.and_then(|action| route::add(stage, action)));
    actions.extend(route_del.and_then(|action| route::del(stage, action)));
    actions.extend(neigh_flush.and_then(|action| flush(stage, &action)));
    actions.extend(sysctl.into_iter().flat_map(|action| set(stage, action)));
    actions.extend(service_start.and_then(|action| service::start(stage, &action)));
    actions.extend(service_stop.and_then(|action| service::stop(stage, &action)));
    actions.extend(rules.into_iter().flat_map(|action| load(stage, action)));
    let limit = stage.timeout;
    let run = run.and_then(|action| program::run(&mut stage.checker(), limit, action));
    if let Some(run) = run {
        // What a program does to its node is known only when it has done it.
        stage.lab.nodes[run.on].open = true;
        stage.captured.extend(run.captures.iter().map(|capture| capture.name.clone()));
        actions.push(Action::Run(Box::new(run)));
    }
    (given.first().map_or(span, |(_, place)| *place), actions)
}

fn not_one(given: &[(&str, Span)], span: Span) -> Option<Diagnostic> {
    match *given {
        [] => Some(Diagnostic::error(span, "this action does nothing").label(format!("one of {}", quoted(&ACTIONS)))),
        [(first, place), (second, again), ..] => Some(
            Diagnostic::error(again, format!("two actions in one, `{first}` and `{second}`"))
                .label("the second action")
                .related(place, "the first")
                .help("each stands in braces of its own, in the order in which they are to happen"),
        ),
        [_] => None,
    }
}

fn load(stage: &mut Stage<'_>, written: RulesLoad) -> Vec<Action> {
    let Some(node) = stage.node(&written.on) else { return Vec::new() };
    let rules = rules::resolve(node, Some(written.load), stage.out);
    rules.into_iter().map(|rules| Action::LoadRules(Box::new(rules))).collect()
}

fn flush(stage: &mut Stage<'_>, written: &NeighFlush) -> Option<Action> {
    if written.on.contains('.') {
        let end = stage.checker().end(&written.on)?;
        return Some(Action::FlushNeighbours(end.node, Some(stage.lab.place(end))));
    }
    stage.node(&written.on).map(|node| Action::FlushNeighbours(node, None))
}

fn set(stage: &mut Stage<'_>, written: SysctlChange) -> Vec<Action> {
    let Some(node) = stage.node(&written.on) else { return Vec::new() };
    if written.set.entries.is_empty() {
        let wrong = Diagnostic::error(written.set.span, "no setting to set");
        stage.out.push(wrong.label("such as `{ \"net.ipv4.ip_forward\" = 1 }`"));
    }
    let mut actions = Vec::new();
    for (key, value) in written.set.entries {
        let Some(value) = value else { continue };
        match sysctls::setting(stage.lab, node, &key, &value) {
            Ok(sysctl) => {
                sysctls::adopt_forwarding(stage.lab, node, &sysctl);
                actions.push(Action::SetSysctl(node, sysctl));
            }
            Err(wrong) => stage.out.extend(wrong),
        }
    }
    actions
}
