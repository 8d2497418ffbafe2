//! What is said of the programs of a case that cannot be started, and of its scripts that fail.

#[path = "support/program.rs"]
mod program;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use program::{Folder, told};

/// A case beside an executable file, and one in the folder above.
struct Trial {
    name: &'static str,
    script: &'static str,
    case: &'static str,
    /// What is said.
    said: &'static [&'static str],
    /// What is not.
    unsaid: &'static [&'static str],
}

const SETUP: &str = "[nodes.host]\nsetup = \"it.sh\"\n[[expect]]\nlinks = { on = \"host\", exactly = [] }\n";
const RUN: &str = "[nodes.host]\n[[expect]]\nrun = { on = \"host\", command = [\"./it.sh\"] }\n";

const TRIALS: &[Trial] = &[
    Trial {
        name: "a program that is not there",
        script: "",
        case: "[nodes.host]\n[[expect]]\nrun = { on = \"host\", command = [\"./other.sh\"] }\n",
        said: &["cannot run `./other.sh` in host: No such file or directory\n"],
        unsaid: &["SKIP"],
    },
    Trial {
        name: "an interpreter that is not there",
        script: "#!/usr/bin/no-such-shell -e\n",
        case: SETUP,
        said: &[
            "cannot run it.sh in host: its first line is `#!/usr/bin/no-such-shell -e`, and there is no such program",
        ],
        unsaid: &["/tmp empty"],
    },
    Trial {
        name: "the line ends of Windows",
        script: "#!/bin/sh\r\necho hello\r\n",
        case: RUN,
        said: &["its first line is `#!/bin/sh` with a carriage return behind it"],
        unsaid: &["/tmp empty"],
    },
    Trial {
        name: "a folder that is not there",
        script: "",
        case: "[nodes.host]\n[[expect]]\nrun = { on = \"host\", command = [\"true\"], cwd = \"nowhere\" }\n",
        said: &["there is no folder `nowhere` to start it in"],
        unsaid: &[],
    },
    Trial {
        name: "a program of the folder above",
        script: "",
        case: "[nodes.host]\n[[expect]]\nrun = { on = \"host\", command = [\"../above.sh\"] }\n",
        said: &[
            "No such file or directory; the programs of a case see /home, /root and /tmp empty, but for the case's own",
        ],
        unsaid: &[],
    },
    Trial {
        name: "a script of the folder above that wants what is beside it",
        script: "",
        case: "[nodes.host]\nsetup = \"../above.sh\"\n[[expect]]\nlinks = { on = \"host\", exactly = [] }\n",
        said: &["of what lies beside ../above.sh, there is nothing"],
        unsaid: &[],
    },
    Trial {
        name: "a complaint that a bash script lives with",
        script: "#!/bin/bash\nno-such-program || true\nset -e\nip link set nosuch up\n",
        case: SETUP,
        said: &["it failed at line 4 of it.sh:\n          ip link set nosuch up"],
        unsaid: &[],
    },
    Trial {
        name: "a failure that a bash script lives with",
        script: "#!/bin/bash\nip link del old0\nif ! ip link set nosuch up; then exit 1; fi\n",
        case: SETUP,
        said: &["it.sh in host ended with exit status 1"],
        unsaid: &["at line"],
    },
    Trial {
        name: "a bash script that traps its own failures",
        script: "#!/bin/bash\ntrap 'exit 9' ERR\nmay_fail() { false; true; }\nmay_fail\n",
        case: SETUP,
        said: &["1 passed, 0 failed, 0 errors"],
        unsaid: &[],
    },
    Trial {
        name: "a complaint that a script lives with",
        script: "#!/bin/sh\nno-such-program\nip link set nosuch up\nexit 4\n",
        case: SETUP,
        said: &["no-such-program: not found"],
        unsaid: &["at line"],
    },
    Trial {
        name: "what would change the terminal",
        script: "#!/bin/sh\nprintf '\\033[2J\\033]0;title\\007bad\\rworse\\n'\nexit 1\n",
        case: SETUP,
        said: &["\u{fffd}[2J\u{fffd}]0;title\u{fffd}bad\u{fffd}worse"],
        unsaid: &["\u{1b}", "\u{7}", "\r"],
    },
    Trial {
        name: "a second name of a node",
        script: "#!/bin/sh\ntouch /run/netns/alias\nmount --bind /proc/self/ns/net /run/netns/alias\n",
        case: "[nodes.host]\nsetup = \"it.sh\"\n[nodes.alias]\ncreated-by = \"host\"\n[[expect]]\nlinks = { on = \"alias\", exactly = [] }\n",
        said: &["host has not made the node alias: /run/netns/alias: it is the namespace of host"],
        unsaid: &[],
    },
    Trial {
        name: "a link to what is no network",
        script: "#!/bin/sh\ntail -f /dev/null &\nln -s /proc/$!/ns/uts /run/netns/alias\n",
        case: "[nodes.host]\nsetup = \"it.sh\"\n[nodes.alias]\ncreated-by = \"host\"\n[[expect]]\nlinks = { on = \"alias\", exactly = [] }\n",
        said: &["/run/netns/alias: it is no network namespace"],
        unsaid: &[],
    },
    Trial {
        name: "a process that is in another node first",
        script: "#!/bin/sh\nip netns add red\n",
        case: r#"
[nodes.host]
setup = "it.sh"
services.two = { command = { run = ["sh", "-c", "unshare --net sh -c 'echo > /run/own; exec tail -f /dev/null' & until [ -e /run/own ]; do sleep 0.01; done; ip netns exec red sh -c 'echo up; exec tail -f /dev/null' & wait"], ready = { output = "up" } } }
[nodes.red]
created-by = "host"
[nodes.own]
created-by = "host.two"
[[expect]]
isolated = { on = ["own", "red"] }
"#,
        said: &["1 passed, 0 failed, 0 errors"],
        unsaid: &[],
    },
];

#[test]
fn what_is_said_of_programs() {
    let mut wrong = Vec::new();
    for (number, trial) in TRIALS.iter().enumerate() {
        let folder = Folder::new(&format!("programs-{number}"));
        fs::create_dir(folder.0.join("case")).expect("a folder can be made");
        let above = "#!/bin/sh\n. \"$(dirname \"$0\")/beside.sh\"\n";
        for (path, text) in [("case/it.sh", trial.script), ("above.sh", above), ("beside.sh", "true\n")] {
            fs::write(folder.0.join(path), text).expect("a file can be written");
            fs::set_permissions(folder.0.join(path), Permissions::from_mode(0o755)).expect("it can be executable");
        }
        let case = format!("title = \"{}\"\n{}", trial.name, trial.case);
        fs::write(folder.0.join("case/case.toml"), case).expect("the case can be written");
        let output = folder.run(&["case/case.toml"]).output().expect("netcase can be started");
        let told = told(&output);
        let missing = trial.said.iter().filter(|said| !told.contains(**said));
        let surplus = trial.unsaid.iter().filter(|unsaid| told.contains(**unsaid));
        wrong.extend(missing.map(|said| format!("{}: {said:?} is missing:\n{told}", trial.name)));
        wrong.extend(surplus.map(|unsaid| format!("{}: {unsaid:?} is there:\n{told}", trial.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
