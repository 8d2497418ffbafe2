//! What is wrong, or doubtful, in a case file, and the one way it is drawn.

use std::collections::HashSet;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::{Deserialize, Serialize};

use crate::source::{Source, Span};

/// How bad it is. A warning never changes an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// The case cannot be built, or a check in it would mean nothing.
    Error,
    /// Possibly meant so.
    Warning,
}

/// One message about one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment without a full stop.
    pub message: String,
    /// The exact word.
    pub span: Span,
    /// Stands behind the carets; may be empty.
    pub label: String,
    /// Other places that belong to it, each with its own label.
    pub related: Vec<(Span, String)>,
    /// Lines below: what was found out.
    pub notes: Vec<String>,
    /// Lines below with a word of their own.
    pub told: Vec<(String, String)>,
    /// Lines of other files that belong to it.
    pub elsewhere: Vec<Line>,
    /// The last line, with a word of its own.
    pub closing: Option<(String, String)>,
    /// Lines below: a way out.
    pub helps: Vec<String>,
}

/// A line of a file that is not the case's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The path as it is shown.
    pub path: String,
    /// The line, from 1.
    pub number: u32,
    /// Its text.
    pub text: String,
    /// Stands under it.
    pub label: String,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, span, message.into())
    }

    /// A warning at a place.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span, message.into())
    }

    fn new(severity: Severity, span: Span, message: String) -> Self {
        Self {
            severity,
            message,
            span,
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            told: Vec::new(),
            elsewhere: Vec::new(),
            closing: None,
            helps: Vec::new(),
        }
    }

    /// Sets the words behind the carets.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Adds a `note` line.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a `help` line.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(help.into());
        self
    }

    /// Draws the message over the lines it speaks of.
    pub fn render(&self, source: &Source, style: Style) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(&self.message);
        let place = source.place(self.span);
        let mut notes = place.notes.clone();
        let mut group: Group<'_> = if place.text.is_empty() {
            // There is no line to show.
            title.element(Origin::path(place.path))
        } else {
            let label = (!self.label.is_empty()).then_some(&*self.label);
            let mut snippet = Snippet::source(place.text)
                .path(place.path)
                .annotation(AnnotationKind::Primary.span(place.range.clone()).label(label));
            let mut elsewhere = None;
            for (span, label) in &self.related {
                let other = source.place(*span);
                notes.extend(other.notes);
                let annotation = AnnotationKind::Context.span(other.range).label(label);
                if other.path == place.path {
                    snippet = snippet.annotation(annotation);
                } else {
                    let file = elsewhere.unwrap_or_else(|| Snippet::source(other.text).path(other.path));
                    elsewhere = Some(file.annotation(annotation));
                }
            }
            let group = title.element(snippet);
            match elsewhere {
                Some(file) => group.element(file),
                None => group,
            }
        };
        let mut told: Vec<&str> = Vec::new();
        for note in self.notes.iter().map(String::as_str).chain(notes) {
            if !told.contains(&note) {
                told.push(note);
                group = group.element(Level::NOTE.message(note));
            }
        }
        for (word, text) in &self.told {
            group = group.element(Level::NOTE.with_name(&**word).message(text));
        }
        for line in &self.elsewhere {
            let text = line.text.trim_end();
            let start = text.len() - text.trim_start().len();
            let snippet = Snippet::source(text).path(&line.path).line_start(line.number as usize);
            let annotation = AnnotationKind::Context.span(start..text.len()).label(&line.label);
            group = group.element(snippet.annotation(annotation));
        }
        for help in &self.helps {
            group = group.element(Level::HELP.message(help));
        }
        if let Some((word, text)) = &self.closing {
            group = group.element(Level::NOTE.with_name(&**word).message(text));
        }
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Color => Renderer::styled(),
        };
        renderer.render(&[group])
    }
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// ANSI colours.
    Color,
}

/// How many diagnostics of one file are shown. Nobody reads more, and a file that is not a case makes thousands.
const MOST: usize = 100;

/// Collects the diagnostics of one file.
#[derive(Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    said: HashSet<(Span, String)>,
    errors: usize,
}

impl Diagnostics {
    /// Adds one, unless the same was said of the same place: a list makes many checks of one word. What is said of a
    /// broken value is dropped, and counts: why it is broken was said before.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        if diagnostic.span == Span::BROKEN {
            self.errors += 1;
            return;
        }
        diagnostic.related.retain(|(span, _)| *span != Span::BROKEN);
        if !self.said.insert((diagnostic.span, diagnostic.message.clone())) {
            return;
        }
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        self.list.push(diagnostic);
    }

    /// Adds some.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// All of them in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The first [`MOST`] of them in the order of the file, those of its lab file last, and how many are left out.
    pub fn into_sorted(mut self, source: &Source) -> Vec<Diagnostic> {
        self.list.sort_by_key(|diagnostic| (source.written(diagnostic.span), diagnostic.severity));
        if self.list.len() > MOST {
            let left = self.list.split_off(MOST);
            let errors = left.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
            let message = format!("{errors} more errors and {} more warnings are not shown", left.len() - errors);
            self.list.extend(left.first().map(|first| Diagnostic {
                severity: if errors > 0 { Severity::Error } else { Severity::Warning },
                ..Diagnostic::error(first.span, message).label("the next one is here")
            }));
        }
        self.list
    }
}

/// `did you mean` for a word that is near a valid one, else the list of valid words.
pub fn suggest<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
    let valid: Vec<&str> = valid.into_iter().collect();
    match nearest(word, &valid) {
        Some(near) => format!("did you mean `{near}`?"),
        None if valid.is_empty() => String::new(),
        None => format!("one of {}", quoted(&valid)),
    }
}

fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    valid
        .iter()
        // Of so few letters, one other makes another word.
        .filter(|candidate| word.len() > 2 || word.eq_ignore_ascii_case(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .filter(|(distance, candidate)| word.len() <= 2 || *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b`, `c` ``; at most twenty words.
pub fn quoted(words: &[&str]) -> String {
    let mut text = words.iter().take(20).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    if words.len() > 20 {
        text.push_str(&format!(" and {} more", words.len() - 20));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_with_its_count() {
        let mut out = Diagnostics::default();
        for at in (0..300).rev() {
            out.push(Diagnostic::error(Span::new(at, at + 1), "wrong"));
            out.push(Diagnostic::error(Span::new(at, at + 1), "wrong"));
        }
        assert_eq!(out.errors(), 300, "what is said twice of one place counts once");
        let shown = out.into_sorted(&Source::new("case.toml", ""));
        assert_eq!(shown.len(), MOST + 1);
        assert_eq!((shown[0].span.start, shown[MOST].span.start), (0, 100));
        assert_eq!(shown[MOST].message, "200 more errors and 0 more warnings are not shown");
    }

    #[test]
    fn a_word_near_a_valid_one_is_suggested_and_else_all_are_listed() {
        let valid = ["ping", "tcp", "udp"];
        for (word, expected) in [("pnig", "did you mean `ping`?"), ("http", "one of `ping`, `tcp`, `udp`")] {
            assert_eq!(suggest(word, valid), expected, "{word}");
        }
        assert_eq!(suggest("ping", []), "");
    }
}
