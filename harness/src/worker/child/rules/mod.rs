//! Loads the rules that users bring, by the programs they are written for.

mod commands;
mod include;
mod known;
mod legacy;
mod lexer;
mod list;
mod made;
mod nft;
mod refused;
mod restore;
mod written;

use std::path::Path;
use std::time::Instant;

use super::attempt::Bench;
use super::programs::Programs;
use super::{Wire, scripts};
use crate::lab::{self, KernelError, Lab, Ruleset};
use crate::plan::{Loader, NodeId, Plan, Rules, RulesText};
use crate::service::command::{self, Invocation};
use crate::worker::message::{Broken, Message};

pub(super) use known::Load;
pub(super) use legacy::since;
pub(super) use list::rules_of;
use refused::refused;

/// Loads the rules of the nodes that are there, in the order of the case: of those that are network namespaces of
/// processes, or of the others.
pub(super) async fn load_all(
    wire: Wire,
    plan: &Plan,
    lab: &Lab,
    programs: &Programs,
    of_processes: bool,
    until: Instant,
) -> Result<(), Broken> {
    let meant = |node: NodeId| plan.nodes[node].process.is_some() == of_processes && !lab.node(node).absent;
    for rules in plan.rules.iter().filter(|rules| meant(rules.node)) {
        let what = format!("loading {} in {}", shown(rules), plan.nodes[rules.node].name);
        wire.say(&Message::Doing { what, span: Some(rules.span) });
        load(plan, lab, programs, rules, until).await?;
    }
    Ok(())
}

/// Loads rules, unchanged, into their node.
///
/// # Errors
///
/// What the program says of them, with the line; and that the kernel has nothing new when it has said nothing.
pub(super) async fn load(
    plan: &Plan,
    lab: &Lab,
    programs: &Programs,
    rules: &Rules,
    until: Instant,
) -> Result<(), Broken> {
    let node = &plan.nodes[rules.node].name;
    let invocation = invocation(programs, rules);
    let program = rules.loader.program();
    let failed = |error: std::io::Error| {
        let broken = Broken::new(format!("cannot run {program} in {node}: {}", KernelError::words(&error)));
        programs.explain(&invocation.run, &error, broken).at(rules.span)
    };
    let network = &lab.node(rules.node).namespace;
    let before = lab::generation_of_rules(network).map_err(failed)?;
    let unread = |error: KernelError| Broken::new(error.to_string()).at(rules.span);
    let known = Ruleset::read(network).map_err(unread)?;
    let room = programs.room(plan, lab, rules.node).map_err(failed)?;
    let ended = command::run(programs.place(lab, rules.node, &room), &invocation, until).await.map_err(failed)?;
    if !ended.status.is_some_and(|status| status.success()) {
        let shows = |path: &Path| programs.read(&room, path);
        return Err(refused(plan, programs, rules, &ended, &shows).of(format!("rules in {node}")));
    }
    let nothing = match rules.loader {
        Loader::Nft => lab::generation_of_rules(network).map_err(failed)? == before,
        // Not every build of it makes rules of nf_tables, whose changes are counted.
        Loader::Iptables | Loader::Ip6tables => changes_nothing(programs, rules),
    };
    if nothing {
        return Err(Broken::new(format!("{program} has loaded nothing of {} in {node}", shown(rules)))
            .at(rules.span)
            .note("the kernel's rules are the same as before")
            .of(format!("rules in {node}")));
    }
    programs.loaded(rules.node, Load::between(rules, &known, &Ruleset::read(network).map_err(unread)?));
    Ok(())
}

/// Whether rules are comments and nothing else.
fn changes_nothing(programs: &Programs, rules: &Rules) -> bool {
    let text = match &rules.text {
        RulesText::Inline(text) => Some(text.clone()),
        RulesText::File(path) => programs.files().text(rules.node, Path::new(path)),
    };
    text.is_some_and(|text| text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#')))
}

/// Loads rules in a step.
///
/// # Errors
///
/// As [`load`].
pub(super) async fn load_later(bench: &Bench, rules: &Rules) -> Result<(), Broken> {
    let Some(programs) = bench.services.programs() else {
        return Err(Broken::new("there is no place where programs run"));
    };
    load(&bench.plan, &bench.lab, programs, rules, scripts::until(&bench.plan, bench.scale())).await
}

fn shown(rules: &Rules) -> String {
    match &rules.text {
        RulesText::File(path) => path.clone(),
        RulesText::Inline(_) => "the rules".to_owned(),
    }
}

fn invocation(programs: &Programs, rules: &Rules) -> Invocation {
    let mut run = vec![rules.loader.program().to_owned()];
    let mut stdin = Vec::new();
    match (&rules.text, rules.loader) {
        (RulesText::File(path), Loader::Nft) => run.extend(["-f".to_owned(), text_of(&programs.path(path))]),
        (RulesText::File(path), Loader::Iptables | Loader::Ip6tables) => run.push(text_of(&programs.path(path))),
        (RulesText::Inline(text), loader) => {
            if loader == Loader::Nft {
                run.extend(["-f", "-"].map(str::to_owned));
            }
            stdin = text.clone().into_bytes();
        }
    }
    Invocation { run, stdin, ..Invocation::default() }
}

fn text_of(path: &Path) -> String {
    path.display().to_string()
}
