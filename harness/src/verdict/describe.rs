//! Checks and observations in words.

use std::net::{IpAddr, SocketAddr};

use super::words::{all_of, any_of, duration, icmp_error, is_port_unreachable, local_refusal};
use crate::observation::{Link, Neighbour, Route, Seen, Traffic};
use crate::plan::{Check, End, NodeId, Plan, RouteQuery, Target, Transfer};
use crate::words::{Answer, Cidr, Mac, Outcome, RouteKind, RouteScope};

/// The words of a check: `ping netns1 -> 172.18.0.21: unreachable`. What is expected anyway is not said.
pub fn describe_check(plan: &Plan, check: &Check) -> String {
    match check {
        Check::Ping(ping) => {
            let flow = format!("ping {} -> {}", node(plan, ping.from), ping.to.words);
            with_outcome(flow, &ping.outcome, Outcome::Reachable)
        }
        Check::Tcp(transfer) => with_outcome(transfer_words("tcp", plan, transfer), &transfer.outcome, Outcome::Open),
        Check::Udp(transfer) => with_outcome(transfer_words("udp", plan, transfer), &transfer.outcome, Outcome::Open),
        Check::Http(http) => {
            let flow = format!("http {} -> {} {}", node(plan, http.connection.from), http.method, http.url);
            with_outcome(flow, &http.connection.outcome, Outcome::Open)
        }
        Check::Dns(dns) => {
            let server = service_words(&dns.carrier.to, dns.carrier.port);
            let flow = format!("dns {} -> {server}: {} {}", node(plan, dns.carrier.from), dns.name, dns.kind);
            with_outcome(flow, &dns.carrier.outcome, Outcome::Open)
        }
        Check::Trace(trace) => format!("trace {} -> {}", node(plan, trace.ping.from), trace.ping.to.words),
        Check::Arp(solicit) => {
            let question = format!("arp {} -> {}", end(plan, solicit.from), solicit.to.words);
            with_outcome(question, &solicit.outcome, Answer::Answered)
        }
        Check::Ndp(solicit) => {
            let question = format!("ndp {} -> {}", end(plan, solicit.from), solicit.to.words);
            with_outcome(question, &solicit.outcome, Answer::Answered)
        }
        Check::Neigh(neigh) => {
            with_presence(format!("neigh {} -> {}", node(plan, neigh.on), neigh.to.words), neigh.present)
        }
        Check::Route(route) => {
            let which = match &route.query {
                RouteQuery::Table(prefix) => prefix_words(*prefix),
                RouteQuery::Lookup(target) => format!("for {}", target.words),
            };
            with_presence(format!("route {} -> {which}", node(plan, route.on)), route.present)
        }
        Check::Run(run) => format!("run {}: {}", node(plan, run.on), run.words()),
        Check::Link(link) => with_presence(format!("link {}.{}", node(plan, link.on), link.name), link.present),
        Check::Listing(_) | Check::Isolated(..) => check.words(&plan.nodes),
    }
}

fn transfer_words(kind: &str, plan: &Plan, transfer: &Transfer) -> String {
    format!("{kind} {} -> {}", node(plan, transfer.from), service_words(&transfer.to, transfer.port))
}

fn with_outcome<T: Copy + PartialEq + ToString>(text: String, outcome: &[T], usual: T) -> String {
    if outcome == [usual] { text } else { format!("{text}: {}", any_of(outcome)) }
}

fn with_presence(text: String, present: bool) -> String {
    if present { text } else { format!("{text}: absent") }
}

/// What traffic did, in words: `silent for 1 s`.
pub fn describe_traffic(traffic: &Traffic) -> String {
    let port_probed = traffic.flow.map(|(_, to)| to).filter(|to| to.port() != 0);
    seen(traffic, "the sender", port_probed.map(|to| to.ip()), &|address| address.to_string())
}

/// What traffic did, with the senders of errors named as the case names them. `port_probed` is the address of which a
/// port was probed; an echo request has none.
pub(super) fn seen_in(plan: &Plan, from: NodeId, port_probed: Option<IpAddr>, traffic: &Traffic) -> String {
    seen(traffic, node(plan, from), port_probed, &|address| who(plan, address))
}

fn seen(traffic: &Traffic, sender: &str, port_probed: Option<IpAddr>, name: &dyn Fn(IpAddr) -> String) -> String {
    match traffic.seen {
        Seen::Answered => "answered".to_owned(),
        Seen::Delivered => format!("delivered, but not answered for {}", duration(traffic.elapsed)),
        Seen::Reset => "refused (TCP reset)".to_owned(),
        Seen::Icmp { error, by, .. } if port_probed == Some(by) && is_port_unreachable(error) => {
            format!("refused by {}: {}", name(by), icmp_error(error))
        }
        Seen::Icmp { error, by, own: true } => format!("{sender} itself ({by}) gave up: {}", icmp_error(error)),
        Seen::Icmp { error, by, own: false } => format!("rejected by {}: {}", name(by), icmp_error(error)),
        Seen::Local(refusal) => format!("{sender} itself did not send: {}", local_refusal(refusal)),
        Seen::Silent => format!("silent for {}", duration(traffic.elapsed)),
    }
}

/// The ends of a flow; ports only where the protocol has them.
pub(super) fn flow((from, to): (SocketAddr, SocketAddr)) -> String {
    let end = |end: SocketAddr| if end.port() == 0 { end.ip().to_string() } else { end.to_string() };
    format!("{} -> {}", end(from), end(to))
}

/// The name of a node; a plan from elsewhere may not have it.
pub(super) fn node(plan: &Plan, id: NodeId) -> &str {
    plan.nodes.get(id).map_or("an unknown node", |node| &node.name)
}

/// `NODE.INTERFACE`.
pub(super) fn end(plan: &Plan, end: End) -> String {
    let interface = plan.nodes.get(end.node).and_then(|node| node.interfaces.get(end.interface));
    format!("{}.{}", node(plan, end.node), interface.map_or("an unknown interface", |interface| &interface.name))
}

/// Every interface of the plan with its name.
fn ends(plan: &Plan) -> impl Iterator<Item = (End, &crate::plan::Interface)> {
    let ends = plan.nodes.iter().enumerate().flat_map(|(node, machine)| {
        machine.interfaces.iter().enumerate().map(move |(interface, content)| (End { node, interface }, content))
    });
    ends.filter(|(_, content)| content.present)
}

/// An address with the interfaces that have it: `fw.eth0 (10.0.0.1)`; two may have it, and both are named.
pub(super) fn who(plan: &Plan, address: IpAddr) -> String {
    named(
        address.to_string(),
        ends(plan)
            .filter(|(_, interface)| interface.addresses.iter().any(|cidr| cidr.address == address))
            .map(|(place, _)| end(plan, place)),
    )
}

/// A MAC address with the interfaces that have it: `netns1.ceth1 (02:00:00:00:00:01)`.
pub(super) fn whose_mac(plan: &Plan, mac: Mac) -> String {
    named(
        mac.to_string(),
        ends(plan).filter(|(_, interface)| interface.mac == Some(mac)).map(|(place, _)| end(plan, place)),
    )
}

fn named(address: String, owners: impl Iterator<Item = String>) -> String {
    let owners: Vec<String> = owners.collect();
    if owners.is_empty() { address } else { format!("{} ({address})", any_of(&owners)) }
}

/// A target as the user wrote it, with its address where that is something else: `lan (192.168.1.3)`.
pub(crate) fn target_words(target: &Target) -> String {
    resolved(target.words.clone(), target.address.to_string())
}

/// A target with its port, and the address it stands for: `lan:7 (192.168.1.3:7)`.
pub(super) fn target_port_words(target: &Target, port: u16) -> String {
    resolved(service_words(target, port), SocketAddr::new(target.address, port).to_string())
}

fn resolved(words: String, address: String) -> String {
    if words == address { words } else { format!("{words} ({address})") }
}

/// `NODE:PORT` or `ADDRESS:PORT`, whether the user's words have the port already or not.
fn service_words(target: &Target, port: u16) -> String {
    let words = &target.words;
    if words.parse() == Ok(target.address) {
        SocketAddr::new(target.address, port).to_string()
    } else if words.ends_with(&format!(":{port}")) {
        words.clone()
    } else {
        format!("{words}:{port}")
    }
}

/// A prefix as `ip route` writes it.
pub(super) fn prefix_words(prefix: Cidr) -> String {
    if prefix.length == 0 { "default".to_owned() } else { prefix.to_string() }
}

/// An entry of a neighbour table as `ip neighbour` writes it, with the owner of the MAC.
pub(super) fn neighbour(plan: &Plan, entry: &Neighbour) -> String {
    let mac = entry.mac.map(|mac| format!(" lladdr {}", whose_mac(plan, mac))).unwrap_or_default();
    format!("{} dev {}{mac} {}", entry.address, entry.dev, entry.state)
}

/// A route as `ip route` writes it.
pub(super) fn route(route: &Route) -> String {
    let mut text = match route.kind {
        None | Some(RouteKind::Unicast) => prefix_words(route.to),
        Some(kind) => format!("{kind} {}", prefix_words(route.to)),
    };
    let mut add = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {key} {value}"));
        }
    };
    add("via", route.via.map(|via| via.to_string()));
    add("dev", route.dev.clone());
    add("proto", route.proto.map(|proto| proto.to_string()));
    // As `ip route` does: a route through a gateway is global unless it says otherwise.
    add("scope", route.scope.filter(|scope| *scope != RouteScope::Global).map(|scope| scope.to_string()));
    add("src", route.src.map(|src| src.to_string()));
    add("metric", (route.metric != 0).then(|| route.metric.to_string()));
    text
}

/// An interface in one line, to stand behind its name.
pub(super) fn link(link: &Link) -> String {
    let mut text = format!(
        "is {}, {}, state {}, mtu {}",
        if link.up { "up" } else { "down" },
        if link.carrier { "with carrier" } else { "without carrier" },
        link.state,
        link.mtu,
    );
    let mut add = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(", {key} {value}"));
        }
    };
    add("mac", link.mac.map(|mac| mac.to_string()));
    add("master", link.master.clone());
    add("peer", link.peer.clone());
    let usual = ["veth", "bridge"];
    add("kind", link.kind.clone().filter(|kind| !usual.contains(&kind.as_str())));
    add("id", link.id.map(|id| id.to_string()));
    add("dev", link.dev.clone());
    add("address", (!link.addresses.is_empty()).then(|| all_of(&link.addresses)));
    text
}
