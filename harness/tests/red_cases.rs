//! Every green case has a red twin in `fixtures/red-cases/`: one change, after which it fails with exactly the text told.

#[path = "red_cases/causes.rs"]
mod causes;
#[path = "support/staging.rs"]
mod staging;
#[path = "red_cases/text.rs"]
mod text;
#[path = "red_cases/twin.rs"]
mod twin;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use staging::{files, green_cases, stage};
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

#[test]
fn every_cause_is_shown_by_a_red_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/red-cases");
    let document = fs::read_to_string(folder.join("README.md")).expect("the folder has a README");
    let mut outputs = BTreeMap::new();
    for path in files(&folder, ".red.toml") {
        let twin = Twin::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        outputs.insert(name.trim_end_matches(".red.toml").to_owned(), twin.output);
    }
    let faults = causes::faults(&document, &outputs);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
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
    let place = place(root, path);
    stage(root, &place, &case, &[(case.clone().into(), changed)])
        .map_err(|error| format!("no place to run it in: {error}"))?;
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

/// Where a twin is run.
fn place(root: &Path, twin: &Path) -> PathBuf {
    let name = twin.strip_prefix(root).unwrap_or(twin).display().to_string().replace('/', "_");
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("red-cases").join(name)
}
