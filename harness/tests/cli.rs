//! The command as its users meet it: words, files and exit codes. What needs no lab; the cases themselves need one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Resolves, and needs a program that no machine has.
const SKIPPED: &str = r#"
title = "Needs what is nowhere"
tags = ["slow"]
needs = ["program:no-such-program"]
[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b.interfaces]
eth0 = { address = "10.0.0.2/24" }
[[expect]]
ping = { from = "a", to = "b" }
"#;

/// A working directory with these cases in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, cases: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("netcase-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("cases")).expect("folders can be made");
        for (case, text) in cases {
            fs::write(folder.join("cases").join(case), text).expect("files can be made");
        }
        Self(folder)
    }

    fn netcase(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netcase"));
        command.args(arguments).current_dir(&self.0).env_clear().env("PATH", "/nonexistent");
        command.output().expect("netcase can be started")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind in the folder for temporary files at worst.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("netcase ends by itself")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("netcase writes text")
}

#[test]
fn exit_codes_say_what_happened() {
    let folder = Folder::new("codes", &[("skipped.toml", SKIPPED), ("broken.toml", "[[nodes")]);
    fs::create_dir(folder.0.join("empty")).expect("folders can be made");
    for (arguments, expected) in [
        (&["run", "cases/skipped.toml"][..], 4),
        (&["run", "empty"], 4),
        (&["run", "cases", "--filter", "nothing has this"], 4),
        (&["run", "cases/skipped.toml", "--tag", "fast"], 4),
        (&["run", "cases/skipped.toml", "--strict"], 3),
        (&["run", "cases"], 2),
        (&["run", "cases", "--strict"], 2),
        (&["run", "cases/skipped.toml", "--junit", "/proc/none/junit.xml"], 3),
        (&["run", "cases/broken.toml", "--junit", "/proc/none/junit.xml"], 2),
        (&["run", "nowhere"], 2),
        (&["run", "nowhere/*.toml"], 2),
        (&["run"], 2),
        (&["run", "cases", "--jobs", "0"], 2),
        (&["run", "cases", "--timeout-scale", "-1"], 2),
        (&["run", "cases", "--timeout-scale", "inf"], 2),
        (&["run", "cases", "--color", "blue"], 2),
        (&["fly"], 2),
        (&[], 2),
        (&["check", "cases/skipped.toml"], 0),
        (&["check", "cases"], 2),
        (&["check", "nowhere"], 2),
        (&["check", "empty"], 4),
        (&["list", "cases"], 0),
        (&["list", "empty"], 4),
        (&["list", "nowhere"], 2),
        (&["schema"], 0),
        (&["--help"], 0),
        (&["run", "--help"], 0),
        (&["--version"], 0),
    ] {
        let output = folder.netcase(arguments);
        let said = (text(&output.stdout), text(&output.stderr));
        assert_eq!(code(&output), expected, "{arguments:?}: {said:?}");
    }
}

#[test]
fn a_broken_case_is_in_every_report_and_the_others_too() {
    let folder = Folder::new("reports", &[("skipped.toml", SKIPPED), ("broken.toml", "[[nodes")]);
    let output = folder.netcase(&["run", "cases", "nowhere", "-j", "1"]);
    let expected = "\
ERROR nowhere (bad input)
ERROR cases/broken (bad input)
SKIP cases/skipped (1 expectation)
     there is no program `no-such-program` in /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

ERROR nowhere

error: nowhere: there is no such file or folder

ERROR cases/broken.toml

error: this header is not closed
 --> cases/broken.toml:1:8
  |
1 | [[nodes
  |        ^ expected `]]`
  |
  = help: an item of a list of tables has two brackets on each side: `[[expect]]`

3 cases: 0 passed, 0 failed, 2 errors, 1 skipped, 0 unproven in ";
    assert!(text(&output.stdout).starts_with(expected), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
    let junit = fs::read_to_string(folder.0.join("reports/junit.xml")).expect("the report is there");
    for part in ["classname=\"nowhere\"", "classname=\"cases/broken\"", "<skipped message=\"there is no program"] {
        assert!(junit.contains(part), "{part} is not in {junit}");
    }
}

#[test]
fn the_list_is_for_people_and_for_programs() {
    let folder = Folder::new("list", &[("skipped.toml", SKIPPED), ("broken.toml", "[[nodes")]);
    assert_eq!(text(&folder.netcase(&["list", "cases"]).stdout), "cases/broken\ncases/skipped\n");
    assert_eq!(text(&folder.netcase(&["list", "cases", "--filter", "skip"]).stdout), "cases/skipped\n");
    let json = folder.netcase(&["list", "cases", "--format", "json"]).stdout;
    let expected = r#"[
  {
    "name": "cases/broken",
    "path": "cases/broken.toml",
    "title": null,
    "tags": [],
    "expectations": [],
    "error": "cases/broken.toml:1: this header is not closed"
  },
  {
    "name": "cases/skipped",
    "path": "cases/skipped.toml",
    "title": "Needs what is nowhere",
    "tags": [
      "slow"
    ],
    "expectations": [
      "ping a -> b"
    ],
    "error": null
  }
]
"#;
    assert_eq!(text(&json), expected);
}

#[test]
fn what_is_missing_is_told_with_a_way_out() {
    let folder = Folder::new("told", &[("skipped.toml", SKIPPED)]);
    let listed = folder.netcase(&["list", "cases", "--tag", "fast"]);
    let expected = "no case was selected: the only one has no tag that `--tag` asks for; there are `slow`\n";
    assert_eq!(text(&listed.stderr), format!("error: {expected}"));
    let run = folder.netcase(&["run", "cases", "--tag", "fast"]);
    assert!(text(&run.stdout).starts_with(expected), "{}", text(&run.stdout));
    let run = folder.netcase(&["run", "cases", "--junit", "/proc/none/junit.xml"]);
    assert!(text(&run.stderr).ends_with("; `--junit FILE` writes it elsewhere\n"), "{}", text(&run.stderr));
    for command in ["run", "check"] {
        let output = folder.netcase(&[command, "/dev/null"]);
        let words = "error: cannot read `/dev/null`: it is not a regular file\n--> /dev/null\n";
        assert!(text(&output.stdout).contains(words), "{}", text(&output.stdout));
        assert_eq!(code(&output), 2);
    }
}

#[test]
fn check_shows_all_mistakes_of_all_files() {
    let folder =
        Folder::new("check", &[("a.toml", "tilte = 1\n[ndoes]\n"), ("b.toml", "[[nodes"), ("c.toml", SKIPPED)]);
    let output = folder.netcase(&["check", "cases"]);
    let said = text(&output.stdout);
    for part in ["cases/a.toml:1:1", "cases/a.toml:2:2", "cases/b.toml:1:8", "3 cases: "] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let plan = folder.netcase(&["check", "--plan", "cases/c.toml"]);
    assert!(text(&plan.stdout).contains("ip -n a addr add 10.0.0.1/24 dev eth0"), "{}", text(&plan.stdout));
}

#[test]
fn a_new_case_is_printed_or_written_but_never_over_another() {
    let folder = Folder::new("new", &[]);
    let printed = folder.netcase(&["new"]).stdout;
    assert_eq!(printed, folder.netcase(&["new", "-"]).stdout);
    let written = folder.netcase(&["new", "deep/first.toml"]);
    assert_eq!(
        (code(&written), text(&written.stdout)),
        (0, "wrote deep/first.toml; run it with: netcase run deep/first.toml\n")
    );
    assert_eq!(fs::read(folder.0.join("deep/first.toml")).expect("the case was written"), printed);
    let again = folder.netcase(&["new", "deep/first.toml"]);
    assert_eq!(code(&again), 2);
    assert!(text(&again.stderr).starts_with("error: cannot write deep/first.toml: "), "{}", text(&again.stderr));
    let check = folder.netcase(&["check", "deep"]);
    assert_eq!((code(&check), text(&check.stdout)), (0, "1 case: 0 errors, 0 warnings\n"));
}

#[test]
fn the_first_case_of_the_tree_is_the_one_that_new_writes() {
    let folder = Folder::new("first", &[]);
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/first.toml");
    assert_eq!(text(&folder.netcase(&["new"]).stdout), fs::read_to_string(tree).expect("the case is there"));
}

#[test]
fn the_schema_is_json_that_knows_the_keys() {
    let folder = Folder::new("schema", &[]);
    let schema: serde_json::Value = serde_json::from_slice(&folder.netcase(&["schema"]).stdout).expect("it is JSON");
    assert!(schema["properties"]["expect"].is_object(), "{schema:#}");
}

#[test]
fn the_doctor_speaks_of_everything_and_its_code_says_whether_cases_can_run() {
    let folder = Folder::new("doctor", &[]);
    let output = folder.netcase(&["doctor"]);
    let said = text(&output.stdout);
    for part in ["namespaces", "IPv6", "nft", "open files", "neighbour table"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let expected = if said.ends_with("cases can run on this machine\n") { 0 } else { 3 };
    assert_eq!(code(&output), expected, "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = Folder::new("pipe", &[("skipped.toml", SKIPPED)]);
    for arguments in [&["schema"][..], &["run", "cases"], &["--help"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netcase"));
        let (reader, writer) = std::io::pipe().expect("pipes can be made");
        drop(reader);
        let output = command.args(arguments).current_dir(&folder.0).stdout(writer).output();
        let output = output.expect("netcase can be started");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert!(matches!(output.status.code(), Some(0 | 4)), "{arguments:?}: {:?}", output.status);
    }
}

/// Four cases, each of which needs a program that no machine has; its name has a parameter in it.
fn matrix() -> String {
    let parameters =
        "[params]\nprogram = \"no-such-program\"\n[matrix]\nto = [\"b\", \"10.0.0.2\"]\nmtu = [1400, 1500]\n";
    let case = SKIPPED.replace("no-such-program", "${program}").replace("[nodes.a.", &format!("{parameters}[nodes.a."));
    case.replace("to = \"b\" }", "to = \"${to}\", size = \"${mtu}\" }")
}

#[test]
fn combinations_of_a_matrix_are_cases_of_their_own() {
    let folder = Folder::new("matrix", &[("m.toml", &matrix()), ("n.toml", SKIPPED)]);
    let list = |arguments: &[&str]| text(&folder.netcase(arguments).stdout).to_owned();
    let all = "cases/m[to=b,mtu=1400]\ncases/m[to=b,mtu=1500]\ncases/m[to=10.0.0.2,mtu=1400]\ncases/m[to=10.0.0.2,mtu=1500]\n";
    for (arguments, expected) in [
        (&["list", "cases/m.toml"][..], all),
        (&["list", "cases/m"], all),
        (&["list", "cases", "--filter", "mtu=1400"], "cases/m[to=b,mtu=1400]\ncases/m[to=10.0.0.2,mtu=1400]\n"),
        (&["list", "cases/m[to=b,mtu=1500]"], "cases/m[to=b,mtu=1500]\n"),
        (
            &["list", "cases/m[to=b,mtu=1500]", "cases/m[to=b,mtu=1400]"],
            "cases/m[to=b,mtu=1400]\ncases/m[to=b,mtu=1500]\n",
        ),
        (&["list", "cases/m", "--set", "mtu=99"], "cases/m[to=b,mtu=99]\ncases/m[to=10.0.0.2,mtu=99]\n"),
        (&["list", "cases/m", "--set", "mtu=99", "--set", "mtu=9", "--set", "to=b"], "cases/m[to=b,mtu=9]\n"),
        (&["list", "cases", "--tag", "slow", "--filter", "to=b,mtu=15"], "cases/m[to=b,mtu=1500]\n"),
    ] {
        assert_eq!(list(arguments), expected, "{arguments:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&list(&["list", "cases/m", "--format", "json"])).expect("JSON");
    assert_eq!((&json[2]["name"], &json[2]["path"]), (&"cases/m[to=10.0.0.2,mtu=1400]".into(), &"cases/m.toml".into()));
    assert_eq!(json[2]["expectations"][0], "ping a -> 10.0.0.2");
    let run = folder.netcase(&["run", "cases", "--filter", "mtu=1400", "-j", "1"]);
    let said = text(&run.stdout);
    assert!(said.contains("SKIP cases/m[to=b,mtu=1400] (1 expectation)\n") && said.contains("2 cases:"), "{said}");
    let junit = fs::read_to_string(folder.0.join("reports/junit.xml")).expect("the report is there");
    for part in
        ["classname=\"cases/m[to=10.0.0.2,mtu=1400]\"", "name=\"ping a -&gt; 10.0.0.2\"", "file=\"cases/m.toml\""]
    {
        assert!(junit.contains(part), "{part} is not in {junit}");
    }
}

#[test]
fn values_from_outside_go_before_those_of_the_file() {
    let folder = Folder::new("set", &[("m.toml", &matrix()), ("n.toml", SKIPPED)]);
    let said = |arguments: &[&str]| {
        let output = folder.netcase(arguments);
        (code(&output), text(&output.stdout).to_owned() + text(&output.stderr))
    };
    let (code, run) = said(&["run", "cases/m[to=b,mtu=1400]", "--set", "program=another"]);
    assert!(code == 4 && run.contains("there is no program `another`"), "{run}");
    let (code, wrong) = said(&["check", "cases", "--set", "mtu=70000"]);
    for part in
        ["--> cases/m.toml:15:44", "= note: `${mtu}` is \"70000\", set by `--set`", "3 cases: 1 error, 0 warnings"]
    {
        assert!(wrong.contains(part), "{part} is not in {wrong}");
    }
    assert_eq!(code, 2);
    for (arguments, part) in [
        (
            &["check", "cases", "--set", "prgram=x"][..],
            "--set prgram=x: no selected case has a parameter `prgram`: did you mean `program`?",
        ),
        (&["list", "cases", "--set", "prgram=x"], "did you mean `program`?"),
        (&["run", "cases", "--set", "prgram=x"], "did you mean `program`?"),
        (&["run", "cases/n.toml", "--set", "program=x"], "no selected case has parameters"),
        (&["run", "cases", "--set", "program"], "expected NAME=VALUE"),
        (&["run", "cases", "--set", "2=3"], "`2` cannot be the name of a parameter"),
        (&["run", "cases/m[to=c,mtu=1400]"], "this case has no such combination: did you mean `[to=b,mtu=1400]`?"),
    ] {
        let (code, said) = said(arguments);
        assert!(code == 2 && said.contains(part), "{arguments:?}: {code} {said}");
    }
}
