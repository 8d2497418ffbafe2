//! `[matrix]`: one case for every combination of values.

use std::collections::HashSet;

use toml::de::{DeTable, DeValue};

use super::decode::{Decode, Value};
use super::parameters::{Given, Parameter};
use super::shape::{List, Map};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Span, Spanned};

/// The most cases that one file may stand for.
const MOST: usize = 1000;

/// What a file says of its parameters, for those who choose cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// The names of all parameters.
    pub names: Vec<String>,
    /// The combinations of the matrix in the order of the file, the last name changing first; none for a case without
    /// a matrix, or with one that is wrong.
    pub combinations: Vec<Vec<(String, String)>>,
}

/// Reads what a file declares, with these values given from outside; nothing where that cannot be read.
pub fn declared(text: &str, set: &[(String, String)]) -> Option<Declared> {
    // Most cases have no parameters, and need not be read twice.
    if !text.contains("matrix") && !text.contains("params") {
        return Some(Declared::default());
    }
    let table = DeTable::parse(text).ok()?.into_inner();
    let mut out = Diagnostics::default();
    let axes = table.get("matrix").and_then(|value| Axes::read(value, set, &mut out));
    let combinations = match axes {
        Some(axes) if !out.has_errors() => axes.combinations(),
        _ => Vec::new(),
    };
    let keys = ["params", "matrix"].into_iter().filter_map(|key| match table.get(key)?.get_ref() {
        DeValue::Table(names) => Some(names.keys().map(|name| name.get_ref().to_string())),
        _ => None,
    });
    Some(Declared { names: keys.flatten().collect(), combinations })
}

/// The names of a matrix, each with its values.
pub(super) struct Axes {
    /// The names as written, and the place of the values.
    pub(super) written: Vec<(Spanned<String>, Span)>,
    values: Vec<Vec<String>>,
}

impl Axes {
    /// Reads a matrix. A value given from outside stands instead of all values of its name.
    pub(super) fn read(value: &Value<'_>, set: &[(String, String)], out: &mut Diagnostics) -> Option<Self> {
        let map = <Map<List<Spanned<Parameter>>>>::decode(value, out)?;
        if map.entries.is_empty() {
            let empty = Diagnostic::error(map.span, "this matrix is empty");
            out.push(empty.label("`NAME = [\"one value\", \"another\"]` makes one case of each"));
            return None;
        }
        let mut axes = Self { written: Vec::new(), values: Vec::new() };
        for (name, list) in map.entries {
            let span = list.as_ref().map_or(name.span, |list| list.span);
            let values = list.map(|list| checked(&name, list, out)).unwrap_or_default();
            axes.values.push(match Given::value(set, &name) {
                Some(value) => vec![value],
                None => values,
            });
            axes.written.push((name, span));
        }
        let count = axes.values.iter().map(Vec::len).fold(1_usize, usize::saturating_mul);
        if count > MOST {
            let many = Diagnostic::error(map.span, format!("this matrix has {count} combinations"));
            out.push(many.label(format!("at most {MOST} cases in one file")));
            // The names are known all the same, and one case shows what else is wrong.
            axes.values.iter_mut().for_each(|values| values.truncate(1));
            return Some(axes);
        }
        axes.check_names(map.span, out);
        Some(axes)
    }

    /// Every combination, the last name changing first.
    pub(super) fn combinations(&self) -> Vec<Vec<(String, String)>> {
        let mut combinations = vec![Vec::new()];
        for ((name, _), values) in self.written.iter().zip(&self.values) {
            let longer = combinations.iter().flat_map(|before| {
                values.iter().map(|value| {
                    let mut combination: Vec<(String, String)> = before.clone();
                    combination.push((name.value.clone(), value.clone()));
                    combination
                })
            });
            combinations = longer.collect();
        }
        combinations
    }

    fn check_names(&self, span: Span, out: &mut Diagnostics) {
        let mut names = HashSet::new();
        let mut words = self.combinations().into_iter().map(|combination| words(&combination));
        if let Some(twice) = words.find(|words| !names.insert(words.clone())) {
            let wrong = Diagnostic::error(span, format!("two combinations are called `{twice}`"));
            out.push(wrong.label("choose values without `,` and `=`"));
        }
    }
}

/// `[name=value,other=value]`: what stands behind the name of the file.
pub fn words(combination: &[(String, String)]) -> String {
    let pairs: Vec<String> = combination.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if pairs.is_empty() { String::new() } else { format!("[{}]", pairs.join(",")) }
}

/// The values of a name, each once.
fn checked(name: &Spanned<String>, list: List<Spanned<Parameter>>, out: &mut Diagnostics) -> Vec<String> {
    if list.written == 0 {
        let empty = Diagnostic::error(list.span, format!("`{}` has no values", **name));
        out.push(empty.label("a matrix over nothing is no case at all"));
    }
    let mut values = Vec::new();
    for value in list.items {
        let text = value.value.0;
        if values.contains(&text) {
            let twice = Diagnostic::error(value.span, format!("`{text}` stands twice in this list"));
            out.push(twice.label("it would be the same case again"));
        } else if text.chars().any(char::is_control) {
            let wrong = Diagnostic::error(value.span, "this value has control characters");
            out.push(wrong.label("it becomes a part of the case's name"));
        } else {
            values.push(text);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, set: &[(&str, &str)]) -> Vec<String> {
        let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let declared = declared(text, &set).expect("it is TOML");
        declared.combinations.iter().map(|combination| words(combination)).collect()
    }

    #[test]
    fn the_last_name_changes_first() {
        let text = "[matrix]\nb = [1, true]\na = [\"x\", \"y\"]\n";
        assert_eq!(names(text, &[]), ["[b=1,a=x]", "[b=1,a=y]", "[b=true,a=x]", "[b=true,a=y]"]);
        assert_eq!(names(text, &[("a", "z"), ("c", "d")]), ["[b=1,a=z]", "[b=true,a=z]"]);
    }

    #[test]
    fn what_is_wrong_has_no_combinations() {
        for text in [
            "",
            "[params]\na = 1\n",
            "[matrix]\n",
            "[matrix]\na = []\n",
            "[matrix]\na = [1.5]\n",
            "[matrix]\na = 1\n",
            "[matrix]\na = [1, 1]\n",
            "[matrix]\na = [\"x\", \"x,b=y\"]\nb = [\"y,b=z\", \"z\"]\n",
            "matrix = 3\n",
        ] {
            assert!(names(text, &[]).is_empty(), "{text}");
        }
        assert_eq!(declared("[[matrix", &[]), None);
    }
}
