//! Whether a node passes on what is not for it.

use std::net::IpAddr;

use super::blame;
use super::travelling::Travelling;
use super::world::World;
use crate::evidence::{Cause, CauseKind};
use crate::words::Family;

/// Whether a node does not pass on what it got: the kernel answers so for IPv4; for IPv6 it gives a route all the same.
pub(super) fn off(world: &World<'_>, node: usize, iif: Option<u32>, packet: &Travelling) -> Option<Cause> {
    let iif = world.interface((node, iif?))?;
    if world.has(node, packet.to) {
        return None;
    }
    if is_nobodys(world, packet.to) {
        let words =
            format!("no node of this case has {}: its way ends at {}, which is no router", packet.to, world.name(node));
        let off =
            world.setting(node, if packet.to.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" }) == 0;
        return off.then(|| blame::by(world, node, blame::at(CauseKind::NoAddress, words, world.matter.span, None)));
    }
    let family = if packet.to.is_ipv4() { "ipv4" } else { "ipv6" };
    let keys = if packet.to.is_ipv4() {
        vec![
            format!("ipv4/conf/{}/forwarding", iif.name),
            "ipv4/ip_forward".to_owned(),
            "ipv4/conf/all/forwarding".to_owned(),
        ]
    } else {
        vec!["ipv6/conf/all/forwarding".to_owned(), format!("ipv6/conf/{}/forwarding", iif.name)]
    };
    // For IPv4 the interface's own setting counts; the one of `all` sets them all. For IPv6 it is the one of `all`.
    let key = keys.first()?;
    if !world.node(node).sysctls.contains_key(key) || world.setting(node, key) != 0 {
        return None;
    }
    let key = if packet.to.is_ipv4() && world.setting(node, &keys[1]) == 0 { &keys[1] } else { key };
    let name = world.name(node);
    let words = format!("{name} does not forward {}: net.{} is 0", Family::of(packet.to).name(), key.replace('/', "."));
    let planned = world.planned(node);
    let forwards = if packet.to.is_ipv4() { planned.forward_ipv4 } else { planned.forward_ipv6 };
    let help = if forwards {
        format!("{name} is to forward: what has set this to 0 must go")
    } else {
        format!("`forwarding = true` (or `\"{family}\"`) in the table of {name}")
    };
    let written = |cause: Cause| match (&cause.blame, planned.forwarding) {
        (Some(crate::evidence::Blame::Case(span)), Some(forwarding)) if *span == planned.span => {
            Cause { blame: Some(crate::evidence::Blame::Case(forwarding)), ..cause }
        }
        _ => cause,
    };
    Some(written(blame::of_setting(world, node, &keys, CauseKind::ForwardingOff, words, Some(help))))
}

/// Whether no node has an address, nor answers for it.
fn is_nobodys(world: &World<'_>, address: IpAddr) -> bool {
    world.owners(address).is_empty() && !world.plan().nodes.iter().any(|node| node.serves(address))
}
