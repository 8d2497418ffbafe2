//! What is said about traffic that was not as expected.

use std::net::{IpAddr, SocketAddr};

use super::trace::gateway;
use super::way_out::way_out;
use super::{Kind, Question};
use crate::observation::{Departure, IcmpError, Life, LocalRefusal, Seen, Traffic};
use crate::plan::{Landing, NodeId, Plan};
use crate::verdict::Finding;
use crate::verdict::describe::{end, flow, node, seen_in};
use crate::verdict::judge::left_unproven;
use crate::verdict::words::{duration, is_of_the_network};
use crate::words::{Outcome, RouteType, Transport};

/// The finding for traffic that satisfies no word of the question.
pub(super) fn mismatch(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Finding {
    let from = node(plan, question.from);
    let target = question.target();
    let seen = seen_in(plan, question.from, question.port_probed(), traffic);
    let expected = question.expected();
    let requests = question.requests.max(traffic.sent);
    let some_answered = question.kind == Kind::Ping && traffic.answered > 0 && traffic.answered < requests;
    let message = match (traffic.seen, redirected(question, traffic)) {
        _ if some_answered => {
            let share = format!("{from} reached {target} with {} of {requests} echo requests", traffic.answered);
            if question.wants_answers() {
                format!("{share}: {} lost, expected {}", lost(question, traffic), allowed(question))
            } else {
                format!("{share}, {expected}")
            }
        }
        (Seen::Answered, _) => format!("{from} {} {target}, {expected}", did(question)),
        (_, Some(there)) => {
            format!("{from} was redirected by {target} to {there} and got no answer there: {seen}, {expected}")
        }
        (_, None) => format!("{}, {expected}", could_not_say(plan, question, traffic)),
    };
    let about = if question.wants_answer() { &["url", "server", "name"][..] } else { &["outcome"] };
    let mut finding = Finding::new(message).about(about);
    finding.label = traffic.flow.filter(|(from, _)| !from.ip().is_unspecified()).map(flow).unwrap_or_default();
    if some_answered {
        if question.wants_answers() {
            finding.about = vec!["lost".to_owned(), "count".to_owned()];
        }
        finding.notes.push(format!("the first that was not answered: {seen}"));
    }
    finding.notes.extend(notes(plan, question, traffic));
    finding.helps = way_out(plan, question, traffic).into_iter().collect();
    finding
}

/// What the sender could not do, and what it heard instead.
pub(in crate::verdict::judge) fn could_not_say(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> String {
    let from = node(plan, question.from);
    let seen = seen_in(plan, question.from, question.port_probed(), traffic);
    format!("{from} {} {}: {seen}", could_not(question), question.target())
}

/// The finding for an open port from which no answer came in the words of the protocol.
pub(in crate::verdict::judge) fn no_answer(
    plan: &Plan,
    question: &Question<'_>,
    traffic: &Traffic,
    why: Option<&str>,
) -> Finding {
    let mut finding = mismatch(plan, question, traffic);
    if question.wants_answer() {
        let (from, target) = (node(plan, question.from), question.target());
        let why = why.map_or_else(|| format!("nothing came for {}", duration(traffic.elapsed)), str::to_owned);
        finding.message = match redirected(question, traffic) {
            None if question.kind == Kind::Http => {
                format!("{from} opened a connection to {target} but got no HTTP answer: {why}")
            }
            None => format!("{from} got no DNS answer from {target}: {why}"),
            Some(there) => format!("{from} was redirected by {target} to {there} but got no HTTP answer there: {why}"),
        };
    }
    finding
}

/// Where a redirect has led to, when it was not the target itself that the traffic went to.
pub(super) fn redirected(question: &Question<'_>, traffic: &Traffic) -> Option<SocketAddr> {
    let (_, there) = traffic.flow?;
    let known = question.kind == Kind::Http && !question.to.address.is_unspecified();
    (known && there != SocketAddr::new(question.to.address, question.port)).then_some(there)
}

fn lost(question: &Question<'_>, traffic: &Traffic) -> String {
    let requests = question.requests.max(traffic.sent);
    let lost = requests.saturating_sub(traffic.answered);
    let share = f64::from(lost) * 100.0 / f64::from(requests.max(1));
    if share < 1.0 { format!("{share:.1} %") } else { format!("{share:.0} %") }
}

fn allowed(question: &Question<'_>) -> String {
    if question.lost > 0.0 { format!("at most {} %", question.lost) } else { "none".to_owned() }
}

pub(super) fn did(question: &Question<'_>) -> &'static str {
    match question.kind {
        Kind::Ping => "reached",
        Kind::Udp | Kind::Dns(_) => "got an answer from",
        Kind::Http if question.wants_answer() => "opened a connection but got no answer from",
        Kind::Tcp | Kind::Http => "opened",
    }
}

fn could_not(question: &Question<'_>) -> &'static str {
    match question.kind {
        Kind::Ping => "could not reach",
        Kind::Udp if question.outcome == [Outcome::Delivered] => "could not deliver to",
        Kind::Http | Kind::Dns(_) if question.wants_answer() => "got no answer from",
        Kind::Dns(_) => "could not ask",
        Kind::Tcp | Kind::Udp | Kind::Http => "could not open",
    }
}

fn notes(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Vec<String> {
    let from = node(plan, question.from);
    match traffic.seen {
        Seen::Silent => {
            let left = match &traffic.departure {
                Departure::Said | Departure::Stamped => format!("the request left {from}"),
                departure @ Departure::Unproven(_) => left_unproven(departure, from).unwrap_or_default(),
            };
            [Some(left), life(plan, question, &traffic.life)].into_iter().flatten().collect()
        }
        Seen::Local(refusal) if !is_of_the_network(refusal) => {
            vec!["that says nothing of the network, so it satisfies no outcome".to_owned()]
        }
        Seen::Local(LocalRefusal { errno: libc::EHOSTUNREACH }) if !is_refused_by_route(plan, question) => {
            vec![nobody_there(plan, question, traffic)]
        }
        Seen::Icmp { error, own: true, .. } if is_host_unreachable(error) => {
            vec![nobody_there(plan, question, traffic)]
        }
        Seen::Answered | Seen::Delivered | Seen::Reset | Seen::Icmp { .. } | Seen::Local(_) => Vec::new(),
    }
}

/// What is known of the target, in words; nothing when nobody looked.
fn life(plan: &Plan, question: &Question<'_>, life: &Life) -> Option<String> {
    let Landing { address, port, owner } = question.landing(plan);
    match (life, owner) {
        (Life::NotAsked, _) => None,
        (Life::Unproven(reason), _) => Some(reason.clone()),
        (Life::Alive, None) => Some(format!("{address} lives")),
        (Life::Alive, Some(owner)) => Some(match question.kind.transport() {
            None if owner.interface == 0 => format!("{} answers for {address}", node(plan, owner.node)),
            None => format!("{} is up and has {address}", end(plan, owner)),
            Some(transport) => format!("{} listens on {port}/{transport}", node(plan, owner.node)),
        }),
    }
}

fn is_host_unreachable(error: IcmpError) -> bool {
    matches!((error.v6, error.kind, error.code), (false, 3, 1) | (true, 1, 3))
}

/// Whether a route of the sender's own says "unreachable", so that nobody was asked for.
fn is_refused_by_route(plan: &Plan, question: &Question<'_>) -> bool {
    plan.nodes.get(question.from).is_some_and(|node| {
        let target = asked_for(plan, question);
        node.routes.iter().any(|route| route.kind == RouteType::Unreachable && route.to.contains(target))
    })
}

/// The address to which the sender looks for a way: behind its own forwards.
fn asked_for(plan: &Plan, question: &Question<'_>) -> IpAddr {
    match question.to.owner {
        Some(owner) if owner.node == question.from => question.landing(plan).address,
        _ => question.to.address,
    }
}

fn nobody_there(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> String {
    let target = match asked_for(plan, question) {
        // A name became this one.
        unknown if unknown.is_unspecified() => traffic.flow.map_or(unknown, |(_, there)| there.ip()),
        known => known,
    };
    let asked = if target.is_ipv4() { "ARP requests" } else { "neighbour solicitations" };
    let whom = match gateway(plan, question.from, target) {
        Some(gateway) => format!("for the gateway {gateway}"),
        None if is_on_link(plan, question.from, target) => format!("for {target}"),
        None => format!("for {target}, or for the gateway to it"),
    };
    format!("nobody on the link answered the {asked} {whom}")
}

/// Whether the plan has an address on a link of a node.
fn is_on_link(plan: &Plan, from: NodeId, target: IpAddr) -> bool {
    plan.nodes.get(from).is_some_and(|node| {
        let own = node.interfaces.iter().flat_map(|interface| &interface.addresses).any(|cidr| cidr.contains(target));
        let direct = node.routes.iter().any(|route| route.via.is_none() && route.to.contains(target));
        let local = matches!(target, IpAddr::V6(target) if target.is_unicast_link_local());
        own || direct || local
    })
}

impl Kind {
    /// The transport whose port is probed; an echo request has none.
    pub(super) fn transport(self) -> Option<Transport> {
        match self {
            Self::Ping => None,
            Self::Tcp | Self::Http => Some(Transport::Tcp),
            Self::Udp => Some(Transport::Udp),
            Self::Dns(transport) => Some(transport),
        }
    }
}
