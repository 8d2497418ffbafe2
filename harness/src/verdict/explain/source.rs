//! A source that a packet should not bear: a node takes nothing from an address of its own, and passes nothing on from
//! one that is of a link alone.

use std::net::IpAddr;

use super::blame;
use super::refusal::is_link_local;
use super::trails::{Ends, Trails};
use super::translator::{self, Side};
use super::world::{End, World};
use crate::evidence::{Cause, CauseKind, Icmp, Payload};

/// What comes in from an address that the node has itself, though another one sent it.
///
/// Source: `fib_validate_source` of the kernel; `accept_local` of ip-sysctl. IPv6 looks at no sources.
pub(super) fn own(world: &World<'_>, iif: End, from: IpAddr) -> Option<Cause> {
    let sender = world.evidence().flow.from;
    if from.is_ipv6() || !world.has(iif.0, from) || world.larger_setting(iif, "accept_local") != 0 {
        return None;
    }
    let owners = world.owners(from);
    let theirs = *owners.iter().find(|owner| owner.0 == sender && owner.0 != iif.0)?;
    let own = *owners.iter().find(|owner| owner.0 == iif.0)?;
    let (name, own, theirs_name) = (world.name(iif.0), world.end_name(own), world.end_name(theirs));
    let words = format!(
        "{theirs_name} and {own} both have {from}: {name} takes nothing that comes from an address of its own, nor \
         answers it"
    );
    let help = Some(format!("an address that {name} does not have for {theirs_name}"));
    Some(blame::of_interface(world, theirs, CauseKind::DuplicateAddress, words, help))
}

/// What was given a source of the loopback network, which nobody takes from a link (RFC 1122, section 3.2.1.3).
pub(super) fn loopback(world: &World<'_>, sender: usize, next: End, from: IpAddr) -> Option<Cause> {
    if !from.is_ipv4() || !from.is_loopback() || world.larger_setting(next, "route_localnet") != 0 {
        return None;
    }
    let (name, other) = (world.name(sender), world.name(next.0));
    let words = format!("{name} sends from {from}, and {other} takes nothing from a loopback address by a link");
    let help = Some("a source that can be answered".to_owned());
    let own: Vec<Ends> = world.evidence().traces.iter().filter_map(|trace| Ends::of(trace.packet.as_ref()?)).collect();
    let acted = translator::acted(world, sender, Side::Source, &own);
    Some(translator::by(world, sender, acted, Cause::at(CauseKind::NatWrong, words, None, help)))
}

/// A sender that has an address of the link alone, from which no router passes anything on.
///
/// Source: RFC 4443, section 3.1: code 2, "beyond scope of source address".
pub(super) fn of_the_link(world: &World<'_>, trails: &Trails<'_>) -> Option<Cause> {
    let flow = &world.evidence().flow;
    let from = flow.source.filter(|from| is_link_local(*from) && !is_link_local(flow.to))?;
    let error = trails.errors.iter().filter_map(|trail| trail.sights.first()).find(|sight| {
        matches!(sight.packet.payload, Payload::Icmp(Icmp::Error { kind: 1, code: 2, .. })) && sight.packet.to.is_ipv6()
    })?;
    let end = world.owners(from).into_iter().find(|owner| owner.0 == flow.from)?;
    let others = &world.interface(end)?.addresses;
    if others.iter().any(|own| own.cidr.address.is_ipv6() && !is_link_local(own.cidr.address) && !own.tentative) {
        return None;
    }
    let (name, router) = (world.end_name(end), world.name(error.frame.node));
    let words = format!(
        "{name} has no IPv6 address but {from}, which is one of its link alone: {router} passes nothing on from there \
         (beyond scope of source address)"
    );
    Some(blame::of_interface(world, end, CauseKind::NoAddress, words, Some(format!("an `address` for {name}"))))
}
