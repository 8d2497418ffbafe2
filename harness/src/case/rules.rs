//! The rules of a node, as written: text of nft or of iptables, or the file that holds it.

use schemars::JsonSchema;
use toml::de::DeValue;

use super::decode::{Decode, Value, mismatch, record};
use crate::diagnostic::Diagnostics;
use crate::source::{Span, Spanned};

/// Rules, and for whom they are written where the case says.
#[derive(Clone, Debug)]
pub enum Rules {
    /// A path, or the text itself; what it is written for shows in the text.
    Plain(Spanned<String>),
    /// A path, or the text itself, of one kind.
    Of(RulesOf),
}

record! {
    /// Rules of one kind, each a path or the text itself; exactly one.
    pub struct RulesOf {
        /// For `nft -f`.
        nft("nft"): Option<Spanned<String>>,
        /// For `iptables-restore`.
        iptables("iptables"): Option<Spanned<String>>,
        /// For `ip6tables-restore`.
        ip6tables("ip6tables"): Option<Spanned<String>>,
    }
}

impl Rules {
    /// Where they stand.
    pub fn span(&self) -> Span {
        match self {
            Self::Plain(text) => text.span,
            Self::Of(of) => of.span,
        }
    }

    /// Every path or text in them.
    pub fn texts(&self) -> impl Iterator<Item = &Spanned<String>> {
        let texts = match self {
            Self::Plain(text) => [Some(text), None, None],
            Self::Of(of) => [of.nft.as_ref(), of.iptables.as_ref(), of.ip6tables.as_ref()],
        };
        texts.into_iter().flatten()
    }
}

/// Whether rules are written out, and not the path of a file: they have lines or braces.
pub fn is_inline(text: &str) -> bool {
    text.contains(['\n', '{'])
}

impl Decode for Rules {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(_) => <Spanned<String>>::decode(value, out).map(Self::Plain),
            DeValue::Table(_) => RulesOf::decode(value, out).map(Self::Of),
            _ => {
                out.push(mismatch(value, "a path, rules as text, or a table with `nft`, `iptables` or `ip6tables`"));
                None
            }
        }
    }
}

impl JsonSchema for Rules {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rules".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (text, table) = (generator.subschema_for::<String>(), generator.subschema_for::<RulesOf>());
        schemars::json_schema!({ "anyOf": [text, table] })
    }
}
