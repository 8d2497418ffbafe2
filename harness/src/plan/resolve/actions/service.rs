//! Starting and stopping services.

use super::super::services;
use super::Stage;
use crate::case::step::ServiceChange;
use crate::diagnostic::{Diagnostic, suggest};
use crate::plan::{Action, End, InterfaceKind};

/// `service-start`.
pub(super) fn start(stage: &mut Stage<'_>, written: &ServiceChange) -> Option<Action> {
    let at = find(stage, written)?;
    if std::mem::replace(&mut stage.running[at], true) {
        let wrong = Diagnostic::error(written.service.span, format!("`{}` runs already", *written.service));
        stage.out.push(
            wrong
                .label("there is nothing to start at this step")
                .related(stage.services[at].span, "it runs from the beginning")
                .help("write `start = false` in the service to have it wait"),
        );
        return Some(Action::StartService(at));
    }
    let others = stage.services.iter().zip(&*stage.running).enumerate();
    let others = others.filter(|(other, (_, running))| **running && *other != at).map(|(_, (other, _))| other);
    stage.out.extend(services::check_start(stage.lab, others, &stage.services[at], written.service.span));
    Some(Action::StartService(at))
}

/// `service-stop`.
pub(super) fn stop(stage: &mut Stage<'_>, written: &ServiceChange) -> Option<Action> {
    let at = find(stage, written)?;
    if !std::mem::replace(&mut stage.running[at], false) {
        let wrong = Diagnostic::error(written.service.span, format!("`{}` does not run", *written.service));
        stage.out.push(
            wrong.label("there is nothing to stop at this step").related(stage.services[at].span, "declared here"),
        );
    }
    end_nodes(stage, at);
    Some(Action::StopService(at))
}

/// A node that is a process's network namespace ends with it, some time later, and takes the devices in it along: the
/// other end of each goes too, and when it has gone nobody says.
fn end_nodes(stage: &mut Stage<'_>, service: usize) {
    for node in 0..stage.lab.nodes.len() {
        if stage.lab.nodes[node].process != Some(service) {
            continue;
        }
        let ends: Vec<End> = stage.lab.ends().filter(|end| end.node == node && end.interface > 0).collect();
        for end in ends {
            if let Some(InterfaceKind::Veth { peer }) = stage.lab.at(end).kind {
                stage.lab.nodes[peer.node].open = true;
            }
            stage.lab.delete(end);
        }
    }
}

/// The place of a service in the plan.
fn find(stage: &mut Stage<'_>, written: &ServiceChange) -> Option<usize> {
    let node = stage.node(&written.on)?;
    let here = || stage.services.iter().enumerate().filter(|(_, service)| service.node == node);
    if let Some((at, _)) = here().find(|(_, service)| service.name == *written.service) {
        return Some(at);
    }
    let draft = &stage.lab.nodes[node];
    let unknown =
        Diagnostic::error(written.service.span, format!("`{}` has no service `{}`", *draft.name, *written.service));
    let known: Vec<&str> = here().map(|(_, service)| service.name.as_str()).collect();
    let label =
        if known.is_empty() { "it declares none".to_owned() } else { suggest(&written.service, known.iter().copied()) };
    if draft.whole {
        stage.out.push(unknown.label(label));
    }
    None
}
