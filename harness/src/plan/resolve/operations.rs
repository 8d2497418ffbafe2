//! What is done to the kernel, in order.

use std::collections::HashSet;

use super::lab::Lab;
use crate::plan::{Action, End, InterfaceKind, Operation};
use crate::words::Admin;

/// The operations that build the lab:
///
/// 1. bridges, because a port is made together with its place in a bridge;
/// 2. veth pairs, both ends in one request;
/// 3. addresses, then up: `lo` first, bridges before what is plugged into them;
/// 4. routes, which need interfaces that are up.
pub(super) fn order(lab: &Lab) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut firsts = HashSet::new();
    let made = |end| Box::new(lab.made(end));
    for end in lab.ends().filter(|end| lab.at(*end).kind == Some(InterfaceKind::Bridge)) {
        operations.push(Operation { action: Action::AddBridge(made(end)), span: lab.at(end).span });
    }
    for end in lab.ends() {
        if let Some(InterfaceKind::Veth { peer }) = lab.at(end).kind
            && (end.node, end.interface) < (peer.node, peer.interface)
        {
            firsts.insert(add_veth(lab, end, peer, &mut operations));
        }
    }
    for phase in [is_loopback, is_bridge, is_cable] {
        for end in lab.ends().filter(|end| phase(lab.at(*end).kind)) {
            let interface = lab.at(end);
            operations.extend(
                interface
                    .addresses
                    .iter()
                    .map(|cidr| Operation { action: Action::AddAddress(lab.place(end), cidr.value), span: cidr.span }),
            );
            // The request that makes a pair takes a first end that is a port up at once.
            let made_up = interface.master.is_some() && firsts.contains(&end);
            if interface.up && !made_up {
                let action = Action::SetAdmin(lab.place(end), Admin::Up);
                operations.push(Operation { action, span: interface.span });
            }
        }
    }
    for (node, draft) in lab.nodes.iter().enumerate() {
        operations.extend(draft.routes.iter().map(|route| {
            let dev = route.dev.map(|interface| lab.place(End { node, interface }));
            Operation { action: Action::AddRoute(node, Box::new(route.clone()), dev), span: route.span }
        }));
    }
    operations
}

/// The pair is made from the end that is a port, because the request names the port's bridge; gives that end.
fn add_veth(lab: &Lab, end: End, peer: End, operations: &mut Vec<Operation>) -> End {
    let is_port = |end: End| lab.at(end).master.is_some();
    let (first, second) = if is_port(peer) && !is_port(end) { (peer, end) } else { (end, peer) };
    let declaring = if lab.at(end).peer.is_some() { end } else { peer };
    let span = lab.at(declaring).span;
    let action = Action::AddVeth { first: Box::new(lab.made(first)), second: Box::new(lab.made(second)) };
    operations.push(Operation { action, span });
    if let Some(bridge) = lab.at(second).master {
        let bridge = lab.place(End { node: second.node, interface: bridge });
        operations.push(Operation { action: Action::SetMaster(lab.place(second), Some(bridge)), span });
    }
    first
}

fn is_loopback(kind: Option<InterfaceKind>) -> bool {
    kind == Some(InterfaceKind::Loopback)
}

fn is_bridge(kind: Option<InterfaceKind>) -> bool {
    kind == Some(InterfaceKind::Bridge)
}

fn is_cable(kind: Option<InterfaceKind>) -> bool {
    matches!(kind, Some(InterfaceKind::Veth { .. }))
}
