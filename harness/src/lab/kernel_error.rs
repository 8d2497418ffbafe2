//! What the kernel refused, in its own words.

use std::fmt;
use std::io;

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelError {
    /// What was asked, in the words of `ip`.
    pub operation: String,
    /// The error number; 0 when the kernel's answer could not be used.
    pub errno: i32,
    /// The kernel's own sentence (extended ack), where it gave one.
    pub text: Option<String>,
}

impl KernelError {
    /// A refusal by errno.
    pub fn new(operation: impl Into<String>, errno: i32) -> Self {
        Self { operation: operation.into(), errno, text: None }
    }

    /// An answer that cannot be used.
    pub fn broken(operation: impl Into<String>, text: impl Into<String>) -> Self {
        Self { operation: operation.into(), errno: 0, text: Some(text.into()) }
    }

    /// A system call's error as a sentence without Rust's `(os error 1)`.
    pub fn words(error: &io::Error) -> String {
        match error.raw_os_error() {
            Some(errno) => nix::errno::Errno::from_raw(errno).desc().to_owned(),
            None => error.to_string(),
        }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation)?;
        match (&self.text, self.errno) {
            (Some(text), 0) => f.write_str(text),
            (Some(text), errno) => write!(f, "{text} ({:?})", nix::errno::Errno::from_raw(errno)),
            (None, errno) => {
                let errno = nix::errno::Errno::from_raw(errno);
                write!(f, "{} ({errno:?})", errno.desc())
            }
        }
    }
}

impl std::error::Error for KernelError {}
