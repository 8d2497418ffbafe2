//! Which files nft(8) means by what a file includes.

use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A text of rules.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// Its path, as whoever names it writes it; empty for a text that stands in the case.
    pub(super) path: String,
    /// What is in it.
    pub(super) content: Rc<str>,
}

/// Finds what files include.
pub(super) trait Look {
    /// The files that a name stands for in rules whose first file has this path, each with its text, in nft's order.
    fn included(&self, name: &str, main: &str) -> Vec<Text>;
}

/// The files that a node's programs see.
pub(super) struct Folders<'a> {
    /// Where the program that loads the rules starts.
    pub(super) start: &'a Path,
    /// The text of a file.
    pub(super) read: &'a dyn Fn(&Path) -> Option<String>,
    /// The names in a folder.
    pub(super) list: &'a dyn Fn(&Path) -> Vec<String>,
}

/// A text that includes nothing.
pub(super) struct Alone;

impl Look for Alone {
    fn included(&self, _: &str, _: &str) -> Vec<Text> {
        Vec::new()
    }
}

/// Where nft looks for names without a folder, as Debian and most others build it.
const SYSTEM: &str = "/etc";

impl Look for Folders<'_> {
    /// A path is seen from where the program starts; a bare name is looked for in `/etc`, by later versions of nft also
    /// beside the first file. Where it is at both places, it is not known which is read, and none is.
    fn included(&self, name: &str, main: &str) -> Vec<Text> {
        if ["/", "./", "../"].iter().any(|start| name.starts_with(start)) {
            return self.files(name, self.start);
        }
        let own = self.start.join(main);
        let beside = own.parent().filter(|_| !main.is_empty());
        let beside = beside.map(|folder| self.files(name, folder)).unwrap_or_default();
        let system = self.files(name, Path::new(SYSTEM));
        match (system.is_empty(), beside.is_empty()) {
            (true, _) => beside,
            (_, true) => system,
            (false, false) => Vec::new(),
        }
    }
}

impl Folders<'_> {
    fn files(&self, name: &str, from: &Path) -> Vec<Text> {
        let (folder, last) =
            name.rsplit_once('/').map_or(("", name), |(_, last)| (&name[..name.len() - last.len()], last));
        let names = match last {
            "" => self.matching(&from.join(folder), "*"),
            pattern if pattern.contains(['*', '?', '[']) => self.matching(&from.join(folder), pattern),
            plain => vec![plain.to_owned()],
        };
        let read = |file: String| {
            let written = format!("{folder}{file}");
            let content = (self.read)(&plain(&from.join(&written)))?;
            Some(Text { path: written, content: content.into() })
        };
        names.into_iter().filter_map(read).collect()
    }

    /// The names in a folder that fit a pattern, in the order of glob(3).
    fn matching(&self, folder: &Path, pattern: &str) -> Vec<String> {
        let mut names = (self.list)(&plain(folder));
        let (pattern, hidden) = (letters(pattern), pattern.starts_with('.'));
        names.retain(|name| (hidden || !name.starts_with('.')) && fits(&letters(name), &pattern));
        names.sort();
        names
    }
}

fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// Whether a name fits a pattern (glob(7)). nft takes a backslash in it as it is (`GLOB_NOESCAPE`).
fn fits(name: &[char], pattern: &[char]) -> bool {
    match (name, pattern) {
        ([], []) => true,
        (name, ['*', rest @ ..]) => (0..=name.len()).any(|taken| fits(&name[taken..], rest)),
        ([_, name @ ..], ['?', rest @ ..]) => fits(name, rest),
        ([first, name @ ..], [same, rest @ ..]) => {
            match Some(rest).filter(|_| *same == '[').and_then(|set| in_set(*first, set)) {
                Some((has, behind)) => has && fits(name, behind),
                None => first == same && fits(name, rest),
            }
        }
        _ => false,
    }
}

/// Whether a character is in the set that a pattern opens, and what stands behind it; `None` where nothing closes it, so
/// that its bracket stands for itself.
fn in_set(c: char, set: &[char]) -> Option<(bool, &[char])> {
    let (not, mut rest) = match set {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut has, mut first) = (false, true);
    loop {
        rest = match rest {
            [']', behind @ ..] if !first => return Some((has != not, behind)),
            ['[', ':', behind @ ..] if class(behind).is_some() => {
                let (name, behind) = class(behind)?;
                has |= is_of_class(c, &name);
                behind
            }
            [from, '-', to, behind @ ..] if *to != ']' => {
                has |= (*from..=*to).contains(&c);
                behind
            }
            [own, behind @ ..] => {
                has |= *own == c;
                behind
            }
            [] => return None,
        };
        first = false;
    }
}

/// The name of a class, and what stands behind it.
fn class(text: &[char]) -> Option<(String, &[char])> {
    let end = text.windows(2).position(|two| two == [':', ']'])?;
    Some((text[..end].iter().collect(), &text[end + 2..]))
}

/// The classes of characters (wctype(3)) in the C locale.
fn is_of_class(c: char, class: &str) -> bool {
    match class {
        "alnum" => c.is_ascii_alphanumeric(),
        "alpha" => c.is_ascii_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "lower" => c.is_ascii_lowercase(),
        "upper" => c.is_ascii_uppercase(),
        "punct" => c.is_ascii_punctuation(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

/// A path without its `.` parts.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_nft_finds_them() {
        let files = [
            "/case/a.nft",
            "/case/sub/b.nft",
            "/case/sub/.c.nft",
            "/case/sub/d.nft",
            "/etc/e.nft",
            "/etc/both",
            "/case/both",
        ];
        let read = |path: &Path| files.iter().any(|file| Path::new(file) == path).then(String::new);
        let list = |folder: &Path| {
            let inside = files.iter().filter(|file| Path::new(file).parent() == Some(folder));
            inside.filter_map(|file| Some(Path::new(file).file_name()?.to_string_lossy().into_owned())).collect()
        };
        let folders = Folders { start: Path::new("/case"), read: &read, list: &list };
        for (name, expected) in [
            ("./a.nft", vec!["./a.nft"]),
            ("./sub/*.nft", vec!["./sub/b.nft", "./sub/d.nft"]),
            ("./sub/", vec!["./sub/b.nft", "./sub/d.nft"]),
            ("sub/?.nft", vec!["sub/b.nft", "sub/d.nft"]),
            ("/etc/e.nft", vec!["/etc/e.nft"]),
            ("e.nft", vec!["e.nft"]),
            ("both", vec![]),
            ("nothing", vec![]),
            ("./sub/[a-c].nft", vec!["./sub/b.nft"]),
            ("./sub/[!a-c].nft", vec!["./sub/d.nft"]),
        ] {
            let found = folders.included(name, "main.nft");
            assert_eq!(found.iter().map(|text| text.path.as_str()).collect::<Vec<_>>(), expected, "{name}");
        }
    }
    #[test]
    fn patterns_fit_as_glob_has_it() {
        for (pattern, fitting, others) in [
            ("[0-4]*", vec!["0", "3x"], vec!["5", "x3"]),
            ("[!0-4x]", vec!["5", "-"], vec!["0", "x", ""]),
            ("[^b]a", vec!["aa"], vec!["ba", "a"]),
            ("[]a-]", vec!["]", "a", "-"], vec!["b", "[]a-]"]),
            ("[a-]", vec!["a", "-"], vec!["b"]),
            ("[!]a]", vec!["b"], vec!["]", "a"]),
            ("[[:digit:]b]*", vec!["1", "b2"], vec!["a", ":", "d"]),
            ("[ab", vec!["[ab"], vec!["a", "b"]),
            ("\\[a]", vec!["\\a"], vec!["[a]", "a"]),
            ("?[ä]", vec!["öä"], vec!["ää!", "ä"]),
        ] {
            for name in fitting {
                assert!(fits(&letters(name), &letters(pattern)), "{pattern} {name}");
            }
            for name in others {
                assert!(!fits(&letters(name), &letters(pattern)), "{pattern} {name}");
            }
        }
    }
}
