//! What must hold: each expectation as written becomes one for every combination of its ends.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::checker::Checker;
use super::choice::Choice;
use super::lab::Lab;
use super::{dns, listing, outcomes, program, route_check, solicit, state, traffic};
use crate::case::CaseList;
use crate::case::expect::Expect;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{Check, Expectation, Node, Service};
use crate::source::{Span, Spanned};
use crate::words::{Answer, Family, Transport};

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

fn resolve_one(built: &Built<'_>, mut written: Expect, expectations: &mut Vec<Expectation>, out: &mut Diagnostics) {
    let given = written.given();
    if written.sound {
        let choice = Choice {
            none: Diagnostic::error(written.span, "this expectation has no check"),
            two: "two checks in one expectation".to_owned(),
            label: "the second check",
            help: "write `[[expect]]` above the second",
        };
        out.extend(choice.refuse(Expect::CHOICES, &given));
    }
    let place = given.first().map_or(written.span, |(_, place)| *place);
    let (name, within, holds_for) = (written.name.take(), written.within, written.holds_for);
    let checks = checks(built, written, out);
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

/// The checks that one stands for.
fn checks(built: &Built<'_>, written: Expect, out: &mut Diagnostics) -> Vec<Check> {
    let Built { lab, services, captured, timeout, .. } = *built;
    let mut checker = Checker { lab, services, captured, out, sound: written.sound };
    let mut checks = Vec::new();
    checks.extend(written.ping.into_iter().flat_map(|it| traffic::ping(&mut checker, it)));
    checks.extend(written.tcp.into_iter().flat_map(|it| traffic::transfer(&mut checker, Transport::Tcp, it)));
    checks.extend(written.udp.into_iter().flat_map(|it| traffic::transfer(&mut checker, Transport::Udp, it)));
    checks.extend(written.http.into_iter().flat_map(|it| traffic::http(&mut checker, it)));
    checks.extend(written.dns.into_iter().flat_map(|it| dns::query(&mut checker, it)));
    checks.extend(written.trace.into_iter().flat_map(|it| traffic::trace(&mut checker, it)));
    checks.extend(written.arp.into_iter().flat_map(|it| solicit::resolve(&mut checker, Family::Ipv4, it)));
    checks.extend(written.ndp.into_iter().flat_map(|it| solicit::resolve(&mut checker, Family::Ipv6, it)));
    checks.extend(written.neigh.into_iter().flat_map(|it| state::neigh(&mut checker, it)));
    checks.extend(written.route.into_iter().flat_map(|it| route_check::resolve(&mut checker, it)));
    checks.extend(written.link.into_iter().flat_map(|it| state::link(&mut checker, it)));
    checks.extend(written.sysctl.into_iter().flat_map(|it| listing::sysctl(&mut checker, it)));
    checks.extend(written.addr.into_iter().flat_map(|it| listing::addr(&mut checker, it)));
    checks.extend(written.fdb.into_iter().flat_map(|it| listing::fdb(&mut checker, it)));
    checks.extend(written.links.into_iter().flat_map(|it| listing::links(&mut checker, it)));
    checks.extend(written.routes.into_iter().flat_map(|it| listing::routes(&mut checker, it)));
    checks.extend(written.neighs.into_iter().flat_map(|it| listing::neighs(&mut checker, it)));
    checks.extend(written.isolated.into_iter().flat_map(|it| listing::isolated(&mut checker, it)));
    let run = written.run.and_then(|it| program::run(&mut checker, timeout, it));
    checks.extend(run.map(|run| Check::Run(Box::new(run))));
    checks
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
