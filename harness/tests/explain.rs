//! `netcase explain`: the path of every packet, also of those that arrive.

#[expect(dead_code, reason = "no plan is looked at here")]
#[path = "support/cases.rs"]
mod cases;
#[expect(dead_code, reason = "nothing is run but explained")]
#[path = "support/program.rs"]
mod program;
#[path = "support/reachable.rs"]
mod reachable;
#[expect(dead_code, reason = "nobody's namespaces are counted here")]
#[path = "support/scratch.rs"]
mod scratch;

use std::process::Command;

use program::{Folder, program, told};
use scratch::User;

/// A bridge, a translation, and a state to look at.
const CASE: &str = r#"
title = "through a bridge and a gateway"
[networks.lan]
subnet = "10.0.0.0/24"
members = ["blue"]
gateway = "gate"
[nodes.blue]
[nodes.gate]
forwarding = true
nat = [{ masquerade = { dev = "right" } }]
[nodes.gate.interfaces]
right = { veth = { peer = "web.eth0" }, address = "203.0.113.1/24" }
[nodes.web.interfaces]
eth0 = { address = "203.0.113.2/24" }
[nodes.web.services]
echo = { tcp = { port = 7 } }
[[expect]]
tcp = { from = "blue", to = "web:7" }
[[expect]]
tcp = { from = "blue", to = "web:8" }
[[expect]]
link = { on = "web.eth0", state = "up" }
"#;

fn explain(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program());
    command.args(["explain", "--color", "never"]).args(arguments).current_dir(&folder.0);
    let output = command.output().expect("netcase can be started");
    (output.status.code(), told(&output))
}

fn explain_cases() {
    let folder = Folder::new("explain");
    cases::write(&folder, "way", CASE);
    let (code, text) = explain(&folder, &["way"]);
    assert_eq!(code, Some(1), "{text}");
    let (green, rest) = text.split_once("\nfail tcp blue -> web:8").expect("both are told");
    for part in ["pass tcp blue -> web:7", "there:\n    blue.eth0", "back:\n    web.eth0", "passed on by the bridge"] {
        assert!(green.contains(part), "{part}: {text}");
    }
    let source = green.lines().find(|line| line.contains("gate.right") && line.contains("forwarded, source 10.0.0.2:"));
    assert!(source.is_some_and(|line| line.contains(" became 203.0.113.1:")), "{text}");
    assert!(rest.contains("= cause: nobody in web listens on 8/tcp"), "{text}");
    assert!(rest.contains("looked at in the kernel"), "{text}");
    let (code, text) = explain(&folder, &["way.toml", "web:7"]);
    assert!(code == Some(0) && !text.contains("fail tcp blue -> web:8"), "{text}");
    let (code, text) = explain(&folder, &["way", "tcp blue"]);
    assert!(code == Some(1) && text.contains("web:7") && text.contains("web:8"), "{text}");
    let (code, text) = explain(&folder, &["way", "tcp blue -> web:9"]);
    assert!(code == Some(2) && text.contains("did you mean") && text.contains("\n  tcp blue -> web:7"), "{text}");
    let (code, text) = explain(&folder, &["yaw"]);
    assert!(code == Some(2), "{text}");
}

#[test]
fn root_sees_the_path() {
    if scratch::is_inside() {
        return explain_cases();
    }
    scratch::run_inside("root_sees_the_path", User::Root, &[]);
}

#[test]
fn an_ordinary_user_sees_the_path() {
    if scratch::is_inside() {
        return explain_cases();
    }
    scratch::run_inside("an_ordinary_user_sees_the_path", User::Ordinary, &[]);
}
