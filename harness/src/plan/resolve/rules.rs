//! Rules that users bring, and the files that they need.

use crate::case::CaseMap;
use crate::case::Many;
use crate::case::rules::{Rules as Written, RulesOf, is_inline};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{Loader, NodeId, Placing, Rules, RulesText};
use crate::source::Spanned;

/// The rules of a node.
pub(super) fn resolve(node: NodeId, written: Option<Many<Written>>, out: &mut Diagnostics) -> Vec<Rules> {
    let written = written.map(|written| written.items).unwrap_or_default();
    written.into_iter().filter_map(|rules| resolve_one(node, rules, out)).collect()
}

fn resolve_one(node: NodeId, written: Written, out: &mut Diagnostics) -> Option<Rules> {
    let (text, loader) = match written {
        Written::Plain(text) => (text, None),
        Written::Of(RulesOf { nft, iptables, ip6tables, span, sound }) => {
            let given = [(nft, Loader::Nft), (iptables, Loader::Iptables), (ip6tables, Loader::Ip6tables)];
            let mut given = given.into_iter().filter_map(|(text, loader)| Some((text?, Some(loader))));
            match (given.next(), given.next()) {
                (Some(only), None) => only,
                (Some((first, _)), Some((second, _))) => {
                    out.push(
                        Diagnostic::error(second.span, "two kinds of rules in one table")
                            .label("each stands in braces of its own")
                            .related(first.span, "the first")
                            .help("`rules = [{ iptables = \"rules.v4\" }, { ip6tables = \"rules.v6\" }]`"),
                    );
                    return None;
                }
                (None, _) => {
                    if sound {
                        out.push(
                            Diagnostic::error(span, "these rules are not there")
                                .label("one of `nft`, `iptables`, `ip6tables`"),
                        );
                    }
                    return None;
                }
            }
        }
    };
    if text.trim().is_empty() {
        out.push(Diagnostic::error(text.span, "these rules are empty").label("a path, or rules as text"));
        return None;
    }
    // What a file holds is known to who reads it.
    let told = loader.is_some();
    let loader = loader.unwrap_or_else(|| Loader::of(&text));
    let Spanned { value, span } = text;
    let text = if is_inline(&value) { RulesText::Inline(value) } else { RulesText::File(value) };
    // What stands between the quotes is known to who has the text of the case.
    Some(Rules { node, text, loader, told, span, inside: None })
}

/// Places that are not for a case to fill.
const TAKEN: [&str; 4] = ["/proc", "/sys", "/dev", "/run/netns"];

/// Folders without which hardly a program runs.
const WHOLE: [&str; 8] = ["/bin", "/etc", "/lib", "/lib64", "/run", "/sbin", "/usr", "/var"];

/// The files that a node's programs find at other places.
pub(super) fn files(node: NodeId, written: Option<CaseMap<Spanned<String>>>, out: &mut Diagnostics) -> Vec<Placing> {
    let mut placings = Vec::new();
    for (at, source) in written.unwrap_or_default().entries {
        let wrong =
            |label: &str| Diagnostic::error(at.span, format!("no file can stand at `{}`", *at)).label(label.to_owned());
        if !at.starts_with('/') {
            out.push(wrong("an absolute path is expected"));
        } else if at.split('/').skip(1).any(|part| matches!(part, "" | "." | "..")) {
            out.push(wrong("a path without `.`, `..` and empty parts is expected"));
        } else if TAKEN.iter().any(|taken| std::path::Path::new(&**at).starts_with(taken)) {
            out.push(wrong("the kernel's own files are there"));
        } else if WHOLE.contains(&at.as_str()) {
            out.push(wrong("it would hide all that the machine has there").help("name what is to stand below it"));
        } else if let Some(source) = source {
            if source.trim().is_empty() {
                out.push(Diagnostic::error(source.span, "this path is empty").label("a file or a folder"));
                continue;
            }
            placings.push(Placing { node, at: at.value, source: source.value, span: source.span });
        }
    }
    placings
}
