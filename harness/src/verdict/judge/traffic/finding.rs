//! What is said about traffic that was not as expected.

use super::{Kind, Question, is_refusal};
use crate::observation::{LocalRefusal, Seen, Traffic};
use crate::plan::{Plan, ServiceKind};
use crate::verdict::Finding;
use crate::verdict::describe::{flow, node, seen_in};
use crate::verdict::judge::{left_unproven, life_unproven};
use crate::verdict::words::is_of_the_network;
use crate::words::{Outcome, Port, Transport};

/// The finding for traffic that satisfies no word of the question.
pub(super) fn mismatch(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Finding {
    let from = node(plan, question.from);
    let target = question.target();
    let seen = seen_in(plan, question.from, question.port_probed(), traffic);
    let expected = question.expected();
    let requests = question.requests.max(traffic.sent);
    let some_answered = question.kind == Kind::Ping && traffic.answered > 0 && traffic.answered < requests;
    let message = match traffic.seen {
        Seen::Answered if some_answered => {
            format!("{from} reached {target} with {} of {requests} echo requests, {expected}", traffic.answered)
        }
        Seen::Answered => format!("{from} {} {target}, {expected}", did(question)),
        Seen::Delivered | Seen::Reset | Seen::Icmp { .. } | Seen::Local(_) | Seen::Silent if some_answered => {
            let answered = traffic.answered;
            format!("{from} reached {target} with {answered} of {requests} echo requests: {seen}, {expected}")
        }
        Seen::Delivered | Seen::Reset | Seen::Icmp { .. } | Seen::Local(_) | Seen::Silent => {
            format!("{from} {} {target}: {seen}, {expected}", could_not(question))
        }
    };
    let mut finding = Finding::new(message);
    finding.label = traffic.flow.map(flow).unwrap_or_default();
    finding.notes = notes(plan, question, traffic);
    finding.helps = help(plan, question, traffic).into_iter().collect();
    finding
}

fn did(question: &Question<'_>) -> &'static str {
    match question.kind {
        Kind::Ping => "reached",
        Kind::Udp => "got an answer from",
        Kind::Http if question.wants_answer() => "opened a connection but got no answer from",
        Kind::Tcp | Kind::Http => "opened",
    }
}

fn could_not(question: &Question<'_>) -> &'static str {
    match question.kind {
        Kind::Ping => "could not reach",
        Kind::Udp if question.outcome == [Outcome::Delivered] => "could not deliver to",
        Kind::Http if question.wants_answer() => "got no answer from",
        Kind::Tcp | Kind::Udp | Kind::Http => "could not open",
    }
}

fn notes(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Vec<String> {
    let mut notes = Vec::new();
    if question.kind == Kind::Ping && traffic.answered > 0 {
        let requests = question.requests.max(traffic.sent);
        let share = f64::from(requests.saturating_sub(traffic.answered)) * 100.0 / f64::from(requests.max(1));
        notes.push(format!(
            "{} of {requests} echo requests were answered: {share:.0} % lost, {} % allowed",
            traffic.answered, question.lost
        ));
    }
    match traffic.seen {
        Seen::Silent => {
            let from = node(plan, question.from);
            let left = left_unproven(&traffic.departure, from);
            notes.push(left.unwrap_or_else(|| format!("the request left {from}")));
            let target = question.target();
            notes.push(life_unproven(&traffic.life, &target).unwrap_or_else(|| format!("{target} lives")));
        }
        Seen::Local(refusal) if !is_of_the_network(refusal) => {
            notes.push("that says nothing of the network, so it satisfies no outcome".to_owned());
        }
        Seen::Answered | Seen::Delivered | Seen::Reset | Seen::Icmp { .. } | Seen::Local(_) => {}
    }
    notes
}

/// A way out, only where it is certain: the plan itself shows what is missing.
fn help(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Option<String> {
    let wanted = question.outcome.iter().any(|word| match word {
        Outcome::Reachable | Outcome::Open | Outcome::Delivered => true,
        Outcome::Unreachable
        | Outcome::Closed
        | Outcome::Refused
        | Outcome::Rejected
        | Outcome::Silent
        | Outcome::NoRoute
        | Outcome::Blackhole
        | Outcome::Prohibited
        | Outcome::BlockedLocally
        | Outcome::HostUnreachable
        | Outcome::NetUnreachable
        | Outcome::TtlExceeded
        | Outcome::TooBig => false,
    });
    if !wanted {
        return None;
    }
    match traffic.seen {
        Seen::Local(LocalRefusal { errno: libc::ENETUNREACH }) => Some(format!(
            "{} has no route to {}; `routes = [{{ to = \"default\", via = \"...\" }}]` in its table gives it one",
            node(plan, question.from),
            question.to.address
        )),
        Seen::Reset => nobody_listens(plan, question),
        Seen::Icmp { error, by, .. } if is_refusal(question, error, by) => nobody_listens(plan, question),
        Seen::Answered | Seen::Delivered | Seen::Icmp { .. } | Seen::Local(_) | Seen::Silent => None,
    }
}

/// Says so when no service of the target has the port, and no program could have opened it.
fn nobody_listens(plan: &Plan, question: &Question<'_>) -> Option<String> {
    let transport = match question.kind {
        Kind::Ping => return None,
        Kind::Tcp | Kind::Http => Transport::Tcp,
        Kind::Udp => Transport::Udp,
    };
    let port = Port { number: question.port, transport };
    let owner = question.to.owner?.node;
    let mut services = plan.services.iter().filter(|service| service.node == owner);
    let possible = services.any(|service| match &service.kind {
        ServiceKind::Http { .. } | ServiceKind::Echo { .. } => service.kind.port() == Some(port),
        ServiceKind::Command { .. } => true,
    });
    (!possible).then(|| format!("{} has no service on {port}", node(plan, owner)))
}
