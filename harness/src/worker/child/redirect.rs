//! Where a `Location` field leads (RFC 9110, section 10.2.2; RFC 3986, section 5.2).

/// Host and port as in the `Host` field, and path with query: the request that a redirect asks for; none where it is
/// not for HTTP.
pub(super) fn resolve(authority: &str, path: &str, location: &str) -> Option<(String, String)> {
    let location = location.split('#').next().unwrap_or_default();
    let (authority, rest) = match (scheme(location), location.strip_prefix("//")) {
        (Some((name, rest)), _) if name.eq_ignore_ascii_case("http") => split_authority(rest.strip_prefix("//")?),
        (Some(_), _) => return None,
        (None, Some(rest)) => split_authority(rest),
        (None, None) => {
            let before = path.split('?').next().unwrap_or_default();
            let path = match location.chars().next() {
                None => path.to_owned(),
                Some('/') => without_dots(location),
                Some('?') => format!("{before}{location}"),
                Some(_) => {
                    let folder = before.rfind('/').map_or("/", |slash| &before[..=slash]);
                    without_dots(&format!("{folder}{location}"))
                }
            };
            return Some((authority.to_owned(), path));
        }
    };
    let path = if rest.starts_with('/') { without_dots(rest) } else { format!("/{rest}") };
    (!authority.is_empty() && !authority.contains('@')).then(|| (authority.to_owned(), path))
}

/// The scheme before the first colon, and what follows it.
fn scheme(location: &str) -> Option<(&str, &str)> {
    let (name, rest) = location.split_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_name)).then_some((name, rest))
}

fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// A path without its `.` and `..` (RFC 3986, section 5.2.4); the query stays as it is.
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    format!("/{}{query}", kept.join("/"))
}

/// Host and port of an authority, an IPv6 address without its brackets.
pub(super) fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    match port.strip_prefix(':') {
        None => port.is_empty().then_some((host, 80)),
        Some("") => Some((host, 80)),
        Some(port) => Some((host, port.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_resolved_against_the_request() {
        for (location, authority, path) in [
            ("sub", "b:8000", "/a/sub"),
            ("sub?y=/..", "b:8000", "/a/sub?y=/.."),
            ("../x/./y", "b:8000", "/x/y"),
            ("../../..", "b:8000", "/"),
            (".", "b:8000", "/a/"),
            ("/ok#part", "b:8000", "/ok"),
            ("?z=2", "b:8000", "/a/rel?z=2"),
            ("", "b:8000", "/a/rel?q=1"),
            ("//c:81/ok", "c:81", "/ok"),
            ("http://b:8000?x=1", "b:8000", "/?x=1"),
            ("HTTP://c", "c", "/"),
            ("/login?to=http://c/", "b:8000", "/login?to=http://c/"),
        ] {
            let found = resolve("b:8000", "/a/rel?q=1", location);
            assert_eq!(found, Some((authority.to_owned(), path.to_owned())), "{location}");
        }
        for location in ["https://c/", "mailto:c", "http:c", "http://", "//u@c/"] {
            assert_eq!(resolve("b:8000", "/", location), None, "{location}");
        }
    }

    #[test]
    fn an_authority_has_a_host_and_a_port() {
        assert_eq!(host_and_port("b"), Some(("b", 80)));
        assert_eq!(host_and_port("b:81"), Some(("b", 81)));
        assert_eq!(host_and_port("[fd00::1]"), Some(("fd00::1", 80)));
        assert_eq!(host_and_port("[fd00::1]:81"), Some(("fd00::1", 81)));
        assert_eq!(host_and_port("b:x"), None);
        assert_eq!(host_and_port("[fd00::1]x"), None);
    }
}
