//! Tables that are one of several things: one key of these must be there, and no second one.

use crate::diagnostic::{Diagnostic, quoted};
use crate::source::Span;

/// What is said of a table without one, and of one with two.
pub(super) struct Choice {
    pub none: Diagnostic,
    pub two: String,
    /// At the second.
    pub label: &'static str,
    pub help: &'static str,
}

impl Choice {
    /// What is wrong with the keys that are there, if anything is.
    pub(super) fn refuse(self, all: &[&str], given: &[(&str, Span)]) -> Option<Diagnostic> {
        match *given {
            [] => Some(self.none.label(format!("one of {}", quoted(all)))),
            [_] => None,
            [(first, place), (second, again), ..] => Some(
                Diagnostic::error(again, format!("{}, `{first}` and `{second}`", self.two))
                    .label(self.label)
                    .related(place, "the first")
                    .help(self.help),
            ),
        }
    }
}
