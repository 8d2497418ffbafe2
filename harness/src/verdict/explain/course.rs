//! Whether a packet goes by the routers by which it should go.

use super::blame;
use super::refusal::planned_routes;
use super::walk::Step;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Way};
use crate::plan::{By, Check};

/// The first router on the way that is another one than expected: who sends there, and by which route.
pub(super) fn wrong_hop(world: &World<'_>, steps: &[Step]) -> Option<Cause> {
    let expected: Vec<Option<&By>> = match world.matter.check {
        Check::Trace(trace) => trace.via.iter().map(Option::as_ref).collect(),
        _ => return None,
    };
    let there: Vec<&Step> = steps.iter().filter(|step| step.way == Way::Request).collect();
    let hops = there.windows(2).zip(&expected);
    let (pair, by) = hops.into_iter().find_map(|(pair, by)| {
        let by = (*by)?;
        let wrong = !by.addresses.iter().any(|address| world.has(pair[1].node, *address));
        wrong.then_some((pair, by))
    })?;
    let [before, after] = [pair[0], pair[1]];
    let (hop, to) = (before.hop()?, before.leaving().to);
    let (name, other) = (world.name(before.node), world.name(after.node));
    let words = format!("{name} sends what is for {to} to {other} ({hop}), not to {}", by.words);
    let help = Some(format!("a route of {name} that leads to {}", by.words));
    let address = hop.to_string();
    let route = planned_routes(world, before.node, to).into_iter().find(|route| route.via == Some(hop));
    let blamed = match (route, blame::done_by(world, before.node, &["via", &address])) {
        (Some(route), _) => blame::at(CauseKind::WrongGateway, words, route.span, help),
        (None, Some(line)) => Cause::at(CauseKind::WrongGateway, words, Some(line), help),
        (None, None) => return Some(blame::on_node(world, before.node, CauseKind::WrongGateway, words, help)),
    };
    Some(blame::by(world, before.node, blamed))
}
