//! DNS: what a server knows, who resolves names for a node, and queries.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::aims::{Aim, not_a_name};
use super::checker::{Checker, Sender};
use super::http::Url;
use super::lab::{Lab, is_link_local};
use super::outcomes::Protocol;
use super::refuser::WrittenRefusers;
use super::targets::{Goal, Reach};
use super::traffic::{Way, WrittenWay, make_transfer, pairs, way};
use super::{endpoint, ports};
use crate::case::expect::DnsQuery;
use crate::case::service::DnsRecords;
use crate::case::{CaseMap, Many};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::dns::{self, Record};
use crate::plan::{Check, Dns, NodeId, ServiceKind, Target, Template, Transfer};
use crate::source::{Span, Spanned};
use crate::words::{Family, Port, Rcode, RecordType, Transport};

/// Where DNS servers listen.
pub(super) const PORT: u16 = 53;

/// Reads what a server knows, and where each record stands.
pub(super) fn zone(written: CaseMap<DnsRecords>, out: &mut Diagnostics) -> Vec<(Record, Span)> {
    let mut zone = Vec::new();
    let mut names: HashMap<String, Span> = HashMap::new();
    for (name, records) in written.entries {
        if let Some(before) = names.insert(dns::same(&name), name.span) {
            out.push(
                Diagnostic::error(name.span, format!("`{}` is here already", *name))
                    .label("names know no case, and no last dot")
                    .related(before, "the same name")
                    .help("write all records of a name in one table"),
            );
        }
        let Some(DnsRecords { a, aaaa, cname, mx, ns, ptr, srv, txt, span: _, sound }) = records else { continue };
        if let Some(alias) = &cname
            && [&a, &aaaa, &mx, &ns, &ptr, &srv, &txt].iter().any(|other| other.is_some())
        {
            out.push(
                Diagnostic::error(alias.span, format!("`{}` is an alias and has records of its own", *name))
                    .label("an alias stands alone (RFC 1034, section 3.6.2)"),
            );
        }
        let cname = cname.map(|alias| Many { span: alias.span, items: vec![alias] });
        let before = zone.len();
        for (kind, values) in [
            (RecordType::A, a),
            (RecordType::Aaaa, aaaa),
            (RecordType::Cname, cname),
            (RecordType::Mx, mx),
            (RecordType::Ns, ns),
            (RecordType::Ptr, ptr),
            (RecordType::Srv, srv),
            (RecordType::Txt, txt),
        ] {
            for value in values.into_iter().flat_map(|values| values.items) {
                match dns::record(&name, kind, &value) {
                    Ok(record) => zone.push((record, value.span)),
                    Err(why) => out.push(not_a_record(&value, kind, why)),
                }
            }
        }
        if sound && zone.len() == before && out.errors() == 0 {
            out.push(
                Diagnostic::error(name.span, format!("`{}` has no records", *name))
                    .label("such as `{ a = \"10.0.0.1\" }`"),
            );
        }
    }
    zone
}

fn not_a_record(value: &Spanned<String>, kind: RecordType, why: String) -> Diagnostic {
    Diagnostic::error(value.span, format!("`{}` is not what a record of type {kind} says", **value)).label(why)
}

/// Notes who resolves names for a node.
pub(super) fn add_resolver(lab: &mut Lab, node: NodeId, written: Many<Spanned<String>>, out: &mut Diagnostics) {
    for word in written.items {
        if lab.nodes[node].resolver.iter().any(|(before, _)| **before == *word) {
            out.push(Diagnostic::error(word.span, format!("`{}` is here already", *word)).label("one of them"));
            continue;
        }
        match addresses(lab, &word) {
            Ok(addresses) => lab.nodes[node].resolver.push((word, addresses)),
            Err(wrong) => out.extend(wrong),
        }
    }
}

/// The addresses of a resolver; the error is empty where nothing is to be concluded.
fn addresses(lab: &Lab, word: &Spanned<String>) -> Result<Vec<IpAddr>, Option<Diagnostic>> {
    if let Ok(address) = word.parse::<IpAddr>() {
        if is_link_local(address) {
            let wrong =
                Diagnostic::error(word.span, format!("`{address}` is an address of a link, and does not say which"))
                    .label("another address of the resolver, or its node");
            return Err(Some(wrong));
        }
        return Ok(vec![address]);
    }
    if let Some(wrong) = not_a_name(word) {
        return Err(Some(wrong));
    }
    let (name, interface) = word.split_once('.').map_or((&***word, None), |(name, rest)| (name, Some(rest)));
    let server = &lab.nodes[lab.machine(name, word.part(0..name.len()))?];
    let only = match interface {
        Some(rest) => {
            let place = word.part(word.len() - rest.len()..word.len());
            Some(server.interface(rest).ok_or_else(|| server.sound.then(|| server.unknown_interface(rest, place)))?)
        }
        None => None,
    };
    let own = [Family::Ipv4, Family::Ipv6].into_iter().flat_map(|family| server.plain_addresses(family));
    let own: Vec<IpAddr> =
        own.filter(|(at, _)| only.is_none_or(|only| only == *at)).map(|(_, address)| address).collect();
    if own.is_empty() && server.sound {
        return Err(Some(
            Diagnostic::error(word.span, format!("`{}` has no address", **word)).label("nobody can ask it anything"),
        ));
    }
    Ok(own)
}

/// Resolves `dns`.
pub(super) fn query(checker: &mut Checker<'_>, written: DnsQuery) -> Vec<Check> {
    let conditions = [
        ("answer", written.answer.as_ref().map(|answer| answer.span)),
        ("rcode", written.rcode.as_ref().map(|rcode| rcode.span)),
    ];
    let outcome = written.outcome.as_ref().map(|outcome| outcome.span);
    checker.check_answer(
        &conditions,
        outcome,
        written.name.span,
        "`answer = \"203.0.113.10\"`, or `rcode = \"nxdomain\"`",
    );
    let DnsQuery {
        from,
        server,
        name,
        r#type,
        transport,
        family,
        source,
        answer,
        rcode,
        outcome,
        by,
        dropped_by,
        rejected_by,
        span: _,
        sound: _,
    } = written;
    let refusers = WrittenRefusers { dropped_by, rejected_by };
    let kind = r#type.map_or(RecordType::A, |kind| kind.value);
    let transport = transport.map_or(Transport::Udp, |transport| transport.value);
    if dns::question(0, &name, kind).is_err() || name.is_empty() {
        checker.say(
            Diagnostic::error(name.span, format!("`{}` is not a name that DNS takes", *name))
                .label("such as \"example.com\""),
        );
        return Vec::new();
    }
    if let (Some(rcode), Some(answer)) = (rcode, answer.as_ref().filter(|answer| !answer.items.is_empty()))
        && rcode.value != Rcode::NoError
    {
        checker.derive(
            Diagnostic::error(rcode.span, format!("with `{}` no answer comes", rcode.value))
                .label("leave it out, or the `answer`")
                .related(answer.span, "the answer"),
        );
    }
    let answer = answer.map(|answer| expected(checker, kind, &answer.items));
    let way = way(
        checker,
        WrittenWay { protocol: Protocol::Dns, from, family, source, outcome, by, refusers, seen_from: None },
    );
    let mut checks = Vec::new();
    for (word, senders) in servers(checker, server, &way) {
        let Some((goal, port)) = aim(checker, &word) else { continue };
        let way = Way { from: senders, ..way.clone() };
        for (from, _, to) in pairs(checker, &way, &[goal]) {
            ports::warn(checker, &to, Port { number: port, transport }, &way.wanted, word.span);
            checks.push(Check::Dns(Box::new(Dns {
                carrier: make_transfer(&way, from, to, port),
                transport,
                name: name.value.clone(),
                kind,
                rcode: rcode.map(|rcode| rcode.value),
                answer: answer.clone(),
            })));
        }
    }
    checks
}

/// Who is asked, and by whom.
fn servers(
    checker: &mut Checker<'_>,
    server: Option<Spanned<String>>,
    way: &Way,
) -> Vec<(Spanned<String>, Vec<Sender>)> {
    if let Some(server) = server {
        return vec![(server, way.from.clone())];
    }
    let mut servers = Vec::new();
    for from in &way.from {
        let node = &checker.lab.nodes[from.node];
        if let Some((word, _)) = node.resolver.first() {
            servers.push((word.clone(), vec![*from]));
        } else if node.whole {
            let wrong = Diagnostic::error(from.span, format!("`{}` has no resolver", *node.name))
                .label("whom is it to ask?")
                .help("write `server = \"NODE\"` here, or `resolver = \"NODE\"` in the node");
            checker.derive(wrong);
        }
    }
    servers
}

/// The server that a word names, and its port.
fn aim(checker: &mut Checker<'_>, word: &Spanned<String>) -> Option<(Goal, u16)> {
    let (host, port) = if word.parse::<IpAddr>().is_ok() || !word.contains(':') {
        (word.clone(), PORT)
    } else {
        let parsed = endpoint::parse(word, &|_| None);
        let parsed = checker.ok(parsed)?;
        (parsed.host, parsed.port)
    };
    let aim: Aim = checker.aim(&host)?;
    Some((Goal { words: word.value.clone(), span: host.span, aim }, port))
}

/// The values as they are compared.
fn expected(checker: &mut Checker<'_>, kind: RecordType, written: &[Spanned<String>]) -> Vec<String> {
    let mut values = Vec::new();
    for value in written {
        match dns::value(kind, value) {
            Ok(value) => values.push(value),
            Err(why) => checker.say(not_a_record(value, kind, why)),
        }
    }
    values
}

/// Whether a host is neither an address nor in the lab, and the senders have somebody to ask about it.
pub(super) fn is_foreign(checker: &Checker<'_>, way: &Way, host: &Spanned<String>) -> bool {
    let (first, rest) = host.split_once('.').map_or((&***host, None), |(first, rest)| (first, Some(rest)));
    let is_there = |node: NodeId| {
        let node = &checker.lab.nodes[node];
        rest.is_none_or(|rest| node.interface(rest).is_some() || (node.open && !rest.contains('.')))
    };
    let own =
        host.parse::<IpAddr>().is_ok() || Template::of(host).is_some() || checker.lab.find(first).is_some_and(is_there);
    !own && way.from.iter().any(|from| !checker.lab.nodes[from.node].resolver.is_empty())
}

/// That a host is no node, and nobody can be asked about it.
pub(super) fn unknown_host(checker: &Checker<'_>, way: &Way, host: &Spanned<String>) -> Option<Diagnostic> {
    let first = host.split('.').next().unwrap_or_default();
    if !host.contains('.') || checker.lab.find(first).is_some() || not_a_name(host).is_some() {
        return None;
    }
    let sender = &checker.lab.nodes[way.from.first()?.node].name;
    let wrong = Diagnostic::error(host.span, format!("unknown host `{}`", **host)).label("no node of this case");
    Some(wrong.help(format!("to have it looked up by DNS, write `resolver = \"NODE\"` under `[nodes.{}]`", **sender)))
}

/// The connections to a name that is looked up while probing: one for each sender and family.
pub(super) fn lookups(checker: &mut Checker<'_>, way: &Way, url: &Url) -> Vec<(Sender, Target, Option<Dns>)> {
    let mut places = Vec::new();
    for (word, senders) in servers(checker, None, way) {
        let Some((goal, port)) = aim(checker, &word) else { continue };
        for from in senders {
            let one = Way { from: vec![from], wanted: way.wanted.answered(), by: None, refuser: None, ..way.clone() };
            let narrow = way.reach.narrow.map(|narrow| narrow.value);
            let families = narrow.map_or_else(|| known_families(checker, from, &url.host), |family| vec![family]);
            // Any way to the server will do: which family it is asked by says nothing of what it knows.
            let any = Way { reach: Reach { narrow: None, ..way.reach }, ..one.clone() };
            let Some((_, _, server)) = pairs(checker, &any, std::slice::from_ref(&goal)).into_iter().next() else {
                continue;
            };
            for family in families {
                let (kind, address) = match family {
                    Family::Ipv4 => (RecordType::A, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
                    Family::Ipv6 => (RecordType::Aaaa, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
                };
                let carrier = Transfer { source: None, ..make_transfer(&one, from, server.clone(), port) };
                let name = url.host.value.clone();
                let lookup = Dns { carrier, transport: Transport::Udp, name, kind, rcode: None, answer: None };
                places.push((
                    from,
                    Target { words: url.authority.value.clone(), address, owner: None, read: None },
                    Some(lookup),
                ));
            }
        }
    }
    places
}

/// Whom a sender asks for names that redirects lead to, if it has somebody to ask.
pub(super) fn names(checker: &mut Checker<'_>, way: &Way, from: Sender, to: &Target, url: &Url) -> Option<Dns> {
    checker.lab.nodes[from.node].resolver.first()?;
    let narrow = Some(Spanned::new(Family::of(to.address), url.host.span));
    let one = Way { from: vec![from], reach: Reach { narrow, ..way.reach }, ..way.clone() };
    lookups(checker, &one, url).into_iter().find_map(|(_, _, lookup)| lookup)
}

/// The families of the addresses that the lab's own servers know for a name, as far as the sender speaks them; where
/// they know none, the first that it speaks.
fn known_families(checker: &Checker<'_>, from: Sender, name: &str) -> Vec<Family> {
    let speaks = |family: &Family| checker.lab.nodes[from.node].plain_addresses(*family).next().is_some();
    let known = |kind| {
        checker.services.iter().any(|service| match &service.kind {
            ServiceKind::Dns { records, .. } => dns::knows(records, name, kind),
            _ => false,
        })
    };
    let all = [(Family::Ipv4, known(RecordType::A)), (Family::Ipv6, known(RecordType::Aaaa))];
    let both: Vec<Family> =
        all.into_iter().filter(|(family, known)| *known && speaks(family)).map(|(family, _)| family).collect();
    if both.is_empty() { all.map(|(family, _)| family).into_iter().filter(speaks).take(1).collect() } else { both }
}
