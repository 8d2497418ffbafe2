//! Packet sockets: frames as they are on an interface.
//!
//! Closing one costs the kernel some 14 ms, so they are opened only where nothing cheaper tells the truth, and a verdict
//! leaves before its socket is closed.

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::ProbeError;
use crate::namespace::Namespace;

/// `ETH_P_ALL` of `linux/if_ether.h`.
pub(super) const EVERYTHING: u16 = 0x0003;

/// The largest frame looked at.
const LARGEST: usize = 65_600;

/// Opens a packet socket on one interface for one ethertype.
pub(super) fn open(namespace: &Namespace, interface: u32, ethertype: u16) -> io::Result<Socket> {
    let socket = unbound(namespace)?;
    socket.bind(&link_address(interface, ethertype)?)?;
    Ok(socket)
}

/// Opens a packet socket that takes in nothing before bind(2) has named interface and ethertype (packet(7): protocol 0).
pub(super) fn unbound(namespace: &Namespace) -> io::Result<Socket> {
    let kind = Type::RAW.nonblocking().cloexec();
    namespace.within(|| Socket::new(Domain::PACKET, kind, Some(Protocol::from(0))))
}

/// `struct sockaddr_ll` of packet(7).
pub(super) fn link_address(interface: u32, ethertype: u16) -> io::Result<SockAddr> {
    let index = i32::try_from(interface).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the storage is zeroed, large enough for sockaddr_ll and aligned for it, and the length set is its length.
    #[expect(unsafe_code, reason = "socket2 has no link-layer addresses")]
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = storage.cast::<libc::sockaddr_ll>();
            (*link).sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or_default();
            (*link).sll_protocol = ethertype.to_be();
            (*link).sll_ifindex = index;
            *length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
            Ok(())
        })?
    };
    Ok(address)
}

/// One frame that is there now.
pub(super) fn next_frame<'a>(socket: &Socket, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    match recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
        Ok(length) => Ok(buffer.get(..length)),
        Err(nix::errno::Errno::EAGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Everything that passes an interface, from now on.
#[derive(Debug)]
pub struct Capture {
    socket: Socket,
    source: Cell<Option<IpAddr>>,
}

impl Capture {
    /// In the place of an interface: all interfaces of the node.
    pub const EVERYWHERE: u32 = 0;

    /// Starts to capture.
    ///
    /// # Errors
    ///
    /// What socket(2) and bind(2) say.
    pub fn start(namespace: &Namespace, interface: u32) -> Result<Self, ProbeError> {
        let socket = open(namespace, interface, EVERYTHING)
            .map_err(|error| ProbeError::io("cannot open a packet socket", &error))?;
        Ok(Self { socket, source: Cell::new(None) })
    }

    /// Whether a frame with these bytes has passed since the last call.
    ///
    /// # Errors
    ///
    /// When the socket broke.
    pub fn saw(&self, bytes: &[u8]) -> Result<bool, ProbeError> {
        let mut buffer = vec![0; LARGEST];
        loop {
            match next_frame(&self.socket, &mut buffer) {
                Ok(Some(frame)) if frame.windows(bytes.len()).any(|window| window == bytes) => {
                    self.source.set(source_of(frame));
                    return Ok(true);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(false),
                Err(error) => return Err(ProbeError::io("cannot read a packet socket", &error)),
            }
        }
    }

    /// The source address of the frame that was last [seen](Self::saw).
    pub fn source(&self) -> Option<IpAddr> {
        self.source.get()
    }
}

/// The source address of the packet in an Ethernet frame: IEEE 802.3; RFC 791, section 3.1; RFC 8200, section 3.
fn source_of(frame: &[u8]) -> Option<IpAddr> {
    let packet = frame.get(14..)?;
    match frame.get(12..14)? {
        [0x08, 0x00] => <[u8; 4]>::try_from(packet.get(12..16)?).ok().map(IpAddr::from),
        [0x86, 0xdd] => <[u8; 16]>::try_from(packet.get(8..24)?).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_tells_where_its_packet_comes_from() {
        let mut frame = vec![0; 34];
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        frame[26..30].copy_from_slice(&[10, 0, 0, 1]);
        assert_eq!(source_of(&frame), Some(IpAddr::from([10, 0, 0, 1])));
        frame[12..14].copy_from_slice(&[0x08, 0x06]);
        assert_eq!(source_of(&frame), None);
        for cut in 0..frame.len() {
            source_of(&frame[..cut]);
        }
    }
}
