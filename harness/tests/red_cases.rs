//! Every green case has a red twin in `fixtures/red-cases/`: one change, after which it fails with exactly the text told.

#[path = "red_cases/text.rs"]
mod text;
#[path = "red_cases/twin.rs"]
mod twin;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use text::{failure_text, first_difference, redacted};
use twin::Twin;

/// `netcase run`: at least one expectation failed, and nothing worse happened.
const EXIT_FAILED: i32 = 1;
/// `netcase run`: everything was skipped.
const EXIT_NOTHING: i32 = 4;

/// What became of one twin.
enum Ending {
    AsTold,
    Updated,
    Skipped,
    Wrong(String),
}

#[test]
fn every_green_case_has_red_twins_that_fail_as_told() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let update = std::env::var_os("NETCASE_UPDATE").is_some_and(|value| value == "1");
    let greens = green_cases(&root);
    let twins = files(&root.join("fixtures/red-cases"), ".red.toml");
    let mut faults = Vec::new();
    if greens.is_empty() {
        faults.push("there is no case below cases/, so this proves nothing".to_owned());
    }
    let mut covered = BTreeSet::new();
    let mut ready = Vec::new();
    for path in twins {
        match Twin::read(&path) {
            Ok(twin) if greens.contains(&twin.green) => {
                covered.insert(twin.green.clone());
                ready.push((path, twin));
            }
            Ok(twin) => faults.push(format!("{}: there is no case {}", path.display(), twin.green)),
            Err(fault) => faults.push(format!("{}: {fault}", path.display())),
        }
    }
    faults.extend(greens.difference(&covered).map(|green| format!("{green} has no red twin in fixtures/red-cases/")));
    for (path, ending) in run_all(&root, &ready, update) {
        match ending {
            Ending::AsTold => {}
            Ending::Updated => eprintln!("{}: updated", path.display()),
            Ending::Skipped => eprintln!("{}: skipped, this machine lacks what the case needs", path.display()),
            Ending::Wrong(fault) => faults.push(format!("{}: {fault}", path.display())),
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n\n"));
}

/// What the environment asks for, as `cargo test` of a case heeds it.
fn strictness() -> Vec<String> {
    if std::env::var("NETCASE_STRICT").as_deref() != Ok("1") {
        return Vec::new();
    }
    let known = std::env::var("NETCASE_MAY_LACK").unwrap_or_default();
    let known = known.split_whitespace().map(|need| format!("--may-lack={need}"));
    std::iter::once("--strict".to_owned()).chain(known).collect()
}

/// The names of all cases, as reports give them.
fn green_cases(root: &Path) -> BTreeSet<String> {
    files(&root.join("cases"), ".toml")
        .iter()
        .map(|path| path.strip_prefix(root).expect("it lies below the root").display().to_string())
        .filter(|name| !name.ends_with(".lab.toml"))
        .map(|name| name.trim_end_matches(".toml").to_owned())
        .collect()
}

/// Every file below a folder whose name ends so, in order of name; none when there is no such folder.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
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

/// Runs all twins, a few at a time for each core: they mostly wait.
fn run_all<'a>(root: &Path, twins: &'a [(PathBuf, Twin)], update: bool) -> Vec<(&'a Path, Ending)> {
    let waiting = Mutex::new(twins.iter());
    let endings = Mutex::new(Vec::new());
    let at_once = 4 * thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no thread panics with it").next();
                    let Some((path, twin)) = next else { break };
                    let ending = run(root, path, twin, update).unwrap_or_else(Ending::Wrong);
                    endings.lock().expect("no thread panics with it").push((path.as_path(), ending));
                }
            });
        }
    });
    let mut endings = endings.into_inner().expect("no thread panics with it");
    endings.sort_by_key(|(path, _)| *path);
    endings
}

fn run(root: &Path, path: &Path, twin: &Twin, update: bool) -> Result<Ending, String> {
    let case = format!("{}.toml", twin.green);
    let green = fs::read_to_string(root.join(&case)).map_err(|error| format!("{case} cannot be read: {error}"))?;
    let changed = twin.change(&green)?;
    let place = stage(root, path, &case, &changed).map_err(|error| format!("no place to run it in: {error}"))?;
    let output = Command::new(env!("CARGO_BIN_EXE_netcase"))
        .args(["run", "--color", "never", "--junit", "junit.xml", "--bundle", "never", &case])
        .args(strictness())
        .current_dir(&place)
        .output()
        .map_err(|error| format!("netcase cannot be started: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let all = format!("stdout:\n{stdout}\nstderr:\n{}", String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(EXIT_FAILED) => {}
        Some(EXIT_NOTHING) => return Ok(Ending::Skipped),
        Some(0) => return Err(format!("it passes, so the change breaks nothing\n{all}")),
        _ => return Err(format!("it should fail, but it ended with {}\n{all}", output.status)),
    }
    let text = failure_text(&stdout, &case).ok_or_else(|| format!("no failure of {case} is told\n{all}"))?;
    let found = redacted(&text);
    if found == twin.output {
        return Ok(Ending::AsTold);
    }
    if update {
        let file = fs::read_to_string(path).map_err(|error| error.to_string())?;
        fs::write(path, twin.with_output(&file, &found)?).map_err(|error| error.to_string())?;
        return Ok(Ending::Updated);
    }
    let difference = first_difference(&twin.output, &found);
    Err(format!("it fails in other words\n{difference}\nfound (NETCASE_UPDATE=1 keeps it):\n{found}\n{all}"))
}

/// A folder in which the changed case has the path of the green one, and finds beside and above it what that one finds.
fn stage(root: &Path, twin: &Path, case: &str, text: &str) -> std::io::Result<PathBuf> {
    let name = twin.strip_prefix(root).unwrap_or(twin).display().to_string().replace('/', "_");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("red-cases").join(name);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
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
    let staged = place.join(case);
    fs::write(staged, text)?;
    Ok(place)
}

#[test]
fn a_staged_case_sees_what_the_green_one_sees() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("staging");
    if root.exists() {
        fs::remove_dir_all(&root).expect("the folder of the test can be removed");
    }
    for file in ["cases/a/b/green.toml", "cases/a/b/page.html", "cases/a/other.toml", "fixtures/script.sh"] {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder can be made");
        fs::write(path, file).expect("the file can be written");
    }
    let twin = root.join("fixtures/red-cases/staging.red.toml");
    let place = stage(&root, &twin, "cases/a/b/green.toml", "changed").expect("it can be staged");
    let text = |file: &str| fs::read_to_string(place.join(file)).expect("it is there");
    assert_eq!(text("cases/a/b/green.toml"), "changed");
    for beside in ["page.html", "../other.toml", "../../../fixtures/script.sh"] {
        assert!(text(&format!("cases/a/b/{beside}")).ends_with(beside.trim_start_matches("../")), "{beside}");
    }
    assert_eq!(fs::read_to_string(root.join("cases/a/b/green.toml")).expect("it is there"), "cases/a/b/green.toml");
}
