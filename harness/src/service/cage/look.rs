//! What the worker sees of a room without running anything in it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sched::CloneFlags;
use nix::sys::stat::Mode;
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use super::Cage;
use super::room::{LINE, NAMESPACES, Room};

impl Cage {
    /// The network namespace of a name below `/run/netns`, as a room has it: mounted there, or the end of a link such as
    /// `/proc/PID/ns/net`.
    ///
    /// # Errors
    ///
    /// What open(2) says; and that something of the name is no network namespace.
    pub fn open_namespace(&self, room: &Room, name: &str) -> io::Result<OwnedFd> {
        self.visit(&room.mounts, || {
            // A program might have put anything there: nothing is opened before it is known what it is.
            let path = Path::new(NAMESPACES).join(name);
            let found = open(&path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
            if fstatfs(&found)?.filesystem_type() == NSFS_MAGIC {
                let path = format!("thread-self/fd/{}", found.as_raw_fd());
                let opened = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
                if is_network(&opened) {
                    return Ok(opened);
                }
            }
            Err(io::Error::other("it is no network namespace"))
        })
    }

    /// The last command that failed in a bash script that was run with `NOTER` as its `BASH_ENV`: its line, its exit
    /// status and the file that it stands in. Only such a failure is noted at which bash ends the script.
    pub fn failed_line(&self, room: &Room) -> Option<(usize, i32, String)> {
        let text = self.read(room, Path::new(LINE), 4096)?;
        let (line, rest) = text.trim_end().split_once(' ')?;
        let (status, file) = rest.split_once(' ')?;
        Some((line.parse().ok()?, status.parse().ok()?, file.to_owned()))
    }

    /// The start of a regular file, as a room has it.
    pub fn read(&self, room: &Room, path: &Path, most: u64) -> Option<String> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let opened = self.visit(&room.mounts, || Ok(open(path, flags, Mode::empty())?)).ok()?;
        let file = File::from(opened);
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether there is a folder, as a room has it.
    pub fn has_folder(&self, room: &Room, path: &Path) -> bool {
        self.visit(&room.mounts, || Ok(path.is_dir())).unwrap_or(true)
    }

    /// Where a program starts, for a folder seen from the case's own.
    pub fn start(&self, folder: Option<&Path>) -> PathBuf {
        folder.map_or_else(|| self.folder.clone(), |folder| self.folder.join(folder))
    }

    /// What stands below `/run/netns`, as a room has it.
    ///
    /// # Errors
    ///
    /// What readdir(3) says.
    pub fn namespaces(&self, room: &Room) -> io::Result<Vec<String>> {
        self.names(room, Path::new(NAMESPACES))
    }

    /// The names in a folder, as a room has it, in their order.
    ///
    /// # Errors
    ///
    /// What readdir(3) says.
    pub fn names(&self, room: &Room, folder: &Path) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = self.visit(&room.mounts, || {
            let entries = fs::read_dir(folder)?;
            Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        })?;
        names.sort();
        Ok(names)
    }
}

/// `NS_GET_NSTYPE` (`linux/nsfs.h`).
const TYPE_OF_NAMESPACE: libc::Ioctl = 0xb703;

fn is_network(namespace: &OwnedFd) -> bool {
    // SAFETY: this call takes a number and gives one.
    #[expect(unsafe_code, reason = "nix has no name for this request")]
    let kind = unsafe { libc::ioctl(namespace.as_raw_fd(), TYPE_OF_NAMESPACE) };
    kind == CloneFlags::CLONE_NEWNET.bits()
}
