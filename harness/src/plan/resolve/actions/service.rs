//! Starting and stopping services.

use super::Stage;
use crate::case::step::ServiceChange;
use crate::diagnostic::{Diagnostic, suggest};
use crate::plan::Action;

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
    }
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
    Some(Action::StopService(at))
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
