//! Routes of the main table, and the route that an address would take.
//!
//! A lookup that ends in a route that refuses comes back as an errno: EINVAL for blackhole, EHOSTUNREACH for
//! unreachable, EACCES for prohibit (ip-route(8)). Such a route is a route: only ENETUNREACH means that there is none.

use std::net::IpAddr;

use super::super::Judgement;
use super::{compare, differs};
use crate::observation::{LocalRefusal, Route};
use crate::plan::{Plan, RouteCheck, Target};
use crate::verdict::Finding;
use crate::verdict::describe::{node, prefix_words, route as route_words, target_words};
use crate::verdict::words::local_refusal;
use crate::words::{Cidr, RouteKind};

/// How many routes of a table are shown.
const MOST_SHOWN: usize = 8;

/// Decides about the routes to one prefix; `routes` is the whole main table.
pub(in super::super) fn table(plan: &Plan, check: &RouteCheck, prefix: Cidr, routes: &[Route]) -> Judgement {
    let to: Vec<&Route> = routes.iter().filter(|route| route.to == prefix.network()).collect();
    let closest = to.iter().map(|route| differences(check, route)).min_by_key(Vec::len);
    let matching = to.iter().find(|route| differences(check, route).is_empty());
    let on = node(plan, check.on);
    let prefix = prefix_words(prefix.network());
    match (check.present, matching) {
        (true, Some(_)) | (false, None) => Judgement::proven(),
        (false, Some(route)) => {
            let message = format!("{on} has a route to {prefix}, expected none: {}", route_words(route));
            Judgement::Mismatch(Finding::new(message).about(&["present"]))
        }
        (true, None) => {
            let (keys, wrong): (Vec<&str>, Vec<String>) = closest.unwrap_or_default().into_iter().unzip();
            let wrong = wrong.join("; ");
            Judgement::Mismatch(match to.len() {
                0 => Finding::new(format!("{on} has no route to {prefix}")).about(&["to"]).note(shown(on, routes)),
                1 => Finding::new(format!("{on} has a different route to {prefix}: {wrong}"))
                    .about(&keys)
                    .note(format!("it is {}", to.iter().map(|route| route_words(route)).collect::<String>())),
                count => {
                    Finding::new(format!("{on} has {count} routes to {prefix}, none as expected; the nearest: {wrong}"))
                        .about(&keys)
                        .note(shown(on, to.iter().copied()))
                }
            })
        }
    }
}

/// Routes as lines of `ip route`.
fn shown<'a>(on: &str, routes: impl IntoIterator<Item = &'a Route>) -> String {
    let lines: Vec<String> = routes.into_iter().map(route_words).collect();
    match lines.len() {
        0 => format!("the main table of {on} has no routes of this family"),
        1..=MOST_SHOWN => format!("the main table of {on} has\n{}", lines.join("\n")),
        count => {
            let first: Vec<&str> = lines.iter().take(MOST_SHOWN).map(String::as_str).collect();
            format!("the main table of {on} has {count} routes, first\n{}", first.join("\n"))
        }
    }
}

/// Decides about the route that would be taken.
pub(in super::super) fn lookup(
    plan: &Plan,
    check: &RouteCheck,
    target: &Target,
    found: &Result<Route, LocalRefusal>,
) -> Judgement {
    let on = node(plan, check.on);
    let target = target_words(target);
    let (kind, wrong, shown) = match found {
        Ok(route) => {
            let mut wrong = differences(check, route);
            if let Some(kind) = route.kind.filter(|kind| refuses(*kind)) {
                wrong.extend(unasked_refusal(check, kind));
            }
            (route.kind, wrong, route_words(route).replacen(&route.to.to_string(), &route.to.address.to_string(), 1))
        }
        Err(refusal) => {
            let kind = match refusal.errno {
                libc::EINVAL => RouteKind::Blackhole,
                libc::EHOSTUNREACH => RouteKind::Unreachable,
                libc::EACCES => RouteKind::Prohibit,
                libc::ENETUNREACH if !check.present => return Judgement::proven(),
                // There is no route; or the errno says nothing of routes, and satisfies neither presence nor absence.
                _ => return no_route(on, &target, *refusal, check),
            };
            let article = if kind == RouteKind::Unreachable { "an" } else { "a" };
            let shown = format!("{article} {kind} route: {}", local_refusal(*refusal));
            (Some(kind), refused_differences(check, kind), shown)
        }
    };
    match (check.present, wrong.is_empty()) {
        (true, true) | (false, false) => Judgement::proven(),
        (false, true) => {
            let message = format!("{on} has a route for {target}, expected none: {shown}");
            Judgement::Mismatch(Finding::new(message).about(&["present"]))
        }
        (true, false) => {
            let which = if kind.is_some_and(refuses) { "a route that refuses" } else { "a different route" };
            let (keys, words): (Vec<&str>, Vec<String>) = wrong.into_iter().unzip();
            Judgement::Mismatch(
                Finding::new(format!("{on} would take {which} for {target}: {}", words.join("; ")))
                    .about(&keys)
                    .note(format!("the kernel chooses {shown}")),
            )
        }
    }
}

fn refuses(kind: RouteKind) -> bool {
    match kind {
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => true,
        RouteKind::Unicast | RouteKind::Local | RouteKind::Broadcast | RouteKind::Multicast => false,
    }
}

fn no_route(on: &str, target: &str, refusal: LocalRefusal, check: &RouteCheck) -> Judgement {
    let expected = if check.present { "a route" } else { "none" };
    let message = if refusal.errno == libc::ENETUNREACH {
        format!("{on} has no route for {target}: {}", local_refusal(refusal))
    } else {
        format!("{on} did not say which route it has for {target}: {}, expected {expected}", local_refusal(refusal))
    };
    Judgement::Mismatch(Finding::new(message).about(&["get"]))
}

/// What is not as expected, each with the key of the check that expects it.
fn differences(check: &RouteCheck, route: &Route) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    // A route of a type that this version has no word for is not taken for one of those it knows.
    compare(&mut wrong, "type", check.kind.as_ref(), route.kind.as_ref());
    compare(&mut wrong, "via", check.via.as_ref(), route.via.as_ref());
    compare(&mut wrong, "dev", check.dev.as_ref(), route.dev.as_ref());
    compare(&mut wrong, "src", check.src.as_ref(), route.src.as_ref());
    compare(&mut wrong, "proto", check.proto.as_ref(), route.proto.as_ref());
    compare(&mut wrong, "scope", check.scope.as_ref(), route.scope.as_ref());
    compare(&mut wrong, "metric", check.metric.as_ref(), Some(&route.metric));
    wrong
}

/// An errno names the type only; whatever else is asked of the route, the kernel does not say.
fn refused_differences(check: &RouteCheck, kind: RouteKind) -> Vec<(&'static str, String)> {
    let mut wrong: Vec<_> = unasked_refusal(check, kind).into_iter().collect();
    compare(&mut wrong, "type", check.kind.as_ref(), Some(&kind));
    compare::<IpAddr>(&mut wrong, "via", check.via.as_ref(), None);
    compare(&mut wrong, "dev", check.dev.as_ref(), None);
    compare::<IpAddr>(&mut wrong, "src", check.src.as_ref(), None);
    compare(&mut wrong, "proto", check.proto.as_ref(), None);
    compare(&mut wrong, "scope", check.scope.as_ref(), None);
    if let Some(metric) = check.metric {
        wrong.push(("metric", differs("metric", "not told", metric)));
    }
    wrong
}

/// Who asks for a route and for no type means one that carries packets; who asks for none means none of any type.
fn unasked_refusal(check: &RouteCheck, kind: RouteKind) -> Option<(&'static str, String)> {
    (check.present && check.kind.is_none()).then(|| ("type", differs("type", kind, RouteKind::Unicast)))
}
