//! A node as its programs see it: its own `/run`, `/sys` and host name, in a mount namespace of its own.
//!
//! What a script mounts in its node (a network namespace below `/run/netns`, say) stays there for the node's next
//! program, and is seen by no other node.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::stat::{Mode, SFlag, fstat};

use super::placing::{self, Placing};
use super::{Cage, failed, guard, limits, own_namespace};
use crate::namespace::Namespace;

/// The namespaces of a node's programs, but for the network.
#[derive(Debug)]
pub struct Room {
    pub(super) mounts: OwnedFd,
    name: OwnedFd,
}

/// The node that a room is for.
#[derive(Debug)]
pub struct Tenant<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its network.
    pub network: &'a Namespace,
    /// The text of its `/etc/resolv.conf`.
    pub resolvers: String,
    /// What its programs find at places of the case's choice.
    pub files: Vec<&'a Placing>,
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
    pub fn room(&self, tenant: &Tenant<'_>, doors: &[Door<'_>]) -> io::Result<Room> {
        self.build(&self.mounts, tenant, || furnish(doors))
    }

    /// Makes the room of a node that programs of another room have made: it sees what they see, but for `/sys`, the host
    /// name and what stands below `/etc/netns/NAME`, as `ip netns exec` has it.
    ///
    /// # Errors
    ///
    /// As [`Cage::room`].
    pub fn room_within(&self, outer: &Room, tenant: &Tenant<'_>) -> io::Result<Room> {
        self.build(&outer.mounts, tenant, || lay_over(tenant.name))
    }

    fn build(
        &self,
        outer: &OwnedFd,
        tenant: &Tenant<'_>,
        furnish: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Room> {
        let made = tenant.network.within(|| {
            self.visit(outer, || {
                unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS).map_err(failed("a mount namespace"))?;
                share()?;
                furnish()?;
                tenant.move_in()?;
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
            wire: self.wire.number(),
            folder: self.start(folder),
        }
    }
}

/// Where netcase's own files for a room stand.
const OWN: &str = "/run/netcase";

/// What bash reads first in a script whose failing line is to be known, and where it notes that.
pub const NOTER: &str = "/run/netcase/line.sh";
pub(super) const LINE: &str = "/run/netcase/line";

/// Where named network namespaces stand (ip-netns(8)).
pub(super) const NAMESPACES: &str = "/run/netns";

/// Mounts of the namespace that this one is a copy of come in, and go with those, and none goes out; programs find them
/// shared, as systemd leaves them.
fn share() -> io::Result<()> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none).map_err(failed("mounts of its own"))?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SHARED, none).map_err(failed("shared mounts"))
}

impl Tenant<'_> {
    /// Puts the node's own things into a new room: `/sys`, the host name, its files.
    fn move_in(&self) -> io::Result<()> {
        let none: Option<&str> = None;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("sysfs"), "/sys", Some("sysfs"), flags, none).map_err(failed("mounting /sys"))?;
        nix::unistd::sethostname(self.name)?;
        if !self.resolvers.is_empty() {
            let copy = format!("{OWN}/resolv.conf-{}", self.name);
            fs::write(&copy, &self.resolvers)?;
            mount(Some(copy.as_str()), "/etc/resolv.conf", none, MsFlags::MS_BIND, none)
                .map_err(failed("resolvers"))?;
        }
        for (number, placing) in self.files.iter().enumerate() {
            let copy = format!("{OWN}/file-{number}-{}", self.name);
            placing::place(placing, Path::new(&copy)).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot place {}: {error}", placing.at.display()))
            })?;
        }
        Ok(())
    }
}

fn furnish(doors: &[Door<'_>]) -> io::Result<()> {
    let none: Option<&str> = None;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let options = Some("mode=755,size=32m,nr_inodes=16384");
    mount(Some("tmpfs"), "/run", Some("tmpfs"), flags, options).map_err(failed("mounting /run"))?;
    for folder in ["/run/lock", NAMESPACES] {
        fs::create_dir(folder)?;
    }
    fs::create_dir(OWN)?;
    fs::write(NOTER, include_str!("line.sh"))?;
    for door in doors {
        let place = PathBuf::from(NAMESPACES).join(door.name);
        File::create(&place)?;
        let descriptor = format!("self/fd/{}", door.namespace.as_fd().as_raw_fd());
        mount(Some(descriptor.as_str()), &place, none, MsFlags::MS_BIND, none)
            .map_err(failed("mounting /run/netns"))?;
    }
    Ok(())
}

/// Lays what a script has put below `/etc/netns/NAME` over what stands in `/etc` (ip-netns(8)).
fn lay_over(name: &str) -> io::Result<()> {
    let none: Option<&str> = None;
    // Most nodes have none.
    let entries = fs::read_dir(Path::new("/etc/netns").join(name)).into_iter().flatten();
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_dir())) {
        // What is looked at is what is bound, whatever programs put there now.
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = nix::fcntl::open(&entry.path(), flags, Mode::empty())?;
        if matches!(SFlag::from_bits_truncate(fstat(&opened)?.st_mode) & SFlag::S_IFMT, SFlag::S_IFREG | SFlag::S_IFDIR)
        {
            let descriptor = format!("thread-self/fd/{}", opened.as_raw_fd());
            // ip-netns(8) goes on, too, where nothing of that name stands in `/etc`.
            let _ = mount(
                Some(descriptor.as_str()),
                &Path::new("/etc").join(entry.file_name()),
                none,
                MsFlags::MS_BIND,
                none,
            );
        }
    }
    Ok(())
}

/// The way from a copy of the worker to a program in a room, by numbers that a copy may use.
pub(in crate::service) struct Entry {
    mounts: i32,
    name: i32,
    network: i32,
    wire: i32,
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
        guard::watch(self.wire)
    }
}
