//! What is done to the kernel, in order.

use std::collections::HashSet;

use super::lab::Lab;
use crate::plan::{Action, Change, End, InterfaceKind, Operation};
use crate::words::Admin;

/// The operations that build the lab:
///
/// 1. bridges, because a port is made together with its place in a bridge;
/// 2. veth pairs, both ends in one request;
/// 3. dummies and what stands on other interfaces, after what it stands on;
/// 4. addresses, then up: `lo` first, bridges before what is plugged into them, what stands on others last;
/// 5. routes, which need interfaces that are up.
pub(super) fn order(lab: &Lab) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut firsts = HashSet::new();
    let add = |end| Operation { action: Action::AddLink(Box::new(lab.made(end))), span: lab.at(end).span };
    operations.extend(of_kind(lab, is_bridge).map(add));
    for end in lab.ends() {
        if let Some(InterfaceKind::Veth { peer }) = lab.at(end).kind
            && (end.node, end.interface) < (peer.node, peer.interface)
        {
            firsts.insert(add_veth(lab, end, peer, &mut operations));
        }
    }
    let mut stacked: Vec<End> = of_kind(lab, is_stacked).collect();
    stacked.sort_by_key(|end| lab.height(*end));
    operations.extend(stacked.iter().copied().map(add));
    let even = [is_loopback, is_bridge, is_cable].into_iter().flat_map(|phase| of_kind(lab, phase));
    for end in even.chain(stacked) {
        set_up(lab, end, firsts.contains(&end), &mut operations);
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
        operations.push(Operation { action: Action::Change(lab.place(second), Change::Master(Some(bridge))), span });
    }
    first
}

/// Gives an interface its addresses, and takes it up.
fn set_up(lab: &Lab, end: End, first: bool, operations: &mut Vec<Operation>) {
    let interface = lab.at(end);
    let admin =
        |admin| Operation { action: Action::Change(lab.place(end), Change::Admin(admin)), span: interface.span };
    // The kernel takes a VLAN up with what carries it.
    if let Some(InterfaceKind::Vlan { dev, .. }) = interface.kind
        && lab.at(dev).up
        && !interface.up
    {
        operations.push(admin(Admin::Down));
    }
    operations.extend(interface.addresses.iter().map(|cidr| Operation {
        action: Action::Change(lab.place(end), Change::AddAddress(cidr.value)),
        span: cidr.span,
    }));
    // The request that makes a pair takes a first end that is a port up at once.
    let made_up = interface.master.is_some() && first;
    if interface.up && !made_up {
        operations.push(admin(Admin::Up));
    }
}

fn of_kind(lab: &Lab, is: fn(&InterfaceKind) -> bool) -> impl Iterator<Item = End> {
    lab.ends().filter(move |end| lab.at(*end).kind.as_ref().is_some_and(is))
}

fn is_loopback(kind: &InterfaceKind) -> bool {
    matches!(kind, InterfaceKind::Loopback)
}

fn is_bridge(kind: &InterfaceKind) -> bool {
    matches!(kind, InterfaceKind::Bridge)
}

fn is_cable(kind: &InterfaceKind) -> bool {
    matches!(kind, InterfaceKind::Veth { .. })
}

fn is_stacked(kind: &InterfaceKind) -> bool {
    match kind {
        InterfaceKind::Vxlan(_) | InterfaceKind::Vlan { .. } | InterfaceKind::Macvlan { .. } | InterfaceKind::Dummy => {
            true
        }
        InterfaceKind::Loopback | InterfaceKind::Veth { .. } | InterfaceKind::Bridge | InterfaceKind::Found => false,
    }
}
