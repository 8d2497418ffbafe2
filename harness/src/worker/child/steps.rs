//! What a step does before it is looked at what holds.

use super::attempt::Bench;
use super::{Wire, broken_lab, rules, runs, scripts};
use crate::lab;
use crate::namespace::Namespace;
use crate::plan::{Action, Check, Operation, Plan, Step};
use crate::worker::message::{Broken, Message};

/// Performs the actions of the last of these steps in order, and waits until the lab has settled.
///
/// # Errors
///
/// The first action that failed; what stands behind it, here and in later steps, is not reached.
pub(super) async fn perform(
    wire: Wire,
    bench: &mut Bench,
    home: &Namespace,
    until_here: &[Step],
) -> Result<(), Broken> {
    scripts::let_go(bench, home).await?;
    let Some(step) = until_here.last() else { return Ok(()) };
    let title = step.title.clone().unwrap_or_else(|| format!("step {}", until_here.len()));
    for operation in &step.actions {
        wire.say(&Message::Doing { what: format!("performing the actions of `{title}`"), span: Some(operation.span) });
        act(bench, home, operation).await.map_err(|broken| {
            Broken { span: broken.span.or(Some(operation.span)), ..broken }
                .note(format!("an action of `{title}`; what follows it is not reached"))
        })?;
        bench.performed.push(operation.clone());
    }
    if let Some(nodes) = &step.nodes {
        bench.plan.nodes.clone_from(nodes);
    }
    scripts::find_again(bench);
    let looked_at = if had_programs(&bench.plan, until_here) {
        lab::wait_for_links(&bench.plan, &bench.lab).await
    } else {
        lab::read_back_links(&bench.plan, &bench.lab).await
    };
    looked_at.map_err(broken_lab)
}

/// Whether programs that change the lab may have run by the end of a step's actions.
fn had_programs(plan: &Plan, until_here: &[Step]) -> bool {
    let runs = |check: &Check| matches!(check, Check::Run(_));
    let acts = |step: &Step| step.actions.iter().any(|operation| matches!(operation.action, Action::Run(_)));
    let looked_at = until_here.last().map_or(0, |step| step.expectations.start);
    !plan.setup.is_empty()
        || until_here.iter().any(acts)
        || plan.expectations.iter().take(looked_at).any(|expectation| runs(&expectation.check))
}

async fn act(bench: &mut Bench, home: &Namespace, operation: &Operation) -> Result<(), Broken> {
    match &operation.action {
        Action::LoadRules(rules) => {
            scripts::find_one_again(bench, rules.node);
            let loaded = rules::load_later(bench, rules).await;
            scripts::let_go(bench, home).await?;
            loaded
        }
        Action::Run(run) => {
            scripts::find_one_again(bench, run.on);
            let ran = runs::act(bench, run).await;
            scripts::let_go(bench, home).await?;
            ran
        }
        Action::StartService(service) => {
            let started = start(bench, *service).await;
            scripts::let_go(bench, home).await?;
            // It is this action that failed, wherever the service is declared.
            started.map_err(|broken| broken.at(operation.span))
        }
        Action::StopService(service) => {
            // What runs in the network namespace of a process goes with that.
            for inner in services_of_process(&bench.plan, *service) {
                if bench.services.runs(inner) {
                    bench.services.stop(&bench.plan, inner).await?;
                }
            }
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

/// Starts a service, and what its process's own node has of the case.
async fn start(bench: &mut Bench, service: usize) -> Result<(), Broken> {
    scripts::find_one_again(bench, bench.plan.services[service].node);
    bench.services.start_one(&bench.plan, &bench.lab, service).await?;
    let nodes = 0..bench.plan.nodes.len();
    for node in nodes.filter(|node| bench.plan.nodes[*node].process == Some(service)).collect::<Vec<_>>() {
        scripts::find_one_again(bench, node);
        for rules in bench.plan.rules.iter().filter(|rules| rules.node == node) {
            rules::load_later(bench, rules).await?;
        }
        bench.services.start_in(&bench.plan, &bench.lab, |it| it == node).await?;
    }
    Ok(())
}

/// The services in the nodes that are the network namespace of a service's process.
fn services_of_process(plan: &Plan, service: usize) -> Vec<usize> {
    let inside = |at: &usize| plan.nodes[plan.services[*at].node].process == Some(service);
    (0..plan.services.len()).filter(inside).collect()
}
