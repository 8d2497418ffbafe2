//! Every lab of `fixtures/broken-labs/` is broken in a way that its head tells, and what netcase says of it is just that:
//! as the file stands, with other names, with other addresses, and with one more router on the way.

#[path = "broken_labs/bundle.rs"]
mod bundle;
#[path = "broken_labs/edit.rs"]
mod edit;
#[path = "broken_labs/lab.rs"]
mod lab;
#[path = "broken_labs/table.rs"]
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use bundle::{Bundle, blamed_line};
use lab::{Lab, Truth, Variant};
use netcase::evidence::{Cause, CauseKind};
use table::{CAUSES, Table};

/// How many labs there are at least of one fault, and of two.
const AT_LEAST: (usize, usize) = (60, 10);
/// `netcase run`: at least one expectation failed, and nothing worse happened.
const EXIT_FAILED: i32 = 1;
/// `netcase run`: everything was skipped.
const EXIT_NOTHING: i32 = 4;

/// One run: a lab, a variant of it, and what is mended in it.
struct Job<'a> {
    lab: &'a Lab,
    variant: Variant,
    mended: Vec<usize>,
}

#[test]
fn there_are_labs_for_every_cause() {
    let labs = labs();
    let mut faults: Vec<String> = labs.iter().flat_map(Lab::faults).collect();
    let (one, two): (Vec<&Lab>, Vec<&Lab>) = labs.iter().partition(|lab| lab.head.causes.len() == 1);
    let known: BTreeSet<CauseKind> = one.iter().map(|lab| lab.head.causes[0]).collect();
    let missing = CAUSES.iter().filter(|cause| !known.contains(cause));
    faults.extend(missing.map(|cause| format!("no lab has the one fault {}", table::word(*cause))));
    if one.len() < AT_LEAST.0 || two.len() < AT_LEAST.1 {
        faults.push(format!("there are only {} labs of one fault and {} of two", one.len(), two.len()));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_lab_is_broken_by_its_faults_and_by_nothing_else() {
    let labs = labs();
    let mut jobs = Vec::new();
    for lab in &labs {
        for variant in [Variant::Plain, Variant::Routed].into_iter().filter(|variant| lab.has(*variant)) {
            let all: Vec<usize> = (0..lab.head.mend.len()).collect();
            // Of two faults, each alone breaks the lab. What takes several changes to mend is one fault else.
            let each = all.iter().map(|mend| vec![*mend]).filter(|_| lab.head.causes.len() > 1);
            jobs.extend(each.map(|mended| Job { lab, variant, mended }));
            jobs.push(Job { lab, variant, mended: all });
        }
    }
    let faults: Vec<String> = run_all(&jobs, |job| match run(job, &[])? {
        Ran::Passed if job.mended.len() < job.lab.head.mend.len() => Err("one fault alone breaks nothing".to_owned()),
        Ran::Failed(_, output) if job.mended.len() == job.lab.head.mend.len() => {
            Err(format!("it is not mended\n{output}"))
        }
        _ => Ok(()),
    })
    .into_iter()
    .filter_map(|(job, result)| result.err().map(|fault| format!("{} {:?}: {fault}", named(job), job.mended)))
    .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n\n"));
}

#[test]
fn broken_labs_are_explained_by_what_is_broken_in_them() {
    let labs = labs();
    let variants = labs.iter().flat_map(|lab| Variant::ALL.map(|variant| (lab, variant)));
    let jobs: Vec<Job> = variants
        .filter(|(lab, variant)| lab.has(*variant))
        .map(|(lab, variant)| Job { lab, variant, mended: Vec::new() })
        .collect();
    let (mut plain, mut all) = (Table::default(), Table::default());
    let mut faults = Vec::new();
    for (job, found) in run_all(&jobs, explained) {
        let truth = job.lab.truth(job.variant);
        match found {
            Ok(None) => eprintln!("{}: skipped, this machine lacks what the case needs", named(job)),
            Ok(Some((place, causes))) => {
                let kinds: BTreeSet<CauseKind> = causes.iter().map(|cause| cause.kind).collect();
                all.count(&job.lab.head.causes, &kinds);
                if job.variant == Variant::Plain {
                    plain.count(&job.lab.head.causes, &kinds);
                }
                faults.extend(wrong(&truth, job.lab, &place, &causes).map(|fault| format!("{}: {fault}", named(job))));
            }
            Err(fault) => faults.push(format!("{}: {fault}", named(job))),
        }
    }
    println!("as the files stand:\n{plain}\nin all variants:\n{all}");
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n\n"));
}

/// Every lab, in order of name.
fn labs() -> Vec<Lab> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/broken-labs");
    let entries = fs::read_dir(folder).expect("there is a folder of broken labs");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let labs = paths.iter().map(|path| Lab::read(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display())));
    labs.collect()
}

fn named(job: &Job) -> String {
    format!("{}, {}", job.lab.name, job.variant.word())
}

/// Does this with every job, several at a time for each core: they mostly wait.
fn run_all<'a, 'b, T: Send>(jobs: &'b [Job<'a>], work: impl Fn(&Job) -> T + Sync) -> Vec<(&'b Job<'a>, T)> {
    let waiting = Mutex::new(jobs.iter().enumerate());
    let done = Mutex::new(Vec::new());
    let at_once = 8 * thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no thread panics with it").next();
                    let Some((place, job)) = next else { break };
                    let result = work(job);
                    done.lock().expect("no thread panics with it").push((place, job, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics with it");
    done.sort_by_key(|(place, _, _)| *place);
    done.into_iter().map(|(_, job, result)| (job, result)).collect()
}

/// How a run ended, when it ended well.
enum Ran {
    Passed,
    /// In this folder, and with this output.
    Failed(PathBuf, String),
    Skipped,
}

/// Runs a lab, which has one expectation: it holds, or it fails.
fn run(job: &Job, options: &[&str]) -> Result<Ran, String> {
    let place = job.lab.stage(job.variant, &job.mended)?;
    let output = Command::new(env!("CARGO_BIN_EXE_netcase"))
        .args(["run", "--color", "never", "--junit", "reports/junit.xml"])
        .args(options)
        .args(strictness())
        .arg(format!("{}.toml", job.lab.name))
        .current_dir(&place)
        .output()
        .map_err(|error| format!("netcase cannot be started: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("stdout:\n{stdout}\nstderr:\n{}", String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(0) => Ok(Ran::Passed),
        Some(EXIT_FAILED) if stdout.contains(" 0 passed, 1 failed, 0 errors,") => Ok(Ran::Failed(place, all)),
        Some(EXIT_NOTHING) => Ok(Ran::Skipped),
        _ => Err(format!("its one expectation should hold or fail, but it ended with {}\n{all}", output.status)),
    }
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

/// What netcase says of a lab, and the folder where it was run; nothing when it was skipped.
fn explained(job: &Job) -> Result<Option<(PathBuf, Vec<Cause>)>, String> {
    match run(job, &["--bundle", "always"])? {
        Ran::Passed => Err("it passes, so nothing is broken in it".to_owned()),
        Ran::Skipped => Ok(None),
        Ran::Failed(place, output) => match Bundle::read(&place).and_then(|bundle| Ok((bundle.again()?, bundle))) {
            Ok((again, bundle)) if again == bundle.explanation => Ok(Some((place, again.causes))),
            Ok((again, _)) => Err(format!("from its bundle alone another explanation comes:\n{again:#?}\n{output}")),
            Err(fault) => Err(format!("{fault}\n{output}")),
        },
    }
}

/// What is wrong with the causes found. Of two faults it may name both or none.
fn wrong<'a>(
    truth: &'a Truth,
    lab: &'a Lab,
    place: &'a Path,
    causes: &'a [Cause],
) -> impl Iterator<Item = String> + use<'a> {
    let kinds: BTreeSet<CauseKind> = causes.iter().map(|cause| cause.kind).collect();
    let right: BTreeSet<CauseKind> = lab.head.causes.iter().copied().collect();
    let said = causes.iter().map(|cause| cause.words.as_str()).collect::<Vec<_>>().join("\n");
    let mut faults = Vec::new();
    let case = fs::read_to_string(place.join(format!("{}.toml", lab.name))).unwrap_or_default();
    let nothing = causes.is_empty() && right.len() > 1;
    if kinds != right && !nothing {
        faults.push(format!("it is {}, and what is said is {}: {said}", table::words(&right), table::words(&kinds)));
    } else if !nothing {
        let missing = truth.says.iter().filter(|word| !edit::says(&said, word, &truth.names));
        faults.extend(missing.map(|word| format!("no word of `{word}` in: {said}")));
        for (kind, lines) in lab.head.causes.iter().zip(&truth.lines) {
            let of_kind = causes.iter().filter(|cause| cause.kind == *kind);
            let blamed: Vec<String> = of_kind.map(|cause| blamed_line(&case, cause)).collect();
            // What has an empty line has none to blame.
            let is_it = |blamed: &str, line: &str| blamed.is_empty() == line.is_empty() && blamed.contains(line);
            if !blamed.iter().any(|blamed| lines.iter().any(|line| is_it(blamed, line))) {
                faults.push(format!("{} should blame {lines:?}, and blames {blamed:?}", table::word(*kind)));
            }
        }
    }
    faults.into_iter()
}

#[test]
fn what_is_wrong_is_listed() {
    let labs = labs();
    let lab = |name: &str| labs.iter().find(|lab| lab.name == name).expect("there is such a lab");
    let said = |kind, words: &str| Cause::at(kind, words.to_owned(), None, None);
    let faults = |name: &str, causes: &[Cause]| -> Vec<String> {
        let lab = lab(name);
        wrong(&lab.truth(Variant::Plain), lab, Path::new("/nowhere"), causes).collect()
    };
    let off = said(CauseKind::ForwardingOff, "the gateway does not forward IPv4");
    let found = faults("forwarding-off", std::slice::from_ref(&off));
    assert!(found.len() == 2 && found[0].starts_with("no word of `gate`"), "{found:?}");
    assert!(found[1].starts_with("forwarding-off should blame [\"[nodes.gate]\"]"), "{found:?}");
    assert_eq!(faults("forwarding-off", &[])[0], "it is forwarding-off, and what is said is not known: ");
    assert_eq!(faults("two-forwarding-and-way-back", &[]), [""; 0]);
    assert!(
        faults("two-forwarding-and-way-back", &[off])[0]
            .starts_with("it is forwarding-off and no-way-back, and what is said")
    );
}
