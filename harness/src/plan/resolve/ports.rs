//! Which ports are known to be listened on.

use super::checker::Checker;
use super::lab::Lab;
use super::outcomes::Wanted;
use super::services::listen;
use crate::diagnostic::Diagnostic;
use crate::plan::{NodeId, Ready, Service, ServiceKind, Target};
use crate::source::Span;
use crate::words::{Outcome, Port, Transport};

/// What of a transport a node's services listen on, in words; nothing where it is not known or no node is meant.
pub(super) fn listening(lab: &Lab, services: &[Service], host: &str, transport: Transport) -> Option<String> {
    let node = lab.find(host.split('.').next().unwrap_or(host))?;
    let ports = ports(services, node, transport);
    (!ports.is_empty()).then(|| format!("`{}` listens on {}", *lab.nodes[node].name, ports.join(", ")))
}

fn ports(services: &[Service], node: NodeId, transport: Transport) -> Vec<String> {
    let own = services.iter().filter(|service| service.node == node);
    own.filter_map(|service| service.kind.port())
        .filter(|port| port.transport == transport)
        .map(|port| port.number.to_string())
        .collect()
}

/// Warns of a check that aims at a port where nothing listens: it is refused whatever the network does.
pub(super) fn warn(
    checker: &mut Checker<'_>,
    to: &Target,
    port: u16,
    transport: Transport,
    wanted: &Wanted,
    span: Span,
) {
    let depends = |outcome: &Outcome| {
        matches!(outcome, Outcome::Open | Outcome::Delivered | Outcome::Closed | Outcome::Silent | Outcome::Rejected)
    };
    let Some(owner) = to.owner else { return };
    // An HTTP check without outcome words expects an answer.
    if !wanted.outcomes.iter().any(depends) {
        return;
    }
    let own = checker.services.iter().filter(|service| service.node == owner.node);
    let heard = own.clone().any(|service| {
        let here = service.kind.port().is_some_and(|known| known.number == port && known.transport == transport);
        let at = listen(&service.kind);
        // A program may listen on more than it says.
        let unknown = matches!(service.kind, ServiceKind::Command { ready: Ready::Output(_), .. });
        unknown || (here && (at.is_empty() || at.contains(&to.address)))
    });
    let node = &checker.lab.nodes[owner.node];
    if heard || !node.sound {
        return;
    }
    let there =
        own.filter(|service| service.kind.port().is_some_and(|known| known == Port { number: port, transport }));
    let addresses: Vec<String> =
        there.flat_map(|service| listen(&service.kind)).map(|address| address.to_string()).collect();
    let at = if addresses.is_empty() { String::new() } else { format!(" at {}", to.address) };
    let warning = Diagnostic::warning(span, format!("nothing listens on {port}/{transport} of `{}`{at}", *node.name));
    checker.derive(match &*ports(checker.services, owner.node, transport) {
        _ if !addresses.is_empty() => warning.label(format!("it listens only at {}", addresses.join(", "))),
        [] => warning.label(format!("no service of `{}` is known to", *node.name)),
        ports => warning.label(format!("its services listen on {}", ports.join(", "))),
    });
}
