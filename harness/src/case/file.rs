//! Reading a case file: what may go wrong before there is any text.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::LARGEST_FILE;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// A file without a text that could be a case, and why.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// What of the text can be shown.
    pub source: Source,
    /// What is wrong with the file.
    pub diagnostic: Diagnostic,
}

/// Reads a case file; `shown` is its name in messages.
///
/// # Errors
///
/// The file is not there or not a regular file, cannot be read, is larger than [`LARGEST_FILE`], or is not UTF-8.
pub fn read(path: &Path, shown: &str) -> Result<Source, Box<Unreadable>> {
    let unreadable =
        |text: &str, diagnostic: Diagnostic| Err(Box::new(Unreadable { source: Source::new(shown, text), diagnostic }));
    let nowhere = Span::default();
    let bytes = match read_bytes(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let reason = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                io::ErrorKind::PermissionDenied => "its permissions do not let you read it".to_owned(),
                io::ErrorKind::IsADirectory => "it is a folder, and a case is a file".to_owned(),
                _ => error.to_string(),
            };
            return unreadable("", Diagnostic::error(nowhere, format!("cannot read `{shown}`: {reason}")));
        }
    };
    if bytes.len() > LARGEST_FILE {
        let message = "this file is larger than 1 MiB";
        return unreadable("", Diagnostic::error(nowhere, message).help(TOO_LARGE));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(shown, text)),
        Err(error) => {
            let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
            let text = String::from_utf8_lossy(bytes);
            // The lossy text has U+FFFD, three bytes long, where the first wrong byte stands.
            let place = Span::new(at, at + 3);
            let message = "this file is not UTF-8";
            let wrong = bytes.get(at).copied().unwrap_or_default();
            let diagnostic = Diagnostic::error(place, message)
                .label(format!("byte {at} of the file is 0x{wrong:02x}, which is no character here"))
                .help("save the file as UTF-8; an editor may have written Latin-1 or UTF-16");
            unreadable(&text, diagnostic)
        }
    }
}

/// Why a large file is refused.
pub(super) const TOO_LARGE: &str = "cases written by hand are a hundred times smaller: split it, or look what it is";

/// The bytes of a regular file, at most one more than a case may have: a device or a pipe would never end.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let kind = path.metadata()?;
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Style;

    #[test]
    fn what_is_no_case_file_is_refused_with_its_reason() {
        let table = [
            ("/nonexistent/case.toml", "error: cannot read `x.toml`: there is no such file"),
            ("/proc", "error: cannot read `x.toml`: it is a folder, and a case is a file"),
            ("/dev/zero", "error: cannot read `x.toml`: it is not a regular file"),
        ];
        for (path, expected) in table {
            let unreadable = read(Path::new(path), "x.toml").expect_err(path);
            let drawn = unreadable.diagnostic.render(&unreadable.source, Style::Plain);
            assert_eq!(drawn, format!("{expected}\n--> x.toml"), "{path}");
        }
    }
}
