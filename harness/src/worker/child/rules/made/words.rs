//! The words of a shell's script: quotes, and what stands in them for something else (XCU 2.2 and 2.6).

use super::shell::{Lexer, Part, Word};
use super::text::Text;

impl Lexer {
    /// One character as it stands.
    pub(super) fn take(&mut self, word: &mut Word, is_quoted: bool) {
        let Some(&(c, line)) = self.chars.get(self.at) else { return };
        self.at += 1;
        match word.parts.last_mut() {
            Some(Part::Text { text, quoted }) if *quoted == is_quoted => text.push(c, line),
            _ => {
                let mut text = Text::default();
                text.push(c, line);
                word.parts.push(Part::Text { text, quoted: is_quoted });
            }
        }
    }

    pub(super) fn word(&mut self) -> Word {
        let mut word = Word { parts: Vec::new(), line: self.line() };
        while let Some(c) = self.peek(0) {
            match c {
                '\\' if self.peek(1) == Some('\n') => self.at += 2,
                '\\' => {
                    self.at += 1;
                    self.take(&mut word, true);
                }
                '\'' => self.in_single(&mut word),
                '"' => self.in_double(&mut word),
                '$' if matches!(self.peek(1), Some('\'' | '"')) => self.at += 1,
                '$' => self.dollar(&mut word, false),
                '`' => self.backquoted(&mut word, false),
                // An array.
                '(' if ends_as_assignment(&word) => {
                    self.at += 1;
                    let _ = self.balanced(')');
                    word.parts.push(Part::Unknown { quoted: true });
                }
                c if c.is_whitespace() || ";|&()<>".contains(c) => break,
                _ => self.take(&mut word, false),
            }
        }
        word
    }

    fn in_single(&mut self, word: &mut Word) {
        self.at += 1;
        word.parts.push(Part::Text { text: Text::default(), quoted: true });
        while let Some(c) = self.peek(0) {
            if c == '\'' {
                self.at += 1;
                break;
            }
            self.take(word, true);
        }
    }

    fn in_double(&mut self, word: &mut Word) {
        self.at += 1;
        word.parts.push(Part::Text { text: Text::default(), quoted: true });
        while let Some(c) = self.peek(0) {
            match c {
                '"' => {
                    self.at += 1;
                    break;
                }
                '\\' if self.peek(1) == Some('\n') => self.at += 2,
                '\\' if self.peek(1).is_some_and(|c| "$`\"\\".contains(c)) => {
                    self.at += 1;
                    self.take(word, true);
                }
                '$' => self.dollar(word, true),
                '`' => self.backquoted(word, true),
                _ => self.take(word, true),
            }
        }
    }

    pub(super) fn backquoted(&mut self, word: &mut Word, quoted: bool) {
        self.at += 1;
        let mut inner = Text::default();
        while let Some(&(c, line)) = self.chars.get(self.at) {
            self.at += 1;
            match c {
                '`' => break,
                '\\' if self.peek(0).is_some_and(|c| "$`\\".contains(c)) => {}
                _ => inner.push(c, line),
            }
        }
        self.substituted(word, inner, quoted);
    }

    fn substituted(&mut self, word: &mut Word, inner: Text, quoted: bool) {
        word.parts.push(if is_own_folder(&inner.text) { Part::Folder } else { Part::Unknown { quoted } });
        self.script.inner.push(inner);
    }

    pub(super) fn dollar(&mut self, word: &mut Word, quoted: bool) {
        match (self.peek(1), self.peek(2)) {
            (Some('('), Some('(')) => {
                self.at += 2;
                let inner = self.balanced(')').text;
                if inner.contains(['=']) || inner.contains("++") || inner.contains("--") {
                    self.count(&inner);
                }
                word.parts.push(Part::Unknown { quoted: true });
            }
            (Some('('), _) => {
                self.at += 2;
                let inner = self.balanced(')');
                self.substituted(word, inner, quoted);
            }
            (Some('{'), _) => {
                self.at += 2;
                let inner = self.balanced('}').text;
                word.parts.push(braced(&inner, quoted));
            }
            (Some(c), _) if is_of_name(c) && !c.is_ascii_digit() => {
                self.at += 1;
                let first = self.at;
                self.pass(is_of_name);
                let name = self.chars[first..self.at].iter().map(|(c, _)| *c).collect();
                word.parts.push(Part::Variable { name, quoted });
            }
            (Some('@' | '*'), _) => {
                self.at += 2;
                word.parts.push(Part::Arguments { from: 1 });
            }
            (Some(c @ '1'..='9'), _) => {
                self.at += 2;
                let number = c.to_digit(10).map_or(0, |digit| digit as usize);
                word.parts.push(Part::Argument { number, quoted });
            }
            (Some(c), _) if c.is_ascii_digit() || "#?$!-".contains(c) => {
                self.at += 2;
                word.parts.push(Part::Unknown { quoted });
            }
            _ => self.take(word, quoted),
        }
    }

    /// What stands before the sign that closes what was opened before it, which is passed; quotes may hold others, and
    /// what they hold may have quotes of its own.
    pub(super) fn balanced(&mut self, close: char) -> Text {
        let mut inner = Text::default();
        let mut open = vec![close];
        while let Some(&(c, line)) = self.chars.get(self.at) {
            self.at += 1;
            let top = open.last().copied();
            let before = inner.text.chars().next_back();
            if Some(c) == top {
                open.pop();
                if open.is_empty() {
                    break;
                }
            } else if top != Some('\'') {
                match c {
                    '\\' => {
                        inner.push(c, line);
                        let Some(&(c, line)) = self.chars.get(self.at) else { break };
                        self.at += 1;
                        inner.push(c, line);
                        continue;
                    }
                    '"' => open.push('"'),
                    '\'' if top != Some('"') => open.push('\''),
                    '(' if top != Some('"') || before == Some('$') => open.push(')'),
                    '{' if top == Some('}') || before == Some('$') => open.push('}'),
                    _ => {}
                }
            }
            inner.push(c, line);
        }
        inner
    }
}

/// What stands in `${...}`.
fn braced(inner: &str, quoted: bool) -> Part {
    let from = inner.strip_prefix(['@', '*']).map(|rest| rest.strip_prefix(':').unwrap_or("1").trim().parse::<usize>());
    match (inner, from, inner.parse()) {
        ("0%/*", _, _) => Part::Folder,
        (_, Some(Ok(from)), _) => Part::Arguments { from },
        (_, _, Ok(number)) if number > 0 => Part::Argument { number, quoted },
        (name, _, _) if name.chars().all(is_of_name) && !starts_with_digit(name) => {
            Part::Variable { name: name.to_owned(), quoted }
        }
        _ => Part::Unknown { quoted },
    }
}

pub(super) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn starts_with_digit(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty()
}

fn ends_as_assignment(word: &Word) -> bool {
    matches!(word.parts.last(), Some(Part::Text { text, quoted: false }) if text.text.ends_with('='))
}

/// `dirname "$0"`, also where the script goes there to ask.
fn is_own_folder(text: &str) -> bool {
    let plain = text.replace(['"', '\''], " ").replace("$(", " ").replace(')', " ");
    let words: Vec<&str> = plain.split_whitespace().filter(|word| *word != "--").collect();
    matches!(
        *words,
        ["dirname", "$0" | "${BASH_SOURCE[0]}" | "$BASH_SOURCE"]
            | ["cd", "dirname", "$0" | "${BASH_SOURCE[0]}" | "$BASH_SOURCE", "&&", "pwd"]
    )
}
