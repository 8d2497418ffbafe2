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
use super::choice::Choice;
use super::lab::Lab;
use super::{program, rules, sysctls};
use crate::case::step::{Action as Written, NeighFlush, RulesLoad, SysctlChange};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{Action, Operation, Service};
use crate::source::{Span, Spanned};

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
    let given = written.given();
    if written.sound {
        let choice = Choice {
            none: Diagnostic::error(written.span, "this action does nothing"),
            two: "two actions in one".to_owned(),
            label: "the second action",
            help: "each stands in braces of its own, in the order in which they are to happen",
        };
        stage.out.extend(choice.refuse(Written::CHOICES, &given));
    } else {
        stage.lab.unsettle();
    }
    let place = given.first().map_or(written.span, |(_, place)| *place);
    let mut actions = Vec::new();
    actions.extend(written.link_add.and_then(|action| link::add(stage, action)));
    actions.extend(written.link_set.into_iter().flat_map(|action| link::set(stage, action)));
    actions.extend(written.link_del.and_then(|action| link::del(stage, &action)));
    actions.extend(written.addr_add.into_iter().flat_map(|action| address::add(stage, action)));
    actions.extend(written.addr_del.into_iter().flat_map(|action| address::del(stage, action)));
    actions.extend(written.route_add.and_then(|action| route::add(stage, action)));
    actions.extend(written.route_del.and_then(|action| route::del(stage, action)));
    actions.extend(written.neigh_flush.and_then(|action| flush(stage, &action)));
    actions.extend(written.sysctl.into_iter().flat_map(|action| set(stage, action)));
    actions.extend(written.service_start.and_then(|action| service::start(stage, &action)));
    actions.extend(written.service_stop.and_then(|action| service::stop(stage, &action)));
    actions.extend(written.rules.into_iter().flat_map(|action| load(stage, action)));
    let limit = stage.timeout;
    let run = written.run.and_then(|action| program::run(&mut stage.checker(), limit, action));
    if let Some(run) = run {
        // What a program does to its node is known only when it has done it.
        stage.lab.nodes[run.on].open = true;
        stage.captured.extend(run.captures.iter().map(|capture| capture.name.clone()));
        actions.push(Action::Run(Box::new(run)));
    }
    (place, actions)
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
                sysctls::adopt(stage.lab, node, &sysctl);
                actions.push(Action::SetSysctl(node, sysctl));
            }
            Err(wrong) => stage.out.extend(wrong),
        }
    }
    actions
}
