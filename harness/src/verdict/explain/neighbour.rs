//! The next hop of a packet: who it is, and why it might not answer.

use std::net::IpAddr;

use super::blame;
use super::refusal::{is_link_local, planned_routes, prefix};
use super::reverse_path;
use super::rules;
use super::trails::Trails;
use super::walk::Travelling;
use super::wire;
use super::world::{End, World};
use crate::evidence::{Ask, Cause, CauseKind, Explanation, Interface, Payload};
use crate::plan::Check;
use crate::words::{Family, NeighState};

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
    let to = packet.to;
    let entry = world.neighbour(out, hop);
    let silent = world.interface(out).is_some_and(|it| it.noarp || it.name == "lo");
    let known = entry
        .and_then(|entry| entry.mac)
        .filter(|_| !entry.is_some_and(|entry| matches!(entry.state, NeighState::Failed | NeighState::Incomplete)));
    let mut found = Found { resolved: known.is_some() || silent, ..Found::default() };
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
    let by_mac = known.map(|mac| world.with_mac(mac)).unwrap_or_default();
    let by_mac =
        by_mac.into_iter().filter(linked).filter(|end| world.interface(*end).is_some_and(|it| it.master.is_none()));
    let by_mac: Vec<End> = by_mac.collect();
    found.next = by_mac.iter().find(|end| near.contains(end)).or(by_mac.first()).or(near.first()).copied();
    found.duplicate = duplicate(world, hop, &near, found.next).or_else(|| misled(world, out, hop, &near, &by_mac));
    found.causes.extend(super::tunnel::leads_nowhere(world, out));
    let Some(next) = found.next else {
        if found.causes.is_empty() {
            let cause = nobody(world, out, hop, gateway, to, &owners);
            // Where it would have gone is where to look on.
            found.next = match cause.as_ref().map(|cause| cause.kind) {
                Some(CauseKind::WrongGateway) => routers_on(world, out, to).first().map(|(end, _)| *end),
                Some(CauseKind::NotConnected) => owners.iter().copied().find(|owner| owner.0 != out.0),
                _ => None,
            };
            found.causes.extend(cause);
            if let Some(next) = found.next {
                found.causes.extend(ignores(world, out, next, hop, packet.from).filter(|_| owners.contains(&next)));
            }
        }
        return found;
    };
    found.way = wire::between(world, out, next);
    found.wire = found.way.as_deref().map(|way| wire::faults(world, way, 0)).unwrap_or_default();
    if !found.resolved {
        let asked = entry.is_some();
        let bridges = found.way.iter().flatten().map(|end| end.0).filter(|node| *node != out.0);
        let dropped = bridges.chain([out.0, next.0]).find_map(|node| rules::dropped_question(world, node, hop));
        found.causes.extend(dropped.or_else(|| ignores(world, out, next, hop, packet.from)));
        let heard = trails(world).questions.iter().any(|sight| {
            let there = sight.frame.node == next.0 && !sight.frame.outgoing;
            there && matches!(&sight.packet.payload, Payload::Neighbour(question) if question.about == hop)
        });
        let answered = trails(world).questions.iter().any(|sight| {
            let left = sight.frame.node == next.0 && sight.frame.outgoing;
            left && matches!(&sight.packet.payload, Payload::Neighbour(question) if question.answer && question.about == hop)
        });
        if answered && found.causes.is_empty() {
            // What it said was lost on its way back.
            let back = wire::between(world, next, out).unwrap_or_default();
            found.causes.extend(wire::faults(world, &back, 0));
        } else if found.causes.is_empty() && found.wire.is_empty() && asked && heard {
            found.causes.push(plainly_silent(world, out, next, hop));
        }
    }
    found
}

fn trails<'a>(world: &World<'a>) -> Trails<'a> {
    Trails::of(world.evidence())
}

/// Explains a question on the wire.
pub(super) fn explain(world: &World<'_>, trails: &Trails<'_>, mut explanation: Explanation) -> Explanation {
    let (Check::Arp(solicit) | Check::Ndp(solicit)) = world.matter.check else { return explanation };
    let out = (solicit.from.node, world.plan().index(solicit.from));
    let answered = trails.questions.iter().any(|sight| {
        let is_answer = matches!(&sight.packet.payload, crate::evidence::Payload::Neighbour(question) if question.answer && question.about == solicit.to.address);
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

/// A neighbour entry that somebody has made, with a MAC address that is not the neighbour's.
fn misled(world: &World<'_>, out: End, hop: IpAddr, near: &[End], by_mac: &[End]) -> Option<Cause> {
    let entry = world.neighbour(out, hop).filter(|entry| entry.state == NeighState::Permanent)?;
    let (mac, owner) = (entry.mac?, *near.first()?);
    if !by_mac.is_empty() {
        return None;
    }
    let (name, other) = (world.name(out.0), world.end_name(owner));
    let words =
        format!("{name} has a permanent neighbour entry that {hop} is {mac}, which is not the address of {other}");
    let address = hop.to_string();
    let made =
        ["neigh", "neighbour", "neighbor"].iter().find_map(|word| blame::done_by(world, out.0, &[word, &address]));
    let help = Some(format!("delete the entry, or give it the MAC address of {other}"));
    Some(match made {
        Some(line) => blame::by(world, out.0, Cause::at(CauseKind::NoNeighbour, words, Some(line), help)),
        None => blame::on_node(world, out.0, CauseKind::NoNeighbour, words, help),
    })
}

/// Several nodes have the address of the next hop.
fn duplicate(world: &World<'_>, hop: IpAddr, near: &[End], next: Option<End>) -> Option<Cause> {
    // Who got it because the sender has a wrong MAC address of the next hop does not have that address, too.
    let next = next.filter(|next| world.has(next.0, hop))?;
    let other = near.iter().find(|end| end.0 != next.0)?;
    let (one, two) = (world.end_name(next), world.end_name(*other));
    let words = format!("{one} and {two} both have {hop}; the packet went to {one}");
    let help = Some("every interface of a link needs an address of its own".to_owned());
    Some(blame::of_interface(world, next, CauseKind::DuplicateAddress, words, help))
}

/// Nobody on the link has the address.
fn nobody(world: &World<'_>, out: End, hop: IpAddr, gateway: bool, to: IpAddr, owners: &[End]) -> Option<Cause> {
    let name = world.end_name(out);
    if let Some(cause) = wire::faults(world, &[out], 0).into_iter().next().or_else(|| cable(world, out)) {
        return Some(cause);
    }
    if gateway {
        return Some(dead_gateway(world, out, hop, to, owners));
    }
    let own = world.interface(out)?.addresses.iter().find(|own| own.cidr.contains(hop)).map(|own| own.cidr);
    let Some(owner) = owners.iter().find(|owner| owner.0 != out.0) else {
        return Some(lost_address(world, hop).unwrap_or_else(|| {
            let words = format!(
                "no interface of this case has {hop}, which {} looks for on the link of {name}",
                world.name(out.0)
            );
            if hop == world.evidence().flow.to {
                return blame::at(CauseKind::NoNeighbour, words, world.matter.span, None);
            }
            blame::of_interface(world, out, CauseKind::NoNeighbour, words, None)
        }));
    };
    let owner_name = world.end_name(*owner);
    let theirs = world.interface(*owner)?.addresses.iter().find(|it| it.cidr.address == hop)?.cidr;
    match own {
        // With a router on the link it is not a cable that is missing: two links have one network.
        Some(own) if own.length == theirs.length && router_on(world, out, hop) => {
            let words = format!(
                "{name} has {own}, and so looks for {hop} on its own link; {owner_name} has it as {theirs} on another one: two \
                 links have the same network"
            );
            let help = Some("every link needs a network of its own".to_owned());
            Some(blame::of_interface(world, out, CauseKind::WrongPrefix, words, help))
        }
        Some(own) if own.length < theirs.length => {
            let words = format!(
                "{name} has {own}, and so looks for {hop} on its own link; {owner_name} has it as {theirs}, on another one"
            );
            let help = format!("a prefix length of /{} or more for {name}", theirs.length);
            Some(blame::of_interface(world, out, CauseKind::WrongPrefix, words, Some(help)))
        }
        None => Some(without_gateway(world, out, hop)),
        Some(own) if has_twice(world, out, hop) => {
            let words = format!(
                "{} has the network of {own} on more than one link, and looks for {hop} on {name}",
                world.name(out.0)
            );
            let help = Some("every link needs a network of its own".to_owned());
            Some(blame::of_interface(world, out, CauseKind::WrongPrefix, words, help))
        }
        // Where somebody could have passed it on, what is missing is not certain to be a cable.
        Some(_) if router_on(world, out, hop) || forwards(world, out.0, hop) => cable(world, *owner),
        Some(_) => Some(not_connected(world, out, *owner)),
    }
}

/// A route by an interface without a gateway makes the node look for every target on that link.
fn without_gateway(world: &World<'_>, out: End, hop: IpAddr) -> Cause {
    let (node, name) = (world.name(out.0), world.end_name(out));
    let words = format!("{node} has a route to {hop} by {name} without a gateway, and so looks for it on that link");
    gateway_cause(world, out.0, hop, words, Some("a `via` on the route".to_owned()))
}

/// Whether a node has a network on more than one interface.
fn has_twice(world: &World<'_>, out: End, hop: IpAddr) -> bool {
    let own = world.ends().filter(|(end, _)| end.0 == out.0);
    own.filter(|(_, it)| it.addresses.iter().any(|own| own.cidr.contains(hop))).count() > 1
}

fn forwards(world: &World<'_>, node: usize, to: IpAddr) -> bool {
    world.setting(node, if to.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" }) != 0
}

/// A node that sends through a gateway what is on a link of its own.
pub(super) fn past_its_own_link(world: &World<'_>, sender: usize, hop: IpAddr, to: IpAddr) -> Option<Cause> {
    let owners = world.owners(to);
    let (end, _) = world.ends().find(|(end, it)| {
        let near = || owners.iter().any(|owner| owner.0 != sender && wire::between(world, *end, *owner).is_some());
        end.0 == sender && it.up && it.addresses.iter().any(|own| own.cidr.contains(to)) && near()
    })?;
    let words = format!(
        "{} sends what is for {to} through {hop}, though it is on the link of {}",
        world.name(sender),
        world.end_name(end)
    );
    Some(gateway_cause(world, sender, to, words, Some("no route of its own, or one without a gateway".to_owned())))
}

/// Whether another node on a link forwards.
fn router_on(world: &World<'_>, out: End, hop: IpAddr) -> bool {
    let key = if hop.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" };
    let speaks = |end: &End| world.interface(*end).is_some_and(|it| !it.addresses.is_empty());
    wire::segment(world, out).iter().any(|end| end.0 != out.0 && speaks(end) && world.setting(end.0, key) != 0)
}

/// The end of the cable at a switch is a port of no bridge.
fn cable(world: &World<'_>, out: End) -> Option<Cause> {
    let mut around = wire::segment(world, out);
    around.push(out);
    let loose = around.into_iter().find(|end| {
        let is_loose = |it: &Interface| {
            it.master.is_none()
                && matches!(it.kind.as_deref(), Some("veth" | "vxlan"))
                && it.addresses.iter().all(|own| is_link_local(own.cidr.address))
        };
        let has_bridge = world.ends().any(|(other, it)| other.0 == end.0 && it.kind.as_deref() == Some("bridge"));
        *end != out && has_bridge && world.interface(*end).is_some_and(is_loose)
    })?;
    let bridge = world.ends().find(|(other, it)| other.0 == loose.0 && it.kind.as_deref() == Some("bridge"))?.0;
    let (name, other) = (world.end_name(loose), world.end_name(bridge));
    let words = format!("{name} is no port of {other}, nor of any other bridge: nothing goes on from there");
    let help = Some(format!("name it in the `ports` of {other}"));
    let pulled = world.matter.performed.iter().any(|operation| match &operation.action {
        crate::plan::Action::Change(place, crate::plan::Change::Master(_)) => {
            place.node == loose.0 && place.index == loose.1
        }
        _ => false,
    });
    let blamed = if pulled { loose } else { bridge };
    Some(blame::of_interface(world, blamed, CauseKind::NotConnected, words, help))
}

fn not_connected(world: &World<'_>, out: End, owner: End) -> Cause {
    if let Some(cause) = cable(world, owner) {
        return cause;
    }
    let words = format!("nothing connects {} with {}", world.end_name(out), world.end_name(owner));
    blame::of_interface(world, out, CauseKind::NotConnected, words, None)
}

/// An address that the case gives an interface which has it no more.
fn lost_address(world: &World<'_>, address: IpAddr) -> Option<Cause> {
    for (node, planned) in world.matter.initial.iter().enumerate() {
        for interface in &planned.interfaces {
            let asked = interface.addresses.iter().any(|cidr| cidr.address == address);
            let found = world.ends().find(|(end, it)| end.0 == node && it.name == interface.name);
            if let (true, Some((end, _))) = (asked, found) {
                let words = format!("{} has not its address {address} any more", world.end_name(end));
                return Some(blame::of_interface(world, end, CauseKind::NoAddress, words, None));
            }
        }
    }
    let removed = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        crate::plan::Action::Change(_, crate::plan::Change::DelAddress(cidr)) => cidr.address == address,
        _ => false,
    })?;
    let words = format!("nobody has {address} since it was deleted");
    Some(blame::at(CauseKind::NoAddress, words, removed.span, None))
}

/// A gateway that nobody on the link is.
fn dead_gateway(world: &World<'_>, out: End, hop: IpAddr, to: IpAddr, owners: &[End]) -> Cause {
    let node = world.name(out.0);
    if owners.is_empty()
        && let Some(cause) = lost_address(world, hop).or_else(|| bare_router(world, out, hop, to))
    {
        return cause;
    }
    let who = match owners.first() {
        Some(owner) => format!("which {} has, on another link", world.end_name(*owner)),
        None => "which nobody has".to_owned(),
    };
    let right = routers_on(world, out, to).first().map(|(end, address)| (world.end_name(*end), *address));
    let help = right.map(|(end, address)| format!("{end} on that link is {address}"));
    gateway_cause(world, out.0, to, format!("{node} sends what is for {to} through {hop}, {who}"), help)
}

/// The router on the link has no address there.
fn bare_router(world: &World<'_>, out: End, hop: IpAddr, to: IpAddr) -> Option<Cause> {
    let key = if to.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" };
    let is_bare = |end: &End| {
        let own = world.interface(*end).filter(|it| it.master.is_none() && it.kind.as_deref() != Some("bridge"));
        let plain = |own: &crate::evidence::Address| {
            own.cidr.address.is_ipv4() == to.is_ipv4() && !is_link_local(own.cidr.address)
        };
        end.0 != out.0 && world.setting(end.0, key) != 0 && own.is_some_and(|it| !it.addresses.iter().any(plain))
    };
    let mut bare = wire::segment(world, out).into_iter().filter(is_bare);
    let end = bare.next()?;
    if bare.next().is_some() {
        return None;
    }
    let (name, sender) = (world.end_name(end), world.name(out.0));
    let words =
        format!("{name} has no {} address, and {sender} looks for its gateway {hop} there", Family::of(to).name());
    Some(blame::of_interface(world, end, CauseKind::NoAddress, words, Some(format!("give {name} the address {hop}"))))
}

fn gateway_cause(world: &World<'_>, node: usize, to: IpAddr, words: String, help: Option<String>) -> Cause {
    let route = planned_routes(world, node, to).first().copied();
    let added = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        crate::plan::Action::AddRoute(on, route, _) => *on == node && route.to.contains(to),
        _ => false,
    });
    let words = route.map_or(words.clone(), |route| format!("{words} (route to {})", prefix(route)));
    match (added.map(|operation| operation.span).or(route.map(|route| route.span)), blame::script_of(world, node)) {
        (Some(span), _) | (None, Some(span)) => blame::at(CauseKind::WrongGateway, words, span, help),
        (None, None) => blame::on_node(world, node, CauseKind::WrongGateway, words, help),
    }
}

/// The addresses on a link of other nodes that forward and have a way on to a target.
fn routers_on(world: &World<'_>, out: End, to: IpAddr) -> Vec<(End, IpAddr)> {
    let mut found = Vec::new();
    for end in wire::segment(world, out) {
        let Some(interface) = world.interface(end).filter(|it| end.0 != out.0 && it.up) else { continue };
        let key = if to.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" };
        if world.setting(end.0, key) == 0 {
            continue;
        }
        let plain = |own: &&crate::evidence::Address| {
            !is_link_local(own.cidr.address) && own.cidr.address.is_ipv4() == to.is_ipv4()
        };
        let Some(own) = interface.addresses.iter().find(plain) else { continue };
        if let Some(Ok(chosen)) = world.decide(Ask::plain(end.0, to))
            && (chosen.local || chosen.oif != Some(end.1))
        {
            found.push((end, own.cidr.address));
        }
    }
    found
}

/// Another node on the link that would have passed on what this one does not.
pub(super) fn better_gateway(world: &World<'_>, out: End, node: usize, hop: IpAddr, to: IpAddr) -> Option<Cause> {
    if !world.has(node, hop) {
        return None;
    }
    let (end, address) = routers_on(world, out, to).into_iter().find(|(end, _)| end.0 != node)?;
    let (sender, wrong, right) = (world.name(out.0), world.name(node), world.name(end.0));
    let words = format!(
        "{sender} sends what is for {to} through {hop}, which is {wrong} and does not forward; {right} on the same link does"
    );
    Some(gateway_cause(world, out.0, to, words, Some(format!("the gateway {address}, which is {right}"))))
}

/// Why a node that has the address does not say so.
fn ignores(world: &World<'_>, out: End, next: End, hop: IpAddr, from: Option<IpAddr>) -> Option<Cause> {
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
    let own_source = from.filter(|from| world.has(out.0, *from));
    let on_link = || asker.clone().find(|own| own.contains(hop)).or_else(|| asker.clone().next());
    let asker = own_source.or_else(|| on_link().map(|own| own.address))?;
    let ignore = world.larger_setting(next, "arp_ignore");
    let elsewhere = own.is_none();
    if ignore == 8 || (elsewhere && (1..8).contains(&ignore)) {
        let keys = [format!("ipv4/conf/{}/arp_ignore", interface.name), "ipv4/conf/all/arp_ignore".to_owned()];
        let words = format!("{name} ignores ARP requests for {hop} (arp_ignore is {ignore})");
        let help = Some("arp_ignore 0 answers for every address of the node".to_owned());
        return Some(blame::of_setting(world, next.0, &keys, CauseKind::ArpIgnored, words, help));
    }
    // The kernel answers only whom it would take a packet from.
    let ask = Ask { from: Some(asker), iif: Some(next.1), ..Ask::plain(next.0, hop) };
    match world.decide(ask)? {
        Err(errno) => reverse_path::filter(world, next, asker, hop, *errno).map(|cause| Cause {
            words: format!("{}; it does not answer ARP requests from there either", cause.words),
            ..cause
        }),
        Ok(_) => None,
    }
}

fn plainly_silent(world: &World<'_>, out: End, next: End, hop: IpAddr) -> Cause {
    let asked = if hop.is_ipv4() { "the ARP requests" } else { "the neighbour solicitations" };
    let words = format!("{} did not answer {asked} of {} for {hop}", world.end_name(next), world.end_name(out));
    blame::of_interface(world, next, CauseKind::NoNeighbour, words, None)
}
