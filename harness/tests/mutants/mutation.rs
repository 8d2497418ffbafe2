//! A change that breaks a case in one way.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::Value;

use crate::topology::Topology;
use crate::tree::{Place, with};
use crate::{lines, steps};

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The other end of a link: a cable, a port of a bridge, a member of a network, the remote of a tunnel.
    Peer,
    /// An address that a node has or answers for.
    Address,
    /// A route, or a gateway.
    Route,
    /// A service.
    Service,
    /// A rule of a firewall, or a policy that drops.
    Rule,
    /// An entry of translation.
    Nat,
    /// The length of a prefix: it becomes that of one address.
    Prefix,
    /// A number of a port.
    Port,
    /// A link that is taken down.
    Link,
    /// Forwarding.
    Forwarding,
    /// A setting, a resolver.
    Setting,
    /// An action of a step.
    Action,
    /// A command of a set-up script.
    Script,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&format!("{self:?}").to_lowercase())
    }
}

/// One change of a case, and the texts of the files that it makes.
#[derive(Clone, Debug)]
pub(crate) struct Mutation {
    /// What is broken.
    pub(crate) kind: Kind,
    /// Where, and how: one of its own for each mutation of a case.
    pub(crate) name: String,
    /// The files that are different, below the root of the tree.
    pub(crate) texts: Vec<(PathBuf, String)>,
}

impl fmt::Display for Mutation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.kind, self.name)
    }
}

/// One file of a case, as a tree.
pub(crate) struct File<'a> {
    /// Below the root of the tree.
    pub(crate) path: &'a Path,
    /// What is written in it.
    pub(crate) tree: &'a Value,
}

impl File<'_> {
    /// The file without what is at a place.
    pub(crate) fn without(&self, kind: Kind, place: &Place) -> Mutation {
        self.changed(kind, format!("{place} dropped"), &with(self.tree, place, None))
    }

    /// The file with something else at a place.
    pub(crate) fn with(&self, kind: Kind, place: &Place, value: impl Into<Value>) -> Mutation {
        let value = value.into();
        let name = format!("{place} = {value}");
        self.changed(kind, name, &with(self.tree, place, Some(value)))
    }

    /// The file with another tree.
    pub(crate) fn changed(&self, kind: Kind, name: String, tree: &Value) -> Mutation {
        let text = toml::to_string(tree).expect("a tree that was read can be written");
        Mutation { kind, name, texts: vec![(self.path.to_owned(), text)] }
    }
}

/// Every single way in which a case can be broken.
pub(crate) fn mutations(root: &Path, case: &Path) -> Vec<Mutation> {
    let own = read(root, case);
    let mut files = vec![(case.to_owned(), own)];
    if let Some(lab) = files[0].1.get("topology").and_then(Value::as_str) {
        let path = case.with_file_name(lab);
        files.push((path.clone(), read(root, &path)));
    }
    let mut found = Vec::new();
    for (path, tree) in &files {
        let file = File { path, tree };
        found.extend(Topology(&file).mutations());
        found.extend(steps::mutations(&file));
        found.extend(lines::mutations(root, &file));
    }
    found
}

/// The tree of a file.
pub(crate) fn read(root: &Path, path: &Path) -> Value {
    let text = std::fs::read_to_string(root.join(path)).expect("a file of the tree can be read");
    Value::Table(text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
