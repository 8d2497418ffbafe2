//! Starts what runs in the nodes, and waits until it is bound.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::programs::Programs;
use super::stretch;
use crate::lab::{self, Lab};
use crate::plan::{NodeId, Plan, Ready, Service, ServiceKind};
use crate::service::command::{Invocation, Program};
use crate::service::{self, Arrivals};
use crate::worker::message::Broken;

/// How long a program may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at the socket table: the kernel tells nobody when a socket is bound.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What runs in the nodes.
#[derive(Debug)]
pub(super) struct Services {
    /// What UDP services have got.
    pub(super) arrivals: Arrivals,
    /// Programs, alive as long as this.
    _programs: Vec<Program>,
}

impl Services {
    /// Starts all services; the programs side by side.
    pub(super) async fn start(plan: &Plan, lab: &Lab, programs: Option<&Programs>, scale: f64) -> Result<Self, Broken> {
        let arrivals = Arrivals::default();
        for service in &plan.services {
            service::start(&lab.node(service.node).namespace, &service.kind, &arrivals)
                .map_err(|error| not_started(plan, service, &error))?;
        }
        let mut running = Vec::new();
        for service in &plan.services {
            if let (ServiceKind::Command { run, env, ready }, Some(programs)) = (&service.kind, programs) {
                let invocation = Invocation { run: run.clone(), env: env.clone(), ..Invocation::default() };
                let program = programs
                    .room(plan, lab, service.node)
                    .and_then(|room| Program::start(programs.place(lab, service.node, &room), &invocation))
                    .map_err(|error| programs.explain(run, &error, not_started(plan, service, &error)))?;
                running.push((program, service, ready));
            }
        }
        let until = Instant::now() + stretch(PATIENCE, scale);
        let mut ready = Vec::new();
        for (mut program, service, condition) in running {
            wait_until_ready(plan, lab, &mut program, service, condition, until).await?;
            ready.push(program);
        }
        Ok(Self { arrivals, _programs: ready })
    }
}

fn name(plan: &Plan, service: &Service) -> String {
    format!("{} in {}", service.name, plan.nodes[service.node].name)
}

fn not_started(plan: &Plan, service: &Service, error: &io::Error) -> Broken {
    let words = lab::KernelError::words(error);
    Broken::new(format!("cannot start the service {}: {words}", name(plan, service))).at(service.span)
}

async fn wait_until_ready(
    plan: &Plan,
    lab: &Lab,
    program: &mut Program,
    service: &Service,
    condition: &Ready,
    until: Instant,
) -> Result<(), Broken> {
    let failed = |error: &io::Error| not_started(plan, service, error);
    loop {
        let is_ready = match condition {
            Ready::Port(port) => lab::listeners(&lab.node(service.node).namespace)
                .map_err(|error| failed(&error))?
                .iter()
                .any(|listener| listener.transport == port.transport && listener.port == port.number),
            Ready::Output(text) => program.has_printed(text),
        };
        if is_ready {
            return Ok(());
        }
        let wanted = match condition {
            Ready::Port(port) => format!("to listen on {port}"),
            Ready::Output(text) => format!("to print {text:?}"),
        };
        if let Some(status) = program.ended().map_err(|error| failed(&error))? {
            let message = format!("the service {} ended ({status}) before it was seen {wanted}", name(plan, service));
            return Err(with_output(Broken::new(message).at(service.span), program));
        }
        if Instant::now() >= until {
            let message = format!("the service {} was not seen {wanted} within {PATIENCE:?}", name(plan, service));
            return Err(with_output(Broken::new(message).at(service.span), program));
        }
        // A text wakes us when it is printed; a port has to be looked for.
        let _ = tokio::time::timeout(LOOK_AGAIN, program.prints()).await;
    }
}

fn with_output(mut broken: Broken, program: &Program) -> Broken {
    let lines = program.last_lines();
    if lines.is_empty() {
        return broken.note("it printed nothing");
    }
    broken.notes.push(format!("it printed:\n{}", lines.join("\n")));
    broken
}

/// Whether something in a node listens at an address and port, by the kernel's socket table.
pub(super) fn listens(
    lab: &Lab,
    node: NodeId,
    transport: crate::words::Transport,
    address: IpAddr,
    port: u16,
) -> io::Result<bool> {
    let listeners = lab::listeners(&lab.node(node).namespace)?;
    Ok(listeners.iter().any(|listener| listener.takes(transport, address, port)))
}
