//! Values that a case is written with: `[params]`, `[matrix]`, and what is given from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::{DeTable, DeValue};

use super::decode::{Decode, Value, mismatch};
use super::matrix;
use super::shape::Map;
use super::template::{Kind, is_name, tokens};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Source, Span, Spanned};

/// What a case is given from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The folder of the case file, which the paths in it are relative to.
    pub folder: PathBuf,
    /// Values that go before the defaults of the file, by name; of several for one name the last counts.
    pub set: Arc<[(String, String)]>,
    /// The combination of the matrix; empty for the first one.
    pub combination: Vec<(String, String)>,
}

impl Given {
    /// The value of a name.
    pub(super) fn value(set: &[(String, String)], name: &str) -> Option<String> {
        set.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// The value of a parameter: a text, a whole number, `true` or `false`. All of them are kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter(pub String);

impl JsonSchema for Parameter {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"], "description": "the value of a parameter" })
    }
}

impl Decode for Spanned<Parameter> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let span = value.span().into();
        let text = match value.get_ref() {
            DeValue::String(text) => plain(text, span, out)?,
            DeValue::Integer(number) => number.as_str().replace('_', ""),
            DeValue::Boolean(flag) => flag.to_string(),
            _ => {
                out.push(mismatch(value, "a string, a whole number, `true` or `false`"));
                return None;
            }
        };
        Some(Self::new(Parameter(text), span))
    }
}

/// The text of a value, in which no other parameter may stand.
fn plain(text: &str, span: Span, out: &mut Diagnostics) -> Option<String> {
    let mut plain = String::new();
    for token in tokens(text) {
        match token.kind {
            Kind::Plain => plain.push_str(&text[token.range]),
            Kind::Escape => plain.push_str("${"),
            Kind::Name(_) | Kind::Unclosed => {
                let wrong = Diagnostic::error(span, "a parameter is not made of others");
                out.push(wrong.label(format!("for the text `{0}` write `${0}`", &text[token.range])));
                return None;
            }
        }
    }
    Some(plain)
}

/// The parameters of a case, each with its value.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    known: BTreeMap<String, Known>,
    /// The names that the case gives to values which it finds only while it runs.
    captured: BTreeMap<String, Span>,
}

#[derive(Debug)]
struct Known {
    /// `None` for one whose value is wrong.
    value: Option<String>,
    note: Arc<str>,
    declared: Span,
    used: bool,
}

/// What a name stands for.
pub(super) enum Meaning {
    /// A value, and what is to be known of it.
    Value(String, Arc<str>),
    /// A value that is captured while the case runs.
    Captured,
    /// Something that was complained about.
    Broken,
    /// Nothing.
    Unknown,
}

impl Parameters {
    /// Reads the parameters of a file, without what uses them.
    pub(super) fn read(table: &DeTable<'_>, source: &Source, given: &Given, out: &mut Diagnostics) -> Self {
        let mut parameters = Self { captured: captured(table), ..Self::default() };
        let params = table.get("params").and_then(|value| <Map<Spanned<Parameter>>>::decode(value, out));
        for (name, default) in params.unwrap_or_default().entries {
            check_name(&name, out);
            let value = match Given::value(&given.set, &name) {
                Some(value) => Some((value, "set by `--set`".to_owned())),
                None => default.map(|default| (default.value.0, format!("from {}", source.file_line(default.span)))),
            };
            parameters.add(name, value);
        }
        if let Some(axes) = table.get("matrix").and_then(|written| matrix::Axes::read(written, &given.set, out)) {
            parameters.read_matrix(axes, source, given, out);
        }
        for (name, place) in &parameters.captured {
            if let Some(known) = parameters.known.get(name) {
                let twice = Diagnostic::error(*place, format!("`{name}` is a parameter already"));
                out.push(twice.label("captured under the same name").related(known.declared, "declared here"));
            }
        }
        parameters
    }

    fn read_matrix(&mut self, axes: matrix::Axes, source: &Source, given: &Given, out: &mut Diagnostics) {
        let first = axes.combinations().into_iter().next();
        let chosen = if given.combination.is_empty() { first.unwrap_or_default() } else { given.combination.clone() };
        for (name, values) in axes.written {
            check_name(&name, out);
            if let Some(known) = self.known.get(&name.value) {
                let twice = Diagnostic::error(name.span, format!("`{}` is a parameter already", *name));
                out.push(twice.label("in `[matrix]` again").related(known.declared, "in `[params]` first"));
                continue;
            }
            let origin = match Given::value(&given.set, &name) {
                Some(_) => "set by `--set`".to_owned(),
                None => format!("from {}", source.file_line(values)),
            };
            let value = Given::value(&chosen, &name).map(|value| (value, origin));
            self.add(name, value);
        }
    }

    fn add(&mut self, name: Spanned<String>, value: Option<(String, String)>) {
        let (value, note) = match value {
            Some((value, origin)) => {
                let note = format!("`${{{}}}` is {}, {origin}", *name, shown(&value));
                (Some(value), note.into())
            }
            None => (None, "".into()),
        };
        self.known.insert(name.value, Known { value, note, declared: name.span, used: false });
    }

    /// What a name stands for; it counts as used from now on.
    pub(super) fn meaning(&mut self, name: &str) -> Meaning {
        match self.known.get_mut(name) {
            Some(known) => {
                known.used = true;
                let value = known.value.as_ref();
                value.map_or(Meaning::Broken, |value| Meaning::Value(value.clone(), Arc::clone(&known.note)))
            }
            None if self.captured.contains_key(name) => Meaning::Captured,
            None => Meaning::Unknown,
        }
    }

    /// Every name that means something.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().chain(self.captured.keys()).map(String::as_str)
    }

    /// Warns of the parameters that nothing uses.
    pub(super) fn warn_of_unused(&self, out: &mut Diagnostics) {
        for (name, known) in self.known.iter().filter(|(name, known)| !known.used && is_name(name)) {
            let unused = Diagnostic::warning(known.declared, format!("the parameter `{name}` is not used"));
            out.push(unused.label(format!("no text has `${{{name}}}` in it")));
        }
    }
}

fn shown(value: &str) -> String {
    const MOST: usize = 60;
    match value.char_indices().nth(MOST) {
        Some((at, _)) => format!("{:?}...", &value[..at]),
        None => format!("{value:?}"),
    }
}

fn check_name(name: &Spanned<String>, out: &mut Diagnostics) {
    if !is_name(name) {
        out.push(
            Diagnostic::error(name.span, format!("`{}` cannot be the name of a parameter", **name))
                .label("letters, digits, `-` and `_`, with a letter first"),
        );
    }
}

/// The names below `capture` in the actions and checks of all steps, and where each stands first.
fn captured(table: &DeTable<'_>) -> BTreeMap<String, Span> {
    fn collect(value: &Value<'_>, names: &mut BTreeMap<String, Span>) {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().for_each(|item| collect(item, names)),
            DeValue::Table(table) => {
                for (key, value) in table {
                    match (&**key.get_ref(), value.get_ref()) {
                        ("capture", DeValue::Table(captures)) => {
                            for name in captures.keys() {
                                names.entry(name.get_ref().to_string()).or_insert_with(|| name.span().into());
                            }
                        }
                        _ => collect(value, names),
                    }
                }
            }
            _ => {}
        }
    }
    let mut names = BTreeMap::new();
    table.get("steps").into_iter().for_each(|steps| collect(steps, &mut names));
    names
}
