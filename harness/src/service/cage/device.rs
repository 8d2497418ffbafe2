//! A small `/dev` of the cage's own: no disk, no memory, no terminal of the machine.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::failed;

/// Devices that hold nothing of the machine. A tun device made here belongs to the node.
const SHARED: &[&str] = &["null", "zero", "full", "random", "urandom", "tty", "net/tun"];

const LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Fills the folder that becomes `/dev`.
pub(super) fn fill(dev: &Path) -> io::Result<()> {
    let none: Option<&str> = None;
    for name in SHARED {
        let source = Path::new("/dev").join(name);
        if !source.exists() {
            continue;
        }
        let place = dev.join(name);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create(&place)?;
        mount(Some(&source), &place, none, MsFlags::MS_BIND, none).map_err(failed("binding a device"))?;
    }
    for (target, name) in LINKS {
        symlink(target, dev.join(name))?;
    }
    fs::create_dir(dev.join("shm"))?;
    fs::set_permissions(dev.join("shm"), Permissions::from_mode(0o1777))?;
    fs::create_dir(dev.join("pts"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), flags, Some("newinstance,ptmxmode=0666,mode=0620"))
        .map_err(failed("mounting /dev/pts"))
}
