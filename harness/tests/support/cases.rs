//! Cases that a test brings as text.

use std::fs;
use std::path::PathBuf;

use netcase::case::Given;
use netcase::diagnostic::Diagnostics;
use netcase::plan::Plan;
use netcase::source::Source;

use crate::program::Folder;

/// Writes a case into a folder, and gives its path.
pub(crate) fn write(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.0.join(format!("{name}.toml"));
    fs::write(&path, text).expect("a case can be written");
    path
}

/// The plan of a case.
pub(crate) fn plan(text: &str) -> Plan {
    let mut out = Diagnostics::default();
    let mut source = Source::new("case.toml", text);
    let case = netcase::case::parse(&mut source, &Given::default(), &mut out);
    let plan = case.and_then(|case| netcase::plan::resolve(case, &mut out));
    plan.unwrap_or_else(|| panic!("the case of this test is wrong: {:?}", out.into_sorted(&source)))
}
