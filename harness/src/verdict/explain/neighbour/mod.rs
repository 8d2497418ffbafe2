//! The next hop of a packet: who it is, and why it might not answer.

mod absent;
mod claim;
mod gateway;
mod silent;

use std::net::IpAddr;

use super::ports;
use super::rules;
use super::trails::Trails;
use super::travelling::Travelling;
use super::wire;
use super::world::{End, World};
use crate::evidence::{Cause, CauseKind, Explanation, Payload, Protocol, Question};
use crate::plan::Check;
use crate::words::NeighState;
pub(super) use claim::duplicated;
pub(super) use gateway::{better_gateway, gateway_cause, past_its_own_link, routers_on};

/// The next hop, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whether the sender knows its MAC address.
    pub(super) resolved: bool,
    /// The interface that gets the packet.
    pub(super) next: Option<End>,
    /// The interfaces between, both ends included.
    pub(super) way: Option<Vec<End>>,
    /// What is wrong between the two.
    pub(super) wire: Vec<Cause>,
    /// Why it is not known.
    pub(super) causes: Vec<Cause>,
    /// That several have its address.
    pub(super) duplicate: Option<Cause>,
}

/// Looks for the next hop of a packet that leaves by an interface; `to` is where the packet goes in the end.
pub(super) fn find(world: &World<'_>, out: End, hop: IpAddr, gateway: bool, packet: &Travelling) -> Found {
    let entry = world.neighbour(out, hop);
    let silent = world.interface(out).is_some_and(|it| it.noarp || it.name == "lo");
    let known = entry
        .and_then(|entry| entry.mac)
        .filter(|_| !entry.is_some_and(|entry| matches!(entry.state, NeighState::Failed | NeighState::Incomplete)));
    // Who asks a question of its own asks whatever the kernel knows.
    let question = packet.protocol == Protocol::Neighbour;
    let mut found = Found { resolved: !question && (known.is_some() || silent), ..Found::default() };
    let linked = |end: &End| *end != out && wire::between(world, out, *end).is_some();
    let owners = world.owners(hop);
    let mut near: Vec<End> = owners.iter().copied().filter(linked).collect();
    // A node answers for all its addresses on each of its interfaces.
    let other_side = |owner: &End| {
        let mut own = world.ends().map(|(end, _)| end).filter(|end| end.0 == owner.0 && end.0 != out.0);
        own.find(|end| linked(end) && world.interface(*end).is_some_and(|it| it.master.is_none()))
    };
    if near.is_empty() && hop.is_ipv4() {
        near.extend(owners.iter().find_map(other_side));
    }
    // Nobody may be there, and a router say that it is.
    let proxy = near.is_empty().then(|| super::proxy::stands_for(world, out, hop).filter(|_| !question)).flatten();
    near.extend(proxy);
    let by_mac = known.map(|mac| world.with_mac(mac)).unwrap_or_default();
    let by_mac =
        by_mac.into_iter().filter(linked).filter(|end| world.interface(*end).is_some_and(|it| it.master.is_none()));
    let by_mac: Vec<End> = by_mac.collect();
    let misled = claim::misled(world, out, hop, &near, &by_mac).filter(|_| !question);
    let by_mac = if misled.is_some() { Vec::new() } else { by_mac };
    let misled = misled.or_else(|| claim::to_itself(world, out, hop).filter(|_| !question));
    // What has another MAC address would go on to who is meant, were it not for that.
    found.next = by_mac.iter().find(|end| near.contains(end)).or(by_mac.first()).or(near.first()).copied();
    found.duplicate = claim::duplicate(world, hop, &near, found.next).filter(|_| misled.is_none());
    found.causes.extend(super::tunnel::leads_nowhere(world, out));
    found.causes.extend(ports::address_on_port(world, out, hop));
    let Some(next) = found.next else {
        if found.causes.is_empty() {
            found.is_nowhere(world, out, (hop, gateway), packet, &owners);
        }
        return found;
    };
    found.way = wire::between(world, out, next);
    found.wire = found.way.as_deref().map(|way| wire::faults(world, way, 0)).unwrap_or_default();
    found.wire.splice(0..0, misled);
    if !found.resolved {
        let asked = question || entry.is_some();
        found.is_silent(world, out, (next, hop), packet, asked, proxy.is_some());
    }
    found
}

impl Found {
    /// Why nobody on the link has an address, and where to look on: where the packet would have gone.
    fn is_nowhere(
        &mut self,
        world: &World<'_>,
        out: End,
        (hop, gateway): (IpAddr, bool),
        packet: &Travelling,
        owners: &[End],
    ) {
        let cause = absent::nobody(world, out, hop, gateway, packet.to, owners);
        self.next = match cause.as_ref().map(|cause| cause.kind) {
            Some(CauseKind::WrongGateway) => {
                let forwarding = gateway::routers_on(world, out, packet.to);
                forwarding.first().or(gateway::ways_on(world, out, packet.to).first()).map(|(end, _)| *end)
            }
            Some(CauseKind::NotConnected) => owners.iter().copied().find(|owner| owner.0 != out.0),
            _ => None,
        };
        self.causes.extend(cause);
        let owner = self.next.filter(|next| owners.contains(next));
        self.causes.extend(owner.and_then(|next| silent::ignores(world, out, next, hop, packet.from)));
    }

    /// Why the machine that has an address was not heard to say so; `asked` whether it was asked for, `by_proxy` whether
    /// it would only answer for another one.
    fn is_silent(
        &mut self,
        world: &World<'_>,
        out: End,
        (next, hop): (End, IpAddr),
        packet: &Travelling,
        asked: bool,
        by_proxy: bool,
    ) {
        self.causes.extend(ports::address_on_port(world, next, hop));
        let bridges = self.way.iter().flatten().map(|end| end.0).filter(|node| *node != out.0);
        let dropped = bridges.chain([out.0, next.0]).find_map(|node| rules::dropped_question(world, node, hop));
        let ignores = || silent::ignores(world, out, next, hop, packet.from).filter(|_| !by_proxy);
        self.causes.extend(dropped.or_else(ignores));
        let seen = |outgoing: bool, is_it: &dyn Fn(&Question) -> bool| {
            let mut there = world.trails().questions.iter().filter(|sight| sight.frame.node == next.0);
            there.any(|sight| {
                sight.frame.outgoing == outgoing
                    && matches!(&sight.packet.payload, Payload::Neighbour(question) if question.about == hop && is_it(question))
            })
        };
        if !self.causes.is_empty() {
            return;
        }
        if seen(true, &|question| question.answer) {
            // What it said was lost on its way back.
            let back = wire::between(world, next, out).unwrap_or_default();
            self.causes.extend(wire::faults(world, &back, 0));
        } else if self.wire.is_empty() && asked && seen(false, &|_| true) {
            self.causes.push(silent::plainly_silent(world, out, next, hop));
        }
    }
}

/// Explains a question on the wire.
pub(super) fn explain(world: &World<'_>, trails: &Trails<'_>, mut explanation: Explanation) -> Explanation {
    let (Check::Arp(solicit) | Check::Ndp(solicit)) = world.matter.check else { return explanation };
    let out = (solicit.from.node, world.plan().index(solicit.from));
    let answered = trails.questions.iter().any(|sight| {
        let is_answer = matches!(&sight.packet.payload, Payload::Neighbour(question) if question.answer && question.about == solicit.to.address);
        is_answer && (sight.frame.node, sight.frame.interface) == out && !sight.frame.outgoing
    });
    let packet = Travelling::question(solicit.to.address);
    let found = find(world, out, solicit.to.address, false, &packet);
    explanation.hops = super::hops::of_questions(world, trails, solicit.to.address, answered);
    if answered {
        explanation.causes.extend(found.duplicate.or_else(|| super::proxy::answers(world, trails, solicit)));
    } else {
        explanation.causes.extend(found.wire);
        explanation.causes.extend(found.causes);
    }
    explanation
}
