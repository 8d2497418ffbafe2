//! TOML syntax: all errors of a file at once, and a way out of TOML's own traps.

use toml::de::{DeTable, DeValue};

use super::LARGEST_FILE;
use super::decode::Value;
use super::file::TOO_LARGE;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Source, Span};

/// The TOML tree as far as it could be read, or nothing when there is nothing to read.
pub(super) fn parse<'a>(source: &'a Source, out: &mut Diagnostics) -> Option<Value<'a>> {
    let text = &*source.text;
    if text.len() > LARGEST_FILE {
        out.push(Diagnostic::error(Span::default(), "this file is larger than 1 MiB").help(TOO_LARGE));
        return None;
    }
    let (table, mut errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() && table.get_ref().is_empty() {
        let empty = Diagnostic::error(Span::default(), "this file is empty");
        let empty = if text.trim().is_empty() { empty } else { empty.label("there is nothing but comments") };
        out.push(empty.help("`netcase new` writes a commented first case"));
        return None;
    }
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    // A key that stands twice leaves the tree whole. What is recovered from anything else is a guess, and complaints
    // about a guess mislead.
    let whole = errors.iter().all(|error| error.message().starts_with(DUPLICATE));
    let mut line = None;
    for error in errors {
        let place = Place::of(source, &error);
        // One slip of the pen makes several errors on its line; the first tells most.
        if line == Some(place.line_start) && !whole {
            continue;
        }
        line = Some(place.line_start);
        let (diagnostic, reach) = explain(source, &error, &place);
        out.push(diagnostic);
        if reach == Reach::Rest {
            break;
        }
    }
    let span = table.span();
    whole.then(|| toml::Spanned::new(span, DeValue::Table(table.into_inner())))
}

const DUPLICATE: &str = "duplicate key";

/// How far a syntax error makes what follows unreadable.
#[derive(PartialEq)]
enum Reach {
    Line,
    Rest,
}

/// Where a syntax error stands.
struct Place<'a> {
    span: Span,
    line_start: usize,
    /// The whole line.
    line: &'a str,
    /// The line's part before `=`.
    key: &'a str,
    /// The text from the error on, to the end of the line.
    rest: &'a str,
}

impl<'a> Place<'a> {
    fn of(source: &'a Source, error: &toml::de::Error) -> Self {
        let range = error.span().unwrap_or(0..0);
        let start = source.boundary(range.start);
        let before = source.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = source.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let key = line.split('=').next().unwrap_or_default().trim();
        let rest = line.get(start - line_start..).unwrap_or_default();
        Self { span: Span::new(start, range.end.max(start)), line_start, line, key, rest }
    }
}

/// A syntax error in the user's terms.
fn explain(source: &Source, error: &toml::de::Error, place: &Place<'_>) -> (Diagnostic, Reach) {
    let message = error.message().lines().next().unwrap_or("this is not TOML");
    let at = |message: &str| Diagnostic::error(place.span, message);
    if message.starts_with(DUPLICATE) {
        return (twice(source, place), Reach::Line);
    }
    if message.contains("dotted key") || message.contains("cannot extend") {
        let word = source.snippet(place.span);
        let wrong = at(&format!("`{word}` is declared in two ways"))
            .label("it was written as `{ ... }` or by dots before, and that is all of it")
            .help("a table is written in one way: as `[a.b]`, or as `b = { ... }` below `[a]`, or as `a.b.c = ...`");
        return (wrong, Reach::Line);
    }
    if let Some(open) = open_string(place) {
        let wrong = Diagnostic::error(open, "this text is not closed")
            .label("no `\"` at its end")
            .help("a text stands between double quotes on one line, or between \"\"\" over several lines");
        return (wrong, Reach::Line);
    }
    if place.line.starts_with('[') && !message.starts_with("unclosed") && place.span.start as usize == place.line_start
    {
        let wrong = at("a `{` or `[` above this line is not closed").label("a new table begins here");
        return (wrong, Reach::Rest);
    }
    if message.starts_with("unclosed") {
        return (unclosed(message, at), Reach::Rest);
    }
    let no_keys = ["key with no value", "invalid unquoted key", "missing assignment"];
    let wrong = if no_keys.iter().any(|start| message.starts_with(start)) {
        no_key(message, place)
    } else if message.starts_with("string values must be quoted") {
        unquoted(source, place)
    } else if message.contains("escape") {
        at("this is not an escape")
            .label("in double quotes a backslash starts one")
            .help("write `\\\\` for a backslash, or put the text in single quotes, which take everything as it stands: '\\d+'")
    } else if message.starts_with("missing value")
        || (message.starts_with("invalid literal string") && !place.rest.starts_with('\''))
    {
        at("a value is missing here").label(format!("behind `{} =`", last_key(place)))
    } else if message.contains("recurs") {
        at("this is nested too deeply").label("a case needs a handful of levels")
    } else {
        match message.split_once(", expected ") {
            Some((what, expected)) => at(what).label(format!("expected {expected}")),
            None => at(message),
        }
    };
    (wrong, Reach::Line)
}

/// A key or a table that stands twice.
fn twice(source: &Source, place: &Place<'_>) -> Diagnostic {
    let word = source.snippet(place.span);
    let wrong = Diagnostic::error(place.span, format!("`{}` is declared twice", word.trim_matches('"')));
    let header = place.line.trim_start().starts_with('[');
    let wrong = match first_place(source, place) {
        Some(first) => wrong.label("again here").related(first, "first here"),
        None if header => {
            return wrong.label("it was written in another way before").help(
                "a table is written in one way: as `[a.b]`, or as `b = { ... }` below `[a]`, or as `a.b.c = ...`",
            );
        }
        None => wrong.label("again here"),
    };
    wrong.help(if header {
        "join the two tables under one header, or give one of them another name"
    } else {
        "leave one of them out, or give one of them another name"
    })
}

/// Where the key of a line, or the table of a header, was written first.
fn first_place(source: &Source, place: &Place<'_>) -> Option<Span> {
    let width = place.span.range().len();
    let until = place.span.end as usize - place.line_start;
    let written = place.line.get(..until)?.trim_start();
    let word = place.line.get(until.checked_sub(width)?..until)?;
    let same_line = place.line.get(..until - width)?;
    let inline = same_line.rmatch_indices(word).find(|(at, _)| {
        let behind = same_line.get(at + width..).unwrap_or_default().trim_start();
        behind.starts_with('=') && same_line.get(..*at).is_some_and(|before| before.ends_with(['{', ',', ' ']))
    });
    if let Some((at, _)) = inline {
        return Some(Span::new(place.line_start + at, place.line_start + at + width));
    }
    let before = source.text.get(..place.line_start)?;
    // A key is looked for below its own header only; what is found is on a line of the same beginning.
    let from = if written.starts_with('[') { 0 } else { before.rfind("\n[").map_or(0, |newline| newline + 1) };
    let mut start = before.len();
    for line in before.get(from..)?.split_inclusive('\n').rev() {
        start -= line.len();
        let indent = line.len() - line.trim_start().len();
        let same = line.trim_start().strip_prefix(written);
        if same.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '"'))) {
            let end = start + indent + written.len();
            return Some(Span::new(end - width, end));
        }
    }
    None
}

/// A text on this line that has no closing quote: the one that swallowed a `=`, else the last.
fn open_string(place: &Place<'_>) -> Option<Span> {
    if place.line.contains("\"\"\"") || place.line.contains("'''") {
        return None;
    }
    let mut quotes = Vec::new();
    let mut escaped = false;
    let mut literal = false;
    for (at, c) in place.line.char_indices() {
        match c {
            '#' if quotes.len() % 2 == 0 && !literal => break,
            '\'' if quotes.len() % 2 == 0 => literal = !literal,
            '"' if !escaped && !literal => quotes.push(at),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    if quotes.len() % 2 == 0 {
        return None;
    }
    let swallowed = quotes.chunks_exact(2).find_map(|pair| {
        let inside = place.line.get(pair[0] + 1..pair[1])?;
        inside.trim_end().ends_with('=').then(|| (pair[0], inside.find(',').map_or(inside.len(), |comma| comma)))
    });
    let (start, length) = match swallowed {
        Some((start, length)) => (start, length + 1),
        None => {
            let start = *quotes.last()?;
            (start, place.line.len() - start)
        }
    };
    let start = place.line_start + start;
    Some(Span::new(start, start + length))
}

fn unclosed(message: &str, at: impl Fn(&str) -> Diagnostic) -> Diagnostic {
    match message {
        _ if message.contains("inline table") => at("this `{` is not closed").label("expected `}`"),
        _ if message.contains("array table") => at("this header is not closed")
            .label("expected `]]`")
            .help("an item of a list of tables has two brackets on each side: `[[expect]]`"),
        _ if message.contains("array") => at("this list is not closed").label("expected `]`"),
        _ => at("this header is not closed").label("expected `]`"),
    }
}

/// Something stands where a key and `=` are expected.
fn no_key(message: &str, place: &Place<'_>) -> Diagnostic {
    let ahead = place.rest.find('=').unwrap_or(0) + place.line.len() - place.rest.len();
    let key = place.line.get(..ahead).unwrap_or(place.key).rsplit(['{', ',']).next().unwrap_or(place.key).trim();
    let key = if key.is_empty() { place.key } else { key };
    if let Some((name, _)) = place.key.split_once(':').filter(|(name, _)| !name.contains('"')) {
        let colon = place.line.find(':').unwrap_or(0) + place.line_start;
        return Diagnostic::error(Span::new(colon, colon + 1), "a key is followed by `=`")
            .label(format!("write `{} = ...`", name.trim()))
            .help("TOML has `=` where YAML and JSON have `:`");
    }
    let wrong = |message: &str| Diagnostic::error(place.span, message);
    if message.starts_with("key with no value") {
        let name = place.key.split(['{', '[', '"', ' ']).next().unwrap_or(place.key);
        return wrong("a key is followed by `=` and a value").label(format!("write `{name} = ...`"));
    }
    if place.rest.starts_with("${") {
        return wrong("a parameter has no place in a key").label("keys are never replaced: write the name itself");
    }
    wrong("this key has to be quoted")
        .label("a key without quotes has letters, digits, `-` and `_`")
        .help(format!("such as \"{}\"", key.replace('"', "")))
}

fn unquoted(source: &Source, place: &Place<'_>) -> Diagnostic {
    let word = source.snippet(place.span);
    let wrong = Diagnostic::error(place.span, format!("`{word}` is not a value"));
    match &*word.to_ascii_lowercase() {
        "true" | "yes" | "on" => wrong.label("write `true`"),
        "false" | "no" | "off" => wrong.label("write `false`"),
        _ => wrong.label(format!("a text stands in quotes: \"{word}\"")),
    }
}

/// The key just before the error.
fn last_key<'a>(place: &Place<'a>) -> &'a str {
    let before = place.line.strip_suffix(place.rest).unwrap_or(place.line).trim_end().trim_end_matches('=').trim_end();
    before.rsplit(['{', ',', ' ']).next().unwrap_or(before)
}
