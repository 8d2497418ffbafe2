//! Which files are cases, and what they are called.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use crate::report::LeftOut;

/// A file that holds a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFile {
    /// The path from the base folder without `.toml`, whatever argument selected it; absolute outside that folder.
    pub name: String,
    /// The same with `.toml`, as messages show it.
    pub shown: String,
    /// Where it is.
    pub path: PathBuf,
}

/// An argument that selects nothing because it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The argument.
    pub argument: String,
    /// What is wrong with it.
    pub message: String,
}

/// What the arguments select.
#[derive(Debug, Default)]
pub struct Selection {
    /// The cases, sorted by path, each once.
    pub cases: Vec<CaseFile>,
    /// The arguments that are wrong, in their order.
    pub problems: Vec<Problem>,
    /// What was not selected, when nothing was.
    pub left_out: LeftOut,
}

/// Finds the cases that files, folders and patterns name; all of them are relative to `base`.
///
/// A folder stands for every `*.toml` below it but `*.lab.toml` and what is hidden. A pattern may match files and
/// folders; `*` and `?` do not cross a `/`, `**` does. A folder that is reached through a symbolic link is called by
/// its real path, so that a case has one name.
pub fn select(arguments: &[PathBuf], base: &Path) -> Selection {
    let base = base.canonicalize().unwrap_or_else(|_| base.to_owned());
    let mut found = BTreeMap::new();
    let mut problems = Vec::new();
    for argument in arguments {
        match expand(argument, &base) {
            Ok(paths) => found.extend(paths.into_iter().map(|path| (path.clone(), case_file(path, &base)))),
            Err(message) => problems.push(Problem { argument: argument.to_string_lossy().into_owned(), message }),
        }
    }
    Selection { cases: found.into_values().collect(), problems, left_out: LeftOut::default() }
}

/// The case of this name below `base`, found without looking at any other file.
pub fn by_name(name: &str, base: &Path) -> Option<CaseFile> {
    let base = base.canonicalize().ok()?;
    let path = real_parent(&base.join(format!("{name}.toml"))).ok()?;
    (path.is_file() && is_case(&path)).then(|| case_file(path, &base)).filter(|file| file.name == name)
}

fn case_file(path: PathBuf, base: &Path) -> CaseFile {
    let shown = path.strip_prefix(base).unwrap_or(&path).to_string_lossy().into_owned();
    let name = shown.strip_suffix(".toml").unwrap_or(&shown).to_owned();
    CaseFile { name, shown, path }
}

fn expand(argument: &Path, base: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let path = base.join(argument);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => {
            let folder = real(&path).map_err(|error| cannot_read(&path, &error))?;
            let mut walk = Walk::default();
            walk.folder(&folder, &mut |_, _| true)?;
            Ok(walk.found)
        }
        Ok(_) => Ok(BTreeSet::from([real_parent(&path).map_err(|error| cannot_read(&path, &error))?])),
        Err(error) => match argument.to_str().and_then(split_pattern) {
            Some((prefix, pattern)) => matching(&base.join(prefix), pattern),
            // A case's name, as reports and `list` print it.
            None if error.kind() == io::ErrorKind::NotFound && named(&path).is_file() => {
                let file = named(&path);
                Ok(BTreeSet::from([real_parent(&file).map_err(|error| cannot_read(&file, &error))?]))
            }
            None if error.kind() == io::ErrorKind::NotFound => Err("there is no such file or folder".into()),
            None => Err(cannot_read(&path, &error)),
        },
    }
}

/// The file of a case's name.
fn named(path: &Path) -> PathBuf {
    let mut file = path.as_os_str().to_owned();
    file.push(".toml");
    file.into()
}

/// The folder before the first component with a wildcard, and the rest.
fn split_pattern(argument: &str) -> Option<(&str, &str)> {
    let wildcard = argument.find(['*', '?', '[', '{'])?;
    let start = argument[..wildcard].rfind('/').map_or(0, |slash| slash + 1);
    Some(argument.split_at(start))
}

fn matching(prefix: &Path, pattern: &str) -> Result<BTreeSet<PathBuf>, String> {
    let glob = GlobBuilder::new(pattern.trim_end_matches('/')).literal_separator(true).build();
    let matcher = glob.map_err(|error| format!("this is not a pattern: {}", error.kind()))?.compile_matcher();
    let folder = real(prefix).map_err(|error| cannot_read(prefix, &error))?;
    let mut walk = Walk::default();
    walk.folder(&folder, &mut |path, inside| {
        inside || path.strip_prefix(&folder).is_ok_and(|relative| matcher.is_match(relative))
    })?;
    if walk.found.is_empty() { Err("no case matches this pattern".into()) } else { Ok(walk.found) }
}

/// A walk through folders, in which symbolic links may lead in a circle.
#[derive(Default)]
struct Walk {
    seen: BTreeSet<PathBuf>,
    found: BTreeSet<PathBuf>,
    inside: bool,
}

impl Walk {
    /// Collects the cases that `wanted` accepts; it is told whether a folder above was already accepted.
    fn folder(&mut self, folder: &Path, wanted: &mut dyn FnMut(&Path, bool) -> bool) -> Result<(), String> {
        if !self.seen.insert(folder.to_owned()) {
            return Ok(());
        }
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = entries.map_err(|error| cannot_read(folder, &error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if path.is_dir() {
                let outside = self.inside;
                self.inside = wanted(&path, outside);
                let real = real(&path).map_err(|error| cannot_read(&path, &error))?;
                self.folder(&real, wanted)?;
                self.inside = outside;
            } else if is_case(&path) && wanted(&path, self.inside) {
                self.found.insert(path);
            }
        }
        Ok(())
    }
}

fn is_case(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.ends_with(b".toml") && !name.ends_with(b".lab.toml")
}

fn real(path: &Path) -> io::Result<PathBuf> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    path.canonicalize()
}

/// The real path of the folder, and the file's own name: a link to a case is a case of its own.
fn real_parent(path: &Path) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(real(parent)?.join(name)),
        _ => real(path),
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

#[cfg(test)]
mod tests;
