//! ICMP echo, by surge-ping over raw sockets.
//!
//! Its traps are handled here: an error message comes back as `Ok`, so the type of the answer is looked at; a redirect
//! is not the end; the socket must be a raw one (on a datagram socket every refusal looks like silence).

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::Type;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};

use super::error_queue::{self, Queued};
use super::ports::Ports;
use super::{ProbeError, local};
use crate::namespace::Namespace;
use crate::observation::{IcmpError, Seen};
use crate::plan::{NodeId, Ping};

/// Longer than any case may take: the waiting is done here, not in surge-ping.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

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
        let mut config = Config::builder().kind(if kind.v6 { ICMP::V6 } else { ICMP::V4 }).sock_type_hint(Type::RAW);
        if let Some(source) = kind.source {
            config = config.bind(SocketAddr::new(source, 0));
        }
        if let Some(ttl) = kind.ttl {
            config = config.ttl(ttl.into());
        }
        let client = namespace.within(|| Client::new(&config.build()))?;
        let socket = client.get_socket();
        if socket.get_type() != Type::RAW {
            return Err(io::Error::other("the kernel gave no raw socket"));
        }
        let socket = Native(client.clone());
        // Without it a broadcast target is refused with the errno of a prohibiting route.
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::Broadcast, &true)?;
        ignore_learned_sizes(&socket, kind)?;
        // IP_RECVERR stays off: with it, an error about one echo request becomes the next one's errno, since they share
        // the socket. The errors themselves arrive as packets anyway.
        match proof {
            Proof::Needed => error_queue::stamp(&socket)?,
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
        let waiting = FuturesUnordered::new();
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
                    if let Some(seen) = read(pinger.ping(number, &payload).await)? {
                        return Ok(seen);
                    }
                }
                Err(ProbeError(format!("the echo request was redirected more than {REDIRECTS} times")))
            });
            waiting.push(answer);
        }
        let stamped = proof == Proof::Needed;
        Ok(Echo { client, waiting, stamped, refused: None, sent: ping.count, answered: 0, left: 0 })
    }
}

/// Makes every echo request go out as the first: what another has taught the kernel about the path would cut this one
/// into fragments, which arrive where it itself does not. For IPv4 the kernel offers that only for packets that need no
/// fragments on the first link either.
fn ignore_learned_sizes(socket: &Native, kind: Kind) -> io::Result<()> {
    let (level, option, value) = match (kind.v6, kind.whole) {
        (true, _) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT),
        (false, true) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE),
        (false, false) => return Ok(()),
    };
    let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or_default();
    // SAFETY: the descriptor is open, and the kernel reads `length` bytes of a number that outlives the call.
    #[expect(unsafe_code, reason = "neither nix nor socket2 knows this option")]
    let set = unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw const value).cast(), length) };
    nix::errno::Errno::result(set).map(|_| ()).map_err(io::Error::from)
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
            match tokio::time::timeout_at(until.into(), self.waiting.next()).await {
                Ok(Some(Ok(Seen::Answered))) => self.answered += 1,
                Ok(Some(Ok(seen))) => {
                    self.refused.get_or_insert(seen);
                }
                Ok(Some(Err(error))) => return Err(error),
                Ok(None) => return Ok(self.refused.unwrap_or(Seen::Answered)),
                Err(_) => {
                    self.look()?;
                    return Ok(self.refused.unwrap_or(Seen::Silent));
                }
            }
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

/// surge-ping's socket as a descriptor; the client keeps it open meanwhile.
struct Native(Client);

impl AsFd for Native {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let fd = self.0.get_socket().get_native_sock();
        // SAFETY: the client owns the socket, and the borrow does not outlive the client.
        #[expect(unsafe_code, reason = "surge-ping gives its socket as a bare number")]
        unsafe {
            BorrowedFd::borrow_raw(fd)
        }
    }
}
