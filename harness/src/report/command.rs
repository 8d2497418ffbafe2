//! The command that runs one expectation again.

use crate::report::{CaseReport, TestReport};

/// `netcase explain CASE EXPECTATION`, with what else was given to the run, for a shell.
pub fn again(report: &CaseReport, test: &TestReport) -> String {
    let words = ["netcase".to_owned(), "explain".to_owned()].into_iter().chain(report.options.iter().cloned());
    // Behind `--` nothing is taken for an option.
    let dashed = [&report.name, &test.name].iter().any(|word| word.starts_with('-'));
    let words = words.chain(dashed.then(|| "--".to_owned())).chain([report.name.clone(), test.name.clone()]);
    words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it for one word.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_it_for_one_word() {
        for (word, expected) in [
            ("cases/nat", "cases/nat"),
            ("", "''"),
            ("ping a -> b", "'ping a -> b'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("a;b", "'a;b'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
