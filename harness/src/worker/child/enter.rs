//! Into namespaces of the worker's own, while it has one thread.

use std::fs;
use std::io::{self, Read, Write};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Uid, fork, getegid, geteuid, setgroups, setresgid, setresuid};

use super::runner::Runner;
use crate::namespace::Namespace;
use crate::preflight::missing_capabilities;
use crate::worker::message::Broken;

/// The range of the machine's user ids that root's labs live in: one that no user has, so that nothing a lab runs is
/// root, or anybody, outside (with a map of `0 0 1` a lab's root could write the machine's `/proc/sys`).
const RANGE: (u32, u32) = (100_000, 65_536);

/// Which namespaces beside the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// A user namespace even as root.
    pub(super) user: bool,
    /// A PID namespace for the children.
    pub(super) pid: bool,
}

/// Enters namespaces of the process's own.
///
/// # Errors
///
/// What this machine does not allow, with the remedy.
pub(super) fn enter(wanted: Wanted, runner: Runner) -> Result<Namespace, Broken> {
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if wanted.pid {
        flags |= CloneFlags::CLONE_NEWPID;
    }
    // Root in a container may have namespaces and yet not the right to make links in them; in a user namespace of its
    // own it has every right.
    let privileged = geteuid().is_root() && !wanted.user && missing_capabilities().is_empty() && unshare(flags).is_ok();
    if !privileged {
        own_user()?;
        unshare(flags).map_err(|errno| refused("namespaces of its own", errno))?;
    }
    // Changing user or user namespace clears it, so it stands behind those. A runner that ended before is looked for,
    // since no signal comes for that one.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| refused("a signal at the runner's end", errno))?;
    if runner.is_gone().map_err(|error| Broken::new(format!("cannot see whether the runner lives: {error}")))? {
        std::process::exit(1);
    }
    Namespace::home()
        .map_err(|error| refused("a network namespace", Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))))
}

/// A user namespace in which the process is root.
fn own_user() -> Result<(), Broken> {
    let (user, group) = (geteuid(), getegid());
    if user.is_root() && !fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_somebody_outside(&map)) {
        return mapped_range();
    }
    unshare(CloneFlags::CLONE_NEWUSER).map_err(no_user_namespace)?;
    let write = |file: &str, text: String| {
        fs::write(file, text).map_err(|error| no_user_namespace(Errno::from_raw(error.raw_os_error().unwrap_or(0))))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Whether root here is an ordinary user of the machine, as in a rootless container, that has not got [`RANGE`]. Such a
/// root may map itself: it can do nothing outside that this user could not.
fn is_somebody_outside(map: &str) -> bool {
    let (wanted, count) = RANGE;
    let mut somebody = false;
    for line in map.lines() {
        let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap_or(0_u32));
        let (first, outside, length) =
            (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if first <= wanted && wanted - first < length && length - (wanted - first) >= count {
            return false;
        }
        somebody |= first == 0 && outside != 0;
    }
    somebody
}

/// As root: a range of ids, which only a process outside the new namespace may write.
fn mapped_range() -> Result<(), Broken> {
    let failed = |error: io::Error| Broken::new(format!("cannot set up the worker's user namespace: {error}"));
    let (mut reader, mut writer) = io::pipe().map_err(failed)?;
    let worker = nix::unistd::getpid();
    // SAFETY: the process has one thread, so no lock is held by another at the time of the fork.
    #[expect(unsafe_code, reason = "the map is written by a process that stayed outside")]
    let forked = unsafe { fork() }.map_err(|errno| refused("a process", errno))?;
    let child = match forked {
        ForkResult::Child => {
            drop(writer);
            let mut go = [0];
            let done = reader.read_exact(&mut go).and_then(|()| {
                let (first, count) = RANGE;
                fs::write(format!("/proc/{worker}/uid_map"), format!("0 {first} {count}"))?;
                fs::write(format!("/proc/{worker}/gid_map"), format!("0 {first} {count}"))
            });
            // SAFETY: _exit(2) only ends the process; nothing of the worker's may be run down in its copy.
            #[expect(unsafe_code, reason = "std offers no exit without running the parent's handlers")]
            unsafe {
                libc::_exit(done.err().and_then(|error| error.raw_os_error()).unwrap_or(0))
            }
        }
        ForkResult::Parent { child } => child,
    };
    drop(reader);
    let entered = unshare(CloneFlags::CLONE_NEWUSER);
    if entered.is_ok() {
        writer.write_all(b"!").map_err(failed)?;
    }
    drop(writer);
    let status = waitpid(child, None).map_err(|errno| refused("a process", errno))?;
    entered.map_err(no_user_namespace)?;
    match status {
        WaitStatus::Exited(_, 0) => {}
        WaitStatus::Exited(_, errno) => return Err(no_user_namespace(Errno::from_raw(errno))),
        _ => return Err(Broken::new("cannot set up the worker's user namespace: its helper died")),
    }
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[])
        .and_then(|()| setresgid(root.1, root.1, root.1))
        .and_then(|()| setresuid(root.0, root.0, root.0))
        // A change of user makes /proc/self root's; the worker reads its namespaces there.
        .and_then(|()| prctl::set_dumpable(true))
        .map_err(|errno| refused("to be root in its own user namespace", errno))
}

fn refused(what: &str, errno: Errno) -> Broken {
    let broken = Broken::new(format!("this machine refuses the worker {what}: {} ({errno:?})", errno.desc()));
    match errno {
        Errno::EPERM => broken.help("run `netcase doctor`: it says what is missing and how to get it"),
        Errno::ENOSPC => broken.help("raise `sysctl user.max_net_namespaces`, or lower `--jobs`"),
        _ => broken,
    }
}

fn no_user_namespace(errno: Errno) -> Broken {
    let broken = Broken::new(format!("this machine refuses the worker a user namespace: {} ({errno:?})", errno.desc()));
    let restricted = fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
        .is_ok_and(|value| value.trim() == "1");
    if restricted {
        return broken.help(
            "AppArmor restricts them here (Ubuntu 23.10 and later): \
             `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or run as root",
        );
    }
    match errno {
        Errno::ENOSPC => broken.help("raise `sysctl user.max_user_namespaces`; 0 forbids them"),
        _ => broken.help("run `netcase doctor`: it says what is missing and how to get it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_a_rootless_container_is_somebody_else_outside() {
        for (map, expected) in [
            // The machine itself; rootless podman; Docker with userns-remap; a container with many ids; root alone.
            ("         0          0 4294967295\n", false),
            ("         0       1001          1\n         1     100000      65536\n", true),
            ("         0     100000      65536\n", true),
            ("         0     100000     200000\n", false),
            ("         0          0          1\n", false),
            ("", false),
        ] {
            assert_eq!(is_somebody_outside(map), expected, "{map:?}");
        }
    }
}
