//! Questions on the wire: who has this address? ARP (RFC 826) and neighbour solicitation (RFC 4861, section 4.3).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Instant;

use pnet_base::MacAddr;
use pnet_packet::Packet;
use pnet_packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket, MutableArpPacket};
use pnet_packet::ethernet::{EtherType, EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet_packet::icmpv6::ndp::{MutableNeighborSolicitPacket, NdpOptionTypes, NeighborAdvertPacket};
use pnet_packet::icmpv6::{Icmpv6Code, Icmpv6Packet, Icmpv6Types, checksum};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error_queue::{self, Queued};
use super::{ProbeError, capture, is_dropped, local, watch};
use crate::namespace::Namespace;
use crate::observation::Seen;
use crate::plan::End;
use crate::words::Mac;

/// Length of an Ethernet header, of an ARP packet for IPv4, of an IPv6 header, of a solicitation with one option, of
/// that option.
const ETHERNET: usize = 14;
const ARP: usize = 28;
const IPV6: usize = 40;
const SOLICITATION: usize = 32;
const OPTION: usize = 8;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The interface.
    pub end: End,
    /// Its index in the kernel.
    pub index: u32,
    /// Its MAC address.
    pub mac: Mac,
    /// Its address; without one the question is a probe in the sense of RFC 5227.
    pub address: Option<IpAddr>,
}

/// One interface's packet socket, shared by all its questions: closing each would cost 14 ms.
#[derive(Debug)]
struct Wire {
    socket: AsyncFd<Socket>,
    heard: RefCell<Vec<(IpAddr, Mac)>>,
    sent: Cell<usize>,
    left: Cell<usize>,
}

/// The packet sockets of a case.
#[derive(Debug, Default)]
pub struct Wires {
    open: RefCell<HashMap<(End, bool), Rc<Wire>>>,
}

/// A question on its way.
#[derive(Debug)]
pub struct Question {
    wire: Rc<Wire>,
    target: IpAddr,
    frame: Vec<u8>,
    heard_before: usize,
    refused: Option<Seen>,
}

impl Wires {
    fn wire(&self, namespace: &Namespace, Asker { end, index, .. }: Asker, v6: bool) -> io::Result<Rc<Wire>> {
        if let Some(wire) = self.open.borrow().get(&(end, v6)) {
            return Ok(Rc::clone(wire));
        }
        let socket = capture::open(namespace, index, ethertype(v6).0)?;
        error_queue::stamp(&socket)?;
        let wire = Rc::new(Wire {
            socket: watch(socket, Interest::READABLE | Interest::ERROR)?,
            heard: RefCell::default(),
            sent: Cell::default(),
            left: Cell::default(),
        });
        self.open.borrow_mut().insert((end, v6), Rc::clone(&wire));
        Ok(wire)
    }

    /// Asks for an address: by ARP for IPv4, by a neighbour solicitation for IPv6.
    ///
    /// # Errors
    ///
    /// When the question could not be asked.
    pub fn start(&self, namespace: &Namespace, asker: Asker, target: IpAddr) -> Result<Question, ProbeError> {
        let failed = |error: io::Error| ProbeError::io("cannot open a packet socket", &error);
        let wire = self.wire(namespace, asker, target.is_ipv6()).map_err(failed)?;
        wire.look().map_err(failed)?;
        let frame = match target {
            IpAddr::V4(target) => arp_request(asker, target),
            IpAddr::V6(target) => solicitation(asker, target),
        }
        .ok_or_else(|| ProbeError("the question does not fit its buffer".to_owned()))?;
        let heard_before = wire.heard.borrow().len();
        let mut question = Question { wire, target, frame, heard_before, refused: None };
        question.ask()?;
        Ok(question)
    }
}

impl Question {
    /// Asks, at first or again. The kernel asks its neighbours up to three times as well: who has just come up may not
    /// have joined the group that is asked (an address of IPv6 does so behind the request that adds it).
    ///
    /// # Errors
    ///
    /// When the question could not be asked.
    pub fn ask(&mut self) -> Result<(), ProbeError> {
        match self.wire.socket.get_ref().send(&self.frame) {
            Ok(_) => self.wire.sent.set(self.wire.sent.get() + 1),
            Err(error) if is_dropped(&error) => self.wire.sent.set(self.wire.sent.get() + 1),
            // An interface that is down: the question cannot be asked, and the kernel says so.
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {
                return Err(ProbeError("the interface is down: nothing can be asked on it".to_owned()));
            }
            Err(error) => self.refused = Some(local("cannot send a question", &error)?),
        }
        Ok(())
    }

    /// Every MAC address that has answered by `until`, or that `enough` says is enough.
    ///
    /// # Errors
    ///
    /// When the socket broke, or the kernel refused to send.
    pub async fn wait(&mut self, until: Instant, enough: impl Fn(&[Mac]) -> bool) -> Result<Vec<Mac>, ProbeError> {
        if let Some(seen) = self.refused {
            return Err(ProbeError(format!("the kernel refused to send the question: {seen:?}")));
        }
        loop {
            self.wire.look().map_err(|error| ProbeError::io("cannot read a packet socket", &error))?;
            let macs = self.macs();
            if enough(&macs) {
                return Ok(macs);
            }
            let ready = self.wire.socket.ready(Interest::READABLE | Interest::ERROR);
            match tokio::time::timeout_at(until.into(), ready).await {
                Ok(Ok(mut ready)) => ready.clear_ready(),
                Ok(Err(error)) => return Err(ProbeError::io("cannot wait for a packet socket", &error)),
                Err(_) => return Ok(macs),
            }
        }
    }

    /// Whether every question on this wire is known to have left.
    pub fn left(&self) -> bool {
        self.wire.left.get() >= self.wire.sent.get()
    }

    fn macs(&self) -> Vec<Mac> {
        let mut macs = Vec::new();
        for (address, mac) in self.wire.heard.borrow().iter().skip(self.heard_before) {
            if *address == self.target && !macs.contains(mac) {
                macs.push(*mac);
            }
        }
        macs
    }
}

impl Wire {
    /// Takes in everything that is there now.
    fn look(&self) -> io::Result<()> {
        let left = error_queue::drain(self.socket.get_ref())?.iter().filter(|entry| **entry == Queued::Left).count();
        self.left.set(self.left.get() + left);
        let mut buffer = [0; 2048];
        while let Some(frame) = capture::next_frame(self.socket.get_ref(), &mut buffer)? {
            self.heard.borrow_mut().extend(answer(frame));
        }
        Ok(())
    }
}

fn ethertype(v6: bool) -> EtherType {
    if v6 { EtherTypes::Ipv6 } else { EtherTypes::Arp }
}

/// The address that a frame answers for, and who says so.
fn answer(frame: &[u8]) -> Option<(IpAddr, Mac)> {
    let ethernet = EthernetPacket::new(frame)?;
    match ethernet.get_ethertype() {
        EtherTypes::Arp => {
            let arp = ArpPacket::new(ethernet.payload())?;
            (arp.get_operation() == ArpOperations::Reply)
                .then(|| (arp.get_sender_proto_addr().into(), mac(arp.get_sender_hw_addr())))
        }
        EtherTypes::Ipv6 => {
            let ipv6 = Ipv6Packet::new(ethernet.payload())?;
            if ipv6.get_next_header() != IpNextHeaderProtocols::Icmpv6 {
                return None;
            }
            let icmp = Icmpv6Packet::new(ipv6.payload())?;
            if icmp.get_icmpv6_type() != Icmpv6Types::NeighborAdvert {
                return None;
            }
            let advert = NeighborAdvertPacket::new(ipv6.payload())?;
            let named = advert
                .get_options()
                .iter()
                .find(|option| option.option_type == NdpOptionTypes::TargetLLAddr)
                .and_then(|option| option.data.get(..6)?.try_into().ok().map(Mac));
            Some((advert.get_target_addr().into(), named.unwrap_or_else(|| mac(ethernet.get_source()))))
        }
        _ => None,
    }
}

fn mac(address: MacAddr) -> Mac {
    Mac(address.octets())
}

fn mac_addr(Mac([a, b, c, d, e, f]): Mac) -> MacAddr {
    MacAddr::new(a, b, c, d, e, f)
}

/// An ARP request as a frame.
fn arp_request(asker: Asker, target: Ipv4Addr) -> Option<Vec<u8>> {
    let mut frame = vec![0; ETHERNET + ARP];
    let mut ethernet = MutableEthernetPacket::new(&mut frame)?;
    ethernet.set_destination(MacAddr::broadcast());
    ethernet.set_source(mac_addr(asker.mac));
    ethernet.set_ethertype(EtherTypes::Arp);
    let mut arp = MutableArpPacket::new(frame.get_mut(ETHERNET..)?)?;
    arp.set_hardware_type(ArpHardwareTypes::Ethernet);
    arp.set_protocol_type(EtherTypes::Ipv4);
    arp.set_hw_addr_len(6);
    arp.set_proto_addr_len(4);
    arp.set_operation(ArpOperations::Request);
    arp.set_sender_hw_addr(mac_addr(asker.mac));
    if let Some(IpAddr::V4(address)) = asker.address {
        arp.set_sender_proto_addr(address);
    }
    arp.set_target_proto_addr(target);
    Some(frame)
}

/// A neighbour solicitation as a frame, to the solicited-node group of the target (RFC 4291, section 2.7.1).
fn solicitation(asker: Asker, target: Ipv6Addr) -> Option<Vec<u8>> {
    let [.., high, middle, low] = target.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(high), u16::from_be_bytes([middle, low]));
    let source = match asker.address {
        Some(IpAddr::V6(address)) => address,
        _ => Ipv6Addr::UNSPECIFIED,
    };
    // Who has no address yet must not give its MAC (RFC 4861, section 4.3): such a question would be thrown away.
    let length = if source.is_unspecified() { SOLICITATION - OPTION } else { SOLICITATION };
    let mut frame = vec![0; ETHERNET + IPV6 + length];
    let mut ethernet = MutableEthernetPacket::new(&mut frame)?;
    // RFC 2464, section 7: a group's frames go to 33:33 and the last four bytes of its address.
    ethernet.set_destination(MacAddr::new(0x33, 0x33, 0xff, high, middle, low));
    ethernet.set_source(mac_addr(asker.mac));
    ethernet.set_ethertype(EtherTypes::Ipv6);
    let mut ipv6 = MutableIpv6Packet::new(frame.get_mut(ETHERNET..)?)?;
    ipv6.set_version(6);
    ipv6.set_payload_length(u16::try_from(length).ok()?);
    ipv6.set_next_header(IpNextHeaderProtocols::Icmpv6);
    // RFC 4861, section 7.1.1: any other hop limit is not from this link.
    ipv6.set_hop_limit(255);
    ipv6.set_source(source);
    ipv6.set_destination(group);
    let body = frame.get_mut(ETHERNET + IPV6..)?;
    let mut solicit = MutableNeighborSolicitPacket::new(body)?;
    solicit.set_icmpv6_type(Icmpv6Types::NeighborSolicit);
    solicit.set_icmpv6_code(Icmpv6Code(0));
    solicit.set_target_addr(target);
    // Option 1, source link-layer address, of one unit of eight bytes (RFC 4861, section 4.6.1).
    if let Some(option) = body.get_mut(SOLICITATION - OPTION..)
        && let [kind, units, mac @ ..] = option
    {
        (*kind, *units) = (1, 1);
        mac.copy_from_slice(&asker.mac.0);
    }
    let sum = checksum(&Icmpv6Packet::new(body)?, &source, &group);
    body.get_mut(2..4)?.copy_from_slice(&sum.to_be_bytes());
    Some(frame)
}
