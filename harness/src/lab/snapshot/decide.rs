//! What a node's kernel would do with a packet: `ip route get`.
//!
//! Measured with Linux 6.18, for a packet that comes in (`iif`) and, where it says so, one that the node sends:
//!
//! | | IPv4 | IPv6 |
//! |---|---|---|
//! | forwarded | the route; no source | the same |
//! | forwarding off at the interface | `EHOSTUNREACH` | the route: the kernel looks at the setting only later |
//! | forwarding off, and no route | `EHOSTUNREACH` | `ENETUNREACH` |
//! | no route, also sent, also behind `throw` | `ENETUNREACH` | the same |
//! | strict `rp_filter`, other way back | `EINVAL` (6.1 and 6.12: `EXDEV`) | there is no such filter |
//! | strict or loose `rp_filter`, no way back | `EINVAL` (6.1 and 6.12: `EXDEV`) | there is no such filter |
//! | source is the node's own | `EINVAL` | the route |
//! | no source | `EINVAL` | the route |
//! | sent from a source that is not the node's | `ENETUNREACH` | the route |
//! | `blackhole`, also sent, also a policy rule | `EINVAL` | the same |
//! | `unreachable`, also sent | `EHOSTUNREACH` | the same |
//! | `unreachable` as a policy rule, also sent | `ENETUNREACH` | the same |
//! | `prohibit`, also sent, also a policy rule | `EACCES` | the same |
//! | the node's own address | local by `lo`, in table 254 as long as the node has no policy rule of its own (the kernel keeps both tables as one), then in 255 | local by `lo`, in table 255 |
//! | a policy rule to a table | the route, and that table | the same |
//! | a broadcast | many, in table 255 (or 254 as above); table 0 for 255.255.255.255 | |
//! | a group that the node has joined | many, in table 0 | an error, `EMSGSIZE` |
//! | a group that it has not | `EINVAL` | an error, `EMSGSIZE` |
//! | the interface it came in by is down | the route | the same |

use std::net::IpAddr;

use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteType, RouteVia,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::evidence::{Ask, Chosen, Decision, Protocol};
use crate::lab::state::table;
use crate::lab::{KernelError, LabNode};

/// Asks a node's kernel where a packet would go, and gives its answer, or the errno with which it refuses the packet.
///
/// The source of a packet that comes in must be another's address: IPv4 refuses the node's own (`EINVAL`). That IPv6
/// gives a route does not say that it forwards: `net.ipv6.conf.DEV.forwarding` does.
///
/// # Errors
///
/// A question that the kernel does not understand, or about an interface that is not there (`ENODEV`), or about a group
/// of IPv6 that comes in (`EMSGSIZE`); and a node that is not there.
pub async fn decide(node: &LabNode, ask: &Ask) -> Result<Decision, KernelError> {
    if node.absent {
        return Err(KernelError::broken(words(ask), "there is no such namespace now"));
    }
    let answer = node.netlink.get(RouteNetlinkMessage::GetRoute(question(ask)), || words(ask)).await;
    let answer = match answer {
        Ok(Some(RouteNetlinkMessage::NewRoute(route))) => chosen(&route),
        Ok(_) => return Err(KernelError::broken(words(ask), "the kernel gave no route and no error")),
        // A sentence of the kernel's own is about the question, and not about the packet.
        Err(error) if error.text.is_none() && is_refusal(error.errno) => Err(error.errno),
        Err(error) => return Err(error),
    };
    Ok(Decision { asked: ask.clone(), answer })
}

/// What the kernel says of a packet that it would not pass on: no route, the errno of a route's type (`fib_props` of
/// `net/ipv4/fib_semantics.c`, `ip6_rt_type_to_error` of net/ipv6/route.c), and a source that it does not believe.
fn is_refusal(errno: i32) -> bool {
    matches!(errno, libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL | libc::EXDEV | libc::EAGAIN)
}

fn question(ask: &Ask) -> RouteMessage {
    let v6 = ask.to.is_ipv6();
    let whole = if v6 { 128 } else { 32 };
    let mut message = RouteMessage::default();
    message.header.address_family = if v6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    message.header.destination_prefix_length = whole;
    if !v6 {
        // Without this the answer names the main table, whichever it was; IPv6 always tells, and refuses the flag.
        message.header.flags = RouteFlags::LookupTable;
    }
    message.attributes.push(RouteAttribute::Destination(RouteAddress::from(ask.to)));
    if let Some(from) = ask.from {
        message.header.source_prefix_length = whole;
        message.attributes.push(RouteAttribute::Source(RouteAddress::from(from)));
    }
    message.attributes.extend(ask.iif.map(RouteAttribute::Iif));
    message.attributes.extend(Some(ask.mark).filter(|mark| *mark != 0).map(RouteAttribute::Mark));
    if ask.protocol != Protocol::Neighbour {
        message.attributes.push(RouteAttribute::IpProto(ask.protocol.number(v6)));
    }
    if matches!(ask.protocol, Protocol::Tcp | Protocol::Udp) {
        message.attributes.push(RouteAttribute::Sport(ask.source_port));
        message.attributes.push(RouteAttribute::Dport(ask.port));
    }
    message
}

fn words(ask: &Ask) -> String {
    let from = ask.from.map(|from| format!(" from {from}")).unwrap_or_default();
    let iif = ask.iif.map(|index| format!(" iif {index}")).unwrap_or_default();
    format!("ip route get {}{from}{iif}", ask.to)
}

/// The route of an answer, or the errno of one that refuses.
fn chosen(route: &RouteMessage) -> Result<Chosen, i32> {
    if let Some(errno) = refusal(route.header.kind) {
        return Err(errno);
    }
    let mut chosen = Chosen {
        local: route.header.kind == RouteType::Local,
        many: matches!(route.header.kind, RouteType::Broadcast | RouteType::Multicast),
        via: None,
        oif: None,
        source: None,
        table: table(route),
        mtu: None,
    };
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Gateway(address) => chosen.via = ip(address),
            RouteAttribute::Via(RouteVia::Inet(address)) => chosen.via = Some((*address).into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => chosen.via = Some((*address).into()),
            RouteAttribute::Oif(index) => chosen.oif = Some(*index),
            RouteAttribute::PrefSource(address) => chosen.source = ip(address),
            RouteAttribute::Metrics(metrics) => {
                chosen.mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Ok(chosen)
}

/// The errno that a route of a type gives to who sends by it, should a kernel tell the route and not the errno.
fn refusal(kind: RouteType) -> Option<i32> {
    match kind {
        RouteType::BlackHole => Some(libc::EINVAL),
        RouteType::Unreachable => Some(libc::EHOSTUNREACH),
        RouteType::Prohibit => Some(libc::EACCES),
        _ => None,
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: RouteType, attributes: Vec<RouteAttribute>) -> Result<Chosen, i32> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.kind = kind;
        message.attributes = attributes;
        chosen(&message)
    }

    #[test]
    fn an_answer_is_read() {
        let attributes = vec![
            RouteAttribute::Table(100),
            RouteAttribute::Oif(3),
            RouteAttribute::Via(RouteVia::Inet6(1_u128.into())),
            RouteAttribute::Metrics(vec![RouteMetric::Advmss(9), RouteMetric::Mtu(1400)]),
        ];
        let via = answer(RouteType::Unicast, attributes).expect("it is a way");
        assert_eq!((via.table, via.oif, via.mtu, via.local, via.many), (100, Some(3), Some(1400), false, false));
        assert_eq!(via.via.map(|via| via.to_string()), Some("::1".to_owned()));
        assert!(answer(RouteType::Local, vec![]).is_ok_and(|chosen| chosen.local && !chosen.many));
        assert!(answer(RouteType::Broadcast, vec![]).is_ok_and(|chosen| chosen.many && !chosen.local));
    }

    #[test]
    fn a_route_that_refuses_is_the_errno_of_who_sends_by_it() {
        for (kind, errno) in [
            (RouteType::BlackHole, libc::EINVAL),
            (RouteType::Unreachable, libc::EHOSTUNREACH),
            (RouteType::Prohibit, libc::EACCES),
        ] {
            assert_eq!(answer(kind, vec![]), Err(errno));
        }
    }
}
