//! Routes as `ip route show table all` writes them (ip/iproute.c of iproute2).

use std::net::IpAddr;

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
    RoutePreference, RouteProtocol, RouteScope, RouteType, RouteVia,
};

use crate::lab::state::{name_by_index, route_of, table};

/// `RT_TABLE_DEFAULT`, `RT_TABLE_MAIN` and `RT_TABLE_LOCAL` of linux/rtnetlink.h.
const TABLES: [(u32, &str); 3] = [(253, "default"), (MAIN, "main"), (255, "local")];
const MAIN: u32 = 254;

/// The name of a table, or its number.
pub(super) fn table_name(number: u32) -> String {
    let named = TABLES.iter().find(|(known, _)| *known == number);
    named.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// A route on one line.
pub(super) fn text(message: &RouteMessage, links: &[LinkMessage]) -> String {
    let route = route_of(message, links);
    let v6 = message.header.address_family == AddressFamily::Inet6;
    let mut words: Vec<String> = kind(message.header.kind).into_iter().collect();
    words.push(prefix(route.to.address, route.to.length));
    words.extend(way(&message.attributes, links));
    let number = table(message);
    if number != MAIN {
        words.push(format!("table {}", table_name(number)));
    }
    words.extend(protocol(message.header.protocol).map(|name| format!("proto {name}")));
    if !v6 {
        words.extend(scope(message.header.scope).map(|name| format!("scope {name}")));
    }
    words.extend(route.src.map(|src| format!("src {src}")));
    let metric = message.attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::Priority(_)));
    if metric {
        words.push(format!("metric {}", route.metric));
    }
    let flags = message.header.flags;
    words.extend(marks([
        (flags.contains(RouteFlags::Dead), "dead"),
        (flags.contains(RouteFlags::Onlink), "onlink"),
        (flags.contains(RouteFlags::Linkdown), "linkdown"),
    ]));
    words.extend(message.attributes.iter().filter_map(number_of_hop));
    words.extend(message.attributes.iter().flat_map(metrics));
    words.extend(message.attributes.iter().filter_map(preference));
    words.extend(message.attributes.iter().flat_map(|attribute| next_hops(attribute, links)));
    words.join(" ")
}

/// A prefix, or one address.
pub(super) fn prefix(address: IpAddr, length: u8) -> String {
    match (address, length) {
        (address, 0) if address.is_unspecified() => "default".to_owned(),
        (IpAddr::V4(address), 32) => address.to_string(),
        (IpAddr::V6(address), 128) => address.to_string(),
        _ => format!("{address}/{length}"),
    }
}

/// The gateway and the interface of a route, or of one of its next hops.
fn way(attributes: &[RouteAttribute], links: &[LinkMessage]) -> Vec<String> {
    let mut words = Vec::new();
    for attribute in attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => words.push(format!("via {address}")),
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => words.push(format!("via {address}")),
            // A gateway of the other family.
            RouteAttribute::Via(RouteVia::Inet(address)) => words.push(format!("via inet {address}")),
            RouteAttribute::Via(RouteVia::Inet6(address)) => words.push(format!("via inet6 {address}")),
            _ => {}
        }
    }
    for attribute in attributes {
        if let RouteAttribute::Oif(index) = attribute {
            words.push(format!("dev {}", dev(*index, links)));
        }
    }
    words
}

fn dev(index: u32, links: &[LinkMessage]) -> String {
    name_by_index(links, index).unwrap_or_else(|| format!("if{index}"))
}

fn number_of_hop(attribute: &RouteAttribute) -> Option<String> {
    let RouteAttribute::NhId(id) = attribute else { return None };
    Some(format!("nhid {id}"))
}

fn metrics(attribute: &RouteAttribute) -> Vec<String> {
    let RouteAttribute::Metrics(metrics) = attribute else { return Vec::new() };
    metrics.iter().filter_map(metric).collect()
}

fn preference(attribute: &RouteAttribute) -> Option<String> {
    let word = match attribute {
        RouteAttribute::Preference(RoutePreference::Low) => "low",
        RouteAttribute::Preference(RoutePreference::Medium) => "medium",
        RouteAttribute::Preference(RoutePreference::High) => "high",
        _ => return None,
    };
    Some(format!("pref {word}"))
}

fn next_hops(attribute: &RouteAttribute, links: &[LinkMessage]) -> Vec<String> {
    let RouteAttribute::MultiPath(hops) = attribute else { return Vec::new() };
    hops.iter().map(|hop| next_hop(hop, links)).collect()
}

fn metric(metric: &RouteMetric) -> Option<String> {
    match metric {
        RouteMetric::Mtu(mtu) => Some(format!("mtu {mtu}")),
        RouteMetric::Advmss(size) => Some(format!("advmss {size}")),
        RouteMetric::Hoplimit(limit) => Some(format!("hoplimit {limit}")),
        _ => None,
    }
}

fn next_hop(hop: &RouteNextHop, links: &[LinkMessage]) -> String {
    let mut words = vec!["nexthop".to_owned()];
    words.extend(way(&hop.attributes, links));
    // Here the interface stands in the header.
    words.push(format!("dev {}", dev(hop.interface_index, links)));
    words.push(format!("weight {}", u16::from(hop.hops) + 1));
    words.extend(marks([
        (hop.flags.contains(RouteNextHopFlags::Dead), "dead"),
        (hop.flags.contains(RouteNextHopFlags::Onlink), "onlink"),
        (hop.flags.contains(RouteNextHopFlags::Linkdown), "linkdown"),
    ]));
    words.join(" ")
}

fn marks(marks: [(bool, &'static str); 3]) -> impl Iterator<Item = String> {
    marks.into_iter().filter(|(set, _)| *set).map(|(_, word)| word.to_owned())
}

/// The type of a route, where it is not the usual one.
fn kind(kind: RouteType) -> Option<String> {
    let word = match kind {
        RouteType::Unicast => return None,
        RouteType::Local => "local",
        RouteType::Broadcast => "broadcast",
        RouteType::Anycast => "anycast",
        RouteType::Multicast => "multicast",
        RouteType::BlackHole => "blackhole",
        RouteType::Unreachable => "unreachable",
        RouteType::Prohibit => "prohibit",
        RouteType::Throw => "throw",
        RouteType::Nat => "nat",
        other => return Some(format!("type {}", u8::from(other))),
    };
    Some(word.to_owned())
}

/// Who made a route, in the words of iproute2's `rt_protos`; what `ip route add` makes has none.
pub(super) fn protocol(protocol: RouteProtocol) -> Option<String> {
    let word = match protocol {
        RouteProtocol::Boot => return None,
        RouteProtocol::Unspec => "unspec",
        RouteProtocol::IcmpRedirect => "redirect",
        RouteProtocol::Kernel => "kernel",
        RouteProtocol::Static => "static",
        RouteProtocol::Ra => "ra",
        RouteProtocol::Dhcp => "dhcp",
        RouteProtocol::Zebra => "zebra",
        RouteProtocol::Bird => "bird",
        RouteProtocol::Bgp => "bgp",
        RouteProtocol::Ospf => "ospf",
        other => return Some(u8::from(other).to_string()),
    };
    Some(word.to_owned())
}

fn scope(scope: RouteScope) -> Option<String> {
    let word = match scope {
        RouteScope::Universe => return None,
        RouteScope::Site => "site",
        RouteScope::Link => "link",
        RouteScope::Host => "host",
        RouteScope::NoWhere => "nowhere",
        other => return Some(u8::from(other).to_string()),
    };
    Some(word.to_owned())
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::LinkAttribute;

    use super::*;

    fn route(address: &str, length: u8, attributes: Vec<RouteAttribute>) -> RouteMessage {
        let address: IpAddr = address.parse().expect("an address");
        let mut message = RouteMessage::default();
        message.header.address_family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.destination_prefix_length = length;
        message.header.table = 254;
        message.header.kind = RouteType::Unicast;
        message.header.protocol = RouteProtocol::Boot;
        message.attributes = attributes;
        if length > 0 {
            message.attributes.push(RouteAttribute::Destination(address.into()));
        }
        message
    }

    fn links() -> Vec<LinkMessage> {
        let mut link = LinkMessage::default();
        link.header.index = 3;
        link.attributes = vec![LinkAttribute::IfName("e0".to_owned())];
        vec![link]
    }

    #[test]
    fn a_route_is_written_as_by_ip_route() {
        let gateway = |text: &str| RouteAttribute::Gateway(text.parse::<IpAddr>().expect("an address").into());
        let plain = route("0.0.0.0", 0, vec![gateway("10.0.0.2"), RouteAttribute::Oif(3)]);
        assert_eq!(text(&plain, &links()), "default via 10.0.0.2 dev e0");
        let metrics = vec![RouteMetric::Mtu(1400)];
        let more = vec![gateway("10.0.0.2"), RouteAttribute::Priority(5), RouteAttribute::Metrics(metrics)];
        assert_eq!(text(&route("10.1.0.0", 16, more), &[]), "10.1.0.0/16 via 10.0.0.2 metric 5 mtu 1400");
        let mut local = route("10.0.0.1", 32, vec![RouteAttribute::Oif(3), RouteAttribute::Table(255)]);
        local.header.kind = RouteType::Local;
        local.header.protocol = RouteProtocol::Kernel;
        local.header.scope = RouteScope::Host;
        assert_eq!(text(&local, &links()), "local 10.0.0.1 dev e0 table local proto kernel scope host");
        let mut refusing = route("10.3.0.0", 16, vec![RouteAttribute::Table(77)]);
        refusing.header.kind = RouteType::Unreachable;
        assert_eq!(text(&refusing, &[]), "unreachable 10.3.0.0/16 table 77");
        let mut other = route("10.4.0.0", 16, vec![RouteAttribute::Via(RouteVia::Inet6(1_u128.into()))]);
        other.header.flags = RouteFlags::Onlink | RouteFlags::Linkdown;
        assert_eq!(text(&other, &[]), "10.4.0.0/16 via inet6 ::1 onlink linkdown");
        let preferred = vec![RouteAttribute::Oif(3), RouteAttribute::Preference(RoutePreference::Medium)];
        assert_eq!(text(&route("fd00::", 64, preferred), &links()), "fd00::/64 dev e0 pref medium");
    }

    #[test]
    fn next_hops_are_written() {
        let mut hop = RouteNextHop::default();
        hop.interface_index = 3;
        hop.hops = 1;
        hop.attributes = vec![RouteAttribute::Gateway(IpAddr::from([10, 0, 0, 2]).into())];
        let preference = RouteAttribute::Preference(RoutePreference::Medium);
        let both = route("10.5.0.0", 16, vec![RouteAttribute::MultiPath(vec![hop]), preference]);
        assert_eq!(text(&both, &links()), "10.5.0.0/16 pref medium nexthop via 10.0.0.2 dev e0 weight 2");
    }
}
