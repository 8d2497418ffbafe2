//! A case gives the same verdicts whatever the machine's own network settings are: nodes take nothing over from it.
//!
//! A network namespace takes settings over from the machine itself only, so these tests change the machine's own, and
//! put them back. They do so only as root and when asked: `NETCASE_CHANGE_HOST=1`, or `NETCASE_STRICT=1`.

#[path = "support/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use netcase::lab::{BASELINE, NEIGHBOUR_BASELINE};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

use program::{Folder, told};

const SETTINGS: &str = "/proc/sys/net";

/// What a machine may have that is not the kernel's default, and that would change a verdict in a node that has it.
const CHANGED: &[(&str, &str)] = &[
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "1"),
    ("ipv4/conf/default/rp_filter", "1"),
    ("ipv4/conf/all/arp_ignore", "8"),
    ("ipv4/conf/default/arp_ignore", "8"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
    ("ipv4/conf/all/drop_gratuitous_arp", "1"),
    ("ipv4/conf/default/proxy_arp", "1"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/default/accept_local", "1"),
    ("ipv4/conf/default/route_localnet", "1"),
    ("ipv4/conf/default/disable_policy", "1"),
    ("ipv6/conf/default/accept_redirects", "0"),
    ("ipv4/neigh/default/retrans_time_ms", "3000"),
    ("ipv4/neigh/default/mcast_solicit", "9"),
    ("ipv6/neigh/default/mcast_solicit", "9"),
    ("ipv4/neigh/default/ucast_solicit", "9"),
];

/// One test at a time changes the machine.
static MACHINE: Mutex<()> = Mutex::new(());

/// Whether the machine may be changed; says why not, and fails where nothing may be left out.
fn may_change_the_machine() -> bool {
    let asked = |name: &str| env::var_os(name).is_some_and(|value| value == "1");
    let reason = match (geteuid().is_root(), asked("NETCASE_CHANGE_HOST") || asked("NETCASE_STRICT")) {
        (true, true) => return true,
        (true, false) => "the machine's own settings are changed only with NETCASE_CHANGE_HOST=1",
        (false, _) => "only root can change the machine's own settings",
    };
    assert!(!asked("NETCASE_STRICT"), "{reason}");
    eprintln!("skipped: {reason}");
    false
}

/// Every setting of the machine as it was; put back at the end, whatever happens before.
struct Machine(BTreeMap<PathBuf, String>);

impl Machine {
    fn remember() -> Self {
        let mut settings = BTreeMap::new();
        read_all(Path::new(SETTINGS), &mut settings);
        Self(settings)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Some settings change others when they are written, so a second round puts those back.
        for round in 0..3 {
            for (path, value) in &self.0 {
                let now = fs::read_to_string(path).unwrap_or_default();
                if now != *value && fs::write(path, value).is_err() && round == 2 {
                    eprintln!("{} was {value:?} and is {now:?}", path.display());
                }
            }
        }
    }
}

/// The settings that can be read, of the machine or of the namespace that the thread is in.
fn read_all(folder: &Path, settings: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, settings);
        } else if let Ok(value) = fs::read_to_string(&path) {
            settings.insert(path, value);
        }
    }
}

/// Runs something in a fresh network namespace.
fn in_a_fresh_namespace<T: Send>(action: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("root can make a network namespace");
            action()
        });
        thread.join().expect("it does not panic")
    })
}

#[test]
fn the_suite_passes_whatever_the_machine_is_set_to() {
    if !may_change_the_machine() {
        return;
    }
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let _machine = Machine::remember();
    let mut taken = 0;
    for (key, value) in CHANGED {
        // Not every kernel has every setting.
        taken += usize::from(fs::write(Path::new(SETTINGS).join(key), value).is_ok());
    }
    assert!(taken > 10, "only {taken} settings could be changed: this proves nothing");
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases");
    let scale = env::var("NETCASE_TIMEOUT_SCALE").unwrap_or_else(|_| "1".to_owned());
    let folder = Folder::new("hermetic");
    let mut faults = Vec::new();
    for options in [&["--timeout-scale", &*scale][..], &["--timeout-scale", &*scale, "--rootless"]] {
        let output = folder.run(options).arg(cases).output().expect("netcase can be started");
        if output.status.code() != Some(0) {
            faults.push(format!("{options:?}: {}", told(&output)));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Another value that the kernel might take for a setting.
fn others(path: &Path, value: &str) -> Vec<String> {
    if path.ends_with("tcp_congestion_control") {
        let known = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap_or_default();
        return known.split_whitespace().filter(|name| *name != value.trim()).map(str::to_owned).collect();
    }
    let mut numbers: Vec<i64> = value.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let Some(last) = numbers.pop() else { return Vec::new() };
    [last + 1, last - 1, i64::from(last == 0), last + 1024, last / 2]
        .into_iter()
        .filter(|other| *other != last)
        .map(|other| numbers.iter().chain([&other]).map(ToString::to_string).collect::<Vec<_>>().join(" "))
        .collect()
}

/// Settings that are not tried: turning IPv6 off takes the machine's addresses away, which no setting brings back, and
/// the other can be turned on for the whole machine and never off again.
const ONE_WAY: &[&str] = &["ipv6/conf/all/disable_ipv6", "netfilter/nf_hooks_lwtunnel"];

/// Other names and units of what stands in the baseline for neighbours.
const SAME: &[(&str, &str)] = &[
    ("retrans_time", "retrans_time_ms"),
    ("base_reachable_time", "base_reachable_time_ms"),
    ("unres_qlen", "unres_qlen_bytes"),
];

/// The settings that every namespace has; those of interfaces come and go with them.
fn is_of_an_interface(path: &Path) -> bool {
    let mut parts = path.components().rev().map(|part| part.as_os_str().to_string_lossy());
    let (_, name, kind) = (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    matches!(&*kind, "conf" | "neigh") && !matches!(&*name, "all" | "default")
}

#[test]
fn the_baseline_has_every_setting_that_is_taken_over() {
    if !may_change_the_machine() {
        return;
    }
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let machine = Machine::remember();
    let fresh = in_a_fresh_namespace(|| {
        let mut settings = BTreeMap::new();
        read_all(Path::new(SETTINGS), &mut settings);
        settings
    });
    let mut taken_over = Vec::new();
    let mut tried = 0;
    for (path, before) in &fresh {
        if is_of_an_interface(path) || ONE_WAY.iter().any(|key| path.ends_with(key)) {
            continue;
        }
        let Some(own) = machine.0.get(path) else { continue };
        let changed = others(path, own)
            .into_iter()
            .any(|other| fs::write(path, &other).is_ok() && fs::read_to_string(path).is_ok_and(|now| now != *own));
        if !changed {
            continue;
        }
        tried += 1;
        let (now, writable) = in_a_fresh_namespace(|| {
            let writable = OpenOptions::new().write(true).open(path).is_ok();
            (fs::read_to_string(path).unwrap_or_default(), writable)
        });
        let _ = fs::write(path, own);
        if now != *before && writable {
            let key = path.strip_prefix(SETTINGS).expect("it lies below").display().to_string();
            taken_over.push((key, before.trim_end().to_owned()));
        }
    }
    drop(machine);
    eprintln!("{} of {tried} settings are taken over: {taken_over:?}", taken_over.len());
    assert!(tried > 100, "only {tried} settings could be changed: this proves nothing");
    let missing: Vec<String> = taken_over
        .iter()
        .filter(|(key, _)| !BASELINE.iter().any(|(known, _)| known == key))
        .map(|(key, value)| format!("(\"{key}\", \"{value}\"),"))
        .collect();
    assert!(missing.is_empty(), "taken over, and not in the baseline:\n{}", missing.join("\n"));
}

#[test]
fn the_baseline_has_every_setting_for_neighbours_that_is_taken_over() {
    if !may_change_the_machine() {
        return;
    }
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let machine = Machine::remember();
    let mut taken_over = Vec::new();
    for family in ["ipv4", "ipv6"] {
        let place = Path::new(SETTINGS).join(family).join("neigh");
        // `lo` is the one interface that is there from the first; the others take over the same.
        let read = |name: &str| in_a_fresh_namespace(|| fs::read_to_string(place.join("lo").join(name)).ok());
        for entry in fs::read_dir(place.join("default")).expect("the kernel has defaults for neighbours").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let (path, before) = (entry.path(), read(&name));
            let (Some(own), Some(before)) = (machine.0.get(&path), before) else { continue };
            if others(&path, own)
                .into_iter()
                .any(|other| fs::write(&path, other).is_ok() && read(&name).is_some_and(|now| now != before))
            {
                taken_over.push(name);
            }
            let _ = fs::write(&path, own);
        }
    }
    drop(machine);
    eprintln!("for neighbours are taken over: {taken_over:?}");
    taken_over.retain(|name| {
        let name = SAME.iter().find(|(other, _)| other == name).map_or(&**name, |(_, same)| same);
        !NEIGHBOUR_BASELINE.iter().any(|(known, ..)| *known == name)
    });
    assert_eq!(taken_over, [""; 0], "taken over, and not in the baseline");
}

#[test]
fn the_baseline_names_each_setting_once() {
    let mut faults = Vec::new();
    for (place, (key, _)) in BASELINE.iter().enumerate() {
        if BASELINE[..place].iter().any(|(earlier, _)| earlier == key) {
            faults.push(*key);
        }
    }
    assert_eq!(faults, [""; 0]);
    let forwarding = BASELINE.iter().position(|(key, _)| *key == "ipv4/ip_forward");
    assert_eq!(forwarding, Some(0), "writing it changes others, so it stands first");
}
