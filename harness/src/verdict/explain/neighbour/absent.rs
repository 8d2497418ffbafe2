//! A next hop that nobody on the link is.

use std::net::IpAddr;

use super::super::refusal::is_link_local;
use super::super::world::{End, World};
use super::super::{blame, command, loss, wire};
use super::gateway::{dead_gateway, gateway_cause};
use crate::evidence::{Blame, Cause, CauseKind, Interface};
use crate::plan::{Action, Change, InterfaceKind};
use crate::words::Family;

/// Nobody on the link has the address.
pub(super) fn nobody(
    world: &World<'_>,
    out: End,
    hop: IpAddr,
    gateway: bool,
    to: IpAddr,
    owners: &[End],
) -> Option<Cause> {
    let name = world.end_name(out);
    if let Some(cause) = wire::faults(world, &[out], 0).into_iter().next().or_else(|| cable(world, out, hop)) {
        return Some(cause);
    }
    if gateway {
        return Some(dead_gateway(world, out, hop, to, owners));
    }
    let own = world.interface(out)?.addresses.iter().find(|own| own.cidr.contains(hop)).map(|own| own.cidr);
    let Some(owner) = owners.iter().find(|owner| owner.0 != out.0) else {
        return Some(lost_address(world, hop).unwrap_or_else(|| never_given(world, out, hop)));
    };
    let owner_name = world.end_name(*owner);
    // Of one address with several prefixes it is the widest that makes the link.
    let theirs = world.interface(*owner)?.addresses.iter().map(|it| it.cidr).filter(|it| it.address == hop);
    let theirs = theirs.min_by_key(|it| it.length)?;
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
        Some(_) if answers_only_there(world, out, *owner).is_some() => answers_only_there(world, out, *owner),
        // Where somebody could have passed it on, what is missing is not certain to be a cable.
        Some(_) if router_on(world, out, hop) || forwards(world, out.0, hop) => cable(world, *owner, hop),
        Some(_) => Some(not_connected(world, out, *owner, hop)),
    }
}

/// An address that a node has on another interface than the one on the link: for those of IPv6 it answers only where they
/// are (`ndisc_recv_ns` of the kernel).
fn answers_only_there(world: &World<'_>, out: End, owner: End) -> Option<Cause> {
    let here = wire::segment(world, out).into_iter().find(|end| end.0 == owner.0)?;
    let (other, here) = (world.end_name(owner), world.end_name(here));
    let words =
        format!("the address is on {other}, and {here} on the link of {} does not answer for it", world.end_name(out));
    let help = Some(format!("the address on {here}"));
    Some(blame::of_interface(world, owner, CauseKind::NotConnected, words, help))
}

/// An address that no interface has, nor had.
fn never_given(world: &World<'_>, out: End, hop: IpAddr) -> Cause {
    let (name, sender) = (world.end_name(out), world.name(out.0));
    let words = format!("no interface of this case has {hop}, which {sender} looks for on the link of {name}");
    let given = (0..world.plan().nodes.len()).find_map(|node| Some((node, giving(world, node, hop)?)));
    let bare = bare_end(world, out, hop);
    let words = match bare {
        Some(end) => {
            format!("{words}; {} there has no {} address", world.end_name(end), Family::of(hop).name())
        }
        None => words,
    };
    let kind = if bare.is_some() { CauseKind::NoAddress } else { CauseKind::NoNeighbour };
    match (given, bare) {
        (Some((node, line)), _) => {
            let help = Some("see what that command says, and whether it is the right interface".to_owned());
            blame::by(world, node, Cause::at(kind, words, Some(line), help))
        }
        (None, Some(end)) => blame::of_interface(world, end, kind, words, None),
        (None, None) if hop == world.evidence().flow.to => blame::at(kind, words, world.matter.span, None),
        (None, None) => blame::of_interface(world, out, kind, words, None),
    }
}

/// The command that should have given a node an address.
fn giving(world: &World<'_>, node: usize, address: IpAddr) -> Option<Blame> {
    command::doing(world, node, |words| {
        let verb = words.iter().any(|word| matches!(*word, "addr" | "address" | "a"));
        let names = |word: &&str| command::prefix(word).is_some_and(|prefix| prefix.address == address);
        verb && words.iter().any(names)
    })
}

/// The one interface on a link of a node that has no address of the family at all.
fn bare_end(world: &World<'_>, out: End, hop: IpAddr) -> Option<End> {
    let speaks = |it: &Interface| {
        it.name != "lo"
            && it
                .addresses
                .iter()
                .any(|own| own.cidr.address.is_ipv4() == hop.is_ipv4() && !is_link_local(own.cidr.address))
    };
    let is_bare = |end: &End| {
        let mut own = world.ends().filter(|(other, _)| other.0 == end.0).map(|(_, it)| it);
        let is_host = own.all(|it| !speaks(it) && it.kind.as_deref() != Some("bridge"));
        end.0 != out.0 && is_host
    };
    let mut bare = wire::segment(world, out).into_iter().filter(is_bare);
    let first = bare.next()?;
    bare.next().is_none().then_some(first)
}

/// A route by an interface without a gateway makes the node look for every target on that link.
fn without_gateway(world: &World<'_>, out: End, hop: IpAddr) -> Cause {
    let (node, name) = (world.name(out.0), world.end_name(out));
    let words = format!("{node} has a route to {hop} by {name} without a gateway, and so looks for it on that link");
    gateway_cause(world, out.0, (hop, None), words, Some("a `via` on the route".to_owned()))
}

/// Whether a node has a network on more than one interface.
fn has_twice(world: &World<'_>, out: End, hop: IpAddr) -> bool {
    let own = world.ends().filter(|(end, _)| end.0 == out.0);
    own.filter(|(_, it)| it.addresses.iter().any(|own| own.cidr.contains(hop))).count() > 1
}

pub(super) fn forwards(world: &World<'_>, node: usize, to: IpAddr) -> bool {
    world.setting(node, if to.is_ipv4() { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" }) != 0
}

/// Whether another node on a link forwards.
fn router_on(world: &World<'_>, out: End, hop: IpAddr) -> bool {
    let speaks = |end: &End| world.interface(*end).is_some_and(|it| !it.addresses.is_empty());
    wire::segment(world, out).iter().any(|end| end.0 != out.0 && speaks(end) && forwards(world, end.0, hop))
}

/// The end of the cable at a switch is a port of no bridge.
fn cable(world: &World<'_>, out: End, hop: IpAddr) -> Option<Cause> {
    let mut around = wire::segment(world, out);
    around.push(out);
    let loose = around.into_iter().find(|end| {
        let is_loose = |it: &Interface| {
            it.master.is_none()
                && matches!(it.kind.as_deref(), Some("veth" | "vxlan"))
                && it.addresses.iter().all(|own| is_link_local(own.cidr.address))
        };
        *end != out && bridge_for(world, end.0, hop).is_some() && world.interface(*end).is_some_and(is_loose)
    })?;
    let bridge = bridge_for(world, loose.0, hop)?;
    let (name, other) = (world.end_name(loose), world.end_name(bridge));
    let words = format!("{name} is no port of {other}, nor of any other bridge: nothing goes on from there");
    let pulled = world.matter.performed.iter().any(|operation| match &operation.action {
        Action::Change(place, Change::Master(_)) => place.node == loose.0 && place.index == loose.1,
        _ => false,
    });
    // What a script has made, and what it has joined or parted, stands in its own lines.
    let declared = world.planned_interface(bridge).is_some_and(|it| it.kind == InterfaceKind::Bridge);
    if pulled || declared {
        let help = Some(format!("name it in the `ports` of {other}"));
        let blamed = if pulled || parted(world, loose).is_some() { loose } else { bridge };
        return Some(blame::of_interface(world, blamed, CauseKind::NotConnected, words, help));
    }
    let interface = &*world.interface(loose)?.name;
    let with = |verb: &'static str| {
        command::doing(world, loose.0, move |words| words.contains(&interface) && words.contains(&verb))
    };
    let help = Some(format!("`ip link set {interface} master {}`", world.interface(bridge)?.name));
    let made = parted(world, loose).or_else(|| with("add")).or_else(|| with("up"));
    Some(match (made, blame::script_of(world, loose.0)) {
        (Some(line), _) => blame::by(world, loose.0, Cause::at(CauseKind::NotConnected, words, Some(line), help)),
        (None, Some(span)) => blame::by(world, loose.0, blame::at(CauseKind::NotConnected, words, span, help)),
        (None, None) => blame::of_interface(world, loose, CauseKind::NotConnected, words, help),
    })
}

/// The command that took an interface from its bridge.
fn parted(world: &World<'_>, loose: End) -> Option<Blame> {
    let interface = &*world.interface(loose)?.name;
    command::doing(world, loose.0, |words| words.contains(&interface) && words.contains(&"nomaster"))
}

/// The bridge of a node that an address may be behind. One with addresses of its own is a network, of which the node's
/// other interfaces are no part.
fn bridge_for(world: &World<'_>, node: usize, hop: IpAddr) -> Option<End> {
    let near = |it: &Interface| it.addresses.iter().any(|own| own.cidr.contains(hop));
    let is_for = |bridge: End, it: &Interface| {
        let plain = it.addresses.iter().any(|own| !is_link_local(own.cidr.address));
        let behind = || wire::segment(world, bridge).into_iter().filter_map(|end| world.interface(end)).any(near);
        !plain || near(it) || behind()
    };
    let mut bridges = world.ends().filter(|(end, it)| end.0 == node && it.kind.as_deref() == Some("bridge"));
    bridges.find(|(end, it)| is_for(*end, it)).map(|(end, _)| end)
}

fn not_connected(world: &World<'_>, out: End, owner: End, hop: IpAddr) -> Cause {
    if let Some(cause) = cable(world, owner, hop) {
        return cause;
    }
    let words = format!("nothing connects {} with {}", world.end_name(out), world.end_name(owner));
    if let Some(cause) = moved(world, (out, owner), &words) {
        return cause;
    }
    blame::of_interface(world, out, CauseKind::NotConnected, words, None)
}

/// The cables of two interfaces end in two bridges of one node, into which an action has put one of them.
fn moved(world: &World<'_>, (out, owner): (End, End), words: &str) -> Option<Cause> {
    let far = |end: End| world.interface(end).filter(|it| it.kind.as_deref() == Some("veth"))?.link;
    let ports = [far(out)?, far(owner)?];
    let [one, other] = ports.map(|port| world.interface(port).and_then(|it| it.master));
    if ports[0].0 != ports[1].0 || one? == other? {
        return None;
    }
    let last = world.matter.performed.iter().rev().find_map(|operation| match &operation.action {
        Action::Change(place, Change::Master(_)) => ports.into_iter().find(|port| {
            let name = world.interface(*port).map(|it| it.name.as_str());
            place.node == port.0 && (place.index == port.1 || Some(place.name.as_str()) == name)
        }),
        _ => None,
    })?;
    let [here, there] = [(ports[0], one?), (ports[1], other?)]
        .map(|(port, bridge)| format!("{} is a port of {}", world.end_name(port), world.end_name((port.0, bridge))));
    let words = format!("{words}: {here}, and {there}");
    let help = Some("both must be ports of one bridge".to_owned());
    Some(blame::of_interface(world, last, CauseKind::NotConnected, words, help))
}

/// An address that the case gives an interface which has it no more.
pub(super) fn lost_address(world: &World<'_>, address: IpAddr) -> Option<Cause> {
    for (node, planned) in world.matter.initial.iter().enumerate() {
        for interface in &planned.interfaces {
            if !interface.addresses.iter().any(|cidr| cidr.address == address) {
                continue;
            }
            let found = world.ends().find(|(end, it)| end.0 == node && it.name == interface.name);
            if let Some((end, _)) = found {
                if let Some(cause) = loss::address(world, end, address, "") {
                    return Some(cause);
                }
                let words = format!("{} has not its address {address} any more", world.end_name(end));
                return Some(blame::of_interface(world, end, CauseKind::NoAddress, words, None));
            }
            if let Some(cause) = taken_away(world, node, interface, address) {
                return Some(cause);
            }
        }
    }
    let removed = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        Action::Change(_, Change::DelAddress(cidr)) => cidr.address == address,
        _ => false,
    })?;
    let words = format!("nobody has {address} since it was deleted");
    Some(blame::at(CauseKind::NoAddress, words, removed.span, None))
}

/// An interface that a step has deleted, with the other end of its cable or by that, or moved to another node.
fn taken_away(world: &World<'_>, node: usize, interface: &crate::plan::Interface, address: IpAddr) -> Option<Cause> {
    let peer = loss::peer(world, &interface.kind);
    let own = (node, interface.name.as_str());
    let (operation, words) = world.matter.performed.iter().rev().find_map(|operation| {
        let Action::Change(place, change) = &operation.action else { return None };
        let at = (place.node, place.name.as_str());
        let name = format!("{}.{}", world.name(node), interface.name);
        let words = match change {
            Change::Delete if at == own => format!("{name}, which had {address}, was deleted"),
            Change::Delete if Some(at) == peer => {
                format!(
                    "{name}, which had {address}, went with {}.{}, the other end of its cable",
                    world.name(at.0),
                    at.1
                )
            }
            Change::Node(to) if at == own => {
                format!("{name} was moved to {}, and so lost its address {address}", world.name(*to))
            }
            _ => return None,
        };
        Some((operation, words))
    })?;
    Some(blame::by(world, node, blame::at(CauseKind::NoAddress, words, operation.span, None)))
}
