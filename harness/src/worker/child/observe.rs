//! One attempt: from a check to an observation.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::attempt::{Bench, allows_silence};
use super::clock::{Moment, Window};
use super::quiet::settled;
use super::{fetch, query, runs, solicit, trace, transfer, way};
use crate::lab::{self, KernelError, NeighbourTable};
use crate::observation::{Departure, IcmpError, Life, Observation, Seen, Traffic};
use crate::plan::{Check, End, Expectation, NodeId, Ping, RouteCheck, RouteQuery};
use crate::probe::ProbeError;
use crate::probe::ping::Proof;
use crate::words::{Family, RouteKind};

/// The port of the datagram that stands for an echo request: discard (RFC 863), which nothing needs to listen on.
const NOBODYS_PORT: u16 = 9;

/// Makes one attempt; nothing has matched since the moment given, if any.
pub(super) async fn observe(
    bench: &Bench,
    expectation: &Expectation,
    unmatched_since: Option<Moment>,
) -> Result<Observation, ProbeError> {
    let observed = attempt(bench, expectation, unmatched_since).await;
    if !observed.as_ref().map_or(true, rests_on_neighbours) {
        return observed;
    }
    match (overflow(bench).await?, observed) {
        (None, observed) => observed,
        (Some(overflow), Ok(_)) => Err(ProbeError(format!("{overflow}: what is missing proves nothing"))),
        (Some(overflow), Err(error)) => Err(ProbeError(format!("{overflow}: {error}"))),
    }
}

async fn attempt(
    bench: &Bench,
    expectation: &Expectation,
    unmatched_since: Option<Moment>,
) -> Result<Observation, ProbeError> {
    let mut window = bench.window(expectation, unmatched_since);
    match &expectation.check {
        Check::Ping(ping) => {
            let proof = if allows_silence(&expectation.check) { Proof::Needed } else { Proof::NotNeeded };
            echo(bench, proof, ping, window).await.map(Observation::Traffic)
        }
        Check::Trace(trace) => trace::follow(bench, trace, &window).await.map(Observation::Trace),
        Check::Tcp(tcp) => transfer::tcp(bench, tcp, window).await.map(Observation::Traffic),
        Check::Udp(udp) => transfer::udp(bench, udp, window).await.map(Observation::Traffic),
        Check::Http(http) => fetch::fetch(bench, http, window).await,
        Check::Dns(query) => query::ask(bench, query, &mut window).await,
        Check::Arp(asked) | Check::Ndp(asked) => solicit::ask(bench, asked, &window).await.map(Observation::Answers),
        Check::Neigh(neigh) => lab::neighbours_of(bench.node(neigh.on), neigh.to.address)
            .await
            .map(Observation::Neighbours)
            .map_err(unreadable),
        Check::Route(route) => look_up(bench, route).await.map_err(unreadable),
        Check::Run(run) => {
            let ran = runs::run(bench, run).await.map_err(|broken| {
                ProbeError(std::iter::once(broken.message).chain(broken.notes).collect::<Vec<_>>().join("; "))
            })?;
            runs::keep(bench, run, &ran);
            Ok(Observation::Ran(ran))
        }
        Check::Link(link) => lab::link_state(&bench.plan, &bench.lab, link.on, &link.name)
            .await
            .map(Observation::Link)
            .map_err(unreadable),
        Check::Isolated(one, other) => {
            lab::shared(bench.node(*one), bench.node(*other)).await.map(Observation::Shared).map_err(unreadable)
        }
        Check::Listing(listing) => {
            lab::listed(bench.node(listing.on), &listing.list).await.map(Observation::Listed).map_err(unreadable)
        }
    }
}

/// Whether an observation would be another one if the machine's neighbour table had room: an answer is one, whatever
/// the table does, but a node that cannot make an entry neither asks nor answers.
fn rests_on_neighbours(observation: &Observation) -> bool {
    match observation {
        Observation::Traffic(traffic) => match traffic.seen {
            // An ICMP error of host or address unreachable: nobody answered the one who asked for the neighbour.
            Seen::Silent
            | Seen::Delivered
            | Seen::Icmp {
                error: IcmpError { v6: false, kind: 3, code: 1 } | IcmpError { v6: true, kind: 1, code: 3 },
                ..
            } => true,
            Seen::Answered => traffic.answered < traffic.sent,
            Seen::Icmp { .. } | Seen::Reset => false,
            Seen::Local(refusal) => refusal.errno == libc::EHOSTUNREACH,
        },
        Observation::NoAnswer { .. }
        | Observation::NoName { .. }
        | Observation::Trace(_)
        | Observation::Answers(_)
        | Observation::Neighbours(_)
        // What a list lacks may be a neighbour, and what a program did may rest on one.
        | Observation::Listed(_)
        | Observation::Ran(_) => true,
        Observation::Http(_)
        | Observation::Dns(_)
        | Observation::Routes(_)
        | Observation::Lookup(_)
        | Observation::Link(_)
        | Observation::Shared(_) => false,
    }
}

/// Says so when the machine's neighbour table has overflowed since the lab was built.
async fn overflow(bench: &Bench) -> Result<Option<String>, ProbeError> {
    let Some(node) = bench.lab.nodes.first() else { return Ok(None) };
    let table = NeighbourTable::read(node).await.map_err(unreadable)?;
    Ok(table.overflowed_since(&bench.table))
}

/// Undoes what an attempt leaves behind that would change the next one: after "too big" the kernel remembers the size,
/// and the next probe would be cut to it, or fail locally.
pub(super) async fn prepare_next(bench: &Bench, expectation: &Expectation, observation: &Observation) {
    let Observation::Traffic(Traffic { seen: Seen::Icmp { .. } | Seen::Local(_), .. }) = observation else { return };
    let (from, to) = match (&expectation.check, expectation.check.transfer()) {
        (Check::Ping(ping), _) => (ping.from, &ping.to),
        (_, Some(transfer)) => (transfer.from, &transfer.to),
        (_, None) => return,
    };
    // Where the kernel does not let us, the next attempt shows what it shows.
    let _ = lab::forget_path(bench.node(from), to.address).await;
}

pub(super) fn unreadable(error: KernelError) -> ProbeError {
    ProbeError(error.to_string())
}

async fn look_up(bench: &Bench, check: &RouteCheck) -> Result<Observation, KernelError> {
    let node = bench.node(check.on);
    match &check.query {
        RouteQuery::Table(to) => lab::main_routes(node, Family::of(to.address)).await.map(Observation::Routes),
        RouteQuery::Lookup(target) => lab::lookup_route(node, target.address).await.map(Observation::Lookup),
    }
}

/// Echo requests to one target.
pub(super) async fn echo(bench: &Bench, proof: Proof, ping: &Ping, mut window: Window) -> Result<Traffic, ProbeError> {
    let began = Instant::now();
    let node = bench.node(ping.from);
    let mut echo = bench.pingers.start(&node.namespace, &bench.ports, ping, proof, bench.fits(ping)).await?;
    let seen = settled(bench, ping.from, &ping.to, &mut window, async |window| echo.wait(window.until()).await).await?;
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
        Seen::Silent => match way::end_of(bench, ping.from, &ping.to, None).await? {
            Ok((owner, landing)) => address_lives(bench, owner, landing.address).await?,
            Err(reason) => Life::Unproven(reason),
        },
        _ => Life::NotAsked,
    };
    let flow = match seen {
        Seen::Answered => None,
        _ => echo_flow(bench, ping).await?,
    };
    let (sent, answered, elapsed) = (echo.sent, echo.answered, began.elapsed());
    Ok(Traffic { seen, flow, sent, answered, elapsed, departure, life, seen_from: None })
}

/// The ends of an echo request: the source is the one that the kernel chooses, unless the case does.
async fn echo_flow(bench: &Bench, ping: &Ping) -> Result<Option<(SocketAddr, SocketAddr)>, ProbeError> {
    let source = match ping.source {
        Some(source) => Some(source),
        None => {
            let route = lab::lookup_route(bench.node(ping.from), ping.to.address).await.map_err(unreadable)?;
            route.ok().and_then(|route| route.src)
        }
    };
    Ok(source.map(|source| (SocketAddr::new(source, 0), SocketAddr::new(ping.to.address, 0))))
}

/// Whether an address of the lab is on an interface that is up and has a carrier, as the kernel has it now.
pub(super) async fn address_lives(bench: &Bench, owner: End, address: IpAddr) -> Result<Life, ProbeError> {
    let name = bench.plan.end_name(owner);
    let End { node, .. } = owner;
    let link =
        lab::link_state(&bench.plan, &bench.lab, node, &bench.plan.interface(owner).name).await.map_err(unreadable)?;
    Ok(match link {
        None => Life::Unproven(format!("{name} is gone")),
        Some(link) if !link.up => Life::Unproven(format!("{name} is down")),
        Some(link) if !link.carrier => Life::Unproven(format!("{name} has no carrier")),
        Some(link) if link.addresses.iter().any(|cidr| cidr.address == address) => Life::Alive,
        Some(_) if bench.plan.nodes[node].serves(address) && answers_for(bench, node, address).await? => Life::Alive,
        Some(_) => Life::Unproven(format!("{name} has not the address {address}")),
    })
}

/// Whether a node takes packets for an address as its own, as the kernel has it now.
async fn answers_for(bench: &Bench, node: NodeId, address: IpAddr) -> Result<bool, ProbeError> {
    let route = lab::lookup_route(bench.node(node), address).await.map_err(unreadable)?;
    Ok(route.is_ok_and(|route| route.kind == Some(RouteKind::Local)))
}
