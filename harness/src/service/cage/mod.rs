//! Where a case's own programs run: with users, processes, mounts and devices of their own, so that nothing they do
//! reaches the machine outside, as root or not.
//!
//! The cage is a mount namespace with a [root file system](root) of its own, and a PID namespace whose first process
//! reaps and [guards](guard). The worker itself stays outside: a program that kills every process it can see does not reach it. When
//! the worker ends, the reaper is killed by the kernel (`PR_SET_PDEATHSIG`), and with a PID namespace's first process
//! the kernel kills all others. In the cage each node that runs programs has a [room](room) of its own.

mod device;
mod guard;
mod limits;
mod look;
mod placing;
mod room;
mod root;
mod seccomp;
pub mod tree;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, fork, pivot_root};

use crate::namespace::Namespace;
pub use guard::Settle;
use guard::{Guard, Wire};
pub use placing::{Part, Placing};
pub use room::{Door, NOTER, Room, Tenant};
use root::Root;

/// The namespaces that programs are put into.
#[derive(Debug)]
pub struct Cage {
    /// The mount namespace that rooms are made from.
    mounts: OwnedFd,
    /// The worker's own mount namespace.
    home: OwnedFd,
    /// The worker's own UTS namespace.
    home_name: OwnedFd,
    /// The worker's own `/proc`: in the cage it is not seen.
    proc: OwnedFd,
    /// The folder that programs start in.
    pub folder: PathBuf,
    /// The wire to its guard.
    wire: Wire,
    /// What the machine refuses of the confinement, in words.
    pub lost: Vec<String>,
}

/// What a cage is made with.
#[derive(Debug)]
pub struct Setting<'a> {
    /// The text of `/etc/hosts`.
    pub hosts: &'a str,
    /// The case's own folder.
    pub folder: Option<&'a Folder>,
    /// Other files that programs find.
    pub files: &'a [Placed],
    /// What is done in each network namespace that programs make, before anything runs in it.
    pub settle: Settle,
}

/// A file that programs find at its place, wherever that is.
#[derive(Clone, Debug)]
pub struct Placed {
    /// As the case writes it.
    pub written: String,
    /// Its absolute path.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
}

/// The folder that the case's file lies in.
#[derive(Debug)]
pub struct Folder {
    /// Its absolute path.
    pub path: PathBuf,
    /// The folder as a mount, where the cage's root could not get to it by its path.
    pub tree: Option<OwnedFd>,
}

impl Cage {
    /// Makes the cage. The process must have a PID namespace for its children (`unshare(CLONE_NEWPID)`) and none yet,
    /// and only one thread. From then on no process of the cage can look into this one or its copies.
    ///
    /// # Errors
    ///
    /// What fork(2), unshare(2) and mount(2) say, with the step that failed; `PermissionDenied` where this machine allows
    /// no such place.
    pub fn make(setting: &Setting<'_>) -> io::Result<Self> {
        // When memory runs out, the kernel is to take a case and nothing else. Where that cannot be said, it chooses.
        let _ = fs::write("/proc/self/oom_score_adj", "500");
        keep_descriptors()?;
        let proc = nix::fcntl::open("/proc", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let (home, home_name) = (own_namespace(&proc, "mnt")?, own_namespace(&proc, "uts")?);
        let (mut hears, says) = io::pipe()?;
        let (waits, goes) = io::pipe()?;
        let (wire, guard) = guard::pair(setting.settle)?;
        // SAFETY: the process has one thread, so no lock is held by another at the time of the fork.
        #[expect(unsafe_code, reason = "fork is the only way to a PID namespace's first process")]
        let forked = unsafe { fork() }?;
        let child = match forked {
            ForkResult::Child => {
                drop((hears, goes, wire));
                live(setting, guard, says, waits)
            }
            ForkResult::Parent { child } => child,
        };
        drop((says, waits, guard));
        let mut said = String::new();
        hears.read_to_string(&mut said)?;
        let Some(lost) = said.strip_prefix(READY) else {
            return Err(match said.strip_prefix(REFUSED) {
                Some(refusal) => io::Error::new(io::ErrorKind::PermissionDenied, refusal.to_owned()),
                None if said.is_empty() => io::Error::other("it died"),
                None => io::Error::other(said),
            });
        };
        let mounts = File::open(format!("/proc/{child}/ns/mnt"))?.into();
        drop(goes);
        // A program could otherwise look into a copy of this process between fork and exec, when its root is still the
        // machine's.
        prctl::set_dumpable(false)?;
        let folder = setting.folder.map_or_else(|| PathBuf::from("/"), |folder| folder.path.clone());
        let lost = lost.lines().map(str::to_owned).collect();
        Ok(Self { mounts, home, home_name, proc, folder, wire, lost })
    }

    /// Says which network namespaces are the lab's own: there nothing is to be settled.
    ///
    /// # Errors
    ///
    /// What fstat(2) and sendmsg(2) say.
    pub fn know<'a>(&self, own: impl Iterator<Item = &'a Namespace>) -> io::Result<()> {
        let numbers = own.map(Namespace::number).collect::<io::Result<Vec<u64>>>()?;
        self.wire.tell(&numbers)
    }

    /// Settles a network namespace that programs have made, if they did nothing yet that had it settled.
    ///
    /// # Errors
    ///
    /// What setns(2) and writing the settings say.
    pub fn settle(&self, namespace: BorrowedFd<'_>) -> io::Result<()> {
        self.wire.settle(namespace)
    }

    /// Runs `action` in another mount namespace, with the worker's own `/proc` as the working directory.
    fn visit<T>(&self, mounts: &OwnedFd, action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        setns(mounts, CloneFlags::CLONE_NEWNS)?;
        let result = nix::unistd::fchdir(&self.proc).map_err(io::Error::from).and_then(|()| action());
        setns(&self.home, CloneFlags::CLONE_NEWNS)?;
        result
    }
}

/// Has every descriptor closed when a program is executed, also those that the runner was started with.
fn keep_descriptors() -> io::Result<()> {
    // SAFETY: this call takes numbers only.
    #[expect(unsafe_code, reason = "nix has no name for this system call")]
    let kept = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if kept == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A namespace that the calling thread is in.
fn own_namespace(proc: &OwnedFd, kind: &str) -> io::Result<OwnedFd> {
    let path = format!("thread-self/ns/{kind}");
    Ok(openat(proc, path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// An error with the step that it stopped.
fn failed(step: &'static str) -> impl Fn(Errno) -> io::Error {
    move |errno| io::Error::new(io::Error::from(errno).kind(), format!("{step}: {}", errno.desc()))
}

/// What the reaper says when the mounts are made; what was refused follows, a line each.
const READY: &str = "ready\n";

/// What stands before the reason where this machine does not allow what a cage needs.
const REFUSED: &str = "refused\n";

/// The first process of the PID namespace.
fn live(setting: &Setting<'_>, guard: Guard, mut says: io::PipeWriter, mut waits: io::PipeReader) -> ! {
    let done = match furnish(setting) {
        Ok(lost) => {
            let said = says.write_all(format!("{READY}{}", lost.join("\n")).as_bytes());
            drop(says);
            // The worker takes hold of the namespaces; then nobody may look into this copy of it.
            said.and_then(|()| waits.read(&mut [0]))
                .and_then(|_| Ok(prctl::set_dumpable(false)?))
                .and_then(|()| guard.live())
        }
        Err(error) => {
            // The worker reads this; when it is gone, nobody needs it.
            let word = if error.kind() == io::ErrorKind::PermissionDenied { REFUSED } else { "" };
            let _ = says.write_all(format!("{word}{error}").as_bytes());
            Err(error)
        }
    };
    // SAFETY: _exit(2) only ends the process; nothing of the worker's may be run down in its copy.
    #[expect(unsafe_code, reason = "std offers no exit without running the parent's handlers")]
    unsafe {
        libc::_exit(i32::from(done.is_err()))
    }
}

/// Makes the cage's root file system the root of this process; gives what the machine refuses.
fn furnish(setting: &Setting<'_>) -> io::Result<Vec<String>> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The wire to the runner must end with the worker, not with its reaper.
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("a mount namespace"))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(failed("private mounts"))?;
    let root = Root::make(setting)?;
    let place = root.path();
    device::fill(&place.join("dev"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("sysfs"), &place.join("sys"), Some("sysfs"), flags, none).map_err(failed("mounting /sys"))?;
    mount(Some("proc"), &place.join("proc"), Some("proc"), flags, none).map_err(|errno| {
        let why = format!("mounting /proc: {} (a container that masks parts of /proc forbids it)", errno.desc());
        io::Error::new(io::Error::from(errno).kind(), why)
    })?;
    std::env::set_current_dir(place)?;
    // The old root comes to lie upon the new one, and goes with everything below it: pivot_root(2), "Notes".
    pivot_root(".", ".").map_err(failed("changing the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(failed("leaving the old root"))?;
    std::env::set_current_dir("/")?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SHARED, none).map_err(failed("shared mounts"))?;
    let mut lost = root.lost;
    if let Err(error) = seccomp::possible() {
        lost.push(format!(
            "network namespaces that programs make have the machine's own settings: this machine lets nobody watch them \
             ({error})"
        ));
    }
    Ok(lost)
}
