//! TOML syntax: all errors of a file at once, and a way out of TOML's own traps.

use toml::de::{DeTable, DeValue};

use super::LARGEST_FILE;
use super::decode::Value;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Source, Span};

/// The TOML tree as far as it could be read, or nothing when there is nothing to read.
pub(super) fn parse<'a>(source: &'a Source, out: &mut Diagnostics) -> Option<Value<'a>> {
    let text = &*source.text;
    if text.len() > LARGEST_FILE {
        out.push(
            Diagnostic::error(Span::new(0, 0), format!("this file has {} bytes", text.len()))
                .label("a case has at most 1 MiB"),
        );
        return None;
    }
    if text.trim().is_empty() {
        out.push(
            Diagnostic::error(Span::new(0, 0), "this file is empty")
                .help("`netcase new` writes a commented first case"),
        );
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let broken = !errors.is_empty();
    for error in errors {
        out.push(explain(source, &error));
    }
    let span = table.span();
    // What a parser recovers from broken syntax is a guess, and complaints about a guess mislead.
    (!broken).then(|| toml::Spanned::new(span, DeValue::Table(table.into_inner())))
}

/// A syntax error in the user's terms.
fn explain(source: &Source, error: &toml::de::Error) -> Diagnostic {
    let range = error.span().unwrap_or(0..0);
    let span = Span::new(range.start, range.end.max(range.start));
    let message = error.message().lines().next().unwrap_or("this is not TOML").to_owned();
    let diagnostic = Diagnostic::error(span, message.clone());
    let line = source.text[..source.boundary(range.start)].rfind('\n').map_or(0, |newline| newline + 1);
    let rest = source.text.get(line..).unwrap_or_default().lines().next().unwrap_or_default();
    if message.contains("duplicate key") {
        return diagnostic
            .help("TOML allows each key and each table once: join the two, or give one of them another name");
    }
    if message.contains("dotted key") || message.contains("inline table") {
        return diagnostic.help(
            "a table is declared in one way only: as `[a.b]`, or as `b = { ... }` inside `[a]`, or as `a.b.c = ...`",
        );
    }
    let key = rest.split('=').next().unwrap_or_default().trim();
    if message.contains("key") && key.contains(' ') && !key.contains('"') && !key.starts_with('[') {
        return diagnostic
            .help(format!("quote a key that has other characters than letters, digits, `-`, `_`: \"{key}\""));
    }
    if message.contains("string") && message.contains("quote") || message.contains("invalid basic string") {
        return diagnostic.help("texts stand between double quotes on one line, or between \"\"\" over several lines");
    }
    diagnostic
}
