//! What the machine outside is like, to be compared before and after.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use rtnetlink::IpVersion;

use std::os::fd::AsRawFd;

/// Files that say what there is, one fact a line.
const FILES: &[&str] = &["self/mountinfo", "self/net/route", "self/net/ipv6_route", "self/net/if_inet6"];

/// Settings that count what passes, and change by themselves.
const COUNTERS: &[&str] = &["nf_conntrack_count", "dentry-state"];

/// Links, routes, rules, settings and mounts, by what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host(BTreeMap<String, String>);

impl Host {
    /// Looks at everything.
    pub(crate) fn look() -> Self {
        let mut facts = BTreeMap::new();
        for file in FILES {
            facts.insert((*file).to_owned(), fs::read_to_string(Path::new("/proc").join(file)).unwrap_or_default());
        }
        let links = fs::read_to_string("/proc/self/net/dev").expect("the kernel lists its links");
        let names: Vec<&str> = links.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
        facts.insert("links".to_owned(), names.join(" "));
        facts.insert("rules".to_owned(), rules());
        facts.insert("generation of nf_tables".to_owned(), generation());
        settings(Path::new("/proc/sys/net"), &mut facts);
        Self(facts)
    }

    /// What is different now, a line each.
    pub(crate) fn changes(&self) -> Vec<String> {
        let now = Self::look();
        let keys: std::collections::BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        keys.into_iter()
            .filter(|key| self.0.get(*key) != now.0.get(*key))
            .map(|key| format!("{key} was {:?} and is {:?}", self.0.get(key), now.0.get(key)))
            .collect()
    }
}

fn settings(folder: &Path, facts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            settings(&path, facts);
        } else if !COUNTERS.iter().any(|counter| name == *counter) {
            // Some can be written only, and some only be read once they were written.
            facts.insert(path.display().to_string(), fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

fn rules() -> String {
    use futures_util::TryStreamExt;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().expect("a routing socket can be opened");
        tokio::spawn(connection);
        let mut text = String::new();
        for family in [IpVersion::V4, IpVersion::V6] {
            let rules: Vec<_> = handle.rule().get(family).execute().try_collect().await.unwrap_or_default();
            text.push_str(&format!("{rules:?}\n"));
        }
        text
    })
}

/// The number that `nf_tables` raises with every change of its rules; the kernel's refusal where it tells only root.
///
/// Source: linux/netfilter/nfnetlink.h and `nf_tables.h`: `NFT_MSG_GETGEN` (16) of subsystem 10, and `struct nfgenmsg`.
fn generation() -> String {
    let Ok(socket) =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter)
    else {
        return "no such socket".to_owned();
    };
    let mut request = Vec::new();
    request.extend(20_u32.to_ne_bytes());
    request.extend((10_u16 << 8 | 16).to_ne_bytes());
    request.extend(1_u16.to_ne_bytes());
    request.extend([0; 12]);
    let mut answer = [0; 4096];
    let received = send(socket.as_raw_fd(), &request, MsgFlags::empty())
        .and_then(|_| recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()));
    // The header ends with the port of this socket, which is another one each time.
    match received {
        Ok(length) => format!("{:?} {:?}", &answer[..8], answer.get(16..36.min(length))),
        Err(errno) => errno.to_string(),
    }
}
