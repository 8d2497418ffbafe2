//! What is known to make no difference, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

/// A list of changes that make no difference.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    survivors: Vec<Entry>,
}

/// Changes of one case that make no difference for one reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    case: String,
    mutations: Vec<String>,
    reason: String,
}

/// The changes that make no difference, by case and name, with the reason.
pub(crate) struct Known(BTreeMap<(String, String), String>);

impl Known {
    /// Reads a list.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let list: List = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut known = BTreeMap::new();
        for entry in list.survivors {
            for mutation in entry.mutations {
                let twice = known.insert((entry.case.clone(), mutation.clone()), entry.reason.clone());
                assert!(twice.is_none(), "{}: {mutation} stands there twice", entry.case);
            }
        }
        Self(known)
    }

    /// Whether it is known that this makes no difference.
    pub(crate) fn has(&self, case: &str, name: &str) -> bool {
        self.0.contains_key(&(case.to_owned(), name.to_owned()))
    }

    /// Compares what was found with what is known; what could not be judged on this machine is neither.
    pub(crate) fn faults(&self, found: &BTreeSet<(String, String)>, open: &BTreeSet<(String, String)>) -> Vec<String> {
        let new = found.iter().filter(|key| !self.0.contains_key(key));
        let new = new.map(|(case, name)| format!("{case} does not notice: {name}"));
        let gone = self.0.iter().filter(|(key, _)| !found.contains(key) && !open.contains(key));
        let gone = gone.map(|((case, name), reason)| {
            format!("{case} notices this, or it is no longer there; take it off the list: {name} ({reason})")
        });
        let bare = self.0.iter().filter(|(_, reason)| reason.trim().is_empty());
        let bare = bare.map(|((case, name), _)| format!("{case}: {name} has no reason"));
        new.chain(gone).chain(bare).collect()
    }
}
