//! One attempt: from a check to an observation.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::attempt::{Bench, allows_silence};
use super::{solicit, transfer};
use crate::lab::{self, HopState, KernelError, NeighbourTable};
use crate::observation::{Departure, Life, LocalRefusal, Observation, Seen, Traffic};
use crate::plan::{Check, End, Expectation, NodeId, Ping, RouteCheck, RouteQuery, Target};
use crate::probe::ProbeError;
use crate::probe::ping::Proof;
use crate::words::Family;

/// How much longer an attempt listens at a time while the next hop is still being asked for.
const ASKING: Duration = Duration::from_millis(100);

/// How long an attempt waits for a next hop that is still being asked for: the kernel gives up after three requests,
/// 0.2 s apart.
#[derive(Debug)]
pub(super) struct Patience {
    times: u32,
    unresolved: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self { times: 50, unresolved: false }
    }
}

impl Patience {
    /// Until when to listen again.
    pub(super) fn again(&mut self, to: &Target) -> Result<Instant, ProbeError> {
        let asked_for_ever =
            || format!("the next hop towards {} is still being asked for after five seconds", to.address);
        self.times = self.times.checked_sub(1).ok_or_else(|| ProbeError(asked_for_ever()))?;
        Ok(Instant::now() + ASKING)
    }
}

/// The port of the datagram that stands for an echo request: discard (RFC 863), which nothing needs to listen on.
const NOBODYS_PORT: u16 = 9;

/// Makes one attempt. `first_by` is when the first match must have come; nothing when it has.
pub(super) async fn observe(
    bench: &Bench<'_>,
    expectation: &Expectation,
    first_by: Option<Instant>,
) -> Result<Observation, ProbeError> {
    let until = bench.deadline(expectation, first_by);
    match &expectation.check {
        Check::Ping(ping) => echo(bench, expectation, ping, until).await.map(Observation::Traffic),
        Check::Tcp(tcp) => transfer::tcp(bench, tcp, until).await.map(Observation::Traffic),
        Check::Udp(udp) => transfer::udp(bench, udp, until).await.map(Observation::Traffic),
        Check::Http(http) => transfer::http(bench, http, until).await,
        Check::Arp(asked) | Check::Ndp(asked) => solicit::ask(bench, asked, until).await.map(Observation::Answers),
        Check::Neigh(neigh) => lab::neighbours_of(bench.node(neigh.on), neigh.to.address)
            .await
            .map(Observation::Neighbours)
            .map_err(unreadable),
        Check::Route(route) => look_up(bench, route).await.map_err(unreadable),
        Check::Link(link) => {
            lab::link_state(bench.plan, bench.lab, link.on, &link.name).await.map(Observation::Link).map_err(unreadable)
        }
    }
}

/// Undoes what an attempt leaves behind that would change the next one: after "too big" the kernel remembers the size,
/// and the next probe would be cut to it, or fail locally.
pub(super) async fn prepare_next(bench: &Bench<'_>, expectation: &Expectation, observation: &Observation) {
    let Observation::Traffic(Traffic { seen: Seen::Icmp { .. } | Seen::Local(_), .. }) = observation else { return };
    let (from, to) = match &expectation.check {
        Check::Ping(ping) => (ping.from, &ping.to),
        Check::Tcp(transfer) | Check::Udp(transfer) => (transfer.from, &transfer.to),
        Check::Http(http) => (http.connection.from, &http.connection.to),
        _ => return,
    };
    // Where the kernel does not let us, the next attempt shows what it shows.
    let _ = lab::forget_path(bench.node(from), to.address).await;
}

fn unreadable(error: KernelError) -> ProbeError {
    ProbeError(error.to_string())
}

async fn look_up(bench: &Bench<'_>, check: &RouteCheck) -> Result<Observation, KernelError> {
    let node = bench.node(check.on);
    match &check.query {
        RouteQuery::Table(to) => lab::main_routes(node, Family::of(to.address)).await.map(Observation::Routes),
        RouteQuery::Lookup(target) => lab::lookup_route(node, target.address).await.map(Observation::Lookup),
    }
}

async fn echo(
    bench: &Bench<'_>,
    expectation: &Expectation,
    ping: &Ping,
    until: Instant,
) -> Result<Traffic, ProbeError> {
    let began = Instant::now();
    let proof = if allows_silence(&expectation.check) { Proof::Needed } else { Proof::NotNeeded };
    let node = bench.node(ping.from);
    let mut echo = bench.pingers.start(&node.namespace, &bench.ports, ping, proof, bench.fits(ping)).await?;
    let mut until = until;
    let mut patience = Patience::default();
    let seen = loop {
        let seen = echo.wait(until).await?;
        match quiet(bench, ping.from, &ping.to, seen, &mut patience).await? {
            Quiet::Asking => until = patience.again(&ping.to)?,
            Quiet::Settled(seen) => break seen,
        }
    };
    let departure = match (seen, proof) {
        (Seen::Silent, Proof::Needed) if echo.left() => Departure::Stamped,
        (Seen::Silent, Proof::Needed) => {
            Departure::Unproven("no transmit time stamp says that the echo request left".to_owned())
        }
        // The sockets that many pings share tell nothing of one of them, so a datagram by the same way does.
        (Seen::Silent, Proof::NotNeeded) => {
            let target = SocketAddr::new(ping.to.address, NOBODYS_PORT);
            transfer::twin_left(bench, ping.from, ping.source, target).await?
        }
        _ => Departure::Said,
    };
    let life = match seen {
        Seen::Silent => address_lives(bench, &ping.to).await?,
        _ => Life::NotAsked,
    };
    let flow = match seen {
        Seen::Answered => None,
        _ => echo_flow(bench, ping).await?,
    };
    Ok(Traffic { seen, flow, sent: echo.sent, answered: echo.answered, elapsed: began.elapsed(), departure, life })
}

/// The ends of an echo request: the source is the one that the kernel chooses, unless the case does.
async fn echo_flow(bench: &Bench<'_>, ping: &Ping) -> Result<Option<(SocketAddr, SocketAddr)>, ProbeError> {
    let source = match ping.source {
        Some(source) => Some(source),
        None => {
            let route = lab::lookup_route(bench.node(ping.from), ping.to.address).await.map_err(unreadable)?;
            route.ok().and_then(|route| route.src)
        }
    };
    Ok(source.map(|source| (SocketAddr::new(source, 0), SocketAddr::new(ping.to.address, 0))))
}

/// What hearing nothing, or a refusal of the node itself, amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quiet {
    /// The next hop is still being asked for: too early to say.
    Asking,
    /// This.
    Settled(Seen),
}

/// Completes what a probe saw by what the probing node knows: whether an ICMP error is its own, whether the next hop
/// lives, and whether the machine's neighbour table is to blame.
pub(super) async fn quiet(
    bench: &Bench<'_>,
    from: NodeId,
    to: &Target,
    seen: Seen,
    patience: &mut Patience,
) -> Result<Quiet, ProbeError> {
    let seen = match seen {
        Seen::Icmp { error, by, .. } => Seen::Icmp { error, by, own: bench.is_own(from, by) },
        other => other,
    };
    let suspicious = match seen {
        Seen::Silent => true,
        // "Host unreachable" from the node itself: a neighbour did not answer.
        Seen::Icmp { own, .. } => own,
        Seen::Local(refusal) => refusal.errno == libc::EHOSTUNREACH,
        Seen::Answered | Seen::Delivered | Seen::Reset => false,
    };
    if !suspicious {
        return Ok(Quiet::Settled(seen));
    }
    let node = bench.node(from);
    let table = NeighbourTable::read(node).await.map_err(unreadable)?;
    if table.overflows > bench.table.overflows {
        return Err(ProbeError(format!(
            "the machine's neighbour table overflowed meanwhile ({} entries, at most {}): silence proves nothing; \
             raise `sysctl net.ipv4.neigh.default.gc_thresh3` and the one of ipv6",
            table.entries, table.limit
        )));
    }
    if seen != Seen::Silent || to.address.is_multicast() {
        return Ok(Quiet::Settled(seen));
    }
    Ok(match lab::next_hop_state(node, to.address).await.map_err(unreadable)? {
        HopState::Asking => Quiet::Asking,
        HopState::Resolved => Quiet::Settled(Seen::Silent),
        // The kernel may have given up between the end of listening and this look: its own error is on the way then.
        HopState::Unresolved(_) if !patience.unresolved => {
            patience.unresolved = true;
            Quiet::Asking
        }
        // A node whose `lo` is down never hears its own "host unreachable"; its neighbour table knows.
        HopState::Unresolved(_) => Quiet::Settled(Seen::Local(LocalRefusal { errno: libc::EHOSTUNREACH })),
    })
}

/// Whether an address of the lab is on an interface that is up and has a carrier, as the kernel has it now.
async fn address_lives(bench: &Bench<'_>, to: &Target) -> Result<Life, ProbeError> {
    let Some(owner) = to.owner else {
        return Ok(Life::Unproven(format!("no node of this case has the address {}", to.address)));
    };
    let name = bench.plan.end_name(owner);
    let End { node, .. } = owner;
    let link =
        lab::link_state(bench.plan, bench.lab, node, &bench.plan.interface(owner).name).await.map_err(unreadable)?;
    Ok(match link {
        None => Life::Unproven(format!("{name} is gone")),
        Some(link) if !link.up => Life::Unproven(format!("{name} is down")),
        Some(link) if !link.carrier => Life::Unproven(format!("{name} has no carrier")),
        Some(link) if !link.addresses.iter().any(|cidr| cidr.address == to.address) => {
            Life::Unproven(format!("{name} has not the address {}", to.address))
        }
        Some(_) => Life::Alive,
    })
}
