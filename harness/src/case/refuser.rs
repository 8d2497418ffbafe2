//! Who must have refused, as written: a node, or a node and a rule of it.

use schemars::JsonSchema;

use super::decode::{Decode, Value, mismatch, record};
use crate::diagnostic::Diagnostics;
use crate::source::Spanned;

record! {
    /// A node, and a rule of it.
    pub struct ByRule {
        /// The node.
        node("node"): Spanned<String>,
        /// Text that stands in the rule, as the program that loads it shows it, or as its file has it.
        rule("rule"): Option<Spanned<String>>,
    }
}

/// Who must have refused.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Refuser {
    /// A node, by whatever means.
    Node(String),
    /// A node, by a rule.
    Rule(ByRule),
}

impl Decode for Spanned<Refuser> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let span = value.span().into();
        match value.get_ref() {
            toml::de::DeValue::String(text) => Some(Self::new(Refuser::Node(text.to_string()), span)),
            toml::de::DeValue::Table(_) => Some(Self::new(Refuser::Rule(ByRule::decode(value, out)?), span)),
            _ => {
                out.push(mismatch(value, "a node, or a table with `node` and `rule`"));
                None
            }
        }
    }
}
