//! The shapes of values: numbers within limits, one or several, lists, and tables of names.

use toml::de::DeValue;

use super::decode::{Decode, Value, meant, mismatch};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Span, Spanned};

/// A whole number within limits, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> Decode for Spanned<Number<MIN, MAX>> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let expected = || format!("a whole number from {MIN} to {MAX}");
        let meant = meant(value);
        let DeValue::Integer(integer) = meant.as_ref().unwrap_or(value).get_ref() else {
            out.push(mismatch(value, &expected()));
            return None;
        };
        let parsed = u32::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok();
        match parsed.filter(|number| (MIN..=MAX).contains(number)) {
            Some(number) => Some(Self::new(Number(number), value.span().into())),
            None => {
                out.push(Diagnostic::error(
                    value.span().into(),
                    format!("expected {}, found {}", expected(), integer.as_str()),
                ));
                None
            }
        }
    }
}

impl<const MIN: u32, const MAX: u32> schemars::JsonSchema for Number<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Number{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// One value, or a list of at least one.
#[derive(Clone, Debug)]
pub struct Many<T> {
    /// The values in the order of the file.
    pub items: Vec<T>,
    /// Where the value or the list stands.
    pub span: Span,
}

impl<T: Decode> Decode for Many<T> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let span = value.span().into();
        let DeValue::Array(array) = value.get_ref() else {
            return Some(Self { items: vec![T::decode(value, out)?], span });
        };
        if array.is_empty() {
            out.push(Diagnostic::error(span, "this list is empty").label("at least one is needed here"));
            return None;
        }
        Some(Self { items: array.iter().filter_map(|item| T::decode(item, out)).collect(), span })
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Many<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMore{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// A list, possibly empty.
#[derive(Clone, Debug)]
pub struct List<T> {
    /// The readable items in the order of the file.
    pub items: Vec<T>,
    /// How many were written, readable or not.
    pub written: usize,
    /// Where the list stands.
    pub span: Span,
}

impl<T: Decode> Decode for List<T> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            let wrong = mismatch(value, "a list");
            out.push(match value.get_ref() {
                DeValue::Table(_) => {
                    wrong.help("an item of a list is written with two brackets on each side, such as `[[expect]]`")
                }
                _ => wrong.label("in brackets: `[...]`"),
            });
            // Something is there, though it cannot be read.
            return Some(Self { items: Vec::new(), written: 1, span: value.span().into() });
        };
        let items = array.iter().filter_map(|item| T::decode(item, out)).collect();
        Some(Self { items, written: array.len(), span: value.span().into() })
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "array", "items": one })
    }
}

/// A table whose keys are names that the user chose.
#[derive(Clone, Debug)]
pub struct Map<T> {
    /// Names and values in the order of the file; a value that could not be read is `None`.
    pub entries: Vec<(Spanned<String>, Option<T>)>,
    /// Where the table stands.
    pub span: Span,
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), span: Span::default() }
    }
}

impl<T: Decode> Decode for Map<T> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            out.push(mismatch(value, "a table of names"));
            return None;
        };
        let entries = table
            .iter()
            .map(|(key, value)| (Spanned::new(key.get_ref().to_string(), key.span().into()), T::decode(value, out)))
            .collect();
        Some(Self { entries, span: value.span().into() })
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Map<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": one })
    }
}
