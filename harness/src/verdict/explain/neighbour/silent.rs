//! Why a node that has an address does not say so.

use std::net::IpAddr;

use super::super::world::{End, World};
use super::super::{blame, source};
use super::super::{no_route, refusal, reverse_path};
use crate::evidence::{Address, Ask, Cause, CauseKind};

/// Why a node that has the address does not say so.
pub(super) fn ignores(world: &World<'_>, out: End, next: End, hop: IpAddr, from: Option<IpAddr>) -> Option<Cause> {
    let interface = world.interface(next)?;
    let name = world.end_name(next);
    let own = interface.addresses.iter().find(|own| own.cidr.address == hop);
    if let Some(own) = own.filter(|own| own.tentative) {
        let why =
            if own.duplicate { "somebody else has it, too" } else { "whether somebody else has it is not known yet" };
        let kind = if own.duplicate { CauseKind::DuplicateAddress } else { CauseKind::Tentative };
        let words = format!("{hop} of {name} is still tentative: {why}");
        let help = Some("wait until it is not (`within`), or add it with `nodad`".to_owned());
        return Some(blame::of_interface(world, next, kind, words, help));
    }
    if interface.noarp {
        let words = format!("{name} answers nobody who asks for {hop} (NOARP)");
        return Some(blame::of_interface(world, next, CauseKind::NoNeighbour, words, None));
    }
    if hop.is_ipv6() {
        return None;
    }
    let asker = world.interface(out)?.addresses.iter().map(|own| own.cidr).filter(|own| own.address.is_ipv4());
    // Who asks does so from the packet's own source, where that is its address (`arp_announce` 0 of ip-sysctl).
    let own_source = from.filter(|from| world.has(out.0, *from) || from.is_loopback());
    let on_link = || asker.clone().find(|own| own.contains(hop)).or_else(|| asker.clone().next());
    let asker = own_source.or_else(|| on_link().map(|own| own.address))?;
    if let Some(cause) = source::own(world, next, asker).or_else(|| source::loopback(world, out.0, next, asker)) {
        return Some(cause);
    }
    if let Some(cause) = arp_ignore(world, next, hop, asker, own) {
        return Some(cause);
    }
    // The kernel answers only whom it would take a packet from.
    let ask = Ask { from: Some(asker), iif: Some(next.1), ..Ask::plain(next.0, hop) };
    match world.decide(ask.clone())? {
        Err(errno) => reverse_path::filter(world, next, asker, hop, *errno)
            .map(|cause| Cause {
                words: format!("{}; it does not answer ARP requests from there either", cause.words),
                ..cause
            })
            .or_else(|| refusal::refused(world, &ask, *errno))
            .or_else(|| no_route::own_address(world, next.0, hop)),
        Ok(_) => arp_filter(world, next, hop, asker),
    }
}

/// Whether the setting that says to whom an interface answers leaves out who asks (`arp_ignore` of ip-sysctl).
fn arp_ignore(world: &World<'_>, next: End, hop: IpAddr, asker: IpAddr, own: Option<&Address>) -> Option<Cause> {
    let (name, ignore) = (world.end_name(next), world.larger_setting(next, "arp_ignore"));
    let why = match (ignore, own) {
        (8, _) => String::new(),
        (1 | 2, None) => ", which it does not have itself".to_owned(),
        (2, Some(own)) if !own.cidr.contains(asker) => {
            format!(" from {asker}, which is not in its network {}", own.cidr)
        }
        _ => return None,
    };
    let interface = &world.interface(next)?.name;
    let keys = [format!("ipv4/conf/{interface}/arp_ignore"), "ipv4/conf/all/arp_ignore".to_owned()];
    let words = format!("{name} ignores ARP requests for {hop}{why} (arp_ignore is {ignore})");
    let help = Some("arp_ignore 0 answers for every address of the node".to_owned());
    Some(blame::of_setting(world, next.0, &keys, CauseKind::ArpIgnored, words, help))
}

/// Whether an interface does not answer since its own packets to who asks leave by another one. The kernel counts these.
///
/// Source: `arp_filter` of ip-sysctl, and of net/ipv4/arp.c, which looks for the way from the address asked for.
fn arp_filter(world: &World<'_>, next: End, hop: IpAddr, asker: IpAddr) -> Option<Cause> {
    let counted = world.node(next.0).grown.get("TcpExt.ArpFilter").is_some_and(|count| *count > 0);
    if !counted || world.larger_setting(next, "arp_filter") == 0 {
        return None;
    }
    let back = world.decide(Ask { from: Some(hop), ..Ask::plain(next.0, asker) })?.as_ref();
    let elsewhere = match back.map(|back| back.oif) {
        Ok(Some(oif)) if oif == next.1 => return None,
        Ok(oif) => {
            let by = oif.map_or("no interface".to_owned(), |oif| world.end_name((next.0, oif)));
            format!("its own way to {asker} is by {by}")
        }
        Err(_) => format!("it has no route to {asker}"),
    };
    let (name, interface) = (world.end_name(next), &world.interface(next)?.name);
    let keys = [format!("ipv4/conf/{interface}/arp_filter"), "ipv4/conf/all/arp_filter".to_owned()];
    let words = format!("{name} does not answer ARP requests of {asker} for {hop}: {elsewhere} (arp_filter is 1)");
    let help = Some("arp_filter 0, or a route back by the interface that is asked".to_owned());
    Some(blame::of_setting(world, next.0, &keys, CauseKind::ArpIgnored, words, help))
}

pub(super) fn plainly_silent(world: &World<'_>, out: End, next: End, hop: IpAddr) -> Cause {
    let asked = if hop.is_ipv4() { "the ARP requests" } else { "the neighbour solicitations" };
    let words = format!("{} did not answer {asked} of {} for {hop}", world.end_name(next), world.end_name(out));
    blame::of_interface(world, next, CauseKind::NoNeighbour, words, None)
}
