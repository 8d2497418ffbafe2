//! The routers on the way to a target.

use futures_util::future::try_join_all;

use super::attempt::Bench;
use super::clock::Window;
use super::observe::echo;
use crate::observation::Seen;
use crate::plan::{Ping, Trace};
use crate::probe::ProbeError;
use crate::probe::ping::Proof;

/// How far is looked when the target is not where it should be, as traceroute(8) does.
const FARTHEST: u8 = 30;

/// What became of an echo request for each time to live, up to the first that was answered. When none was as far as the
/// target should be, it is looked farther, so that the whole way can be told.
pub(super) async fn follow(bench: &Bench, trace: &Trace, window: &Window) -> Result<Vec<Seen>, ProbeError> {
    let expected = u8::try_from(trace.via.len() + 1).unwrap_or(FARTHEST);
    let mut hops = hops(bench, &trace.ping, 1..=expected, window).await?;
    let ended = hops.contains(&Seen::Answered) || hops.last().is_some_and(|seen| !ran_out(*seen));
    if !ended && expected < FARTHEST {
        hops.extend(self::hops(bench, &trace.ping, expected + 1..=FARTHEST, window).await?);
    }
    if let Some(last) = hops.iter().position(|seen| *seen == Seen::Answered) {
        hops.truncate(last + 1);
    }
    Ok(hops)
}

async fn hops(
    bench: &Bench,
    ping: &Ping,
    lives: std::ops::RangeInclusive<u8>,
    window: &Window,
) -> Result<Vec<Seen>, ProbeError> {
    let probes = lives.map(|ttl| {
        let probe = Ping { ttl: Some(ttl), ..ping.clone() };
        let window = window.clone();
        async move { echo(bench, Proof::NotNeeded, &probe, window).await.map(|traffic| traffic.seen) }
    });
    try_join_all(probes).await
}

/// Whether a router said that the time to live ran out.
fn ran_out(seen: Seen) -> bool {
    matches!(seen, Seen::Icmp { error, own: false, .. } if error.is_ttl_exceeded())
}
