//! A lab that is kept for the user: `netcase shell`, and `netcase run --keep-on-fail`.

#[expect(dead_code, reason = "no plan is looked at here")]
#[path = "support/cases.rs"]
mod cases;
#[path = "support/program.rs"]
mod program;
#[path = "support/reachable.rs"]
mod reachable;
#[expect(dead_code, reason = "nobody's namespaces are counted here")]
#[path = "support/scratch.rs"]
mod scratch;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

use program::{Folder, program, told};
use scratch::User;

/// Without any program of its own, and with a failure.
const CASE: &str = r#"
title = "two hosts"
[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b.interfaces]
eth0 = { address = "10.0.0.2/24" }
[[steps]]
title = "cut"
do = [{ link-set = { on = "b.eth0", up = false } }]
expect = [{ ping = { from = "a", to = "b" } }]
"#;

fn shell(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["shell"]).args(arguments).current_dir(&folder.0).env("SHELL", "/bin/sh").stdin(Stdio::null());
    command
}

fn run(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let output = shell(folder, arguments).output().expect("netcase can be started");
    (output.status.code(), told(&output))
}

fn use_shells() {
    let folder = Folder::new("shell");
    cases::write(&folder, "two", CASE);
    let (code, text) = run(&folder, &["two", "a", "--", "sh", "-c", "hostname; ping -c1 -W1 10.0.0.2; exit 7"]);
    assert!(code == Some(7) && text.contains("stdout:\na\n") && text.contains("1 received"), "{text}");
    let (code, text) = run(&folder, &["two", "a", "--", "ip", "netns", "exec", "b", "ip", "-br", "addr"]);
    assert!(code == Some(0) && text.contains("10.0.0.2/24"), "{text}");
    let (code, text) = run(&folder, &["two", "b", "--step", "1", "--", "ip", "-br", "link", "show", "eth0"]);
    assert!(code == Some(0) && text.contains(" DOWN "), "{text}");
    let (code, text) = run(&folder, &["two", "b", "--step", "2", "--", "true"]);
    assert!(code == Some(2) && text.contains("there is no step 2"), "{text}");
    let (code, text) = run(&folder, &["two", "aa"]);
    assert!(code == Some(2) && text.contains("there is no node `aa`: "), "{text}");
    let (code, text) = run(&folder, &["two", "a", "--", "no-such-program"]);
    assert!(code == Some(3) && text.matches("cannot run `no-such-program` in a").count() == 1, "{text}");
    let (code, _) = run(&folder, &["two", "a", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(code, Some(137));
    let mut child =
        shell(&folder, &["two", "a"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
    child.stdin.take().expect("a pipe").write_all(b"hostname\nexit 4\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), &*output.stdout), (Some(4), &b"a\n"[..]));
    type_into_a_shell(&folder);
    keep_at_a_terminal(&folder);
    interrupt_a_shell(&folder);
    nothing_is_left(&folder);
    keep_on_fail(&folder);
}

/// Reads until a text is there.
fn until(master: &File, text: &str) -> String {
    until_times(master, text, 1)
}

fn until_times(master: &File, text: &str, times: usize) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    let mut seen = String::new();
    while seen.matches(text).count() < times {
        let mut watched = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut watched, PollTimeout::from(100_u8)).expect("a terminal can be waited for");
        assert!(Instant::now() < end, "no {text:?} in {seen:?}");
        if ready > 0 {
            let mut buffer = [0; 4096];
            let length = (&*master).read(&mut buffer).unwrap_or(0);
            seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }
    seen
}

/// A terminal: what is typed is echoed once, Ctrl-C ends a program and not the shell, and the terminal is as it was.
fn type_into_a_shell(folder: &Folder) {
    let size = Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(Some(&size), None).expect("a terminal");
    let before = tcgetattr(&pair.slave).expect("a terminal");
    let end = || Stdio::from(pair.slave.try_clone().expect("a descriptor"));
    let mut child =
        shell(folder, &["two", "a"]).stdin(end()).stdout(end()).stderr(end()).spawn().expect("netcase can be started");
    let master = File::from(pair.master);
    until(&master, "ends the lab");
    let write = |text: &str| (&master).write_all(text.as_bytes()).expect("it is typed");
    write("stty size; echo up$((1+1))\n");
    assert!(until(&master, "up2").contains("33 77"));
    write("cat\n");
    write("here\n");
    // Once as it is typed, once by the program, which runs then.
    until_times(&master, "here\r\n", 2);
    write("\x03");
    // It empties what was typed, too.
    until(&master, "# ");
    write("echo still$((2+2)); exit 5\n");
    until(&master, "still4");
    assert_eq!(child.wait().expect("it ends").code(), Some(5));
    let after = tcgetattr(&pair.slave).expect("a terminal");
    assert_eq!((before.local_flags, before.input_flags), (after.local_flags, after.input_flags));
}

/// A command with a terminal of its own, that terminal and its settings before.
fn at_a_terminal(mut command: Command) -> (Child, File, OwnedFd, Termios) {
    let pair = openpty(None, None).expect("a terminal");
    let before = tcgetattr(&pair.slave).expect("a terminal");
    let end = || Stdio::from(pair.slave.try_clone().expect("a descriptor"));
    let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("netcase can be started");
    (child, File::from(pair.master), pair.slave, before)
}

fn assert_restored(terminal: &OwnedFd, before: &Termios) {
    let after = tcgetattr(terminal).expect("a terminal");
    assert_eq!(
        (before.local_flags, before.input_flags, before.output_flags),
        (after.local_flags, after.input_flags, after.output_flags)
    );
}

/// After a failure there is a shell in the node that sent the probe; when it ends, the run goes on.
fn keep_at_a_terminal(folder: &Folder) {
    let mut command = folder.run(&["two.toml", "--keep-on-fail"]);
    command.env("SHELL", "/bin/sh");
    let (mut child, master, terminal, before) = at_a_terminal(command);
    until(&master, "this is a shell in a");
    (&master).write_all(b"echo in-$(hostname)$((1+1)); exit\n").expect("it is typed");
    until(&master, "in-a2");
    until(&master, "1 failed");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    assert_restored(&terminal, &before);
}

/// A signal ends the lab, and gives the terminal back as it was.
fn interrupt_a_shell(folder: &Folder) {
    let (mut child, master, terminal, before) = at_a_terminal(shell(folder, &["two", "a"]));
    until(&master, "ends the lab");
    (&master).write_all(b"echo up$((1+1))\n").expect("it is typed");
    until(&master, "up2");
    assert_ne!(tcgetattr(&terminal).expect("a terminal").local_flags, before.local_flags, "each key is passed on");
    kill(Pid::from_raw(i32::try_from(child.id()).expect("process ids are small")), Signal::SIGTERM).expect("it runs");
    child.wait().expect("it ends");
    assert_restored(&terminal, &before);
}

/// Whoever holds the output is gone with netcase, however that ends.
fn nothing_is_left(folder: &Folder) {
    let mut child = shell(folder, &["two", "a", "--", "sh", "-c", "echo up; tail -f /dev/null & wait"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("netcase can be started");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("it prints");
    assert_eq!(line, "up\n");
    child.kill().expect("it runs");
    child.wait().expect("it is dead");
    out.read_to_string(&mut line).expect("the last holder of the pipe has ended");
}

fn read_until(child: &mut Child, text: &str) -> String {
    let mut err = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut seen = String::new();
    while !seen.contains(text) {
        assert!(err.read_line(&mut seen).expect("it prints") > 0, "no {text:?} in {seen:?}");
    }
    seen
}

fn keep_on_fail(folder: &Folder) {
    let mut command = folder.run(&["two.toml", "--keep-on-fail"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("netcase can be started");
    let seen = read_until(&mut child, "in another node: b");
    assert!(seen.contains("kept: the lab of two.toml"), "{seen}");
    let line = seen.lines().find_map(|line| line.trim().strip_prefix("nsenter ")).expect("a command is named");
    let words = line.split("  ").next().expect("it stands before what it does").split(' ');
    let entered = Command::new("nsenter").args(words).args(["ip", "netns", "exec", "b", "ip", "addr"]).output();
    let entered = entered.expect("nsenter can be started");
    assert!(told(&entered).contains("10.0.0.2/24"), "{}", told(&entered));
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("error: a could not reach b").count(), 2, "{text}");
}

#[test]
fn root_uses_a_lab() {
    if scratch::is_inside() {
        return use_shells();
    }
    scratch::run_inside("root_uses_a_lab", User::Root, &[]);
}

#[test]
fn an_ordinary_user_uses_a_lab() {
    if scratch::is_inside() {
        return use_shells();
    }
    scratch::run_inside("an_ordinary_user_uses_a_lab", User::Ordinary, &[]);
}
