//! The cases of the tree, and folders in which a changed one stands in the place of its original.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The names of all cases, as reports give them.
pub(crate) fn green_cases(root: &Path) -> BTreeSet<String> {
    files(&root.join("cases"), ".toml")
        .iter()
        .map(|path| path.strip_prefix(root).expect("it lies below the root").display().to_string())
        .filter(|name| !name.ends_with(".lab.toml"))
        .map(|name| name.trim_end_matches(".toml").to_owned())
        .collect()
}

/// Every file below a folder whose name ends so, in order of name; none when there is no such folder.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.display().to_string().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Makes a folder in which files have other texts than in the tree, while the case, which keeps its path, finds beside
/// and above it whatever it finds there. Those files lie in the folder of the case.
pub(crate) fn stage(root: &Path, place: &Path, case: &str, texts: &[(PathBuf, String)]) -> std::io::Result<()> {
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::create_dir_all(place)?;
    let root = fs::canonicalize(root)?;
    symlink(root.join("fixtures"), place.join("fixtures"))?;
    // Each folder on the way to the case is a real one, and everything else in it a link to what the green case sees.
    let mut way = PathBuf::new();
    for part in Path::new(case).parent().into_iter().flat_map(Path::components) {
        way.push(part);
        fs::create_dir_all(place.join(&way))?;
        for entry in fs::read_dir(root.join(&way))? {
            let seen = way.join(entry?.file_name());
            // A program of the case sees nothing but the case's folder, so what lies there is no link to elsewhere.
            if Path::new(case).parent() == Some(&way) && root.join(&seen).is_file() {
                fs::copy(root.join(&seen), place.join(&seen))?;
            } else if !Path::new(case).starts_with(&seen) {
                symlink(root.join(&seen), place.join(&seen))?;
            }
        }
    }
    texts.iter().try_for_each(|(file, text)| fs::write(place.join(file), text))
}

#[test]
fn a_staged_case_sees_what_the_green_one_sees() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("staging-{}", std::process::id()));
    for file in ["cases/a/b/green.toml", "cases/a/b/page.html", "cases/a/other.toml", "fixtures/script.sh"] {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder can be made");
        fs::write(path, file).expect("the file can be written");
    }
    let (place, green) = (root.join("staged"), "cases/a/b/green.toml");
    stage(&root, &place, green, &[(green.into(), "changed".to_owned())]).expect("it can be staged");
    let text = |file: &str| fs::read_to_string(place.join(file)).expect("it is there");
    assert_eq!(text(green), "changed");
    for beside in ["page.html", "../other.toml", "../../../fixtures/script.sh"] {
        assert!(text(&format!("cases/a/b/{beside}")).ends_with(beside.trim_start_matches("../")), "{beside}");
    }
    assert_eq!(fs::read_to_string(root.join(green)).expect("it is there"), green);
    fs::remove_dir_all(root).expect("the folder of the test can be removed");
}
