//! Into namespaces of the worker's own, while it has one thread.

use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use super::runner::Runner;
use super::users;
use crate::namespace::Namespace;
use crate::preflight::missing_capabilities;
use crate::service::cage::Folder;
use crate::worker::message::Broken;

/// Which namespaces beside the network's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// A user namespace even as root.
    pub(super) user: bool,
    /// What programs need: a PID namespace for the children, and as many users as can be had.
    pub(super) programs: bool,
    /// The folder that programs are to see.
    pub(super) folder: Option<&'a Path>,
}

/// What the process has then.
#[derive(Debug)]
pub(super) struct Entered {
    /// The network namespace that it comes home to.
    pub(super) home: Namespace,
    /// The folder that programs are to see.
    pub(super) folder: Option<Folder>,
}

/// Enters namespaces of the process's own.
///
/// # Errors
///
/// What this machine does not allow, with the remedy.
pub(super) fn enter(wanted: Wanted<'_>, runner: Runner) -> Result<Entered, Broken> {
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if wanted.programs {
        flags |= CloneFlags::CLONE_NEWPID;
    }
    // Root in a container may have namespaces and yet not the right to make links in them; in a user namespace of its
    // own it has every right.
    let privileged = geteuid().is_root() && !wanted.user && missing_capabilities().is_empty() && unshare(flags).is_ok();
    let mut folder = wanted.folder.map(|path| Folder { path: path.to_owned(), tree: None });
    if !privileged {
        let tree = users::enter(wanted)?;
        if let Some(folder) = &mut folder {
            folder.tree = tree;
        }
        unshare(flags).map_err(|errno| refused("namespaces of its own", errno))?;
    }
    // Changing user or user namespace clears it, so it stands behind those. A runner that ended before is looked for,
    // since no signal comes for that one.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| refused("a signal at the runner's end", errno))?;
    if runner.is_gone().map_err(|error| Broken::new(format!("cannot see whether the runner lives: {error}")))? {
        std::process::exit(1);
    }
    let home = Namespace::home()
        .map_err(|error| refused("a network namespace", Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))))?;
    Ok(Entered { home, folder })
}

pub(super) fn refused(what: &str, errno: Errno) -> Broken {
    let broken = Broken::new(format!("this machine refuses the worker {what}: {} ({errno:?})", errno.desc()));
    match errno {
        Errno::EPERM => broken.help("run `netcase doctor`: it says what is missing and how to get it"),
        Errno::ENOSPC => broken.help("raise `sysctl user.max_net_namespaces`, or lower `--jobs`"),
        _ => broken,
    }
}
