//! Everything that cases may want of a machine, looked at in one go.

use std::fmt;
use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;

use super::scratch::{self, Scratch};
use super::{finds_program, has_ipv6};

/// What was found out about the machine.
#[derive(Debug, Default)]
pub struct Examination {
    /// One by one.
    pub findings: Vec<Found>,
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct Found {
    /// What.
    pub what: &'static str,
    /// How it is.
    pub state: State,
    /// In words.
    pub words: String,
    /// What to do about it, a line each.
    pub remedies: Vec<String>,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// There.
    Good,
    /// Not there, and only some cases miss it.
    Lacking,
    /// Not there, and no case can run without it.
    Fatal,
}

impl Found {
    fn new(what: &'static str, state: State, words: impl Into<String>, remedies: &[&str]) -> Self {
        let remedies = remedies.iter().map(ToString::to_string).collect();
        Self { what, state, words: words.into(), remedies }
    }
}

impl Examination {
    /// Whether cases can run here.
    pub fn can_run(&self) -> bool {
        self.findings.iter().all(|found| found.state != State::Fatal)
    }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Found { what, state, words, remedies } in &self.findings {
            let mark = match state {
                State::Good => "ok  ",
                State::Lacking => "no  ",
                State::Fatal => "STOP",
            };
            writeln!(f, "{mark} {what}: {words}")?;
            for remedy in remedies {
                writeln!(f, "       {remedy}")?;
            }
        }
        let end = if self.can_run() { "cases can run on this machine" } else { "cases cannot run on this machine" };
        writeln!(f, "\n{end}")
    }
}

/// Kinds of link that cases may ask for.
const LINKS: &[&str] =
    &["veth", "bridge", "dummy", "vlan", "vxlan", "macvlan", "ipvlan", "vrf", "bond", "wireguard", "ifb"];

/// Looks at everything.
pub fn examine() -> Examination {
    let is_root = geteuid().is_root();
    let mut findings = Vec::new();
    let privileged = if is_root { try_namespaces(false, &mut findings) } else { None };
    let rootless = try_namespaces(true, &mut findings);
    if is_root && (privileged.is_some() || rootless.is_some()) {
        one_way_is_enough(&mut findings);
    }
    if let Some(scratch) = privileged.as_ref().or(rootless.as_ref()) {
        findings.push(settings(scratch));
        // Programs run in a user namespace, whoever runs netcase.
        findings.extend(rootless.as_ref().map(own_proc));
        findings.extend(rootless.as_ref().map(overlay));
        findings.extend(links(scratch));
    }
    findings.push(ipv6());
    findings.push(nft());
    let mut users = limit("user namespaces", "/proc/sys/user/max_user_namespaces", 64, "user.max_user_namespaces");
    if is_root {
        // Root does without them, unless `--rootless` asks for them.
        users.state = users.state.min(State::Lacking);
    }
    findings.push(users);
    findings.push(limit("network namespaces", "/proc/sys/user/max_net_namespaces", 1024, "user.max_net_namespaces"));
    let neighbours = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";
    findings.push(limit("neighbour table", neighbours, 1024, "net.ipv4.neigh.default.gc_thresh3"));
    findings.push(open_files());
    Examination { findings }
}

/// As root one way in is enough: where the other is closed, the worker takes this one by itself.
fn one_way_is_enough(findings: &mut [Found]) {
    for found in findings {
        found.state = found.state.min(State::Lacking);
    }
}

/// Tries the namespaces of a worker.
fn try_namespaces(own_user_namespace: bool, findings: &mut Vec<Found>) -> Option<Scratch> {
    let what = if own_user_namespace { "namespaces as an ordinary user" } else { "namespaces as root" };
    let failed = match scratch::examine(own_user_namespace, LINKS) {
        Ok(Scratch { namespaces: Some(step), .. }) => step,
        Ok(scratch) => {
            findings.push(Found::new(what, State::Good, "can be entered", &[]));
            return Some(scratch);
        }
        Err(error) => error.to_string(),
    };
    let mut remedies = remedies(own_user_namespace, |path| fs::read_to_string(path).ok());
    if !geteuid().is_root() {
        remedies.push("or run netcase as root".into());
    }
    let remedies: Vec<&str> = remedies.iter().map(String::as_str).collect();
    findings.push(Found::new(what, State::Fatal, format!("cannot be entered: {failed}"), &remedies));
    None
}

/// What may be in the way of namespaces, told apart by what the kernel says of itself.
pub(super) fn remedies(own_user_namespace: bool, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let is = |path: &str, value: &str| read(path).is_some_and(|text| text.trim() == value);
    let mut remedies = Vec::new();
    if own_user_namespace && is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        remedies.push(
            "AppArmor keeps ordinary users from it (Ubuntu 23.10 and later): \
             sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
                .into(),
        );
    }
    if own_user_namespace && is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        remedies.push("this kernel keeps it for root: sudo sysctl -w kernel.unprivileged_userns_clone=1".into());
    }
    for kind in ["user", "net", "mnt", "pid"] {
        if is(&format!("/proc/sys/user/max_{kind}_namespaces"), "0") {
            remedies.push(format!("none are allowed: sudo sysctl -w user.max_{kind}_namespaces=10000"));
        }
    }
    if remedies.is_empty() {
        remedies.push(
            "in a container, its seccomp filter or its missing capabilities may be in the way: \
             docker run --privileged, or --security-opt seccomp=unconfined --security-opt systempaths=unconfined"
                .into(),
        );
    }
    remedies
}

fn settings(scratch: &Scratch) -> Found {
    match &scratch.settings {
        None => Found::new("settings of a node", State::Good, "can be written", &[]),
        Some(error) => Found::new(
            "settings of a node",
            State::Fatal,
            format!("/proc/sys/net cannot be written: {error}"),
            &["a container has it read-only: docker run --privileged, or --security-opt systempaths=unconfined"],
        ),
    }
}

fn own_proc(scratch: &Scratch) -> Found {
    match &scratch.own_proc {
        None => Found::new("own /proc", State::Good, "can be mounted", &[]),
        Some(error) => Found::new(
            "own /proc",
            State::Lacking,
            format!("cannot be mounted: {error}; cases that run programs cannot be built"),
            &["a container masks parts of /proc: --security-opt systempaths=unconfined, or procMount: Unmasked"],
        ),
    }
}

fn overlay(scratch: &Scratch) -> Found {
    match &scratch.overlay {
        None => Found::new("layers over the machine's files", State::Good, "can be mounted", &[]),
        Some(error) => Found::new(
            "layers over the machine's files",
            State::Lacking,
            format!("cannot be mounted: {error}; programs of a case find the files read-only, or not at all"),
            &["a kernel from 5.11 on with overlayfs (modprobe overlay), on a file system that it takes as a layer"],
        ),
    }
}

fn links(scratch: &Scratch) -> Vec<Found> {
    let (lacking, there): (Vec<&str>, Vec<&str>) =
        LINKS.iter().partition(|kind| scratch.unknown_links.iter().any(|(unknown, _)| unknown == *kind));
    let mut findings = Vec::new();
    if !there.is_empty() {
        findings.push(Found::new("links", State::Good, there.join(", "), &[]));
    }
    if !lacking.is_empty() {
        let fatal = lacking.iter().any(|kind| matches!(*kind, "veth" | "bridge"));
        let (state, effect) = if fatal {
            (State::Fatal, "no case runs without veth and bridge")
        } else {
            (State::Lacking, "cases that need them are skipped")
        };
        let words = format!("this kernel does not know {}; {effect}", lacking.join(", "));
        findings.push(Found::new("links", state, words, &["load the modules (modprobe), or use a kernel with them"]));
    }
    findings
}

fn ipv6() -> Found {
    if has_ipv6() {
        return Found::new("IPv6", State::Good, "is there", &[]);
    }
    let remedy = "boot without ipv6.disable=1, or use a kernel with IPv6";
    Found::new("IPv6", State::Lacking, "is not there; cases that need it are skipped", &[remedy])
}

fn nft() -> Found {
    if finds_program("nft") {
        return Found::new("nft", State::Good, "is there", &[]);
    }
    let words = "is not there; only cases that bring a file of nft rules need it, and are skipped";
    Found::new("nft", State::Lacking, words, &["apt install nftables, or the like"])
}

/// A limit in a file of `/proc/sys`.
fn limit(what: &'static str, path: &str, least: u64, key: &str) -> Found {
    let Some(number) = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok()) else {
        return Found::new(what, State::Good, "no limit is known", &[]);
    };
    let words = format!("at most {number}");
    if number >= least {
        return Found::new(what, State::Good, words, &[]);
    }
    let state = if number == 0 { State::Fatal } else { State::Lacking };
    let remedy = format!("large cases, or many at once, need more: sudo sysctl -w {key}={}", least * 8);
    Found::new(what, state, words, &[&remedy])
}

fn open_files() -> Found {
    // A worker holds a few descriptors for each node, and the runner a few for each worker.
    const ENOUGH: u64 = 1024;
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) if soft < ENOUGH => Found::new(
            "open files",
            State::Lacking,
            format!("at most {soft}"),
            &["large cases need more: ulimit -n 4096"],
        ),
        Ok((soft, _)) => Found::new("open files", State::Good, format!("at most {soft}"), &[]),
        Err(errno) => Found::new("open files", State::Good, format!("no limit is known: {}", errno.desc()), &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_obstacle_has_its_remedy() {
        for (path, value, expected) in [
            ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor"),
            ("/proc/sys/kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone=1"),
            ("/proc/sys/user/max_user_namespaces", "0\n", "user.max_user_namespaces=10000"),
            ("/proc/sys/user/max_net_namespaces", "0\n", "user.max_net_namespaces=10000"),
            ("/nothing", "", "seccomp"),
        ] {
            let remedies = remedies(true, |asked| (asked == path).then(|| value.to_owned()));
            assert!(remedies[0].contains(expected), "{path}: {remedies:?}");
        }
    }

    #[test]
    fn what_is_fatal_decides() {
        let good = Found::new("a", State::Good, "is there", &[]);
        let lacking = Found::new("b", State::Lacking, "is not there", &["get it"]);
        let mut examination = Examination { findings: vec![good, lacking] };
        assert_eq!(
            examination.to_string(),
            "ok   a: is there\nno   b: is not there\n       get it\n\ncases can run on this machine\n"
        );
        examination.findings.push(Found::new("c", State::Fatal, "is not there", &[]));
        assert!(!examination.can_run());
        assert!(examination.to_string().ends_with("STOP c: is not there\n\ncases cannot run on this machine\n"));
    }
}
