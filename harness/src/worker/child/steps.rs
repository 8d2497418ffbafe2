//! What a step does before it is looked at what holds.

use super::attempt::Bench;
use super::{Wire, broken_lab, rules, runs, scripts};
use crate::lab;
use crate::namespace::Namespace;
use crate::plan::{Action, Operation, Step};
use crate::worker::message::{Broken, Message};

/// Performs the actions of a step in order, and waits until the lab has settled.
///
/// # Errors
///
/// The first action that failed; what stands behind it, here and in later steps, is not reached.
pub(super) async fn perform(
    wire: Wire,
    bench: &mut Bench,
    home: &Namespace,
    number: usize,
    step: &Step,
) -> Result<(), Broken> {
    scripts::let_go(bench, home).await?;
    let title = step.title.clone().unwrap_or_else(|| format!("step {}", number + 1));
    for operation in &step.actions {
        wire.say(&Message::Doing { what: format!("performing the actions of `{title}`"), span: Some(operation.span) });
        act(bench, home, operation).await.map_err(|broken| {
            Broken { span: broken.span.or(Some(operation.span)), ..broken }
                .note(format!("an action of `{title}`; what follows it is not reached"))
        })?;
    }
    if let Some(nodes) = &step.nodes {
        bench.plan.nodes.clone_from(nodes);
    }
    scripts::find_again(bench);
    lab::read_back_links(&bench.plan, &bench.lab).await.map_err(broken_lab)
}

async fn act(bench: &mut Bench, home: &Namespace, operation: &Operation) -> Result<(), Broken> {
    match &operation.action {
        Action::LoadRules(rules) => {
            scripts::find_again(bench);
            let loaded = rules::load_later(bench, rules).await;
            scripts::let_go(bench, home).await?;
            loaded
        }
        Action::Run(run) => {
            scripts::find_again(bench);
            let ran = runs::act(bench, run).await;
            scripts::let_go(bench, home).await?;
            ran
        }
        // It is this action that failed, wherever the service is declared.
        Action::StartService(service) => bench
            .services
            .start_one(&bench.plan, &bench.lab, *service)
            .await
            .map_err(|broken| broken.at(operation.span)),
        Action::StopService(service) => {
            bench.services.stop(&bench.plan, *service).await.map_err(|broken| broken.at(operation.span))
        }
        _ => {
            scripts::find_again(bench);
            let operation = scripts::place(bench, operation).await?;
            bench.lab.perform(&bench.plan, &operation).await.map_err(broken_lab)?;
            scripts::let_go(bench, home).await
        }
    }
}
