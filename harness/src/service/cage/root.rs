//! The file system that a case's programs see: the machine's own, read-only, below layers that are thrown away.
//!
//! An overlay over `/` is refused in a user namespace, and so is one over a folder with mounts below it, so there is one
//! for each folder that has none. What is written goes to one tmpfs of a limited size, and ends with the case.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::unistd::AccessFlags;

use super::tree;
use super::{Folder, Placed, Setting, failed};

/// Where the new root is put together: a place that every machine has, and that no layer is taken from.
pub(super) const STAGE: &str = "/sys";

/// How much programs may write altogether, as tmpfs(5) takes it.
const ROOM: &str = "mode=755,size=256m,nr_inodes=131072";

/// Folders that are empty, whatever the machine has there.
const EMPTY: &[&str] = &["/home", "/root", "/tmp"];

/// Folders that are the cage's own.
const OWN: &[&str] = &["/dev", "/proc", "/run", "/sys"];

/// Folders in which new files can stand however deep, and such in which they can a level deeper than in others, as in
/// the case's own. What lies there belongs to the machine's own root, who is nobody here, and cannot be written.
const WRITTEN: &[&str] = &["/etc", "/usr/local"];
const WRITTEN_ONCE: &[&str] = &["/usr", "/var"];

/// How many folders are made for that below one.
const FOLDERS: usize = 500;

/// Files, and folders of files, that are the cage's own from the beginning, so that lines can be added to them.
const COPIED: &[&str] = &["/etc/iproute2", "/etc/sysctl.conf", "/etc/nftables.conf", "/etc/dnsmasq.conf"];

/// How many files of a folder are copied, each up to this size.
const COPIES: usize = 32;
const SMALL: u64 = 16 * 1024;

/// A file directly below a folder that cannot be an overlay is copied up to this size.
const LARGEST_COPY: u64 = 1024 * 1024;

/// What everybody calls to become root, where everybody is root already.
const SUDO: &str = include_str!("sudo.sh");

/// The new root while it is put together.
pub(super) struct Root {
    place: PathBuf,
    layers: PathBuf,
    count: usize,
    /// Where the machine has mounts.
    mounts: BTreeSet<PathBuf>,
    /// What the machine refuses, in words.
    pub(super) lost: Vec<String>,
}

impl Root {
    /// Puts the new root together at [`STAGE`]; it is not yet the root of anything.
    pub(super) fn make(setting: &Setting<'_>) -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?.lines().filter_map(mount_point).collect();
        let none: Option<&str> = None;
        mount(Some("tmpfs"), STAGE, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(ROOM))
            .map_err(failed("mounting a tmpfs"))?;
        let stage = Path::new(STAGE);
        let mut root =
            Self { place: stage.join("root"), layers: stage.join("layers"), count: 0, mounts, lost: Vec::new() };
        fs::create_dir(&root.place)?;
        fs::create_dir(&root.layers)?;
        mount(Some(&root.place), &root.place, none, MsFlags::MS_BIND, none).map_err(failed("binding the new root"))?;
        root.descend(Path::new("/"))?;
        fs::set_permissions(root.at(Path::new("/tmp")), Permissions::from_mode(0o1777))?;
        if let Some(folder) = setting.folder {
            root.show(folder)?;
        }
        for file in setting.files {
            root.place(file)?;
        }
        root.furnish(setting);
        Ok(root)
    }

    /// Where it stands.
    pub(super) fn path(&self) -> &Path {
        &self.place
    }

    /// The place of a path in the new root.
    fn at(&self, path: &Path) -> PathBuf {
        self.place.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A folder that cannot be one layer: its entries one by one.
    fn descend(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry?;
            let (path, place) = (entry.path(), self.at(&entry.path()));
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                symlink(fs::read_link(&path)?, place)?;
            } else if kind.is_dir() {
                fs::create_dir(&place)?;
                if !is_one_of(&path, EMPTY) && !is_one_of(&path, OWN) {
                    self.layer(&path)?;
                }
            } else if kind.is_file() && entry.metadata()?.len() <= LARGEST_COPY {
                // One that only the machine's root may read is not there.
                let _ = fs::copy(&path, place);
            }
        }
        for name in EMPTY.iter().chain(OWN).filter(|name| Path::new(name).parent() == Some(folder)) {
            let place = self.at(Path::new(name));
            if !place.exists() {
                fs::create_dir(place)?;
            }
        }
        Ok(())
    }

    /// A folder of the machine, for which there is a place.
    fn layer(&mut self, path: &Path) -> io::Result<()> {
        if self.mounts.iter().any(|mount| mount != path && mount.starts_with(path)) {
            return self.descend(path);
        }
        match self.overlay(path, path, levels(path)) {
            Ok(()) => Ok(()),
            Err(error) => self.bind(path, &error),
        }
    }

    /// An overlay over `source` at the place of `path`, in which so many levels of folders below can be written to.
    fn overlay(&mut self, source: &Path, path: &Path, levels: usize) -> io::Result<()> {
        self.count += 1;
        let folder = self.layers.join(self.count.to_string());
        let (upper, work) = (folder.join("upper"), folder.join("work"));
        let mode = fs::metadata(source)?.permissions().mode();
        fs::create_dir(&folder)?;
        fs::create_dir(&work)?;
        fs::create_dir(&upper)?;
        // The owner may do everything below, and here that is the root of the cage.
        fs::set_permissions(&upper, Permissions::from_mode(mode | 0o700))?;
        open_up(source, &upper, levels, &mut FOLDERS.clone())?;
        for name in COPIED {
            if let Ok(below) = Path::new(name).strip_prefix(path) {
                copy(Path::new(name), &upper.join(below));
            }
        }
        if let Ok(below) = Path::new("/usr/bin/sudo").strip_prefix(path) {
            let place = upper.join(below);
            place.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&place, SUDO)?;
            fs::set_permissions(&place, Permissions::from_mode(0o755))?;
        }
        // Seen from inside, the source's path needs no escaping: no colon, comma or backslash in it is read.
        std::env::set_current_dir(source)?;
        let options = format!("userxattr,lowerdir=.,upperdir={},workdir={}", upper.display(), work.display());
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let mounted = mount(Some("overlay"), &self.at(path), Some("overlay"), flags, Some(options.as_str()));
        std::env::set_current_dir("/")?;
        mounted.map_err(io::Error::from)
    }

    /// The folder itself where there can be no overlay. One in which the cage's root might write is left out: what is
    /// mounted read-only here could be mounted anew.
    fn bind(&mut self, path: &Path, error: &io::Error) -> io::Result<()> {
        let nothing = nix::unistd::access(path, AccessFlags::R_OK | AccessFlags::X_OK).is_err();
        if nothing {
            return Ok(());
        }
        let what = path.display();
        if nix::unistd::access(path, AccessFlags::W_OK).is_ok() {
            self.lost.push(format!("{what} is empty: this machine refuses an overlay over it ({error})"));
            return Ok(());
        }
        let none: Option<&str> = None;
        mount(Some(path), &self.at(path), none, MsFlags::MS_BIND, none).map_err(failed("binding a folder"))?;
        tree::make_read_only(&self.at(path))?;
        self.lost.push(format!("{what} is read-only: this machine refuses an overlay over it ({error})"));
        Ok(())
    }

    /// Shows the case's own folder where it lies, wherever that is, and has it written to, whosever it is.
    fn show(&mut self, folder: &Folder) -> io::Result<()> {
        let path = &*folder.path;
        if path == Path::new("/") {
            return Ok(());
        }
        self.make_way(path)?;
        let mut source = path.to_owned();
        if let Some(tree) = &folder.tree {
            source = Path::new(STAGE).join("case");
            fs::create_dir(&source)?;
            tree::attach(tree, &source)?;
        }
        match self.overlay(&source, path, 1) {
            Ok(()) => Ok(()),
            Err(error) => self.bind(&source, &error),
        }
    }

    /// Puts a copy of a file where it lies, if it is not seen there.
    fn place(&mut self, file: &Placed) -> io::Result<()> {
        let place = self.at(&file.path);
        if nix::unistd::access(&place, AccessFlags::R_OK).is_ok() {
            return Ok(());
        }
        if let Some(folder) = file.path.parent() {
            self.make_way(folder)?;
        }
        // It may be there, and belong to somebody else.
        let _ = fs::remove_file(&place);
        fs::write(&place, &file.bytes)?;
        fs::set_permissions(&place, Permissions::from_mode(file.mode))
    }

    /// Makes sure that a path can be walked: what the cage's root may not enter becomes an empty folder.
    fn make_way(&mut self, path: &Path) -> io::Result<()> {
        let none: Option<&str> = None;
        let mut here = PathBuf::from("/");
        for part in path.components().filter(|part| matches!(part, Component::Normal(_))) {
            here.push(part);
            let place = self.at(&here);
            if let Err(error) = fs::create_dir(&place)
                && error.kind() != io::ErrorKind::AlreadyExists
            {
                return Err(error);
            }
            if !can_enter(&place) {
                self.count += 1;
                let empty = self.layers.join(self.count.to_string());
                fs::create_dir(&empty)?;
                mount(Some(&empty), &place, none, MsFlags::MS_BIND, none).map_err(failed("an empty folder"))?;
            }
        }
        Ok(())
    }

    /// Files that are the cage's own. Where a folder is read-only they are missing, which [`Root::bind`] has said.
    fn furnish(&self, setting: &Setting<'_>) {
        for (path, text) in [("/etc/hosts", setting.hosts), ("/etc/resolv.conf", "")] {
            let place = self.at(Path::new(path));
            let _ = fs::remove_file(&place);
            let _ = fs::write(&place, text);
        }
    }
}

/// How many levels of folders below this one can be written to.
fn levels(path: &Path) -> usize {
    if WRITTEN.iter().any(|name| path.starts_with(name)) {
        usize::MAX
    } else {
        usize::from(is_one_of(path, WRITTEN_ONCE))
    }
}

/// Makes the folders of `source` in an upper layer, where they belong to the cage's root; `left` of them at most.
fn open_up(source: &Path, upper: &Path, levels: usize, left: &mut usize) -> io::Result<()> {
    // One that the cage's root may not look into stays closed.
    let entries = if levels > 0 { fs::read_dir(source).ok() } else { None };
    for entry in entries.into_iter().flatten().flatten() {
        if *left == 0 || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        *left -= 1;
        let (path, below) = (entry.path(), upper.join(entry.file_name()));
        fs::create_dir(&below)?;
        fs::set_permissions(&below, Permissions::from_mode(metadata.permissions().mode() | 0o700))?;
        // Where the folders in a folder are counted, two links mean that there is none.
        if metadata.nlink() != 2 {
            open_up(&path, &below, self::levels(&path).max(levels - 1), left)?;
        }
    }
    Ok(())
}

/// Copies a small file, or those of a folder. One that cannot be read or is not there stays as it is.
fn copy(source: &Path, place: &Path) {
    let Ok(metadata) = fs::symlink_metadata(source) else { return };
    if metadata.is_file() && metadata.len() <= SMALL {
        let _ = fs::copy(source, place);
    } else if metadata.is_dir() {
        for entry in fs::read_dir(source).into_iter().flatten().flatten().take(COPIES) {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                copy(&entry.path(), &place.join(entry.file_name()));
            }
        }
    }
}

fn is_one_of(path: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| Path::new(name) == path)
}

fn can_enter(folder: &Path) -> bool {
    nix::unistd::access(folder, AccessFlags::R_OK | AccessFlags::X_OK).is_ok()
}

/// The fifth field of a line of `/proc/self/mountinfo` (proc(5)), in which blanks are written in octal.
fn mount_point(line: &str) -> Option<PathBuf> {
    let field = line.split(' ').nth(4)?.as_bytes();
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'\\').then(|| std::str::from_utf8(after.get(..3)?).ok()).flatten();
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                path.push(byte);
                rest = &after[3..];
            }
            None => {
                path.push(first);
                rest = after;
            }
        }
    }
    Some(PathBuf::from(OsString::from_vec(path)))
}
