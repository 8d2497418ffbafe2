//! A small world of a test's own: the test runs itself again in a user namespace with limits that only it feels, and in
//! a network and a mount namespace that are "the machine" there.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Uid, fork, getegid, geteuid, setgroups, setresgid, setresuid};

use crate::program::{Folder, PROGRAM, program};
use crate::reachable::reachable;

/// Set for a test that runs inside.
const INSIDE: &str = "NETCASE_TEST_INSIDE";

/// Who the test is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Root, with every id that there is when the test was started by root.
    Root,
    /// Anybody: without any privilege.
    Ordinary,
}

/// Whether the test runs inside already.
pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Runs a test of this binary again inside, with limits by their names below `/proc/sys/user`, and fails when it fails.
pub(crate) fn run_inside(test: &str, user: User, limits: &[(&'static str, u32)]) {
    let place = Folder::new(&format!("{test}-binaries"));
    let own = env::current_exe().expect("the test knows its own path");
    let mut command = Command::new(reachable(&own, &place));
    command.args([test, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"]);
    command.env(INSIDE, "1").env(PROGRAM, reachable(Path::new(&program()), &place)).current_dir("/");
    let limits = limits.to_vec();
    // SAFETY: the copy makes system calls, and small allocations that the C library keeps usable after a fork.
    #[expect(unsafe_code, reason = "a process with threads enters a user namespace only between fork and exec")]
    unsafe {
        command.pre_exec(move || enter(user, &limits));
    }
    let status = command.status().expect("a test can be run again in namespaces of its own");
    assert!(status.success(), "{test} failed inside, as {user:?}: {status}");
}

fn enter(user: User, limits: &[(&str, u32)]) -> io::Result<()> {
    if geteuid().is_root() && user == User::Root {
        with_every_id()?;
    } else {
        if geteuid().is_root() {
            // The one id that every machine has for nobody in particular.
            let (uid, gid) = (Uid::from_raw(65534), Gid::from_raw(65534));
            setgroups(&[])?;
            setresgid(gid, gid, gid)?;
            setresuid(uid, uid, uid)?;
            prctl::set_dumpable(true)?;
        }
        let (uid, gid) = (geteuid(), getegid());
        let inside = if user == User::Root { (0, 0) } else { (uid.as_raw(), gid.as_raw()) };
        unshare(CloneFlags::CLONE_NEWUSER)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{} {uid} 1", inside.0))?;
        fs::write("/proc/self/gid_map", format!("{} {gid} 1", inside.1))?;
    }
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    for (limit, value) in limits {
        fs::write(format!("/proc/sys/user/{limit}"), value.to_string())?;
    }
    Ok(())
}

/// A user namespace in which every id is itself: only a process that stays outside may write such a map.
fn with_every_id() -> io::Result<()> {
    let (mut reader, mut writer) = io::pipe()?;
    let own = std::process::id();
    // SAFETY: the calling process is itself a fresh copy with one thread.
    #[expect(unsafe_code, reason = "the map is written by a process that stayed outside")]
    let forked = unsafe { fork() }?;
    let ForkResult::Parent { child } = forked else {
        drop(writer);
        let written = reader.read_exact(&mut [0]).and_then(|()| {
            fs::write(format!("/proc/{own}/uid_map"), "0 0 4294967295")?;
            fs::write(format!("/proc/{own}/gid_map"), "0 0 4294967295")
        });
        end(u8::from(written.is_err()))
    };
    unshare(CloneFlags::CLONE_NEWUSER)?;
    writer.write_all(b"!")?;
    match waitpid(child, None)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        _ => Err(io::Error::other("the map of ids could not be written")),
    }
}

fn end(code: u8) -> ! {
    // SAFETY: _exit(2) only ends the process; nothing of the test's may be run down in its copy.
    #[expect(unsafe_code, reason = "std offers no exit without running the parent's handlers")]
    unsafe {
        libc::_exit(code.into())
    }
}

/// Whether that many network namespaces can be made, within a time: those that exist anywhere below the scratch user
/// namespace count against its limit, whoever still holds them.
pub(crate) fn can_make(count: u8, within: Duration) -> Result<(), String> {
    let until = Instant::now() + within;
    // SAFETY: the copy makes system calls only.
    #[expect(unsafe_code, reason = "namespaces that nobody shall keep are made in a process that ends")]
    let forked = unsafe { fork() }.map_err(|errno| errno.to_string())?;
    let ForkResult::Parent { child } = forked else {
        end(made(count, until));
    };
    match waitpid(child, None) {
        Ok(WaitStatus::Exited(_, made)) if made == i32::from(count) => Ok(()),
        Ok(WaitStatus::Exited(_, made)) => Err(format!(
            "only {made} of {count} network namespaces could be made within {within:?}: the rest still exist"
        )),
        other => Err(format!("the process that makes network namespaces ended with {other:?}")),
    }
}

fn made(count: u8, until: Instant) -> u8 {
    // An ordinary user is root in a user namespace of its own; what it makes counts against those above, too.
    if !geteuid().is_root() && unshare(CloneFlags::CLONE_NEWUSER).is_err() {
        return 0;
    }
    let mut made = 0;
    while made < count {
        match unshare(CloneFlags::CLONE_NEWNET) {
            Ok(()) => {
                let Ok(held) = fs::File::open("/proc/self/ns/net") else { break };
                let _ = held.into_raw_fd();
                made += 1;
            }
            Err(Errno::ENOSPC) if Instant::now() < until => {
                let _ = poll(&mut [], PollTimeout::from(10_u8));
            }
            Err(_) => break,
        }
    }
    made
}
