//! What may be in the way of a packet where it leaves a node.

use super::blame;
use super::detour;
use super::policy::{self, Fits};
use super::policy_fault::policy_cause;
use super::travelling::Travelling;
use super::walk::Step;
use super::world::{End, World};
use crate::evidence::{Ask, Blame, Cause, CauseKind, Chosen, Way};

/// The routing tables that every node has: `local`, `main`, `default` (rtnetlink(7)).
const USUAL_TABLES: [u32; 4] = [255, 254, 253, 0];

/// A way that a policy rule has chosen, where another one leads to the target and this one does not.
pub(super) fn by_policy(world: &World<'_>, ask: &Ask, chosen: &Chosen, packet: &Travelling) -> Option<Cause> {
    if USUAL_TABLES.contains(&chosen.table) || !detour::is_one(world, ask.node, chosen, packet) {
        return None;
    }
    let node = ask.node;
    let rules = world.node(node).policy.iter();
    let mut leading = rules.filter(|rule| rule.v6 == ask.to.is_ipv6() && rule.table == Some(chosen.table));
    let rule = leading.find(|rule| policy::fits(world, rule, ask) != Fits::No)?;
    let way = match (chosen.via, chosen.oif) {
        (Some(via), _) => format!("through {via}"),
        (None, Some(oif)) => format!("out by {}", world.end_name((node, oif))),
        (None, None) => "away".to_owned(),
    };
    Some(policy_cause(world, node, rule, format!("sends what is for {} {way}", ask.to)))
}

/// The target is the broadcast address of one of the node's networks.
pub(super) fn many(world: &World<'_>, node: usize, chosen: &Chosen, packet: &Travelling) -> Option<Cause> {
    if !chosen.many || packet.to.is_multicast() || world.owners(packet.to).is_empty() {
        return None;
    }
    // Of what comes in for all of a network the kernel does not say where that is.
    let near = world.ends().filter(|(end, _)| end.0 == node).filter_map(|(end, it)| {
        let own = it.addresses.iter().map(|own| own.cidr).filter(|own| own.contains(packet.to));
        own.max_by_key(|own| own.length).map(|own| (end, own))
    });
    let (end, own) = near.max_by_key(|(end, own)| (Some(end.1) == chosen.oif, own.length))?;
    let words =
        format!("{} is the broadcast address of the network that {} has as {own}", packet.to, world.end_name(end));
    let help = Some("the same prefix length at both".to_owned());
    Some(blame::of_interface(world, end, CauseKind::WrongPrefix, words, help))
}

/// What a node sends to its own addresses goes by `lo`.
pub(super) fn loopback_down(world: &World<'_>, step: &Step) -> Option<Cause> {
    let own = step.iif.is_none() && step.way == Way::Request;
    let (end, _) = world.ends().find(|(end, it)| end.0 == step.node && it.name == "lo" && !it.up).filter(|_| own)?;
    let words = format!(
        "{} is down, and what {} sends to its own addresses goes by it",
        world.end_name(end),
        world.name(end.0)
    );
    Some(blame::of_interface(world, end, CauseKind::LinkDown, words, Some("take it up".to_owned())))
}

/// A packet that is larger than what it has to leave by.
pub(super) fn too_large(world: &World<'_>, out: End, packet: &Travelling, way: Way) -> Option<Cause> {
    let interface = world.interface(out)?;
    if !packet.whole || packet.length <= interface.mtu || interface.mtu == 0 {
        return None;
    }
    let name = world.end_name(out);
    let which = if way == Way::Answer { "the answer" } else { "the packet" };
    let words = format!("{name} takes packets of at most {} bytes; {which} has {}", interface.mtu, packet.length);
    let help = Some("a larger `mtu` there, or smaller packets".to_owned());
    Some(blame::of_interface(world, out, CauseKind::MtuTooSmall, words, help))
}

/// A packet that is larger than its route, or the interface's setting for IPv6, lets a router pass on
/// (`ip_dst_mtu_maybe_forward`, `ip6_dst_mtu_maybe_forward` of the kernel). What a sender's route knows it may have learned.
pub(super) fn too_small_a_route(world: &World<'_>, step: &Step, chosen: &Chosen) -> Option<Cause> {
    let (packet, out) = (&step.before, step.out()?);
    let interface = world.interface(out)?;
    if step.iif.is_none() || !packet.whole || packet.length > interface.mtu {
        return None;
    }
    let (node, name) = (step.node, world.name(step.node));
    let which = if step.way == Way::Answer { "the answer" } else { "the packet" };
    if let Some(mtu) = chosen.mtu.filter(|mtu| packet.length > *mtu && *mtu > 0) {
        let number = mtu.to_string();
        let routes = policy::all(world, node, "main", packet.to);
        let line = routes.first().map(|(line, _)| format!(" `{line}`")).unwrap_or_default();
        let words =
            format!("the route{line} of {name} takes packets of at most {mtu} bytes; {which} has {}", packet.length);
        let done = blame::done_by(world, node, &["mtu", &number]);
        let span = || blame::script_of(world, node).or_else(|| blame::of_node(world, node)).map(Blame::Case);
        let cause = Cause::at(CauseKind::MtuTooSmall, words, done.or_else(span), None);
        return Some(blame::by(world, node, cause));
    }
    let key = format!("ipv6/conf/{}/mtu", interface.name);
    let mtu = world.setting(node, &key);
    if packet.to.is_ipv4() || mtu <= 0 || mtu >= i64::from(packet.length) {
        return None;
    }
    let words = format!(
        "{} passes on IPv6 packets of at most {mtu} bytes (net.{}); {which} has {}",
        world.end_name(out),
        key.replace('/', "."),
        packet.length
    );
    let assigned = [format!("net.{}={mtu}", key.replace('/', ".")), format!("net/{key}={mtu}")];
    let done = assigned.iter().find_map(|word| blame::done_by(world, node, &[word]));
    let cause = blame::of_setting(world, node, &[key], CauseKind::MtuTooSmall, words, None);
    Some(Cause { blame: done.or(cause.blame.clone()), ..cause })
}
