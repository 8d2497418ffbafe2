//! What must hold: each expectation as written becomes one for every combination of its ends.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::checker::Checker;
use super::lab::Lab;
use super::{dns, listing, outcomes, program, route_check, solicit, state, traffic};
use crate::case::CaseList;
use crate::case::expect::Expect;
use crate::diagnostic::{Diagnostic, Diagnostics, quoted};
use crate::plan::{Check, Expectation, Node, Service};
use crate::source::{Span, Spanned};
use crate::words::{Answer, Family, Transport};

/// The words of all checks.
const CHECKS: [&str; 19] = [
    "ping", "tcp", "udp", "http", "dns", "trace", "arp", "ndp", "neigh", "route", "link", "sysctl", "addr", "fdb",
    "links", "routes", "neighs", "isolated", "run",
];

/// The most expectations of a case, counted after lists are written out: all pairs of three hundred nodes.
const MOST: usize = 100_000;

/// The lab as it stands where something is expected of it.
pub(super) struct Built<'a> {
    pub lab: &'a Lab,
    pub nodes: &'a [Node],
    /// Those that run.
    pub services: &'a [Service],
    /// The values that programs have said before.
    pub captured: &'a BTreeSet<String>,
    pub timeout: Duration,
    /// The step's title, which stands before the names.
    pub title: Option<&'a str>,
}

/// Resolves a list of expectations, and adds them to those that there are.
pub(super) fn resolve(
    built: &Built<'_>,
    written: CaseList<Expect>,
    expectations: &mut Vec<Expectation>,
    out: &mut Diagnostics,
) {
    for expect in written.items {
        if too_many(&expect, expectations.len(), out) {
            break;
        }
        resolve_one(built, expect, expectations, out);
    }
}

/// Refuses lists whose combinations nobody would wait for, before they are written out.
fn too_many(expect: &Expect, already: usize, out: &mut Diagnostics) -> bool {
    let ends = |from: usize, to: usize| from.saturating_mul(to).saturating_mul(2);
    let count = [
        expect.ping.as_ref().map(|ping| ends(ping.from.items.len(), ping.to.items.len())),
        expect.tcp.as_ref().map(|tcp| ends(tcp.from.items.len(), tcp.to.items.len())),
        expect.udp.as_ref().map(|udp| ends(udp.from.items.len(), udp.to.items.len())),
        expect.trace.as_ref().map(|trace| ends(trace.from.items.len(), trace.to.items.len())),
        expect.arp.as_ref().map(|arp| ends(arp.from.items.len(), arp.to.items.len())),
        expect.ndp.as_ref().map(|ndp| ends(ndp.from.items.len(), ndp.to.items.len())),
        expect.neigh.as_ref().map(|neigh| ends(neigh.on.items.len(), neigh.to.items.len())),
    ]
    .into_iter()
    .flatten()
    .max()
    .unwrap_or(0);
    let over = already + count / 2 > MOST;
    if over {
        out.push(
            Diagnostic::error(expect.span, format!("more than {MOST} checks in one case"))
                .label("the lists here multiply")
                .help("split the case into several files: they run in parallel"),
        );
    }
    over
}

fn resolve_one(built: &Built<'_>, written: Expect, expectations: &mut Vec<Expectation>, out: &mut Diagnostics) {
    let Expect {
        name,
        within,
        holds_for,
        ping,
        tcp,
        udp,
        http,
        dns,
        trace,
        arp,
        ndp,
        neigh,
        route,
        link,
        sysctl,
        addr,
        fdb,
        links,
        routes,
        neighs,
        isolated,
        run,
        span,
        sound,
    } = written;
    let places = [
        ping.as_ref().map(|check| check.span),
        tcp.as_ref().map(|check| check.span),
        udp.as_ref().map(|check| check.span),
        http.as_ref().map(|check| check.span),
        dns.as_ref().map(|check| check.span),
        trace.as_ref().map(|check| check.span),
        arp.as_ref().map(|check| check.span),
        ndp.as_ref().map(|check| check.span),
        neigh.as_ref().map(|check| check.span),
        route.as_ref().map(|check| check.span),
        link.as_ref().map(|check| check.span),
        sysctl.as_ref().map(|check| check.span),
        addr.as_ref().map(|check| check.span),
        fdb.as_ref().map(|check| check.span),
        links.as_ref().map(|check| check.span),
        routes.as_ref().map(|check| check.span),
        neighs.as_ref().map(|check| check.span),
        isolated.as_ref().map(|check| check.span),
        run.as_ref().map(|check| check.span),
    ];
    let mut given: Vec<(&str, Span)> =
        CHECKS.into_iter().zip(places).filter_map(|(word, place)| place.map(|place| (word, place))).collect();
    given.sort_by_key(|(_, place)| *place);
    if sound {
        out.extend(not_one_check(&given, span));
    }
    let mut checker = Checker { lab: built.lab, services: built.services, captured: built.captured, out, sound };
    let mut checks = Vec::new();
    checks.extend(ping.into_iter().flat_map(|written| traffic::ping(&mut checker, written)));
    checks.extend(tcp.into_iter().flat_map(|written| traffic::transfer(&mut checker, Transport::Tcp, written)));
    checks.extend(udp.into_iter().flat_map(|written| traffic::transfer(&mut checker, Transport::Udp, written)));
    checks.extend(http.into_iter().flat_map(|written| traffic::http(&mut checker, written)));
    checks.extend(dns.into_iter().flat_map(|written| dns::query(&mut checker, written)));
    checks.extend(trace.into_iter().flat_map(|written| traffic::trace(&mut checker, written)));
    checks.extend(arp.into_iter().flat_map(|written| solicit::resolve(&mut checker, Family::Ipv4, written)));
    checks.extend(ndp.into_iter().flat_map(|written| solicit::resolve(&mut checker, Family::Ipv6, written)));
    checks.extend(neigh.into_iter().flat_map(|written| state::neigh(&mut checker, written)));
    checks.extend(route.into_iter().flat_map(|written| route_check::resolve(&mut checker, written)));
    checks.extend(link.into_iter().flat_map(|written| state::link(&mut checker, written)));
    checks.extend(sysctl.into_iter().flat_map(|written| listing::sysctl(&mut checker, written)));
    checks.extend(addr.into_iter().flat_map(|written| listing::addr(&mut checker, written)));
    checks.extend(fdb.into_iter().flat_map(|written| listing::fdb(&mut checker, written)));
    checks.extend(links.into_iter().flat_map(|written| listing::links(&mut checker, written)));
    checks.extend(routes.into_iter().flat_map(|written| listing::routes(&mut checker, written)));
    checks.extend(neighs.into_iter().flat_map(|written| listing::neighs(&mut checker, written)));
    checks.extend(isolated.into_iter().flat_map(|written| listing::isolated(&mut checker, written)));
    checks.extend(
        run.and_then(|written| program::run(&mut checker, built.timeout, written)).map(|run| Check::Run(Box::new(run))),
    );
    let place = given.first().map_or(span, |(_, place)| *place);
    check_name(name.as_ref(), out);
    check_time(
        built.timeout,
        within.map(|time| time.map(|time| time.0)),
        holds_for.map(|time| time.map(|time| time.0)),
        out,
    );
    let several = checks.len() > 1;
    for check in checks {
        let words = check.words(built.nodes);
        let name = match &name {
            Some(name) if several => format!("{} / {words}", **name),
            Some(name) => name.value.clone(),
            None => words,
        };
        let name = built.title.map_or(name.clone(), |title| format!("{title} / {name}"));
        let promised = within.is_some();
        let within = within.map_or_else(|| default_within(&check), |within| within.0);
        let holds_for = holds_for.map_or(Duration::ZERO, |time| time.0);
        expectations.push(Expectation { name, check, within, promised, holds_for, span: place });
    }
}

fn not_one_check(given: &[(&str, Span)], span: Span) -> Option<Diagnostic> {
    match *given {
        [] => {
            Some(Diagnostic::error(span, "this expectation has no check").label(format!("one of {}", quoted(&CHECKS))))
        }
        [(first, place), (second, again), ..] => Some(
            Diagnostic::error(again, format!("two checks in one expectation, `{first}` and `{second}`"))
                .label("the second check")
                .related(place, "the first")
                .help("write `[[expect]]` above the second"),
        ),
        [_] => None,
    }
}

fn check_name(name: Option<&Spanned<String>>, out: &mut Diagnostics) {
    if let Some(name) = name.filter(|name| name.trim().is_empty() || name.chars().any(char::is_control)) {
        out.push(
            Diagnostic::error(name.span, "this is not a name")
                .label("one line of text is expected")
                .help("leave `name` out to have the expectation called by its words"),
        );
    }
}

fn check_time(
    timeout: Duration,
    within: Option<Spanned<Duration>>,
    holds_for: Option<Spanned<Duration>>,
    out: &mut Diagnostics,
) {
    let total = within.map_or(Duration::ZERO, |time| time.value) + holds_for.map_or(Duration::ZERO, |time| time.value);
    let Some(last) = holds_for.or(within) else { return };
    if total >= timeout {
        out.push(
            Diagnostic::error(last.span, format!("this cannot end within the case's timeout of {timeout:?}"))
                .label("too long")
                .help(format!("write `timeout = \"{}s\"` at the top of the file", total.as_secs() + 10)),
        );
    }
}

/// How long the first match may take when the case does not say.
fn default_within(check: &Check) -> Duration {
    match check {
        Check::Ping(ping) => outcomes::within(&ping.outcome),
        Check::Tcp(transfer) | Check::Udp(transfer) => outcomes::within(&transfer.outcome),
        Check::Http(http) => outcomes::within(&http.connection.outcome),
        Check::Dns(dns) => outcomes::within(&dns.carrier.outcome),
        Check::Trace(trace) => outcomes::within(&trace.ping.outcome),
        Check::Arp(solicit) | Check::Ndp(solicit) => {
            if solicit.outcome.contains(&Answer::Silent) {
                Duration::ZERO
            } else {
                Duration::from_secs(1)
            }
        }
        Check::Neigh(_)
        | Check::Route(_)
        | Check::Link(_)
        | Check::Listing(_)
        | Check::Isolated(..)
        | Check::Run(_) => Duration::ZERO,
    }
}

/// Reports tell expectations apart by their names.
pub(super) fn refuse_equal_names(expectations: &[Expectation], out: &mut Diagnostics) {
    let mut names: HashMap<&str, Span> = HashMap::new();
    for expectation in expectations {
        let Some(first) = names.insert(&expectation.name, expectation.span) else { continue };
        let wrong = Diagnostic::error(expectation.span, format!("two expectations are called `{}`", expectation.name))
            .label("the same name again")
            .help("add `name = \"...\"` to one of them: reports tell expectations apart by their names");
        out.push(if first == expectation.span { wrong } else { wrong.related(first, "first here") });
    }
}
