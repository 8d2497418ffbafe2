//! Whatever a case's own programs do, nothing outside changes, and the case ends with a clear verdict: as root, as root
//! in a user namespace, and as an ordinary user.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use nix::unistd::geteuid;

use program::{Folder, told};

/// Everything that a program might do to a machine, with harmless values where the value does not matter.
const HOSTILE: &str = r#"
trap '' TERM HUP INT
exec 2>&1
echo overwritten > "$1/outside/marker"; rm -rf "$1/outside" "$1/case/marker"; echo new > "$1/case/new"
rm -rf /home/* /root /srv /var/tmp /etc /opt 2> /dev/null
umount -l /usr /etc /home /root /tmp "$1/case" "$1" 2> /dev/null
mount -o remount,rw / ; mount -o bind,remount,rw "$1/case" ; mount -t tmpfs none /mnt
hostname taken-over
printf h > /proc/sysrq-trigger
for setting in panic hostname domainname core_pattern modprobe; do echo taken-over > /proc/sys/kernel/$setting; done
echo 1 > /proc/sys/vm/drop_caches
kill -KILL -1
echo > /dev/kmsg; head -c 1 /dev/mem /dev/sda /dev/vda
ls /proc/1/root/ /proc/1/fd/ /proc/1/cwd/
echo > /dev/tcp/192.0.2.1/80
ip link; ip route
reboot -f; swapoff -a; date -s 2001-01-01
"#;

/// What of the machine a hostile program is after.
fn machine(outside: &Path) -> Vec<String> {
    let read = |path: &str| format!("{path}: {:?}", fs::read_to_string(path));
    let list = |path: &Path| {
        let names = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        format!("{}: {names:?}", path.display())
    };
    let settings = ["panic", "hostname", "domainname", "core_pattern", "modprobe", "ostype"];
    let mut facts: Vec<String> = settings.iter().map(|name| read(&format!("/proc/sys/kernel/{name}"))).collect();
    facts.extend(["/", "/etc", "/home", "/root", "/srv", "/opt", "/var"].map(|path| list(Path::new(path))));
    facts.extend(["outside", "case"].map(|name| list(&outside.join(name))));
    facts.push(format!("{:?}", fs::read_to_string(outside.join("outside/marker"))));
    facts.push(format!("{:?}", fs::read_to_string(outside.join("case/marker"))));
    facts
}

fn case(script: &str, ready: &str) -> String {
    format!(
        r#"
title = "A hostile program runs"
timeout = "9s"
[nodes.a]
interfaces.eth0 = {{ veth = {{ peer = "b.eth0" }}, address = "10.0.0.1/24" }}
services.x = {{ command = {{ run = ["bash", "-c", '''{script}''', "hostile", "FOLDER"], ready = {{ output = "{ready}" }} }} }}
[nodes.b]
interfaces.eth0 = {{ address = "10.0.0.2/24" }}
[[expect]]
ping = {{ from = "a", to = "b" }}
"#
    )
}

/// Runs a case in each way into namespaces that the present user has; gives what was printed.
fn run(name: &str, text: &str, check: impl Fn(&Output, &str)) {
    let folder = Folder::new(name);
    for place in ["case", "outside"] {
        fs::create_dir(folder.0.join(place)).expect("a folder can be made");
        fs::write(folder.0.join(place).join("marker"), "keep").expect("a file can be written");
    }
    let text = text.replace("FOLDER", &folder.0.display().to_string());
    fs::write(folder.0.join("case/hostile.toml"), text).expect("a case can be written");
    let before = machine(&folder.0);
    // So much output takes a while on a busy machine.
    for options in [&["--timeout-scale", "3"][..], &["--timeout-scale", "3", "--rootless"]] {
        let mut command: Command = folder.run(options);
        let output = command.arg("case/hostile.toml").output().expect("netcase can be started");
        assert_eq!(machine(&folder.0), before, "{}", told(&output));
        check(&output, &told(&output));
        fs::remove_dir_all(folder.0.join("reports")).expect("a report was written");
        if !geteuid().is_root() {
            break;
        }
    }
}

#[test]
fn a_hostile_program_changes_nothing_outside() {
    let script = format!("{HOSTILE}\necho attempts are over\nwhile :; do read -t 1 < /dev/zero; done");
    run("hostile", &case(&script, "attempts are over"), |output, told| {
        assert_eq!(output.status.code(), Some(0), "{told}");
    });
}

#[test]
fn what_a_hostile_program_is_told() {
    // It ends before it is ready, so the last lines of what it has printed are shown.
    let script = r#"
exec 2>&1
echo outside: $(ls -A "$1" /home)
echo descriptors: $(ls /proc/self/fd)
echo processes: $(ls /proc | grep -c "^[0-9]")
test -w /proc/sysrq-trigger && echo it can write /proc/sysrq-trigger
echo x > /proc/sys/kernel/core_pattern
ls /proc/1/root/
echo > /dev/tcp/192.0.2.1/80
echo > /dev/tty
"#;
    run("told", &case(script, "never"), |output, told| {
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(!told.contains("it can"), "{told}");
        for line in [
            "outside: /home: FOLDER: case",
            "descriptors: 0 1 2 3\n",
            "hostile: line 6: /proc/sys/kernel/core_pattern: Permission denied",
            "ls: cannot access '/proc/1/root/': Permission denied",
            "hostile: line 8: /dev/tcp/192.0.2.1/80: Network is unreachable",
            "hostile: line 9: /dev/tty: No such device or address",
        ] {
            let folder = told.split_once("outside: /home: ").and_then(|(_, rest)| rest.split_once(": case"));
            let line = line.replace("FOLDER", folder.map_or("FOLDER", |(folder, _)| folder));
            assert!(told.contains(&line), "{line:?} is missing:\n{told}");
        }
    });
}

#[test]
fn a_fork_bomb_that_ignores_signals_ends_with_its_case() {
    let script = "trap \"\" TERM; exec 2> /dev/null; bomb() { bomb | bomb & }; bomb; while :; do bomb; done";
    let text = case(script, "never").replace("9s", "1500ms");
    run("bomb", &text, |output, told| {
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("the case took longer than its `timeout`, while starting the services"), "{told}");
    });
}

#[test]
fn output_without_end_and_files_without_end_fill_nothing() {
    let script = r"
head -c 256M /dev/zero
for folder in / /tmp /run /dev/shm /usr; do head -c 10G /dev/zero > $folder/full; rm $folder/full; done
echo nothing is full; exec tail -f /dev/null
";
    // What is printed goes through netcase, which keeps some kilobytes of it: hundreds of millions of bytes are without end
    // for that, and are read within the time that a program has to be ready. Files end where their room does.
    run("output", &case(script, "nothing is full").replace("9s", "90s"), |output, told| {
        assert_eq!(output.status.code(), Some(0), "{told}");
    });
}
