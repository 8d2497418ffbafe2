//! All frames that pass a node: one packet socket for all of its interfaces, kept for the rest of the case, for closing
//! it costs the kernel 14 ms. Between probes a filter takes nothing in, so an open socket costs a call per frame.
//!
//! A frame on a loopback interface is seen twice, as sent and as received; so is one that a bridge passes on, at each port
//! and at the bridge. An interface that carries no Ethernet (tun(4), a wireguard tunnel) gets a header of zeros before its
//! packets.

use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, UnknownCmsg, getsockopt, recv, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{SockFilter, Socket};

use super::ProbeError;
use super::capture::{Capture, EVERYTHING, link_address, unbound};
use super::focus::Focus;
use crate::evidence::Frame;
use crate::namespace::Namespace;

/// How many frames are kept of one node, and of one of its interfaces: the first ones. A packet in a loop passes an
/// interface at most 255 times, once for each step of its time to live; a flood in a loop of bridges does so for ever.
pub const MOST_OF_NODE: usize = 2000;
/// See [`MOST_OF_NODE`].
pub const MOST_OF_INTERFACE: usize = 400;

/// How much of a frame is kept: headers, and what an ICMP error quotes (at most 1280 bytes: RFC 4443, section 3).
pub const SNAP: usize = 2048;

/// How much the kernel keeps for us until we look. It counts small frames with some 800 bytes, and twice as much as asked
/// for may be used (socket(7)): about ten thousand.
const BUFFER: usize = 4 << 20;

/// Behind how many frames that may be the probe's, and for which there was no room, nothing more is captured.
const HOPELESS: usize = 4 * MOST_OF_NODE;

/// How many frames one look goes through: more than fit in the buffer, so that a flood that goes on ends it, too.
const MOST_AT_ONCE: usize = 65_536;

/// `ARPHRD_ETHER` and `ARPHRD_LOOPBACK` of `linux/if_arp.h`: the interfaces whose frames have an Ethernet header.
const ETHERNET: [u16; 2] = [1, 772];

/// `BPF_RET | BPF_K` of `linux/bpf_common.h`: how many bytes of a frame are taken in.
const RETURN: u16 = 0x06;

/// `PACKET_AUXDATA` of packet(7).
#[derive(Clone, Copy)]
struct Auxdata;
nix::setsockopt_impl!(Auxdata, libc::SOL_PACKET, libc::PACKET_AUXDATA, bool, sockopt::SetBool);

/// `PACKET_STATISTICS` of packet(7): counts from the last look on.
#[derive(Clone, Copy)]
struct Statistics;
nix::getsockopt_impl!(
    Statistics,
    libc::SOL_PACKET,
    libc::PACKET_STATISTICS,
    libc::tpacket_stats,
    sockopt::GetStruct<libc::tpacket_stats>
);

/// Every frame that passes a node while it is [watched](Self::watch).
#[derive(Debug)]
pub struct Frames {
    socket: Socket,
}

impl Frames {
    /// Opens the socket of a node, at rest.
    ///
    /// # Errors
    ///
    /// What socket(2), setsockopt(2) and bind(2) say.
    pub fn open(namespace: &Namespace) -> Result<Self, ProbeError> {
        let open = || {
            let frames = Self { socket: unbound(namespace)? };
            frames.take_in(0)?;
            // CAP_NET_ADMIN over the namespace is enough on newer kernels; else what anybody may have has to do.
            if setsockopt(&frames.socket, sockopt::RcvBufForce, &BUFFER).is_err() {
                setsockopt(&frames.socket, sockopt::RcvBuf, &BUFFER)?;
            }
            setsockopt(&frames.socket, sockopt::ReceiveTimestampns, &true)?;
            setsockopt(&frames.socket, Auxdata, &true)?;
            frames.socket.bind(&link_address(Capture::EVERYWHERE, EVERYTHING)?)?;
            Ok(frames)
        };
        open().map_err(|error: io::Error| ProbeError::io("cannot open a packet socket", &error))
    }

    /// Takes frames in, from now on.
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn watch(&self) -> Result<(), ProbeError> {
        self.take_in(u32::MAX).map_err(failed)
    }

    /// Sends a frame by an interface.
    ///
    /// # Errors
    ///
    /// What sendto(2) says.
    pub fn send(&self, interface: u32, frame: &[u8]) -> Result<(), ProbeError> {
        let sent = link_address(interface, EVERYTHING).and_then(|to| self.socket.send_to(frame, &to));
        sent.map(drop).map_err(|error| ProbeError::io("cannot send by a packet socket", &error))
    }

    /// Takes no more frames in; those that are there stay.
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn rest(&self) -> Result<(), ProbeError> {
        self.take_in(0).map_err(failed)
    }

    /// A filter takes the place of the one before at once.
    fn take_in(&self, bytes: u32) -> io::Result<()> {
        self.socket.attach_filter(&[SockFilter::new(RETURN, 0, 0, bytes)])
    }

    /// Throws away what is there.
    ///
    /// # Errors
    ///
    /// When the socket broke.
    pub fn forget(&self) -> Result<(), ProbeError> {
        for _ in 0..MOST_AT_ONCE {
            match recv(self.socket.as_raw_fd(), &mut [], MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        self.lost().map(|_| ())
    }

    /// Takes what is there, in the order in which it passed. The first [`MOST_OF_INTERFACE`] frames of each interface are
    /// kept, of all together the first [`MOST_OF_NODE`]; once it is a flood, only what may be the probe's is captured.
    ///
    /// # Errors
    ///
    /// When the socket broke.
    pub fn take(&self, taken: &mut Taken) -> Result<(), ProbeError> {
        let mut buffer = [0; SNAP];
        let mut space = nix::cmsg_space!(TimeSpec, libc::tpacket_auxdata);
        for _ in 0..MOST_AT_ONCE {
            match self.receive(&mut buffer, &mut space) {
                Ok(Some(frame)) => taken.keep(frame),
                Ok(None) => break,
                Err(error) => return Err(failed(error)),
            }
            if taken.is_hopeless() {
                self.rest()?;
                return self.forget();
            }
            if taken.is_flood() && !taken.focused {
                // What would fill the buffer is let go from now on, so that it has room for what matters.
                self.socket.attach_filter(&taken.focus.filter()).map_err(failed)?;
                taken.focused = true;
            }
        }
        taken.lost = taken.lost.saturating_add(self.lost()?);
        Ok(())
    }

    /// Forgets what came so far, before the probe: it shows only what else is going on.
    ///
    /// # Errors
    ///
    /// When the socket broke.
    pub fn begin(&self, taken: &mut Taken) -> Result<(), ProbeError> {
        self.take(taken)?;
        taken.begin();
        if taken.focused {
            self.socket.attach_filter(&taken.focus.filter()).map_err(failed)?;
        }
        Ok(())
    }

    /// One frame that is there now.
    fn receive(&self, buffer: &mut [u8], space: &mut [u8]) -> io::Result<Option<Frame>> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let mut parts = [IoSliceMut::new(buffer)];
        let message = loop {
            match recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut parts, Some(&mut *space), flags) {
                Ok(message) => break message,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        let (mut time, mut vlan) = (0, None);
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::ScmTimestampns(stamp) => time = nanoseconds(stamp),
                ControlMessageOwned::Unknown(other) => vlan = vlan.or(tag(&other)),
                _ => {}
            }
        }
        let from = message.address.ok_or_else(|| io::Error::other("a frame came from no interface"))?;
        // MSG_TRUNC: the length of the frame, and not of what fits.
        let length = message.bytes;
        let start = &buffer[..length.min(SNAP)];
        let header = if ETHERNET.contains(&from.hatype()) { Vec::new() } else { no_ethernet(from.protocol()) };
        Ok(Some(Frame {
            node: 0,
            interface: u32::try_from(from.ifindex()).unwrap_or_default(),
            time,
            outgoing: from.pkttype() == libc::PACKET_OUTGOING,
            vlan,
            length: u32::try_from(header.len() + length).unwrap_or(u32::MAX),
            bytes: [&header, start].concat(),
        }))
    }

    /// How many frames the kernel had no room for since the last look.
    fn lost(&self) -> Result<u32, ProbeError> {
        getsockopt(&self.socket, Statistics).map(|counts| counts.tp_drops).map_err(|errno| failed(errno.into()))
    }
}

fn failed(error: io::Error) -> ProbeError {
    ProbeError::io("cannot read a packet socket", &error)
}

/// A header for a packet that came without one; the ethertype is in the order of the network already.
fn no_ethernet(ethertype: u16) -> Vec<u8> {
    [&[0; 12][..], &ethertype.to_ne_bytes()].concat()
}

fn nanoseconds(stamp: TimeSpec) -> u64 {
    let of = |number: i64| u64::try_from(number).unwrap_or_default();
    of(stamp.tv_sec()) * 1_000_000_000 + of(stamp.tv_nsec())
}

/// The VLAN in `struct tpacket_auxdata` of `linux/if_packet.h`: `tp_status` is its first word, `tp_vlan_tci` stands behind
/// three words and two halves.
fn tag(control: &UnknownCmsg) -> Option<u16> {
    let header = control.cmsg_header;
    if (header.cmsg_level, header.cmsg_type) != (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
        return None;
    }
    let status = u32::from_ne_bytes(*control.data_bytes.first_chunk()?);
    let tci = u16::from_ne_bytes(*control.data_bytes.get(16..)?.first_chunk()?);
    (status & libc::TP_STATUS_VLAN_VALID != 0).then_some(tci & 0x0fff)
}

/// What was taken of a node's frames.
#[derive(Debug)]
pub struct Taken {
    node: usize,
    focus: Focus,
    kept: Vec<Frame>,
    /// How many were kept of each interface, and of all: of those that may be the probe's (1), and of others (0).
    of_interface: BTreeMap<(bool, u32), usize>,
    of_node: [usize; 2],
    left_out: [usize; 2],
    lost: u32,
    focused: bool,
}

impl Taken {
    /// Nothing yet.
    pub fn new(node: usize, focus: Focus) -> Self {
        Self {
            node,
            focus,
            kept: Vec::new(),
            of_interface: BTreeMap::new(),
            of_node: [0; 2],
            left_out: [0; 2],
            lost: 0,
            focused: false,
        }
    }

    fn keep(&mut self, frame: Frame) {
        let may_be_own = self.focus.takes(&frame.bytes);
        let class = usize::from(may_be_own);
        let of_interface = self.of_interface.entry((may_be_own, frame.interface)).or_default();
        if self.of_node[class] >= MOST_OF_NODE || *of_interface >= MOST_OF_INTERFACE {
            self.left_out[class] += 1;
            return;
        }
        *of_interface += 1;
        self.of_node[class] += 1;
        self.kept.push(Frame { node: self.node, ..frame });
    }

    /// Whether so much came that it is no lab at rest.
    fn is_flood(&self) -> bool {
        self.left_out != [0; 2]
    }

    /// Whether nothing is gained by looking on: what may be the probe's is a flood itself.
    fn is_hopeless(&self) -> bool {
        self.left_out[1] > HOPELESS
    }

    /// Nothing yet again; in a flood only what may be the probe's is to be taken from now on.
    fn begin(&mut self) {
        let focused = self.is_flood();
        *self = Self { focused, ..Self::new(self.node, self.focus.clone()) };
    }

    /// Whether a packet of the probe may be among what is missing.
    pub fn may_miss(&self) -> bool {
        self.lost > 0 || self.left_out[1] > 0
    }

    /// What is missing, in words.
    pub fn missing(&self) -> Option<String> {
        let mut words = Vec::new();
        let left_out: usize = self.left_out.iter().sum();
        if left_out > 0 {
            words.push(format!(
                "{left_out} later frames were left out: {MOST_OF_INTERFACE} are kept of one interface, {MOST_OF_NODE} of one node"
            ));
        }
        if self.lost > 0 {
            words.push(format!("{} later frames came faster than they could be taken", self.lost));
        }
        if self.is_hopeless() {
            words.push("what came then was not captured".to_owned());
        } else if self.focused && !self.may_miss() {
            words.push("in this flood only what may be a packet of the probe was captured throughout".to_owned());
        }
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What was kept so far.
    pub fn frames(&self) -> &[Frame] {
        &self.kept
    }

    /// What was kept.
    pub fn into_frames(self) -> Vec<Frame> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of UDP, or one of which nothing is known.
    fn frame(interface: u32, udp: bool) -> Frame {
        let mut bytes = vec![0; 60];
        if udp {
            (bytes[12], bytes[14], bytes[23]) = (8, 0x45, 17);
        }
        Frame { node: 0, interface, time: 0, outgoing: false, vlan: None, length: 60, bytes }
    }

    #[test]
    fn the_first_frames_are_kept() {
        let mut taken = Taken::new(7, Focus::on(&[1]));
        for interface in 1..=2 {
            for time in 0..u64::try_from(MOST_OF_INTERFACE + 10).expect("a small number") {
                taken.keep(Frame { time, ..frame(interface, false) });
            }
        }
        assert!(taken.is_flood() && taken.may_miss());
        taken.lost = 3;
        let said = taken.missing().expect("something is missing");
        assert!(
            said.starts_with("20 later frames were left out: 400 are kept of one interface, 2000 of one"),
            "{said}"
        );
        assert!(said.ends_with("; 3 later frames came faster than they could be taken"), "{said}");
        assert!(taken.kept.iter().all(|frame| frame.time < 400 && frame.node == 7));
        for interface in 3..20 {
            (0..MOST_OF_INTERFACE).for_each(|_| taken.keep(frame(interface, false)));
        }
        assert_eq!(taken.into_frames().len(), MOST_OF_NODE);
    }

    #[test]
    fn a_flood_of_others_takes_no_room_from_the_probe() {
        let mut taken = Taken::new(0, Focus::on(&[1]));
        assert!(taken.missing().is_none() && !taken.is_flood());
        (0..5000).for_each(|_| taken.keep(frame(1, true)));
        assert!(taken.is_flood() && !taken.may_miss(), "none of them was the probe's");
        taken.keep(frame(1, false));
        assert_eq!(taken.kept.len(), MOST_OF_INTERFACE + 1);
        taken.begin();
        assert!(taken.kept.is_empty() && !taken.is_flood() && taken.focused);
    }

    #[test]
    fn a_packet_without_header_gets_one() {
        assert_eq!(no_ethernet(0x86dd_u16.to_be())[12..], [0x86, 0xdd]);
    }
}
