//! One attempt: from a check to an observation.

use std::time::Instant;

use super::attempt::{Bench, allows_silence};
use super::quiet::settled;
use super::{solicit, transfer};
use crate::lab::{self, KernelError};
use crate::observation::{Departure, Life, Observation, Seen, Traffic};
use crate::plan::{Check, End, Expectation, Ping, RouteCheck, RouteQuery, Target};
use crate::probe::ProbeError;
use crate::probe::ping::Proof;

/// Makes one attempt.
pub(super) async fn observe(
    bench: &Bench<'_>,
    expectation: &Expectation,
    started: Instant,
) -> Result<Observation, ProbeError> {
    let until = bench.deadline(expectation, started);
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
pub(super) fn prepare_next(bench: &Bench<'_>, expectation: &Expectation, observation: &Observation) {
    let Observation::Traffic(Traffic { seen: Seen::Icmp { .. } | Seen::Local(_), .. }) = observation else { return };
    let from = match &expectation.check {
        Check::Ping(ping) => ping.from,
        Check::Tcp(transfer) | Check::Udp(transfer) => transfer.from,
        Check::Http(http) => http.connection.from,
        _ => return,
    };
    // Where the kernel does not let us, the next attempt shows what it shows.
    let _ = lab::flush_route_cache(bench.node(from));
}

pub(super) fn unreadable(error: KernelError) -> ProbeError {
    ProbeError(error.to_string())
}

async fn look_up(bench: &Bench<'_>, check: &RouteCheck) -> Result<Observation, KernelError> {
    let node = bench.node(check.on);
    match &check.query {
        RouteQuery::Table(to) => lab::routes_to(node, *to).await.map(Observation::Routes),
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
    let mut echo = bench.pingers.start(&node.namespace, &bench.ports, ping, proof).await?;
    let seen = settled(bench, ping.from, &ping.to, until, async |until| echo.wait(until).await).await?;
    let departure = match seen {
        Seen::Silent if echo.left() => Departure::Stamped,
        Seen::Silent => Departure::Unproven("no transmit time stamp says that the echo request left".to_owned()),
        _ => Departure::Said,
    };
    let life = match seen {
        Seen::Silent => address_lives(bench, &ping.to).await?,
        _ => Life::NotAsked,
    };
    Ok(Traffic {
        seen,
        flow: None,
        sent: echo.sent,
        answered: echo.answered,
        elapsed: began.elapsed(),
        departure,
        life,
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
