//! Checks of whole lists: `sysctl`, `addr`, `fdb`, `links`, `routes`, `neighs`.

use super::checker::Checker;
use super::state::place;
use super::targets::Goal;
use super::{names, route_check, state, sysctls};
use crate::case::expect::Exactly;
use crate::case::listing as written;
use crate::diagnostic::Diagnostic;
use crate::plan::{Check, Entry, InterfaceKind, List, Listing, Must, NodeId};
use crate::source::Spanned;

/// How to say one interface, where somebody writes it behind a node.
const ON: &str = "the whole node is meant; `link` looks at one interface";

fn check(on: NodeId, list: List, must: Must, entries: Vec<Entry>) -> Check {
    Check::Listing(Box::new(Listing { on, list, must, entries }))
}

fn entry(value: impl ToString, words: impl ToString) -> Entry {
    Entry { value: value.to_string(), words: words.to_string() }
}

/// Resolves `sysctl`.
pub(super) fn sysctl(checker: &mut Checker<'_>, written: written::SysctlCheck) -> Vec<Check> {
    let written::SysctlCheck { on, key, value, span: _, sound: _ } = written;
    let nodes = checker.senders("on", on.items, "the interface of a setting stands in its key");
    let mut checks = Vec::new();
    for on in nodes {
        match sysctls::setting(checker.lab, on.node, &key, &value) {
            Ok(setting) => {
                let value = setting.value.split_whitespace().collect::<Vec<_>>().join(" ");
                let list = List::Setting { path: setting.path, key: key.value.clone() };
                checks.push(check(on.node, list, Must::Have, vec![entry(&value, &value)]));
            }
            Err(wrong) => wrong.into_iter().for_each(|wrong| checker.say(wrong)),
        }
    }
    checks
}

/// Resolves `addr`.
pub(super) fn addr(checker: &mut Checker<'_>, written: written::AddrCheck) -> Vec<Check> {
    let written::AddrCheck { on, address, present, exactly, span, sound: _ } = written;
    let absent = present.filter(|present| !present.value);
    let (addresses, must) = match (address, exactly) {
        (Some(address), None) if address.items.is_empty() => {
            checker.derive(
                Diagnostic::error(address.span, "this list is empty")
                    .label("`exactly = []` says that there is no address"),
            );
            return Vec::new();
        }
        (Some(address), None) => (address, if absent.is_some() { Must::Lack } else { Must::Have }),
        (None, Some(exactly)) => {
            if let Some(absent) = absent {
                checker.derive(
                    Diagnostic::error(absent.span, "`present = false` beside `exactly`")
                        .label("`exactly` says already what is not there")
                        .related(exactly.span, "exactly these"),
                );
            }
            (exactly, Must::BeExactly)
        }
        (Some(address), Some(exactly)) => {
            checker.derive(
                Diagnostic::error(exactly.span, "`address` and `exactly` in one check")
                    .label("these and no others")
                    .related(address.span, "these, whatever else there is")
                    .help("keep one of them"),
            );
            return Vec::new();
        }
        (None, None) => {
            checker.derive(
                Diagnostic::error(span, "which addresses?").label("`address` or `exactly` is missing").help(
                    "`address = \"10.0.0.1/24\"` looks for one, `exactly = [...]` says that there is nothing else",
                ),
            );
            return Vec::new();
        }
    };
    let Exactly { items, span: _ } = addresses;
    let entries: Vec<Entry> = items.iter().map(|cidr| entry(cidr.value, cidr.value)).collect();
    let mut checks = Vec::new();
    for word in &checker.once(on.items) {
        let Some(end) = checker.end(word) else { continue };
        let dev = checker.lab.at(end).name.value.clone();
        checks.push(check(end.node, List::Addresses { dev }, must, entries.clone()));
    }
    checks
}

/// Resolves `fdb`.
pub(super) fn fdb(checker: &mut Checker<'_>, written: written::FdbCheck) -> Vec<Check> {
    let written::FdbCheck { on, mac, port, present, span: _, sound: _ } = written;
    let mac = checker.mac(&mac);
    let must = if present.is_none_or(|present| present.value) { Must::Have } else { Must::Lack };
    let mut checks = Vec::new();
    for word in &checker.once(on.items) {
        let Some(bridge) = checker.end(word) else { continue };
        let draft = checker.lab.at(bridge);
        let name = draft.name.value.clone();
        if draft.kind.as_ref().is_some_and(|kind| !matches!(kind, InterfaceKind::Bridge | InterfaceKind::Found)) {
            let wrong = Diagnostic::error(word.span, format!("`{}` is not a bridge", **word));
            checker.derive(wrong.label("only a bridge has a forwarding table"));
            continue;
        }
        let mut entries = Vec::new();
        if let Some(port) = &port {
            let Some(end) = checker.interface(bridge.node, port, port.span) else { continue };
            let master = checker.lab.at(end).master;
            let known = !checker.lab.nodes[bridge.node].open;
            if known && end != bridge && master != Some(bridge.interface) && must == Must::Have {
                let wrong = Diagnostic::error(port.span, format!("`{}` is not a port of `{name}`", **port));
                checker.derive(wrong.label("the bridge learns nothing there"));
            }
            entries.push(entry(&port.value, &port.value));
        }
        if let Some(mac) = &mac {
            let list = List::Ports { bridge: name, mac: mac.clone() };
            checks.push(check(bridge.node, list, must, entries));
        }
    }
    checks
}

/// Resolves `links`.
pub(super) fn links(checker: &mut Checker<'_>, written: written::LinksCheck) -> Vec<Check> {
    let written::LinksCheck { on, exactly, span: _, sound: _ } = written;
    let nodes = checker.senders("on", on.items, ON);
    let mut entries = Vec::new();
    for name in checker.once(exactly.items) {
        match names::check_interface(&name, name.span) {
            Some(wrong) => checker.say(wrong),
            None => entries.push(entry(&name.value, &name.value)),
        }
    }
    nodes.iter().map(|on| check(on.node, List::Links, Must::BeExactly, entries.clone())).collect()
}

/// Resolves `routes`.
pub(super) fn routes(checker: &mut Checker<'_>, written: written::RoutesCheck) -> Vec<Check> {
    let written::RoutesCheck { on, family, exactly, span: _, sound: _ } = written;
    let nodes = checker.senders("on", on.items, "a table of routes is the whole node's");
    let instead =
        |address| format!("for the route that an address would take, write `route = {{ get = \"{address}\", ... }}`");
    let mut entries: Vec<Entry> = Vec::new();
    for to in checker.once(exactly.items) {
        if let Some(prefix) = route_check::prefix(checker, &to, family, family, instead) {
            entries.push(entry(prefix, &to.value));
        }
    }
    let list = List::Routes { family: family.map(|family| family.value) };
    nodes.iter().map(|on| check(on.node, list.clone(), Must::BeExactly, entries.clone())).collect()
}

/// Resolves `neighs`.
pub(super) fn neighs(checker: &mut Checker<'_>, written: written::NeighsCheck) -> Vec<Check> {
    let written::NeighsCheck { on, family, exactly, span: _, sound: _ } = written;
    let mut goals = Vec::new();
    for word in checker.once(exactly.items) {
        let Some(aim) = checker.aim(&word) else { continue };
        goals.push(Goal { words: word.value, span: word.span, aim });
    }
    let mut checks = Vec::new();
    for word in &checker.once(on.items) {
        let Some((on, dev)) = place(checker, word) else { continue };
        let mut entries = Vec::new();
        for goal in &goals {
            let targets = state::neighbours(checker, on, goal, family);
            entries.extend(targets.into_iter().map(|to| entry(to.address, to.words)));
        }
        let list = List::Neighbours { dev, family: family.map(|family: Spanned<_>| family.value) };
        checks.push(check(on.node, list, Must::BeExactly, entries));
    }
    checks
}

/// Resolves `isolated`: every two of the nodes.
pub(super) fn isolated(checker: &mut Checker<'_>, written: written::IsolatedCheck) -> Vec<Check> {
    let written::IsolatedCheck { on, span: _, sound: _ } = written;
    let place = on.span;
    let nodes = checker.senders("on", on.items, "a node is isolated with all that it has");
    if nodes.len() < 2 {
        checker.derive(
            Diagnostic::error(place, "one node alone is not isolated from anything").label("two nodes or more"),
        );
    }
    let pairs = nodes.iter().enumerate().flat_map(|(at, one)| nodes[at + 1..].iter().map(move |other| (one, other)));
    pairs.map(|(one, other)| Check::Isolated(one.node, other.node)).collect()
}
