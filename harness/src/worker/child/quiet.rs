//! Silence, and refusals of the probing node itself: what they amount to.

use std::time::{Duration, Instant};

use super::attempt::Bench;
use super::observe::unreadable;
use crate::lab::{self, HopState, NeighbourTable};
use crate::observation::{LocalRefusal, Seen};
use crate::plan::{NodeId, Target};
use crate::probe::ProbeError;

/// How much longer an attempt listens at a time while the next hop is still being asked for.
const ASKING: Duration = Duration::from_millis(100);

/// After how many such times a neighbour that is still being asked for is no longer waited for: the kernel gives up
/// after three requests, 0.2 s apart.
const PATIENCE: u32 = 50;

/// Listens until `until`, and longer while the next hop is still being asked for; then says what it amounts to.
pub(super) async fn settled(
    bench: &Bench<'_>,
    from: NodeId,
    to: &Target,
    mut until: Instant,
    mut listen: impl AsyncFnMut(Instant) -> Result<Seen, ProbeError>,
) -> Result<Seen, ProbeError> {
    for _ in 0..PATIENCE {
        let seen = listen(until).await?;
        match complete(bench, from, to, seen).await? {
            Quiet::Asking => until = Instant::now() + ASKING,
            Quiet::Settled(seen) => return Ok(seen),
        }
    }
    Err(ProbeError(format!("the next hop towards {} is still being asked for after five seconds", to.address)))
}

/// What hearing nothing, or a refusal of the node itself, amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quiet {
    /// The next hop is still being asked for: too early to say.
    Asking,
    /// This.
    Settled(Seen),
}

/// Completes what a probe saw by what the probing node knows: whether an ICMP error is its own, whether the next hop
/// lives, and whether the machine's neighbour table is to blame.
async fn complete(bench: &Bench<'_>, from: NodeId, to: &Target, seen: Seen) -> Result<Quiet, ProbeError> {
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
        HopState::Resolved | HopState::Unknown => Quiet::Settled(Seen::Silent),
        // A node whose `lo` is down never hears its own "host unreachable"; its neighbour table knows.
        HopState::Failed => Quiet::Settled(Seen::Local(LocalRefusal { errno: libc::EHOSTUNREACH })),
    })
}
