//! Programs where every user may go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::program::Folder;

/// The program itself where everybody may go, else a copy of it.
pub(crate) fn reachable(program: &Path, place: &Folder) -> PathBuf {
    let open = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o1 != 0);
    if program.ancestors().all(open) {
        return program.to_owned();
    }
    let copy = place.0.join(program.file_name().expect("a program has a name"));
    fs::copy(program, &copy).expect("a program can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy is the test's own");
    copy
}
