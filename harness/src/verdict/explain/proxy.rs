//! Who answers for an address that it does not have.

use super::blame;
use super::trails::Trails;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Payload};
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
