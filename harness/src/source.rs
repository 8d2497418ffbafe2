//! The text of a case, and places in it.
//!
//! Everything later stages know of the text is a [`Span`]; only this module turns one into a line and a column.

mod made;

use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// A range of bytes in what a case is read from: its own file, the lab file behind it, and the texts that parameters
/// made. They lie one behind the other in one range of offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// A span from byte offsets; offsets past 4 GiB saturate (case files are at most 1 MiB).
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end) }
    }

    /// The span as a range of byte offsets.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl Span {
    /// Stands for a value that was complained about and cannot be read: nothing more is to be said of it.
    pub const BROKEN: Self = Self { start: u32::MAX - 1, end: u32::MAX - 1 };

    /// Whether it lies in a text that parameters made.
    pub fn is_made(self) -> bool {
        (made::MADE..Self::BROKEN.start).contains(&self.start)
    }

    /// Whether it lies in a text that still has names of captured values in it.
    pub fn is_open(self) -> bool {
        (made::OPEN..Self::BROKEN.start).contains(&self.start)
    }

    /// The same place of the lab file's own text, among all texts of the case.
    #[must_use]
    pub fn in_lab(self) -> Self {
        Self { start: self.start + made::LAB, end: self.end + made::LAB }
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self::new(range.start, range.end)
    }
}

/// A value together with the place where it was written. Equality ignores the place.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

impl Spanned<String> {
    /// The place of a part of the text. A text with escapes does not read as it is written, and is given whole.
    pub fn part(&self, range: std::ops::Range<usize>) -> Span {
        let width = self.span.range().len();
        let start = self.span.start as usize;
        match width.checked_sub(self.value.len()) {
            Some(0) => Span::new(start + range.start, start + range.end),
            Some(2) => Span::new(start + 1 + range.start, start + 1 + range.end),
            _ => self.span,
        }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// A spanned value has the schema of its value: the place is not written in the file.
impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// One case file: its name as shown to the user, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the user would write it, relative to the working directory where possible.
    pub path: String,
    /// The whole text.
    pub text: Arc<str>,
    behind: Arc<made::Behind>,
}

pub use made::{Piece, Place};

/// A place as editors count it: both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Source {
    /// A source from its shown path and text.
    pub fn new(path: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into(), behind: Arc::default() }
    }

    /// The line and column where a span starts, in its file. Never panics: an offset outside the text, or inside a
    /// character, is moved to the nearest boundary before it.
    pub fn line_column(&self, span: Span) -> LineColumn {
        let place = self.place(span);
        let before = place.text.get(..place.range.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        LineColumn {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// `FILE:LINE` of a span.
    pub fn file_line(&self, span: Span) -> String {
        format!("{}:{}", self.place(span).path, self.line_column(span).line)
    }

    /// The span's text as it is written, or nothing when it lies outside.
    pub fn snippet(&self, span: Span) -> &str {
        let place = self.place(span);
        place.text.get(place.range).unwrap_or_default()
    }

    /// Where a text stands in its quotes; nothing where it does not read as it is written there, such as one with escapes.
    pub fn inside(&self, span: Span, text: &str) -> Option<Span> {
        let written = self.snippet(span);
        // What parameters made has one byte for each quote, and is nowhere written as it reads.
        let at =
            if span.is_made() { (span.range().len() == text.len() + 2).then_some(1) } else { quoted(written, text) };
        let start = span.start as usize + at?;
        Some(Span::new(start, start + text.len()))
    }

    /// The nearest character boundary at or before an offset of the case file.
    pub fn boundary(&self, offset: usize) -> usize {
        boundary(&self.text, offset)
    }
}

/// How far behind the start of a TOML string its text begins, when it reads as it is written.
fn quoted(written: &str, text: &str) -> Option<usize> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| written.starts_with(quote))?;
    let inner = written.strip_prefix(quote)?.strip_suffix(quote)?;
    // A line end right behind three quotes is not part of the text.
    let first = ["\r\n", "\n"].into_iter().find(|end| quote.len() == 3 && inner.starts_with(end)).unwrap_or_default();
    (inner[first.len()..] == *text).then(|| quote.len() + first.len())
}

fn boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_its_quotes_when_it_reads_as_it_is_written() {
        for (written, text, found) in [
            ("'a'", "a", Some("a")),
            (r#""a""#, "a", Some("a")),
            ("'''a\nb'''", "a\nb", Some("a\nb")),
            ("'''\na\nb'''", "a\nb", Some("a\nb")),
            ("\"\"\"\r\na\"b\"\"\"", "a\"b", Some("a\"b")),
            ("\"\"\"a\\\"b\"\"\"", "a\"b", None),
            ("\"a\\nb\"", "a\nb", None),
            ("\"\"\"\na\\\n  b\"\"\"", "ab", None),
        ] {
            let source = Source::new("a.toml", format!("x = {written}\n"));
            let inside = source.inside(Span::new(4, 4 + written.len()), text);
            assert_eq!(inside.map(|inside| source.snippet(inside)), found, "{written}");
        }
    }

    #[test]
    fn line_and_column_count_characters_from_one() {
        let source = Source::new("a.toml", "äb\nçde\n");
        for (start, line, column) in [(0, 1, 1), (2, 1, 2), (4, 2, 1), (6, 2, 2), (99, 3, 1), (1, 1, 1)] {
            let place = source.line_column(Span::new(start, start));
            assert_eq!((place.line, place.column), (line, column), "offset {start}");
        }
    }
}
