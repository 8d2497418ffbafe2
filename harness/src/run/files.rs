//! The files that a case brings: whether they are there, and what is in them.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::case::program::Input;
use crate::case::rules::{Rules, is_inline};
use crate::case::{Case, LARGEST_FILE};
use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::plan::{Input as Read, Loader, Need, Plan, RulesText};
use crate::source::{Source, Spanned};

/// Looks for the files that a case in this folder names; what is wrong with them goes to `out`.
pub fn check_files(case: &Case, folder: &Path, out: &mut Diagnostics) {
    let nodes = case.nodes.iter().flat_map(|nodes| &nodes.entries).filter_map(|(_, node)| node.as_ref());
    let steps = case.steps.iter().flat_map(|steps| &steps.items);
    let actions = steps.clone().flat_map(|step| &step.r#do).flat_map(|list| &list.items);
    let later = actions.clone().filter_map(|action| action.rules.as_ref()).flat_map(|rules| &rules.load.items);
    let rules = nodes.clone().flat_map(|node| &node.rules).flat_map(|rules| &rules.items).chain(later);
    for path in rules.flat_map(Rules::texts).filter(|text| !text.trim().is_empty() && !is_inline(text)) {
        out.extend(check_file("file of rules", path, folder));
    }
    let checks = steps.flat_map(|step| &step.expect).chain(&case.expect).flat_map(|list| &list.items);
    let runs = actions.filter_map(|action| action.run.as_ref()).chain(checks.filter_map(|check| check.run.as_ref()));
    for stdin in runs.filter_map(|run| run.stdin.as_ref()) {
        if let Input::File(path) = &stdin.value {
            out.extend(check_file("file", path, folder));
        }
    }
    for node in nodes.clone() {
        let sources = node.files.iter().flat_map(|files| &files.entries).filter_map(|(_, source)| source.as_ref());
        for source in sources.filter(|source| !source.trim().is_empty()) {
            if !folder.join(&**source).exists() {
                out.extend(check_file("file", source, folder));
            }
        }
    }
    for script in nodes.flat_map(|node| &node.setup).flat_map(|setup| &setup.items) {
        if !script.trim().is_empty() {
            out.extend(check_script(script, folder));
        }
    }
}

fn check_script(path: &Spanned<String>, folder: &Path) -> Option<Diagnostic> {
    let wrong = check_file("script", path, folder);
    if wrong.is_some() {
        return wrong;
    }
    let place = folder.join(&**path);
    let mut start = Vec::new();
    // One that cannot be read is missed where it is used.
    let _ = fs::File::open(&place).and_then(|file| file.take(256).read_to_end(&mut start));
    let start = String::from_utf8_lossy(&start);
    if let Some(line) = start.split_once('\n').and_then(|(line, _)| line.strip_suffix('\r')) {
        return Some(
            Diagnostic::error(path.span, format!("the script `{}` has the line ends of Windows", **path))
                .label(format!("its first line is `{line}` with a carriage return behind it"))
                .help(format!("`sed -i 's/\\r$//' {}`", **path)),
        );
    }
    let mode = place.metadata().ok()?.permissions().mode();
    (mode & 0o111 == 0).then(|| {
        Diagnostic::error(path.span, format!("the script `{}` is not executable", **path))
            .label(format!("its mode is {:o}", mode & 0o7777))
            .help(format!("`chmod +x {}`, and a first line such as `#!/bin/bash`", **path))
    })
}

fn check_file(what: &str, path: &Spanned<String>, folder: &Path) -> Option<Diagnostic> {
    let place = folder.join(&**path);
    let wrong = |message: String| Diagnostic::error(path.span, message);
    match place.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Some(wrong(format!("`{}` is a folder", **path)).label(format!("a {what} is expected")))
        }
        Ok(metadata) if !metadata.is_file() => {
            Some(wrong(format!("`{}` is not a regular file", **path)).label(format!("a {what} is expected")))
        }
        Ok(metadata) if metadata.len() > LARGEST_FILE as u64 => {
            Some(wrong(format!("the {what} `{}` is larger than 1 MiB", **path)).label("it is not read"))
        }
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let beside = place.parent().and_then(|parent| fs::read_dir(parent).ok()).into_iter().flatten().flatten();
            let names: Vec<String> = beside.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            let near = suggest(&name, names.iter().map(String::as_str));
            let label = if near.starts_with("did you mean") {
                near
            } else {
                "it is looked for from this file's folder".to_owned()
            };
            Some(wrong(format!("there is no {what} `{}`", **path)).label(label))
        }
        Err(error) => Some(wrong(format!("cannot look at the {what} `{}`: {error}", **path)).label("named here")),
    }
}

/// Adds what is known once the files are read: who loads rules, where those in the case itself stand, and what all that
/// needs of the machine.
pub(super) fn complete(plan: &mut Plan, source: &Source, folder: &Path) {
    let mut needs = Vec::new();
    for rules in plan.all_rules_mut() {
        if let RulesText::Inline(text) = &rules.text {
            rules.inside = source.inside(rules.span, text);
        }
        if let (RulesText::File(path), Loader::Nft) = (&rules.text, rules.loader) {
            // One that was said to be for nft, and looks like one for iptables, is nft's to refuse.
            if !rules.told {
                rules.loader = fs::read(folder.join(path))
                    .map_or(rules.loader, |bytes| Loader::of(&String::from_utf8_lossy(&bytes)));
            }
        }
        needs.push(Need::Program(rules.loader.program().to_owned()));
    }
    for run in plan.runs_mut() {
        let texts = run.command.iter().map(ToString::to_string).chain(match &run.stdin {
            Read::Text(text) => Some(text.to_string()),
            Read::File(_) => None,
        });
        let texts: Vec<String> = texts.collect();
        let places = texts.iter().zip(&run.inside).map(|(text, span)| {
            let span = span.filter(|_| text.contains('\n'))?;
            source.inside(span, text)
        });
        run.inside = places.collect();
    }
    for need in needs {
        if !plan.needs.contains(&need) {
            plan.needs.push(need);
        }
    }
}
