//! The check `route`: a route in the table, or the route that an address would take.

use std::net::IpAddr;

use super::checker::{Checker, Sender};
use super::routes::default_of;
use super::subnet::host_bits;
use super::targets::{Goal, Reach};
use crate::case::decode::Scalar;
use crate::case::expect::RouteCheck as Written;
use crate::diagnostic::Diagnostic;
use crate::plan::{Check, RouteCheck, RouteQuery};
use crate::source::Spanned;
use crate::words::{Cidr, Family, RouteKind};

/// How to say the interface, where somebody writes one after `on`.
const ON: &str = "the interface of a route is said by `dev`";

/// Resolves `route`.
pub(super) fn resolve(checker: &mut Checker<'_>, written: Written) -> Vec<Check> {
    let Written { on, to, get, family, via, dev, src, proto, scope, r#type, metric, present, span, sound: _ } = written;
    let nodes = checker.senders("on", on.items, ON);
    let hint = family.or(via.map(|via| via.map(Family::of))).or(src.map(|src| src.map(Family::of)));
    let queries: Vec<(Sender, RouteQuery)> = match (to, get) {
        (Some(to), None) => {
            refuse_local(checker, &to, r#type);
            let instead = |address| format!("for the route that this address would take, write `get = \"{address}\"`");
            let prefix = prefix(checker, &to, family, hint, instead);
            nodes.iter().filter_map(|on| prefix.map(|prefix| (*on, RouteQuery::Table(prefix)))).collect()
        }
        (None, Some(get)) => lookups(checker, &nodes, &get, hint),
        (Some(to), Some(get)) => {
            checker.derive(
                Diagnostic::error(get.span, "`to` and `get` in one check")
                    .label("`get` asks which route this address would take")
                    .related(to.span, "`to` looks for a route to exactly this prefix")
                    .help("write two expectations"),
            );
            Vec::new()
        }
        (None, None) => {
            checker.derive(
                Diagnostic::error(span, "which route?")
                    .label("`to` or `get` is missing")
                    .help("`to = \"10.1.0.0/16\"` is a route in the table, `get = \"10.1.2.3\"` the one that an address would take"),
            );
            Vec::new()
        }
    };
    let must_be = present.is_none_or(|present| present.value);
    let mut checks = Vec::new();
    for (on, query) in queries {
        check_families(checker, &query, [("via", via), ("src", src)]);
        if let Some(dev) = dev.as_ref().filter(|_| must_be && !checker.lab.nodes[on.node].open) {
            checker.interface(on.node, dev, dev.span);
        }
        checks.push(Check::Route(RouteCheck {
            on: on.node,
            query,
            via: via.map(|via| via.value),
            dev: dev.as_ref().map(|dev| dev.value.clone()),
            src: src.map(|src| src.value),
            proto: proto.map(|proto| proto.value),
            scope: scope.map(|scope| scope.value),
            kind: r#type.map(|kind| kind.value),
            metric: metric.map(|metric| metric.value.0),
            present: must_be,
        }));
    }
    checks
}

/// The prefix that a word says, or "default". `instead` is what to write where an address is meant.
pub(super) fn prefix(
    checker: &mut Checker<'_>,
    to: &Spanned<String>,
    family: Option<Spanned<Family>>,
    hint: Option<Spanned<Family>>,
    instead: fn(IpAddr) -> String,
) -> Option<Cidr> {
    if **to == "default" {
        return Some(default_of(hint.map_or(Family::Ipv4, |family| family.value)));
    }
    let cidr = Cidr::parse(to).map_err(|wrong| {
        let wrong = wrong.at(to);
        match to.parse::<IpAddr>() {
            Ok(address) => wrong.help(instead(address)),
            Err(_) => wrong.help("or \"default\""),
        }
    });
    let cidr = checker.ok(cidr)?;
    if let Some(wrong) = host_bits(Spanned::new(cidr, to.span)) {
        checker.say(wrong.help(instead(cidr.address)));
    }
    if let Some(family) = family.filter(|family| family.value != Family::of(cidr.address)) {
        checker.derive(
            Diagnostic::error(to.span, format!("{cidr} is not an {} prefix", family.value.name()))
                .label(format!("an {} prefix", Family::of(cidr.address).name()))
                .related(family.span, format!("only {}", family.value.name())),
        );
    }
    Some(cidr)
}

fn lookups(
    checker: &mut Checker<'_>,
    nodes: &[Sender],
    get: &Spanned<String>,
    narrow: Option<Spanned<Family>>,
) -> Vec<(Sender, RouteQuery)> {
    let Some(aim) = checker.aim(get) else { return Vec::new() };
    let goal = Goal { words: get.value.clone(), span: get.span, aim };
    let mut queries = Vec::new();
    for on in nodes {
        let targets = checker.targets(*on, &goal, Reach { narrow, positive: false });
        queries.extend(targets.into_iter().map(|target| (*on, RouteQuery::Lookup(target))));
    }
    queries
}

/// `to` looks into the main table, where the kernel keeps no local and broadcast routes.
fn refuse_local(checker: &mut Checker<'_>, to: &Spanned<String>, kind: Option<Spanned<RouteKind>>) {
    let Some(kind) = kind else { return };
    match kind.value {
        RouteKind::Local | RouteKind::Broadcast | RouteKind::Multicast => checker.derive(
            Diagnostic::error(kind.span, format!("no route of type `{}` stands in the main table", kind.value))
                .label("the kernel keeps it in the table `local`")
                .related(to.span, "looks into the main table")
                .help("ask for an address instead: `get = \"ADDRESS\"`"),
        ),
        RouteKind::Unicast | RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => {}
    }
}

fn check_families(checker: &mut Checker<'_>, query: &RouteQuery, given: [(&str, Option<Spanned<IpAddr>>); 2]) {
    let family = match query {
        RouteQuery::Table(prefix) => Family::of(prefix.address),
        RouteQuery::Lookup(target) => Family::of(target.address),
    };
    for (key, address) in given {
        if let Some(address) = address.filter(|address| Family::of(address.value) != family) {
            checker.derive(
                Diagnostic::error(address.span, format!("`{key}` and the destination are of different families"))
                    .label(format!("an {} address", Family::of(address.value).name()))
                    .note(format!("the destination is {}", family.name())),
            );
        }
    }
}
