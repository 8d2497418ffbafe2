//! What can be broken in steps: each action may be missing.

use crate::mutation::{File, Kind, Mutation};
use crate::tree::{Place, get, items};

/// Every single way to break them.
pub(crate) fn mutations(file: &File<'_>) -> Vec<Mutation> {
    let mut found = Vec::new();
    for (step, _) in items(file.tree, &Place::default().key("steps")) {
        for (action, _) in items(file.tree, &step.key("do")) {
            let kind = |key: &str| get(file.tree, &action.key(key)).is_some();
            let kind = match () {
                () if kind("addr-add") => Kind::Address,
                () if kind("route-add") => Kind::Route,
                () if kind("service-start") => Kind::Service,
                () if kind("rules") => Kind::Rule,
                () => Kind::Action,
            };
            found.push(file.without(kind, &action));
        }
    }
    found
}
