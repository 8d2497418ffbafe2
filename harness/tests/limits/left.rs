//! What a run left behind, and that all of it is sound and of some size only.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{Folder, told};
use crate::staging::files;

/// The most that one case may leave, and what it may print on a terminal, in bytes.
const MOST: u64 = 100 * 1024 * 1024;
const MOST_PRINTED: usize = 1024 * 1024;

/// What is left of a case called `case.toml`, which failed.
pub(crate) struct Left {
    /// What the terminal showed.
    pub(crate) text: String,
    entries: Vec<Value>,
}

impl Left {
    /// Runs the case, and looks at all that is left.
    pub(crate) fn by(folder: &Folder, case: &str, options: &[&str]) -> Self {
        fs::write(folder.0.join("case.toml"), case).expect("a file can be written");
        let output = folder.run(&[&["case.toml"], options].concat()).output().expect("netcase can be started");
        let text = String::from_utf8(output.stdout.clone()).expect("what is printed is UTF-8");
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(text.contains(", 0 errors, 0 skipped") && output.stderr.is_empty(), "{}", told(&output));
        assert!(text.len() < MOST_PRINTED, "{} bytes were printed", text.len());
        assert_eq!(odd(&text), None, "no program of the case commands a terminal");
        let failures = junit(folder);
        assert!(failures > 0 && text.contains(&format!("{failures} failed")), "{failures} failures: {text}");
        let reports = folder.0.join("reports/case");
        let entries: Vec<Value> = json(&reports.join("explanation.json"));
        sound(&reports);
        Self { text, entries }
    }

    /// The kinds of the causes of an expectation, as `explanation.json` has them, and what was cut.
    pub(crate) fn said_of(&self, expectation: &str) -> (Vec<&str>, Vec<&str>) {
        let entry = self.entries.iter().find(|entry| entry["expectation"] == expectation);
        let explanation =
            &entry.unwrap_or_else(|| panic!("{expectation} is not explained: {}", self.text))["explanation"];
        let list = |name: &str| explanation[name].as_array().expect("a list");
        let kinds = list("causes").iter().filter_map(|cause| cause["kind"].as_str()).collect();
        (kinds, list("cut").iter().filter_map(Value::as_str).collect())
    }

    /// How many expectations were explained.
    pub(crate) fn explained(&self) -> usize {
        self.entries.len()
    }
}

/// The failures that the report counts, as another reader of XML finds them.
fn junit(folder: &Folder) -> usize {
    let script = "import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
print(len(root.findall('.//failure')), len(root.findall('.//error')))";
    let output = Command::new("python3").args(["-c", script, "reports/junit.xml"]).current_dir(&folder.0).output();
    let output = output.expect("python3 can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let (failures, errors) = text.trim().split_once(' ').unwrap_or_else(|| panic!("{}", told(&output)));
    assert_eq!(errors, "0", "{}", told(&output));
    failures.parse().expect("a number")
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read(path).expect("the file is there");
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file can be read as what its name says, and all together are of some size.
fn sound(bundle: &Path) {
    let mut size = 0;
    for path in files(bundle, "") {
        size += fs::metadata(&path).expect("the file is there").len();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => drop(json::<Value>(&path)),
            Some("pcapng") => {
                let bytes = fs::read(&path).expect("the file is there");
                assert!(bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]), "{}", path.display());
            }
            _ => {
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert_eq!(odd(&text), None, "{}", path.display());
            }
        }
    }
    assert!(size < MOST, "{} has {size} bytes", bundle.display());
}

/// The first character that would do something to a terminal.
fn odd(text: &str) -> Option<char> {
    text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
}
