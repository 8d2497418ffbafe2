//! What can be broken in rules and in scripts: each rule and each command may be missing.

use std::path::Path;

use toml::Value;

use crate::mutation::{File, Kind, Mutation};
use crate::tree::{Place, entries, get, items};

/// Every single way to break them.
pub(crate) fn mutations(root: &Path, file: &File<'_>) -> Vec<Mutation> {
    let mut found = Vec::new();
    for (_, node, _) in entries(file.tree, &Place::default().key("nodes")) {
        for (place, _) in items(file.tree, &node.key("rules")) {
            found.extend(rules(root, file, &place));
        }
        for (place, path) in items(file.tree, &node.key("setup")) {
            let other = |text: &str| without_each(text, is_command);
            found.extend(
                path.as_str().into_iter().flat_map(|path| beside(root, file, &place, path, Kind::Script, other)),
            );
        }
    }
    for (step, _) in items(file.tree, &Place::default().key("steps")) {
        for (action, _) in items(file.tree, &step.key("do")) {
            for (place, _) in items(file.tree, &action.keys(&["rules", "load"])) {
                found.extend(rules(root, file, &place));
            }
        }
    }
    found
}

/// Rules: a path, a text, or a table of one of these.
fn rules(root: &Path, file: &File<'_>, place: &Place) -> Vec<Mutation> {
    let mut found = Vec::new();
    let kinds = entries(file.tree, place).into_iter().map(|(_, place, _)| place);
    for place in kinds.chain([place.clone()]) {
        match get(file.tree, &place).and_then(Value::as_str) {
            Some(text) if text.contains(['\n', '{']) => {
                for (name, text) in other_rules(text) {
                    let mutation = file.with(Kind::Rule, &place, text);
                    found.push(Mutation { name: format!("{place}: {name}"), ..mutation });
                }
            }
            Some(path) => found.extend(beside(root, file, &place, path, Kind::Rule, other_rules)),
            None => {}
        }
    }
    found
}

/// The mutations of a file that a case names.
fn beside(
    root: &Path,
    file: &File<'_>,
    place: &Place,
    path: &str,
    kind: Kind,
    other: impl Fn(&str) -> Vec<(String, String)>,
) -> Vec<Mutation> {
    let path = file.path.with_file_name(path);
    let Ok(text) = std::fs::read_to_string(root.join(&path)) else { return Vec::new() };
    other(&text)
        .into_iter()
        .map(|(name, text)| Mutation { kind, name: format!("{place}: {name}"), texts: vec![(path.clone(), text)] })
        .collect()
}

/// The text without each rule, and with each policy that drops turned into one that accepts.
fn other_rules(text: &str) -> Vec<(String, String)> {
    let mut found = without_each(text, is_rule);
    for (drops, accepts) in
        [("policy drop", "policy accept"), ("INPUT DROP", "INPUT ACCEPT"), ("FORWARD DROP", "FORWARD ACCEPT")]
    {
        for (at, _) in text.match_indices(drops) {
            let (before, after) = text.split_at(at);
            let changed = format!("{before}{accepts}{}", &after[drops.len()..]);
            found.push((format!("{accepts} in line {}", before.lines().count().max(1)), changed));
        }
    }
    found
}

/// The text without each of the lines that are meant, and what was in it.
fn without_each(text: &str, is_meant: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let meant = lines.iter().enumerate().filter(|(_, line)| is_meant(line.trim()));
    meant
        .map(|(gone, line)| {
            let rest = lines.iter().enumerate().filter(|(index, _)| *index != gone);
            let rest: String = rest.map(|(_, line)| format!("{line}\n")).collect();
            (format!("line {} dropped: {}", gone + 1, line.trim()), rest)
        })
        .collect()
}

/// Whether a line is one rule of nft or of iptables-save, and nothing else needs it.
fn is_rule(line: &str) -> bool {
    const OTHER: [&str; 14] = [
        "#", "table", "chain", "type ", "}", "flush", "include", "define", "set ", "map ", "elements", "policy", "*",
        ":",
    ];
    !line.is_empty() && line != "COMMIT" && !line.ends_with('{') && !OTHER.iter().any(|other| line.starts_with(other))
}

/// Whether a line of a script makes something.
fn is_command(line: &str) -> bool {
    let makes = [" add ", " set ", "-A ", "-I ", "echo 1 >"].iter().any(|word| line.contains(word));
    makes
        && ["ip ", "iptables ", "ip6tables ", "echo ", "sysctl ", "bridge "].iter().any(|first| line.starts_with(first))
}
