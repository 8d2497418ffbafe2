//! However runner and worker are killed, nothing of theirs is left: no namespace, process, mount, link or file, and the
//! machine's own settings are as before.

#[path = "support/cases.rs"]
mod cases;
#[path = "support/host.rs"]
mod host;
#[path = "kill/messages.rs"]
mod messages;
#[path = "support/program.rs"]
mod program;
#[path = "support/reachable.rs"]
mod reachable;
#[path = "support/scratch.rs"]
mod scratch;

use std::fs;
use std::process::{Child, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};

use host::Host;
use program::{Folder, told};
use scratch::{User, can_make, is_inside, run_inside};

/// How many network namespaces there may be inside beside the one that is the machine: far fewer than all runs make.
const NAMESPACES: u8 = 150;

/// How long the kernel may take to free what killed processes held.
const FREED: Duration = Duration::from_secs(10);

/// How often runner and worker together are killed over the time of a run.
const KILLS: usize = 300;

/// How many runs at the same time.
const LANES: usize = 4;

/// A program with a child of its own, and a connection whose data never arrives: the switch has no room for a frame of
/// that size on its way to the client, and does not say so.
const CASE: &str = r#"
title = "Everything that could outlive a case"
silence = "60ms"
timeout = "20s"

[nodes.client]
interfaces.eth0 = { veth = { peer = "switch.p" }, address = "10.0.0.1/24" }

[nodes.server]
interfaces.eth0 = { veth = { peer = "switch.q" }, address = "10.0.0.2/24" }
services.stuck = { http = { port = 80, body = "BODY" } }
services.echo = { udp = { port = 7 } }
services.program = { command = { run = ["sh", "-c", "tail -f /dev/null & echo begun; wait"], ready = { output = "begun" } } }

[nodes.switch.interfaces]
bridge = { bridge = { ports = ["p", "q"] } }
p = { mtu = 1000 }

[[expect]]
ping = { from = "client", to = "server" }

[[expect]]
http = { from = "client", url = "http://server/", status = 200 }
within = "250ms"

[[expect]]
udp = { from = "client", to = "server:7" }

[[expect]]
tcp = { from = "client", to = "server:22", outcome = "refused" }
holds-for = "100ms"
"#;

fn case() -> String {
    CASE.replace("BODY", &"x".repeat(1200))
}

/// Ends with code 1: the connection that is stuck fails.
const FAILED: i32 = 1;
/// Ends with code 3: the worker was killed before it had judged everything.
const BROKEN: i32 = 3;

/// Waits for the end of a process, but not for ever.
fn finish(mut child: Child) -> Result<Output, String> {
    let until = Instant::now() + Duration::from_secs(60);
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            return Err(format!(
                "it did not end by itself\n{}",
                told(&child.wait_with_output().expect("it is killed"))
            ));
        }
        let _ = poll(&mut [], PollTimeout::from(5_u8));
    }
    child.wait_with_output().map_err(|error| error.to_string())
}

/// The processes that have this parent.
fn children_of(parent: u32) -> Vec<Pid> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc can be read").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // The name of the program stands in parentheses and may hold anything; the parent is the second word behind it.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        if of == Some(parent) {
            found.push(Pid::from_raw(pid));
        }
    }
    found
}

/// Waits until no process is left that this one, the reaper of its orphans, has below it.
fn no_process_is_left() -> Result<(), String> {
    let until = Instant::now() + FREED;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::StillAlive) if Instant::now() > until => {
                return Err(format!("these processes are left: {:?}", children_of(std::process::id())));
            }
            Ok(WaitStatus::StillAlive) => {
                let _ = poll(&mut [], PollTimeout::from(5_u8));
            }
            Ok(_) => {}
            Err(errno) => return Err(errno.to_string()),
        }
    }
}

/// What may be in the folder of a run: the case, and a report that is whole.
fn no_file_is_left(folder: &Folder) -> Result<(), String> {
    let mut names = Vec::new();
    for place in [folder.0.clone(), folder.0.join("reports")] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.retain(|name| !matches!(&**name, "case.toml" | "reports" | "junit.xml"));
    if names.is_empty() { Ok(()) } else { Err(format!("these files are left: {names:?}")) }
}

/// Inside, and with orphans coming to this process; says what is left of everything that was started since.
struct Watch {
    host: Host,
}

impl Watch {
    fn begin() -> Self {
        prctl::set_child_subreaper(true).expect("orphans can come to this process");
        Self { host: Host::look() }
    }

    fn end(&self, faults: &mut Vec<String>) {
        faults.extend(no_process_is_left().err());
        faults.extend(can_make(NAMESPACES, FREED).err());
        faults.extend(self.host.changes());
    }
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Runner,
    Worker,
}

/// Starts a run, kills a part of it after a time, and says whether that part still lived.
fn kill_after(folder: &Folder, victim: Victim, time: Duration) -> Result<bool, String> {
    let begin = Instant::now();
    let mut command = folder.run(&["--bundle", "never", "case.toml"]);
    let mut runner =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    while begin.elapsed() < time {
        let _ = poll(&mut [], PollTimeout::from(1_u8));
    }
    if victim == Victim::Runner {
        let lived = runner.try_wait().map_err(|error| error.to_string())?.is_none();
        runner.kill().map_err(|error| error.to_string())?;
        runner.wait().map_err(|error| error.to_string())?;
        return Ok(lived);
    }
    let worker = children_of(runner.id()).first().copied();
    if let Some(worker) = worker {
        // One that has just ended is the same as one that was not there yet.
        let _ = kill(worker, Signal::SIGKILL);
    }
    let output = finish(runner)?;
    match output.status.code() {
        Some(FAILED) => Ok(false),
        Some(BROKEN) if worker.is_some() && told(&output).contains("the worker died (signal: 9 (SIGKILL))") => Ok(true),
        _ => Err(format!("after {time:?}: {}", told(&output))),
    }
}

fn killed_at_any_time(test: &str, user: User) {
    if !is_inside() {
        return run_inside(test, user, &[("max_net_namespaces", u32::from(NAMESPACES) + 1)]);
    }
    let watch = Watch::begin();
    let folders: Vec<Folder> = (0..LANES).map(|lane| Folder::new(&format!("{test}-{lane}"))).collect();
    for folder in &folders {
        cases::write(folder, "case", &case());
    }
    let begin = Instant::now();
    let whole = folders[0].run(&["--bundle", "never", "case.toml"]).output().expect("netcase can be started");
    assert_eq!(whole.status.code(), Some(FAILED), "undisturbed: {}", told(&whole));
    // With others beside it a run takes longer.
    let length = begin.elapsed().mul_f64(1.25);
    let next = AtomicUsize::new(0);
    let hits = AtomicUsize::new(0);
    let faults = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for folder in &folders {
            scope.spawn(|| {
                loop {
                    let kill = next.fetch_add(1, Ordering::Relaxed);
                    if kill >= KILLS {
                        break;
                    }
                    let victim = if kill.is_multiple_of(2) { Victim::Runner } else { Victim::Worker };
                    let share = u32::try_from(kill).expect("it is small");
                    let time = length * share / u32::try_from(KILLS).expect("it is small");
                    match kill_after(folder, victim, time) {
                        Ok(hit) => drop(hits.fetch_add(usize::from(hit), Ordering::Relaxed)),
                        Err(fault) => {
                            faults.lock().expect("no thread panics with it").push(format!("{victim:?}: {fault}"));
                        }
                    }
                }
            });
        }
    });
    let mut faults = faults.into_inner().expect("no thread panicked with it");
    let hits = hits.into_inner();
    if hits < KILLS / 2 {
        faults.push(format!("only {hits} of {KILLS} kills met a process that lived: this proves too little"));
    }
    watch.end(&mut faults);
    for folder in &folders {
        faults.extend(no_file_is_left(folder).err());
    }
    eprintln!("{user:?}: {hits} of {KILLS} kills over {length:?} met a living process");
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn killed_at_any_time_as_root() {
    killed_at_any_time("killed_at_any_time_as_root", User::Root);
}

#[test]
fn killed_at_any_time_as_an_ordinary_user() {
    killed_at_any_time("killed_at_any_time_as_an_ordinary_user", User::Ordinary);
}

/// Inside, root is nobody to the machine's own namespaces; here it is root.
#[test]
fn the_machine_of_root_is_as_before() {
    if !geteuid().is_root() {
        let reason = "skipped: only root could change the machine itself";
        assert!(std::env::var_os("NETCASE_STRICT").is_none_or(|strict| strict != "1"), "{reason}");
        eprintln!("{reason}");
        return;
    }
    let folder = Folder::new("machine");
    cases::write(&folder, "case", &case());
    let host = Host::look();
    let mut faults = Vec::new();
    for time in (0..20).map(|share| Duration::from_millis(20 * share)) {
        for victim in [Victim::Runner, Victim::Worker] {
            faults.extend(kill_after(&folder, victim, time).err());
        }
    }
    faults.extend(host.changes());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
