//! The files that a case brings, read while the worker is still who has started it: a script may lie where the programs
//! of a case see nothing, or where only its owner may read.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::case::LARGEST_FILE;
use crate::plan::Plan;
use crate::service::cage::Placed;

/// Reads the files that a plan names. One that is not there any more is missed where it is used.
pub(super) fn read(plan: &Plan) -> Vec<Placed> {
    let Some(folder) = &plan.folder else { return Vec::new() };
    plan.setup.iter().filter_map(|script| read_one(folder, &script.path)).collect()
}

fn read_one(folder: &Path, written: &str) -> Option<Placed> {
    let path = folder.join(written).canonicalize().ok()?;
    let mode = fs::metadata(&path).ok()?.permissions().mode();
    let mut bytes = Vec::new();
    File::open(&path).ok()?.take(LARGEST_FILE as u64).read_to_end(&mut bytes).ok()?;
    Some(Placed { written: written.to_owned(), path, bytes, mode })
}

/// A line of a file, counted from 1.
pub(super) fn line(files: &[Placed], written: &str, number: usize) -> Option<String> {
    let file = files.iter().find(|file| file.written == written)?;
    let text = String::from_utf8_lossy(&file.bytes);
    text.lines().nth(number.checked_sub(1)?).map(|line| line.trim().to_owned())
}
