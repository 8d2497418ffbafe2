//! Whether the kernel has taken rules.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use crate::namespace::Namespace;

/// `NFT_MSG_GETGEN` of `NFNL_SUBSYS_NFTABLES` (`linux/netfilter/nf_tables.h` and `nfnetlink.h`).
const GET_GENERATION: u16 = 10 << 8 | 16;

/// `NLMSG_ERROR` (linux/netlink.h).
const ERROR: u16 = 2;

/// `NFTA_GEN_ID`, a number in network byte order.
const GENERATION: u16 = 1;

/// The programs whose rules of the older kind there are in a namespace, which `nf_tables` knows nothing of: `iptables`,
/// `ip6tables`.
///
/// # Errors
///
/// What open(2) and read(2) say.
pub fn legacy_rules(namespace: &Namespace) -> io::Result<Vec<&'static str>> {
    let read = |file: &str| match fs::read_to_string(format!("/proc/thread-self/net/{file}")) {
        // The kernel has nothing of it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    };
    namespace.within(|| {
        let mut families = Vec::new();
        for (family, file) in [("iptables", "ip_tables_names"), ("ip6tables", "ip6_tables_names")] {
            if !read(file)?.trim().is_empty() {
                families.push(family);
            }
        }
        Ok(families)
    })
}

/// The number that `nf_tables` raises with every change of a namespace's rules; `None` where the kernel has none of it.
///
/// # Errors
///
/// What socket(2), send(2) and recv(2) say.
pub fn generation_of_rules(namespace: &Namespace) -> io::Result<Option<u32>> {
    let opened = namespace.within(|| {
        Ok(socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter)?)
    });
    let socket = match opened {
        Err(error) if error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => return Ok(None),
        opened => opened?,
    };
    // struct nlmsghdr, then struct nfgenmsg.
    let mut request = Vec::new();
    request.extend(20_u32.to_ne_bytes());
    request.extend(GET_GENERATION.to_ne_bytes());
    request.extend(1_u16.to_ne_bytes());
    request.extend([0; 12]);
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut answer = [0; 4096];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let kind = u16::from_ne_bytes([answer[4], answer[5]]);
    if kind == ERROR {
        return Ok(None);
    }
    let mut attributes = answer.get(20..length).unwrap_or_default();
    while let [a, b, c, d, rest @ ..] = attributes {
        let size = usize::from(u16::from_ne_bytes([*a, *b]));
        if u16::from_ne_bytes([*c, *d]) == GENERATION
            && let Some(Ok(number)) = rest.get(..4).map(<[u8; 4]>::try_from)
        {
            return Ok(Some(u32::from_be_bytes(number)));
        }
        attributes = attributes.get(size.next_multiple_of(4).max(4)..).unwrap_or_default();
    }
    Ok(None)
}
