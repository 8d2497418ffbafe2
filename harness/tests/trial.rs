//! Cases as trials: this target runs itself again as a test target of some crate, and looks at what it says.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Trial};

/// Set in the processes that play the test target.
const PLAYS: &str = "NETCASE_TEST_PLAYS_A_TARGET";

const GREEN: &str = r#"
title = "Two machines with a cable between them reach each other"
[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b.interfaces]
eth0 = { address = "10.0.0.2/24" }
[[expect]]
ping = { from = "a", to = "b" }
"#;

fn main() -> ExitCode {
    netcase::worker::supervise::become_worker_if_asked();
    if std::env::var_os(PLAYS).is_some() {
        return netcase::trial::main("cases");
    }
    let trials: [(&str, fn()); 7] = [
        ("lists_without_running", lists_without_running),
        ("combinations_are_trials_of_their_own", combinations_are_trials_of_their_own),
        ("what_the_machine_lacks_is_ignored_with_its_reason", what_the_machine_lacks_is_ignored_with_its_reason),
        ("strict_takes_a_skip_for_a_failure", strict_takes_a_skip_for_a_failure),
        ("a_red_case_fails_and_explains_itself", a_red_case_fails_and_explains_itself),
        ("one_case_asked_for_by_name_reports_under_it", one_case_asked_for_by_name_reports_under_it),
        ("no_cases_are_a_failure", no_cases_are_a_failure),
    ];
    let trials = trials.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// A crate with a green case, one that cannot be read, one that does not hold, and one that no machine can run.
struct Package(PathBuf);

impl Package {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("netcase-trial-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("cases")).expect("folders can be made");
        let skipped = format!("needs = [\"program:no-such-program\"]{GREEN}");
        let failing = GREEN.replace("to = \"b\" }", "to = \"b\", outcome = \"no-route\" }");
        for (file, text) in [("green", GREEN), ("broken", "[[nodes"), ("failing", &failing), ("skipped", &skipped)] {
            fs::write(folder.join(format!("cases/{file}.toml")), text).expect("files can be made");
        }
        Self(folder)
    }

    fn target<K: AsRef<OsStr>>(&self, arguments: &[&str], environment: &[(K, &str)]) -> Output {
        let mut command = Command::new(std::env::current_exe().expect("this process has a program"));
        command.args(arguments).current_dir(&self.0).env_remove("NETCASE_STRICT").env(PLAYS, "1");
        for (key, value) in environment {
            command.env(key, value);
        }
        command.output().expect("the target can be started")
    }

    fn report(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.join("reports/trial").join(name)).ok()
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        // Left behind in the folder for temporary files at worst.
        let _ = fs::remove_dir_all(&self.0);
    }
}

const PLAIN: &[(&str, &str)] = &[];

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn lists_without_running() {
    let package = Package::new("list");
    let output = package.target(&["--list", "--format", "terse"], PLAIN);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(stdout(&output), "cases/broken: test\ncases/failing: test\ncases/green: test\ncases/skipped: test\n");
    assert!(!package.0.join("reports").exists(), "a list is no run, and leaves no report");
}

fn what_the_machine_lacks_is_ignored_with_its_reason() {
    let package = Package::new("ignored");
    let output = package.target(&["--list", "--format", "terse", "--ignored"], PLAIN);
    assert_eq!(stdout(&output), "cases/skipped: test\n");
    let report = package.report("trial.skipped.xml").expect("the reason is reported");
    assert!(report.contains("<skipped message=\"there is no program `no-such-program`"), "{report}");
    let output = package.target(&["cases/skipped", "--exact"], PLAIN);
    assert!(output.status.success() && stdout(&output).contains("1 ignored"), "{output:?}");
}

fn strict_takes_a_skip_for_a_failure() {
    let package = Package::new("strict");
    let strict = &[("NETCASE_STRICT", "1")];
    let output = package.target(&["--list", "--format", "terse", "--ignored"], strict);
    assert_eq!(stdout(&output), "");
    assert_eq!(package.report("trial.skipped.xml"), None);
    let output = package.target(&["cases/skipped", "--exact"], strict);
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    assert!(stdout(&output).contains("this machine lacks what the case needs: there is no program"), "{output:?}");
    let output = package.target(&[], &[("NETCASE_STRICT", "maybe")]);
    assert_eq!(output.status.code(), Some(101), "{output:?}");
}

fn a_red_case_fails_and_explains_itself() {
    let package = Package::new("red");
    let output = package.target(&[], PLAIN);
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    let said = stdout(&output);
    for part in [
        "test cases/green   ... ok",
        "test cases/skipped ... ignored",
        " --> cases/broken.toml:1:8",
        "FAIL cases/failing.toml: Two machines with a cable between them reach each other",
        "test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    let report = package.report("trial.xml").expect("the process reports under the name of the target");
    assert!(report.contains("tests=\"4\" skipped=\"1\" failures=\"1\" errors=\"1\""), "{report}");
}

fn one_case_asked_for_by_name_reports_under_it() {
    let package = Package::new("exact");
    let output = package.target(&["cases/green", "--exact", "--nocapture"], PLAIN);
    assert!(output.status.success() && stdout(&output).contains("1 passed; 0 failed; 0 ignored"), "{output:?}");
    let report = package.report("cases/green.xml").expect("the process reports under the name of the case");
    assert!(report.contains("classname=\"cases/green\"") && !report.contains("cases/broken"), "{report}");
}

fn combinations_are_trials_of_their_own() {
    let package = Package::new("matrix");
    let matrix = GREEN
        .replace("[nodes.a", "[params]\nfrom = \"a\"\n[matrix]\nnet = [\"10.0.0.2/24\", \"10.0.0.9/8\"]\n[nodes.a");
    let matrix =
        matrix.replace("\"10.0.0.2/24\" }", "\"${net}\" }").replace("from = \"a\", to", "from = \"${from}\", to");
    fs::remove_dir_all(package.0.join("cases")).expect("the folder can be removed");
    fs::create_dir(package.0.join("cases")).expect("the folder can be made");
    fs::write(package.0.join("cases/m.toml"), matrix).expect("files can be made");
    fs::write(package.0.join("cases/broken.toml"), "[matrix").expect("files can be made");
    let output = package.target(&["--list", "--format", "terse"], PLAIN);
    assert_eq!(stdout(&output), "cases/broken: test\ncases/m[net=10.0.0.2/24]: test\ncases/m[net=10.0.0.9/8]: test\n");
    let output = package.target(&["cases/m[net=10.0.0.9/8]", "--exact", "--nocapture"], PLAIN);
    assert!(output.status.success() && stdout(&output).contains("1 passed; 0 failed; 0 ignored"), "{output:?}");
    let report =
        package.report("cases/m[net=10.0.0.9%2F8].xml").expect("the process reports under the name of the case");
    assert!(report.contains("classname=\"cases/m[net=10.0.0.9/8]\""), "{report}");
    let output = package.target(&["cases/m", "--exact"], PLAIN);
    assert!(stdout(&output).contains("0 passed; 0 failed"), "{output:?}");
    let set = &[("NETCASE_SET", "from=a\nnet=10.0.0.7/24")];
    let output = package.target(&["cases/m"], set);
    assert!(output.status.success() && stdout(&output).contains("test cases/m[net=10.0.0.7/24] ... ok"), "{output:?}");
    let output = package.target(&[], &[("NETCASE_SET", "from")]);
    assert_eq!(output.status.code(), Some(101), "{output:?}");
}

fn no_cases_are_a_failure() {
    let package = Package::new("none");
    fs::remove_dir_all(package.0.join("cases")).expect("the folder can be removed");
    assert_eq!(package.target(&[], PLAIN).status.code(), Some(101));
    fs::create_dir(package.0.join("cases")).expect("the folder can be made");
    let output = package.target(&["--list"], PLAIN);
    assert_eq!(output.status.code(), Some(101));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: there is no case below "), "{output:?}");
}
