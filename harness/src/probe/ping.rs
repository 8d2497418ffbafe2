//! ICMP echo, by surge-ping over raw sockets.
//!
//! Its traps are handled here: an error message comes back as `Ok`, so the type of the answer is looked at; a redirect
//! is not the end; the socket must be a raw one (on a datagram socket every refusal looks like silence).

mod socket;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use surge_ping::{Client, IcmpPacket, PingIdentifier, PingSequence, SurgeError};

use super::error_queue::{self, Queued};
use super::ports::Ports;
use super::{ProbeError, is_dropped, local};
use crate::namespace::Namespace;
use crate::observation::{IcmpError, Seen};
use crate::plan::{NodeId, Ping};

/// Longer than any case may take: the waiting is done here, not in surge-ping.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

/// How many bytes of echo requests go out before their answers are read: what does not fit the socket's buffer is lost,
/// and would look like silence. The kernel counts [`OVERHEAD`] for each packet beside its own bytes.
const BURST: usize = 65_536;
const OVERHEAD: usize = 1024;

/// How many redirects one echo request may get before that is an error.
const REDIRECTS: u16 = 3;

/// What makes two pings share a socket. Every raw socket of a node gets a copy of every ICMP packet, so one for each
/// ping would cost the square of their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    node: NodeId,
    v6: bool,
    ttl: Option<u8>,
    source: Option<IpAddr>,
    whole: bool,
}

/// The raw sockets of a case.
#[derive(Default)]
pub struct Pingers {
    shared: RefCell<HashMap<Kind, Client>>,
}

impl fmt::Debug for Pingers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pingers").finish_non_exhaustive()
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Seen, ProbeError>>>>;

/// Echo requests on their way.
pub struct Echo {
    client: Client,
    unsent: Vec<Answer>,
    burst: usize,
    waiting: FuturesUnordered<Answer>,
    stamped: bool,
    refused: Option<Seen>,
    /// Requests made.
    pub sent: u32,
    /// Requests answered.
    pub answered: u32,
    left: u32,
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Echo").field("sent", &self.sent).field("answered", &self.answered).finish_non_exhaustive()
    }
}

/// Whether the echo requests must be proved to have left, which a silence needs; it takes a socket of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Silence would be a finding.
    Needed,
    /// Silence would be a failure anyway.
    NotNeeded,
}

impl Pingers {
    fn client(&self, namespace: &Namespace, ping: &Ping, proof: Proof, whole: bool) -> io::Result<Client> {
        let kind = Kind { node: ping.from, v6: ping.to.address.is_ipv6(), ttl: ping.ttl, source: ping.source, whole };
        if proof == Proof::NotNeeded
            && let Some(client) = self.shared.borrow().get(&kind)
        {
            return Ok(client.clone());
        }
        let client = socket::open(namespace, kind)?;
        match proof {
            Proof::Needed => socket::stamp(&client)?,
            Proof::NotNeeded => {
                self.shared.borrow_mut().insert(kind, client.clone());
            }
        }
        Ok(client)
    }

    /// Sends every echo request of a ping; `whole` ones fit every interface of the node.
    ///
    /// # Errors
    ///
    /// When they could not be made.
    pub async fn start(
        &self,
        namespace: &Namespace,
        ports: &Ports,
        ping: &Ping,
        proof: Proof,
        whole: bool,
    ) -> Result<Echo, ProbeError> {
        let failed = |error: io::Error| ProbeError::io("cannot open a raw socket", &error);
        let client = self.client(namespace, ping, proof, whole).map_err(failed)?;
        let mut unsent = Vec::with_capacity(ping.count as usize);
        for sequence in 0..ping.count {
            let identifier = PingIdentifier(ports.identifier().map_err(failed)?);
            let mut pinger = client.pinger(ping.to.address, identifier).await;
            pinger.timeout(FOREVER);
            let payload: Vec<u8> = (0..ping.size).map(|at| at.to_le_bytes()[0]).collect();
            let sequence = u16::try_from(sequence).unwrap_or_default();
            let answer: Answer = Box::pin(async move {
                for redirect in 0..=REDIRECTS {
                    // A redirect answers nothing: the next request takes the better way that it has told.
                    let number = PingSequence(sequence.wrapping_mul(REDIRECTS + 1).wrapping_add(redirect));
                    match read(pinger.ping(number, &payload).await)? {
                        None => {}
                        Some(Seen::Silent) => std::future::pending().await,
                        Some(seen) => return Ok(seen),
                    }
                }
                Err(ProbeError(format!("the echo request was redirected more than {REDIRECTS} times")))
            });
            unsent.push(answer);
        }
        unsent.reverse();
        let burst = (BURST / (ping.size + OVERHEAD)).max(1);
        let waiting = FuturesUnordered::new();
        let stamped = proof == Proof::Needed;
        Ok(Echo { client, unsent, burst, waiting, stamped, refused: None, sent: ping.count, answered: 0, left: 0 })
    }
}

impl Echo {
    /// What has been heard by `until`: an answer when all were answered, else the first refusal; [`Seen::Silent`] when
    /// any is still unanswered and none was refused.
    ///
    /// # Errors
    ///
    /// When the socket broke.
    pub async fn wait(&mut self, until: Instant) -> Result<Seen, ProbeError> {
        loop {
            let rest = self.unsent.len().saturating_sub(self.burst);
            self.waiting.extend(self.unsent.drain(rest..).rev());
            let next = if rest > 0 { Instant::now() } else { until };
            let heard = loop {
                match tokio::time::timeout_at(next.into(), self.waiting.next()).await {
                    Ok(Some(Ok(Seen::Answered))) => self.answered += 1,
                    Ok(Some(Ok(seen))) => {
                        self.refused.get_or_insert(seen);
                    }
                    Ok(Some(Err(error))) => return Err(error),
                    Ok(None) => break Seen::Answered,
                    Err(_) => break Seen::Silent,
                }
            };
            self.look()?;
            if rest == 0 {
                return Ok(self.refused.unwrap_or(heard));
            }
            // The socket is read by another task, and only when this one lets it.
            tokio::task::yield_now().await;
        }
    }

    /// Whether every request is known to have left, by its own transmit time stamp.
    pub fn left(&self) -> bool {
        self.left >= self.sent
    }

    fn look(&mut self) -> Result<(), ProbeError> {
        if self.stamped {
            let queued = error_queue::drain(&self.client.get_socket().get_native_sock())
                .map_err(|error| ProbeError::io("cannot read an error queue", &error))?;
            self.left += u32::try_from(queued.iter().filter(|entry| **entry == Queued::Left).count()).unwrap_or(0);
        }
        Ok(())
    }
}

/// What surge-ping's answer means; `None` for one that does not end the waiting.
fn read(answer: Result<(IcmpPacket, Duration), SurgeError>) -> Result<Option<Seen>, ProbeError> {
    let (v6, kind, code, by): (bool, u8, u8, IpAddr) = match answer {
        Ok((IcmpPacket::V4(packet), _)) => {
            (false, packet.get_icmp_type().0, packet.get_icmp_code().0, packet.get_source().into())
        }
        Ok((IcmpPacket::V6(packet), _)) => {
            (true, packet.get_icmpv6_type().0, packet.get_icmpv6_code().0, packet.get_source().into())
        }
        Err(SurgeError::IOError(error)) if is_dropped(&error) => return Ok(Some(Seen::Silent)),
        Err(SurgeError::IOError(error)) => return local("cannot send an echo request", &error).map(Some),
        Err(SurgeError::Timeout { .. }) => return Ok(Some(Seen::Silent)),
        Err(error) => return Err(ProbeError(format!("cannot send an echo request: {error}"))),
    };
    // RFC 792: echo reply 0, source quench 4, redirect 5. RFC 4443: echo reply 129; RFC 4861: redirect 137.
    match (v6, kind) {
        (false, 0) | (true, 129) => Ok(Some(Seen::Answered)),
        (false, 4 | 5) | (true, 137) => Ok(None),
        _ => Ok(Some(Seen::Icmp { error: IcmpError { v6, kind, code }, by, own: false })),
    }
}
