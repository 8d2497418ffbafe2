//! The floor: hosts on one bridge, made by the fewest netlink messages the kernel takes, back to back, in one process,
//! with nothing parsed, checked or reported.
//!
//! Every veth pair is made with both ends in place and the port enslaved; namespaces are held by descriptors. It runs in
//! user and network namespaces of its own, so it needs no root and leaves nothing behind.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// Numbers of linux/rtnetlink.h, `linux/if_link.h`, `linux/if_addr.h` and linux/veth.h.
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const UP: u32 = 1;
/// `NLM_F_REQUEST` | `NLM_F_ACK` of linux/netlink.h, and with `NLM_F_CREATE` | `NLM_F_EXCL`.
const REQUEST: u16 = 0x005;
const CREATE: u16 = 0x605;

/// The bridge's index, set when it is made.
const BRIDGE: i32 = 50;

pub(crate) fn main(hosts: u32) -> ExitCode {
    match build(hosts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(hosts: u32) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    let switch = (own_namespace()?, open_netlink()?);
    let mut made = Vec::with_capacity(hosts as usize);
    for _ in 0..hosts {
        unshare(CloneFlags::CLONE_NEWNET)?;
        made.push((own_namespace()?, open_netlink()?));
    }
    setns(&switch.0, CloneFlags::CLONE_NEWNET)?;
    let mut request = Request::default();
    request.link(CREATE, BRIDGE, 0).text(IFLA_IFNAME, c"br0").nest(IFLA_LINKINFO, |request| {
        request.text(IFLA_INFO_KIND, c"bridge");
    });
    request.ask(&switch.1)?;
    request.link(REQUEST, BRIDGE, UP).ask(&switch.1)?;
    for (number, (namespace, _)) in (0..).zip(&made) {
        request.link(CREATE, 100 + number, UP).put(IFLA_IFNAME, format!("v{number}\0").as_bytes());
        request.put(IFLA_MASTER, &BRIDGE.to_ne_bytes()).nest(IFLA_LINKINFO, |request| {
            request.text(IFLA_INFO_KIND, c"veth").nest(IFLA_INFO_DATA, |request| {
                request.nest(VETH_INFO_PEER, |request| {
                    request.bytes(&link_header(2, 0)).text(IFLA_IFNAME, c"eth0");
                    request.put(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
                });
            });
        });
        request.ask(&switch.1)?;
    }
    for (number, (_, netlink)) in (0..).zip(&made) {
        let address = (0x0a00_0001 + number + number / 250 * 6_u32).to_be_bytes();
        request.address(2, 16).put(IFA_LOCAL, &address).put(IFA_ADDRESS, &address).ask(netlink)?;
        request.link(REQUEST, 1, UP).ask(netlink)?;
        request.link(REQUEST, 2, UP).ask(netlink)?;
    }
    Ok(())
}

fn own_namespace() -> io::Result<File> {
    File::open("/proc/self/ns/net")
}

fn open_netlink() -> io::Result<OwnedFd> {
    let kind = (SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
    Ok(socket(AddressFamily::Netlink, kind.0, kind.1, kind.2)?)
}

/// `struct ifinfomsg` of linux/rtnetlink.h.
fn link_header(index: i32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&flags.to_ne_bytes());
    header
}

/// One netlink message.
#[derive(Default)]
struct Request {
    bytes: Vec<u8>,
    sequence: u32,
}

impl Request {
    fn begin(&mut self, kind: u16, flags: u16) -> &mut Self {
        self.sequence += 1;
        self.bytes.clear();
        self.bytes(&[0; 4]).bytes(&kind.to_ne_bytes()).bytes(&flags.to_ne_bytes());
        self.bytes(&self.sequence.to_ne_bytes()).bytes(&[0; 4])
    }

    fn link(&mut self, flags: u16, index: i32, up: u32) -> &mut Self {
        self.begin(RTM_NEWLINK, flags).bytes(&link_header(index, up))
    }

    /// `struct ifaddrmsg` of `linux/if_addr.h`, for IPv4.
    fn address(&mut self, index: u32, length: u8) -> &mut Self {
        self.begin(RTM_NEWADDR, CREATE).bytes(&[2, length, 0, 0]).bytes(&index.to_ne_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, kind: u16, text: &CStr) -> &mut Self {
        self.put(kind, text.to_bytes_with_nul())
    }

    fn put(&mut self, kind: u16, data: &[u8]) -> &mut Self {
        self.nest(kind, |request| {
            request.bytes(data);
        })
    }

    /// An attribute: its length and kind, what it holds, and bytes up to the next boundary of four.
    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes(&[0; 2]).bytes(&kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    fn ask(&mut self, netlink: &OwnedFd) -> io::Result<()> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        send(netlink.as_raw_fd(), &self.bytes, MsgFlags::empty())?;
        let mut answer = [0; 8192];
        recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        // The error number stands behind the header of `struct nlmsghdr`.
        let [a, b, c, d] = [answer[16], answer[17], answer[18], answer[19]];
        match i32::from_ne_bytes([a, b, c, d]) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        }
    }
}
