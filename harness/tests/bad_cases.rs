//! Wrong input and its exact diagnostics: every `fixtures/bad-cases/NAME.toml` against `NAME.stderr` beside it.
//!
//! `NETCASE_UPDATE=1 cargo test --test bad_cases` rewrites the expected texts; read the difference before keeping it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use netcase::case::Given;
use netcase::diagnostic::{Diagnostics, Style};
use netcase::run::check_files;
use netcase::{case, plan};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/bad-cases")
}

/// What a user is shown about one file, with a blank line between messages.
fn diagnose(path: &Path, shown: &str) -> String {
    let mut out = Diagnostics::default();
    let source = match case::read(path, shown) {
        Ok(mut source) => {
            let given = Given { folder: folder(), ..Given::default() };
            if let Some(case) = case::parse(&mut source, &given, &mut out) {
                check_files(&case, &folder(), &mut out);
                plan::resolve(case, &mut out);
            }
            source
        }
        Err(unreadable) => {
            out.push(unreadable.diagnostic);
            unreadable.source
        }
    };
    let drawn = out.into_sorted(&source).into_iter().map(|diagnostic| diagnostic.render(&source, Style::Plain) + "\n");
    drawn.collect::<Vec<_>>().join("\n")
}

fn stems(extension: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder()).expect("fixtures/bad-cases is there");
    files
        .map(|file| file.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        // What bad cases name as their topology is no case.
        .filter(|stem| !format!("{stem}.toml").ends_with(case::LAB_ENDING))
        .collect()
}

#[test]
fn bad_cases_are_explained_exactly() {
    let update = std::env::var_os("NETCASE_UPDATE").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    let cases = stems("toml");
    assert!(!cases.is_empty(), "no bad cases found");
    for name in &cases {
        let said = diagnose(&folder().join(format!("{name}.toml")), &format!("fixtures/bad-cases/{name}.toml"));
        if said.is_empty() {
            wrong.push(format!("{name}.toml: nothing was said of it"));
            continue;
        }
        let expected = folder().join(format!("{name}.stderr"));
        if update {
            fs::write(&expected, &said).expect("fixtures/bad-cases can be written to");
            continue;
        }
        let text = fs::read_to_string(&expected).unwrap_or_default();
        if text != said {
            wrong.push(format!("{name}.stderr differs\n--- expected\n{text}\n--- said\n{said}"));
        }
    }
    wrong.extend(stems("stderr").difference(&cases).map(|name| format!("{name}.stderr has no {name}.toml")));
    assert!(wrong.is_empty(), "{}\n\n(NETCASE_UPDATE=1 rewrites the expected texts)", wrong.join("\n\n"));
}
