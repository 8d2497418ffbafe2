//! The program under test: where it is, what it is given, and what it ended with.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netcase::diagnostic::Diagnostics;
use netcase::plan::Plan;
use netcase::source::Source;

/// Says where the program is when the usual place cannot be reached by the present user.
pub(crate) const PROGRAM: &str = "NETCASE_TEST_PROGRAM";

/// The program.
pub(crate) fn program() -> OsString {
    env::var_os(PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_netcase").into())
}

/// A folder of a test's own, gone with this value.
pub(crate) struct Folder(PathBuf);

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

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a case into it, and gives its path.
    pub(crate) fn case(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(format!("{name}.toml"));
        fs::write(&path, text).expect("a case can be written");
        path
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

/// The program itself where everybody may go, else a copy of it.
pub(crate) fn reachable(program: &Path, place: &Folder) -> PathBuf {
    let open = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o1 != 0);
    if program.ancestors().all(open) {
        return program.to_owned();
    }
    let copy = place.path().join(program.file_name().expect("a program has a name"));
    fs::copy(program, &copy).expect("a program can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy is the test's own");
    copy
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

/// The plan of a case.
pub(crate) fn plan(text: &str) -> Plan {
    let mut out = Diagnostics::default();
    let source = Source::new("case.toml", text);
    let plan = netcase::case::parse(&source, &mut out).and_then(|case| netcase::plan::resolve(case, &mut out));
    plan.unwrap_or_else(|| panic!("the case of this test is wrong: {:?}", out.into_sorted()))
}
