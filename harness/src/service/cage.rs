//! Where a case's own programs run: a PID namespace whose first process only reaps, and a mount namespace in which the
//! nodes stand under `/run/netns` and `/proc` shows nothing of the machine outside.
//!
//! The worker itself stays outside: a program that kills every process it can see does not reach it. When the worker
//! ends, the reaper is killed by the kernel (`PR_SET_PDEATHSIG`), and with a PID namespace's first process the kernel
//! kills all others.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::namespace::Namespace;

/// The namespaces that programs are put into.
#[derive(Debug)]
pub struct Cage {
    /// The mount namespace.
    pub(super) mounts: OwnedFd,
}

/// A node as its programs see it.
#[derive(Debug)]
pub struct Room<'a> {
    /// The node's name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a Namespace,
}

impl Cage {
    /// Makes the cage. The process must have a PID namespace for its children (`unshare(CLONE_NEWPID)`) and none yet,
    /// and only one thread.
    ///
    /// # Errors
    ///
    /// What fork(2), unshare(2) and mount(2) say, with the step that failed.
    pub fn make(rooms: &[Room<'_>], hosts: &str) -> io::Result<Self> {
        let (mut reader, writer) = io::pipe()?;
        // SAFETY: the process has one thread, so no lock is held by another at the time of the fork.
        #[expect(unsafe_code, reason = "fork is the only way to a PID namespace's first process")]
        let forked = unsafe { fork() }?;
        match forked {
            ForkResult::Child => {
                drop(reader);
                reap_for_ever(rooms, hosts, writer)
            }
            ForkResult::Parent { child } => {
                drop(writer);
                let mut said = String::new();
                reader.read_to_string(&mut said)?;
                if said != READY {
                    return Err(io::Error::other(if said.is_empty() { "it died".to_owned() } else { said }));
                }
                let mounts = File::open(format!("/proc/{child}/ns/mnt"))?;
                Ok(Self { mounts: mounts.into() })
            }
        }
    }
}

/// What the reaper says when the mounts are made.
const READY: &str = "ready";

/// The first process of the PID namespace.
fn reap_for_ever(rooms: &[Room<'_>], hosts: &str, mut writer: io::PipeWriter) -> ! {
    let status = match furnish(rooms, hosts) {
        Ok(()) => {
            let said = writer.write_all(READY.as_bytes());
            drop(writer);
            if said.is_ok() { reap() } else { Ok(()) }
        }
        Err(error) => {
            // The worker reads this; when it is gone, nobody needs it.
            let _ = writer.write_all(error.to_string().as_bytes());
            Err(error)
        }
    };
    // SAFETY: _exit(2) only ends the process; nothing of the worker's may be run down in its copy.
    #[expect(unsafe_code, reason = "std offers no exit without running the parent's handlers")]
    unsafe {
        libc::_exit(i32::from(status.is_err()))
    }
}

fn furnish(rooms: &[Room<'_>], hosts: &str) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let step = |what: &str| {
        let what = what.to_owned();
        move |error: nix::errno::Errno| io::Error::other(format!("{what}: {}", error.desc()))
    };
    // The wire to the runner must end with the worker, not with its reaper.
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(step("a mount namespace"))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(step("private mounts"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), flags, Some("mode=755")).map_err(step("mounting /run"))?;
    fs::create_dir("/run/netns")?;
    for room in rooms {
        let place = Path::new("/run/netns").join(room.name);
        File::create(&place)?;
        let descriptor = format!("/proc/self/fd/{}", room.namespace.as_fd().as_raw_fd());
        mount(Some(descriptor.as_str()), &place, none, MsFlags::MS_BIND, none).map_err(step("mounting /run/netns"))?;
    }
    name_hosts(hosts)?;
    let flags = flags | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none).map_err(|error| {
        io::Error::other(format!("mounting /proc: {} (a container that masks parts of /proc forbids it)", error.desc()))
    })
}

/// Puts the case's host names in the place of the machine's.
fn name_hosts(hosts: &str) -> io::Result<()> {
    let none: Option<&str> = None;
    fs::write("/run/hosts", hosts)?;
    if Path::new("/etc/hosts").exists() {
        mount(Some("/run/hosts"), "/etc/hosts", none, MsFlags::MS_BIND, none)?;
    }
    Ok(())
}

/// Waits for children that were left to it. Only the worker's end, or the kernel, ends it.
fn reap() -> io::Result<()> {
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    children.thread_block()?;
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => {
                children.wait()?;
            }
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
