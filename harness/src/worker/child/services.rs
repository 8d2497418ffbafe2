//! Starts what runs in the nodes, and waits until it is bound.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::programs::Programs;
use super::stretch;
use crate::evidence::ServiceState;
use crate::lab::{self, Lab};
use crate::plan::{NodeId, Plan, Ready, Service, ServiceKind};
use crate::service::command::{Invocation, Program};
use crate::service::{self, Arrivals};
use crate::words::Port;
use crate::worker::message::Broken;

/// How long a program may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at the socket table: the kernel tells nobody when a socket is bound.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What runs in the nodes.
#[derive(Debug)]
pub(super) struct Services {
    /// What UDP services have got.
    pub(super) arrivals: Arrivals,
    /// One for each service of the plan that runs now.
    running: Vec<Option<Running>>,
    /// Where programs run, in a case that has any.
    programs: Option<Programs>,
    scale: f64,
}

/// A service that runs.
#[derive(Debug)]
enum Running {
    /// One of ours.
    Own(service::Running),
    /// A program; it ends with this.
    Program(Program),
}

impl Services {
    /// No service runs yet.
    pub(super) fn new(plan: &Plan, programs: Option<Programs>, scale: f64) -> Self {
        let running = plan.services.iter().map(|_| None).collect();
        Self { arrivals: Arrivals::default(), running, programs, scale }
    }

    /// Starts the services that run from the beginning, and do not yet, in those of the nodes that are there; the
    /// programs side by side.
    pub(super) async fn start_in(
        &mut self,
        plan: &Plan,
        lab: &Lab,
        nodes: impl Fn(NodeId) -> bool,
    ) -> Result<(), Broken> {
        let waits = |(at, service): (usize, &Service)| {
            let there = nodes(service.node) && !lab.node(service.node).absent;
            (service.initial && there && self.running[at].is_none()).then_some(at)
        };
        let initial: Vec<usize> = plan.services.iter().enumerate().filter_map(waits).collect();
        for at in &initial {
            self.launch(plan, lab, *at)?;
        }
        for at in &initial {
            self.wait(plan, lab, *at).await?;
        }
        Ok(())
    }

    /// Where programs run, in a case that has any.
    pub(super) fn programs(&self) -> Option<&Programs> {
        self.programs.as_ref()
    }

    /// The network namespace that the process of a service has for itself; none while it does not run or has none.
    pub(super) fn own_network(&self, plan: &Plan, lab: &Lab, at: usize) -> io::Result<Option<OwnedFd>> {
        match self.running.get(at) {
            Some(Some(Running::Program(program))) => {
                // A process may also have gone into another node.
                let others = plan.nodes.iter().zip(&lab.nodes).filter(|(node, _)| node.process != Some(at));
                program.own_network(&others.map(|(_, made)| &made.namespace).collect::<Vec<_>>())
            }
            _ => Ok(None),
        }
    }

    /// Starts one service, and waits until it is ready.
    pub(super) async fn start_one(&mut self, plan: &Plan, lab: &Lab, at: usize) -> Result<(), Broken> {
        self.launch(plan, lab, at)?;
        self.wait(plan, lab, at).await
    }

    /// How the services of a node are.
    pub(super) fn states(&mut self, plan: &Plan, node: NodeId) -> Vec<ServiceState> {
        let own = plan.services.iter().enumerate().filter(|(_, service)| service.node == node);
        own.map(|(service, _)| {
            let mut state = ServiceState { service, started: false, ended: None, printed: Vec::new() };
            if let Some(running) = &mut self.running[service] {
                state.started = true;
                if let Running::Program(program) = running {
                    // One that cannot be asked has at least not said that it has ended.
                    state.ended = program.ended().ok().flatten().map(|status| format!("has ended ({status})"));
                    state.printed = program.last_lines();
                }
            }
            state
        })
        .collect()
    }

    /// Whether a service runs, as far as the case has started and stopped it.
    pub(super) fn runs(&self, at: usize) -> bool {
        self.running[at].is_some()
    }

    /// Stops one service; when this returns, its port is free.
    pub(super) async fn stop(&mut self, plan: &Plan, at: usize) -> Result<(), Broken> {
        let service = &plan.services[at];
        let stopped = match self.running[at].take() {
            Some(Running::Own(own)) => {
                own.stop().await;
                Ok(())
            }
            Some(Running::Program(mut program)) => program.stop().await,
            None => {
                return Err(Broken::new(format!("the service {} does not run", name(plan, service))).at(service.span));
            }
        };
        stopped.map_err(|error| {
            let words = lab::KernelError::words(&error);
            Broken::new(format!("cannot stop the service {}: {words}", name(plan, service))).at(service.span)
        })
    }

    fn launch(&mut self, plan: &Plan, lab: &Lab, at: usize) -> Result<(), Broken> {
        let service = &plan.services[at];
        let failed = |error: io::Error| not_started(plan, service, &error);
        let running = match (&service.kind, &self.programs) {
            (ServiceKind::Command { run, env, ready: _ }, Some(programs)) => {
                let invocation = Invocation { run: run.clone(), env: env.clone(), ..Invocation::default() };
                let program = programs
                    .room(plan, lab, service.node)
                    .and_then(|room| Program::start(programs.place(lab, service.node, &room), &invocation))
                    .map_err(|error| programs.explain(run, &error, not_started(plan, service, &error)))?;
                Running::Program(program)
            }
            (kind, _) => {
                let node = lab.node(service.node);
                if node.absent {
                    let gone = format!("there is no node {} now", plan.nodes[service.node].name);
                    return Err(failed(io::Error::other(gone)));
                }
                let namespace = &node.namespace;
                Running::Own(service::start(namespace, kind, &self.arrivals).map_err(failed)?)
            }
        };
        self.running[at] = Some(running);
        Ok(())
    }

    /// Waits until a program is ready; our own services are when they are started.
    async fn wait(&mut self, plan: &Plan, lab: &Lab, at: usize) -> Result<(), Broken> {
        let service = &plan.services[at];
        let until = Instant::now() + stretch(PATIENCE, self.scale);
        match (&service.kind, &mut self.running[at]) {
            (ServiceKind::Command { ready, .. }, Some(Running::Program(program))) => {
                wait_until_ready(plan, lab, program, service, ready, until).await
            }
            _ => Ok(()),
        }
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
    let failed_itself =
        |message: String| Broken::new(message).at(service.span).of(format!("service {}", name(plan, service)));
    loop {
        let is_ready = match condition {
            Ready::Port(port) => listens_anywhere(lab, service, program, *port).map_err(|error| failed(&error))?,
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
            // Its end may overtake what it has printed before.
            if matches!(condition, Ready::Output(text) if program.has_printed(text)) {
                return Ok(());
            }
            let message = format!("the service {} ended ({status}) before it was seen {wanted}", name(plan, service));
            return Err(with_output(failed_itself(message), program));
        }
        if Instant::now() >= until {
            let message = format!("the service {} was not seen {wanted} within {PATIENCE:?}", name(plan, service));
            return Err(with_output(failed_itself(message), program));
        }
        // A text wakes us when it is printed; a port has to be looked for.
        let _ = tokio::time::timeout(LOOK_AGAIN, program.prints()).await;
    }
}

/// Whether a program listens on a port in its node, or in a network namespace of its own.
fn listens_anywhere(lab: &Lab, service: &Service, program: &Program, port: Port) -> io::Result<bool> {
    let node = &lab.node(service.node).namespace;
    let own = program.own_network(&[node])?.map(|own| node.found(own));
    for namespace in std::iter::once(node).chain(&own) {
        if lab::listeners(namespace, port.transport)?.iter().any(|listener| listener.port == port.number) {
            return Ok(true);
        }
    }
    Ok(false)
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
    let listeners = lab::listeners(&lab.node(node).namespace, transport)?;
    Ok(listeners.iter().any(|listener| listener.takes(transport, address, port)))
}
