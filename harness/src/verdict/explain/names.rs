//! Names that did not become addresses, or not the right ones.

use super::blame;
use super::walk::Step;
use super::world::World;
use crate::dns::Record;
use crate::evidence::{Cause, CauseKind};
use crate::observation::Observation;
use crate::plan::{Check, Ready, Service, ServiceKind};
use crate::source::Span;
use crate::words::{Port, RecordType, Transport};

/// A name that did not become an address, though its server was heard.
pub(super) fn no_name(world: &World<'_>) -> Option<Cause> {
    let Observation::NoName { name, why } = world.matter.observation? else { return None };
    let Check::Http(http) = world.matter.check else { return None };
    let server =
        http.lookup.as_ref().or(http.names.as_ref()).and_then(|lookup| lookup.carrier.to.owner).map(|end| end.node);
    let words = format!("the name {name} did not become an address: {why}");
    let alias = http.lookup.as_ref().and_then(|lookup| dangling(world, server?, &lookup.name, lookup.kind));
    let (words, asked) = match &alias {
        Some(alias) => (format!("{words}: it is an alias of {alias}, which has none"), alias),
        None => (words, name),
    };
    let help = Some(format!("a record for {asked} ({}) at that server", RecordType::WORDS[..2].join(" or ")));
    Some(match (server.and_then(|node| server_of(world, node)), server) {
        (Some(service), _) => blame::at(CauseKind::NameNotResolved, words, service.span, help),
        (None, Some(node)) => blame::on_node(world, node, CauseKind::NameNotResolved, words, help),
        (None, None) => Cause { kind: CauseKind::NameNotResolved, words, node: None, rule: None, blame: None, help },
    })
}

/// The name at the end of a chain of aliases, where nothing of the kind stands behind it.
fn dangling(world: &World<'_>, node: usize, name: &str, kind: RecordType) -> Option<String> {
    let (records, _) = zone(world, node)?;
    let end = aliases(records, name).pop()?;
    let has = records.iter().any(|record| record.name == end && record.kind == Some(kind));
    (!has).then_some(end)
}

/// What a name is an alias of, one behind the other.
fn aliases(records: &[Record], name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let next = |name: &str| {
        records.iter().find(|it| it.name == name && it.kind == Some(RecordType::Cname)).map(|it| it.value.clone())
    };
    let mut at = next(name);
    while let Some(name) = at.filter(|name| !found.contains(name)) {
        at = next(&name);
        found.push(name);
    }
    found
}

/// What netcase's own name server on a node knows, and where each of it stands.
fn zone<'a>(world: &World<'a>, node: usize) -> Option<(&'a [Record], &'a [Span])> {
    world.plan().services.iter().filter(|it| it.node == node).find_map(|it| match &it.kind {
        ServiceKind::Dns { records, spans, .. } => Some((&**records, &**spans)),
        _ => None,
    })
}

/// The name server said what stands in its records, and that is not what is expected.
pub(super) fn record_says(world: &World<'_>, end: &Step) -> Option<Cause> {
    let (Check::Dns(query), Observation::Dns(answer)) = (world.matter.check, world.matter.observation?) else {
        return None;
    };
    let expected = query.answer.as_ref()?;
    let (records, spans) = zone(world, end.node)?;
    let says = |it: &Record| {
        it.kind == Some(query.kind)
            && answer.reply.records.iter().any(|said| said.kind == it.kind && said.value == it.value)
    };
    let name = aliases(records, &query.name).pop().unwrap_or_else(|| query.name.clone());
    let own = || records.iter().zip(spans).filter(|(it, _)| it.name == name && says(it));
    let (record, span) = own().find(|(it, _)| !expected.contains(&it.value))?;
    let server = world.name(end.node);
    let words = format!("{server} says that {name} is {} ({})", record.value, query.kind);
    let help = Some("the record, or what is expected of it".to_owned());
    Some(blame::by(world, end.node, blame::at(CauseKind::ServiceFault, words, *span, help)))
}

/// The name server has no such record.
pub(super) fn no_such_name(world: &World<'_>, end: &Step) -> Option<Cause> {
    let (Check::Dns(query), Observation::Dns(answer)) = (world.matter.check, world.matter.observation?) else {
        return None;
    };
    if answer.reply.records.iter().any(|record| record.kind == Some(query.kind)) {
        return None;
    }
    let server = world.name(end.node);
    let says = answer.reply.rcode.map_or("nothing".to_owned(), |rcode| rcode.to_string());
    let words = format!("{server} knows no {} record of {}: it says {says}", query.kind, query.name);
    let blamed = match server_of(world, end.node) {
        Some(service) => blame::at(CauseKind::NameNotResolved, words, service.span, None),
        None => blame::on_node(world, end.node, CauseKind::NameNotResolved, words, None),
    };
    Some(blame::by(world, end.node, blamed))
}

/// The service of a node that answers DNS: netcase's own, a program at its port, or the only program there is.
fn server_of<'a>(world: &World<'a>, node: usize) -> Option<&'a Service> {
    let services = || world.plan().services.iter().filter(move |it| it.node == node);
    let port = Port { number: 53, transport: Transport::Udp };
    let program = |it: &&Service| matches!(it.kind, ServiceKind::Command { ready: Ready::Output(_), .. });
    let own = services().find(|it| matches!(it.kind, ServiceKind::Dns { .. }));
    own.or_else(|| services().find(|it| it.kind.takes(port)))
        .or_else(|| services().find(program).filter(|_| services().filter(program).count() == 1))
}

/// What a cause comes from when the address of the packet was read from a line of the case: the question for a name went
/// to somebody who is no name server, or the name became an address that is nobody's.
pub(super) fn meant(world: &World<'_>, cause: Cause) -> Cause {
    let Check::Http(http) = world.matter.check else { return cause };
    let Some(lookup) = &http.lookup else { return cause };
    let flow = &world.evidence().flow;
    let nobodys = world.owners(flow.to).is_empty() && !world.plan().nodes.iter().any(|node| node.serves(flow.to));
    if let Some(Observation::NoName { name, .. }) = world.matter.observation {
        let server = world.owners(flow.to).first().map(|end| end.0);
        let deaf = cause.kind == CauseKind::NobodyListens
            && flow.port == 53
            && server.is_some_and(|node| server_of(world, node).is_none());
        if !(nobodys || deaf) {
            return cause;
        }
        let sender = world.name(flow.from);
        let words = format!("{sender} asks {} for {name}; {}", flow.to, cause.words);
        let mut servers = (0..world.plan().nodes.len()).filter(|node| server_of(world, *node).is_some());
        let only = servers.next().filter(|_| servers.next().is_none());
        let help = only.map(|node| format!("`resolver = \"{}\"` in the table of {sender}", world.name(node)));
        return match resolver(world) {
            Some(span) => {
                Cause { words, ..blame::by(world, flow.from, blame::at(cause.kind, String::new(), span, help)) }
            }
            None => cause,
        };
    }
    match record(world, &lookup.name).filter(|_| nobodys) {
        Some((server, span)) => {
            let words = format!("{server} says that {} is {}; {}", lookup.name, flow.to, cause.words);
            blame::at(cause.kind, words, span, Some("the address of the server that is meant".to_owned()))
        }
        None => cause,
    }
}

/// The line that says whom the sender asks.
fn resolver(world: &World<'_>) -> Option<Span> {
    let flow = &world.evidence().flow;
    let planned = world.planned(flow.from);
    let at = planned.resolver.iter().position(|address| *address == flow.to)?;
    planned.resolver_spans.get(at).copied()
}

/// Who says that a name has the address to which the probe went, and where that stands.
fn record<'a>(world: &World<'a>, name: &str) -> Option<(&'a str, Span)> {
    let to = world.evidence().flow.to;
    world.plan().services.iter().find_map(|service| {
        let ServiceKind::Dns { records, spans, .. } = &service.kind else { return None };
        let is_name = |it: &Record| it.name == name || aliases(records, name).contains(&it.name);
        let at = records.iter().position(|it| is_name(it) && it.value.parse() == Ok(to))?;
        Some((world.name(service.node), *spans.get(at)?))
    })
}

/// The right way to the wrong server: a record says that a name has the address of a node, and another one has what was
/// expected of it.
pub(super) fn other_record(world: &World<'_>, end: &Step) -> Option<Cause> {
    let Check::Http(http) = world.matter.check else { return None };
    let lookup = http.lookup.as_ref()?;
    let Some(Observation::Http(answer)) = world.matter.observation else { return None };
    let (server, span) = record(world, &lookup.name)?;
    let status = &http.answer.status;
    let wanted = http.answer.body.as_ref()?.equals.as_ref()?;
    let has = |it: &Service| {
        matches!(&it.kind, ServiceKind::Http { body, status: own, .. }
            if body == wanted && (status.is_empty() || status.contains(own)))
    };
    // Only where one other node says what is expected, and this one does not.
    let mut others = world.plan().services.iter().filter(|it| has(it));
    let other = others.next().filter(|it| it.node != end.node)?;
    if others.any(|it| it.node != other.node) || answer.body == *wanted {
        return None;
    }
    let words = format!(
        "{server} says that {} is {}, which is {}; what is expected says {}",
        lookup.name,
        world.evidence().flow.to,
        world.name(end.node),
        world.name(other.node)
    );
    let help = Some(format!("the address of {}", world.name(other.node)));
    Some(blame::by(world, end.node, blame::at(CauseKind::WrongServer, words, span, help)))
}
