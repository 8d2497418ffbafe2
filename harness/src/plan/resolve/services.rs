//! What runs in the nodes.

use std::net::IpAddr;

use super::choice::Choice;
use super::lab::{Draft, Lab};
use super::program;
use super::routes::not_an_address_of;
use super::stacked;
use crate::case::service::{
    CommandService, DnsService, EchoService, HttpService, Ready as WrittenReady, Service as Written,
};
use crate::case::{CaseMap, Many};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{NodeId, Ready, Service, ServiceKind, covers};
use crate::source::{Span, Spanned};
use crate::words::Transport;

/// Resolves the services of a node; gives also the place of each one's port for later messages.
pub(super) fn resolve(lab: &Lab, node: NodeId, written: CaseMap<Written>, out: &mut Diagnostics) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    for (name, service) in written.entries {
        if name.trim().is_empty() {
            out.push(Diagnostic::error(name.span, "this service has no name").label("an empty name"));
        }
        let Some(mut service) = service else { continue };
        let initial = service.start.take().is_none_or(|start| start.value);
        let draft = &lab.nodes[node];
        // One that starts later listens on what there is then.
        let Some(kind) = kind(initial.then_some(draft), &name, service, out) else { continue };
        let service = Service { node, name: name.value, kind, initial, span: name.span };
        if initial {
            let running = services.iter().filter(|first| first.initial);
            out.extend(taken_by_service(draft, running, &service, service.span));
            out.extend(taken_by_tunnel(lab, &service, service.span));
        }
        services.push(service);
    }
    services
}

/// What keeps a service from starting at a step, which names it at a place.
pub(super) fn check_start<'a>(
    lab: &Lab,
    running: impl Iterator<Item = &'a Service>,
    service: &Service,
    place: Span,
) -> Option<Diagnostic> {
    let draft = &lab.nodes[service.node];
    let missing = listen(&service.kind).iter().find(|own| !own.is_unspecified() && !draft.answers_for(**own));
    if let Some(address) = missing.filter(|_| draft.sound && !draft.open) {
        let label = format!("`{}` listens on an address of its node", service.name);
        let wrong = not_an_address_of(draft, Spanned::new(*address, place), &label);
        return Some(wrong.related(service.span, "this service"));
    }
    taken_by_service(draft, running, service, place).or_else(|| taken_by_tunnel(lab, service, place))
}

/// That a service is to listen where another one of its node does.
fn taken_by_service<'a>(
    draft: &Draft,
    mut running: impl Iterator<Item = &'a Service>,
    service: &Service,
    place: Span,
) -> Option<Diagnostic> {
    let first = running.find(|first| first.node == service.node && clash(&first.kind, &service.kind))?;
    let port = service.kind.port().map(|port| port.to_string()).unwrap_or_default();
    let wrong = Diagnostic::error(place, format!("two services of `{}` listen on {port}", *draft.name));
    Some(wrong.label(format!("`{}` cannot bind it", service.name)).related(first.span, "taken by this one"))
}

/// That a service is to listen where a VXLAN of its node does.
fn taken_by_tunnel(lab: &Lab, service: &Service, place: Span) -> Option<Diagnostic> {
    let port = service.kind.port()?;
    let holder = stacked::port_holder(lab, service.node, port)?;
    let message = format!("`{}` cannot listen on {port}: the VXLAN `{}` does", service.name, **holder);
    let wrong = Diagnostic::error(place, message).label("another port is needed");
    Some(wrong.related(holder.span, "this VXLAN"))
}

fn kind(node: Option<&Draft>, name: &Spanned<String>, written: Written, out: &mut Diagnostics) -> Option<ServiceKind> {
    let given = written.given();
    if written.sound || given.len() > 1 {
        let choice = Choice {
            none: Diagnostic::error(name.span, format!("service `{}` has no kind", **name)),
            two: format!("service `{}` has two kinds", **name),
            label: "a service is one of them",
            help: "give the second a name of its own",
        };
        out.extend(choice.refuse(Written::CHOICES, &given));
    }
    // `start` was taken by the caller.
    let Written { http, tcp, udp, dns, command, start: _, span: _, sound: _ } = written;
    if let Some(http) = http {
        return http_kind(node, http, out);
    }
    if let Some(tcp) = tcp {
        return echo_kind(node, Transport::Tcp, tcp, out);
    }
    if let Some(udp) = udp {
        return echo_kind(node, Transport::Udp, udp, out);
    }
    if let Some(dns) = dns {
        return dns_kind(node, dns, out);
    }
    command.and_then(|command| command_kind(command, out))
}

fn http_kind(node: Option<&Draft>, written: HttpService, out: &mut Diagnostics) -> Option<ServiceKind> {
    let HttpService { port, listen, status, headers, body, span: _, sound } = written;
    let headers = super::http::headers(headers.unwrap_or_default(), out);
    for (name, place) in &headers {
        if matches!(&*name.0.to_ascii_lowercase(), "content-length" | "transfer-encoding" | "connection") {
            out.push(
                Diagnostic::error(*place, format!("the server sets `{}` itself", name.0))
                    .label("it follows from the body"),
            );
        }
    }
    let listen = addresses(node, listen, out);
    sound.then(|| ServiceKind::Http {
        port: port.value.u16(),
        listen,
        status: status.map_or(200, |status| status.value.u16()),
        headers: headers.into_iter().map(|(header, _)| header).collect(),
        body: body.map(|body| body.value).unwrap_or_default(),
    })
}

fn echo_kind(
    node: Option<&Draft>,
    transport: Transport,
    written: EchoService,
    out: &mut Diagnostics,
) -> Option<ServiceKind> {
    let EchoService { port, listen, span: _, sound } = written;
    let listen = addresses(node, listen, out);
    sound.then(|| ServiceKind::Echo { transport, port: port.value.u16(), listen })
}

fn dns_kind(node: Option<&Draft>, written: DnsService, out: &mut Diagnostics) -> Option<ServiceKind> {
    let DnsService { port, listen, records, span: _, sound } = written;
    let listen = addresses(node, listen, out);
    let (records, spans) = super::dns::zone(records, out).into_iter().unzip();
    let port = port.map_or(super::dns::PORT, |port| port.value.u16());
    sound.then_some(ServiceKind::Dns { port, listen, records, spans })
}

/// The addresses to listen on; of a node, if it must have them.
fn addresses(node: Option<&Draft>, written: Option<Many<Spanned<IpAddr>>>, out: &mut Diagnostics) -> Vec<IpAddr> {
    let items = written.map(|written| written.items).unwrap_or_default();
    if let Some(node) = node.filter(|node| node.sound) {
        let is_own = |address: IpAddr| address.is_unspecified() || node.answers_for(address);
        for address in items.iter().filter(|address| !is_own(address.value)) {
            out.push(not_an_address_of(node, *address, "a service listens on an address of its node"));
        }
    }
    let all: Vec<IpAddr> = items.into_iter().map(|address| address.value).collect();
    // What is beside "every address" would be bound twice.
    let beside = |address: &IpAddr| all.iter().any(|other| other != address && covers(*other, *address));
    all.iter().copied().filter(|address| !beside(address)).collect()
}

fn command_kind(written: CommandService, out: &mut Diagnostics) -> Option<ServiceKind> {
    let CommandService { run, env, ready, span: _, sound } = written;
    let (run, env) = program::command("run", run, env, out);
    let ready = readiness(ready, out)?;
    let run = run.into_iter().map(|word| word.value).collect();
    let env = env.into_iter().map(|(name, value)| (name, value.value)).collect();
    sound.then_some(ServiceKind::Command { run, env, ready })
}

fn readiness(written: WrittenReady, out: &mut Diagnostics) -> Option<Ready> {
    let WrittenReady { port, output, span, sound } = written;
    match (port, output) {
        (Some(port), None) => Some(Ready::Port(port.value)),
        (None, Some(output)) if output.is_empty() => {
            out.push(
                Diagnostic::error(output.span, "an empty text is always there")
                    .label("what the program prints when it is ready"),
            );
            None
        }
        (None, Some(output)) => Some(Ready::Output(output.value)),
        (Some(port), Some(output)) => {
            out.push(
                Diagnostic::error(output.span, "two conditions for being ready")
                    .label("one of `port` and `output`")
                    .related(port.span, "the first"),
            );
            None
        }
        (None, None) => {
            if sound {
                out.push(
                    Diagnostic::error(span, "it is not said when the program is ready")
                        .label("one of `port` and `output`")
                        .help("such as `ready = { port = \"80/tcp\" }` or `ready = { output = \"listening\" }`"),
                );
            }
            None
        }
    }
}

/// Whether two services of one node want the same port of the same address.
fn clash(first: &ServiceKind, second: &ServiceKind) -> bool {
    let same = |one: &ServiceKind, other: &ServiceKind| one.port().is_some_and(|port| other.takes(port));
    let (here, there) = (listen(first), listen(second));
    (same(first, second) || same(second, first))
        && (here.is_empty()
            || there.is_empty()
            || here
                .iter()
                .any(|address| there.iter().any(|other| covers(*address, *other) || covers(*other, *address))))
}

/// The addresses that a service listens on; none means all.
pub(super) fn listen(kind: &ServiceKind) -> &[IpAddr] {
    match kind {
        ServiceKind::Http { listen, .. } | ServiceKind::Echo { listen, .. } | ServiceKind::Dns { listen, .. } => listen,
        ServiceKind::Command { .. } => &[],
    }
}
