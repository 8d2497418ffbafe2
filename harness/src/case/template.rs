//! Texts with `${name}` in them, and how they are taken apart.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::source::Spanned;

/// A text in which values are missing that the case captures while it runs. The parameters in it are replaced.
///
/// Such a text stands only where a value may come late: in `to` and `url` of a step's expectation, and in what a program
/// is given. Everywhere else the name of a captured value was refused when the file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    parts: Vec<Part>,
}

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Part {
    Text(String),
    Captured(String),
}

impl Template {
    /// The template that a text is, where values are missing in it; nothing for a text that is complete.
    pub fn of(text: &Spanned<String>) -> Option<Self> {
        let part = |token: Token| match token.kind {
            Kind::Name(name) => Part::Captured(name),
            Kind::Escape => Part::Text("${".to_owned()),
            Kind::Plain | Kind::Unclosed => Part::Text(text[token.range].to_owned()),
        };
        // A part of a text may be complete where the whole is not.
        let waits = text.span.is_open() && is_template(text);
        waits.then(|| Self { parts: tokens(text).into_iter().map(part).collect() })
    }

    /// Any text, with or without values that are missing in it.
    pub fn text(text: &Spanned<String>) -> Self {
        Self::of(text).unwrap_or_else(|| Self::from(text.value.clone()))
    }

    /// The names of the values that are missing.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Captured(name) => Some(&**name),
        })
    }

    /// The complete text; nothing while a value is still missing.
    pub fn fill<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => Some(&**text),
            Part::Captured(name) => value(name),
        });
        parts.collect()
    }
}

impl From<String> for Template {
    fn from(text: String) -> Self {
        Self { parts: vec![Part::Text(text)] }
    }
}

/// As it was written, for messages.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Captured(name) => write!(f, "${{{name}}}"),
        })
    }
}

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
    use crate::case::{Given, parse};
    use crate::diagnostic::Diagnostics;
    use crate::source::Source;

    /// What is said of a step that captures `ip`, and the target of its expectation.
    fn step(to: &str, name: &str) -> (Vec<String>, Option<Template>) {
        let text = format!(
            "title = 't'\nparams = {{ dot = '$$${{.' }}\n[[steps]]\n\
             do = [{{ run = {{ on = 'a', command = ['ip'], capture = {{ ip = {{ json = '/0' }} }} }} }}]\n\
             expect = [{{ name = '{name}', ping = {{ from = 'a', to = '{to}' }} }}]\n"
        );
        let (mut source, mut out) = (Source::new("case.toml", text), Diagnostics::default());
        let case = parse(&mut source, &Given::default(), &mut out).expect("it is read as far as it can be");
        let said = out.iter().map(|wrong| wrong.message.clone()).filter(|message| message.contains("ip`")).collect();
        let expect = case.steps.and_then(|steps| steps.items.into_iter().next()?.expect);
        let ping = expect.and_then(|list| list.items.into_iter().next()?.ping);
        (said, ping.and_then(|ping| Template::of(&ping.to.items[0])))
    }

    #[test]
    fn a_captured_value_is_awaited_in_a_target_and_refused_in_a_name() {
        let (said, template) = step("${dot}${ip}$${ip}", "n");
        assert_eq!(said, [""; 0]);
        let template = template.expect("a value is missing");
        assert_eq!(template.names().collect::<Vec<_>>(), ["ip"]);
        let value = |name: &str| (name == "ip").then_some("10.0.0.1");
        assert_eq!(template.fill(value).as_deref(), Some("$${.10.0.0.1${ip}"));
        assert_eq!(template.fill(|_| None), None);
        assert_eq!(step("$${ip}", "n").1, None);
        assert_eq!(step("a", "${ip}").0, ["`ip` is known only while the case runs"]);
    }

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
