//! What a service did with a request that has reached it.

use super::blame;
use super::listener;
use super::trails::{Sight, Trails};
use super::walk::Step;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Payload};
use crate::observation::Observation;
use crate::plan::{Check, Service, ServiceKind};
use crate::verdict::words::duration;
use crate::words::{Port, Transport};

/// The longest packets of TCP that carry no data: a header of IPv4 or IPv6, and the longest one of TCP (RFC 9293, section
/// 3.1).
const BARE: (u32, u32) = (20 + 60, 40 + 60);

/// A connection stood between the two ends, and the service broke it, closed it, or said nothing over it.
pub(super) fn broken(world: &World<'_>, end: &Step, trails: &Trails<'_>) -> Option<Cause> {
    let Observation::NoAnswer { traffic, why } = world.matter.observation? else { return None };
    let port = end.before.target_port().filter(|port| port.transport == Transport::Tcp)?;
    // What a rule has done to the packets of the connection is no doing of the program.
    if !end.inside.is_empty() {
        return None;
    }
    let talk = Talk::of(end.node, trails)?;
    let name = world.name(end.node);
    let (end_of_it, help) = if talk.reset {
        (format!("{name} took the connection on {port} and reset it"), "the program there ends its connections")
    } else if talk.answered || !talk.taken {
        return None;
    } else if why.is_some() {
        (
            format!("{name} took the request on {port} and closed the connection without an answer"),
            "the program there ends its connections",
        )
    } else {
        (
            format!("{name} took the request on {port} and said nothing for {}", duration(traffic.elapsed)),
            "the program there is slow, or waits for more than the request has; `timeout` says how long to wait for it",
        )
    };
    Some(fault(world, end.node, port, end_of_it, Some(help.to_owned())))
}

/// What was seen of a connection.
#[derive(Debug, Default)]
struct Talk {
    /// The other side's kernel has taken what the sender said.
    taken: bool,
    /// The other side has said something.
    answered: bool,
    /// It has reset it.
    reset: bool,
}

impl Talk {
    /// Of the packets as they left the other side; `None` where the connection did not open.
    fn of(node: usize, trails: &Trails<'_>) -> Option<Self> {
        let sights = trails.back.iter().flat_map(|trail| &trail.sights);
        let mut own: Vec<&Sight<'_>> = sights.filter(|it| it.frame.node == node && it.frame.outgoing).collect();
        own.sort_by_key(|sight| sight.frame.time);
        let (mut talk, mut opened) = (Self::default(), None);
        for sight in own {
            let Payload::Tcp { acknowledged, syn, ack, rst, .. } = sight.packet.payload else { continue };
            if syn && ack {
                opened = Some(acknowledged);
                continue;
            }
            talk.taken |= ack && !rst && opened.is_some_and(|first| first != acknowledged);
            let bare = if sight.packet.to.is_ipv6() { BARE.1 } else { BARE.0 };
            talk.answered |= sight.packet.length > bare;
            talk.reset |= rst;
        }
        opened.map(|_| talk)
    }
}

/// A service of the plan gave another answer than the one expected, and it is known to give no other.
pub(super) fn other_answer(world: &World<'_>, end: &Step) -> Option<Cause> {
    let Check::Http(http) = world.matter.check else { return None };
    let Observation::Http(answer) = world.matter.observation? else { return None };
    if http.answer.status.is_empty() || http.answer.status.contains(&answer.status) || answer.url != http.url {
        return None;
    }
    let port = end.before.target_port()?;
    let gives = |it: &&Service| match &it.kind {
        ServiceKind::Http { port: own, status, .. } => {
            it.node == end.node && *own == port.number && *status == answer.status
        }
        _ => false,
    };
    // Where another one would have answered so, it may be the way there that is wrong.
    let expected = |it: &Service| match &it.kind {
        ServiceKind::Http { status, headers, body, .. } => {
            crate::verdict::judge::is_as_expected(http, *status, headers, body)
        }
        ServiceKind::Command { .. } => it.node != end.node,
        ServiceKind::Echo { .. } | ServiceKind::Dns { .. } => false,
    };
    let service = world.plan().services.iter().find(gives)?;
    if world.plan().services.iter().any(expected) {
        return None;
    }
    let words =
        format!("the service {} of {} answers with status {}", service.name, world.name(end.node), answer.status);
    Some(blame::by(world, end.node, blame::at(CauseKind::ServiceFault, words, service.span, None)))
}

fn fault(world: &World<'_>, node: usize, port: Port, words: String, help: Option<String>) -> Cause {
    match listener::span(world, node, port) {
        Some(span) => blame::by(world, node, blame::at(CauseKind::ServiceFault, words, span, help)),
        None => blame::on_node(world, node, CauseKind::ServiceFault, words, help),
    }
}
