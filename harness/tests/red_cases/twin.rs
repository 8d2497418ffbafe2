//! The file of a red twin.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// A green case, one change, and what is printed then.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Twin {
    /// The case, without `.toml`.
    pub(crate) green: String,
    old: String,
    new: String,
    /// The exact text, redacted; empty until it is written for the first time.
    #[serde(default)]
    pub(crate) output: String,
}

impl Twin {
    /// Reads a twin from its file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The green case with its one change.
    pub(crate) fn change(&self, green: &str) -> Result<String, String> {
        if self.old == self.new {
            return Err("`old` and `new` are the same".to_owned());
        }
        match green.matches(&self.old).count() {
            _ if self.old.is_empty() => Err("`old` is empty".to_owned()),
            1 => Ok(green.replacen(&self.old, &self.new, 1)),
            count => Err(format!("`old` must stand in {}.toml exactly once, not {count} times", self.green)),
        }
    }

    /// The text of the twin's file with another output. Everything above the output stays as it was written.
    pub(crate) fn with_output(&self, file: &str, output: &str) -> Result<String, String> {
        let end = match file.strip_prefix("output") {
            Some(_) => 0,
            None => file.find("\noutput").map_or(file.len(), |at| at + 1),
        };
        let head = file[..end].trim_end();
        let text = format!("{head}\noutput = \"\"\"\n{}\"\"\"\n", escaped(output));
        let written = Self::parse(&text)?;
        let kept = (&written.green, &written.old, &written.new) == (&self.green, &self.old, &self.new);
        if !kept || written.output != output {
            return Err("`output` must be the last key of the file".to_owned());
        }
        Ok(text)
    }
}

/// A text as it stands in a multi-line basic string: <https://toml.io/en/v1.0.0#string>.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.replace('\\', "\\\\").replace("\"\"\"", "\"\"\\\"").chars() {
        match character {
            '\n' | '\t' => escaped.push(character),
            character if character.is_control() => escaped.push_str(&format!("\\u{:04X}", u32::from(character))),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twin(old: &str, new: &str) -> Twin {
        Twin { green: "cases/a".to_owned(), old: old.to_owned(), new: new.to_owned(), output: String::new() }
    }

    #[test]
    fn the_change_matches_exactly_once() {
        for (old, new, changed) in [
            ("b", "x", Ok("a x c a")),
            ("a", "x", Err("`old` must stand in cases/a.toml exactly once, not 2 times")),
            ("d", "x", Err("`old` must stand in cases/a.toml exactly once, not 0 times")),
            ("", "x", Err("`old` is empty")),
            ("b", "b", Err("`old` and `new` are the same")),
        ] {
            assert_eq!(twin(old, new).change("a b c a"), changed.map(str::to_owned).map_err(str::to_owned));
        }
    }

    #[test]
    fn the_output_is_written_so_that_it_reads_the_same() {
        let head = "# why\ngreen = \"cases/a\"\nold = 'b'\nnew = \"x\"";
        for output in
            ["plain\n", "back\\slash \"\"\" quotes \"\n", "\u{1b}[0m\ttab \u{7f}\n", "", "\nfirst line empty\n"]
        {
            for before in ["", "\n", "\noutput = \"\"\"\nold text\n\"\"\"\n", "\n\noutput = \"one\"\n"] {
                let text = twin("b", "x").with_output(&format!("{head}{before}"), output).expect("it can be written");
                assert!(text.starts_with(&format!("{head}\noutput = ")), "{text}");
                assert_eq!(Twin::parse(&text).expect("it can be read").output, output);
            }
        }
    }

    #[test]
    fn nothing_behind_the_output_is_lost_in_silence() {
        let file = "green = \"cases/a\"\nold = \"b\"\noutput = \"one\"\nnew = \"x\"\n";
        assert!(twin("b", "x").with_output(file, "two\n").is_err());
    }

    #[test]
    fn unknown_and_missing_keys_are_refused() {
        assert!(Twin::parse("green = \"a\"\nold = \"b\"\nnew = \"c\"\nouput = \"\"").is_err());
        assert!(Twin::parse("green = \"a\"\nold = \"b\"").is_err());
        assert_eq!(Twin::parse("green = \"cases/a\"\nold = \"b\"\nnew = \"c\""), Ok(twin("b", "c")));
    }
}
