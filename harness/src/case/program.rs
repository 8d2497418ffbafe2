//! A program that is run to its end, as written.

use super::decode::{Decode, Value, mismatch, record};
use super::matcher::{Matcher, Pattern};
use super::scalar::Time;
use super::shape::{List, Many, Map, Number};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Spanned;
use crate::words::Stream;

record! {
    /// A program that runs as root of its node until it ends.
    pub struct Run {
        /// The node.
        on("on"): Spanned<String>,
        /// The program and its arguments; no shell.
        command("command"): List<Spanned<String>>,
        /// Environment variables beside the fixed ones.
        env("env"): Option<Map<Spanned<String>>>,
        /// What it finds on its standard input: a text, or `{ file = "..." }` from the case's folder.
        stdin("stdin"): Option<Spanned<Input>>,
        /// The folder it starts in, from the case's folder (default: that one).
        cwd("cwd"): Option<Spanned<String>>,
        /// How long it may take (default: "10s").
        timeout("timeout"): Option<Spanned<Time>>,
        /// The exit status; a list means any of these (default: 0).
        exit("exit"): Option<Many<Spanned<Number<0, 255>>>>,
        /// What it must print on standard output: a text, or a table of conditions.
        stdout("stdout"): Option<Spanned<Printed>>,
        /// What it must print on standard error.
        stderr("stderr"): Option<Spanned<Printed>>,
        /// Values taken from its output, for `${NAME}` in later targets.
        capture("capture"): Option<Map<Capture>>,
    }
}

record! {
    /// A value taken from a program's output, by `json` or `regex`.
    pub struct Capture {
        /// A JSON pointer (RFC 6901), such as `/0/addr_info/0/local`.
        json("json"): Option<Spanned<String>>,
        /// A regular expression: its first group, or all of it when it has none.
        regex("regex"): Option<Spanned<Pattern>>,
        /// "stdout" (default) or "stderr".
        from("from"): Option<Spanned<Stream>>,
    }
}

/// A text, or a file that has it.
#[derive(Clone, Debug)]
pub enum Input {
    /// The text.
    Text(String),
    /// A file, from the case's folder.
    File(Spanned<String>),
}

record! {
    /// A file with the text.
    pub struct InputFile {
        /// Its path, from the case's folder.
        file("file"): Spanned<String>,
    }
}

impl Decode for Spanned<Input> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let span = value.span().into();
        match value.get_ref() {
            toml::de::DeValue::String(text) => Some(Self::new(Input::Text(text.to_string()), span)),
            toml::de::DeValue::Table(_) => {
                InputFile::decode(value, out).map(|input| Self::new(Input::File(input.file), span))
            }
            _ => {
                out.push(mismatch(value, "a text, or `{ file = \"PATH\" }`"));
                None
            }
        }
    }
}

impl schemars::JsonSchema for Input {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Input".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let file = generator.subschema_for::<InputFile>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, file] })
    }
}

/// What a program must print: conditions on the text, and on the JSON that it is.
#[derive(Clone, Debug)]
pub struct Printed {
    /// Conditions on the text.
    pub text: Option<Spanned<Matcher>>,
    /// The value at each JSON pointer.
    pub json: Vec<(Spanned<String>, serde_json::Value)>,
}

record! {
    /// Conditions on what a program prints; all of those given must hold.
    pub struct PrintedConditions {
        /// The text is exactly this; a newline at its end does not matter.
        equals("equals"): Option<Spanned<String>>,
        /// The text contains this.
        contains("contains"): Option<Spanned<String>>,
        /// The text matches this regular expression somewhere.
        regex("regex"): Option<Spanned<Pattern>>,
        /// The text is JSON, and has these values at these JSON pointers (RFC 6901).
        json("json"): Option<Map<Json>>,
    }
}

impl Decode for Spanned<Printed> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let span = value.span().into();
        if !matches!(value.get_ref(), toml::de::DeValue::Table(_)) {
            let text = <Spanned<Matcher>>::decode(value, out)?;
            return Some(Self::new(Printed { text: Some(text), json: Vec::new() }, span));
        }
        let PrintedConditions { equals, contains, regex, json, span: _, sound } =
            PrintedConditions::decode(value, out)?;
        let text = (equals.is_some() || contains.is_some() || regex.is_some()).then(|| {
            Spanned::new(Matcher::Conditions(super::matcher::Conditions { equals, contains, regex, span, sound }), span)
        });
        if sound && text.is_none() && json.is_none() {
            let wrong = Diagnostic::error(span, "this condition is empty");
            out.push(wrong.label("give one of `equals`, `contains`, `regex`, `json`"));
            return None;
        }
        let json = json.unwrap_or_default().entries.into_iter().filter_map(|(at, value)| Some((at, value?.0)));
        Some(Self::new(Printed { text, json: json.collect() }, span))
    }
}

impl schemars::JsonSchema for Printed {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Printed".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let conditions = generator.subschema_for::<PrintedConditions>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, conditions] })
    }
}

/// A value that JSON and TOML share: a text, a number, true or false.
#[derive(Clone, Debug)]
pub struct Json(pub serde_json::Value);

impl Decode for Json {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let number = |text: &str| serde_json::from_str(&text.replace(['_', '+'], "")).ok();
        let found = match value.get_ref() {
            toml::de::DeValue::String(text) => Some(text.to_string().into()),
            toml::de::DeValue::Boolean(word) => Some((*word).into()),
            toml::de::DeValue::Integer(integer) if integer.radix() == 10 => number(integer.as_str()),
            toml::de::DeValue::Float(float) => number(float.as_str()),
            _ => None,
        };
        if found.is_none() {
            out.push(mismatch(value, "a text, a number, true or false"));
        }
        found.map(Self)
    }
}

impl schemars::JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "JsonValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"] })
    }
}
