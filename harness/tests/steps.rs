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
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("steps");
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join("refused.toml"), CASE).expect("the case can be written");
    let output = Command::new(env!("CARGO_BIN_EXE_netcase"))
        .args(["run", "refused.toml", "--color", "never", "--junit", "junit.xml"])
        .current_dir(&folder)
        .output()
        .expect("netcase runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    let shown = r#"
error: sysctl net.ipv4.nosuch = 1: No such file or directory
  --> refused.toml:15:14
   |
15 |   { sysctl = { on = "a", set = { "net.ipv4.nosuch" = 1 } } },
   |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = note: an action of `refused`; what follows it is not reached
   = help: this kernel has no such setting in a network namespace
"#;
    assert!(text.contains(shown), "{text}");
    let report = fs::read_to_string(folder.join("junit.xml")).expect("a report is written");
    assert!(report.contains("errors=\"2\""), "both expectations behind the action are errors: {report}");
    assert!(report.contains("after / ping b -&gt; 10.0.0.1: no-route"), "{report}");
}
