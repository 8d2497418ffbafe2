//! A user namespace in which the worker is root, and nobody of the machine.

use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, User, fork, getegid, geteuid, setgroups, setresgid, setresuid};

use super::enter::{Wanted, refused};
use crate::preflight::SEARCH_PATH;
use crate::service::cage::tree;
use crate::worker::message::Broken;

/// The range of the machine's user ids that root's labs live in: one that no user has, nor a user's containers, so that
/// nothing a lab runs is root, or anybody, outside (with a map of `0 0 1` a lab's root could write the machine's
/// `/proc/sys`, and no limit of processes would hold). systemd keeps a list of who takes which (UIDS-GIDS.md); this one
/// lies where nobody does.
const RANGE: (u32, u32) = (1_900_000_000, 65_536);

/// Enters a user namespace; gives the folder that programs are to see as a mount, where only that shows its files.
pub(super) fn enter(wanted: Wanted<'_>) -> Result<Option<OwnedFd>, Broken> {
    let (user, group) = (geteuid(), getegid());
    if user.is_root() && !fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_somebody_outside(&map)) {
        let tree = mapped_from_outside(|worker, wire| {
            let (first, count) = RANGE;
            fs::write(format!("/proc/{worker}/uid_map"), format!("0 {first} {count}"))?;
            fs::write(format!("/proc/{worker}/gid_map"), format!("0 {first} {count}"))?;
            // Without it the folder is looked for by its path, and its absence said where it matters.
            let _ = wanted.folder.map_or(Ok(()), |folder| hand_over(folder, worker, wire));
            Ok(())
        })?;
        become_root()?;
        return tree.map_err(no_user_namespace);
    }
    let ranges = if wanted.programs { Ranges::find(user) } else { None };
    if let Some(ranges) = ranges {
        let mapped = mapped_from_outside(|worker, _| ranges.write(worker, user, group))?;
        if mapped.is_ok() {
            become_root()?;
            return Ok(None);
        }
    } else {
        unshare(CloneFlags::CLONE_NEWUSER).map_err(no_user_namespace)?;
    }
    let write = |file: &str, text: String| {
        fs::write(file, text).map_err(|error| no_user_namespace(Errno::from_raw(error.raw_os_error().unwrap_or(0))))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))?;
    Ok(None)
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

/// The ids that the machine's administrator has given to a user for namespaces: subuid(5).
struct Ranges {
    users: (u32, u32),
    groups: (u32, u32),
}

impl Ranges {
    fn find(user: Uid) -> Option<Self> {
        let name = User::from_uid(user).ok().flatten().map(|user| user.name);
        let range = |file: &str| range_of(&fs::read_to_string(file).ok()?, name.as_deref(), user);
        Some(Self { users: range("/etc/subuid")?, groups: range("/etc/subgid")? })
    }

    /// Has newuidmap(1) and newgidmap(1) write the maps of a worker: they may, and look who asks.
    fn write(&self, worker: Pid, user: Uid, group: Gid) -> io::Result<()> {
        let run = |program: &str, own: u32, (first, count): (u32, u32)| {
            let maps = ["0", &own.to_string(), "1", "1", &first.to_string(), &count.to_string()].map(str::to_owned);
            let mut command = Command::new(program);
            command.arg(worker.to_string()).args(maps).env_clear().env("PATH", SEARCH_PATH);
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            if status.success() { Ok(()) } else { Err(io::Error::from(Errno::EPERM)) }
        };
        // Groups first: where only one of the two works, the user's map is still to be written.
        run("newgidmap", group.as_raw(), self.groups)?;
        run("newuidmap", user.as_raw(), self.users)
    }
}

/// The first range of a user in the text of a file such as `/etc/subuid`.
fn range_of(text: &str, name: Option<&str>, user: Uid) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let whose = fields.next()?;
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (Some(whose) == name || whose == user.to_string()).then_some((first, count))
    })
}

/// Enters a user namespace whose maps a process outside writes: only one that stayed there may write more than the id
/// of its own. What that process hands over comes back, or the errno it ended with.
fn mapped_from_outside(
    write: impl FnOnce(Pid, &UnixStream) -> io::Result<()>,
) -> Result<Result<Option<OwnedFd>, Errno>, Broken> {
    let failed = |error: io::Error| Broken::new(format!("cannot set up the worker's user namespace: {error}"));
    let (mut here, mut there) = UnixStream::pair().map_err(failed)?;
    let worker = nix::unistd::getpid();
    // SAFETY: the process has one thread, so no lock is held by another at the time of the fork.
    #[expect(unsafe_code, reason = "the map is written by a process that stayed outside")]
    let forked = unsafe { fork() }.map_err(|errno| refused("a process", errno))?;
    let child = match forked {
        ForkResult::Child => {
            drop(here);
            let done = there.read_exact(&mut [0]).and_then(|()| write(worker, &there));
            // SAFETY: _exit(2) only ends the process; nothing of the worker's may be run down in its copy.
            #[expect(unsafe_code, reason = "std offers no exit without running the parent's handlers")]
            unsafe {
                libc::_exit(done.err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO)))
            }
        }
        ForkResult::Parent { child } => child,
    };
    drop(there);
    let entered = unshare(CloneFlags::CLONE_NEWUSER);
    let mut handed = None;
    if entered.is_ok() {
        here.write_all(b"!").map_err(failed)?;
        handed = receive(&here).map_err(failed)?;
    }
    drop(here);
    let status = waitpid(child, None).map_err(|errno| refused("a process", errno))?;
    entered.map_err(no_user_namespace)?;
    match status {
        WaitStatus::Exited(_, 0) => Ok(Ok(handed)),
        WaitStatus::Exited(_, errno) => Ok(Err(Errno::from_raw(errno))),
        _ => Err(Broken::new("cannot set up the worker's user namespace: its helper died")),
    }
}

fn become_root() -> Result<(), Broken> {
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[])
        .and_then(|()| setresgid(root.1, root.1, root.1))
        .and_then(|()| setresuid(root.0, root.0, root.0))
        // A change of user makes /proc/self root's; the worker reads its namespaces there.
        .and_then(|()| prctl::set_dumpable(true))
        .map_err(|errno| refused("to be root in its own user namespace", errno))
}

/// Hands the folder over as a mount in which root's files belong to the worker's root: root of the machine may have
/// kept it for itself.
fn hand_over(folder: &Path, worker: Pid, wire: &UnixStream) -> io::Result<()> {
    let tree = tree::pick(folder)?;
    let users = File::open(format!("/proc/{worker}/ns/user"))?;
    // Some file systems cannot show their files as another's; others may read them all the same.
    let _ = tree::give_to(&tree, users.as_fd());
    let descriptors = [tree.as_raw_fd()];
    sendmsg::<()>(
        wire.as_raw_fd(),
        &[IoSlice::new(b"!")],
        &[ControlMessage::ScmRights(&descriptors)],
        MsgFlags::empty(),
        None,
    )?;
    Ok(())
}

/// The descriptor that comes over a wire, if one comes before its end.
fn receive(wire: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([i32; 1]);
    let message = recvmsg::<()>(wire.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = part
            && let Some(descriptor) = descriptors.first()
        {
            // SAFETY: the kernel has just made this descriptor for this process, and nobody else knows of it.
            #[expect(unsafe_code, reason = "nix gives the number only")]
            return Ok(Some(unsafe { OwnedFd::from_raw_fd(*descriptor) }));
        }
    }
    Ok(None)
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
            ("         0     100000     200000\n", true),
            ("         0          0 1800000000\n1800000000 1800000000  200000000\n", false),
            ("         0          0          1\n", false),
            ("", false),
        ] {
            assert_eq!(is_somebody_outside(map), expected, "{map:?}");
        }
    }
}
