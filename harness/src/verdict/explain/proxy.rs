//! Who answers for an address that it does not have.

use std::net::IpAddr;

use super::blame;
use super::trails::Trails;
use super::wire;
use super::world::{End, World};
use crate::evidence::{Ask, Cause, CauseKind, Payload};
use crate::plan::Solicit;
use crate::words::Answer;

/// A router that answers an ARP request for what it can route, where nobody should have answered.
pub(super) fn answers(world: &World<'_>, trails: &Trails<'_>, solicit: &Solicit) -> Option<Cause> {
    let about = solicit.to.address;
    if !about.is_ipv4() || solicit.outcome != [Answer::Silent] {
        return None;
    }
    let answer = trails.questions.iter().find(|sight| {
        let says = matches!(&sight.packet.payload, Payload::Neighbour(it) if it.answer && it.about == about);
        says && sight.frame.outgoing
    })?;
    let end = (answer.frame.node, answer.frame.interface);
    if world.has(end.0, about) || world.larger_setting(end, "proxy_arp") == 0 {
        return None;
    }
    let interface = world.interface(end)?;
    let keys = [&*interface.name, "all"].map(|dev| format!("ipv4/conf/{dev}/proxy_arp"));
    let words = format!(
        "{} answers the ARP requests for {about}, which is not its own: it does so for whatever it can route (proxy_arp \
         is 1)",
        world.end_name(end)
    );
    let help = Some("set `proxy_arp` to 0 there".to_owned());
    Some(blame::of_setting(world, end.0, &keys, CauseKind::AnswerFromElsewhere, words, help))
}

/// Who on a link answers ARP requests for an address that it does not have: a router with `proxy_arp`, whose own way there
/// is by another interface (`arp_fwd_proxy` of net/ipv4/arp.c).
pub(super) fn stands_for(world: &World<'_>, out: End, hop: IpAddr) -> Option<End> {
    let mut near = wire::segment(world, out).into_iter().filter(|end| end.0 != out.0 && hop.is_ipv4());
    near.find(|end| {
        let interface = world.interface(*end).filter(|it| it.up && world.larger_setting(*end, "proxy_arp") != 0);
        let key = interface.map(|it| format!("ipv4/conf/{}/forwarding", it.name));
        let forwards = key.is_some_and(|key| world.setting(end.0, &key) != 0);
        let way = || world.decide(Ask::plain(end.0, hop)).and_then(|answer| answer.as_ref().ok());
        forwards && way().is_some_and(|way| !way.local && way.oif.is_some_and(|oif| oif != end.1))
    })
}
