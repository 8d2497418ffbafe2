//! Checks that send ordinary traffic: `ping`, `tcp`, `udp` and `http`.

use std::net::IpAddr;

use super::aims::Aim;
use super::checker::{Checker, Sender};
use super::outcomes::{self, Protocol, Wanted};
use super::refuser::{self, WrittenRefusers};
use super::seen_from::SeenFrom;
use super::targets::{Goal, Reach};
use super::{dns, endpoint, http, ports};
use crate::case::Many;
use crate::case::expect;
use crate::diagnostic::Diagnostic;
use crate::plan::{By, Check, Dns, Http, Ping, Refuser, Target, Template, Trace, Transfer};
use crate::source::Spanned;
use crate::words::{Family, Outcome, Port, Transport};

/// How to say from which interface, where somebody writes one after `from`.
const FROM: &str = "the route chooses the interface; `source = \"ADDRESS\"` chooses the address";

/// What all checks of traffic have in common.
#[derive(Clone)]
pub(super) struct Way {
    pub from: Vec<Sender>,
    pub source: Option<IpAddr>,
    pub reach: Reach,
    pub wanted: Wanted,
    pub by: Option<By>,
    pub refuser: Option<Refuser>,
    pub seen_from: Option<SeenFrom>,
}

/// The fields of [`Way`] as written.
pub(super) struct WrittenWay {
    pub protocol: Protocol,
    pub from: Many<Spanned<String>>,
    pub family: Option<Spanned<Family>>,
    pub source: Option<Spanned<IpAddr>>,
    pub outcome: Option<Many<Spanned<Outcome>>>,
    pub by: Option<Spanned<String>>,
    pub refusers: WrittenRefusers,
    pub seen_from: Option<Many<Spanned<String>>>,
}

/// Reads what all checks of traffic have in common.
pub(super) fn way(checker: &mut Checker<'_>, written: WrittenWay) -> Way {
    let WrittenWay { protocol, from, family, source, outcome, by, refusers, seen_from } = written;
    let mut from = checker.senders("from", from.items, FROM);
    let narrow = checker.narrow(family, source);
    checker.check_source(&from, source);
    let wanted = outcomes::read(protocol, outcome, checker);
    let refuser = refuser::read(checker, refusers, &wanted, by.as_ref().map(|by| by.span));
    let said_by = by.iter().find_map(family_of);
    let by = by.and_then(|word| {
        outcomes::check_by(&wanted, word.span, checker);
        checker.by(&word)
    });
    let seen_from = seen_from.and_then(|seen_from| {
        let read = SeenFrom::read(checker, seen_from, &wanted);
        // What cannot be read makes no checks: without it they would be called as others are.
        if read.is_none() {
            from.clear();
        }
        read
    });
    let narrow = narrow.or(said_by).or(seen_from.as_ref().and_then(SeenFrom::only_family));
    let reach = Reach { narrow, positive: wanted.positive };
    Way { from, source: source.map(|source| source.value), reach, wanted, by, refuser, seen_from }
}

/// The family of a word that is an address: who says that one is meant leaves no other.
fn family_of(word: &Spanned<String>) -> Option<Spanned<Family>> {
    let address: IpAddr = word.parse().ok()?;
    Some(Spanned::new(Family::of(address), word.span))
}

/// Every sender with every target, but no node with itself.
pub(super) fn pairs(checker: &mut Checker<'_>, way: &Way, goals: &[Goal]) -> Vec<(Sender, usize, Target)> {
    let mut pairs = Vec::new();
    let mut itself = None;
    for from in &way.from {
        for (at, goal) in goals.iter().enumerate() {
            if goal.aim == Aim::Node(from.node) {
                itself = Some(goal);
                continue;
            }
            pairs.extend(checker.targets(*from, goal, way.reach).into_iter().map(|target| (*from, at, target)));
        }
    }
    if let Some(goal) = itself.filter(|_| goals.len() == 1 && way.from.len() == 1) {
        checker.derive(
            Diagnostic::error(goal.span, "a node does not check itself by its name")
                .label("the sender is the target")
                .help("give the address that is meant, such as \"127.0.0.1\", or `NODE.INTERFACE`"),
        );
    }
    pairs
}

/// Resolves `ping`.
pub(super) fn ping(checker: &mut Checker<'_>, written: expect::Ping) -> Vec<Check> {
    let expect::Ping {
        from,
        to,
        family,
        source,
        outcome,
        by,
        dropped_by,
        rejected_by,
        count,
        size,
        ttl,
        lost,
        span: _,
        sound: _,
    } = written;
    let refusers = WrittenRefusers { dropped_by, rejected_by };
    let way = way(
        checker,
        WrittenWay { protocol: Protocol::Ping, from, family, source, outcome, by, refusers, seen_from: None },
    );
    let count_of = count.map_or(1, |count| count.value.0);
    if let Some(lost) = lost {
        let wrong = |label: &str| Diagnostic::error(lost.span, "`lost` has no meaning here").label(label);
        if !way.wanted.positive {
            checker.derive(wrong("it relaxes `reachable`, which is not expected"));
        } else if count_of < 2 {
            checker.derive(wrong("of one request none may be lost").help("send several: `count = 10`"));
        }
    }
    let mut goals = Vec::new();
    for word in checker.once(to.items) {
        let aim = checker.aim(&word);
        goals.extend(aim.map(|aim| Goal { words: word.value, span: word.span, aim }));
    }
    let make = |(from, _, to): (Sender, usize, Target)| {
        Check::Ping(Ping {
            from: from.node,
            to,
            source: way.source,
            count: count_of,
            size: size.map_or(56, |size| size.value.0 as usize),
            ttl: ttl.and_then(|ttl| u8::try_from(ttl.value.0).ok()),
            lost: lost.map(|lost| lost.percent),
            outcome: way.wanted.outcomes.clone(),
            by: way.by.clone(),
            refuser: way.refuser.clone(),
        })
    };
    pairs(checker, &way, &goals).into_iter().map(make).collect()
}

/// Resolves `trace`.
pub(super) fn trace(checker: &mut Checker<'_>, written: expect::Trace) -> Vec<Check> {
    let expect::Trace { from, to, via, family, source, span, sound } = written;
    if via.items.len() > MOST_ROUTERS {
        checker.say(
            Diagnostic::error(via.span, format!("{} routers on the way", via.items.len()))
                .label(format!("at most {MOST_ROUTERS}")),
        );
    }
    let mut routers = Vec::new();
    for word in &via.items {
        routers.push(if **word == "*" { None } else { checker.by(word) });
    }
    let family = family.or_else(|| source.is_none().then(|| via.items.iter().find_map(family_of)).flatten());
    let none = || expect::Ping {
        from,
        to,
        family,
        source,
        outcome: None,
        by: None,
        dropped_by: None,
        rejected_by: None,
        count: None,
        size: None,
        ttl: None,
        lost: None,
        span,
        sound,
    };
    let checks = ping(checker, none()).into_iter().filter_map(|check| match check {
        Check::Ping(ping) => Some(Check::Trace(Trace { ping, via: routers.clone() })),
        _ => None,
    });
    checks.collect()
}

/// The most routers on a way that is traced, as traceroute(8) has it.
const MOST_ROUTERS: usize = 29;

/// Resolves `tcp` and `udp`.
pub(super) fn transfer(checker: &mut Checker<'_>, transport: Transport, written: expect::Transfer) -> Vec<Check> {
    let expect::Transfer {
        from,
        to,
        family,
        source,
        outcome,
        by,
        dropped_by,
        rejected_by,
        seen_from,
        span: _,
        sound: _,
    } = written;
    let refusers = WrittenRefusers { dropped_by, rejected_by };
    let protocol = match transport {
        Transport::Tcp => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
    };
    let way = way(checker, WrittenWay { protocol, from, family, source, outcome, by, refusers, seen_from });
    let (mut goals, mut numbers) = (Vec::new(), Vec::new());
    for word in checker.once(to.items) {
        let parsed = endpoint::parse(&word, &|host| ports::listening(checker.lab, checker.services, host, transport));
        let Some(parsed) = checker.ok(parsed) else { continue };
        let Some(aim) = checker.aim(&parsed.host) else { continue };
        goals.push(Goal { words: word.value, span: parsed.host.span, aim });
        numbers.push((parsed.port, word.span));
    }
    let mut checks = Vec::new();
    for (from, at, to) in pairs(checker, &way, &goals) {
        let (port, span) = numbers[at];
        ports::warn(checker, &to, Port { number: port, transport }, &way.wanted, span);
        let Some(transfer) = make_seen(checker, &way, from, to, port) else { continue };
        checks.push(match transport {
            Transport::Tcp => Check::Tcp(transfer),
            Transport::Udp => Check::Udp(transfer),
        });
    }
    checks
}

/// A transfer of which it does not matter what the server sees.
pub(super) fn make_transfer(way: &Way, from: Sender, to: Target, port: u16) -> Transfer {
    let (outcome, by, refuser) = (way.wanted.outcomes.clone(), way.by.clone(), way.refuser.clone());
    Transfer { from: from.node, to, port, source: way.source, outcome, by, refuser, seen_from: None }
}

/// A transfer with what the server must see; nothing where it cannot see that.
fn make_seen(checker: &mut Checker<'_>, way: &Way, from: Sender, to: Target, port: u16) -> Option<Transfer> {
    let seen_from = match &way.seen_from {
        Some(seen_from) => Some(seen_from.in_family(checker, Family::of(to.address))?),
        None => None,
    };
    Some(Transfer { seen_from, ..make_transfer(way, from, to, port) })
}

/// Resolves `http`.
pub(super) fn http(checker: &mut Checker<'_>, mut written: expect::Http) -> Vec<Check> {
    let conditions = [
        ("status", written.status.as_ref().map(|status| status.span)),
        ("headers", written.headers.as_ref().map(|headers| headers.span)),
        ("body", written.body.as_ref().map(|body| body.span)),
    ];
    let outcome = written.outcome.as_ref().map(|outcome| outcome.span);
    checker.check_answer(&conditions, outcome, written.url.span, "`status = 200`, or `body = { contains = \"...\" }`");
    let answer = http::answer(&mut written, checker.out);
    let expect::Http {
        from,
        url,
        family,
        source,
        method,
        request,
        status: _,
        headers: _,
        body: _,
        redirects,
        outcome,
        by,
        dropped_by,
        rejected_by,
        seen_from,
        span: _,
        sound: _,
    } = written;
    let refusers = WrittenRefusers { dropped_by, rejected_by };
    let way =
        way(checker, WrittenWay { protocol: Protocol::Http, from, family, source, outcome, by, refusers, seen_from });
    let (method, headers, body) = http::request(method, request, checker);
    let parsed = http::parse_url(&url);
    let Some(parsed) = checker.ok(parsed) else { return Vec::new() };
    let whole = Template::of(&url);
    let part = |text: &str| Template::text(&Spanned::new(text.to_owned(), url.span));
    let open = whole.map(|whole| [whole, part(&parsed.authority), part(&parsed.path)]);
    if !checker.knows(&url) {
        return Vec::new();
    }
    let mut checks = Vec::new();
    for (from, to, lookup) in places(checker, &way, &parsed) {
        let port = Port { number: parsed.port, transport: Transport::Tcp };
        ports::warn(checker, &to, port, &way.wanted, parsed.authority.span);
        let Some(connection) = make_seen(checker, &way, from, to, parsed.port) else { continue };
        let names = lookup.clone().or_else(|| dns::names(checker, &way, from, &connection.to, &parsed));
        checks.push(Check::Http(Box::new(Http {
            names,
            connection,
            lookup,
            open: open.clone(),
            url: url.value.clone(),
            host: parsed.authority.value.clone(),
            path: parsed.path.clone(),
            method: method.clone(),
            headers: headers.clone(),
            body: body.clone(),
            redirects: redirects.map_or(0, |redirects| redirects.value.0),
            answer: answer.clone(),
        })));
    }
    checks
}

/// Where requests go, and how their names become addresses where the lab does not know.
fn places(checker: &mut Checker<'_>, way: &Way, url: &http::Url) -> Vec<(Sender, Target, Option<Dns>)> {
    if dns::is_foreign(checker, way, &url.host) {
        return dns::lookups(checker, way, url);
    }
    if url.host.parse::<IpAddr>().is_err()
        && let Some(wrong) = dns::unknown_host(checker, way, &url.host)
    {
        checker.say(wrong);
        return Vec::new();
    }
    let Some(aim) = checker.aim(&url.host) else { return Vec::new() };
    let goal = Goal { words: url.authority.value.clone(), span: url.host.span, aim };
    pairs(checker, way, &[goal]).into_iter().map(|(from, _, to)| (from, to, None)).collect()
}
