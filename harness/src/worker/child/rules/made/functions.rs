//! The functions of a script that pass on what they are called with: `ipt() { iptables -w "$@"; }`.
//!
//! What such a function runs is what its calls say, so each call stands for the commands of the body.

use std::collections::{BTreeMap, BTreeSet};

use super::programs::STAYS;
use super::shell::{Command, Input, Part, Word};
use super::text::Text;
use super::values::{assignment, literal};

/// How far functions are followed that call others, and how many words they are given.
const DEEPEST: usize = 3;
const MOST: usize = 50_000;

/// A function's body.
type Body = Vec<Command>;

/// The commands of a script, with those that pass on their arguments in place of the calls; without that where it would be
/// too much.
pub(super) fn inlined(commands: &[Command]) -> Vec<Command> {
    let (functions, others) = split(commands);
    if functions.is_empty() {
        return others;
    }
    let all = || others.iter().chain(functions.values().flatten());
    let calls = all().filter_map(|command| call(command, &functions));
    let called: BTreeSet<&String> = calls.map(|(name, _)| name).collect();
    let mut found = others.clone();
    for (name, body) in &functions {
        let is_called = called.contains(name);
        found.extend(body.iter().filter(|command| !(is_called && passes_on(command))).cloned());
    }
    for _ in 0..DEEPEST {
        let (mut next, mut words) = (Vec::with_capacity(found.len()), 0);
        for command in &found {
            match call(command, &functions).and_then(|(name, words)| Some((functions.get(name)?, words))) {
                Some((body, given)) if body.iter().any(passes_on) => next.extend(run(body, command, given, &mut words)),
                _ => next.push(command.clone()),
            }
            if words > MOST {
                return all().cloned().collect();
            }
        }
        found = next;
    }
    found
}

/// The functions, by their names, and all other commands.
fn split(commands: &[Command]) -> (BTreeMap<String, Body>, Vec<Command>) {
    let (mut functions, mut others) = (BTreeMap::<String, Body>::new(), Vec::new());
    let is_end = |command: &Command| command.words.first().and_then(literal) == Some("}");
    // Behind the last end no body has one.
    let last = commands.iter().rposition(is_end).unwrap_or(0);
    let mut rest = commands;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let words: Vec<Option<&str>> = first.words.iter().take(3).map(literal).collect();
        let (name, begun) = match *words {
            [Some("function"), Some(name), Some("{"), ..] => (name, Some(without(first, 3))),
            [Some("function"), Some(name)] | [Some(name)] if first.defines => (name, None),
            _ => {
                others.push(first.clone());
                continue;
            }
        };
        let Some(end) = Some(behind)
            .filter(|_| commands.len() - rest.len() <= last)
            .and_then(|behind| behind.iter().position(is_end))
        else {
            others.push(first.clone());
            continue;
        };
        let inner = behind[..end].iter().map(|command| {
            let opens = command.words.first().and_then(literal) == Some("{");
            without(command, usize::from(opens))
        });
        // One that is there twice has both bodies.
        functions.entry(name.to_owned()).or_default().extend(begun.into_iter().chain(inner));
        rest = &behind[end..];
    }
    (functions, others)
}

fn without(command: &Command, words: usize) -> Command {
    Command { words: command.words.iter().skip(words).cloned().collect(), ..command.clone() }
}

/// The function that a command calls, and its arguments.
fn call<'c, 'f>(command: &'c Command, functions: &'f BTreeMap<String, Body>) -> Option<(&'f String, &'c [Word])> {
    let at = command.words.iter().position(|word| literal(word).is_none_or(|word| !STAYS.contains(&word)))?;
    let (name, _) = functions.get_key_value(literal(&command.words[at])?)?;
    Some((name, &command.words[at + 1..]))
}

fn passes_on(command: &Command) -> bool {
    command.words.iter().flat_map(|word| &word.parts).any(|part| matches!(part, Part::Arguments { .. }))
}

/// What a call runs; counts the words that it gives.
fn run(body: &Body, call: &Command, arguments: &[Word], given: &mut usize) -> Vec<Command> {
    let line = call.words.first().map_or(1, |word| word.line);
    let (mut shifted, mut named) = (0, BTreeMap::<String, usize>::new());
    let mut commands = Vec::new();
    for command in body {
        let words: Vec<Option<&str>> = command.words.iter().map(literal).collect();
        if let [Some("shift"), count @ ..] = &*words {
            shifted += count.first().copied().flatten().and_then(|count| count.parse::<usize>().ok()).unwrap_or(1);
        }
        for (name, value) in command.words.iter().filter_map(assignment) {
            let parts: Vec<Part> =
                value.into_iter().flat_map(|value| value.parts).filter(|part| !is_empty(part)).collect();
            if let [Part::Argument { number, .. }] = &*parts {
                named.insert(name, number.saturating_add(shifted));
            }
        }
        if !passes_on(command) {
            continue;
        }
        let frame = Frame { arguments, shifted, named: &named, line };
        let input = match &command.input {
            Some(Input::File(word)) => Some(Input::File(frame.one(word))),
            Some(Input::Text(word)) => Some(Input::Text(frame.one(word))),
            None => call.input.clone(),
        };
        let words: Vec<Word> = command.words.iter().flat_map(|word| frame.words(word)).take(MOST).collect();
        let parts: usize = words.iter().map(|word| word.parts.len()).sum();
        *given = given.saturating_add(1 + words.len() + parts);
        if *given > MOST {
            break;
        }
        commands.push(Command { words, input, output: None, piped: call.piped || command.piped, defines: false });
    }
    commands
}

/// What the words of a body stand for in a call.
struct Frame<'a> {
    arguments: &'a [Word],
    shifted: usize,
    /// Variables that have an argument, by its number before anything was shifted.
    named: &'a BTreeMap<String, usize>,
    line: u32,
}

impl Frame<'_> {
    fn words(&self, word: &Word) -> Vec<Word> {
        let parts: Vec<&Part> = word.parts.iter().filter(|part| !is_empty(part)).collect();
        match &*parts {
            [Part::Arguments { from }] => self.from(*from).to_vec(),
            _ => vec![self.one(word)],
        }
    }

    fn from(&self, number: usize) -> &[Word] {
        self.arguments.get(self.shifted.saturating_add(number.saturating_sub(1))..).unwrap_or_default()
    }

    fn one(&self, word: &Word) -> Word {
        let mut parts = Vec::new();
        for part in &word.parts {
            match part {
                Part::Text { text, quoted } => {
                    parts.push(Part::Text { text: Text::at(self.line, &text.text), quoted: *quoted });
                }
                Part::Argument { number, .. } => {
                    parts.extend(self.from(*number).first().into_iter().flat_map(|word| word.parts.clone()));
                }
                Part::Arguments { from } => {
                    for word in self.from(*from) {
                        parts.extend(word.parts.iter().cloned());
                        parts.push(Part::Text { text: Text::at(self.line, " "), quoted: true });
                    }
                }
                Part::Variable { name, .. } if self.named.contains_key(name) => {
                    let at = self.named.get(name).and_then(|number| number.checked_sub(1));
                    parts.extend(
                        at.and_then(|at| self.arguments.get(at)).into_iter().flat_map(|word| word.parts.clone()),
                    );
                }
                Part::Variable { .. } | Part::Unknown { .. } | Part::Folder => parts.push(part.clone()),
            }
        }
        Word { parts, line: self.line }
    }
}

fn is_empty(part: &Part) -> bool {
    matches!(part, Part::Text { text, .. } if text.text.is_empty())
}
