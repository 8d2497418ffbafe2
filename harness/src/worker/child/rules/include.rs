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
        // What stands in brackets is not looked at: such files are read by nobody here, and their rules have no lines.
        names.retain(|name| {
            !name.starts_with('.') && !pattern.contains('[') && fits(name.as_bytes(), pattern.as_bytes())
        });
        names.sort();
        names
    }
}

/// Whether a name fits a pattern with `*` and `?` (glob(7)).
fn fits(name: &[u8], pattern: &[u8]) -> bool {
    match (name, pattern) {
        ([], []) => true,
        (name, [b'*', rest @ ..]) => (0..=name.len()).any(|taken| fits(&name[taken..], rest)),
        ([_, name @ ..], [b'?', rest @ ..]) => fits(name, rest),
        ([first, name @ ..], [same, rest @ ..]) if first == same => fits(name, rest),
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
        ] {
            let found = folders.included(name, "main.nft");
            assert_eq!(found.iter().map(|text| text.path.as_str()).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
