//! Why a program could not be started, where execve(2) says only that something is not there.

use std::io;

use super::command::{Invocation, Place};

/// How much of a first line is read: what the kernel reads of it (`BINPRM_BUF_SIZE`).
const FIRST_LINE: u64 = 256;

/// The error of a start with what is known beside it.
pub(super) fn explained(place: Place<'_>, invocation: &Invocation, error: io::Error) -> io::Error {
    let why = if error.kind() == io::ErrorKind::NotFound { missing(place, invocation) } else { None };
    // What is missing is not the program, so nobody must look for that.
    why.map_or(error, io::Error::other)
}

fn missing(place: Place<'_>, invocation: &Invocation) -> Option<String> {
    let folder = place.cage.start(invocation.folder.as_deref());
    if let Some(written) = &invocation.folder
        && !place.cage.has_folder(place.room, &folder)
    {
        return Some(format!("there is no folder `{}` to start it in", written.display()));
    }
    let program = invocation.run.first().filter(|program| program.contains('/'))?;
    let text = place.cage.read(place.room, &folder.join(program), FIRST_LINE)?;
    let line = text.split('\n').next().filter(|line| line.starts_with("#!"))?;
    Some(match line.strip_suffix('\r') {
        Some(line) => format!("its first line is `{line}` with a carriage return behind it, as on Windows"),
        None => format!("its first line is `{line}`, and there is no such program"),
    })
}
