//! Silence, and refusals of the probing node itself: what they amount to.

use std::pin::pin;
use std::time::Duration;

use super::attempt::Bench;
use super::clock::Window;
use super::observe::unreadable;
use crate::lab::{self, HopState};
use crate::observation::{LocalRefusal, Seen};
use crate::plan::{NodeId, Target};
use crate::probe::ProbeError;

/// How much longer an attempt listens at a time while the next hop is still being asked for.
const ASKING: Duration = Duration::from_millis(100);

/// When a neighbour that does not answer has failed: three requests, 0.2 s apart, and some time to spare.
const GIVEN_UP: Duration = Duration::from_millis(650);

/// After how many such times a neighbour that is still being asked for is no longer waited for: the kernel gives up
/// after three requests, 0.2 s apart.
const PATIENCE: u32 = 50;

/// Listens until the window is over, and longer while the next hop is still being asked for; then says what it
/// amounts to.
pub(super) async fn settled(
    bench: &Bench,
    from: NodeId,
    to: &Target,
    window: &mut Window,
    mut listen: impl AsyncFnMut(&Window) -> Result<Seen, ProbeError>,
) -> Result<Seen, ProbeError> {
    let mut patience = PATIENCE;
    let (mut failed_before, mut gave_up) = (false, false);
    while patience > 0 {
        let seen = {
            let mut listening = pin!(listen(window));
            let mut look = GIVEN_UP;
            loop {
                match tokio::time::timeout(look, &mut listening).await {
                    Ok(seen) => break seen?,
                    // The kernel tidies up: an entry that failed may be gone when the silence is over.
                    Err(_) => gave_up |= hop(bench, from, to).await? == HopState::Failed,
                }
                look = ASKING;
            }
        };
        if seen == Seen::Silent && !window.is_over() {
            continue;
        }
        match complete(bench, from, to, seen, gave_up).await? {
            Quiet::Asking => window.reopen(ASKING),
            // The kernel may have given up between the end of listening and this look: its own error is on the way then.
            Quiet::Failed if !failed_before => {
                failed_before = true;
                window.reopen(ASKING);
            }
            // A node whose `lo` is down never hears its own "host unreachable"; its neighbour table knows.
            Quiet::Failed => return Ok(Seen::Local(LocalRefusal { errno: libc::EHOSTUNREACH })),
            Quiet::Settled(seen) => return Ok(seen),
        }
        patience -= 1;
    }
    Err(ProbeError(format!("the next hop towards {} is still being asked for after five seconds", to.address)))
}

/// What hearing nothing, or a refusal of the node itself, amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quiet {
    /// The next hop is still being asked for: too early to say.
    Asking,
    /// The next hop did not answer.
    Failed,
    /// This.
    Settled(Seen),
}

/// Completes what a probe saw by what the probing node knows: whether an ICMP error is its own, and whether the next hop
/// lives.
async fn complete(bench: &Bench, from: NodeId, to: &Target, seen: Seen, gave_up: bool) -> Result<Quiet, ProbeError> {
    let seen = match seen {
        Seen::Icmp { error, by, .. } => Seen::Icmp { error, by, own: bench.is_own(from, by) },
        other => other,
    };
    if seen != Seen::Silent || to.address.is_multicast() {
        return Ok(Quiet::Settled(seen));
    }
    Ok(match hop(bench, from, to).await? {
        HopState::Asking => Quiet::Asking,
        HopState::Unknown if gave_up => Quiet::Failed,
        HopState::Resolved | HopState::Unknown => Quiet::Settled(Seen::Silent),
        HopState::Failed => Quiet::Failed,
    })
}

async fn hop(bench: &Bench, from: NodeId, to: &Target) -> Result<HopState, ProbeError> {
    lab::next_hop_state(bench.node(from), to.address).await.map_err(unreadable)
}
