//! The program under test: where it is, what it is given, and what it ended with.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Says where the program is when the usual place cannot be reached by the present user.
pub(crate) const PROGRAM: &str = "NETCASE_TEST_PROGRAM";

/// The program.
pub(crate) fn program() -> OsString {
    env::var_os(PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_netcase").into())
}

/// A folder of a test's own, gone with this value.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Makes it, empty.
    pub(crate) fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("netcase-{name}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path).expect("the folder of an earlier process can be removed");
        }
        fs::create_dir_all(&path).expect("a folder for temporary files can be made");
        Self(path)
    }

    /// `netcase run` in this folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(["run", "--color", "never"]).args(arguments).current_dir(&self.0);
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Exit code and everything that was printed, for a message.
pub(crate) fn told(output: &Output) -> String {
    format!(
        "{}\nstdout:\n{}\nstderr:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
