//! Making, changing and deleting interfaces.

use super::super::lab::DraftInterface;
use super::super::names;
use super::super::nodes::{check_mtu, two_kinds};
use super::super::stacked::{self, Above};
use super::Stage;
use crate::case::link::Veth;
use crate::case::step::{LinkAdd, LinkDel, LinkSet};
use crate::diagnostic::{Diagnostic, quoted, suggest};
use crate::plan::{Action, Change, End, InterfaceKind, NodeId};
use crate::source::{Span, Spanned};
use crate::words::{Admin, Port, Transport};

/// `link-add`: the new interface is down, and so is the other end of a pair.
pub(super) fn add(stage: &mut Stage<'_>, written: LinkAdd) -> Option<Action> {
    check_kinds(stage, &written);
    let LinkAdd { on, veth, bridge: _, vxlan, vlan, macvlan, dummy, mac, mtu, span: _, sound } = written;
    let (node, name) = new_name(stage, &on)?;
    let mut made = DraftInterface { up: false, mac, span: on.span, ..DraftInterface::new(name, None) };
    made.mtu = mtu.map(|mtu| mtu.map(|mtu| mtu.0));
    made.sound = sound;
    if let Some(veth) = veth {
        return add_pair(stage, node, made, &veth);
    }
    let above = Above::of(vxlan, vlan, macvlan);
    made.kind = match &above {
        Some(above) => Some(stacked::kind(stage.lab, node, &made.name, above, stage.out)?),
        None if dummy.is_some() => Some(InterfaceKind::Dummy),
        None => Some(InterfaceKind::Bridge),
    };
    let end = End { node, interface: stage.lab.nodes[node].add(made) };
    if let Some(above) = above {
        stacked::settle(stage.lab, end, &above, stage.out);
    }
    stage.lab.number();
    Some(Action::AddLink(Box::new(stage.lab.made(end))))
}

/// Refuses what is not exactly one kind of interface.
fn check_kinds(stage: &mut Stage<'_>, written: &LinkAdd) {
    let given = written.given();
    if written.sound && given.is_empty() {
        let wrong = Diagnostic::error(written.span, "this is not one kind of interface");
        stage.out.push(wrong.label(format!("one of {}", quoted(LinkAdd::CHOICES))));
    }
    stage.out.extend(two_kinds(&written.on, &given));
    if let Some(ports) = written.bridge.as_ref().and_then(|bridge| bridge.ports.as_ref()) {
        let wrong = Diagnostic::error(ports.span, "a new bridge has no ports yet");
        stage.out.push(wrong.label("`link-set = { on = ..., master = \"BRIDGE\" }` makes an interface a port"));
    }
}

fn add_pair(stage: &mut Stage<'_>, node: NodeId, made: DraftInterface, veth: &Veth) -> Option<Action> {
    let near = End { node, interface: stage.lab.nodes[node].add(made) };
    let Some((far_node, far_name)) = new_name(stage, &veth.peer) else {
        stage.lab.nodes[node].sound = false;
        return None;
    };
    let other = DraftInterface { up: false, ..DraftInterface::new(far_name, Some(InterfaceKind::Veth { peer: near })) };
    let far = End { node: far_node, interface: stage.lab.nodes[far_node].add(other) };
    stage.lab.at_mut(near).kind = Some(InterfaceKind::Veth { peer: far });
    stage.lab.number();
    Some(Action::AddVeth { first: Box::new(stage.lab.made(near)), second: Box::new(stage.lab.made(far)) })
}

/// A `NODE.INTERFACE` that is not there yet.
fn new_name(stage: &mut Stage<'_>, word: &Spanned<String>) -> Option<(NodeId, Spanned<String>)> {
    let Some((node, name)) = word.split_once('.') else {
        let wrong = Diagnostic::error(word.span, format!("`{}` is not a new interface of a node", **word));
        stage.out.push(wrong.label("written `NODE.INTERFACE`"));
        return None;
    };
    let found = stage.lab.machine(node, word.part(0..node.len()));
    let node = stage.checker().ok(found)?;
    let name = Spanned::new(name.to_owned(), word.part(word.len() - name.len()..word.len()));
    check_new(stage, node, &name).then_some((node, name))
}

/// Whether a node can have an interface of a name.
fn check_new(stage: &mut Stage<'_>, node: NodeId, name: &Spanned<String>) -> bool {
    if let Some(wrong) = names::check_interface(name, name.span) {
        stage.out.push(wrong);
        return false;
    }
    let draft = &stage.lab.nodes[node];
    let Some(taken) = draft.interface(name) else { return true };
    if draft.interfaces[taken].kind == Some(InterfaceKind::Found) {
        // Some expectation names it, and it was taken for what a script makes. If a script does, the kernel says so.
        stage.lab.nodes[node].interfaces[taken].present = false;
        stage.lab.nodes[node].forget(name);
        return true;
    }
    let wrong = Diagnostic::error(name.span, format!("`{}` has an interface `{}` already", *draft.name, **name));
    stage.out.push(wrong.label("another name is needed").related(draft.interfaces[taken].name.span, "this one"));
    false
}

/// `link-set`: what is said, in the order of the keys.
pub(super) fn set(stage: &mut Stage<'_>, written: LinkSet) -> Vec<Action> {
    let LinkSet { on, node, name, mac, mtu, master, up, span, sound } = written;
    if sound && node.is_none() && name.is_none() && mac.is_none() && mtu.is_none() && master.is_none() && up.is_none() {
        let wrong = Diagnostic::error(span, "nothing is changed");
        stage.out.push(wrong.label("one or more of `node`, `name`, `mac`, `mtu`, `master`, `up`"));
    }
    let Some(mut end) = stage.checker().end(&on) else { return Vec::new() };
    let mut actions = Vec::new();
    if end.interface == 0 {
        let fixed = [
            ("node", node.as_ref().map(|node| node.span)),
            ("name", name.as_ref().map(|name| name.span)),
            ("mac", mac.map(|mac| mac.span)),
            ("master", master.as_ref().map(|master| master.span)),
        ];
        if let Some((key, place)) = fixed.into_iter().find_map(|(key, place)| Some((key, place?))) {
            let wrong = Diagnostic::error(place, format!("`lo` takes no `{key}`"));
            stage.out.push(wrong.label("every node has its `lo`, which ends in the node itself"));
            return actions;
        }
    }
    if let Some(node) = node {
        // A new name that is free where it goes may be taken where it stands, or the other way round.
        let Some((moved, action)) = move_to(stage, end, &node, name.as_ref()) else { return actions };
        actions.push(action);
        end = moved;
    }
    if let Some(name) = name.filter(|name| check_renamed(stage, end, name)) {
        actions.push(Action::Change(stage.lab.place(end), Change::Name(name.value.clone())));
        rename(stage, end, name);
    }
    if let Some(mac) = mac {
        actions.push(Action::Change(stage.lab.place(end), Change::Mac(mac.value)));
        stage.lab.set_mac(end, mac);
        let others: Vec<End> = stage.lab.ends().filter(|other| *other != end).collect();
        stage.out.extend(stacked::same_mac(stage.lab, end, mac.span, &others));
    }
    if let Some(mtu) = mtu.map(|mtu| mtu.map(|mtu| mtu.0)) {
        let wrong = stacked::check_mtu_of(stage.lab, end, Some(mtu));
        stage.out.extend(wrong);
        actions.push(Action::Change(stage.lab.place(end), Change::Mtu(mtu.value)));
        stage.lab.set_mtu(end, mtu);
        let has_it = |end: &End| stage.lab.at(*end).mtu.is_some_and(|own| own.span == mtu.span);
        for end in stage.lab.ends().filter(has_it) {
            check_mtu(stage.lab.at(end), stage.out);
        }
    }
    if let Some(master) = master {
        actions.extend(plug(stage, end, &master));
    }
    if let Some(up) = up {
        if up.value {
            let wrong = stacked::check_up(stage.lab, end, up.span).or_else(|| taken_by_service(stage, end, up.span));
            stage.out.extend(wrong);
        }
        actions
            .push(Action::Change(stage.lab.place(end), Change::Admin(if up.value { Admin::Up } else { Admin::Down })));
        stage.lab.set_up(end, up.value);
    }
    actions
}

/// That a VXLAN, which listens while it is up, is to listen where a service does.
fn taken_by_service(stage: &Stage<'_>, end: End, place: Span) -> Option<Diagnostic> {
    let Some(InterfaceKind::Vxlan(vxlan)) = &stage.lab.at(end).kind else { return None };
    let port = Port { number: vxlan.port, transport: Transport::Udp };
    let mut running = stage.services.iter().zip(&*stage.running).filter(|(_, running)| **running);
    let (first, _) = running.find(|(service, _)| service.node == end.node && service.kind.takes(port))?;
    let message = format!("the VXLAN `{}` cannot listen on {port}: `{}` does", *stage.lab.at(end).name, first.name);
    let wrong = Diagnostic::error(place, message).label("it listens while it is up");
    Some(wrong.related(first.span, "this service").help("stop the service before, or give one of them another port"))
}

fn check_renamed(stage: &mut Stage<'_>, end: End, name: &Spanned<String>) -> bool {
    let same = stage.lab.at(end).name.value == name.value;
    same || check_new(stage, end.node, name)
}

fn rename(stage: &mut Stage<'_>, end: End, name: Spanned<String>) {
    let draft = &mut stage.lab.nodes[end.node];
    let old = std::mem::replace(&mut draft.interfaces[end.interface].name, name);
    draft.forget(&old);
    draft.learn(end.interface);
}

/// Moves an interface to another node; gives where it is then.
fn move_to(
    stage: &mut Stage<'_>,
    end: End,
    target: &Spanned<String>,
    renamed: Option<&Spanned<String>>,
) -> Option<(End, Action)> {
    let node = stage.node(target)?;
    if node == end.node {
        let wrong = Diagnostic::error(target.span, format!("`{}` is in `{}`", *stage.lab.at(end).name, **target));
        stage.out.push(wrong.label("there is nowhere to move it"));
        return None;
    }
    if stage.lab.at(end).kind == Some(InterfaceKind::Bridge) {
        let wrong =
            Diagnostic::error(target.span, format!("the bridge `{}` stays in its node", *stage.lab.at(end).name));
        stage.out.push(wrong.label("the kernel does not move bridges (`netns-local`)"));
        return None;
    }
    let name = stage.lab.at(end).name.value.clone();
    let taken = stage.lab.nodes[node].interface(&name);
    let taken = taken.filter(|taken| stage.lab.nodes[node].interfaces[*taken].kind != Some(InterfaceKind::Found));
    if let Some(taken) = taken {
        let draft = &stage.lab.nodes[node];
        let wrong = Diagnostic::error(target.span, format!("`{}` has an interface `{name}` already", *draft.name));
        let wrong = wrong.label("they cannot both be called so").related(draft.interfaces[taken].name.span, "this one");
        let help = "give it another name before: `{ link-set = { on = ..., name = \"...\" } }`";
        stage.out.push(if renamed.is_some() {
            wrong.note("`name` takes effect after the move").help(help)
        } else {
            wrong.help(help)
        });
        return None;
    }
    let action = Action::Change(stage.lab.place(end), Change::Node(node));
    Some((stage.lab.move_to(end, node), action))
}

/// Makes an interface a port of a bridge, or of none.
fn plug(stage: &mut Stage<'_>, end: End, master: &Spanned<String>) -> Option<Action> {
    let place = stage.lab.place(end);
    if master.is_empty() {
        if stage.lab.at_mut(end).master.take().is_none() {
            let wrong = Diagnostic::error(master.span, format!("`{}` is not a port of a bridge", place.name));
            stage.out.push(wrong.label("there is nothing to take it out of"));
        }
        return Some(Action::Change(place, Change::Master(None)));
    }
    if stage.lab.at(end).kind == Some(InterfaceKind::Bridge) {
        let wrong = Diagnostic::error(master.span, format!("the bridge `{}` cannot be a port of a bridge", place.name));
        stage.out.push(wrong.label("join two bridges by a veth with one end in each"));
        return None;
    }
    let draft = &stage.lab.nodes[end.node];
    let bridge = draft.interface(master).filter(|at| draft.interfaces[*at].kind == Some(InterfaceKind::Bridge));
    let Some(bridge) = bridge else {
        let bridges = draft.interfaces.iter().filter(|interface| interface.present);
        let bridges = bridges.filter(|interface| interface.kind == Some(InterfaceKind::Bridge));
        let wrong = Diagnostic::error(master.span, format!("`{}` has no bridge `{}`", *draft.name, **master));
        if draft.sound {
            let near = suggest(master, bridges.map(|interface| interface.name.as_str()));
            stage.out.push(wrong.label(if near.is_empty() { "it has none at this step".to_owned() } else { near }));
        }
        return None;
    };
    let bridge = End { node: end.node, interface: bridge };
    if let Some(wrong) = stacked::check_port(stage.lab, end, bridge, master.span) {
        stage.out.push(wrong);
        return None;
    }
    stage.lab.at_mut(end).master = Some(bridge.interface);
    Some(Action::Change(place, Change::Master(Some(stage.lab.place(bridge)))))
}

/// `link-del`.
pub(super) fn del(stage: &mut Stage<'_>, written: &LinkDel) -> Option<Action> {
    let end = stage.checker().end(&written.on)?;
    if end.interface == 0 {
        let wrong = Diagnostic::error(written.on.span, "`lo` cannot be deleted");
        stage.out.push(wrong.label("`link-set` with `up = false` takes it down"));
        return None;
    }
    let place = stage.lab.place(end);
    stage.lab.delete(end);
    Some(Action::Change(place, Change::Delete))
}
