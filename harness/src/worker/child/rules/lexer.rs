//! The words of nft(8) files: statements end with lines and semicolons, but not in braces, quotes and comments.

/// A place in a text.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    /// Behind the last word of the last statement.
    pub(super) last: usize,
    /// The handle in a comment at its end.
    pub(super) handle: Option<u64>,
}

/// How a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a line, a semicolon, or the block that it stands in.
    Statement,
    /// With a brace that opens a block.
    Block,
}

/// Words that are kept of a statement: more than any has before what it is about.
const KEPT: usize = 32;

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, last: 0, handle: None }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Where the next statement of a block begins; nothing behind the last, where the block's brace is passed.
    pub(super) fn next_statement(&mut self) -> Option<usize> {
        loop {
            match self.peek()? {
                '}' => {
                    self.at += 1;
                    return None;
                }
                '#' => drop(self.comment()),
                ';' | '\\' => self.at += 1,
                space if space.is_whitespace() => self.at += space.len_utf8(),
                _ => return Some(self.at),
            }
        }
    }

    /// Reads a statement; a brace behind words of which `opens` says so ends it.
    pub(super) fn statement(&mut self, words: &mut Vec<String>, opens: impl Fn(&[String]) -> bool) -> End {
        let mut depth = 0;
        self.last = self.at;
        self.handle = None;
        while let Some(next) = self.peek() {
            match next {
                '\n' | ';' if depth == 0 => {
                    self.at += 1;
                    break;
                }
                '}' if depth == 0 => break,
                '{' if depth == 0 && opens(words) => {
                    self.last = self.at;
                    self.at += 1;
                    return End::Block;
                }
                '#' if depth == 0 => self.handle = self.comment(),
                '#' => drop(self.comment()),
                '{' | '}' => {
                    depth = if next == '{' { depth + 1 } else { depth - 1 };
                    self.pass(1);
                }
                '"' => self.quoted(words),
                // The line goes on behind it.
                '\\' => self.at += if self.text[self.at..].starts_with("\\\n") { 2 } else { 1 },
                ';' | ',' => self.pass(1),
                space if space.is_whitespace() => self.at += space.len_utf8(),
                _ => self.word(words),
            }
        }
        self.last = self.last.min(self.text.len());
        End::Statement
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn pass(&mut self, length: usize) {
        self.at += length;
        self.last = self.at;
    }

    /// Passes a comment up to the end of its line; gives the handle in it.
    fn comment(&mut self) -> Option<u64> {
        let rest = &self.text[self.at..];
        let length = rest.find('\n').unwrap_or(rest.len());
        self.at += length;
        rest[1..length].trim().strip_prefix("handle ")?.parse().ok()
    }

    /// nft(8) knows no escapes in quotes.
    fn quoted(&mut self, words: &mut Vec<String>) {
        let rest = &self.text[self.at + 1..];
        let length = rest.find('"').unwrap_or(rest.len());
        keep(words, &rest[..length]);
        self.pass((length + 2).min(rest.len() + 1));
    }

    fn word(&mut self, words: &mut Vec<String>) {
        let rest = &self.text[self.at..];
        let ends = |c: char| c.is_whitespace() || ";{}#\",\\".contains(c);
        let length = rest.find(ends).unwrap_or(rest.len());
        keep(words, &rest[..length]);
        self.pass(length);
    }
}

fn keep(words: &mut Vec<String>, word: &str) {
    if words.len() < KEPT {
        words.push(word.to_owned());
    }
}
