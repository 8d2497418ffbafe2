//! Source ports and echo identifiers: a fresh one for every attempt, never used twice in a case.
//!
//! A reused one could pass through an `established` rule that let its predecessor through, or get its answer.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;

use socket2::Socket;

/// First and last port given out: the kernel's own range for clients (`ip_local_port_range`).
const FIRST: u16 = 32768;
const LAST: u16 = 60999;

/// Gives out ports and identifiers.
#[derive(Debug)]
pub struct Ports {
    next: Cell<u16>,
    identifier: Cell<u16>,
}

impl Default for Ports {
    fn default() -> Self {
        Self { next: Cell::new(FIRST), identifier: Cell::new(1) }
    }
}

impl Ports {
    /// Binds a socket to a port that no attempt of this case has had.
    ///
    /// # Errors
    ///
    /// What bind(2) says, but for a port in use, which is passed over; and when all are used up.
    pub(crate) fn bind(&self, socket: &Socket, source: SocketAddr) -> io::Result<()> {
        loop {
            let port = self.next.get();
            if port > LAST {
                return Err(io::Error::other("this case has used up its source ports: it makes too many attempts"));
            }
            self.next.set(port + 1);
            let mut source = source;
            source.set_port(port);
            match socket.bind(&source.into()) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                other => return other,
            }
        }
    }

    /// Whether some attempt of this case has had a port.
    pub fn gave_out(&self, port: u16) -> bool {
        (FIRST..self.next.get()).contains(&port)
    }

    /// An echo identifier that no attempt of this case has had.
    pub(crate) fn identifier(&self) -> io::Result<u16> {
        let identifier = self.identifier.get();
        let next = identifier.checked_add(1).ok_or_else(|| {
            io::Error::other("this case has used up its echo identifiers: it makes too many attempts")
        })?;
        self.identifier.set(next);
        Ok(identifier)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use socket2::{Domain, Type};

    use super::*;

    #[test]
    fn no_port_and_no_identifier_is_given_out_twice() {
        let ports = Ports::default();
        let mut given = HashSet::new();
        for _ in 0..100 {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
            ports.bind(&socket, (Ipv4Addr::LOCALHOST, 0).into()).expect("one of many ports is free");
            let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
            assert!(given.insert(address.port()), "{address} again");
        }
        let identifiers: HashSet<u16> = (0..100).map(|_| ports.identifier().expect("there are enough")).collect();
        assert_eq!(identifiers.len(), 100);
    }
}
