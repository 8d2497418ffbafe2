//! A worker that hangs, floods, dies or talks nonsense becomes an error that says what happened last, and a machine
//! that lacks what a worker needs is told with its remedy: nothing of all this is ever a pass.

#[path = "support/cases.rs"]
mod cases;
#[path = "support/program.rs"]
mod program;
#[path = "support/reachable.rs"]
mod reachable;
#[path = "support/scratch.rs"]
mod scratch;
#[path = "worker/scripts.rs"]
mod scripts;
#[path = "worker/snapshot.rs"]
mod snapshot;

use std::process::{Command, Stdio};
use std::time::Duration;

use netcase::worker::message::{Broken, Explain};
use netcase::worker::supervise::{Finished, Options, supervise_with};
use nix::mount::{MsFlags, mount};
use nix::sys::resource::{Resource, setrlimit};

use cases::plan;
use program::{Folder, program, told};
use scratch::{User, can_make, is_inside, run_inside};
use scripts::Script;

const CASE: &str = r#"
title = "Two nodes"
timeout = "1s"
silence = "200ms"
[nodes.a]
interfaces.eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b]
interfaces.eth0 = { address = "10.0.0.2/24" }
[[expect]]
ping = { from = "a", to = "b" }
[[expect]]
ping = { from = "b", to = "a" }
"#;

const OPTIONS: Options = Options { rootless: false, timeout_scale: 1.0, explain: Explain::Failed, shell: None };

/// What became of a shell script in the place of a worker, called with lines that it may print.
fn supervised(script: &str, lines: &[String]) -> (Vec<bool>, Option<Broken>) {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).arg("worker").args(lines);
    let (ending, finished) = supervise_with(command, &plan(CASE), OPTIONS);
    Finished::release(vec![finished]);
    (ending.verdicts.iter().map(Option::is_some).collect(), ending.broken)
}

#[test]
fn whatever_a_worker_does_its_verdicts_stand_and_the_rest_is_an_error() {
    let scripts = scripts::all();
    let mut faults = Vec::new();
    std::thread::scope(|scope| {
        let running: Vec<_> =
            scripts.iter().map(|script| (script, scope.spawn(|| supervised(&script.does, &script.says)))).collect();
        for (Script { name, stand, error, .. }, thread) in running {
            let (found, broken) = thread.join().expect("the runner's side does not panic");
            let message = broken.map(|broken| broken.message).unwrap_or_default();
            if found != stand || !message.contains(error) {
                faults.push(format!("{name}: verdicts {found:?}, expected {stand:?}; {message:?}, expected {error:?}"));
            }
        }
    });
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn what_a_dying_worker_printed_is_told() {
    let (_, broken) = supervised("echo 'what a pity' >&2; exit 3", &[]);
    let broken = broken.expect("it died");
    assert!(broken.notes.iter().any(|note| note.contains("what a pity")), "{broken:?}");
}

#[test]
fn an_order_larger_than_a_pipe_does_not_keep_the_deadline_away() {
    let many: String = (0..2000)
        .map(|n| format!("[[expect]]\nping = {{ from = \"a\", to = \"10.9.{}.{}\" }}\n", n / 250, n % 250))
        .collect();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec tail -f /dev/null"]);
    let (ending, _finished) = supervise_with(command, &plan(&format!("{CASE}{many}")), OPTIONS);
    let message = ending.broken.expect("it never answers").message;
    assert!(message.contains("longer than its `timeout`, while starting"), "{message}");
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let (ending, _finished) = supervise_with(Command::new("/nonexistent"), &plan(CASE), OPTIONS);
    let message = ending.broken.expect("it was not started").message;
    assert!(message.starts_with("cannot start a worker: "), "{message}");
}

/// Runs the two nodes, and holds the end against exit code 3 and words that name the remedy.
fn assert_error(arguments: &[&str], words: &[&str]) {
    let folder = Folder::new("lacking");
    cases::write(&folder, "two-nodes", CASE);
    let output = folder.run(arguments).arg("two-nodes.toml").output().expect("netcase can be started");
    let text = told(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing:\n{text}");
    }
    assert!(text.contains("0 passed, 0 failed, 2 errors"), "{text}");
}

#[test]
fn without_user_namespaces_an_ordinary_user_gets_the_remedy() {
    if !is_inside() {
        return run_inside(
            "without_user_namespaces_an_ordinary_user_gets_the_remedy",
            User::Ordinary,
            &[("max_user_namespaces", 0)],
        );
    }
    assert_error(&[], &["refuses the worker a user namespace", "raise `sysctl user.max_user_namespaces`"]);
}

#[test]
fn without_user_namespaces_a_rootless_run_as_root_gets_the_remedy() {
    if !is_inside() {
        return run_inside(
            "without_user_namespaces_a_rootless_run_as_root_gets_the_remedy",
            User::Root,
            &[("max_user_namespaces", 0)],
        );
    }
    let words = ["refuses the worker a user namespace", "raise `sysctl user.max_user_namespaces`"];
    assert_error(&["--rootless"], &words);
}

#[test]
fn too_few_network_namespaces_are_told() {
    for user in [User::Root, User::Ordinary] {
        if !is_inside() {
            run_inside("too_few_network_namespaces_are_told", user, &[("max_net_namespaces", 3)]);
        }
    }
    if is_inside() {
        assert_error(
            &["--timeout-scale", "10"],
            &["cannot make a network namespace", "raise `sysctl user.max_net_namespaces`"],
        );
        can_make(2, Duration::from_secs(10)).expect("nothing of the failed run is left");
    }
}

/// A container that masks parts of `/proc` lets nobody mount it anew: the kernel would show what is masked.
#[test]
fn where_proc_is_masked_cases_with_programs_are_skipped() {
    if !is_inside() {
        return run_inside("where_proc_is_masked_cases_with_programs_are_skipped", User::Root, &[]);
    }
    mount(Some("tmpfs"), "/proc/tty", Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("a part can be masked");
    let folder = Folder::new("masked");
    cases::write(&folder, "two-nodes", CASE);
    cases::write(&folder, "program", &format!("{CASE}[[expect]]\nrun = {{ on = \"a\", command = [\"true\"] }}\n"));
    let run = |arguments: &[&str]| folder.run(arguments).output().expect("netcase can be started");
    let skipped = run(&["program.toml"]);
    assert_eq!(skipped.status.code(), Some(4), "{}", told(&skipped));
    let reason = "this machine allows no place for the programs of a case: mounting /proc: Operation not permitted";
    assert!(told(&skipped).contains(reason), "{}", told(&skipped));
    assert_eq!(run(&["--strict", "program.toml"]).status.code(), Some(3));
    assert_eq!(run(&["two-nodes.toml"]).status.code(), Some(0));
}

#[test]
fn too_few_open_files_are_told() {
    let folder = Folder::new("files");
    let nodes: String = (0..30)
        .map(|n| {
            format!(
                "[nodes.a{n}]\ninterfaces.eth0 = {{ veth = {{ peer = \"b{n}.eth0\" }}, address = \"10.0.{n}.1/24\" }}\n\
                 [nodes.b{n}]\ninterfaces.eth0 = {{ address = \"10.0.{n}.2/24\" }}\n\
                 [[expect]]\nping = {{ from = \"a{n}\", to = \"b{n}\" }}\n"
            )
        })
        .collect();
    cases::write(&folder, "sixty-nodes", &format!("title = \"Sixty nodes\"\n{nodes}"));
    let mut command = Command::new(program());
    command.args(["run", "--color", "never", "sixty-nodes.toml"]).current_dir(&folder.0);
    // SAFETY: setrlimit(2) is one system call.
    #[expect(unsafe_code, reason = "a limit of the child's own is set between fork and exec")]
    unsafe {
        use std::os::unix::process::CommandExt;
        command.pre_exec(|| Ok(setrlimit(Resource::RLIMIT_NOFILE, 40, 40)?));
    }
    let output = command.output().expect("netcase can be started");
    let text = told(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("open files") && text.contains("ulimit -n"), "{text}");
}

#[test]
fn a_closed_standard_output_changes_no_verdict() {
    let folder = Folder::new("closed");
    cases::write(&folder, "two-nodes", CASE);
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let status = folder.run(&["two-nodes.toml"]).stdout(writer).stderr(Stdio::null()).status();
    assert_eq!(status.expect("netcase can be started").code(), Some(0));
}
