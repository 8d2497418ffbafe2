//! Addresses that no kernel believes in what comes from outside (RFC 1812, section 5.3.7; RFC 4291, section 2.5.3).

use super::blame;
use super::trails::Ends;
use super::translator::{self, Side};
use super::travelling::Travelling;
use super::world::{End, World};
use crate::evidence::{Blame, Cause, CauseKind};

/// A target of the loopback network, which rules have made of another one: `route_localnet` of ip-sysctl lets that in, and
/// IPv6 has nothing like it.
pub(super) fn to_loopback(world: &World<'_>, iif: End, packet: &Travelling) -> Option<Cause> {
    let to = packet.to;
    let interface = world.interface(iif).filter(|it| it.name != "lo" && to.is_loopback())?;
    let (name, end) = (world.name(iif.0), world.end_name(iif));
    let acted = translator::acted(world, iif.0, Side::Target, &as_sent(world, iif.0, packet));
    let by = acted.map_or_else(|| "its rules make".to_owned(), |it| format!("its {} makes", it.name()));
    if to.is_ipv6() {
        let words = format!("{name} takes nothing for {to} that comes in by {end}, and {by} that of the target");
        let help = Some(format!("a target that is an address of {end}"));
        return Some(translator::by(world, iif.0, acted, Cause::at(CauseKind::NatWrong, words, None, help)));
    }
    let keys = [format!("ipv4/conf/{}/route_localnet", interface.name), "ipv4/conf/all/route_localnet".to_owned()];
    if !world.node(iif.0).sysctls.contains_key(&keys[0]) || world.larger_setting(iif, "route_localnet") != 0 {
        return None;
    }
    let words = format!(
        "{name} takes nothing for {to} that comes in by {end} (route_localnet is 0), and {by} that of the target"
    );
    let help =
        Some(format!("`net.ipv4.conf.{}.route_localnet = 1`, or a target that is an address of {end}", interface.name));
    let cause = blame::of_setting(world, iif.0, &keys, CauseKind::NatWrong, words, help);
    // A setting that nobody has set is as it was: then it is the rule that asks for more.
    let untouched = cause.blame == blame::of_node(world, iif.0).map(Blame::Case);
    Some(if untouched && acted.is_some() { translator::by(world, iif.0, acted, cause) } else { cause })
}

/// The ends with which a packet came to a node that has given it another target.
fn as_sent(world: &World<'_>, node: usize, packet: &Travelling) -> Vec<Ends> {
    let shown = world.evidence().traces.iter().filter(|trace| trace.node == node);
    let same = |ends: &Ends| Some(ends.from) == packet.from && ends.source_port == packet.source_port;
    shown.filter_map(|trace| Ends::of(trace.packet.as_ref()?)).filter(same).collect()
}
