//! Who takes what has come for a port of a node, and why nobody does.

use super::blame;
use super::travelling::Travelling;
use super::world::World;
use crate::evidence::{Cause, CauseKind, Listening};
use crate::plan::{Action, Ready, ServiceKind};
use crate::source::Span;
use crate::words::Port;

/// How long a queue of connections may be (listen(2)), and how long it may be usually.
const SOMAXCONN: &str = "core/somaxconn";
const USUAL_QUEUE: i64 = 4096;

/// Whether `::` is for IPv6 alone, where a program does not say (ipv6(7), `IPV6_V6ONLY`).
const BINDV6ONLY: &str = "ipv6/bindv6only";

/// Why nobody in a node takes what has come for a port.
pub(super) fn fault(world: &World<'_>, node: usize, packet: &Travelling, port: Port) -> Option<Cause> {
    let state = world.node(node);
    let same_port = |it: &&Listening| it.transport == port.transport && it.at.port() == port.number;
    let any = |it: &Listening| {
        it.at.ip().is_unspecified() && (it.at.is_ipv6() == packet.to.is_ipv6() || (it.at.is_ipv6() && !it.only_v6))
    };
    let right = |it: &&Listening| same_port(it) && (any(it) || it.at.ip() == packet.to);
    // Where it comes in is not asked of here: an interface other than the listener's own is one that it may not get to.
    let iif = arrives(world, node, packet);
    let open = |it: &Listening| it.device.is_none() || iif.is_none() || it.device == iif;
    let own = service(world, node, port);
    let span = own.map(|service| world.plan().services[service].span);
    let mut takers = state.listening.iter().filter(right).filter(|it| open(it)).peekable();
    if takers.peek().is_some() {
        let full =
            takers.all(|it| it.full) && state.grown.get("TcpExt.ListenOverflows").is_some_and(|grown| *grown > 0);
        let rooms = state.listening.iter().filter(right).filter(|it| open(it)).filter_map(|it| it.room).max();
        return full.then(|| {
            short_queue(world, node, port, rooms)
                .unwrap_or_else(|| queue_full(world, node, port, span.or_else(|| only(world, node))))
        });
    }
    if let Some(cause) = own.and_then(|service| died(world, node, service, port)) {
        return Some(cause);
    }
    let name = world.name(node);
    if let Some(device) = state.listening.iter().find(right).and_then(|it| it.device) {
        let [own, other] = [Some(device), iif].map(|index| world.interface((node, index?)).map(|it| it.name.as_str()));
        let words = format!(
            "{name} listens on {port} only at {}, and this came in by {}",
            own.unwrap_or("an interface that is gone"),
            other.unwrap_or("another one")
        );
        let help = Some("the program binds itself to that interface (`SO_BINDTODEVICE`)".to_owned());
        return Some(cause(world, node, CauseKind::ListensElsewhere, words, span.or_else(|| only(world, node)), help));
    }
    let elsewhere: Vec<String> = state.listening.iter().filter(same_port).map(|it| it.at.ip().to_string()).collect();
    let mut others = state.listening.iter().filter(same_port);
    let only_v6 = packet.to.is_ipv4() && others.all(|it| it.at.ip().is_unspecified() && it.only_v6);
    if only_v6 && !elsewhere.is_empty() && world.setting(node, BINDV6ONLY) != 0 {
        let words = format!(
            "{name} listens on {port} only at ::, which takes no IPv4: net.{} is {}",
            BINDV6ONLY.replace('/', "."),
            world.setting(node, BINDV6ONLY)
        );
        let help = Some("set it to 0, or have the program listen on 0.0.0.0, too".to_owned());
        let keys = [BINDV6ONLY.to_owned()];
        return Some(blame::of_setting(world, node, &keys, CauseKind::ListensElsewhere, words, help));
    }
    if !elsewhere.is_empty() {
        let words = format!("{name} listens on {port} only at {}, not at {}", elsewhere.join(" and "), packet.to);
        let program = own.is_none_or(|own| matches!(world.plan().services[own].kind, ServiceKind::Command { .. }));
        let help = if program {
            "the program chooses its addresses itself: its options or its settings name them"
        } else {
            "`listen` of the service names its addresses; without it, it listens on all"
        };
        return Some(cause(world, node, CauseKind::ListensElsewhere, words, span, Some(help.to_owned())));
    }
    Some(nobody(world, node, port, own))
}

/// The interface by which a packet has come to its node, where that was seen.
fn arrives(world: &World<'_>, node: usize, packet: &Travelling) -> Option<u32> {
    let ends = packet.ends()?;
    let trails = world.trails();
    let mut sights = trails.there.iter().flat_map(|trail| &trail.sights);
    let here = |sight: &&super::trails::Sight<'_>| sight.frame.node == node && !sight.frame.outgoing;
    let mut found = sights.by_ref().filter(here);
    let sight = found.find(|sight| super::trails::Ends::of(&sight.packet) == Some(ends))?;
    let index = sight.frame.interface;
    // What comes in by a port of a bridge is the bridge's.
    world.interface((node, index)).and_then(|it| it.master).or(Some(index))
}

/// Where the service stands that listens on a port, as far as that is known.
pub(super) fn span(world: &World<'_>, node: usize, port: Port) -> Option<Span> {
    let service = service(world, node, port);
    service.map(|service| world.plan().services[service].span).or_else(|| only(world, node)).or_else(|| {
        // The only program: of all others it is known where they listen, and that is elsewhere.
        let mut programs = world.plan().services.iter().filter(|it| it.node == node && it.kind.port().is_none());
        programs.next().filter(|_| programs.next().is_none()).map(|it| it.span)
    })
}

/// The service that should listen on a port.
fn service(world: &World<'_>, node: usize, port: Port) -> Option<usize> {
    let state = world.node(node);
    let all = || 0..world.plan().services.len();
    let planned = |at: usize| &world.plan().services[at];
    let of_port = |at: &usize| planned(*at).node == node && planned(*at).kind.takes(port);
    let runs = |at: &usize| state.services.iter().any(|it| it.service == *at && it.started);
    // One that has failed may have meant to; one that has ended well has done what it should.
    let failed = |at: &usize| {
        let ended = state.services.iter().find(|it| it.service == *at).and_then(|it| it.ended.as_deref());
        planned(*at).node == node && ended.is_some_and(|how| !how.contains("exit status: 0"))
    };
    let of_port = all().find(|at| of_port(at) && runs(at)).or_else(|| all().find(of_port));
    of_port.or_else(|| all().find(failed)).or_else(|| {
        // A program that says by its output that it is ready may have listened on any port: where it is the only one,
        // it is the one that was meant.
        let of_node = all().filter(|at| planned(*at).node == node);
        let [only] = *of_node.collect::<Vec<_>>() else { return None };
        let silent = matches!(planned(only).kind, ServiceKind::Command { ready: Ready::Output(_), .. });
        silent.then_some(only)
    })
}

/// The only service of a node.
fn only(world: &World<'_>, node: usize) -> Option<Span> {
    let of_node: Vec<_> = world.plan().services.iter().filter(|it| it.node == node).map(|it| it.span).collect();
    if let [one] = *of_node { Some(one) } else { None }
}

fn nobody(world: &World<'_>, node: usize, port: Port, service: Option<usize>) -> Cause {
    let (state, name) = (world.node(node), world.name(node));
    let mut others: Vec<String> =
        state.listening.iter().map(|it| format!("{}/{}", it.at.port(), it.transport)).collect();
    others.sort();
    others.dedup();
    let stopped = service.filter(|at| state.services.iter().any(|it| it.service == *at && !it.started));
    let which = if let Some(at) = stopped {
        format!("the service {} does not run at this step", world.plan().services[at].name)
    } else if others.is_empty() {
        "nor on any other port".to_owned()
    } else {
        format!("it listens on {}", others.join(", "))
    };
    let words = format!("nobody in {name} listens on {port}; {which}");
    let stops = |at: usize| {
        let mut performed = world.matter.performed.iter().rev();
        performed.find(|it| matches!(it.action, Action::StopService(stopped) if stopped == at)).map(|it| it.span)
    };
    let span = stopped.and_then(stops).or_else(|| service.map(|at| world.plan().services[at].span));
    // Of several the one that is meant is among those that listen, where these are one alone.
    let listens = || {
        let of_node = |it: &&crate::plan::Service| it.node == node;
        let kept = |it: &&crate::plan::Service| it.kind.port().is_some();
        let mut services = world.plan().services.iter().filter(of_node).filter(kept);
        services.next().filter(|_| services.next().is_none()).map(|it| it.span)
    };
    cause(world, node, CauseKind::NobodyListens, words, span.or_else(|| only(world, node)).or_else(listens), None)
}

fn queue_full(world: &World<'_>, node: usize, port: Port, span: Option<Span>) -> Cause {
    let words = format!(
        "{} listens on {port}, but does not take the connections that wait there: its queue is full, so that the kernel \
         drops what comes",
        world.name(node)
    );
    let help = Some("the program must accept its connections, or ask for a longer queue (`listen(2)`)".to_owned());
    cause(world, node, CauseKind::QueueFull, words, span, help)
}

/// The queue is as long as the machine allows, and that is less than usual.
fn short_queue(world: &World<'_>, node: usize, port: Port, room: Option<u32>) -> Option<Cause> {
    let most = world.setting(node, SOMAXCONN);
    let short = room.is_some_and(|room| i64::from(room) == most) && most < USUAL_QUEUE;
    short.then(|| {
        let words = format!(
            "{} listens on {port}, but its queue of connections is full, so that the kernel drops what comes: \
             net.core.somaxconn lets it be no longer than {most}",
            world.name(node)
        );
        let help = Some(format!("{USUAL_QUEUE} is usual, and the program must accept its connections"));
        blame::of_setting(world, node, &[SOMAXCONN.to_owned()], CauseKind::QueueFull, words, help)
    })
}

fn cause(
    world: &World<'_>,
    node: usize,
    kind: CauseKind,
    words: String,
    span: Option<Span>,
    help: Option<String>,
) -> Cause {
    match span {
        Some(span) => blame::by(world, node, blame::at(kind, words, span, help)),
        None => blame::on_node(world, node, kind, words, help),
    }
}

/// A service that has ended, or was not started.
fn died(world: &World<'_>, node: usize, service: usize, port: Port) -> Option<Cause> {
    let state = world.node(node).services.iter().find(|it| it.service == service)?;
    let planned = &world.plan().services[service];
    let who = format!("the service {} of {}", planned.name, world.name(node));
    let words = match &state.ended {
        Some(how) => {
            let said = match &*state.printed {
                [] => "it had printed nothing".to_owned(),
                lines => format!("its last words were: {}", lines.join(" / ")),
            };
            format!("{who} {how}, so that nobody listens on {port}; {said}")
        }
        None => return None,
    };
    Some(blame::by(world, node, blame::at(CauseKind::ServiceDied, words, planned.span, None)))
}
