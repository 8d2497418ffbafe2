//! Where the bundle of a case lies: a folder called as the case is, whatever the case is called.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::report::CaseReport;

/// The longest name of a file that is made of somebody's words; file systems take 255 bytes.
const LONGEST: usize = 120;

/// The folder of a case, below that of the reports. Two cases have two, none inside of another one's, and none is
/// outside of the reports.
pub(super) fn of(report: &CaseReport, is_folder: impl Fn(&Path) -> bool) -> PathBuf {
    let file = report.path.strip_suffix(".toml").unwrap_or(&report.path);
    // A combination of a matrix may have slashes that are none of a path.
    let (file, combination) = match report.name.strip_prefix(file) {
        Some(combination) => (file, combination),
        None => (&*report.name, ""),
    };
    let (absolute, file) = match file.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, file),
    };
    let mut folder = PathBuf::new();
    if absolute {
        // A tilde stands in no name that is taken as it is.
        folder.push("absolute~");
    }
    let (parents, leaf) = file.rsplit_once('/').map_or((None, file), |(parents, leaf)| (Some(parents), leaf));
    folder.extend(parents.into_iter().flat_map(|parents| parents.split('/')).map(named));
    // Beside `nat.toml` there may be cases in `nat/`, whose bundles lie in a folder of that name.
    let ending = if is_folder(Path::new(&report.name)) { ".toml" } else { "" };
    folder.push(named(&format!("{leaf}{combination}{ending}")));
    folder
}

/// A name as a file may have it: as it is where nothing in it is odd, else with a number that tells it from others.
pub(super) fn named(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.+=,@".contains(c);
    let mut safe: String = name.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    if safe.starts_with('.') {
        safe.replace_range(..1, "-");
    }
    if safe == name && !safe.is_empty() && safe.len() <= LONGEST {
        return safe;
    }
    let end = (0..=LONGEST.min(safe.len())).rev().find(|end| safe.is_char_boundary(*end)).unwrap_or(0);
    safe.truncate(end);
    format!("{safe}~{:08x}", hash(name))
}

/// FNV-1a (draft-eastlake-fnv): stable from run to run, which the standard library's is not.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A short name of words, such as that of an expectation.
pub(super) fn slug(words: &str) -> String {
    let mut slug = String::new();
    for c in words.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 48 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "expectation".to_owned() } else { slug.to_owned() }
}

/// Names of one folder, each given once.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// The name, with a number where another one has it already.
    pub(super) fn unique(&mut self, name: &str, ending: &str) -> String {
        let mut candidate = format!("{name}{ending}");
        let mut count = 1;
        while !self.0.insert(candidate.clone()) {
            count += 1;
            candidate = format!("{name}-{count}{ending}");
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn folder(name: &str, path: &str, is_folder: bool) -> String {
        let report = CaseReport { name: name.into(), path: path.into(), ..samples::failed() };
        of(&report, |_| is_folder).display().to_string()
    }

    #[test]
    fn a_case_has_a_folder_below_that_of_the_reports() {
        for (name, path, expected) in [
            ("cases/nat", "cases/nat.toml", "cases/nat"),
            ("nat", "nat.toml", "nat"),
            ("/tmp/x/nat", "/tmp/x/nat.toml", "absolute~/tmp/x/nat"),
            ("cases/m[a=1,b=2]", "cases/m.toml", "cases/m-a=1,b=2-~"),
            ("cases/m[net=10.0.0.0/8]", "cases/m.toml", "cases/m-net=10.0.0.0-8-~"),
            ("../x", "../x.toml", "-.~"),
            ("a/../../x", "a/../../x.toml", "a/-.~"),
        ] {
            let folder = folder(name, path, false);
            assert!(folder.starts_with(expected), "{name}: {folder}");
            assert!(Path::new(&folder).components().all(|part| matches!(part, std::path::Component::Normal(_))));
        }
        assert_eq!(folder("cases/nat", "cases/nat.toml", true), "cases/nat.toml");
    }

    #[test]
    fn two_names_have_two_folders() {
        let names = ["m[net=1/8]", "m[net=1-8]", "m[net=1 8]", "m-net=1-8-", ".x", "-x", &"x".repeat(200)];
        let folders: HashSet<String> = names.iter().map(|name| named(name)).collect();
        assert_eq!(folders.len(), names.len());
        assert!(folders.iter().all(|name| name.len() < 200));
    }

    #[test]
    fn words_become_short_names() {
        assert_eq!(slug("tcp blue -> lan:7 (2)"), "tcp-blue-lan-7-2");
        assert_eq!(slug("../.."), "expectation");
        let mut names = Names::default();
        let given = [names.unique("a", ".txt"), names.unique("a", ".txt"), names.unique("b", "")];
        assert_eq!(given, ["a.txt", "a-2.txt", "b"]);
    }
}
