//! Nodes that scripts change, and nodes that scripts make.

use super::lab::{DraftInterface, Lab};
use super::nodes::Rest;
use crate::case::expect::Expect;
use crate::case::step::{Action, LinkAdd};
use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::plan::{InterfaceKind, NodeId, Script, Service, ServiceKind};
use crate::source::Spanned;

/// The scripts in the order of the nodes; marks the nodes that they change and make.
pub(super) fn resolve(lab: &mut Lab, rests: &[Rest], out: &mut Diagnostics) -> Vec<Script> {
    let mut scripts = Vec::new();
    for rest in rests {
        for path in rest.setup.iter().flat_map(|setup| &setup.items) {
            if path.trim().is_empty() {
                out.push(
                    Diagnostic::error(path.span, "this script has no name").label("a path from this file's folder"),
                );
            }
            lab.nodes[rest.node].open = true;
            scripts.push(Script { node: rest.node, path: path.value.clone(), span: path.span });
        }
    }
    for rest in rests {
        let Some(word) = &rest.created_by else { continue };
        lab.nodes[rest.node].open = true;
        match creator(lab, rest.node, word, &scripts) {
            Ok(creator) => lab.nodes[rest.node].created_by = Some(creator),
            Err(wrong) => out.push(wrong),
        }
    }
    refuse_cables(lab, out);
    scripts
}

/// Finds the services whose processes have network namespaces of their own, `created-by = "NODE.SERVICE"`.
pub(super) fn find_processes(
    lab: &mut Lab,
    created: Vec<(NodeId, Spanned<String>)>,
    services: &[Service],
    out: &mut Diagnostics,
) {
    for (node, word) in created {
        let Some((_, name)) = word.split_once('.') else { continue };
        let Some(creator) = lab.nodes[node].created_by else { continue };
        let place = word.part(word.len() - name.len()..word.len());
        let own = || services.iter().enumerate().filter(|(_, service)| service.node == creator);
        match own().find(|(_, service)| service.name == name) {
            Some((at, Service { kind: ServiceKind::Command { .. }, .. })) => lab.nodes[node].process = Some(at),
            Some((_, service)) => out.push(
                Diagnostic::error(place, format!("the service `{name}` is no process of its own"))
                    .label("only a `command` can have a network namespace of its own")
                    .related(service.span, "declared here"),
            ),
            None if lab.nodes[creator].whole => {
                let draft = &lab.nodes[creator];
                let known: Vec<&str> = own().map(|(_, service)| service.name.as_str()).collect();
                let wrong = Diagnostic::error(place, format!("`{}` has no service `{name}`", *draft.name));
                out.push(match &*known {
                    [] => wrong.label("it declares none"),
                    known => wrong.label(suggest(name, known.iter().copied())),
                });
            }
            None => {}
        }
    }
}

/// Nothing can be plugged into a node before its script has made it.
fn refuse_cables(lab: &Lab, out: &mut Diagnostics) {
    for draft in lab.nodes.iter().filter(|draft| draft.created_by.is_some()) {
        for interface in draft.interfaces.iter().skip(1) {
            out.push(
                Diagnostic::error(interface.name.span, format!("`{}` is made by a script or a service", *draft.name))
                    .label("nothing can be plugged into it before that has run")
                    .help("the script that makes the node makes its interfaces, or a step moves one into it by `link-set`"),
            );
        }
    }
}

fn creator(lab: &Lab, node: NodeId, word: &Spanned<String>, scripts: &[Script]) -> Result<NodeId, Diagnostic> {
    if let Some((name, _)) = word.split_once('.') {
        return lab.machine(name, word.part(0..name.len()));
    }
    let creator = lab.machine(word, word.span)?;
    if creator == node {
        return Err(Diagnostic::error(word.span, format!("`{}` cannot make itself", **word))
            .label("the node whose `setup` makes this one"));
    }
    if !scripts.iter().any(|script| script.node == creator) && lab.nodes[creator].whole {
        return Err(Diagnostic::error(word.span, format!("`{}` runs no script that could make a node", **word))
            .label("it has no `setup`")
            .help(format!("write `setup = \"FILE.sh\"` under `[nodes.{}]`", **word)));
    }
    Ok(creator)
}

/// Notes the interfaces of such nodes that expectations name: they are looked for when the scripts have run.
pub(super) fn mention<'a>(lab: &mut Lab, expectations: impl Iterator<Item = &'a Expect>) {
    for expect in expectations {
        for word in words(expect) {
            mention_one(lab, word);
        }
        for word in &ports(expect) {
            mention_one(lab, word);
        }
    }
}

fn mention_one(lab: &mut Lab, word: &Spanned<String>) {
    let Some((name, interface)) = word.split_once('.') else { return };
    let Some(node) = lab.find(name).filter(|node| lab.nodes[*node].open) else { return };
    let interface = interface.split(':').next().unwrap_or_default();
    let known = lab.nodes[node].interface(interface).is_some();
    if !known && super::names::check_interface(interface, word.span).is_none() {
        let name = Spanned::new(interface.to_owned(), word.span);
        lab.nodes[node].add(DraftInterface::new(name, Some(InterfaceKind::Found)));
    }
}

/// Notes the interfaces of such nodes that actions name.
pub(super) fn mention_in_actions<'a>(lab: &mut Lab, actions: impl Iterator<Item = &'a Action>) {
    for action in actions {
        let changed = [
            action.link_set.as_ref().map(|action| &action.on),
            action.link_del.as_ref().map(|action| &action.on),
            action.addr_add.as_ref().map(|action| &action.on),
            action.addr_del.as_ref().map(|action| &action.on),
            action.neigh_flush.as_ref().map(|action| &action.on),
        ];
        changed.into_iter().flatten().for_each(|word| mention_one(lab, word));
        if let Some(add) = &action.link_add {
            for word in carriers(add) {
                mention_one(lab, &word);
            }
        }
    }
}

/// What a new interface is to stand on, as `NODE.INTERFACE`.
fn carriers(add: &LinkAdd) -> Vec<Spanned<String>> {
    let node = add.on.split('.').next().unwrap_or_default();
    let vxlan = add.vxlan.as_ref().and_then(|vxlan| vxlan.dev.as_ref());
    let vlan = add.vlan.as_ref().map(|vlan| &vlan.dev);
    let own = [vxlan, vlan].into_iter().flatten().map(|dev| Spanned::new(format!("{node}.{}", **dev), dev.span));
    let macvlan = add.macvlan.iter().map(|macvlan| {
        let dev = &macvlan.dev;
        if dev.contains('.') { dev.clone() } else { Spanned::new(format!("{node}.{}", **dev), dev.span) }
    });
    own.chain(macvlan).collect()
}

/// The bridge ports that an expectation names, as `NODE.INTERFACE`.
fn ports(expect: &Expect) -> Vec<Spanned<String>> {
    let Some((fdb, port)) = expect.fdb.as_ref().and_then(|fdb| Some((fdb, fdb.port.as_ref()?))) else {
        return Vec::new();
    };
    let nodes = fdb.on.items.iter().filter_map(|bridge| bridge.split_once('.'));
    nodes.map(|(node, _)| Spanned::new(format!("{node}.{}", **port), port.span)).collect()
}

/// The words that may name an interface.
fn words(expect: &Expect) -> Vec<&Spanned<String>> {
    let mut words = Vec::new();
    if let Some(ping) = &expect.ping {
        words.extend(ping.from.items.iter().chain(&ping.to.items).chain(&ping.by));
    }
    for transfer in [&expect.tcp, &expect.udp].into_iter().flatten() {
        words.extend(transfer.from.items.iter().chain(&transfer.to.items).chain(&transfer.by));
        words.extend(transfer.seen_from.iter().flat_map(|seen| &seen.items));
    }
    if let Some(http) = &expect.http {
        words.extend(http.from.items.iter().chain(&http.by));
        words.extend(http.seen_from.iter().flat_map(|seen| &seen.items));
    }
    if let Some(dns) = &expect.dns {
        words.extend(dns.from.items.iter());
    }
    if let Some(trace) = &expect.trace {
        words.extend(trace.from.items.iter().chain(&trace.to.items).chain(&trace.via.items));
    }
    for solicit in [&expect.arp, &expect.ndp].into_iter().flatten() {
        let macs = solicit.mac.iter().flat_map(|mac| &mac.items);
        words.extend(solicit.from.items.iter().chain(&solicit.to.items).chain(macs));
    }
    if let Some(neigh) = &expect.neigh {
        words.extend(neigh.on.items.iter().chain(&neigh.to.items).chain(&neigh.mac));
    }
    if let Some(route) = &expect.route {
        words.extend(route.get.iter());
    }
    if let Some(link) = &expect.link {
        words.extend(link.on.items.iter().chain(&link.mac).chain(&link.peer).chain(&link.dev));
    }
    if let Some(addr) = &expect.addr {
        words.extend(&addr.on.items);
    }
    if let Some(fdb) = &expect.fdb {
        words.extend(fdb.on.items.iter().chain([&fdb.mac]));
    }
    if let Some(neighs) = &expect.neighs {
        words.extend(&neighs.on.items);
    }
    words
}
