//! Settings under `net.*`.

use super::lab::Lab;
use crate::case::CaseMap;
use crate::case::scalar::SysctlValue;
use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::plan::{NodeId, Sysctl};
use crate::source::{Span, Spanned};

/// Where the kernel keeps one folder for each interface.
const PER_INTERFACE: [&str; 4] = ["net/ipv4/conf/", "net/ipv6/conf/", "net/ipv4/neigh/", "net/ipv6/neigh/"];

/// Adds the settings of a node.
pub(super) fn add(
    lab: &mut Lab,
    node: NodeId,
    forwarding: Option<Span>,
    written: CaseMap<Spanned<SysctlValue>>,
    out: &mut Diagnostics,
) {
    for (key, value) in written.entries {
        match resolve(lab, node, &key, value.as_ref(), forwarding) {
            Ok(Some(sysctl)) => {
                adopt_forwarding(lab, node, &sysctl);
                lab.nodes[node].sysctls.push(sysctl);
            }
            Ok(None) => {}
            Err(wrong) => out.extend(wrong),
        }
    }
}

/// The setting; nothing where its value was complained about; the error is empty where nothing is to be concluded.
fn resolve(
    lab: &Lab,
    node: NodeId,
    key: &Spanned<String>,
    value: Option<&Spanned<SysctlValue>>,
    forwarding: Option<Span>,
) -> Result<Option<Sysctl>, Option<Diagnostic>> {
    let Some(value) = value else { return Ok(None) };
    let sysctl = named(lab, node, key, value, false)?;
    if let Some(first) = lab.nodes[node].sysctls.iter().find(|other| other.path == sysctl.path) {
        return Err(Some(
            Diagnostic::error(key.span, "this setting stands twice")
                .label("the same setting again")
                .related(first.span, "first here"),
        ));
    }
    if let (Some(forwarding), Some(was)) = (forwarding, forwarding_of(lab, node, &sysctl.path))
        && was != (sysctl.value != "0")
    {
        return Err(Some(
            Diagnostic::error(key.span, "this contradicts `forwarding`")
                .label(format!("`forwarding` sets it to {}", u8::from(was)))
                .related(forwarding, "set here")
                .help("say it once, by `forwarding`"),
        ));
    }
    Ok(Some(sysctl))
}

/// A setting of a node as it is at a step; the error is empty where nothing is to be concluded.
pub(super) fn setting(
    lab: &Lab,
    node: NodeId,
    key: &Spanned<String>,
    value: &Spanned<SysctlValue>,
) -> Result<Sysctl, Option<Diagnostic>> {
    named(lab, node, key, value, lab.nodes[node].open)
}

/// A setting; of an interface that nobody knows only where scripts make them.
fn named(
    lab: &Lab,
    node: NodeId,
    key: &Spanned<String>,
    value: &Spanned<SysctlValue>,
    open: bool,
) -> Result<Sysctl, Option<Diagnostic>> {
    let draft = &lab.nodes[node];
    let path = path(key)?;
    let interface =
        PER_INTERFACE.iter().find_map(|folder| path.strip_prefix(folder)).and_then(|rest| rest.rsplit_once('/'));
    let mut of_interface = false;
    if let Some((name, _)) = interface.filter(|(name, _)| !matches!(*name, "all" | "default")) {
        of_interface = true;
        if !open && draft.interface(name).is_none() {
            let known = draft.interface_names().chain(["all", "default"]);
            let unknown = Diagnostic::error(place(key, name), format!("`{}` has no interface `{name}`", *draft.name));
            return Err(draft.sound.then(|| unknown.label(suggest(name, known))));
        }
    }
    Ok(Sysctl { path, value: value.value.0.trim().to_owned(), of_interface, span: key.span })
}

/// The part of a key that names an interface.
fn place(key: &Spanned<String>, name: &str) -> Span {
    key.find(name).map_or(key.span, |at| key.part(at..at + name.len()))
}

/// The path below `/proc/sys`. As in sysctl(8), the first separator says which of `.` and `/` separates; the other one
/// then stands for the first inside a name.
fn path(key: &Spanned<String>) -> Result<String, Diagnostic> {
    let path = match key.find(['.', '/']).and_then(|at| key.get(at..=at)) {
        Some(".") => key
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => key.value.clone(),
    };
    let parts: Vec<&str> = path.split('/').collect();
    let help = "a key is written as sysctl(8) does, such as \"net.ipv4.conf.all.rp_filter\"";
    if parts[0] != "net" {
        return Err(Diagnostic::error(key.span, format!("`{}` is not a setting of a node", **key))
            .label("only `net.*` belongs to a network namespace")
            .help(help));
    }
    if parts.len() < 3 || parts.iter().any(|part| matches!(*part, "" | "." | "..") || part.contains('\0')) {
        return Err(Diagnostic::error(key.span, format!("`{}` names no setting", **key)).label(help));
    }
    Ok(path)
}

/// What the node's forwarding makes of a setting, if it does.
fn forwarding_of(lab: &Lab, node: NodeId, path: &str) -> Option<bool> {
    match path {
        "net/ipv4/ip_forward" | "net/ipv4/conf/all/forwarding" => Some(lab.nodes[node].forward_ipv4),
        "net/ipv6/conf/all/forwarding" => Some(lab.nodes[node].forward_ipv6),
        _ => None,
    }
}

/// A node that forwards by a setting forwards, whatever way it was said.
pub(super) fn adopt_forwarding(lab: &mut Lab, node: NodeId, sysctl: &Sysctl) {
    let on = sysctl.value != "0";
    match &*sysctl.path {
        "net/ipv4/ip_forward" | "net/ipv4/conf/all/forwarding" => lab.nodes[node].forward_ipv4 = on,
        "net/ipv6/conf/all/forwarding" => lab.nodes[node].forward_ipv6 = on,
        _ => {}
    }
}

/// The node as it is once a step has set a setting.
pub(super) fn adopt(lab: &mut Lab, node: NodeId, sysctl: &Sysctl) {
    adopt_forwarding(lab, node, sysctl);
    let named = sysctl.path.strip_prefix("net/ipv6/conf/").and_then(|rest| rest.strip_suffix("/disable_ipv6"));
    if let Some(named) = named {
        lab.speak_ipv6(node, named, sysctl.value == "0");
    }
    // What later words are held against.
    if ["/promote_secondaries", "/keep_addr_on_down"].iter().any(|setting| sysctl.path.ends_with(setting)) {
        let sysctls = &mut lab.nodes[node].sysctls;
        sysctls.retain(|other| other.path != sysctl.path);
        sysctls.push(sysctl.clone());
    }
}
