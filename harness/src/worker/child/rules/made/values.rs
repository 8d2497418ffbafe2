//! What the variables of a script may be, and its commands with that in them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::shell::{Command, Input, Part, Script, Word};
use super::text::{MANY, Text, WILD, is_open};

/// How many values of a variable, and how many forms of a command, are looked at: what has more may be anything.
const MOST: usize = 32;
/// How far values are followed that have variables in them.
const DEEPEST: usize = 4;

/// The variables of a script, each with what it may be; `None` for what only a run knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    known: BTreeMap<String, Option<Vec<String>>>,
    /// Those of whoever runs the script.
    outer: Option<Rc<Values>>,
    /// The folder of the script.
    folder: Option<String>,
}

/// What a script gives to its variables, anywhere in it.
type Given = BTreeMap<String, Option<Vec<Value>>>;

/// A value as it is written.
enum Value {
    Text(Word),
    /// It becomes a list.
    Listed(Word),
}

/// A command as it may be run: words without quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) words: Vec<Text>,
    pub(super) input: Option<Read>,
    pub(super) output: Option<Text>,
}

/// What a command reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    File(Text),
    Text(Text),
}

impl Values {
    /// What a script gives to its variables: which of several values is there at a command is not known.
    pub(super) fn of(script: &Script, folder: Option<String>, outer: Option<Rc<Values>>) -> Self {
        let mut given = Given::new();
        script.commands.iter().for_each(|command| add(&mut given, command));
        given.extend(script.counted.iter().map(|name| (name.clone(), None)));
        let mut values = Self { known: BTreeMap::new(), outer, folder };
        for _ in 0..DEEPEST {
            values.known = given.iter().map(|(name, words)| (name.clone(), values.all(words.as_deref()))).collect();
        }
        values
    }

    /// All that a variable may be, by what is known of the others so far.
    fn all(&self, words: Option<&[Value]>) -> Option<Vec<String>> {
        let mut found = BTreeSet::new();
        for value in words.filter(|words| words.len() <= MOST)? {
            let (Value::Text(word) | Value::Listed(word)) = value;
            for choice in self.choices(&names([word])) {
                match value {
                    Value::Text(_) => drop(found.insert(self.text(word, &choice).text)),
                    Value::Listed(_) => {
                        found.extend(self.words(word, &choice).into_iter().map(|text| of_list(word, text.text)));
                    }
                }
            }
            if found.len() > MOST {
                return None;
            }
        }
        Some(found.into_iter().collect())
    }

    fn values(&self, name: &str) -> Option<&[String]> {
        let mut place = self;
        loop {
            match place.known.get(name) {
                Some(found) => return found.as_deref(),
                None => place = place.outer.as_deref()?,
            }
        }
    }

    /// Every way of choosing a value for each of some variables.
    fn choices<'n>(&self, names: &BTreeSet<&'n str>) -> Vec<BTreeMap<&'n str, String>> {
        let mut choices = vec![BTreeMap::new()];
        for name in names {
            let Some(values) = self.values(name).filter(|values| !values.is_empty()) else { continue };
            if choices.len() * values.len() > MOST {
                // What is not chosen may be anything.
                continue;
            }
            let with = |choice: &BTreeMap<&'n str, String>, value: &String| {
                let mut choice = choice.clone();
                choice.insert(name, value.clone());
                choice
            };
            choices = choices.iter().flat_map(|choice| values.iter().map(|value| with(choice, value))).collect();
        }
        choices
    }

    fn text(&self, word: &Word, choice: &BTreeMap<&str, String>) -> Text {
        let mut whole = Text::default();
        for (line, piece) in self.pieces(word, choice) {
            match piece {
                Piece::Written(text) => whole.append(text),
                Piece::Value(text, _) => whole.push_str(&text, line),
            }
        }
        whole
    }

    fn pieces<'w>(&self, word: &'w Word, choice: &BTreeMap<&str, String>) -> Vec<(u32, Piece<'w>)> {
        let is_empty = |part: &Part| matches!(part, Part::Text { text, .. } if text.text.is_empty());
        let single = word.parts.iter().filter(|part| !is_empty(part)).count() == 1;
        let unknown = |quoted: bool| if single && !quoted { MANY } else { WILD }.to_string();
        let mut line = word.line;
        let pieces = word.parts.iter().map(|part| {
            let piece = match part {
                Part::Text { text, .. } => {
                    line = text.text.len().checked_sub(1).map_or(line, |last| text.line_at(last));
                    Piece::Written(text)
                }
                Part::Variable { name, quoted } => {
                    let value = choice.get(name.as_str()).filter(|value| !(value.chars().eq([WILD])));
                    Piece::Value(value.cloned().unwrap_or_else(|| unknown(*quoted)), *quoted)
                }
                Part::Unknown { quoted } | Part::Argument { quoted, .. } => Piece::Value(unknown(*quoted), *quoted),
                Part::Arguments { .. } => Piece::Value(unknown(false), false),
                Part::Folder => Piece::Value(self.folder.clone().unwrap_or_else(|| WILD.to_string()), true),
            };
            (line, piece)
        });
        pieces.collect()
    }

    /// A command with every choice of its variables.
    pub(super) fn forms(&self, command: &Command) -> Vec<Form> {
        let input = command.input.as_ref().map(|input| match input {
            Input::File(word) | Input::Text(word) => word,
        });
        let names = names(command.words.iter().chain(input).chain(&command.output));
        let forms = self.choices(&names).into_iter().map(|choice| Form {
            words: command.words.iter().flat_map(|word| self.words(word, &choice)).collect(),
            input: command.input.as_ref().map(|input| match input {
                Input::File(word) => Read::File(self.text(word, &choice)),
                Input::Text(word) => Read::Text(self.text(word, &choice)),
            }),
            output: command.output.as_ref().map(|word| self.text(word, &choice)),
        });
        forms.collect()
    }

    /// The words that a word becomes: outside of quotes a value may be several, or none.
    fn words(&self, word: &Word, choice: &BTreeMap<&str, String>) -> Vec<Text> {
        let (mut words, mut current) = (Vec::new(), None::<Text>);
        for (line, piece) in self.pieces(word, choice) {
            match piece {
                Piece::Written(text) => current.get_or_insert_default().append(text),
                Piece::Value(text, true) => current.get_or_insert_default().push_str(&text, line),
                Piece::Value(text, false) => {
                    for c in text.chars() {
                        if c.is_whitespace() {
                            words.extend(current.take());
                        } else {
                            current.get_or_insert_default().push(c, line);
                        }
                    }
                }
            }
        }
        words.extend(current);
        words
    }
}

enum Piece<'w> {
    Written(&'w Text),
    Value(String, bool),
}

/// The variables of words.
fn names<'w>(words: impl IntoIterator<Item = &'w Word>) -> BTreeSet<&'w str> {
    let parts = words.into_iter().flat_map(|word| &word.parts);
    let names = parts.filter_map(|part| match part {
        Part::Variable { name, .. } => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

/// A word of a list: braces and patterns become other words.
fn of_list(word: &Word, text: String) -> String {
    let bare = word.parts.iter().any(|part| matches!(part, Part::Text { quoted: false, .. }));
    let becomes_others = is_open(&text) || (bare && text.contains(['{', '*', '?', '[']));
    if becomes_others { WILD.to_string() } else { text }
}

/// Adds what a command gives to variables.
fn add(given: &mut Given, command: &Command) {
    let mut words = command.words.iter();
    while let Some(word) = words.next() {
        match literal(word) {
            Some(
                "do" | "then" | "else" | "{" | "!" | "if" | "while" | "until" | "export" | "local" | "readonly"
                | "declare" | "typeset" | "env" | "command" | "sudo",
            ) => {}
            Some("for" | "select") => {
                let Some(name) = words.next().and_then(literal) else { return };
                let listed = words.next().and_then(literal) == Some("in");
                if listed {
                    words.for_each(|word| give(given, name, Value::Listed(word.clone())));
                } else {
                    given.insert(name.to_owned(), None);
                }
                return;
            }
            Some("read" | "getopts" | "unset" | "mapfile" | "readarray" | "let") => {
                given.extend(words.filter_map(literal_name).map(|name| (name.to_owned(), None)));
                return;
            }
            _ => match assignment(word) {
                Some((name, Some(value))) => give(given, &name, Value::Text(value)),
                Some((name, None)) => drop(given.insert(name, None)),
                None => return,
            },
        }
    }
}

fn give(given: &mut Given, name: &str, value: Value) {
    if let Some(values) = given.entry(name.to_owned()).or_insert_with(|| Some(Vec::new())) {
        values.push(value);
    }
}

/// A word without anything that is expanded in it, or quoted.
pub(super) fn literal(word: &Word) -> Option<&str> {
    match &*word.parts {
        [Part::Text { text, quoted: false }] => Some(&text.text),
        _ => None,
    }
}

fn literal_name(word: &Word) -> Option<&str> {
    let text = literal(word)?;
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    (!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(name)
}

/// The variable that a word gives a value, and that; `None` for a value that only a run knows.
pub(super) fn assignment(word: &Word) -> Option<(String, Option<Word>)> {
    let (Part::Text { text, quoted: false }, rest) = word.parts.split_first()? else { return None };
    let (name, begin) = text.text.split_once('=')?;
    let (name, adds) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let first = Part::Text { text: Text::at(word.line, begin), quoted: true };
    let value = Word { parts: std::iter::once(first).chain(rest.iter().cloned()).collect(), line: word.line };
    Some((name.to_owned(), (!adds).then_some(value)))
}
