//! The commands of a shell's script: its words, not what it does with them (POSIX.1-2024, XCU 2).
//!
//! Any text is read, in one pass over it: what is not closed ends with the text.

use super::text::Text;
use super::words::is_of_name;

/// What a script says.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) commands: Vec<Command>,
    /// What stands in `$(...)` and in backquotes, each a script of its own.
    pub(super) inner: Vec<Text>,
    /// Names of variables that it counts with.
    pub(super) counted: Vec<String>,
}

/// A command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    pub(super) input: Option<Input>,
    /// The file that its output goes to.
    pub(super) output: Option<Word>,
    /// Whether its input is the output of the command before it.
    pub(super) piped: bool,
    /// Whether it is the name of a function, the body of which follows.
    pub(super) defines: bool,
}

/// What a command is given to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    File(Word),
    Text(Word),
}

/// A word; in quotes it may be several, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) parts: Vec<Part>,
    pub(super) line: u32,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text {
        text: Text,
        quoted: bool,
    },
    Variable {
        name: String,
        quoted: bool,
    },
    /// What only a run knows.
    Unknown {
        quoted: bool,
    },
    /// An argument of the script, or of a function, from 1.
    Argument {
        number: usize,
        quoted: bool,
    },
    /// All of them from one on.
    Arguments {
        from: usize,
    },
    /// The folder of the script itself.
    Folder,
}

/// Reads a script.
pub(super) fn read(text: &Text) -> Script {
    let chars = text.text.char_indices().map(|(at, c)| (c, text.line_at(at))).collect();
    let mut lexer = Lexer { chars, at: 0, script: Script::default(), command: Command::default(), pending: Vec::new() };
    lexer.script();
    lexer.script
}

/// Here-documents that begin behind the line.
struct Pending {
    end: String,
    raw: bool,
    tabs: bool,
    /// Which command reads it; the one that is being read where there are not as many yet.
    command: usize,
}

pub(super) struct Lexer {
    pub(super) chars: Vec<(char, u32)>,
    pub(super) at: usize,
    pub(super) script: Script,
    command: Command,
    pending: Vec<Pending>,
}

impl Lexer {
    pub(super) fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).map(|(c, _)| *c)
    }

    pub(super) fn line(&self) -> u32 {
        self.chars.get(self.at).or(self.chars.last()).map_or(1, |(_, line)| *line)
    }

    fn script(&mut self) {
        while let Some(c) = self.peek(0) {
            match c {
                '\n' => {
                    self.at += 1;
                    self.end(false);
                    self.documents();
                }
                '\\' if self.peek(1) == Some('\n') => self.at += 2,
                '#' => self.pass(|c| c != '\n'),
                '|' if self.peek(1) == Some('|') => {
                    self.at += 2;
                    self.end(false);
                }
                '|' => {
                    self.at += 1;
                    self.end(true);
                }
                '&' if self.peek(1) == Some('>') => self.at += 1,
                '(' if self.peek(1) == Some('(') => self.arithmetic(),
                '(' if self.defines() => {}
                ';' | '&' | '(' | ')' => {
                    self.at += 1;
                    self.end(false);
                }
                '<' | '>' => self.redirection(),
                c if c.is_whitespace() => self.at += 1,
                _ => {
                    let word = self.word();
                    self.command.words.push(word);
                }
            }
        }
        self.end(false);
    }

    /// Passes the parentheses behind the name of a function.
    fn defines(&mut self) -> bool {
        let blanks = self.chars[self.at + 1..].iter().take_while(|(c, _)| *c == ' ' || *c == '\t').count();
        if self.command.words.is_empty() || self.peek(1 + blanks) != Some(')') {
            return false;
        }
        self.at += blanks + 2;
        self.command.defines = true;
        self.end(false);
        true
    }

    pub(super) fn pass(&mut self, goes_on: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&goes_on) {
            self.at += 1;
        }
    }

    /// Ends a command.
    fn end(&mut self, pipes: bool) {
        let is_empty = self.command.words.is_empty() && self.command.input.is_none();
        // A pipe may end with its line.
        if is_empty && !pipes {
            return;
        }
        let next = Command { piped: pipes, ..Command::default() };
        self.script.commands.push(std::mem::replace(&mut self.command, next));
    }

    /// `((...))`: what it names may be any number afterwards.
    fn arithmetic(&mut self) {
        self.at += 1;
        let inner = self.balanced(')');
        self.count(&inner.text);
        if self.peek(0) == Some(')') {
            self.at += 1;
        }
    }

    pub(super) fn count(&mut self, text: &str) {
        let names = text.split(|c: char| !is_of_name(c)).filter(|name| !name.is_empty());
        self.script.counted.extend(names.map(str::to_owned));
    }

    fn redirection(&mut self) {
        // A number before it is the descriptor.
        let before = self.at.checked_sub(1).and_then(|before| self.chars.get(before));
        let glued = before.is_some_and(|(c, _)| c.is_ascii_digit());
        let descriptor = self.command.words.last().filter(|_| glued).and_then(|word| match &*word.parts {
            [Part::Text { text, quoted: false }] => text.text.parse::<u32>().ok(),
            _ => None,
        });
        if descriptor.is_some() {
            self.command.words.pop();
        }
        let first = self.at;
        self.pass(|c| c == '<' || c == '>');
        let sign: String = self.chars[first..self.at].iter().map(|(c, _)| *c).collect();
        let tabs = sign == "<<" && self.peek(0) == Some('-');
        let copies = self.peek(0) == Some('&');
        if tabs || copies || (sign == ">" && self.peek(0) == Some('|')) {
            self.at += 1;
        }
        if self.peek(0) == Some('(') {
            // What another command writes.
            return;
        }
        self.pass(|c| c == ' ' || c == '\t');
        if self.peek(0).is_none_or(|c| c == '\n' || ";|&()<>".contains(c)) {
            return;
        }
        let line = self.line();
        let word = self.word();
        let is_input = descriptor.unwrap_or(0) == 0;
        match &*sign {
            ">" | ">>" if !copies && descriptor.is_none_or(|it| it == 1) => self.command.output = Some(word),
            "<" if is_input && !copies => self.command.input = Some(Input::File(word)),
            "<<<" if is_input => self.command.input = Some(Input::Text(word)),
            "<<" => {
                let raw = word.parts.iter().any(|part| matches!(part, Part::Text { quoted: true, .. }));
                let end = plain(&word);
                self.pending.push(Pending { end, raw, tabs, command: self.script.commands.len() });
                if is_input {
                    self.command.input = Some(Input::Text(Word { parts: Vec::new(), line }));
                }
            }
            _ => {}
        }
    }

    /// The here-documents that begin here.
    fn documents(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            let (line, mut body) = (self.line(), Word { parts: Vec::new(), line: self.line() });
            while self.at < self.chars.len() {
                if pending.tabs {
                    self.pass(|c| c == '\t');
                }
                let rest = &self.chars[self.at..];
                let length = rest.iter().position(|(c, _)| *c == '\n').unwrap_or(rest.len());
                if rest[..length].iter().map(|(c, _)| *c).eq(pending.end.chars()) {
                    self.at += length;
                    break;
                }
                let until = (self.at + length + 1).min(self.chars.len());
                self.expanded(&mut body, until, pending.raw);
            }
            let reader = match self.script.commands.get_mut(pending.command) {
                Some(command) => command,
                None => &mut self.command,
            };
            if matches!(&reader.input, Some(Input::Text(word)) if word.parts.is_empty()) {
                reader.input = Some(Input::Text(Word { line, ..body }));
            }
        }
    }

    /// A text up to a place, or a little behind it where something is not closed before it.
    fn expanded(&mut self, word: &mut Word, until: usize, raw: bool) {
        while self.at < until {
            match self.peek(0) {
                Some('$') if !raw => self.dollar(word, true),
                Some('`') if !raw => self.backquoted(word, true),
                Some('\\') if !raw && self.peek(1) == Some('\n') => self.at += 2,
                Some('\\') if !raw && self.peek(1).is_some_and(|c| "$`\\".contains(c)) => {
                    self.at += 1;
                    self.take(word, true);
                }
                Some(_) => self.take(word, true),
                None => break,
            }
        }
    }
}

/// The text of a word without quotes; nothing for what only a run knows.
fn plain(word: &Word) -> String {
    let texts = word.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.text.as_str()),
        _ => None,
    });
    texts.collect()
}
