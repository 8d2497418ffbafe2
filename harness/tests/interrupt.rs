//! Ctrl-C while a case runs: the run ends at once, nothing is left, and every case is in the report.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Runs, and is never ready: without an interrupt the case takes ten seconds. `MARK` tells its process from all others.
const ENDLESS: &str = r#"
title = "Never ready"
timeout = "60s"
[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b]
interfaces.eth0 = { address = "10.0.0.2/24" }
services.endless = { command = { run = ["sleep", "MARK"], ready = { output = "never" } } }
[[expect]]
ping = { from = "a", to = "b" }
"#;

/// Whether a process with this argument runs. A program of a case is in a PID namespace below ours, so it is seen here.
fn runs(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes()))
}

/// How often is looked whether a program runs: nobody tells of it.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until the program of the case runs.
fn wait_for(mark: &str, running: &mut Child) {
    while !runs(mark) {
        assert!(running.try_wait().expect("it can be waited for").is_none(), "netcase ended before its case ran");
        thread::sleep(INTERVAL);
    }
}

#[test]
fn an_interrupted_run_reports_every_case_and_leaves_nothing() {
    for (signal, name) in [(Signal::SIGINT, "SIGINT"), (Signal::SIGTERM, "SIGTERM")] {
        let folder = std::env::temp_dir().join(format!("netcase-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("folders can be made");
        let mark = format!("60.{}{}", std::process::id(), signal as i32);
        let endless = ENDLESS.replace("MARK", &mark);
        for case in ["a.toml", "b.toml"] {
            fs::write(folder.join(case), &endless).expect("files can be made");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_netcase"));
        command.args(["run", ".", "--jobs", "1"]).current_dir(&folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.spawn().expect("netcase can be started");
        wait_for(&mark, &mut running);
        let begin = Instant::now();
        let pid = Pid::from_raw(i32::try_from(running.id()).expect("process ids are small"));
        kill(pid, signal).expect("netcase runs");
        let output = running.wait_with_output().expect("netcase ends");
        assert!(begin.elapsed() < Duration::from_secs(20), "it took {:?}", begin.elapsed());
        // The kernel ends the last process of a namespace a moment after the run.
        while runs(&mark) {
            assert!(begin.elapsed() < Duration::from_secs(20), "the program of the case outlived the run");
            thread::sleep(INTERVAL);
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
        assert!(stdout.contains("interrupted; 2 cases: 0 passed, 0 failed, 1 error, 1 skipped"), "{stdout}");
        let junit = fs::read_to_string(folder.join("reports/junit.xml")).expect("the report is there");
        for part in [format!("interrupted by {name} while it ran"), format!("not run: interrupted by {name}")] {
            assert!(junit.contains(&part), "{part} is not in {junit}");
        }
        fs::remove_dir_all(&folder).expect("the folder can be removed");
    }
}
