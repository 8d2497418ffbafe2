//! Texts of which it is known where each part is written, with signs for what only a run knows.

/// Stands for a part of a word.
pub(super) const WILD: char = '\u{10FFFE}';
/// Stands for any number of words.
pub(super) const MANY: char = '\u{10FFFF}';

/// A text, and the line of its file on which each part of it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    /// Where another line begins, by offsets that rise.
    lines: Vec<(usize, u32)>,
}

impl Text {
    /// The whole of a file.
    pub(super) fn of_file(content: &str) -> Self {
        let mut text = Self::default();
        let mut line = 1;
        for c in content.chars() {
            // These stand for nothing in a file.
            text.push(if c == WILD || c == MANY { char::REPLACEMENT_CHARACTER } else { c }, line);
            line = line.saturating_add(u32::from(c == '\n'));
        }
        text
    }

    /// A text of one line.
    pub(super) fn at(line: u32, content: &str) -> Self {
        let mut text = Self::default();
        text.push_str(content, line);
        text
    }

    pub(super) fn push(&mut self, c: char, line: u32) {
        if self.lines.last().is_none_or(|(_, last)| *last != line) {
            self.lines.push((self.text.len(), line));
        }
        self.text.push(c);
    }

    pub(super) fn push_str(&mut self, content: &str, line: u32) {
        content.chars().for_each(|c| self.push(c, line));
    }

    pub(super) fn append(&mut self, other: &Self) {
        for (at, c) in other.text.char_indices() {
            self.push(c, other.line_at(at));
        }
    }

    /// The line on which the part at an offset is written.
    pub(super) fn line_at(&self, offset: usize) -> u32 {
        let behind = self.lines.partition_point(|(start, _)| *start <= offset);
        self.lines.get(behind.saturating_sub(1)).map_or(1, |(_, line)| *line)
    }
}

/// Whether a text has parts that only a run knows.
pub(super) fn is_open(text: &str) -> bool {
    text.contains([WILD, MANY])
}

/// Whether a text may be what another one with open parts stands for.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    if !is_open(pattern) {
        return pattern == text;
    }
    let mut parts = pattern.split([WILD, MANY]);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        // The earliest place leaves the most for what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_line() {
        let text = Text::of_file("a\nbä\n\nc");
        let lines: Vec<u32> = text.text.char_indices().map(|(at, _)| text.line_at(at)).collect();
        assert_eq!(lines, [1, 1, 2, 2, 2, 3, 4]);
        assert_eq!(Text::default().line_at(9), 1);
    }

    #[test]
    fn open_parts_fit_anything() {
        let of = |pattern: &str, text: &str| fits(&pattern.replace('*', &WILD.to_string()), text);
        for (pattern, text, expected) in [
            ("80", "80", true),
            ("80", "8080", false),
            ("*", "80", true),
            ("eth*", "eth0", true),
            ("eth*", "veth0", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(of(pattern, text), expected, "{pattern} {text}");
        }
    }
}
