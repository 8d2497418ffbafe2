//! A program of the user's own in a lab, as the runner sees it.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ChildStdout;

use crate::worker::message::{Broken, Left, Message};

/// A program of the user's own that runs now. Its worker must be kept for as long.
#[derive(Debug)]
pub struct Opening {
    /// The node that it runs in.
    pub node: usize,
    /// Its process.
    pub process: u32,
    stdout: ChildStdout,
    line: Vec<u8>,
}

/// How it went on.
#[derive(Debug)]
pub enum Said {
    /// It runs.
    Nothing,
    /// It has ended.
    Left(Left),
    /// Something broke; or the worker died, which says nothing.
    Broken(Option<Broken>),
}

impl Opening {
    pub(crate) fn new(node: usize, process: u32, stdout: ChildStdout, line: Vec<u8>) -> Self {
        Self { node, process, stdout, line }
    }

    /// What can be read when there is news.
    pub fn news(&self) -> BorrowedFd<'_> {
        self.stdout.as_fd()
    }

    /// Takes in what the worker says, without waiting for it.
    ///
    /// # Errors
    /// What read(2) says.
    pub fn hear(&mut self) -> io::Result<Said> {
        loop {
            while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.line.drain(..=end).collect();
                match serde_json::from_slice(&line) {
                    Ok(Message::Left(left)) => return Ok(Said::Left(left)),
                    Ok(Message::Broken(broken)) => return Ok(Said::Broken(Some(broken))),
                    _ => {}
                }
            }
            let mut buffer = [0; 4096];
            match self.stdout.read(&mut buffer) {
                Ok(0) => return Ok(Said::Broken(None)),
                Ok(length) => self.line.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Said::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
