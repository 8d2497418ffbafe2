//! The line of the case that an object comes from.

use super::world::{End, World};
use crate::evidence::{Blame, Cause, CauseKind};
use crate::plan::{Action, Change, Place};
use crate::source::Span;

fn cause(kind: CauseKind, words: String, span: Option<Span>, help: Option<String>) -> Cause {
    Cause { kind, words, node: None, rule: None, blame: span.map(Blame::Case), help }
}

/// Says which node did it.
pub(super) fn by(world: &World<'_>, node: usize, cause: Cause) -> Cause {
    Cause { node: Some(world.name(node).to_owned()), ..cause }
}

/// A cause that an interface is to blame for: where it was last changed, else where it is declared, else the script that
/// made it.
pub(super) fn of_interface(world: &World<'_>, end: End, kind: CauseKind, words: String, help: Option<String>) -> Cause {
    let name = world.interface(end).map(|interface| interface.name.as_str());
    let is = |place: &Place| place.node == end.0 && (place.index == end.1 || Some(place.name.as_str()) == name);
    let fits = |change: &Change| match kind {
        CauseKind::LinkDown | CauseKind::NoCarrier => matches!(change, Change::Admin(_)),
        CauseKind::MtuTooSmall => matches!(change, Change::Mtu(_)),
        CauseKind::NoAddress | CauseKind::WrongPrefix | CauseKind::DuplicateAddress => {
            matches!(change, Change::AddAddress(_) | Change::DelAddress(_))
        }
        CauseKind::NotConnected => matches!(change, Change::Master(_) | Change::Node(_)),
        _ => false,
    };
    let changed = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        Action::Change(place, change) => is(place) && fits(change),
        _ => false,
    });
    let declared = || world.planned_interface(end).map(|interface| interface.span).filter(|span| is_written(*span));
    if changed.is_none()
        && let Some(name) = name
        && let Some(blame) = words_of(kind).iter().find_map(|word| {
            // In a loop over its ports a script names none of them.
            let loops = kind == CauseKind::PortIsolated;
            done_by(world, end.0, &[name, word]).or_else(|| done_by(world, end.0, &[word]).filter(|_| loops))
        })
    {
        return by(world, end.0, Cause { blame: Some(blame), ..cause(kind, words, None, help) });
    }
    if changed.is_none() && kind == CauseKind::PortBlocked {
        let bridge =
            world.interface(end).and_then(|it| world.interface((end.0, it.master?))).map(|it| it.name.as_str());
        let tree = ["stp_state", "stp"].iter().find_map(|word| done_by(world, end.0, &[bridge?, word]));
        if tree.is_some() {
            return by(world, end.0, Cause { blame: tree, ..cause(kind, words, None, help) });
        }
    }
    let span = changed.map(|operation| operation.span).or_else(declared).or_else(|| script_of(world, end.0));
    by(world, end.0, cause(kind, words, span.or_else(|| of_node(world, end.0)), help))
}

/// The words of commands that make an interface so: ip-link(8), ip-address(8), bridge(8).
fn words_of(kind: CauseKind) -> &'static [&'static str] {
    match kind {
        CauseKind::LinkDown => &["down"],
        CauseKind::PortBlocked => &["state"],
        CauseKind::PortIsolated => &["isolated"],
        CauseKind::MtuTooSmall => &["mtu"],
        CauseKind::NoNeighbour => &["arp"],
        CauseKind::NotConnected => &["nomaster", "master"],
        CauseKind::Tentative | CauseKind::WrongPrefix | CauseKind::DuplicateAddress => &["add"],
        CauseKind::NoAddress => &["del", "flush"],
        CauseKind::TunnelMismatch => &["vxlan"],
        _ => &[],
    }
}

/// A cause that a node as a whole is to blame for, because it lacks something.
pub(super) fn on_node(world: &World<'_>, node: usize, kind: CauseKind, words: String, help: Option<String>) -> Cause {
    by(world, node, cause(kind, words, of_node(world, node), help))
}

/// A cause at a place of the case.
pub(super) fn at(kind: CauseKind, words: String, span: Span, help: Option<String>) -> Cause {
    cause(kind, words, Some(span).filter(|span| is_written(*span)), help)
}

/// A cause that a setting is to blame for: where it was last set, else the place given, else the node.
pub(super) fn of_setting(
    world: &World<'_>,
    node: usize,
    keys: &[String],
    kind: CauseKind,
    words: String,
    help: Option<String>,
) -> Cause {
    let is = |path: &str| keys.iter().any(|key| path == format!("net/{key}") || path == key);
    let set = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        Action::SetSysctl(on, sysctl) => *on == node && is(&sysctl.path),
        _ => false,
    });
    let declared = || world.planned(node).sysctls.iter().rev().find(|sysctl| is(&sysctl.path)).map(|it| it.span);
    let span = set.map(|operation| operation.span).or_else(declared).or_else(|| script_of(world, node));
    by(world, node, cause(kind, words, span.or_else(|| of_node(world, node)), help))
}

/// What a program or a script of the case has done: the action that ran it, or the line of the script. Of several
/// lines with these words the last is taken; `None` where none has them all.
pub(super) fn done_by(world: &World<'_>, node: usize, words: &[&str]) -> Option<Blame> {
    let has = |text: &str| {
        let parts: Vec<&str> = text.split(|c: char| c.is_whitespace() || "\"';,".contains(c)).collect();
        words.iter().all(|word| parts.contains(word))
    };
    let ran = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        Action::Run(run) => {
            run.on == node && has(&run.command.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        }
        _ => false,
    });
    if let Some(operation) = ran {
        return Some(Blame::Case(operation.span));
    }
    let mut found = None;
    for script in &world.node(node).scripts {
        for (at, line) in script.text.lines().enumerate() {
            if has(line) && !line.trim_start().starts_with('#') {
                let line_number = u32::try_from(at + 1).ok()?;
                found = Some(Blame::File { path: script.path.clone(), line: line_number, text: line.to_owned() });
            }
        }
    }
    found
}

/// The script that changes a node, where it is one alone.
pub(super) fn script_of(world: &World<'_>, node: usize) -> Option<Span> {
    let planned = world.planned(node);
    if !planned.open {
        return None;
    }
    let whose = planned.created_by.unwrap_or(node);
    let mut scripts = world.plan().setup.iter().filter(|script| script.node == whose);
    let first = scripts.next()?;
    scripts.next().is_none().then_some(first.span)
}

/// Where a node is declared.
pub(super) fn of_node(world: &World<'_>, node: usize) -> Option<Span> {
    Some(world.planned(node).span).filter(|span| is_written(*span))
}

fn is_written(span: Span) -> bool {
    span != Span::default() && span != Span::BROKEN
}
