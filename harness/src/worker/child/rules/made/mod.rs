//! The lines that have made rules which nobody has loaded: those of the case's scripts, and commands of its own.
//!
//! A rule has a line where exactly one can have made it. What is read of a script is its words, not what it does: a line
//! that never ran may have made a rule as well.

mod candidates;
mod functions;
mod names;
mod options;
mod origin;
mod programs;
mod shell;
mod source;
mod statements;
mod text;
mod tokens;
mod values;
mod words;

use std::collections::HashMap;

pub(super) use candidates::Files;
use candidates::{Candidate, Makes};
use programs::Whose;
pub(super) use source::{Invocation, Source, Starts};
use text::fits;
use tokens::Match;

use super::written::ChainName;
use crate::evidence::{Chain, Place, Rule};
use crate::plan::NodeId;

/// What the commands of a case may have made.
pub(super) struct Made(Vec<Candidate>);

/// Rules in the words of iptables-save(8), each by its chain and its number in it, from 0.
pub(super) type Saved = HashMap<(ChainName, usize), String>;

impl Made {
    /// Reads what runs commands; `nodes` are the names of all nodes, of which one is looked at.
    pub(super) fn by(sources: &[Source], files: &dyn Files, nodes: &[&str], node: NodeId) -> Self {
        let mut found = candidates::of(sources, files).unwrap_or_default();
        found.retain(|candidate| concerns(candidate, nodes, node));
        Self(found)
    }

    /// Whether commands of iptables are among them, for a family.
    pub(super) fn has_iptables(&self, family: &str) -> bool {
        self.0.iter().any(|candidate| matches!(candidate.makes, Makes::Iptables(own, _) if own == family))
    }

    /// The line of a rule, of which it is known how nft(8) lists it, or iptables-save(8) tells it.
    pub(super) fn place_of(&self, rule: &Rule, listed: Option<&str>, saved: Option<&str>) -> Option<Place> {
        let family = family(&rule.family);
        let chain = ChainName::new(family, &rule.table, &rule.chain);
        let tokens = listed.map(tokens::of).unwrap_or_default();
        let saved = saved.and_then(|text| conditions(family, text));
        self.only(|makes| match makes {
            Makes::Nft(own, statements::Says::Rule(says)) if is_chain(own, &chain) => tokens::compare(says, &tokens),
            Makes::Iptables(own, options::Rule { says: options::Says::Rule(says), table, chain: name })
                if *own == family && fits(table, &rule.table) && fits(name, &rule.chain) =>
            {
                saved.as_ref().map_or(Match::No, |saved| says.compare(saved))
            }
            Makes::Nft(..) | Makes::Iptables(..) => Match::No,
        })
    }

    /// The line that has a chain drop what no rule decides; where none has, the line that is known of it.
    pub(super) fn place_of_policy(&self, chain: &Chain) -> Option<Place> {
        let family = family(&chain.family);
        let name = ChainName::new(family, &chain.table, &chain.name);
        let is_it = |makes: &Makes| match makes {
            Makes::Nft(own, statements::Says::DropsAtItsEnd) => is_chain(own, &name),
            Makes::Iptables(own, options::Rule { says: options::Says::Drops, table, chain: own_name }) => {
                *own == family && fits(table, &chain.table) && fits(own_name, &chain.name)
            }
            Makes::Nft(..) | Makes::Iptables(..) => false,
        };
        if self.0.iter().any(|candidate| is_it(&candidate.makes)) {
            self.only(|makes| if is_it(makes) { Match::Is } else { Match::No })
        } else {
            chain.place.clone()
        }
    }

    /// The one place of all that fit, if it is certain.
    fn only(&self, compare: impl Fn(&Makes) -> Match) -> Option<Place> {
        let mut only: Option<(&Candidate, bool)> = None;
        for candidate in &self.0 {
            let found = compare(&candidate.makes);
            let is_same = |it: &Candidate| it.spot.key(it.line) == candidate.spot.key(candidate.line);
            match only {
                _ if found == Match::No => {}
                Some((known, _)) if !is_same(known) => return None,
                known => only = Some((candidate, found == Match::Is || known.is_some_and(|(_, certain)| certain))),
            }
        }
        let (candidate, _) = only.filter(|(_, certain)| *certain)?;
        candidate.spot.place(candidate.line)
    }
}

/// Whether what a candidate makes may be in a node.
fn concerns(candidate: &Candidate, nodes: &[&str], node: NodeId) -> bool {
    let name = nodes.get(node).copied().unwrap_or_default();
    match &candidate.whose {
        Whose::Own => candidate.node == node,
        Whose::Named(named) => named == name,
        Whose::Unknown(words) => {
            let names = |name: &str| words.iter().any(|word| word == name);
            names(name) || !nodes.iter().any(|other| names(other))
        }
    }
}

/// The family of `nf_tables`, also of chains of the older kind.
fn family(family: &str) -> &str {
    match family {
        "iptables" => "ip",
        "ip6tables" => "ip6",
        other => other,
    }
}

fn is_chain(pattern: &ChainName, chain: &ChainName) -> bool {
    fits(&pattern.family, &chain.family) && fits(&pattern.table, &chain.table) && fits(&pattern.chain, &chain.chain)
}

/// What iptables-save(8) tells of a rule.
fn conditions(family: &str, text: &str) -> Option<options::Conditions> {
    let family = if family == "ip6" { "ip6" } else { "ip" };
    let words = super::restore::words(text);
    match options::read(family, "", &words).pop()?.says {
        options::Says::Rule(conditions) => Some(conditions),
        options::Says::Drops => None,
    }
}

#[cfg(test)]
mod tests;
