//! The tree of a case's text, and places in it.

use std::fmt;

use toml::Value;

/// One step down the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    /// Into a table.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// A place in the tree, as in `nodes.a.routes[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(Vec<Down>);

impl Place {
    /// The place of a key of the table that is here.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.down(Down::Key(key.to_owned()))
    }

    /// The place of several keys, each in the table of the one before.
    pub(crate) fn keys(&self, keys: &[&str]) -> Self {
        keys.iter().fold(self.clone(), |place, key| place.key(key))
    }

    /// The place of an item of the list that is here.
    pub(crate) fn item(&self, index: usize) -> Self {
        self.down(Down::Index(index))
    }

    fn down(&self, step: Down) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Down::Key(key) if index == 0 => write!(out, "{key}")?,
                Down::Key(key) => write!(out, ".{key}")?,
                Down::Index(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// What is at a place.
pub(crate) fn get<'a>(tree: &'a Value, place: &Place) -> Option<&'a Value> {
    place.0.iter().try_fold(tree, |value, step| match step {
        Down::Key(key) => value.get(key),
        Down::Index(index) => value.get(*index),
    })
}

/// The tree with another value at a place, or with none; a list whose last item goes, goes too.
pub(crate) fn with(tree: &Value, place: &Place, value: Option<Value>) -> Value {
    let mut changed = tree.clone();
    put(&mut changed, &place.0, value);
    changed
}

fn put(tree: &mut Value, steps: &[Down], new: Option<Value>) {
    let Some((step, rest)) = steps.split_first() else {
        if let Some(new) = new {
            *tree = new;
        }
        return;
    };
    let gone = rest.is_empty() && new.is_none();
    match (step, tree) {
        (Down::Key(key), Value::Table(table)) if gone => {
            table.remove(key);
        }
        (Down::Key(key), Value::Table(table)) => {
            let child = table.entry(key).or_insert_with(|| Value::Table(toml::Table::new()));
            put(child, rest, new);
            if child.as_array().is_some_and(Vec::is_empty) {
                table.remove(key);
            }
        }
        (Down::Index(index), Value::Array(items)) if gone && *index < items.len() => {
            items.remove(*index);
        }
        (Down::Index(index), Value::Array(items)) => {
            if let Some(child) = items.get_mut(*index) {
                put(child, rest, new);
            }
        }
        _ => {}
    }
}

/// The entries of a table at a place, with the place of each.
pub(crate) fn entries<'a>(tree: &'a Value, place: &Place) -> Vec<(&'a str, Place, &'a Value)> {
    let table = get(tree, place).and_then(Value::as_table).into_iter().flatten();
    table.map(|(key, value)| (key.as_str(), place.key(key), value)).collect()
}

/// The items of a list at a place, or the one value that is there instead.
pub(crate) fn items<'a>(tree: &'a Value, place: &Place) -> Vec<(Place, &'a Value)> {
    match get(tree, place) {
        Some(Value::Array(items)) => items.iter().enumerate().map(|(index, item)| (place.item(index), item)).collect(),
        Some(value) => vec![(place.clone(), value)],
        None => Vec::new(),
    }
}
