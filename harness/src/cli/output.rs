//! Where the command writes: standard output, with or without colours.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;

use crate::diagnostic::Style;
use crate::run::exit;

/// When to use colours. The variants have no text of their own, so that `--help` names them on one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// Whether it is coloured.
    pub(super) style: Style,
}

impl Output {
    pub(super) fn new(color: Color) -> Self {
        let choice = match color {
            Color::Auto => AutoStream::choice(&io::stdout()),
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { style: if choice == ColorChoice::Never { Style::Plain } else { Style::Color } }
    }

    /// The columns of the terminal, if it is one.
    pub(super) fn width(self) -> Option<usize> {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if !io::stdout().is_terminal() || is_dumb {
            return None;
        }
        Some(terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)))
    }

    /// Writes text and gives the exit code: that of the caller, unless the text could not be written. A reader that
    /// has closed its end of a pipe has seen what it wanted.
    pub(super) fn write(self, text: &str, code: u8) -> u8 {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => code,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
            Err(error) => complain(&format!("cannot write to standard output: {error}"), exit::ERROR),
        }
    }
}

/// Tells a mistake that belongs to no case, and gives the exit code for it.
pub(super) fn complain(message: &str, code: u8) -> u8 {
    // When not even standard error can be written to, the exit code is all that is left.
    let _ = writeln!(io::stderr(), "error: {message}");
    code
}
