//! A folder that nobody sees half of.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

/// What tells a bundle from any other folder: nothing else is ever replaced.
pub(super) const MARK: &str = "explanation.json";

/// A folder that is being written beside its place.
pub(super) struct Draft {
    at: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// Begins a folder that is to be at `place`.
    pub(super) fn begin(place: &Path) -> io::Result<Self> {
        if place.symlink_metadata().is_ok() && !is_bundle(place) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "what is there is no bundle"));
        }
        let (Some(parent), Some(_)) = (place.parent(), place.file_name()) else {
            return Err(io::Error::other("this names no folder"));
        };
        readable_folders(parent)?;
        remove_left(place);
        let at = beside(place, "new");
        // Of a process of the same number that was killed.
        remove(&at)?;
        let draft = Self { at, place: place.to_owned() };
        readable_folders(&draft.at)?;
        Ok(draft)
    }

    /// Writes a file; folders on the way are made.
    pub(super) fn file(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        let path = self.at.join(path);
        if let Some(folder) = path.parent() {
            readable_folders(folder)?;
        }
        let mut file = File::create_new(&path)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(0o644))
    }

    /// Puts the folder at its place; an older one is gone then.
    pub(super) fn finish(self) -> io::Result<()> {
        let old = beside(&self.place, "old");
        remove(&old)?;
        if self.place.symlink_metadata().is_ok() {
            fs::rename(&self.place, &old)?;
        }
        fs::rename(&self.at, &self.place)?;
        remove(&old)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once finished there is nothing; what cannot be written can often not be removed either.
        let _ = remove(&self.at);
    }
}

/// Removes the bundle at a place, if there is one.
pub(super) fn discard(place: &Path) -> io::Result<()> {
    remove_left(place);
    if !is_bundle(place) {
        return Ok(());
    }
    let old = beside(place, "old");
    remove(&old)?;
    fs::rename(place, &old)?;
    remove(&old)
}

/// Whether a bundle lies here.
pub(super) fn is_bundle(place: &Path) -> bool {
    place.symlink_metadata().is_ok_and(|found| found.is_dir()) && place.join(MARK).is_file()
}

/// A hidden name beside another one.
fn beside(place: &Path, word: &str) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.{}.{word}", process::id()))
}

/// Removes what processes left beside a place that were killed while they wrote. What cannot be removed harms nobody.
fn remove_left(place: &Path) {
    let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else { return };
    let start = format!(".{}.", name.to_string_lossy());
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let own = entry.file_name().to_string_lossy().strip_prefix(&start).map(str::to_owned);
        let writer = own.as_deref().and_then(|rest| rest.strip_suffix(".new").or_else(|| rest.strip_suffix(".old")));
        // One that lives may be writing it.
        let is_gone = |writer: u32| !Path::new("/proc").join(writer.to_string()).exists();
        if writer.and_then(|writer| writer.parse().ok()).is_some_and(is_gone) {
            let _ = remove(&entry.path());
        }
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes folders that everybody may read, also where the user's mask keeps others out: a report is for others.
fn readable_folders(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        readable_folders(parent)?;
    }
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(0o755)),
        // Another process makes the same.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let root = std::env::temp_dir().join(format!("netcase-bundle-left-{}", process::id()));
        let place = root.join("nat");
        // Process numbers end below (PID_MAX_LIMIT of linux/threads.h), and the first one lives.
        let left = [".nat.99999999.new", ".nat.99999999.old", ".nat.1.new", ".nat2.99999999.new", ".nat.x.new"];
        let make =
            || left.iter().for_each(|name| fs::create_dir_all(root.join(name).join("tables")).expect("a folder"));
        let there = || left.map(|name| root.join(name).exists());
        make();
        drop(Draft::begin(&place).expect("a new folder"));
        assert_eq!(there(), [false, false, true, true, true]);
        make();
        discard(&place).expect("nothing to do");
        assert_eq!(there(), [false, false, true, true, true], "a case that passes leaves nothing either");
        fs::remove_dir_all(root).expect("the test's own folder");
    }

    #[test]
    fn a_folder_is_replaced_as_a_whole_and_nothing_else_is() {
        let root = std::env::temp_dir().join(format!("netcase-bundle-files-{}", process::id()));
        let place = root.join("cases/nat");
        let draft = Draft::begin(&place).expect("a new folder");
        draft.file("old/a.txt", b"a").expect("a file");
        assert!(!place.exists());
        draft.file(MARK, b"[]").expect("a file");
        draft.finish().expect("it is there now");
        assert!(place.join("old/a.txt").is_file());
        let draft = Draft::begin(&place).expect("over an older one");
        draft.file(MARK, b"[]").expect("a file");
        draft.finish().expect("it is there now");
        assert!(!place.join("old").exists());
        drop(Draft::begin(&place).expect("one that is given up"));
        assert_eq!(fs::read_dir(root.join("cases")).expect("a folder").count(), 1);
        discard(&place).expect("a bundle");
        assert!(!place.exists());
        fs::create_dir_all(&place).expect("a folder");
        assert!(Draft::begin(&place).is_err());
        discard(&place).expect("nothing to do");
        assert!(place.exists());
        fs::remove_dir_all(root).expect("the test's own folder");
    }
}
