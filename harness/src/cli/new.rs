//! `netcase new`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{Output, complain};
use crate::run::exit;

/// The case that is written.
const FIRST: &str = include_str!("first.toml");

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file to write, which must not exist yet; without it, or with `-`, the case is printed
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
}

pub(super) fn execute(arguments: &Arguments, output: Output) -> u8 {
    match arguments.path.as_deref().filter(|path| *path != Path::new("-")) {
        None => output.write(FIRST, exit::PASSED),
        Some(path) => match write(path) {
            Ok(()) => {
                let path = path.display();
                output.write(&format!("wrote {path}; run it with: netcase run {path}\n"), exit::PASSED)
            }
            Err(error) => complain(&format!("cannot write {}: {error}", path.display()), exit::BAD_INPUT),
        },
    }
}

fn write(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(FIRST.as_bytes())
}
