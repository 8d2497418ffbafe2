//! The route that a kernel uses, and the line that made it.

use std::net::IpAddr;

use super::command;
use super::refusal::planned_routes;
use super::world::World;
use crate::evidence::Blame;
use crate::plan::Action;
use crate::words::{Cidr, RouteType};

/// A route of a kernel's own tables.
pub(super) struct Used<'a> {
    /// Its prefix, as `ip route` writes it.
    pub(super) prefix: &'a str,
    to: Cidr,
    via: Option<IpAddr>,
}

/// The route by which a node sends what is for an address to a next hop; without one, by an interface alone. The
/// longest prefix wins.
pub(super) fn used<'a>(world: &World<'a>, node: usize, to: IpAddr, via: Option<IpAddr>) -> Option<Used<'a>> {
    let read = |line: &'a String| {
        let words: Vec<&str> = line.split(' ').collect();
        let prefix = *words.first()?;
        let length = |cidr: Cidr| cidr.contains(to).then_some(cidr);
        let v6 = to.is_ipv6();
        let cidr = command::prefixes(&[prefix], v6).next().and_then(length)?;
        let gateways: Vec<IpAddr> = words
            .iter()
            .enumerate()
            .filter(|(_, word)| **word == "via")
            .filter_map(|(at, _)| words[at + 1..].iter().take(2).find_map(|word| word.parse().ok()))
            .collect();
        let fits = match via {
            Some(via) => gateways.contains(&via),
            // Without a gateway it is the preference that a default route of IPv6 shows its family by.
            None => gateways.is_empty() && (words.contains(&"pref") == v6 || cidr.length > 0),
        };
        fits.then_some(Used { prefix, to: cidr, via })
    };
    world.node(node).routes.iter().filter_map(read).max_by_key(|route| route.to.length)
}

impl Used<'_> {
    /// Who made it: an action of a step, the case, or a line of a script.
    pub(super) fn made_by(&self, world: &World<'_>, node: usize) -> Option<Blame> {
        let same = |route: &crate::plan::Route| {
            route.to.network() == self.to.network() && route.via == self.via && route.kind == RouteType::Unicast
        };
        let added = world.matter.performed.iter().rev().find(|operation| match &operation.action {
            Action::AddRoute(on, route, _) => *on == node && same(route),
            _ => false,
        });
        if let Some(operation) = added {
            return Some(Blame::Case(operation.span));
        }
        if let Some(route) = planned_routes(world, node, self.to.address).into_iter().find(|route| same(route)) {
            return Some(Blame::Case(route.span));
        }
        let through = |words: &command::Words<'_>| self.via.is_none_or(|via| names(words, via));
        let there = |words: &command::Words<'_>| {
            command::prefixes(words, self.to.address.is_ipv6()).any(|it| it.network() == self.to.network())
        };
        let adds =
            |words: &command::Words<'_>| command::is_route(words, &["add", "replace", "change", "append", "prepend"]);
        // What a script has in variables it does not name.
        command::doing(world, node, |words| adds(words) && there(words) && through(words))
            .or_else(|| command::doing(world, node, |words| self.via.is_some() && adds(words) && through(words)))
            .or_else(|| command::doing(world, node, |words| adds(words) && there(words)))
    }
}

fn names(words: &command::Words<'_>, address: IpAddr) -> bool {
    words.iter().any(|word| word.parse() == Ok(address))
}
