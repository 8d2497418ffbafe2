//! Checks of the kernel's state: `neigh` and `link`.

use super::aims::Aim;
use super::checker::{Checker, Sender};
use super::targets::{Goal, Reach};
use crate::case::expect::{Exactly, LinkCheck as WrittenLink, Neigh as WrittenNeigh};
use crate::diagnostic::Diagnostic;
use crate::plan::{Check, LinkCheck, Master, Neigh, NodeId, Target};
use crate::source::{Span, Spanned};

/// Resolves `neigh`.
pub(super) fn neigh(checker: &mut Checker<'_>, written: WrittenNeigh) -> Vec<Check> {
    let WrittenNeigh { on, to, family, mac, state, present, span: _, sound: _ } = written;
    if let Some(present) = present.filter(|present| !present.value) {
        let more = [("mac", mac.as_ref().map(|mac| mac.span)), ("state", state.as_ref().map(|state| state.span))];
        refuse_of_absent(checker, present.span, &more, "an entry");
    }
    let mac = mac.and_then(|mac| checker.mac(&mac));
    let mut places = Vec::new();
    for word in &checker.once(on.items) {
        places.extend(place(checker, word));
    }
    let mut checks = Vec::new();
    for word in checker.once(to.items) {
        let Some(aim) = checker.aim(&word) else { continue };
        let goal = Goal { words: word.value, span: word.span, aim };
        for (on, dev) in &places {
            if aim == Aim::Node(on.node) {
                continue;
            }
            for to in neighbours(checker, *on, &goal, family) {
                checks.push(Check::Neigh(Neigh {
                    on: on.node,
                    dev: dev.clone(),
                    to,
                    mac: mac.clone(),
                    state: state.iter().flat_map(|state| &state.items).map(|state| state.value).collect(),
                    present: present.is_none_or(|present| present.value),
                }));
            }
        }
    }
    checks
}

/// The addresses of a neighbour; a link-local one is as good as any here, because a table has interfaces.
pub(super) fn neighbours(
    checker: &mut Checker<'_>,
    on: Sender,
    goal: &Goal,
    family: Option<Spanned<crate::words::Family>>,
) -> Vec<Target> {
    match goal.aim {
        Aim::Address(address) => checker.literal(on.node, goal, address, family).into_iter().collect(),
        Aim::Node(_) | Aim::Interface(_) | Aim::Captured => {
            checker.targets(on, goal, Reach { narrow: family, positive: false })
        }
    }
}

/// A node, or a node and one of its interfaces.
pub(super) fn place(checker: &mut Checker<'_>, word: &Spanned<String>) -> Option<(Sender, Option<String>)> {
    if word.contains('.') {
        let end = checker.end(word)?;
        let name = checker.lab.at(end).name.value.clone();
        return Some((Sender { node: end.node, span: word.span }, Some(name)));
    }
    let node = checker.lab.machine(word, word.span);
    let node = checker.ok(node)?;
    Some((Sender { node, span: word.span }, None))
}

/// Refuses conditions on what must not be there.
fn refuse_of_absent(checker: &mut Checker<'_>, present: Span, more: &[(&str, Option<Span>)], what: &str) {
    for (key, span) in more {
        if let Some(span) = span {
            checker.derive(
                Diagnostic::error(*span, format!("`{key}` of {what} that must not be there"))
                    .label("there is nothing to compare it with")
                    .related(present, "absent"),
            );
        }
    }
}

/// Resolves `link`.
pub(super) fn link(checker: &mut Checker<'_>, written: WrittenLink) -> Vec<Check> {
    let WrittenLink {
        on,
        present,
        admin,
        carrier,
        state,
        mtu,
        mac,
        master,
        peer,
        kind,
        id,
        dev,
        address,
        span: _,
        sound: _,
    } = written;
    let expected = present.is_none_or(|present| present.value);
    if let Some(present) = present.filter(|present| !present.value) {
        let more = [
            ("admin", admin.as_ref().map(|admin| admin.span)),
            ("carrier", carrier.as_ref().map(|carrier| carrier.span)),
            ("state", state.as_ref().map(|state| state.span)),
            ("mtu", mtu.as_ref().map(|mtu| mtu.span)),
            ("mac", mac.as_ref().map(|mac| mac.span)),
            ("master", master.as_ref().map(|master| master.span)),
            ("peer", peer.as_ref().map(|peer| peer.span)),
            ("kind", kind.as_ref().map(|kind| kind.span)),
            ("id", id.map(|id| id.span)),
            ("dev", dev.as_ref().map(|dev| dev.span)),
            ("address", address.as_ref().map(|address| address.span)),
        ];
        refuse_of_absent(checker, present.span, &more, "an interface");
    }
    let mac = mac.and_then(|mac| checker.mac(&mac));
    let peer = peer.filter(|peer| checker.end(peer).is_some()).map(|peer| peer.value);
    let addresses = address.map(|Exactly { items, span: _ }| items.into_iter().map(|cidr| cidr.value).collect());
    let mut checks = Vec::new();
    for word in &checker.once(on.items) {
        let Some((node, name)) = named_link(checker, word, expected) else { continue };
        if let Some(master) = master.as_ref().filter(|master| !master.is_empty() && !checker.lab.nodes[node].open) {
            checker.interface(node, master, master.span);
        }
        checks.push(Check::Link(Box::new(LinkCheck {
            on: node,
            name,
            present: expected,
            admin: admin.map(|admin| admin.value),
            carrier: carrier.map(|carrier| carrier.value),
            state: state.iter().flat_map(|state| &state.items).map(|state| state.value).collect(),
            mtu: mtu.map(|mtu| mtu.value.0),
            mac: mac.clone(),
            master: master.as_ref().map(|master| match master.as_str() {
                "" => Master::Nobody,
                name => Master::Bridge(name.to_owned()),
            }),
            peer: peer.clone(),
            kind: kind.as_ref().map(|kind| kind.value.clone()),
            id: id.map(|id| id.value.0),
            dev: dev.as_ref().and_then(|dev| carrier_of(checker, node, dev)),
            addresses: addresses.clone(),
        })));
    }
    checks
}

/// `NODE.INTERFACE` of what a `dev` names.
fn carrier_of(checker: &mut Checker<'_>, node: NodeId, dev: &Spanned<String>) -> Option<String> {
    let draft = &checker.lab.nodes[node];
    let known = draft.interface(dev).is_some();
    if !known && draft.open && !dev.contains('.') {
        return Some(format!("{}.{}", *draft.name, **dev));
    }
    let elsewhere = !known && dev.contains('.');
    let end = if elsewhere { checker.end(dev) } else { checker.interface(node, dev, dev.span) };
    end.map(|end| checker.lab.end_name(end))
}

/// The node and the interface's name; the interface itself need not be there where absence is expected.
fn named_link(checker: &mut Checker<'_>, word: &Spanned<String>, expected: bool) -> Option<(NodeId, String)> {
    match word.split_once('.') {
        Some((node, name)) if !expected => {
            let found = checker.lab.machine(node, word.part(0..node.len()));
            let found = checker.ok(found)?;
            if let Some(wrong) = super::names::check_interface(name, word.part(node.len() + 1..word.len())) {
                checker.say(wrong);
            }
            Some((found, name.to_owned()))
        }
        _ => {
            let end = checker.end(word)?;
            Some((end.node, checker.lab.at(end).name.value.clone()))
        }
    }
}
