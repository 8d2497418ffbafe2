//! What the kernel says about itself: neighbours, routes, interfaces.

pub(super) mod isolated;
pub(super) mod link;
pub(super) mod listing;
mod neigh;
pub(super) mod route;

pub(super) use neigh::judge as neigh;

/// An attribute that is not as expected: `mtu is 1500, expected 1400`.
fn differs(name: &str, found: impl ToString, expected: impl ToString) -> String {
    format!("{name} is {}, expected {}", found.to_string(), expected.to_string())
}

/// Adds a difference where an attribute was asked for and is another one.
fn compare<T: PartialEq + ToString>(
    wrong: &mut Vec<(&'static str, String)>,
    name: &'static str,
    expected: Option<&T>,
    found: Option<&T>,
) {
    if let Some(expected) = expected
        && found != Some(expected)
    {
        wrong.push((name, differs(name, found.map_or("none".to_owned(), ToString::to_string), expected.to_string())));
    }
}
