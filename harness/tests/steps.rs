//! What happens to a case when an action fails.

use std::fs;
use std::path::Path;
use std::process::Command;

const CASE: &str = r#"title = "An action that the kernel refuses"

[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b.interfaces]
eth0 = { address = "10.0.0.2/24" }

[[steps]]
title = "before"
expect = [{ ping = { from = "a", to = "b" } }]

[[steps]]
title = "refused"
do = [
  { sysctl = { on = "a", set = { "net.ipv4.nosuch" = 1 } } },
  { link-del = { on = "a.eth0" } },
]
expect = [{ ping = { from = "a", to = "10.0.0.2", outcome = "no-route" } }]

[[steps]]
title = "after"
expect = [{ ping = { from = "b", to = "10.0.0.1", outcome = "no-route" } }]
"#;

#[test]
fn an_action_that_fails_stops_the_case_and_points_at_its_line() {
    let (text, report) = run("refused", CASE);
    let shown = r#"
error: sysctl net.ipv4.nosuch = 1: No such file or directory
  --> refused.toml:15:34
   |
15 |   { sysctl = { on = "a", set = { "net.ipv4.nosuch" = 1 } } },
   |                                  ^^^^^^^^^^^^^^^^^
   |
   = note: an action of `refused`; what follows it is not reached
   = help: this kernel has no such setting in a network namespace
"#;
    assert!(text.contains(shown), "{text}");
    assert!(report.contains("errors=\"2\""), "both expectations behind the action are errors: {report}");
    assert!(report.contains("after / ping b -&gt; 10.0.0.1: no-route"), "{report}");
}

#[test]
fn a_service_that_cannot_be_started_by_a_step_points_at_the_action() {
    let service = "services.broken = { command = { run = [\"false\"], ready = { output = \"up\" } }, start = false }";
    let case =
        CASE.replace("[[steps]]\ntitle = \"before\"", &format!("[nodes.c]\n{service}\n[[steps]]\ntitle = \"before\""));
    let case = case.replace(
        "{ sysctl = { on = \"a\", set = { \"net.ipv4.nosuch\" = 1 } } }",
        "{ service-start = { on = \"c\", service = \"broken\" } }",
    );
    let (text, _) = run("service", &case);
    assert!(text.contains("17 |   { service-start = { on = \"c\", service = \"broken\" } },"), "{text}");
    assert!(text.contains("before it was seen to print \"up\""), "{text}");
}

/// Runs a case whose action fails; gives what was told, and the report.
fn run(name: &str, case: &str) -> (String, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("steps");
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join(format!("{name}.toml")), case).expect("the case can be written");
    let report = format!("{name}.xml");
    let output = Command::new(env!("CARGO_BIN_EXE_netcase"))
        .args(["run", &format!("{name}.toml"), "--color", "never", "--junit", &report])
        .current_dir(&folder)
        .output()
        .expect("netcase runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    (text.into_owned(), fs::read_to_string(folder.join(report)).expect("a report is written"))
}
