//! Which ports are known to be listened on.

use std::net::SocketAddr;

use super::checker::Checker;
use super::lab::Lab;
use super::outcomes::Wanted;
use super::services::listen;
use crate::diagnostic::Diagnostic;
use crate::plan::{NodeId, Service, ServiceKind, Target};
use crate::source::Span;
use crate::words::{Outcome, Port, Transport};

/// What of a transport a node's services listen on, in words; nothing where it is not known or no node is meant.
pub(super) fn listening(lab: &Lab, services: &[Service], host: &str, transport: Transport) -> Option<String> {
    let node = lab.find(host.split('.').next().unwrap_or(host))?;
    let ports = ports(services, node, transport);
    (!ports.is_empty()).then(|| format!("`{}` listens on {}", *lab.nodes[node].name, ports.join(", ")))
}

/// Each port, with the addresses where it is listened on when those are not all.
fn ports(services: &[Service], node: NodeId, transport: Transport) -> Vec<String> {
    let own = services.iter().filter(|service| service.node == node);
    own.filter_map(|service| Some((service.kind.port()?, &service.kind, listen(&service.kind))))
        .filter(|(port, kind, _)| kind.takes(Port { number: port.number, transport }))
        .flat_map(|(port, _, at)| match at {
            [] => vec![port.number.to_string()],
            some => some.iter().map(|address| SocketAddr::new(*address, port.number).to_string()).collect(),
        })
        .collect()
}

/// Warns of a check that aims at a port where nothing listens: it is refused whatever the network does.
pub(super) fn warn(checker: &mut Checker<'_>, to: &Target, port: Port, wanted: &Wanted, span: Span) {
    let depends = |outcome: &Outcome| {
        matches!(outcome, Outcome::Open | Outcome::Delivered | Outcome::Closed | Outcome::Silent | Outcome::Rejected)
    };
    let landing = checker.lab.landing(to, port);
    let Some(owner) = landing.owner else { return };
    let port = Port { number: landing.port, ..port };
    // An HTTP check without outcome words expects an answer.
    if !wanted.outcomes.iter().any(depends) {
        return;
    }
    let mut own = checker.services.iter().filter(|service| service.node == owner.node);
    let heard = own.any(|service| {
        let here = service.kind.takes(port);
        // A program may listen on more than it says.
        let unknown = matches!(service.kind, ServiceKind::Command { .. });
        unknown || (here && service.kind.listens_on(landing.address))
    });
    let tunnel = super::stacked::port_holder(checker.lab, owner.node, port).is_some();
    let node = &checker.lab.nodes[owner.node];
    // What scripts start is not known.
    if heard || tunnel || !node.whole || node.open {
        return;
    }
    // One message for both families, but where the port is listened on at some of the addresses only.
    let mut own = checker.services.iter().filter(|service| service.node == owner.node);
    let some = own.any(|service| service.kind.takes(port));
    let Port { number, transport } = port;
    let what = if some {
        format!("nothing in `{}` listens on {}/{transport}", *node.name, SocketAddr::new(landing.address, number))
    } else {
        format!("nothing in `{}` listens on {port}", *node.name)
    };
    let elsewhere = ports(checker.services, owner.node, transport);
    let warning = Diagnostic::warning(span, what);
    checker.derive(match &*elsewhere {
        [] => warning.label(format!("no service of `{}` does", *node.name)),
        ports => warning.label(format!("it listens on {}", ports.join(", "))),
    });
}
