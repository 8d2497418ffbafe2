//! A node as its programs see it: its own `/run`, `/sys` and host name, in a mount namespace of its own.
//!
//! What a script mounts in its node (a network namespace below `/run/netns`, say) stays there for the node's next
//! program, and is seen by no other node.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;

use super::{Cage, failed, limits, own_namespace};
use crate::namespace::Namespace;

/// The namespaces of a node's programs, but for the network.
#[derive(Debug)]
pub struct Room {
    mounts: OwnedFd,
    name: OwnedFd,
}

/// Another node as it stands below `/run/netns`.
#[derive(Debug)]
pub struct Door<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a Namespace,
}

impl Cage {
    /// Makes the room of a node; `doors` are the nodes that its programs find below `/run/netns`.
    ///
    /// # Errors
    ///
    /// What unshare(2) and mount(2) say, with the step that failed.
    pub fn room(&self, name: &str, network: &Namespace, doors: &[Door<'_>]) -> io::Result<Room> {
        let made = network.within(|| {
            self.visit(&self.mounts, || {
                unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS).map_err(failed("a mount namespace"))?;
                furnish(name, doors)?;
                Ok(Room { mounts: own_namespace(&self.proc, "mnt")?, name: own_namespace(&self.proc, "uts")? })
            })
        });
        setns(&self.home_name, CloneFlags::CLONE_NEWUTS)?;
        made
    }

    /// What a new process does before it becomes a program of a room.
    pub(in crate::service) fn entry(&self, room: &Room, network: &Namespace, folder: Option<&Path>) -> Entry {
        Entry {
            mounts: room.mounts.as_raw_fd(),
            name: room.name.as_raw_fd(),
            network: network.as_fd().as_raw_fd(),
            folder: folder.map_or_else(|| self.folder.clone(), |folder| self.folder.join(folder)),
        }
    }
}

fn furnish(name: &str, doors: &[Door<'_>]) -> io::Result<()> {
    let none: Option<&str> = None;
    // Mounts of the cage come in, none goes out; and programs find them shared, as systemd leaves them.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none).map_err(failed("mounts of its own"))?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SHARED, none).map_err(failed("shared mounts"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let options = Some("mode=755,size=32m,nr_inodes=16384");
    mount(Some("tmpfs"), "/run", Some("tmpfs"), flags, options).map_err(failed("mounting /run"))?;
    for folder in ["/run/lock", "/run/netns"] {
        fs::create_dir(folder)?;
    }
    for door in doors {
        let place = PathBuf::from("/run/netns").join(door.name);
        File::create(&place)?;
        let descriptor = format!("self/fd/{}", door.namespace.as_fd().as_raw_fd());
        mount(Some(descriptor.as_str()), &place, none, MsFlags::MS_BIND, none)
            .map_err(failed("mounting /run/netns"))?;
    }
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags | MsFlags::MS_NOEXEC, none).map_err(failed("mounting /sys"))?;
    Ok(nix::unistd::sethostname(name)?)
}

/// The way from a copy of the worker to a program in a room, by numbers that a copy may use.
pub(in crate::service) struct Entry {
    mounts: i32,
    name: i32,
    network: i32,
    folder: PathBuf,
}

impl Entry {
    /// Runs between fork and exec: into the room and the node, without a terminal, within limits.
    pub(in crate::service) fn step_in(&self) -> io::Result<()> {
        // SAFETY: the worker holds these open for as long as it may start programs.
        #[expect(unsafe_code, reason = "the closure outlives the borrow of the descriptors' owners")]
        let [mounts, name, network] =
            [self.mounts, self.name, self.network].map(|number| unsafe { BorrowedFd::borrow_raw(number) });
        nix::unistd::setsid()?;
        setns(mounts, CloneFlags::CLONE_NEWNS)?;
        setns(name, CloneFlags::CLONE_NEWUTS)?;
        setns(network, CloneFlags::CLONE_NEWNET)?;
        std::env::set_current_dir(&self.folder)?;
        limits::set()?;
        prctl::set_no_new_privs()?;
        Ok(())
    }
}
