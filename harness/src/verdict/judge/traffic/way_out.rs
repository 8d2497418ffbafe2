//! A way out of a failure, only where it is certain: the plan itself shows what is missing.

use std::net::IpAddr;

use super::finding::redirected;
use super::trace::{obstacle, obstacle_through};
use super::{Question, is_refusal};
use crate::observation::{LocalRefusal, Seen, Traffic};
use crate::plan::{Landing, NatKind, Plan, ServiceKind};
use crate::verdict::describe::node;
use crate::verdict::judge::seen_from;
use crate::verdict::words::all_of;
use crate::words::{Family, Outcome, Port};

/// What to change so that wanted traffic gets through.
pub(super) fn way_out(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Option<String> {
    // A name that became an address only while it was probed may lead anywhere.
    if redirected(question, traffic).is_some() || question.to.address.is_unspecified() {
        return None;
    }
    match traffic.seen {
        Seen::Silent | Seen::Delivered if question.needs_a_way() => in_the_way(plan, question, traffic),
        _ if !question.wants_answers() => None,
        Seen::Local(LocalRefusal { errno: libc::ENETUNREACH }) => Some(format!(
            "{} has no route to {}; `routes = [{{ to = \"default\", via = \"...\" }}]` in its table gives it one",
            node(plan, question.from),
            question.to.address
        )),
        Seen::Reset => nobody_listens(plan, question),
        Seen::Icmp { error, by, .. } if is_refusal(question, error, by) => nobody_listens(plan, question),
        // A router that says so is right; where it learns the way is what helps.
        Seen::Icmp { own: false, .. } => obstacle(plan, question.from, question.to.address),
        Seen::Silent | Seen::Delivered | Seen::Answered | Seen::Icmp { .. } | Seen::Local(_) => None,
    }
}

/// Says so when no service of the target listens there, and no program could.
fn nobody_listens(plan: &Plan, question: &Question<'_>) -> Option<String> {
    let landing = question.landing(plan);
    let port = Port { number: landing.port, transport: question.kind.transport()? };
    let owner = landing.owner?.node;
    let mut elsewhere = Vec::new();
    for service in plan.services.iter().filter(|service| service.node == owner) {
        match &service.kind {
            ServiceKind::Command { .. } => return None,
            ServiceKind::Http { listen, .. } | ServiceKind::Echo { listen, .. } | ServiceKind::Dns { listen, .. } => {
                if !service.kind.takes(port) {
                    continue;
                }
                if service.kind.listens_on(landing.address) {
                    return None;
                }
                elsewhere.extend(listen.iter().map(IpAddr::to_string));
            }
        }
    }
    let name = node(plan, owner);
    Some(match &*elsewhere {
        [] => format!("{name} has no service on {port}"),
        addresses => format!("{name} listens on {port} only at {} (`listen`)", all_of(addresses)),
    })
}

/// Says what is in the way, there or back, where the plan shows it.
fn in_the_way(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Option<String> {
    let arrived = traffic.seen == Seen::Delivered;
    let landing = question.landing(plan);
    let there = if arrived {
        None
    } else {
        obstacle(plan, question.from, question.to.address).or_else(|| behind_a_forward(plan, question, landing))
    };
    if there.is_some() || question.outcome == [Outcome::Delivered] {
        return there;
    }
    let source = traffic.flow.map(|(from, _)| from.ip()).filter(|source| !source.is_unspecified())?;
    if may_be_translated(plan, source) {
        return None;
    }
    let back = obstacle(plan, landing.owner?.node, source)?;
    let translations = seen_from::translations(plan, source).map(|words| format!("; {words}")).unwrap_or_default();
    Some(format!("on the way back: {back}{translations}"))
}

/// What is in the way from a node that forwards a port to where it goes. What that node itself sends needs no forwarding.
fn behind_a_forward(plan: &Plan, question: &Question<'_>, landing: Landing) -> Option<String> {
    let router = question.to.owner.filter(|_| landing.address != question.to.address)?.node;
    if router == question.from {
        obstacle(plan, router, landing.address)
    } else {
        obstacle_through(plan, router, landing.address)
    }
}

/// Whether some node could give packets from an address another one: then the way back is another too.
fn may_be_translated(plan: &Plan, source: IpAddr) -> bool {
    plan.nodes.iter().flat_map(|node| &node.nat).any(|nat| match &nat.kind {
        NatKind::Masquerade { leaving, families } => families.contains(&Family::of(source)) && leaving.takes(source),
        NatKind::Snat { leaving, to } => to.is_ipv4() == source.is_ipv4() && leaving.takes(source),
        NatKind::Forward(_) => false,
    })
}
