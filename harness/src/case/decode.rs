//! From a TOML tree with spans to the types of a case, collecting every mistake on the way.
//!
//! serde stops at the first error; a user wants all of them. So each type says how it is read from one value
//! ([`Decode`]), and [`record!`] writes that for a table. A value that is wrong is reported and left out; what stands
//! beside it is still read, so that one run shows every mistake of the file.

use toml::de::DeValue;

use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::source::{Span, Spanned};

/// One value of the TOML tree and its place.
pub(crate) type Value<'a> = toml::Spanned<DeValue<'a>>;

/// How a type is read from one TOML value.
pub(crate) trait Decode: Sized {
    /// Reads the value; pushes what is wrong and gives `None` when nothing usable is left.
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self>;
}

/// How a type is read from a field of a table, which may be absent.
pub(crate) trait Field: Sized {
    /// Takes the field from the table.
    fn take(fields: &mut Fields<'_, '_>, key: &'static str, out: &mut Diagnostics) -> Option<Self>;
}

impl<T: Decode> Field for T {
    fn take(fields: &mut Fields<'_, '_>, key: &'static str, out: &mut Diagnostics) -> Option<Self> {
        match fields.take(key) {
            Some(value) => T::decode(value, out),
            None => {
                fields.missing(key, out);
                None
            }
        }
    }
}

impl<T: Decode> Field for Option<T> {
    fn take(fields: &mut Fields<'_, '_>, key: &'static str, out: &mut Diagnostics) -> Option<Self> {
        Some(fields.take(key).and_then(|value| T::decode(value, out)))
    }
}

/// A field that must be there, without which the rest of its table is still worth reading. Whoever has it says that it
/// is missing.
#[derive(Clone, Debug)]
pub struct Required<T>(pub Option<T>);

impl<T: Decode> Field for Required<T> {
    fn take(fields: &mut Fields<'_, '_>, key: &'static str, out: &mut Diagnostics) -> Option<Self> {
        Some(Self(fields.take(key).and_then(|value| T::decode(value, out))))
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Required<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

/// The fields of one table while they are being taken.
pub(crate) struct Fields<'a, 'i> {
    entries: Vec<(&'a toml::Spanned<toml::de::DeString<'i>>, &'a Value<'i>)>,
    keys: &'static [&'static str],
    span: Span,
}

impl<'a, 'i> Fields<'a, 'i> {
    /// The fields of a value that must be a table with these keys.
    pub(crate) fn new(value: &'a Value<'i>, keys: &'static [&'static str], out: &mut Diagnostics) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            let expected = match keys {
                [] => "an empty table: `{}`".to_owned(),
                keys => format!("a table with {}", crate::diagnostic::quoted(keys)),
            };
            out.push(mismatch(value, &expected));
            return None;
        };
        Some(Self { entries: table.iter().collect(), keys, span: value.span().into() })
    }

    fn take(&mut self, key: &str) -> Option<&'a Value<'i>> {
        let at = self.entries.iter().position(|(name, _)| name.get_ref() == key)?;
        Some(self.entries.remove(at).1)
    }

    fn missing(&self, key: &str, out: &mut Diagnostics) {
        out.push(
            Diagnostic::error(self.span, format!("`{key}` is missing"))
                .label(format!("write `{key} = ...` in this table")),
        );
    }

    /// Reports every key that nobody took.
    pub(crate) fn finish(&mut self, out: &mut Diagnostics) {
        for (name, _) in self.entries.drain(..) {
            let word = name.get_ref();
            let unknown = Diagnostic::error(name.span().into(), format!("unknown key `{word}`"));
            let place = suggest(word, self.keys.iter().copied());
            out.push(if super::TOP_KEYS.contains(&&**word) {
                unknown.label("a key of the case").help(format!(
                    "TOML gives a key to the `[table]` above it: write `{word}` above the first `[table]` of the file"
                ))
            } else if word.bytes().all(|byte| byte.is_ascii_digit()) {
                unknown
                    .label("the dot before it splits the name in two")
                    .help(format!("quote a name that has a dot in it, such as \"eth0.{word}\""))
            } else {
                unknown.label(place)
            });
        }
    }
}

/// What stands there instead of what was expected.
pub(crate) fn mismatch(value: &Value<'_>, expected: &str) -> Diagnostic {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let span = Span::from(value.span());
    if let (DeValue::String(text), true) = (value.get_ref(), span.is_made()) {
        return Diagnostic::error(span, format!("expected {expected}, found `{text}`"));
    }
    let wrong = Diagnostic::error(span, format!("expected {expected}, found {found}"));
    match value.get_ref() {
        DeValue::String(text) if expected.contains("number") && text.parse::<u64>().is_ok() => {
            wrong.label(format!("without quotes: {text}"))
        }
        DeValue::String(_) if expected.contains("`true`") => wrong.label("without quotes"),
        DeValue::Integer(number) if expected.starts_with("a duration") => {
            wrong.label(format!("in quotes and with a unit: \"{}s\"", number.as_str()))
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) if expected.starts_with("a string") => {
            wrong.label("in quotes")
        }
        DeValue::Array(_) if expected.starts_with("a table of names") => {
            wrong.label("a table has names as keys: `NAME = { ... }`")
        }
        _ => wrong,
    }
}

/// Declares a table of the format: its struct, its schema (from the doc comments), and how it is read.
///
/// A field of type `Option<T>` may be absent, any other must be there. Keys are the field names in kebab case. Of the
/// fields behind `one of` one must be there; they are optional for whoever reads the table, and its user says what is
/// wrong with none or several.
macro_rules! record {
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident ($key:literal): $ty:ty),* $(,)?
        }
        $(one of { $($(#[$choice_meta:meta])* $choice:ident ($choice_key:literal): $choice_ty:ty),* $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $vis struct $name {
            $($(#[$field_meta])* #[schemars(rename = $key)] pub $field: $ty,)*
            $($($(#[$choice_meta])* #[schemars(rename = $choice_key)] pub $choice: Option<$choice_ty>,)*)?
            /// Where the table stands.
            #[schemars(skip)]
            pub span: $crate::source::Span,
            /// Whether everything in it could be read. What is not sound was complained about already: an absent
            /// field may be there in the file, and nothing is to be concluded from its absence.
            #[schemars(skip)]
            pub sound: bool,
        }

        impl $name {
            /// Its keys.
            pub(crate) const KEYS: &'static [&'static str] = &[$($key,)* $($($choice_key),*)?];

            $(
                /// The keys of which one must be there.
                pub(crate) const CHOICES: &'static [&'static str] = &[$($choice_key),*];

                /// Which of them are, in the order of the file, and where.
                pub(crate) fn given(&self) -> Vec<(&'static str, $crate::source::Span)> {
                    let places = [$(self.$choice.as_ref().map(|it| it.span)),*];
                    let all = Self::CHOICES.iter().zip(places);
                    let mut given: Vec<_> = all.filter_map(|(key, span)| Some((*key, span?))).collect();
                    given.sort_by_key(|(_, span)| *span);
                    given
                }
            )?
        }

        impl $crate::case::decode::Decode for $name {
            fn decode(
                value: &$crate::case::decode::Value<'_>,
                out: &mut $crate::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let before = out.errors();
                let mut fields = $crate::case::decode::Fields::new(value, Self::KEYS, out)?;
                $(let $field = <$ty as $crate::case::decode::Field>::take(&mut fields, $key, out);)*
                $($(
                    let $choice = <Option<$choice_ty> as $crate::case::decode::Field>::take(&mut fields, $choice_key, out);
                )*)?
                fields.finish(out);
                Some(Self {
                    $($field: $field?,)*
                    $($($choice: $choice?,)*)?
                    span: value.span().into(),
                    sound: out.errors() == before,
                })
            }
        }
    };
}
pub(crate) use record;

/// Makes a closed set of words readable.
macro_rules! read_words {
    ($($name:ty),* $(,)?) => {$(
        impl Scalar for $name {
            const EXPECTED: &'static str = <$name>::WHAT;

            fn parse(text: &str) -> Result<Self, Wrong> {
                <$name>::from_word(text).ok_or_else(|| Wrong {
                    message: format!("unknown {} `{text}`", <$name>::WHAT),
                    label: $crate::diagnostic::suggest(text, <$name>::WORDS.iter().copied()),
                    part: None,
                })
            }
        }
    )*};
}
pub(crate) use read_words;

/// A value that is written as a string of a certain form.
pub(crate) trait Scalar: Sized {
    /// What is expected, as it reads behind "expected".
    const EXPECTED: &'static str;

    /// Reads the text.
    fn parse(text: &str) -> Result<Self, Wrong>;
}

/// What is wrong with the text of a [`Scalar`].
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) label: String,
    /// The part of the text that is wrong; without it, the whole.
    pub(crate) part: Option<std::ops::Range<usize>>,
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { message: message.into(), label: label.into(), part: None }
    }

    pub(crate) fn part(mut self, part: std::ops::Range<usize>) -> Self {
        self.part = Some(part);
        self
    }

    /// The complaint at the text that was read.
    pub(crate) fn at(self, text: &Spanned<String>) -> Diagnostic {
        let span = self.part.map_or(text.span, |part| text.part(part));
        Diagnostic::error(span, self.message).label(self.label)
    }
}

impl<T: Scalar> Decode for Spanned<T> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let DeValue::String(text) = value.get_ref() else {
            out.push(mismatch(value, T::EXPECTED));
            return None;
        };
        match T::parse(text) {
            Ok(parsed) => Some(Self::new(parsed, value.span().into())),
            Err(wrong) => {
                out.push(wrong.at(&Spanned::new(text.to_string(), value.span().into())));
                None
            }
        }
    }
}

/// The number, or the `true` or `false`, that a text stands for which parameters made: where one is wanted, that is what
/// is meant. A text that is written out stands for itself.
pub(crate) fn meant<'v>(value: &'v Value<'_>) -> Option<Value<'v>> {
    let (DeValue::String(text), true) = (value.get_ref(), Span::from(value.span()).is_made()) else { return None };
    let plain = DeValue::parse(text).ok()?.into_inner();
    matches!(plain, DeValue::Integer(_) | DeValue::Boolean(_)).then(|| toml::Spanned::new(value.span(), plain))
}

impl Decode for Spanned<bool> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let meant = meant(value);
        let DeValue::Boolean(flag) = meant.as_ref().unwrap_or(value).get_ref() else {
            out.push(mismatch(value, "`true` or `false`"));
            return None;
        };
        Some(Self::new(*flag, value.span().into()))
    }
}
