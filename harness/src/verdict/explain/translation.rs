//! What a cause comes from when the ends of the packet were translated, or were not.

use super::forward;
use super::misplaced;
use super::translator::{self, Side};
use super::walk::Step;
use super::way_back;
use super::world::World;
use crate::evidence::{Cause, Way};

/// What a cause at a step comes from: a translation to what leads nowhere, or one that is missing.
pub(super) fn meant(world: &World<'_>, steps: &[Step], at: usize, cause: &Cause) -> Cause {
    let step = &steps[at];
    let found = match step.way {
        Way::Answer => way_back::cause(world, steps, at, cause),
        _ => forward::wrong(world, steps, at, cause)
            .or_else(|| forward::missing(world, step, cause))
            .or_else(|| misplaced::of(world, steps, at, cause)),
    };
    found.unwrap_or_else(|| cause.clone())
}

/// Whether a node may give a packet that it has not been seen to pass on another source.
pub(super) fn may_change_source(world: &World<'_>, step: &Step) -> bool {
    let all = translator::all(world, step.node, Side::Source, step.before.to.is_ipv6());
    let passage = translator::passage(world, step, Side::Source);
    all.iter().any(|it| passage.is_none_or(|passage| it.fit(world, &passage).misses.is_empty()))
}
