//! What the loads of a case have made of rules, and where these are written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::include::{Look, Text};
use super::written::{ChainName, Line, Written};
use super::{nft, restore};
use crate::evidence::Place;
use crate::lab::Ruleset;
use crate::plan::{Loader, Rules, RulesText};
use crate::source::Span;

/// What one load has made.
#[derive(Clone, Debug)]
pub(in super::super) struct Load {
    rules: Rules,
    /// The handles of the tables that were there behind it.
    tables: HashMap<(String, String), u64>,
    /// The handles of the rules that it made, chain by chain, rising.
    made: BTreeMap<(String, String, String), Vec<u64>>,
}

impl Load {
    /// What is there now and was not there before. A table gives its handles to rules in the order in which they are
    /// added (`nf_tables_newrule` of `net/netfilter/nf_tables_api.c`), which is that of their text, and none twice.
    ///
    /// (`nft -e` would tell the same, but refuses with "No buffer space available" what has some thousand rules or
    /// elements.)
    pub(super) fn between(rules: &Rules, before: &Ruleset, after: &Ruleset) -> Self {
        let tables: HashMap<(String, String), u64> =
            after.tables.iter().map(|table| ((table.family.clone(), table.name.clone()), table.handle)).collect();
        let known: HashSet<(Option<u64>, u64)> =
            before.rules.iter().map(|rule| (before.table(&rule.family, &rule.table), rule.handle)).collect();
        let mut made: BTreeMap<(String, String, String), Vec<u64>> = BTreeMap::new();
        for rule in &after.rules {
            let table = tables.get(&(rule.family.clone(), rule.table.clone())).copied();
            if !known.contains(&(table, rule.handle)) {
                let chain = (rule.family.clone(), rule.table.clone(), rule.chain.clone());
                made.entry(chain).or_default().push(rule.handle);
            }
        }
        for handles in made.values_mut() {
            handles.sort_unstable();
        }
        Self { rules: rules.clone(), tables, made }
    }
}

/// A rule or a chain, for as long as its table is the same one.
type Key = (u64, ChainName, Option<u64>);

/// Where rules and chains are written.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<Key, Origin>);

/// Where a rule or a chain is written; and how, where that is how its program shows it, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) place: Place,
    pub(super) text: Option<String>,
    /// Whether it says to drop.
    pub(super) drops: bool,
}

impl Places {
    /// Adds what a load has made, with the text that it was made from.
    pub(super) fn add(&mut self, load: &Load, content: &str, look: &dyn Look) {
        let rules = &load.rules;
        let path = match &rules.text {
            RulesText::File(path) => path.clone(),
            RulesText::Inline(_) => String::new(),
        };
        let main = Text { path, content: content.into() };
        let (written, texts) = match rules.loader {
            Loader::Nft => nft::read(main, look),
            Loader::Iptables => (restore::read("ip", content), vec![main]),
            Loader::Ip6tables => (restore::read("ip6", content), vec![main]),
        };
        self.add_chains(load, &written, &texts);
        for ((family, table, chain), handles) in &load.made {
            let chain = ChainName::new(family, table, chain);
            let Some(lines) = written.places(&chain, handles.len()) else { continue };
            for (line, handle) in lines.into_iter().zip(handles) {
                self.set(load, &chain, Some(*handle), found(rules, line, &texts));
            }
        }
    }

    fn add_chains(&mut self, load: &Load, written: &Written, texts: &[Text]) {
        for line in &written.chains {
            let key = load.key(&line.chain, None);
            let is_new = key.is_some_and(|key| !self.0.contains_key(&key));
            if line.decides || is_new {
                self.set(load, &line.chain, None, found(&load.rules, line, texts));
            }
        }
    }

    fn set(&mut self, load: &Load, chain: &ChainName, handle: Option<u64>, found: Option<Origin>) {
        if let (Some(key), Some(found)) = (load.key(chain, handle), found) {
            self.0.insert(key, found);
        }
    }

    /// Where a rule of a table is written, or a chain.
    pub(super) fn get(&self, table: u64, chain: &ChainName, handle: Option<u64>) -> Option<&Origin> {
        self.0.get(&(table, chain.clone(), handle))
    }
}

impl Load {
    fn key(&self, chain: &ChainName, handle: Option<u64>) -> Option<Key> {
        let table = self.tables.get(&(chain.family.clone(), chain.table.clone()))?;
        Some((*table, chain.clone(), handle))
    }

    /// Whether it has made a rule of a table.
    pub(super) fn has_made(&self, table: u64, chain: &ChainName, handle: u64) -> bool {
        let name = (chain.family.clone(), chain.table.clone(), chain.chain.clone());
        self.tables.get(&(chain.family.clone(), chain.table.clone())) == Some(&table)
            && self.made.get(&name).is_some_and(|made| made.contains(&handle))
    }

    /// The rules that were loaded.
    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }
}

fn found(rules: &Rules, line: &Line, texts: &[Text]) -> Option<Origin> {
    let text = texts.get(line.file)?;
    let words = text.content.get(line.range.clone())?;
    let first = words.lines().next().unwrap_or_default();
    let place = if text.path.is_empty() {
        Place::Case(part(rules, line.range.start..line.range.start + first.len()))
    } else {
        let before = text.content.get(..line.range.start)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let whole = text.content[start..].lines().next().unwrap_or_default();
        let number = u32::try_from(before.matches('\n').count() + 1).ok()?;
        Place::File { path: text.path.clone(), line: number, text: whole.trim().to_owned(), command: false }
    };
    let as_written = rules.loader != Loader::Nft;
    let drops = words.to_lowercase().contains("drop");
    Some(Origin { place, text: as_written.then(|| words.to_owned()), drops })
}

/// A part of rules that stand in the case; the whole of them where their text does not read as it is written.
fn part(rules: &Rules, range: Range<usize>) -> Span {
    rules.inside.map_or(rules.span, |inside| {
        let start = inside.start as usize;
        Span::new(start + range.start, start + range.end)
    })
}
