//! The rules and policies that statements of nft(8) make.

use std::collections::HashMap;

use super::super::include::{Look, Text as File};
use super::super::nft;
use super::super::written::{ChainName, Line};
use super::text::{MANY, WILD, is_open};
use super::tokens;

/// A rule, or the policy of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) chain: ChainName,
    pub(super) says: Says,
    /// Which of the files that were read, the first of them being the text itself, and where it begins there.
    pub(super) file: usize,
    pub(super) start: usize,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Rule(Vec<String>),
    DropsAtItsEnd,
}

/// Reads statements; gives the files that they stand in, too.
pub(super) fn read(main: File, look: &dyn Look) -> (Vec<Statement>, Vec<File>) {
    let (written, files) = nft::read(main, look);
    let mut known = HashMap::new();
    for file in &files {
        define(&file.content, &mut known);
    }
    let text = |line: &Line| files.get(line.file).and_then(|file| file.content.get(line.range.clone()));
    let mut left = MOST;
    let rules = written.rules.iter().flat_map(|line| {
        let bodies = text(line).map(|text| bodies(line, text)).unwrap_or_default();
        let mut statement = |(chain, body): (ChainName, String)| Statement {
            chain,
            says: Says::Rule(tokens::of(&replaced(&body, &known, &mut left))),
            file: line.file,
            start: line.range.start,
        };
        bodies.into_iter().map(&mut statement).collect::<Vec<_>>()
    });
    let chains = written.chains.iter().filter(|line| line.decides).filter_map(|line| {
        let words: Vec<&str> = text(line)?.split_whitespace().collect();
        let drops = matches!(*words, ["policy", "drop" | "drop;", ..]);
        drops.then(|| Statement {
            chain: line.chain.clone(),
            says: Says::DropsAtItsEnd,
            file: line.file,
            start: line.range.start,
        })
    });
    let statements = rules.chain(chains).collect();
    (statements, files)
}

/// The chain of a rule, and what stands behind it: a rule that stands in a chain's own block has nothing before it. What
/// only a run knows may be one word, or more, so that there are several answers.
fn bodies(line: &Line, text: &str) -> Vec<(ChainName, String)> {
    let mut rest = text;
    let (verb, behind) = word(rest);
    if matches!(verb, "add" | "insert" | "create" | "replace") {
        rest = behind;
    }
    let (kind, behind) = word(rest);
    if kind == "rule" {
        rest = behind;
    }
    let is_command = kind == "rule" || nft::named(&words(rest)) == line.chain;
    if !is_command {
        return vec![(line.chain.clone(), text.to_owned())];
    }
    let (first, behind) = word(rest);
    let has_family = nft::FAMILIES.contains(&first);
    let behind_chain = |names: &str| without_place(word(word(names).1).1).to_owned();
    let mut found = vec![(line.chain.clone(), behind_chain(if has_family { behind } else { rest }))];
    if is_open(first) {
        let (table, beyond) = word(behind);
        found.push((ChainName::new(first, table, word(beyond).0), behind_chain(behind)));
    }
    let names = words(rest);
    let count = 2 + usize::from(has_family);
    if let Some(at) = names.iter().take(count).position(|name| is_open(name)) {
        let mut behind = rest;
        (0..=at).for_each(|_| behind = word(behind).1);
        let any = WILD.to_string();
        found.push((ChainName::new(&any, &any, &any), format!("{MANY} {behind}")));
    }
    found
}

/// What stands behind the place in a chain.
fn without_place(text: &str) -> &str {
    let (place, behind) = word(text);
    let (number, beyond) = word(behind);
    let is_place =
        matches!(place, "position" | "index" | "handle") && (number.parse::<u64>().is_ok() || is_open(number));
    if is_place { beyond } else { text }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().take(8).collect()
}

/// The first word, and what stands behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// How long names and values are that are looked at, and rules with these in them.
const LONGEST_NAME: usize = 80;
const LONGEST_VALUE: usize = 2048;
const LONGEST: usize = 8 * 1024;
/// How many definitions are looked at, and how long all rules with these in them may be.
const MOST_NAMES: usize = 1000;
const MOST: usize = 4 * 1024 * 1024;

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || "_-./".contains(c)
}

/// What a file defines, each where it is defined once.
fn define(content: &str, known: &mut HashMap<String, Option<String>>) {
    for (at, _) in content.match_indices("define").take(MOST_NAMES) {
        let rest = &content[at + "define".len()..];
        // Each is read as far as any that is written by hand.
        let near = |text: &str, most: usize, ends: &[char]| {
            text.char_indices().take(most).find(|(_, c)| ends.contains(c)).map(|(at, _)| at)
        };
        let Some(sign) = near(rest, LONGEST_NAME, &['=', '\n']) else { continue };
        let name = rest[..sign].trim();
        if name.is_empty() || !name.chars().all(is_of_name) {
            continue;
        }
        let behind = rest[sign + 1..].trim_start();
        let ends: &[char] = if behind.starts_with('{') { &['}'] } else { &['\n', ';'] };
        let end = near(behind, LONGEST_VALUE, ends).map(|end| end + usize::from(behind.starts_with('{')));
        let whole = end.or((behind.len() < LONGEST_VALUE).then_some(behind.len()));
        let value = whole.and_then(|end| behind.get(..end)).map(|value| value.trim().to_owned());
        let is_new = !known.contains_key(name);
        known.insert(name.to_owned(), value.filter(|value| is_new && !value.contains('$')));
    }
}

/// A rule with what is defined in it; what is not known may be anything.
fn replaced(rule: &str, known: &HashMap<String, Option<String>>, left: &mut usize) -> String {
    let mut whole = String::new();
    let mut parts = rule.split('$');
    whole.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !is_of_name(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        match known.get(name) {
            Some(Some(value)) => whole.push_str(value),
            Some(None) | None => whole.push(WILD),
        }
        whole.push_str(rest);
        if whole.len() > LONGEST.min(*left) {
            return MANY.to_string();
        }
    }
    *left = left.saturating_sub(whole.len());
    whole
}
