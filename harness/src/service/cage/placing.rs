//! Files of the case at places of its choice, for the programs of one node.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::{failed, tree};

/// A file or a folder, and where it is found.
#[derive(Clone, Debug)]
pub struct Placing {
    /// The absolute path.
    pub at: PathBuf,
    /// A file has one part with an empty path; a folder has its own first, and parents before what is in them.
    pub parts: Vec<(PathBuf, Part)>,
}

/// What a folder has.
#[derive(Clone, Debug)]
pub enum Part {
    /// A folder.
    Folder,
    /// A file with its bytes and permissions.
    File(Vec<u8>, u32),
    /// A symbolic link.
    Link(PathBuf),
}

/// How large placed folders may be, as tmpfs(5) takes it.
const ROOM: &str = "mode=755,size=32m,nr_inodes=16384";

/// Puts something where it is to be, read-only; a file stands at `copy` too.
pub(super) fn place(placing: &Placing, copy: &Path) -> io::Result<()> {
    let none: Option<&str> = None;
    let at = &*placing.at;
    if let Some((_, Part::File(bytes, mode))) = placing.parts.first() {
        write(copy, bytes, *mode)?;
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder)?;
        }
        if !at.exists() {
            fs::File::create(at)?;
        }
        mount(Some(copy), at, none, MsFlags::MS_BIND, none).map_err(failed("placing a file"))?;
    } else {
        fs::create_dir_all(at)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some(ROOM)).map_err(failed("placing a folder"))?;
        for (path, part) in placing.parts.iter().skip(1) {
            let place = at.join(path);
            match part {
                Part::Folder => fs::create_dir(place)?,
                Part::File(bytes, mode) => write(&place, bytes, *mode)?,
                Part::Link(target) => symlink(target, place)?,
            }
        }
    }
    tree::make_read_only(at)
}

fn write(place: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    fs::write(place, bytes)?;
    fs::set_permissions(place, Permissions::from_mode(mode))
}
