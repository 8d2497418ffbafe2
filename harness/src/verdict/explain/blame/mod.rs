//! The line of the case that an object comes from.

mod commands;

use super::rule_text;
use super::world::{End, World};
use crate::evidence::{Blame, Cause, CauseKind, Rule};
use crate::plan::{Action, Change, InterfaceKind, Place};
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
    // What a script has made stands in the plan where an expectation or an action first names it.
    let made = world.planned_interface(end).is_none_or(|interface| interface.kind == InterfaceKind::Found);
    let declared = || world.planned_interface(end).map(|it| it.span).filter(|span| !made && is_written(*span));
    let deleted = changed.is_some_and(|it| matches!(it.action, Action::Change(_, Change::DelAddress(_))));
    if kind == CauseKind::NoAddress
        && !deleted
        && let Some(blame) = ipv6_disabled(world, end)
    {
        return by(world, end.0, Cause { blame: Some(blame), ..cause(kind, words, None, help) });
    }
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
    if let (None, true, Some(name)) = (changed, made, name)
        && let Some(blame) = done_by(world, end.0, &["link", "add", name])
    {
        return by(world, end.0, Cause { blame: Some(blame), ..cause(kind, words, None, help) });
    }
    let span = changed.map(|operation| operation.span).or_else(declared).or_else(|| script_of(world, end.0));
    by(world, end.0, cause(kind, words, span.or_else(|| of_node(world, end.0)), help))
}

/// What has taken the IPv6 addresses of an interface away by a setting, if they are all that it lacks.
fn ipv6_disabled(world: &World<'_>, end: End) -> Option<Blame> {
    let found = world.interface(end)?;
    let planned = world.planned_interface(end)?;
    let mut lost =
        planned.addresses.iter().filter(|cidr| !found.addresses.iter().any(|own| own.cidr == **cidr)).peekable();
    lost.peek()?;
    let keys = ["all", &*found.name].map(|dev| format!("ipv6/conf/{dev}/disable_ipv6"));
    let off = keys.iter().any(|key| world.setting(end.0, key) != 0);
    if !off || !lost.all(|cidr| cidr.address.is_ipv6()) {
        return None;
    }
    set_by(world, end.0, &keys, 1).map(|(blame, _)| blame)
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

/// A cause that a setting is to blame for: where it was last set to what it is, else the node.
pub(super) fn of_setting(
    world: &World<'_>,
    node: usize,
    keys: &[String],
    kind: CauseKind,
    words: String,
    help: Option<String>,
) -> Cause {
    // What forwards nothing has a zero; of all others the largest counts.
    let values = keys.iter().map(|key| world.setting(node, key));
    let value = if kind == CauseKind::ForwardingOff { 0 } else { values.max().unwrap_or_default() };
    match set_by(world, node, keys, value) {
        // What the case itself asks for elsewhere need not be written once more.
        Some((blame, true)) => {
            let help = Some("leave this out, or set it otherwise".to_owned());
            by(world, node, Cause { blame: Some(blame), ..cause(kind, words, None, help) })
        }
        Some((blame, false)) => by(world, node, Cause { blame: Some(blame), ..cause(kind, words, None, help) }),
        None => {
            let span = script_of(world, node).or_else(|| of_node(world, node));
            by(world, node, cause(kind, words, span, help))
        }
    }
}

/// What has last set one of some settings to a value, and whether that was a command: an action, else a line of a script,
/// else what the case declares.
fn set_by(world: &World<'_>, node: usize, keys: &[String], value: i64) -> Option<(Blame, bool)> {
    let is_key = |path: &str| keys.iter().any(|key| path == format!("net/{key}") || path == key);
    let may_be_key = |path: &str| keys.iter().any(|key| commands::may_be(path, &format!("net/{key}")));
    let is_value = |text: &str| text.starts_with('$') || text.trim().parse() == Ok(value);
    let sets = |text: &str, exactly: bool| {
        commands::settings(text).iter().any(|setting| {
            is_value(&setting.value) && if exactly { is_key(&setting.path) } else { may_be_key(&setting.path) }
        })
    };
    let set = world.matter.performed.iter().rev().find_map(|operation| match &operation.action {
        Action::SetSysctl(on, sysctl) => {
            (*on == node && is_key(&sysctl.path) && is_value(&sysctl.value)).then_some((operation.span, false))
        }
        Action::Run(run) => ran_for(world, node, run, |text| sets(text, true)).then_some((operation.span, true)),
        _ => None,
    });
    if let Some((span, command)) = set {
        return Some((Blame::Case(span), command));
    }
    if let Some(blame) = line_of(world, node, |text| sets(text, true), |text| sets(text, false)) {
        return Some((blame, true));
    }
    let declared = world.planned(node).sysctls.iter().rev().find(|it| is_key(&it.path) && is_value(&it.value));
    declared.map(|sysctl| (Blame::Case(sysctl.span), false))
}

/// What a program or a script of the case has done: the action that ran it, or the line of the script. Of several
/// lines with these words the last is taken; `None` where none has them all.
pub(super) fn done_by(world: &World<'_>, node: usize, words: &[&str]) -> Option<Blame> {
    let ran = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        Action::Run(run) => ran_for(world, node, run, |text| commands::has(text, words)),
        _ => false,
    });
    if let Some(operation) = ran {
        return Some(Blame::Case(operation.span));
    }
    line_of(world, node, |text| commands::has(text, words), |text| commands::may_have(text, words))
}

/// Where a rule comes from: its line, else what a program or a script of the case has added with its words, else the
/// script.
pub(super) fn of_rule(world: &World<'_>, node: usize, rule: &Rule) -> Option<Blame> {
    let words = rule_text::written(rule);
    let plain: Vec<&str> = words.iter().map(|word| word.trim_end_matches("/32").trim_end_matches("/128")).collect();
    let place = rule.place.clone();
    let place = place.or_else(|| done_by(world, node, &words)).or_else(|| done_by(world, node, &plain));
    place.or_else(|| script_of(world, node).map(Blame::Case))
}

/// Whether a program that was run fits, in the node or, where it names that, in the one whose scripts have made it.
fn ran_for(world: &World<'_>, node: usize, run: &crate::plan::Run, fits: impl Fn(&str) -> bool) -> bool {
    let text = run.command.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let maker = world.planned(node).created_by == Some(run.on) && commands::has(&text, &[world.name(node)]);
    (run.on == node || maker) && fits(&text)
}

/// The line of a script that fits, of several the last, and first those that name a node which scripts have made; else
/// the one that would fit if its variables had the right values, where that is one alone.
fn line_of(
    world: &World<'_>,
    node: usize,
    fits: impl Fn(&str) -> bool,
    may_fit: impl Fn(&str) -> bool,
) -> Option<Blame> {
    let scripts = || world.node(node).scripts.iter().map(|script| (script, commands::of_script(&script.text)));
    let all = |fits: &dyn Fn(&str) -> bool| {
        let of_script = |(script, commands): (&crate::evidence::ScriptText, Vec<commands::Command>)| {
            let found = commands.into_iter().filter(|command| fits(&command.text));
            found.map(|command| (script.path.clone(), command)).collect::<Vec<_>>()
        };
        scripts().flat_map(of_script).collect::<Vec<_>>()
    };
    let name = world.planned(node).created_by.map(|_| world.name(node));
    let mut found = all(&fits);
    if let Some(at) = found.iter().rposition(|(_, it)| name.is_some_and(|name| commands::has(&it.text, &[name]))) {
        found.truncate(at + 1);
    }
    let (path, command) = match found.pop() {
        Some(found) => found,
        None => <[_; 1]>::try_from(all(&may_fit)).ok()?.into_iter().next()?,
    };
    Some(Blame::File { path, line: u32::try_from(command.line).ok()?, text: command.shown, command: true })
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
