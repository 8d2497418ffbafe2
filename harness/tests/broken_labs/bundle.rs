//! What netcase leaves behind of a lab that failed.

use std::fs;
use std::path::{Path, PathBuf};

use netcase::evidence::{Cause, Evidence, Explanation, Place};
use netcase::plan::Plan;
use netcase::verdict::{Explained, Probed};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One entry of `explanation.json`.
#[derive(Deserialize)]
struct Entry {
    expectation: String,
    explanation: Explanation,
}

/// The bundle of a case with one expectation, which was explained.
pub(crate) struct Bundle {
    pub(crate) plan: Plan,
    pub(crate) probed: Probed,
    pub(crate) evidence: Evidence,
    pub(crate) explanation: Explanation,
}

impl Bundle {
    /// Reads the only bundle below `reports/` of this folder.
    pub(crate) fn read(place: &Path) -> Result<Self, String> {
        let reports = place.join("reports");
        let bundles = folders(&reports)?;
        let [bundle] = bundles.as_slice() else {
            return Err(format!("{} should hold the bundle of one case, and holds {bundles:?}", reports.display()));
        };
        let mut entries: Vec<Entry> = json(&bundle.join("explanation.json"))?;
        let (Some(only), []) = (entries.pop(), entries.as_slice()) else {
            let names: Vec<&str> = entries.iter().map(|entry| entry.expectation.as_str()).collect();
            return Err(format!("{} should explain one expectation; others are {names:?}", bundle.display()));
        };
        let own = folders(bundle)?.into_iter().find(|folder| folder.join("evidence.json").is_file());
        let own = own.ok_or_else(|| format!("{} has no evidence", bundle.display()))?;
        Ok(Self {
            plan: json(&bundle.join("plan.json"))?,
            probed: json(&own.join("probed.json"))?,
            evidence: json(&own.join("evidence.json"))?,
            explanation: only.explanation,
        })
    }

    /// What is said when all of it is explained again, without the lab.
    pub(crate) fn again(&self) -> Result<Explanation, String> {
        match self.probed.explain(&self.plan, &self.evidence) {
            // Whether the second probe saw the same as the first is nothing of the evidence.
            Explained::Done(again) => Ok(Explanation { flaky: self.explanation.flaky.clone(), ..*again }),
            Explained::Asks(asks) => Err(format!("the kernels' answers to this are not in the bundle: {asks:?}")),
            Explained::SendOn(packet) => Err(format!("what became of this is not in the bundle: {packet:?}")),
        }
    }
}

fn folders(place: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(place).map_err(|error| format!("{}: {error}", place.display()))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn json<T: DeserializeOwned>(file: &Path) -> Result<T, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// The line that a cause blames, as it stands in the case; empty when it blames none.
pub(crate) fn blamed_line(case: &str, cause: &Cause) -> String {
    match &cause.blame {
        None => String::new(),
        Some(Place::File { text, .. }) => text.clone(),
        Some(Place::Case(span)) => {
            let start = case.get(..span.range().start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
            case.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use netcase::evidence::CauseKind;
    use netcase::source::Span;

    use super::*;

    #[test]
    fn the_blamed_line_is_found() {
        let case = "title = \"a\"\n\n[nodes.gate]\nforwarding = false\n";
        let start = case.find("false").expect("it stands there");
        let blame = Some(Place::Case(Span::new(start, start + 5)));
        let cause = Cause::at(CauseKind::ForwardingOff, "no".to_owned(), blame, None);
        assert_eq!(blamed_line(case, &cause), "forwarding = false");
        assert_eq!(blamed_line("", &cause), "", "the case is another one");
    }

    #[test]
    fn what_is_no_bundle_of_one_case_is_told() {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("no-bundle-{}", std::process::id()));
        let fault = || Bundle::read(&place).map(|_| ()).expect_err("there is no bundle");
        assert!(fault().contains("No such file"), "{}", fault());
        fs::create_dir_all(place.join("reports/lab")).expect("the folder can be made");
        fs::write(place.join("reports/lab/explanation.json"), "[]").expect("the file can be written");
        assert!(fault().contains("should explain one expectation"), "{}", fault());
        fs::create_dir_all(place.join("reports/other")).expect("the folder can be made");
        assert!(fault().contains("bundle of one case"), "{}", fault());
        fs::remove_dir_all(place).expect("the folder is the test's own");
    }
}
