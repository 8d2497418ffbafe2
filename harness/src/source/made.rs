//! What stands behind a case file: its lab file, and the texts that parameters made, each part of which leads back to
//! the place where it is written.

use std::ops::Range;
use std::sync::Arc;

use super::{Source, Span, boundary};

/// Where the lab file begins among the offsets of a case. Files are far smaller.
pub(super) const LAB: u32 = 1 << 24;

/// Where the texts begin that parameters made.
pub(super) const MADE: u32 = 1 << 28;

/// Where those begin that still have names of captured values in them.
pub(super) const OPEN: u32 = 1 << 31;

/// How long all texts that parameters made may be together.
const MOST: u32 = 1 << 24;

/// All that is not in the case file itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Behind {
    lab: Option<(String, Arc<str>)>,
    made: Made,
    open: Made,
}

/// Texts one behind the other, in order.
#[derive(Clone, Debug, Default)]
struct Made {
    texts: Vec<Text>,
    length: u32,
}

#[derive(Clone, Debug)]
struct Text {
    /// Its place among the offsets of the case, with one byte for each quote.
    span: Span,
    /// Where it is written, quotes included.
    written: Span,
    pieces: Vec<Piece>,
}

/// A part of a text that parameters made.
#[derive(Clone, Debug)]
pub struct Piece {
    /// How many bytes it has.
    pub length: usize,
    /// Where it is written.
    pub written: Span,
    /// What is to be known of the parameter that it comes from.
    pub note: Option<Arc<str>>,
}

/// A place in a file.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The file as shown to the user.
    pub path: &'a str,
    /// Its whole text.
    pub text: &'a str,
    /// The bytes meant, at boundaries of characters.
    pub range: Range<usize>,
    /// What is to be known of the parameters there.
    pub notes: Vec<&'a str>,
}

impl Source {
    /// Sets the lab file, by its shown path.
    pub fn set_lab(&mut self, path: String, text: Arc<str>) {
        Arc::make_mut(&mut self.behind).lab = Some((path, text));
    }

    /// Adds a text that parameters made of the one written at a place; `open` when names of captured values are left in
    /// it. Gives its span, which has one more byte on each side, as if there were quotes; nothing when all such texts
    /// together become too long.
    pub fn add_made(&mut self, written: Span, pieces: Vec<Piece>, open: bool) -> Option<Span> {
        let behind = Arc::make_mut(&mut self.behind);
        let (made, base) = if open { (&mut behind.open, OPEN) } else { (&mut behind.made, MADE) };
        let length = pieces.iter().map(|piece| piece.length).sum::<usize>() + 2;
        let end = u32::try_from(length).ok().and_then(|length| made.length.checked_add(length))?;
        if end > MOST {
            return None;
        }
        let span = Span { start: base + made.length, end: base + end };
        made.length = end;
        made.texts.push(Text { span, written, pieces });
        Some(span)
    }

    /// Where a span is written: the same, but for what parameters made.
    pub fn written(&self, span: Span) -> Span {
        self.text_at(span).map_or(span, |text| text.narrow(span).0)
    }

    /// The file of a span, and the place there. A span of what a parameter made leads to the `${...}`.
    pub fn place(&self, span: Span) -> Place<'_> {
        let (written, notes) = match self.text_at(span) {
            Some(text) => text.narrow(span),
            None => (span, Vec::new()),
        };
        let (path, text, base) = match &self.behind.lab {
            Some((path, text)) if written.start >= LAB => (&**path, &**text, LAB),
            _ => (&*self.path, &*self.text, 0),
        };
        let at = |offset: u32| boundary(text, offset.saturating_sub(base) as usize);
        let start = at(written.start);
        Place { path, text, range: start..at(written.end).max(start), notes }
    }

    /// What is to be known of the parameters that are used inside a span of a file.
    pub fn notes_inside(&self, span: Span) -> Vec<&str> {
        let all = self.behind.made.texts.iter().chain(&self.behind.open.texts);
        let inside = all.filter(|text| span.start <= text.written.start && text.written.end <= span.end);
        inside.flat_map(Text::notes).collect()
    }

    fn text_at(&self, span: Span) -> Option<&Text> {
        if !span.is_made() {
            return None;
        }
        let texts = if span.is_open() { &self.behind.open.texts } else { &self.behind.made.texts };
        let behind = texts.partition_point(|text| text.span.start <= span.start);
        texts.get(behind.checked_sub(1)?)
    }
}

impl Text {
    fn notes(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| piece.note.as_deref())
    }

    /// Where a part of it is written, and what is to be known of the parameters there.
    fn narrow(&self, span: Span) -> (Span, Vec<&str>) {
        if span == self.span {
            let mut named = self.pieces.iter().filter(|piece| piece.note.is_some());
            // The text as a whole is wrong: if it has one parameter, that is the place to look at.
            let place = match (named.next(), named.next()) {
                (Some(only), None) => only.written,
                _ => self.written,
            };
            return (place, self.notes().collect());
        }
        let inner = |offset: u32| offset.saturating_sub(self.span.start + 1) as usize;
        let (from, to) = (inner(span.start), inner(span.end));
        let (mut at, mut place, mut notes) = (0, None::<Span>, Vec::new());
        for piece in &self.pieces {
            let (start, end) = (at, at + piece.length);
            at = end;
            if end <= from && !(end == from && from == to) || start >= to.max(from + 1) {
                continue;
            }
            let part = piece.part(from.saturating_sub(start), to.min(end).saturating_sub(start));
            place = Some(place.map_or(part, |place| place.to(part)));
            notes.extend(piece.note.as_deref());
        }
        (place.unwrap_or(self.written), notes)
    }
}

impl Piece {
    /// Where a part of the piece is written: a parameter, or a text with escapes, is given whole.
    fn part(&self, from: usize, to: usize) -> Span {
        if self.note.is_some() || self.written.range().len() != self.length {
            return self.written;
        }
        let start = self.written.start as usize;
        Span::new(start + from.min(self.length), start + to.max(from).min(self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `to = "${host}:80"`, where `host` is `blue`.
    fn source() -> (Source, Span) {
        let mut source = Source::new("case.toml", "to = \"${host}:80\"\n");
        let pieces = vec![
            Piece { length: 4, written: Span::new(6, 13), note: Some("host is blue".into()) },
            Piece { length: 3, written: Span::new(13, 16), note: None },
        ];
        source.add_made(Span::new(0, 0), Vec::new(), false).expect("there is room");
        let span = source.add_made(Span::new(5, 17), pieces, false).expect("there is room");
        (source, span)
    }

    #[test]
    fn parts_of_a_made_text_lead_to_where_they_are_written() {
        let (source, span) = source();
        let made = crate::source::Spanned::new("blue:80".to_owned(), span);
        for (part, snippet, notes) in [
            (span, "${host}", 1),
            (made.part(0..4), "${host}", 1),
            (made.part(1..2), "${host}", 1),
            (made.part(5..7), "80", 0),
            (made.part(4..5), ":", 0),
            (made.part(2..6), "${host}:8", 1),
            (made.part(0..7), "${host}:80", 1),
            (made.part(7..7), "", 0),
        ] {
            let place = source.place(part);
            assert_eq!((source.snippet(part), place.notes.len()), (snippet, notes), "{part:?}");
        }
        assert_eq!(source.line_column(made.part(5..7)).column, 15);
        assert_eq!(source.notes_inside(Span::new(0, 17)), ["host is blue"]);
        assert!(source.notes_inside(Span::new(0, 9)).is_empty());
    }

    #[test]
    fn a_place_of_the_lab_file_is_in_the_lab_file() {
        let mut source = Source::new("case.toml", "topology = 'x.lab.toml'\n");
        source.set_lab("x.lab.toml".into(), "[nodes.a]\n".into());
        let place = source.place(Span::new(7, 8).in_lab());
        assert_eq!((place.path, &place.text[place.range]), ("x.lab.toml", "a"));
        assert_eq!(source.file_line(Span::new(7, 8).in_lab()), "x.lab.toml:1");
    }

    #[test]
    fn texts_without_end_are_refused() {
        let mut source = Source::new("case.toml", "");
        let piece = || vec![Piece { length: 1 << 23, written: Span::default(), note: None }];
        assert!(source.add_made(Span::default(), piece(), false).is_some());
        assert!(source.add_made(Span::default(), piece(), false).is_none());
    }
}
