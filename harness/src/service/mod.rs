//! What runs inside a node. A service counts as started only when its port is bound, so that no probe comes too early.

pub mod cage;
pub mod command;
mod datagrams;
mod dns;
mod echo;
mod http;
mod missing;
pub mod shell;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinHandle;

use crate::namespace::Namespace;
use crate::plan::ServiceKind;
use crate::words::Transport;

/// Every datagram that a UDP service of the lab has got, and from where: the proof that it arrived.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Rc<RefCell<HashMap<Vec<u8>, IpAddr>>>);

impl Arrivals {
    /// Whether this datagram has arrived at some service.
    pub fn contains(&self, datagram: &[u8]) -> bool {
        self.0.borrow().contains_key(datagram)
    }

    /// The address that it came from, as the service saw it.
    pub fn source(&self, datagram: &[u8]) -> Option<IpAddr> {
        self.0.borrow().get(datagram).copied()
    }

    fn add(&self, datagram: &[u8], from: IpAddr) {
        self.0.borrow_mut().insert(datagram.to_owned(), from);
    }
}

/// Starts a service of our own; when this returns, it is bound. A command is started by [`command::Program::start`].
///
/// # Errors
///
/// What socket(2), bind(2) and listen(2) say.
pub fn start(namespace: &Namespace, kind: &ServiceKind, arrivals: &Arrivals) -> io::Result<Running> {
    let running = Running::default();
    match kind {
        ServiceKind::Http { port, listen, status, headers, body } => {
            let answer = http::Answer::new(*status, headers, body)?;
            for socket in bind(namespace, Transport::Tcp, *port, listen)? {
                http::serve(socket, answer.clone(), &running)?;
            }
        }
        ServiceKind::Echo { transport: Transport::Tcp, port, listen } => {
            for socket in bind(namespace, Transport::Tcp, *port, listen)? {
                echo::serve_tcp(socket, &running)?;
            }
        }
        ServiceKind::Echo { transport: Transport::Udp, port, listen } => {
            for socket in bind(namespace, Transport::Udp, *port, listen)? {
                echo::serve_udp(socket, arrivals.clone(), &running)?;
            }
        }
        ServiceKind::Dns { port, listen, records, .. } => {
            let zone = Rc::from(records.as_slice());
            for socket in bind(namespace, Transport::Udp, *port, listen)? {
                dns::serve_udp(socket, Rc::clone(&zone), &running)?;
            }
            for socket in bind(namespace, Transport::Tcp, *port, listen)? {
                dns::serve_tcp(socket, Rc::clone(&zone), &running)?;
            }
        }
        ServiceKind::Command { .. } => {}
    }
    Ok(running)
}

/// The tasks of a service of our own: those that listen, and one for each connection.
#[derive(Clone, Debug, Default)]
pub struct Running(Rc<RefCell<Vec<JoinHandle<()>>>>);

impl Running {
    /// Runs something until it ends or the service is stopped.
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.0.borrow_mut();
        tasks.retain(|task| !task.is_finished());
        tasks.push(tokio::task::spawn_local(task));
    }

    /// Ends all of it; when this returns, the sockets are closed.
    pub async fn stop(self) {
        let tasks = self.0.take();
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            // It was aborted, or had ended: there is nothing to hear of it.
            let _ = task.await;
        }
    }
}

/// A socket for each address; without addresses one for each family.
fn bind(namespace: &Namespace, transport: Transport, port: u16, listen: &[IpAddr]) -> io::Result<Vec<Socket>> {
    let everywhere = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
    let addresses = if listen.is_empty() { &everywhere } else { listen };
    let mut sockets = Vec::new();
    for address in addresses {
        match bind_one(namespace, transport, SocketAddr::new(*address, port)) {
            Ok(socket) => sockets.push(socket),
            // A kernel without IPv6: IPv4 alone is "every address".
            Err(error) if listen.is_empty() && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

fn bind_one(namespace: &Namespace, transport: Transport, address: SocketAddr) -> io::Result<Socket> {
    let (kind, protocol) = match transport {
        Transport::Tcp => (Type::STREAM, Protocol::TCP),
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
    };
    let kind = kind.nonblocking().cloexec();
    let socket = namespace.within(|| Socket::new(Domain::for_address(address), kind, Some(protocol)))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(transport == Transport::Tcp)?;
    socket.bind(&address.into())?;
    if transport == Transport::Tcp {
        socket.listen(1024)?;
    }
    Ok(socket)
}
