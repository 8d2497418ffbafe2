//! Attempts over TCP and UDP.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::attempt::Bench;
use super::clock::Window;
use super::quiet::settled;
use super::receiver::{self, Receiver};
use crate::observation::{Departure, Life, Seen, Traffic};
use crate::plan::{NodeId, Transfer};
use crate::probe::tcp::Connection;
use crate::probe::udp::Datagram;
use crate::probe::{self, ProbeError, Sent};
use crate::words::{Outcome, Transport};

/// Between two looks at what has arrived at the receiver.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// One TCP connection.
pub(super) async fn tcp(bench: &Bench, transfer: &Transfer, mut window: Window) -> Result<Traffic, ProbeError> {
    connect(bench, transfer, &mut window).await.map(|(traffic, _)| traffic)
}

pub(super) async fn connect(
    bench: &Bench,
    transfer: &Transfer,
    window: &mut Window,
) -> Result<(Traffic, Connection), ProbeError> {
    let began = Instant::now();
    let target = SocketAddr::new(transfer.to.address, transfer.port);
    let node = bench.node(transfer.from);
    let mut connection = Connection::start(&node.namespace, &bench.ports, transfer.source, target)?;
    let mut seen =
        settled(bench, transfer.from, &transfer.to, window, async |window| connection.wait(window.until()).await)
            .await?;
    let (mut departure, mut life) = (Departure::Said, Life::NotAsked);
    if seen == Seen::Silent {
        life = receiver::lives(bench, transfer, Transport::Tcp).await?;
        match probe::syn_left(&node.namespace, connection.flow).await? {
            Sent::Left => departure = Departure::Stamped,
            Sent::Unknown => {
                departure = Departure::Unproven("the SYN, sent once more, did not leave the node".to_owned());
            }
            Sent::Blocked(refusal) => (seen, life) = (Seen::Local(refusal), Life::NotAsked),
        }
    }
    let answered = u32::from(seen == Seen::Answered);
    let flow = known(connection.flow);
    let seen_from = match seen {
        Seen::Answered => receiver::connection_seen_from(bench, transfer, connection.flow)?,
        _ => None,
    };
    let elapsed = began.elapsed();
    let traffic = Traffic { seen, flow, sent: 1, answered, elapsed, departure, life, seen_from };
    Ok((traffic, connection))
}

/// The ends of a flow, where the kernel got as far as choosing the source address.
pub(super) fn known(flow: (SocketAddr, SocketAddr)) -> Option<(SocketAddr, SocketAddr)> {
    (!flow.0.ip().is_unspecified()).then_some(flow)
}

/// Where a packet carries no time stamp of its own: a datagram by the same way does.
pub(super) async fn twin_left(
    bench: &Bench,
    from: NodeId,
    source: Option<IpAddr>,
    target: SocketAddr,
) -> Result<Departure, ProbeError> {
    let namespace = &bench.node(from).namespace;
    Ok(if probe::left(namespace, &bench.ports, source, target).await? {
        Departure::Stamped
    } else {
        Departure::Unproven("a control datagram by the same way did not leave the node".to_owned())
    })
}

/// One UDP datagram.
pub(super) async fn udp(bench: &Bench, transfer: &Transfer, mut window: Window) -> Result<Traffic, ProbeError> {
    let began = Instant::now();
    let target = SocketAddr::new(transfer.to.address, transfer.port);
    let receiver = Receiver::of(bench, transfer)?;
    let nonce = nonce(bench, transfer);
    let node = bench.node(transfer.from);
    let mut datagram = Datagram::start(&node.namespace, &bench.ports, transfer.source, target, nonce, is_echo)?;
    let seen = settled(bench, transfer.from, &transfer.to, &mut window, async |window| {
        listen(bench, transfer, &mut datagram, &receiver, window).await
    })
    .await?;
    let (departure, life) = match seen {
        Seen::Silent if datagram.left() => {
            (Departure::Stamped, receiver::lives(bench, transfer, Transport::Udp).await?)
        }
        Seen::Silent => (
            Departure::Unproven("no transmit time stamp says that the datagram left".to_owned()),
            receiver::lives(bench, transfer, Transport::Udp).await?,
        ),
        _ => (Departure::Said, Life::NotAsked),
    };
    let answered = u32::from(seen == Seen::Answered);
    let flow = known(datagram.flow);
    let seen_from = match seen {
        Seen::Answered | Seen::Delivered => receiver.seen_from(bench, transfer, datagram.sent())?,
        _ => None,
    };
    let elapsed = began.elapsed();
    Ok(Traffic { seen, flow, sent: 1, answered, elapsed, departure, life, seen_from })
}

/// A server that sends back what it gets.
fn is_echo(sent: &[u8], heard: &[u8]) -> bool {
    sent == heard
}

/// Waits for an answer, and meanwhile looks at the receiver where arriving is enough.
async fn listen(
    bench: &Bench,
    transfer: &Transfer,
    datagram: &mut Datagram,
    receiver: &Receiver,
    window: &Window,
) -> Result<Seen, ProbeError> {
    let arrival_is_enough = match receiver {
        Receiver::Ours => transfer.outcome.contains(&Outcome::Delivered),
        Receiver::Program(_) => true,
        Receiver::Stranger => false,
    };
    loop {
        let until = window.until();
        let slice = if arrival_is_enough { until.min(Instant::now() + LOOK_AGAIN) } else { until };
        let seen = datagram.wait(slice).await?;
        if seen != Seen::Silent {
            return Ok(seen);
        }
        let last = window.is_over();
        match receiver {
            Receiver::Ours if (arrival_is_enough || last) && bench.services.arrivals.contains(datagram.sent()) => {
                return Ok(Seen::Delivered);
            }
            Receiver::Program(capture)
                if capture.saw(datagram.sent())?
                    && receiver::lives(bench, transfer, Transport::Udp).await? == Life::Alive =>
            {
                // Not every server answers a datagram that it does not understand; where one listens, arriving at its
                // node's interface is as open as UDP gets.
                return Ok(Seen::Answered);
            }
            _ => {}
        }
        if last {
            return Ok(Seen::Silent);
        }
    }
}

/// A datagram that no other attempt, of this case or another, has sent.
fn nonce(bench: &Bench, transfer: &Transfer) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let place = std::ptr::from_ref(bench) as usize;
    format!("netcase {} {place} {} {}", std::process::id(), now.as_nanos(), transfer.from).into_bytes()
}
