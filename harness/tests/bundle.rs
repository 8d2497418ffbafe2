//! What a failed case leaves behind: a folder that others open, with nothing in it of another case or another run.

#[expect(dead_code, reason = "no plan is looked at here")]
#[path = "support/cases.rs"]
mod cases;
#[path = "support/program.rs"]
mod program;
#[path = "support/reachable.rs"]
mod reachable;
#[expect(dead_code, reason = "nobody's namespaces are counted here")]
#[path = "support/scratch.rs"]
mod scratch;

use std::fs;
use std::path::Path;
use std::process::Command;

use program::{Folder, told};
use scratch::User;
use serde_json::Value;

/// A gateway that forwards and translates, a service that prints without end, and a port at which nobody listens.
const CASE: &str = r#"
title = "blue reaches web"
[nodes.blue]
routes = [{ to = "default", via = "10.0.0.1" }]
[nodes.blue.interfaces]
eth0 = { veth = { peer = "gate.left" }, address = "10.0.0.2/24" }
[nodes.gate]
forwarding = true
nat = [{ masquerade = { dev = "right" } }]
[nodes.gate.interfaces]
left = { address = "10.0.0.1/24" }
right = { veth = { peer = "web.eth0" }, address = "203.0.113.1/24" }
[nodes.web.interfaces]
eth0 = { address = "203.0.113.2/24" }
[nodes.web.services]
noisy = { command = { run = ["sh", "-c", "echo begun; while :; do printf '\\033[31m\\0\\377\\n'; done"], ready = { output = "begun" } } }
echo = { tcp = { port = 7 } }
[[expect]]
tcp = { from = "blue", to = "web:7" }
[[expect]]
tcp = { from = "blue", to = "web:8" }
[[expect]]
tcp = { from = "web", to = "10.0.0.2:9", outcome = "refused" }
"#;

fn tshark(file: &Path, filter: &str, field: &str) -> Vec<String> {
    let output = Command::new("tshark")
        .env("HOME", "/nonexistent")
        .arg("-r")
        .arg(file)
        .args(["-Y", filter, "-T", "fields", "-e", field])
        .output();
    let output = output.expect("tshark can be started");
    assert!(output.status.success(), "{}", told(&output));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the file is there")).expect("it is JSON")
}

fn look_at_bundle() {
    let folder = Folder::new("bundle");
    fs::create_dir(folder.0.join("cases")).expect("a folder");
    cases::write(&folder, "cases/nat", CASE);
    let output = folder.run(&["cases"]).output().expect("netcase can be started");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("= bundle: reports/cases/nat/").count(), 2, "{text}");
    let bundle = folder.0.join("reports/cases/nat");
    let entries = json(&bundle.join("explanation.json"));
    let entries = entries.as_array().expect("an array");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["expectation"], "tcp blue -> web:8");
    assert_eq!(entries[0]["status"], "fail");
    assert_eq!(entries[0]["rerun"], "netcase explain cases/nat 'tcp blue -> web:8'");
    assert_eq!(entries[0]["explanation"]["causes"][0]["kind"], "nobody-listens");
    let blamed = &entries[0]["lines"][0];
    assert_eq!(blamed["file"], "cases/nat.toml");
    let written = CASE.lines().position(|line| Some(line.trim()) == blamed["text"].as_str());
    assert_eq!(blamed["line"], written.expect("it is a line of the case") + 1);
    let commands = fs::read_to_string(bundle.join("command.txt")).expect("the commands");
    assert!(commands.starts_with("netcase explain cases/nat 'tcp blue -> web:8'\n"), "{commands}");
    assert!(json(&bundle.join("plan.json"))["nodes"].is_array());
    let printed = fs::read_to_string(bundle.join("output/service-noisy-web.txt")).expect("what the service printed");
    assert!(printed.contains("␛[31m␀") && printed.len() < 80_000, "{printed:?}");
    let own = bundle.join("tcp-blue-web-8");
    assert!(json(&own.join("path.json")).as_array().is_some_and(|hops| hops.len() > 4));
    assert_eq!(json(&own.join("evidence.json"))["nodes"][0]["name"], "blue");
    let web = fs::read_to_string(own.join("web.txt")).expect("a node");
    assert!(web.contains("listening:\n  tcp 0.0.0.0:7") || web.contains("tcp [::]:7"), "{web}");
    for (file, passed) in [("blue.eth0", true), ("gate.left", true), ("gate.right", true), ("web.eth0", true)] {
        let file = own.join(format!("{file}.pcapng"));
        let packets = tshark(&file, "tcp.dstport == 8 && tcp.flags.syn == 1", "frame.comment");
        assert_eq!(!packets.is_empty() && packets[0].starts_with("request"), passed, "{}: {packets:?}", file.display());
    }
    let names = tshark(&own.join("gate.left.pcapng"), "tcp", "frame.interface_name");
    assert_eq!(names.first().map(String::as_str), Some("gate.left"));
    let comments = tshark(&own.join("gate.right.pcapng"), "tcp.flags.syn == 1", "frame.comment");
    assert!(comments[0].contains("translated from 10.0.0.2:"), "{comments:?}");
    // What never left web is on no other interface.
    let other = bundle.join("tcp-web-10-0-0-2-9-refused");
    assert!(tshark(&other.join("blue.eth0.pcapng"), "tcp.dstport == 9", "frame.number").is_empty());
    let junit = fs::read_to_string(folder.0.join("reports/junit.xml")).expect("a report");
    assert!(junit.contains("[[ATTACHMENT|reports/cases/nat/explanation.txt]]"), "{junit}");
    assert!(junit.contains("[[ATTACHMENT|reports/cases/nat/tcp-blue-web-8/gate.left.pcapng]]"), "{junit}");
    assert!(junit.contains(r#"<property name="bundle" value="reports/cases/nat/"/>"#), "{junit}");
    one_run_after_another(&folder, &bundle);
}

/// A bundle is replaced as a whole; one of a case that passes is gone; one that cannot be written is told.
fn one_run_after_another(folder: &Folder, bundle: &Path) {
    fs::write(bundle.join("stale"), "").expect("a file");
    let run = |arguments: &[&str]| {
        let output = folder.run(arguments).output().expect("netcase can be started");
        (output.status.code(), told(&output))
    };
    run(&["cases"]);
    assert!(bundle.join("explanation.json").exists() && !bundle.join("stale").exists());
    let green =
        CASE.replace("to = \"web:8\" }", "to = \"web:7\" }\nname = \"again\"").replace("10.0.0.2:9", "203.0.113.1:9");
    cases::write(folder, "cases/nat", &green);
    let (code, text) = run(&["cases"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!bundle.exists());
    run(&["cases", "--bundle", "always", "--capture", "always"]);
    let text = fs::read_to_string(bundle.join("explanation.txt")).expect("a bundle of a green case");
    assert!(text.contains("pass tcp blue -> web:7\nthere:\n  blue.eth0"), "{text}");
    fs::remove_dir_all(bundle).expect("the bundle");
    fs::create_dir(bundle).expect("a folder that is no bundle");
    cases::write(folder, "cases/nat", CASE);
    let (code, text) = run(&["cases"]);
    assert!(code == Some(3) && text.contains("what is there is no bundle"), "{text}");
    let (code, text) = run(&["cases", "--bundle", "never"]);
    assert!(code == Some(1) && !text.contains("= bundle"), "{text}");
}

#[test]
fn root_gets_a_bundle() {
    if scratch::is_inside() {
        return look_at_bundle();
    }
    scratch::run_inside("root_gets_a_bundle", User::Root, &[]);
}

#[test]
fn an_ordinary_user_gets_a_bundle() {
    if scratch::is_inside() {
        return look_at_bundle();
    }
    scratch::run_inside("an_ordinary_user_gets_a_bundle", User::Ordinary, &[]);
}
