//! Whether packets leave a node at all: a UDP twin of a probe whose own packets carry no time stamp.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::Interest;

use super::error_queue::{self, Queued};
use super::ports::Ports;
use super::udp::open;
use super::{ProbeError, is_dropped, local, watch};
use crate::namespace::Namespace;

/// How long the stamp of a packet that leaves may take: it is made when the packet reaches the driver, which on the
/// virtual links of a lab is within the call that sends it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Whether a UDP datagram from this node to this address and port leaves it.
///
/// # Errors
///
/// When the datagram could not be made.
pub async fn left(
    namespace: &Namespace,
    ports: &Ports,
    source: Option<IpAddr>,
    target: SocketAddr,
) -> Result<bool, ProbeError> {
    let failed = |error: io::Error| ProbeError::io("cannot send a control datagram", &error);
    let socket = open(namespace, ports, source, target).map_err(failed)?;
    error_queue::stamp(&socket).map_err(failed)?;
    let sent = socket.connect(&target.into()).and_then(|()| socket.send(b"netcase"));
    if let Err(error) = sent
        && !is_dropped(&error)
    {
        return local("cannot send a control datagram", &error).map(|_| false);
    }
    let socket = watch(socket, Interest::READABLE | Interest::ERROR).map_err(failed)?;
    let stamped = async {
        loop {
            if error_queue::drain(socket.get_ref())?.contains(&Queued::Left) {
                return Ok::<_, io::Error>(());
            }
            socket.ready(Interest::ERROR).await?.clear_ready();
        }
    };
    match tokio::time::timeout(PATIENCE, stamped).await {
        Ok(result) => result.map(|()| true).map_err(failed),
        // The stamp may have come while the worker could not look.
        Err(_) => Ok(error_queue::drain(socket.get_ref()).map_err(failed)?.contains(&Queued::Left)),
    }
}
