//! Where the keys of a table stand, for those who know only where the table does.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};

use super::decode::Value;
use crate::source::{Source, Span};

/// The keys that say between which ends something happens, or where one looks.
const ENDS: [&str; 5] = ["from", "to", "on", "url", "get"];

/// The tables of a file by place, each with its keys and their places, value included.
#[derive(Debug, Default)]
pub struct Places {
    tables: HashMap<Span, Vec<(String, Span)>>,
}

impl Places {
    /// Reads a file; of one that is not TOML nothing is known.
    pub fn read(source: &Source) -> Self {
        let mut places = Self::default();
        if let Ok(table) = DeTable::parse(&source.text) {
            for value in table.get_ref().values() {
                places.collect(value);
            }
        }
        places
    }

    fn collect(&mut self, value: &Value<'_>) {
        match value.get_ref() {
            DeValue::Table(table) => {
                let keys = table.iter().map(|(key, value)| {
                    let (key_span, value_span): (Span, Span) = (key.span().into(), value.span().into());
                    // The value of `[a.b]` is the header itself, which ends behind the key.
                    let end = key_span.end.max(value_span.end);
                    (key.get_ref().to_string(), Span { start: key_span.start.min(value_span.start), end })
                });
                self.tables.insert(value.span().into(), keys.collect());
                table.values().for_each(|value| self.collect(value));
            }
            DeValue::Array(items) => items.iter().for_each(|value| self.collect(value)),
            _ => {}
        }
    }

    /// The first of `keys` that is written in a table, else the keys that say between which ends.
    pub fn of(&self, table: Span, keys: &[String]) -> Option<Span> {
        let written = self.tables.get(&table)?;
        let place = |key: &str| written.iter().find(|(name, _)| name == key).map(|(_, span)| *span);
        keys.iter().find_map(|key| place(key)).or_else(|| {
            let ends: Vec<Span> = ENDS.iter().filter_map(|key| place(key)).collect();
            let start = ends.iter().map(|span| span.start).min()?;
            let end = ends.iter().map(|span| span.end).max()?;
            Some(Span { start, end })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_tables_of_every_form() {
        for (text, table, keys, expected) in [
            (r#"expect = [{ ping = { from = "a", to = "b", count = 3 } }]"#, "{ from", vec!["count"], "count = 3"),
            (
                r#"expect = [{ ping = { from = "a", to = "b", count = 3 } }]"#,
                "{ from",
                vec!["lost", "count"],
                "count = 3",
            ),
            (
                r#"expect = [{ ping = { from = "a", to = "b", count = 3 } }]"#,
                "{ from",
                vec!["lost"],
                r#"from = "a", to = "b""#,
            ),
            ("[[expect]]\n[expect.ping]\nfrom = \"a\"\nto = \"b\"\n", "[expect.ping]", vec!["to"], "to = \"b\""),
        ] {
            let source = Source::new("case.toml", text);
            let places = Places::read(&source);
            let start = text.find(table).expect("the table is there");
            let (span, _) = places
                .tables
                .iter()
                .find(|(span, keys)| span.start as usize == start && !keys.is_empty())
                .expect("a table begins there");
            let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
            let place = places.of(*span, &keys).expect("something is written");
            assert_eq!(&text[place.start as usize..place.end as usize], expected);
        }
    }
}
