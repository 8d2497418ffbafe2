//! The state of a node as evidence: what its kernel has right after a probe, table by table, and what its kernel would
//! do with a packet.

mod counters;
mod decide;
mod ends;
mod limit;
mod links;
mod policy;
mod routes;
mod settings;
mod tables;

use super::{KernelError, Lab, nft};
use crate::evidence::NodeState;
use crate::plan::{NodeId, Plan};
use crate::words::Family;

pub use counters::{Counters, counters, grown};
pub use decide::decide;
use limit::Limit;

/// The state of a node, and what of it was left out, in words. `grown`, `chains`, `rules` and `services` are for others
/// to fill.
///
/// # Errors
///
/// A table that could not be read.
pub async fn snapshot(plan: &Plan, lab: &Lab, id: NodeId) -> Result<(NodeState, Vec<String>), KernelError> {
    let node = lab.node(id);
    if node.absent {
        return Ok((NodeState { absent: true, whole: true, ..NodeState::default() }, Vec::new()));
    }
    let mut limit = Limit::of(&plan.nodes[id].name);
    // One after the other: while a socket gives one table, it refuses to begin with another.
    let links = node.netlink.links().await?;
    let interfaces =
        links::interfaces(plan, lab, id, limit.keep(links.iter().collect(), "interfaces"), &mut limit).await?;
    let mut routes = node.netlink.routes(Family::Ipv4).await?;
    routes.extend(node.netlink.routes(Family::Ipv6).await?);
    let (policy, policy_gone) = policy::rules(node).await?;
    let neighbours = tables::neighbours(node).await?;
    let fdb = tables::forwarding(node).await?;
    let sysctls = settings::read(node, &interfaces)?;
    let mut state = NodeState {
        routes: limit.keep(routes, "routes").iter().map(|route| routes::text(route, &links)).collect(),
        policy: limit.keep(policy, "policy rules"),
        policy_gone,
        neighbours: limit.keep_some(neighbours, "neighbours"),
        fdb: limit.keep(fdb, "entries in its forwarding tables"),
        listening: limit.keep(tables::listening(node)?, "listening sockets"),
        connections: limit.keep_some(nft::connections(&node.namespace)?, "tracked connections"),
        interfaces,
        sysctls,
        ..NodeState::default()
    };
    state.whole = limit.is_whole();
    Ok((state, limit.left_out()))
}
