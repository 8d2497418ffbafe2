//! The lab file of a case: nodes and networks that several cases have in common.

use std::fs;
use std::path::Path;

use toml::de::DeValue;

use super::decode::{Decode, Value};
use super::expand::{self, Expander};
use super::parameters::{Given, Parameters};
use super::shape::Map;
use super::topology::{Network, Node};
use super::{Case, file, syntax};
use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::source::{Source, Span, Spanned};

/// How the name of a lab file ends.
pub const LAB_ENDING: &str = ".lab.toml";

/// The keys of a lab file.
const KEYS: [&str; 2] = ["nodes", "networks"];

/// What a lab file declares.
pub(super) struct Lab {
    nodes: Option<Map<Node>>,
    networks: Option<Map<Network>>,
}

/// Reads the lab file that a case names; nothing where it cannot be read.
pub(super) fn read(
    topology: &Spanned<String>,
    source: &mut Source,
    given: &Given,
    parameters: &mut Parameters,
    out: &mut Diagnostics,
) -> Option<Lab> {
    if !topology.ends_with(LAB_ENDING) {
        out.push(
            Diagnostic::error(topology.span, format!("`{}` is not a lab file", **topology))
                .label(format!("its name ends in `{LAB_ENDING}`, so that it is not taken for a case")),
        );
        return None;
    }
    let path = given.folder.join(&**topology);
    let shown = Path::new(&source.path).with_file_name("").join(&**topology).to_string_lossy().into_owned();
    let lab = match file::read(&path, &shown) {
        Ok(lab) => lab,
        Err(unreadable) => {
            let wrong = Diagnostic::error(topology.span, unreadable.diagnostic.message);
            out.push(match beside(&path) {
                labs if path.exists() || labs.is_empty() => wrong.label("relative to the folder of this file"),
                labs => wrong.label(suggest(&name_of(&path), labs.iter().map(String::as_str))),
            });
            return None;
        }
    };
    source.set_lab(shown, lab.text.clone());
    let mut said = Diagnostics::default();
    let tree = syntax::parse(&lab, &mut said);
    let placed = said.into_sorted(&lab).into_iter().map(|mut diagnostic| {
        diagnostic.span = diagnostic.span.in_lab();
        if lab.text.trim().is_empty() {
            diagnostic.helps = vec!["a lab file declares nodes and networks: `[nodes.a]`".to_owned()];
        }
        diagnostic.related.iter_mut().for_each(|(span, _)| *span = span.in_lab());
        diagnostic
    });
    out.extend(placed);
    let DeValue::Table(table) = tree?.into_inner() else { return None };
    let table = Expander { source, parameters, out, text: &lab.text, place: expand::of_lab }.file(table);
    let mut found = Lab { nodes: None, networks: None };
    for (key, value) in &table {
        match &**key.get_ref() {
            "nodes" => found.nodes = Map::decode(value, out),
            "networks" => found.networks = Map::decode(value, out),
            other => out.push(foreign(other, key.span().into(), value)),
        }
    }
    Some(found)
}

/// What is said of a key that a lab file does not have.
fn foreign(key: &str, span: Span, value: &Value<'_>) -> Diagnostic {
    let wrong = Diagnostic::error(span, format!("a lab file has no `{key}`"));
    match key {
        "topology" => {
            wrong.label("a lab does not build on another").help("write all of its nodes and networks into this file")
        }
        "params" | "matrix" => wrong
            .label("parameters are declared by the case, and are replaced here too")
            .help(format!("move `[{key}]` to the case")),
        _ if Case::KEYS.contains(&key) => {
            wrong.label("only nodes and networks").help("what must hold, and how long it may take, stands in the case")
        }
        _ => match suggest(key, KEYS) {
            // A node whose table was forgotten.
            list if list.starts_with("one of") && matches!(value.get_ref(), DeValue::Table(_)) => {
                wrong.label(format!("did you mean `[nodes.{key}]`?"))
            }
            near => wrong.label(near),
        },
    }
}

/// Adds the lab to a case: the lab's nodes come first. A case may add nodes, never change one.
pub(super) fn join(case: &mut Case, lab: Lab, out: &mut Diagnostics) {
    case.nodes = joined("node", lab.nodes, case.nodes.take(), out);
    case.networks = joined("network", lab.networks, case.networks.take(), out);
}

fn joined<T>(noun: &str, lab: Option<Map<T>>, own: Option<Map<T>>, out: &mut Diagnostics) -> Option<Map<T>> {
    let (mut lab, own) = match (lab, own) {
        (Some(lab), Some(own)) => (lab, own),
        (one, other) => return one.or(other),
    };
    let declared = lab.entries.len();
    for (name, value) in own.entries {
        match lab.entries[..declared].iter().find(|(known, _)| *known == name) {
            Some((known, _)) => out.push(
                Diagnostic::error(name.span, format!("`{}` is a {noun} of the lab already", *name))
                    .label(format!("a case may add a {noun}, and never change one of its lab"))
                    .related(known.span, "declared here"),
            ),
            None => lab.entries.push((name, value)),
        }
    }
    Some(lab)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The lab files of a folder in which one is looked for.
fn beside(path: &Path) -> Vec<String> {
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let names = entries.into_iter().flatten().flatten().map(|entry| name_of(&entry.path()));
    let mut labs: Vec<String> = names.filter(|name| name.ends_with(LAB_ENDING)).collect();
    labs.sort();
    labs
}
