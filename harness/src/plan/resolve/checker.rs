//! What resolving a check needs: the lab, and where complaints go.

use std::collections::{BTreeSet, HashSet};

use super::lab::Lab;
use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::plan::{End, InterfaceKind, NodeId, Service};
use crate::source::{Span, Spanned};
use crate::words::Mac;

/// The lab as the checks of one expectation see it.
pub(super) struct Checker<'a> {
    pub lab: &'a Lab,
    pub services: &'a [Service],
    /// The values that programs have said before.
    pub captured: &'a BTreeSet<String>,
    pub out: &'a mut Diagnostics,
    /// Whether the expectation could be read in full.
    pub sound: bool,
}

/// A node that a word names.
#[derive(Clone, Copy)]
pub(super) struct Sender {
    pub node: NodeId,
    pub span: Span,
}

impl Checker<'_> {
    /// Complains about a word that is wrong whatever stands beside it.
    pub(super) fn say(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    /// Complains about what follows from the whole expectation; not where a part of it could not be read.
    pub(super) fn derive(&mut self, diagnostic: Diagnostic) {
        if self.sound {
            self.out.push(diagnostic);
        }
    }

    /// Refuses conditions on an answer where the outcome is that there is none, and an answer of which nothing is said:
    /// of that, `example` is what could be.
    pub(super) fn check_answer(
        &mut self,
        conditions: &[(&str, Option<Span>)],
        outcome: Option<Span>,
        asked: Span,
        example: &str,
    ) {
        let first = conditions.iter().find_map(|(key, span)| Some((key, (*span)?)));
        match (outcome, first) {
            (Some(outcome), Some((key, place))) => self.derive(
                Diagnostic::error(place, format!("`{key}` and `outcome` in one check"))
                    .label("this needs an answer")
                    .related(outcome, "this expects that there is none"),
            ),
            (None, None) => self.derive(
                Diagnostic::error(asked, "nothing is expected of the answer")
                    .label("any answer at all would do")
                    .help(format!("say what must come, such as {example}"))
                    .help("or say why there is no answer: `outcome = \"refused\"`"),
            ),
            _ => {}
        }
    }

    /// The value, or a complaint.
    pub(super) fn ok<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.say(wrong);
                None
            }
        }
    }

    /// The words of a list, each once; refuses those that come again.
    pub(super) fn once(&mut self, mut words: Vec<Spanned<String>>) -> Vec<Spanned<String>> {
        let mut seen = HashSet::new();
        words.retain(|word| {
            let new = seen.insert(word.value.clone());
            if !new {
                self.say(
                    Diagnostic::error(word.span, format!("`{}` stands twice in this list", **word))
                        .label("it would be the same check again"),
                );
            }
            new
        });
        words
    }

    /// The nodes that `from` or `on` names.
    pub(super) fn senders(&mut self, key: &str, words: Vec<Spanned<String>>, instead: &str) -> Vec<Sender> {
        let words = self.once(words);
        let found = words.iter().filter_map(|word| self.sender(key, word, instead));
        found.collect()
    }

    fn sender(&mut self, key: &str, word: &Spanned<String>, instead: &str) -> Option<Sender> {
        if let Some((node, _)) = word.split_once('.')
            && self.lab.find(node).is_some()
        {
            self.say(
                Diagnostic::error(word.span, format!("`{key}` is a node here, not an interface"))
                    .label(format!("did you mean `{node}`?"))
                    .help(instead),
            );
            return None;
        }
        if word.parse::<std::net::IpAddr>().is_ok() {
            self.say(
                Diagnostic::error(word.span, format!("`{key}` is a node here, not an address"))
                    .label(suggest(
                        word,
                        self.lab.nodes.iter().filter(|node| !node.switch).map(|node| node.name.as_str()),
                    ))
                    .help(instead),
            );
            return None;
        }
        let node = self.lab.machine(word, word.span);
        let node = self.ok(node)?;
        Some(Sender { node, span: word.span })
    }

    /// The interface that a `NODE.INTERFACE` names.
    pub(super) fn end(&mut self, word: &Spanned<String>) -> Option<End> {
        let Some((name, interface)) = word.split_once('.') else {
            let found = self.lab.machine(word, word.span);
            let node = self.ok(found)?;
            let wrong = Diagnostic::error(word.span, format!("`{}` is a node, not an interface", **word));
            let wires: Vec<String> = self.wires(node).map(|end| self.lab.end_name(end)).collect();
            let names: Vec<&str> = wires.iter().map(String::as_str).collect();
            self.say(match &*names {
                [] => wrong.label("`NODE.INTERFACE` is expected"),
                [one] => wrong.label(format!("did you mean `{one}`?")),
                several => wrong.label(format!("one of {}", crate::diagnostic::quoted(several))),
            });
            return None;
        };
        let node = self.lab.machine(name, word.part(0..name.len()));
        let node = self.ok(node)?;
        self.interface(node, interface, word.part(name.len() + 1..word.len()))
    }

    /// The interface of a node that a word names.
    pub(super) fn interface(&mut self, node: NodeId, name: &str, span: Span) -> Option<End> {
        let draft = &self.lab.nodes[node];
        match draft.interface(name) {
            Some(interface) => Some(End { node, interface }),
            None => {
                let unknown = draft.unknown_interface(name, span);
                if draft.sound {
                    self.say(unknown);
                }
                None
            }
        }
    }

    /// The interfaces of a node without `lo`.
    pub(super) fn wires(&self, node: NodeId) -> impl Iterator<Item = End> + use<> {
        let ends: Vec<End> = self.lab.ends().filter(|end| end.node == node && end.interface > 0).collect();
        ends.into_iter()
    }

    /// A MAC address, written out or as `NODE.INTERFACE`, with its words.
    pub(super) fn mac(&mut self, word: &Spanned<String>) -> Option<(Mac, String)> {
        if word.contains(':') {
            let mac = <Mac as crate::case::decode::Scalar>::parse(word).map_err(|wrong| wrong.at(word));
            return self.ok(mac).map(|mac| (mac, word.value.clone()));
        }
        let end = self.end(word)?;
        if self.lab.at(end).kind == Some(InterfaceKind::Found) {
            return Some((Mac([0; 6]), word.value.clone()));
        }
        let Some(mac) = self.lab.at(end).mac else {
            self.say(
                Diagnostic::error(word.span, "`lo` has no MAC address").label("an interface with a cable is expected"),
            );
            return None;
        };
        Some((mac.value, word.value.clone()))
    }
}
