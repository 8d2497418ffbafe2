//! Tries in a process of its own what a worker does first: some things can only be known by doing them.
//!
//! The process re-executes this program under a hidden role and enters namespaces of its own, which are gone when it
//! ends. A threaded process may not do that itself.

use std::env;
use std::fs;
use std::io;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use rtnetlink::LinkMessageBuilder;
use rtnetlink::packet_route::link::InfoKind;
use rtnetlink::sys::AsyncSocket;
use serde::{Deserialize, Serialize};

use super::capabilities::missing_capabilities;
use crate::extended_ack::{self, ACK_TLVS};

/// Hidden first argument of the process.
const ROLE: &str = "netcase-scratch";
/// Hidden first argument of its child, the first process of the new PID namespace.
const PROC_ROLE: &str = "netcase-scratch-proc";

/// Kinds whose modules put a fallback device into every namespace of the machine when they are loaded: too much for a
/// question.
const NEVER_TRIED: &[&str] = &["ipip", "sit", "gre", "gretap", "erspan", "ip6gre", "ip6tnl", "vti", "vti6"];

/// Whether the kernel is asked for this kind of link at all.
pub fn tries(kind: &str) -> bool {
    !NEVER_TRIED.contains(&kind)
}

/// What worked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Scratch {
    /// Why namespaces cannot be entered: the step, and the kernel's answer.
    pub namespaces: Option<String>,
    /// Why an own `/proc` cannot be mounted.
    pub own_proc: Option<String>,
    /// Why an overlay over a folder of the machine cannot be mounted.
    pub overlay: Option<String>,
    /// Why the settings of a network namespace cannot be written.
    pub settings: Option<String>,
    /// The kinds of link asked for that the kernel does not know, and what it says of each.
    pub unknown_links: Vec<(String, String)>,
}

/// Enters scratch namespaces, and asks the kernel there for these kinds of link.
///
/// # Errors
/// When the process cannot be started, or does not answer.
pub fn examine(own_user_namespace: bool, links: &[&str]) -> io::Result<Scratch> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(ROLE).arg(if own_user_namespace { "user" } else { "root" });
    command.args(links.iter().filter(|kind| tries(kind)));
    let output = command.stdin(Stdio::null()).output()?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        io::Error::other(format!(
            "the trial process ended with {} and said: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    })
}

/// Does what is asked if this process was started by [`examine`]; call it first thing in `main`. Returns otherwise.
pub fn answer_if_asked() {
    let mut arguments = env::args().skip(1);
    let code = match arguments.next().as_deref() {
        Some(ROLE) => {
            let own_user_namespace = arguments.next().as_deref() == Some("user");
            let answer = answer(own_user_namespace, arguments);
            println!("{}", serde_json::to_string(&answer).expect("strings can always be written as JSON"));
            0
        }
        Some(PROC_ROLE) => match mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>) {
            Ok(()) => 0,
            Err(errno) => {
                eprintln!("{}", errno.desc());
                1
            }
        },
        _ => return,
    };
    std::process::exit(code);
}

fn answer(own_user_namespace: bool, links: impl Iterator<Item = String>) -> Scratch {
    if let Err(step) = enter(own_user_namespace) {
        return Scratch { namespaces: Some(step), ..Scratch::default() };
    }
    Scratch {
        namespaces: None,
        unknown_links: unknown(links),
        own_proc: mount_proc().err(),
        overlay: mount_overlay().err().map(|error| words(&error)),
        settings: write_setting().err().map(|error| words(&error)),
    }
}

fn enter(own_user_namespace: bool) -> Result<(), String> {
    let failed = |step: &'static str| move |errno: Errno| format!("{step}: {}", errno.desc());
    let (uid, gid) = (geteuid(), getegid());
    if !own_user_namespace {
        let missing = missing_capabilities();
        if !missing.is_empty() {
            return Err(format!("without {}", missing.join(", ")));
        }
    }
    if own_user_namespace {
        unshare(CloneFlags::CLONE_NEWUSER).map_err(failed("a user namespace"))?;
        // Without this a process without privileges may not map its group: user_namespaces(7).
        let writes =
            [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {uid} 1")), ("gid_map", format!("0 {gid} 1"))];
        for (file, text) in writes {
            fs::write(format!("/proc/self/{file}"), text)
                .map_err(|error| format!("a user namespace's {file}: {}", words(&error)))?;
        }
    }
    for (flag, step) in [
        (CloneFlags::CLONE_NEWNET, "a network namespace"),
        (CloneFlags::CLONE_NEWNS, "a mount namespace"),
        (CloneFlags::CLONE_NEWIPC, "an IPC namespace"),
        (CloneFlags::CLONE_NEWUTS, "a UTS namespace"),
        (CloneFlags::CLONE_NEWPID, "a PID namespace"),
    ] {
        unshare(flag).map_err(failed(step))?;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(failed("private mounts"))
}

/// Every lab sets its nodes' settings, and the first of them is this one. A container may have `/proc/sys` read-only.
fn write_setting() -> io::Result<()> {
    fs::write("/proc/sys/net/ipv4/ip_forward", "0")
}

fn words(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |errno| Errno::from_raw(errno).desc().to_owned())
}

/// A layer that is thrown away over a folder that every machine has, as programs of a case find it.
fn mount_overlay() -> io::Result<()> {
    let (flags, stage) = (MsFlags::MS_NOSUID | MsFlags::MS_NODEV, "/sys");
    mount(Some("tmpfs"), stage, Some("tmpfs"), flags, Some("size=1m"))?;
    for folder in ["upper", "work", "merged"] {
        fs::create_dir(format!("{stage}/{folder}"))?;
    }
    let options = format!("userxattr,lowerdir=/usr,upperdir={stage}/upper,workdir={stage}/work");
    Ok(mount(Some("overlay"), &*format!("{stage}/merged"), Some("overlay"), flags, Some(&*options))?)
}

/// Only a process of the new PID namespace may mount its `/proc`, and only children of this one are in it.
fn mount_proc() -> Result<(), String> {
    let output = Command::new("/proc/self/exe").arg(PROC_ROLE).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The kinds that the kernel does not know. It looks for the kind, and for a module that has it, before it looks at
/// anything else in the request, and says EOPNOTSUPP ("Unknown device type") when there is none (net/core/rtnetlink.c).
fn unknown(links: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return Vec::new() };
    runtime.block_on(async {
        let Ok((mut connection, handle, _)) = rtnetlink::new_connection() else { return Vec::new() };
        // Without the kernel's sentence there is still its errno.
        let _ = connection.socket_mut().socket_mut().set_ext_ack(true);
        tokio::spawn(connection);
        let mut unknown = Vec::new();
        for (index, kind) in links.enumerate() {
            let message = LinkMessageBuilder::<()>::new_with_info_kind(InfoKind::Other(kind.clone()))
                .name(format!("scratch{index}"))
                .build();
            let answer = handle.link().add(message).execute().await;
            if let Err(rtnetlink::Error::NetlinkError(error)) = answer
                && error.raw_code() == -libc::EOPNOTSUPP
            {
                let words = Errno::EOPNOTSUPP.desc().to_owned();
                let said = extended_ack::text(ACK_TLVS, &error.header).unwrap_or(words);
                unknown.push((kind, said.trim_end_matches('.').to_owned()));
            }
        }
        unknown
    })
}
