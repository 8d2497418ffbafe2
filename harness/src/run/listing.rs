//! The list of cases, for other programs.

use serde::Serialize;

use super::load::load;
use super::select::CaseFile;

/// One case of the list.
#[derive(Serialize)]
struct Entry {
    name: String,
    path: String,
    title: Option<String>,
    tags: Vec<String>,
    expectations: Vec<String>,
    /// Why the case cannot be used.
    error: Option<String>,
}

/// A JSON list of cases: name, path, title, tags, the names of the expectations, and what is wrong if it is.
pub fn listing(files: &[CaseFile]) -> String {
    let entries: Vec<Entry> = files.iter().map(entry).collect();
    let json = serde_json::to_string_pretty(&entries).expect("strings can always be written as JSON");
    json + "\n"
}

fn entry(file: &CaseFile) -> Entry {
    let loaded = load(file);
    let (expectations, error) = match loaded.plan {
        Ok(plan) => (plan.expectations.into_iter().map(|expectation| expectation.name).collect(), None),
        Err(finding) => (Vec::new(), Some(finding.message)),
    };
    Entry {
        name: loaded.file.name,
        path: loaded.file.shown,
        title: loaded.title,
        tags: loaded.tags.unwrap_or_default(),
        expectations,
        error,
    }
}
