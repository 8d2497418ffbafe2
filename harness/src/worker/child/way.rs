//! The way of a packet to where it ends, behind all forwards. Where several nodes have an address, the kernels on the way
//! say whose is meant.

use std::net::IpAddr;

use super::attempt::Bench;
use super::observe::unreadable;
use crate::lab;
use crate::plan::{End, Landing, MOST_FORWARDS, NodeId, Target, holders, translator};
use crate::probe::ProbeError;
use crate::words::{Port, RouteKind};

/// More routers than any lab has one behind the other; a loop of them ends there.
const MOST_HOPS: usize = 64;

/// Who gets what a node sends to a target, and at which address and port; or why that is not known.
pub(super) async fn end_of(
    bench: &Bench,
    from: NodeId,
    to: &Target,
    port: Option<Port>,
) -> Result<Result<(End, Landing), String>, ProbeError> {
    let nodes = &bench.plan.nodes;
    let mut landing = Landing::sent(to.address, port, None);
    let (mut sender, mut translated) = (from, None);
    for _ in 0..MOST_FORWARDS {
        landing.owner = match holder(bench, sender, landing.address).await? {
            Ok(owner) => owner,
            Err(reason) => return Ok(Err(reason)),
        };
        let node = landing.owner.map(|owner| owner.node).or_else(|| translator(nodes, landing.address));
        // The kernel translates a connection once in each node.
        let node = node.filter(|node| translated != Some(*node));
        let Some((node, next)) = node.and_then(|node| Some((node, landing.forwarded(&nodes[node].nat, port)?))) else {
            break;
        };
        landing = next;
        (sender, translated) = (node, Some(node));
    }
    let address = landing.address;
    Ok(landing.owner.map(|owner| (owner, landing)).ok_or(format!("no node of this case has the address {address}")))
}

/// Who has an address, seen from a node; or why that is not known.
async fn holder(bench: &Bench, from: NodeId, address: IpAddr) -> Result<Result<Option<End>, String>, ProbeError> {
    if address.is_loopback() {
        return Ok(Ok(Some(End { node: from, interface: 0 })));
    }
    let all = holders(&bench.plan.nodes, address);
    let of = |node: NodeId| all.iter().find(|end| end.node == node).copied();
    if let Some(own) = of(from) {
        return Ok(Ok(Some(own)));
    }
    if all.len() < 2 {
        return Ok(Ok(all.first().copied()));
    }
    if let Some(meant) = reached(bench, from, address).await?.and_then(of) {
        return Ok(Ok(Some(meant)));
    }
    let names: Vec<&str> = all.iter().map(|end| bench.plan.nodes[end.node].name.as_str()).collect();
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    let both = if others.len() == 1 { "both" } else { "all" };
    Ok(Err(format!("{} and {last} {both} have {address}: it is not known which was meant", others.join(", "))))
}

/// The node that takes what another one sends to an address, by the routes and neighbours of those between them.
async fn reached(bench: &Bench, from: NodeId, address: IpAddr) -> Result<Option<NodeId>, ProbeError> {
    let mut node = from;
    for _ in 0..MOST_HOPS {
        let route = lab::lookup_route(bench.node(node), address).await.map_err(unreadable)?;
        let Ok(route) = route else { return Ok(None) };
        if route.kind == Some(RouteKind::Local) {
            return Ok(Some(node));
        }
        let hop = route.via.unwrap_or(address);
        let neighbours = lab::neighbours_of(bench.node(node), hop).await.map_err(unreadable)?;
        let mac = neighbours.iter().filter(|it| Some(&it.dev) == route.dev.as_ref()).find_map(|it| it.mac);
        // Who was not asked for yet is known if one node alone has the address.
        let others = bench.plan.nodes.iter().enumerate().filter(|(other, _)| *other != node);
        let mut next = others.filter(|(_, other)| {
            other.interfaces.iter().filter(|interface| interface.present).any(|interface| match mac {
                Some(mac) => interface.mac == Some(mac),
                None => interface.addresses.iter().any(|cidr| cidr.address == hop),
            })
        });
        let (Some((one, _)), None) = (next.next(), next.next()) else { return Ok(None) };
        node = one;
    }
    Ok(None)
}
