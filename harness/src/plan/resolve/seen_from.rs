//! `seen-from`: which source address the server must see.

use std::net::IpAddr;

use super::aims::Aim;
use super::checker::Checker;
use super::lab::is_link_local;
use super::outcomes::Wanted;
use crate::case::Many;
use crate::diagnostic::Diagnostic;
use crate::plan::{By, End, OR};
use crate::source::{Span, Spanned};
use crate::words::Family;

/// The addresses of which the server must see one.
#[derive(Clone)]
pub(super) struct SeenFrom {
    words: Vec<String>,
    addresses: Vec<IpAddr>,
    /// Whether scripts may give addresses that are known only when a step begins.
    open: bool,
    span: Span,
}

impl SeenFrom {
    /// Reads the words; nothing where they were complained about.
    pub(super) fn read(checker: &mut Checker<'_>, written: Many<Spanned<String>>, wanted: &Wanted) -> Option<Self> {
        let span = written.span;
        if !wanted.positive {
            let wrong = Diagnostic::error(span, "`seen-from` has no meaning here")
                .label("the server sees only what gets through");
            checker.derive(match wanted.span {
                Some(outcome) => wrong.related(outcome, "this must not get through"),
                None => wrong,
            });
            return None;
        }
        let (mut words, mut addresses, mut open) = (Vec::new(), Vec::new(), false);
        for word in written.items {
            let aim = checker.aim(&word)?;
            let scripted = match aim {
                Aim::Captured | Aim::Address(_) => false,
                Aim::Node(node) | Aim::Interface(End { node, .. }) => checker.lab.nodes[node].open,
            };
            let found: Vec<IpAddr> = match aim {
                Aim::Captured => return None,
                Aim::Address(address) => vec![address],
                Aim::Node(node) => checker.lab.nodes[node].addresses().map(|(_, cidr)| cidr.address).collect(),
                Aim::Interface(end) => checker.lab.at(end).addresses.iter().map(|cidr| cidr.address).collect(),
            };
            if found.is_empty() && !scripted {
                checker.derive(
                    Diagnostic::error(word.span, format!("`{}` has no address", *word))
                        .label("nothing can be seen to come from it"),
                );
                return None;
            }
            addresses.extend(found);
            open |= scripted;
            words.push(word.value);
        }
        Some(Self { words, addresses, open, span })
    }

    /// The only family that it leaves, if it does.
    pub(super) fn only_family(&self) -> Option<Spanned<Family>> {
        if self.open {
            return None;
        }
        let family = Family::of(*self.addresses.iter().find(|address| !is_link_local(**address))?);
        let mut others = self.addresses.iter().filter(|address| !is_link_local(**address));
        others.all(|address| Family::of(*address) == family).then(|| Spanned::new(family, self.span))
    }

    /// What the server must see in a family.
    pub(super) fn in_family(&self, checker: &mut Checker<'_>, family: Family) -> Option<By> {
        let addresses: Vec<IpAddr> =
            self.addresses.iter().copied().filter(|address| Family::of(*address) == family).collect();
        if addresses.is_empty() && !self.open {
            checker.derive(
                Diagnostic::error(self.span, format!("`seen-from` has no {} address", family.name()))
                    .label("this check is of that family")
                    .help(format!("name an {} address, or narrow the check by `family`", family.name())),
            );
            return None;
        }
        Some(By { words: self.words.join(OR), addresses })
    }
}
