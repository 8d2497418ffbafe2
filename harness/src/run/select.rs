//! Which files are cases, and what they are called.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::GlobBuilder;

use crate::case::{self, Given, LAB_ENDING};
use crate::diagnostic::suggest;
use crate::report::LeftOut;

/// A case, and the file that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFile {
    /// The path from the base folder without `.toml`, whatever argument selected it; absolute outside that folder.
    /// Behind it `[name=value]` for a combination of a matrix.
    pub name: String,
    /// The path with `.toml`, as messages show it.
    pub shown: String,
    /// Where it is.
    pub path: PathBuf,
    /// What is given to it from outside.
    pub given: Given,
}

/// Values for parameters, by name, that go before what the files say.
pub type Set = Arc<[(String, String)]>;

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

/// Reads `NAME=VALUE`.
///
/// # Errors
/// What was expected, in words.
pub fn read_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if case::is_parameter_name(name) => Ok((name.to_owned(), value.to_owned())),
        Some((name, _)) => Err(format!("`{name}` cannot be the name of a parameter")),
        None => Err("expected NAME=VALUE".into()),
    }
}

/// Finds the cases that files, folders and patterns name; all of them are relative to `base`.
///
/// A folder stands for every `*.toml` below it but `*.lab.toml` and what is hidden. A pattern may match files and
/// folders; `*` and `?` do not cross a `/`, `**` does. A folder that is reached through a symbolic link is called by
/// its real path, so that a case has one name. A file with a matrix is one case for each combination.
pub fn select(arguments: &[PathBuf], base: &Path, set: &Set) -> Selection {
    let base = base.canonicalize().unwrap_or_else(|_| base.to_owned());
    // Files in order, each with its combinations in order.
    let mut found = BTreeMap::<PathBuf, BTreeMap<usize, CaseFile>>::new();
    let mut problems = Vec::new();
    for argument in arguments {
        match expand(argument, &base) {
            Ok(Found::Files(paths)) => found.extend(paths.into_iter().map(|path| {
                let cases = cases(&path, &base, set);
                (path, cases.into_iter().enumerate().collect())
            })),
            Ok(Found::Combination(name, path)) => match one_of(&name, &path, &base, set) {
                Ok((at, case)) => drop(found.entry(path).or_default().insert(at, case)),
                Err(message) => problems.push(Problem { argument: name, message }),
            },
            Err(message) => problems.push(Problem { argument: argument.to_string_lossy().into_owned(), message }),
        }
    }
    let cases: Vec<CaseFile> = found.into_values().flat_map(BTreeMap::into_values).collect();
    problems.extend(unknown(set, &cases));
    Selection { cases, problems, left_out: LeftOut::default() }
}

/// The case of this name below `base`, found without looking at any other file.
pub fn by_name(name: &str, base: &Path, set: &Set) -> Option<CaseFile> {
    let base = base.canonicalize().ok()?;
    let (path, _) = file_of(&base.join(name))?;
    cases(&path, &base, set).into_iter().find(|case| case.name == name)
}

/// The cases that a file holds: itself, or one for each combination of its matrix. What is wrong with a matrix is told
/// when the case is read.
fn cases(path: &Path, base: &Path, set: &Set) -> Vec<CaseFile> {
    let shown = path.strip_prefix(base).unwrap_or(path).to_string_lossy().into_owned();
    let name = shown.strip_suffix(".toml").unwrap_or(&shown).to_owned();
    let folder = path.parent().unwrap_or(path).to_owned();
    let case = |combination: Vec<(String, String)>| CaseFile {
        name: name.clone() + &case::combination_words(&combination),
        shown: shown.clone(),
        path: path.to_owned(),
        given: Given { folder: folder.clone(), set: Arc::clone(set), combination },
    };
    let combinations = declared(path, set).map(|declared| declared.combinations).unwrap_or_default();
    if combinations.is_empty() { vec![case(Vec::new())] } else { combinations.into_iter().map(case).collect() }
}

fn declared(path: &Path, set: &Set) -> Option<case::Declared> {
    case::declared(&case::read(path, "").ok()?.text, set)
}

/// The values that none of the selected cases has a parameter for; where one cannot be read, nobody knows.
fn unknown(set: &Set, cases: &[CaseFile]) -> Vec<Problem> {
    if set.is_empty() || cases.is_empty() {
        return Vec::new();
    }
    let files: BTreeSet<&Path> = cases.iter().map(|case| &*case.path).collect();
    let Some(declared) = files.into_iter().map(|path| declared(path, set)).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let known: BTreeSet<&str> = declared.iter().flat_map(|one| &one.names).map(String::as_str).collect();
    let unknown = set.iter().filter(|(name, _)| !known.contains(&**name));
    let problems = unknown.map(|(name, value)| Problem {
        argument: format!("--set {name}={value}"),
        message: match suggest(name, known.iter().copied()) {
            near if near.is_empty() => "no selected case has parameters".to_owned(),
            near => format!("no selected case has a parameter `{name}`: {near}"),
        },
    });
    problems.collect()
}

/// What an argument names.
enum Found {
    Files(BTreeSet<PathBuf>),
    /// One combination of a file's matrix, by the name of the case.
    Combination(String, PathBuf),
}

fn expand(argument: &Path, base: &Path) -> Result<Found, String> {
    let path = base.join(argument);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => {
            let folder = real(&path).map_err(|error| cannot_read(&path, &error))?;
            let mut walk = Walk::default();
            walk.folder(&folder, &mut |_, _| true)?;
            Ok(Found::Files(walk.found))
        }
        Ok(_) if path.to_string_lossy().ends_with(LAB_ENDING) => {
            Err("this is a lab file, which expects nothing: run the cases that name it as their `topology`".into())
        }
        Ok(_) => Ok(Found::Files(BTreeSet::from([real_parent(&path).map_err(|error| cannot_read(&path, &error))?]))),
        // A case's name, as reports and `list` print it.
        Err(error) => match (file_of(&path), argument.to_str().and_then(split_pattern)) {
            (Some((file, false)), _) => Ok(Found::Files(BTreeSet::from([file]))),
            (Some((file, true)), _) => Ok(Found::Combination(argument.to_string_lossy().into_owned(), file)),
            (None, Some((prefix, pattern))) => matching(&base.join(prefix), pattern).map(Found::Files),
            (None, None) if error.kind() == io::ErrorKind::NotFound => Err("there is no such file or folder".into()),
            (None, None) => Err(cannot_read(&path, &error)),
        },
    }
}

/// The file of a case's name, and whether the name has a combination behind it.
fn file_of(path: &Path) -> Option<(PathBuf, bool)> {
    let file = |path: &str| {
        let file = real_parent(&PathBuf::from(format!("{path}.toml"))).ok()?;
        (file.is_file() && is_case(&file)).then_some(file)
    };
    let path = path.to_str()?;
    let whole = file(path).map(|file| (file, false));
    let brackets = path.ends_with(']').then(|| path.match_indices('[').map(|(at, _)| at));
    whole.or_else(|| brackets?.find_map(|at| Some((file(&path[..at])?, true))))
}

/// The combination that an argument names, and its place among the others.
fn one_of(name: &str, path: &Path, base: &Path, set: &Set) -> Result<(usize, CaseFile), String> {
    let cases = cases(path, base, set);
    let words = |case: &CaseFile| case::combination_words(&case.given.combination);
    let found = cases.iter().position(|case| !case.given.combination.is_empty() && name.ends_with(&words(case)));
    match found {
        Some(at) => Ok((at, cases[at].clone())),
        None if cases.iter().all(|case| case.given.combination.is_empty()) => Err("this case has no matrix".into()),
        None => {
            let names: Vec<String> = cases.iter().map(words).collect();
            let combination = name.find('[').map_or(name, |at| &name[at..]);
            let near = suggest(combination, names.iter().map(String::as_str));
            Err(format!("this case has no such combination: {near}"))
        }
    }
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
    name.ends_with(b".toml") && !name.ends_with(LAB_ENDING.as_bytes())
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
