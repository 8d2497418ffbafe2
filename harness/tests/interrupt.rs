//! Ctrl-C while a case runs: the run ends at once, nothing is left, and every case is in the report.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

/// Tells that it runs, and is never ready: without an interrupt the case takes a minute. It keeps the pipe open.
const ENDLESS: &str = r#"
title = "Never ready"
timeout = "60s"
[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b]
interfaces.eth0 = { address = "10.0.0.2/24" }
services.endless = { command = { run = ["sh", "-c", "exec > PIPE; echo started; exec sleep 60"], ready = { output = "never" } } }
[[expect]]
ping = { from = "a", to = "b" }
"#;

#[test]
fn an_interrupted_run_reports_every_case_and_leaves_nothing() {
    for (signal, name) in [(Signal::SIGINT, "SIGINT"), (Signal::SIGTERM, "SIGTERM")] {
        let folder = std::env::temp_dir().join(format!("netcase-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("folders can be made");
        let pipe = folder.join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).expect("pipes can be made");
        // The programs of a case that root runs are another user outside.
        fs::set_permissions(&pipe, fs::Permissions::from_mode(0o666)).expect("the pipe is ours");
        let endless = ENDLESS.replace("PIPE", &pipe.to_string_lossy());
        for case in ["a.toml", "b.toml"] {
            fs::write(folder.join(case), &endless).expect("files can be made");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_netcase"));
        command.args(["run", ".", "--jobs", "1"]).current_dir(&folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = command.spawn().expect("netcase can be started");
        // Opening waits until the service has opened the other end, and so until the case runs.
        let mut reader = BufReader::new(fs::File::open(&pipe).expect("the pipe is there"));
        let mut said = String::new();
        reader.read_line(&mut said).expect("the pipe can be read");
        assert_eq!(said, "started\n");
        let begin = Instant::now();
        let pid = Pid::from_raw(i32::try_from(running.id()).expect("process ids are small"));
        kill(pid, signal).expect("netcase runs");
        let output = running.wait_with_output().expect("netcase ends");
        assert!(begin.elapsed() < Duration::from_secs(20), "it took {:?}", begin.elapsed());
        // The pipe ends when the last process of the case has let go of it.
        assert_eq!(std::io::read_to_string(reader).expect("the pipe can be read"), "");
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
