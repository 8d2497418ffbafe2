//! A check in words: what an expectation without a name is called.

use std::net::{IpAddr, SocketAddr};

use super::{Check, Dns, Http, List, Listing, Must, Node, NodeId, Ping, RouteQuery, Solicit, Target, Transfer};
use crate::words::{Answer, Family, Outcome, Rcode, Transport};

impl Check {
    /// The words of the check, such as `ping netns1 -> 172.18.0.21: unreachable`. What goes without saying is left out.
    pub fn words(&self, nodes: &[Node]) -> String {
        match self {
            Self::Ping(ping) => traffic("ping", node(nodes, ping.from), &ping.to, &ping.to.words, &ping.outcome),
            Self::Tcp(transfer) => connection("tcp", nodes, transfer),
            Self::Udp(transfer) => connection("udp", nodes, transfer),
            Self::Http(http) => request(nodes, http),
            Self::Dns(dns) => query(nodes, dns),
            Self::Trace(trace) => {
                let Ping { from, to, outcome, .. } = &trace.ping;
                traffic("trace", node(nodes, *from), to, &to.words, outcome)
            }
            Self::Arp(solicit) => question("arp", nodes, solicit),
            Self::Ndp(solicit) => question("ndp", nodes, solicit),
            Self::Neigh(neigh) => {
                let place = match &neigh.dev {
                    Some(dev) => format!("{}.{dev}", node(nodes, neigh.on)),
                    None => node(nodes, neigh.on).to_owned(),
                };
                let ends = format!("neigh {place} -> {}", neigh.to.words);
                format!("{ends}{}{}", absent(neigh.present), family(&neigh.to))
            }
            Self::Route(route) => {
                let on = node(nodes, route.on);
                let (to, family) = match &route.query {
                    RouteQuery::Table(prefix) if prefix.length == 0 => match Family::of(prefix.address) {
                        Family::Ipv4 => ("default".to_owned(), ""),
                        Family::Ipv6 => ("default".to_owned(), " (IPv6)"),
                    },
                    RouteQuery::Table(prefix) => (prefix.to_string(), ""),
                    RouteQuery::Lookup(target) => (target.words.clone(), family(target)),
                };
                format!("route {on} -> {to}{}{family}", absent(route.present))
            }
            Self::Isolated(one, other) => format!("isolated {} and {}", node(nodes, *one), node(nodes, *other)),
            Self::Run(run) => format!("run {}: {}", node(nodes, run.on), run.words()),
            Self::Link(link) => format!("link {}.{}{}", node(nodes, link.on), link.name, absent(link.present)),
            Self::Listing(listing) => listed(node(nodes, listing.on), listing),
        }
    }
}

/// `fdb host.br0 a.eth0 on veth0`, `routes a`.
fn listed(on: &str, Listing { list, must, entries, on: _ }: &Listing) -> String {
    let absent = absent(*must != Must::Lack);
    let words = entries.iter().map(|entry| entry.words.as_str()).collect::<Vec<_>>().join(" and ");
    let only = |family: &Option<Family>| family.map(|family| format!(" ({})", family.name())).unwrap_or_default();
    match list {
        List::Setting { key, .. } => format!("sysctl {on} {key}: {words}"),
        List::Addresses { dev } if *must == Must::BeExactly => format!("addr {on}.{dev}"),
        List::Addresses { dev } => format!("addr {on}.{dev} {words}{absent}"),
        List::Ports { bridge, mac: (_, mac) } => {
            let port = if words.is_empty() { words } else { format!(" on {words}") };
            format!("fdb {on}.{bridge} {mac}{port}{absent}")
        }
        List::Links => format!("links {on}"),
        List::Routes { family } => format!("routes {on}{}", only(family)),
        List::Neighbours { dev, family } => {
            let dev = dev.as_ref().map(|dev| format!(".{dev}")).unwrap_or_default();
            format!("neighs {on}{dev}{}", only(family))
        }
    }
}

fn node(nodes: &[Node], id: NodeId) -> &str {
    nodes.get(id).map_or("?", |node| &node.name)
}

fn connection(protocol: &str, nodes: &[Node], transfer: &Transfer) -> String {
    let words = traffic(protocol, node(nodes, transfer.from), &transfer.to, &transfer.to.words, &transfer.outcome);
    words + &seen_from(transfer)
}

fn request(nodes: &[Node], http: &Http) -> String {
    let to = if http.method == "GET" { http.url.clone() } else { format!("{} {}", http.method, http.url) };
    let connection = &http.connection;
    traffic("http", node(nodes, connection.from), &connection.to, &to, &connection.outcome) + &seen_from(connection)
}

fn seen_from(transfer: &Transfer) -> String {
    transfer.seen_from.as_ref().map(|seen| format!(", seen from {}", seen.words)).unwrap_or_default()
}

fn query(nodes: &[Node], dns: &Dns) -> String {
    let carrier = &dns.carrier;
    let over = if dns.transport == Transport::Tcp { " over TCP" } else { "" };
    let to = format!("{}: {} {}{over}", carrier.to.words, dns.name, dns.kind);
    let rcode = dns.rcode.filter(|rcode| *rcode != Rcode::NoError).map(|rcode| format!(": {rcode}"));
    traffic("dns", node(nodes, carrier.from), &carrier.to, &(to + &rcode.unwrap_or_default()), &carrier.outcome)
}

fn traffic(protocol: &str, from: &str, target: &Target, to: &str, outcome: &[Outcome]) -> String {
    let outcome = match outcome {
        [Outcome::Reachable | Outcome::Open] => String::new(),
        words => format!(": {}", any_of(words.iter().map(|word| word.word()))),
    };
    format!("{protocol} {from} -> {to}{outcome}{}", family(target))
}

fn question(protocol: &str, nodes: &[Node], solicit: &Solicit) -> String {
    let from = match nodes.get(solicit.from.node) {
        // One interface beside `lo` needs no name.
        Some(node) if node.interfaces.len() == 2 => node.name.clone(),
        Some(node) => match node.interfaces.get(solicit.from.interface) {
            Some(interface) => format!("{}.{}", node.name, interface.name),
            None => node.name.clone(),
        },
        None => "?".to_owned(),
    };
    let outcome = match &*solicit.outcome {
        [Answer::Answered] => String::new(),
        words => format!(": {}", any_of(words.iter().map(|word| word.word()))),
    };
    format!("{protocol} {from} -> {}{outcome}", solicit.to.words)
}

fn any_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

fn absent(present: bool) -> &'static str {
    if present { "" } else { ": absent" }
}

/// IPv6 is said where the words do not show it.
fn family(target: &Target) -> &'static str {
    let host = target.words.trim_start_matches('[').trim_end_matches(']');
    let literal = host.parse::<IpAddr>().is_ok() || target.words.parse::<SocketAddr>().is_ok();
    if target.address.is_ipv6() && !literal { " (IPv6)" } else { "" }
}
