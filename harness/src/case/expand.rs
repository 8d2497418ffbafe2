//! Replaces `${name}` in every text of a file, so that whatever is made of it later leads back to where it is written.

use toml::de::{DeArray, DeTable, DeValue};

use super::decode::Value;
use super::parameters::{Meaning, Parameters};
use super::template::{Kind, Token, is_name, is_template, tokens};
use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::source::{Piece, Source, Span};

/// The keys of an expectation, and those of `run`, under which names of captured values may stand.
const OPEN: &[&str] = &["to", "url"];
const OPEN_IN_RUN: &[&str] = &["command", "env", "stdin"];

/// One file on its way from what is written to what is meant.
pub(super) struct Expander<'a> {
    /// The whole case, to which the made texts are added.
    pub(super) source: &'a mut Source,
    /// Its parameters.
    pub(super) parameters: &'a mut Parameters,
    /// Where mistakes go.
    pub(super) out: &'a mut Diagnostics,
    /// The text of this file.
    pub(super) text: &'a str,
    /// From a place in this file to its place among the texts of the case.
    pub(super) place: fn(Span) -> Span,
}

/// Where in the file a value stands.
#[derive(Clone, Copy, Default)]
struct Way {
    step: bool,
    expectation: bool,
    run: bool,
    env: bool,
    open: bool,
}

impl Way {
    fn below(self, key: &str) -> Self {
        let step = self.step || key == "steps";
        let expectation = self.expectation || step && key == "expect";
        let (run, env) = (step && key == "run", self.run && key == "env");
        let open = expectation && OPEN.contains(&key) || self.run && OPEN_IN_RUN.contains(&key) || self.env;
        Self { step, expectation, run, env, open }
    }
}

impl Expander<'_> {
    /// The table of a file with every text replaced, but for those that declare parameters.
    pub(super) fn file<'v>(&mut self, table: DeTable<'v>) -> DeTable<'v> {
        self.table(table, Way::default(), &["params", "matrix"])
    }

    fn table<'v>(&mut self, table: DeTable<'v>, way: Way, literal: &[&str]) -> DeTable<'v> {
        let mut expanded = DeTable::new();
        for (key, value) in table {
            let mut span = (self.place)(key.span().into());
            if is_template(key.get_ref()) {
                self.refuse_key(key.get_ref(), span);
                span = Span::BROKEN;
            }
            let value =
                if literal.contains(&&**key.get_ref()) { value } else { self.value(value, way.below(key.get_ref())) };
            expanded.insert(toml::Spanned::new(span.range(), key.into_inner()), value);
        }
        expanded
    }

    fn refuse_key(&mut self, key: &str, span: Span) {
        self.out.push(
            Diagnostic::error(span, "a parameter has no place in a key")
                .label("`${...}` is replaced in values only: write the name out"),
        );
        for token in tokens(key) {
            if let Kind::Name(name) = token.kind {
                // It is used, though in the wrong place.
                self.parameters.meaning(&name);
            }
        }
    }

    fn value<'v>(&mut self, value: Value<'v>, way: Way) -> Value<'v> {
        let local: Span = value.span().into();
        let span = (self.place)(local);
        let inner = match value.into_inner() {
            DeValue::String(text) if is_template(&text) => return self.expand(&text, local, span, way),
            DeValue::Array(items) => {
                DeValue::Array(items.into_iter().map(|item| self.value(item, way)).collect::<DeArray<'v>>())
            }
            DeValue::Table(table) => DeValue::Table(self.table(table, way, &[])),
            plain => plain,
        };
        toml::Spanned::new(span.range(), inner)
    }

    /// A text with its names replaced, or a value that is broken.
    fn expand<'v>(&mut self, text: &str, local: Span, span: Span, way: Way) -> Value<'v> {
        let parts = tokens(text);
        let places = places(text, &parts, self.text.get(local.range()).unwrap_or_default(), local);
        let (mut made, mut pieces, mut sound, mut open) = (String::new(), Vec::new(), true, false);
        // What is not replaced in an open text is replaced later, escapes included.
        let later =
            way.open && parts.iter().any(|part| matches!(&part.kind, Kind::Name(name) if self.is_captured(name)));
        for (part, place) in parts.iter().zip(places) {
            let place = (self.place)(place);
            let written = &text[part.range.clone()];
            let (replaced, note) = match &part.kind {
                Kind::Plain => (written.to_owned(), None),
                Kind::Escape if later => (written.to_owned(), None),
                Kind::Escape => ("${".to_owned(), None),
                Kind::Unclosed => {
                    sound = false;
                    let wrong = Diagnostic::error(place, "this `${` is not closed").label("no `}` behind it");
                    self.out.push(wrong.help("for the text itself write `$${`"));
                    continue;
                }
                Kind::Name(name) => match self.parameters.meaning(name) {
                    Meaning::Value(value, note) if later => (value.replace("${", "$${"), Some(note)),
                    Meaning::Value(value, note) => (value, Some(note)),
                    Meaning::Captured if way.open => {
                        open = true;
                        (written.to_owned(), None)
                    }
                    meaning => {
                        sound = false;
                        self.complain(name, &meaning, place);
                        continue;
                    }
                },
            };
            pieces.push(Piece { length: replaced.len(), written: place, note });
            made.push_str(&replaced);
        }
        let made_span = if sound { self.add(span, pieces, open) } else { None };
        match made_span {
            Some(span) => toml::Spanned::new(span.range(), DeValue::String(made.into())),
            None => broken(),
        }
    }

    fn is_captured(&mut self, name: &str) -> bool {
        matches!(self.parameters.meaning(name), Meaning::Captured)
    }

    fn add(&mut self, span: Span, pieces: Vec<Piece>, open: bool) -> Option<Span> {
        let made = self.source.add_made(span, pieces, open);
        if made.is_none() {
            self.out.push(
                Diagnostic::error(span, "parameters make this case larger than 16 MiB")
                    .label("all texts with `${...}` together, up to here"),
            );
        }
        made
    }

    fn complain(&mut self, name: &str, meaning: &Meaning, place: Span) {
        let escape = format!("for the text itself write `$${{{name}}}`");
        let wrong = match meaning {
            // The reason was told where the parameter is declared.
            Meaning::Broken | Meaning::Value(..) => return,
            Meaning::Captured => Diagnostic::error(place, format!("`{name}` is known only while the case runs")).label(
                "it may stand in `to` and `url` of a step's expectation, and in `command`, `env` and `stdin` of `run`",
            ),
            Meaning::Unknown if name.is_empty() => Diagnostic::error(place, "`${}` names nothing")
                .label("the name of a parameter stands between the braces"),
            Meaning::Unknown if !is_name(name) => {
                Diagnostic::error(place, format!("`{name}` is not the name of a parameter"))
                    .label("nothing is computed here: a name has letters, digits, `-` and `_`")
                    .help(escape)
            }
            Meaning::Unknown => {
                let mut names: Vec<&str> = Vec::new();
                for name in self.parameters.names() {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                let label = if names.is_empty() {
                    format!("`[params]` declares it: `{name} = \"its default\"`")
                } else {
                    suggest(name, names)
                };
                Diagnostic::error(place, format!("unknown parameter `{name}`")).label(label).help(escape)
            }
        };
        self.out.push(wrong);
    }
}

/// A value that nothing can be made of. It has a type that no key takes, and a place of which nothing is said.
fn broken<'v>() -> Value<'v> {
    let date = DeValue::parse("1979-05-27").expect("this is a date of TOML");
    toml::Spanned::new(Span::BROKEN.range(), date.into_inner())
}

/// Where the parts of a text are written. In a text with escapes of TOML, what cannot be told apart is given whole.
fn places(text: &str, parts: &[Token], written: &str, local: Span) -> Vec<Span> {
    let marks = |parts: &[Token]| -> Vec<Kind> {
        parts.iter().filter(|part| part.kind != Kind::Plain).map(|part| part.kind.clone()).collect()
    };
    let raw = tokens(written);
    if marks(&raw) != marks(parts) {
        return vec![local; parts.len()];
    }
    let start = local.start as usize;
    let at = |range: std::ops::Range<usize>| Span::new(start + range.start, start + range.end);
    let mut marks = raw.iter().filter(|part| part.kind != Kind::Plain).map(|part| part.range.clone());
    let (mut before, mut next) = (0, marks.next());
    let mut places = Vec::new();
    for part in parts {
        let here = next.clone().unwrap_or(written.len()..written.len());
        if part.kind != Kind::Plain {
            before = here.end;
            next = marks.next();
            places.push(at(here));
            continue;
        }
        let plain = &text[part.range.clone()];
        let between = before..here.start;
        let around = &written[between.clone()];
        // The first and the last part have a quote beside them.
        places.push(if before > 0 && around.starts_with(plain) {
            at(before..before + plain.len())
        } else if before == 0 && around.ends_with(plain) {
            at(here.start - plain.len()..here.start)
        } else {
            at(between)
        });
    }
    places
}

/// The file's own places.
pub(super) fn own(span: Span) -> Span {
    span
}

/// The places of the lab file.
pub(super) fn of_lab(span: Span) -> Span {
    span.in_lab()
}
