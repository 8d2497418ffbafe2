//! What netcase leaves behind of a lab that failed.

use std::fs;
use std::path::Path;

use netcase::evidence::{Cause, Explanation, Place};
use serde::Deserialize;

/// One entry of `explanation.json`.
#[derive(Deserialize)]
struct Explained {
    expectation: String,
    explanation: Explanation,
}

/// The causes of the one expectation that failed in this folder: `reports/CASE/explanation.json` is a list with an entry
/// for each expectation that was explained.
pub(crate) fn causes_of(place: &Path) -> Result<Vec<Cause>, String> {
    let reports = place.join("reports");
    let entries = fs::read_dir(&reports).map_err(|error| format!("{}: {error}", reports.display()))?;
    let files: Vec<_> =
        entries.flatten().map(|entry| entry.path().join("explanation.json")).filter(|file| file.is_file()).collect();
    let [file] = files.as_slice() else {
        return Err(format!("{} should hold the bundle of one case, and holds {}", reports.display(), files.len()));
    };
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut explained: Vec<Explained> =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    match (explained.pop(), explained.as_slice()) {
        (Some(only), []) => Ok(only.explanation.causes),
        (last, others) => {
            let names: Vec<&str> = others.iter().chain(&last).map(|one| one.expectation.as_str()).collect();
            Err(format!("{} should explain one expectation, and explains {names:?}", file.display()))
        }
    }
}

/// The line that a cause blames, as it stands in the folder; empty when it blames none.
pub(crate) fn blamed_line(place: &Path, name: &str, cause: &Cause) -> String {
    match &cause.blame {
        None => String::new(),
        Some(Place::File { text, .. }) => text.clone(),
        Some(Place::Case(span)) => {
            let text = fs::read_to_string(place.join(format!("{name}.toml"))).unwrap_or_default();
            let start = text.get(..span.range().start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
            text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use netcase::evidence::CauseKind;
    use netcase::source::Span;

    use super::*;

    #[test]
    fn a_bundle_is_read_and_its_line_found() {
        let case = "title = \"a\"\n\n[nodes.gate]\nforwarding = false\n";
        let start = case.find("false").expect("it stands there");
        let blame = Some(Place::Case(Span::new(start, start + 5)));
        let cause = Cause::at(CauseKind::ForwardingOff, "no".to_owned(), blame, None);
        let explanation = Explanation { causes: vec![cause], ..Explanation::default() };
        let entry = serde_json::json!({ "expectation": "ping a -> b", "explanation": explanation });
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken-labs-bundle");
        fs::create_dir_all(place.join("reports/lab")).expect("the folder can be made");
        let write = |entries: &[&serde_json::Value]| {
            let text = serde_json::to_string(entries).expect("it is JSON");
            fs::write(place.join("reports/lab/explanation.json"), text).expect("the file can be written");
            fs::write(place.join("lab.toml"), case).expect("the file can be written");
        };
        write(&[&entry]);
        let causes = causes_of(&place).expect("there is a bundle");
        assert_eq!(causes[0].kind, CauseKind::ForwardingOff);
        assert_eq!(blamed_line(&place, "lab", &causes[0]), "forwarding = false");
        write(&[&entry, &entry]);
        assert!(causes_of(&place).expect_err("there are two").contains("ping a -> b"));
        write(&[]);
        assert!(causes_of(&place).is_err(), "nothing is explained");
    }
}
