//! What a text must be: equal, containing, matching.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decode::{Decode, Scalar, Value, Wrong, mismatch, record};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Spanned;

/// A regular expression of the `regex` crate, known to compile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern(pub String);

impl JsonSchema for Pattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "regex" })
    }
}

impl Scalar for Pattern {
    const EXPECTED: &'static str = "a regular expression";

    fn parse(text: &str) -> Result<Self, Wrong> {
        match regex::Regex::new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => {
                let reason = error.to_string();
                let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Err(Wrong::new("this is not a regular expression", last))
            }
        }
    }
}

record! {
    /// Conditions on a text; all of those given must hold.
    pub struct Conditions {
        /// The text is exactly this.
        equals("equals"): Option<Spanned<String>>,
        /// The text contains this.
        contains("contains"): Option<Spanned<String>>,
        /// The text matches this regular expression somewhere.
        regex("regex"): Option<Spanned<Pattern>>,
    }
}

/// What a text must be: a plain string means "equal to it".
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Matcher {
    /// Exactly this text.
    Equals(String),
    /// A table of conditions.
    Conditions(Conditions),
}

impl Decode for Spanned<Matcher> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let span = value.span().into();
        match value.get_ref() {
            toml::de::DeValue::String(text) => Some(Self::new(Matcher::Equals(text.to_string()), span)),
            toml::de::DeValue::Table(table) => {
                if table.is_empty() {
                    out.push(
                        Diagnostic::error(span, "this condition is empty")
                            .label("give one of `equals`, `contains`, `regex`"),
                    );
                    return None;
                }
                Some(Self::new(Matcher::Conditions(Conditions::decode(value, out)?), span))
            }
            _ => {
                out.push(mismatch(value, "a string, or a table with `equals`, `contains` or `regex`"));
                None
            }
        }
    }
}
