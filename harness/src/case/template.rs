//! Texts with `${name}` in them, and how they are taken apart.

use std::ops::Range;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Its bytes in the text.
    pub(super) range: Range<usize>,
}

/// What a part of a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Stands for itself.
    Plain,
    /// `$${`, which stands for `${`.
    Escape,
    /// `${...}`, with what is inside.
    Name(String),
    /// `${` without a `}` behind it.
    Unclosed,
}

/// Whether a text may have parameters in it.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("${")
}

/// Takes a text apart. The tokens cover all of it, in order.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut plain, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = text[at..].find("${") {
        let open = at + found;
        let escaped = open > plain && text.as_bytes()[open - 1] == b'$';
        let start = if escaped { open - 1 } else { open };
        let (kind, end) = match text[open + 2..].split_once('}') {
            _ if escaped => (Kind::Escape, open + 2),
            Some((name, _)) if !name.contains('\n') => (Kind::Name(name.to_owned()), open + 2 + name.len() + 1),
            _ => (Kind::Unclosed, open + 2),
        };
        if start > plain {
            tokens.push(Token { kind: Kind::Plain, range: plain..start });
        }
        tokens.push(Token { kind, range: start..end });
        (plain, at) = (end, end);
    }
    if plain < text.len() {
        tokens.push(Token { kind: Kind::Plain, range: plain..text.len() });
    }
    tokens
}

/// Whether a word can be the name of a parameter: letters, digits, `-` and `_`, of which the first is no digit and no
/// `-`.
pub fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_completely() {
        use Kind::{Escape, Name, Plain, Unclosed};
        let name = |name: &str| Name(name.to_owned());
        for (text, expected) in [
            ("", vec![]),
            ("plain $HOME $1 {x}", vec![(Plain, "plain $HOME $1 {x}")]),
            ("${a}", vec![(name("a"), "${a}")]),
            ("é${a}:${b}.", vec![(Plain, "é"), (name("a"), "${a}"), (Plain, ":"), (name("b"), "${b}"), (Plain, ".")]),
            ("$${a}", vec![(Escape, "$${"), (Plain, "a}")]),
            ("$$${a}", vec![(Plain, "$"), (Escape, "$${"), (Plain, "a}")]),
            ("${a}${b}", vec![(name("a"), "${a}"), (name("b"), "${b}")]),
            ("${a}$${b}", vec![(name("a"), "${a}"), (Escape, "$${"), (Plain, "b}")]),
            ("${}", vec![(name(""), "${}")]),
            ("${a", vec![(Unclosed, "${"), (Plain, "a")]),
            ("${a\n}", vec![(Unclosed, "${"), (Plain, "a\n}")]),
            ("${a ${b}}", vec![(name("a ${b"), "${a ${b}"), (Plain, "}")]),
        ] {
            let found: Vec<_> = tokens(text).into_iter().map(|token| (token.kind, &text[token.range])).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn names_are_words_without_operators() {
        for (word, good) in [
            ("a", true),
            ("a-b_2", true),
            ("_", true),
            ("", false),
            ("2a", false),
            ("-a", false),
            ("a+b", false),
            ("a.b", false),
            ("é", false),
        ] {
            assert_eq!(is_name(word), good, "{word}");
        }
    }
}
