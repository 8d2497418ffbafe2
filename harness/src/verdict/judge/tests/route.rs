//! Routes of the table, and the route that would be taken.

use super::*;
use crate::observation::Route;
use crate::plan::{RouteCheck, RouteQuery};
use crate::words::{RouteKind, RouteProto, RouteScope};

fn check(query: RouteQuery) -> RouteCheck {
    RouteCheck {
        on: BLUE,
        query,
        via: None,
        dev: None,
        src: None,
        proto: None,
        scope: None,
        kind: None,
        metric: None,
        present: true,
    }
}

fn table(prefix: &str) -> RouteCheck {
    check(RouteQuery::Table(cidr(prefix)))
}

fn lookup() -> RouteCheck {
    check(RouteQuery::Lookup(target("lan", "192.168.1.3")))
}

pub(super) fn absent(prefix: &str) -> RouteCheck {
    RouteCheck { present: false, ..table(prefix) }
}

pub(super) fn no_lookup() -> RouteCheck {
    RouteCheck { present: false, ..lookup() }
}

fn route() -> Route {
    Route {
        to: cidr("192.168.1.0/24"),
        via: Some(ip("10.0.0.1")),
        dev: Some("eth0".to_owned()),
        src: Some(ip("10.0.0.2")),
        proto: Some(RouteProto::Static),
        scope: Some(RouteScope::Global),
        kind: Some(RouteKind::Unicast),
        metric: 100,
    }
}

/// A check of one attribute, whether it is true of [`route`], and how it reads where it is not.
fn attributes(base: &dyn Fn() -> RouteCheck) -> Vec<(RouteCheck, Option<&'static str>)> {
    let dev = |name: &str| Some(name.to_owned());
    vec![
        (base(), None),
        (RouteCheck { via: Some(ip("10.0.0.1")), ..base() }, None),
        (RouteCheck { via: Some(ip("10.0.0.9")), ..base() }, Some("via is 10.0.0.1, expected 10.0.0.9")),
        (RouteCheck { dev: dev("eth0"), ..base() }, None),
        (RouteCheck { dev: dev("eth1"), ..base() }, Some("dev is eth0, expected eth1")),
        (RouteCheck { src: Some(ip("10.0.0.2")), ..base() }, None),
        (RouteCheck { src: Some(ip("10.0.0.9")), ..base() }, Some("src is 10.0.0.2, expected 10.0.0.9")),
        (RouteCheck { proto: Some(RouteProto::Static), ..base() }, None),
        (RouteCheck { proto: Some(RouteProto::Kernel), ..base() }, Some("proto is static, expected kernel")),
        (RouteCheck { scope: Some(RouteScope::Global), ..base() }, None),
        (RouteCheck { scope: Some(RouteScope::Link), ..base() }, Some("scope is global, expected link")),
        (RouteCheck { kind: Some(RouteKind::Unicast), ..base() }, None),
        (RouteCheck { kind: Some(RouteKind::Blackhole), ..base() }, Some("type is unicast, expected blackhole")),
        (RouteCheck { metric: Some(100), ..base() }, None),
        (RouteCheck { metric: Some(0), ..base() }, Some("metric is 100, expected 0")),
        (
            RouteCheck { via: Some(ip("10.0.0.9")), metric: Some(5), ..base() },
            Some("via is 10.0.0.1, expected 10.0.0.9; metric is 100, expected 5"),
        ),
    ]
}

#[test]
fn every_attribute_of_a_table_entry_both_ways() {
    for (check, difference) in attributes(&|| table("192.168.1.0/24")) {
        let none = RouteCheck { present: false, ..check.clone() };
        let observation = || Observation::Routes(vec![route()]);
        let row = format!("{check:?}");
        assert_eq!(matches(Check::Route(none), observation()), difference.is_some(), "absent: {row}");
        match difference {
            None => assert!(matches(Check::Route(check), observation()), "{row}"),
            Some(words) => {
                let message = format!("blue has a different route to 192.168.1.0/24: {words}");
                assert_eq!(found(Check::Route(check), observation()).message, message);
            }
        }
    }
}

#[test]
fn every_attribute_of_a_lookup_both_ways() {
    for (check, difference) in attributes(&lookup) {
        let none = RouteCheck { present: false, ..check.clone() };
        let observation = || Observation::Lookup(Ok(route()));
        let row = format!("{check:?}");
        assert_eq!(matches(Check::Route(none), observation()), difference.is_some(), "absent: {row}");
        match difference {
            None => assert!(matches(Check::Route(check), observation()), "{row}"),
            Some(words) => {
                let message = format!("blue would take a different route for lan (192.168.1.3): {words}");
                assert_eq!(found(Check::Route(check), observation()).message, message);
            }
        }
    }
}

#[test]
fn a_table_entry_is_found_by_its_exact_prefix() {
    let other = Route { to: cidr("192.168.0.0/16"), ..route() };
    assert!(!matches(Check::Route(table("192.168.1.0/24")), Observation::Routes(vec![other.clone()])));
    assert!(matches(Check::Route(absent("192.168.1.0/24")), Observation::Routes(vec![other])));
    assert!(matches(Check::Route(table("192.168.1.77/24")), Observation::Routes(vec![route()])));
}

#[test]
fn a_lookup_that_is_refused() {
    let kind = |kind| RouteCheck { kind: Some(kind), ..lookup() };
    let not = |check: RouteCheck| RouteCheck { present: false, ..check };
    let dev = || RouteCheck { dev: Some("eth0".to_owned()), ..kind(RouteKind::Blackhole) };
    for (check, errno, matched) in [
        (lookup(), 101, false),
        (no_lookup(), 101, true),
        (not(kind(RouteKind::Blackhole)), 101, true),
        (lookup(), 22, false),
        (no_lookup(), 22, false),
        (kind(RouteKind::Blackhole), 22, true),
        (kind(RouteKind::Unreachable), 22, false),
        (kind(RouteKind::Unreachable), 113, true),
        (kind(RouteKind::Prohibit), 13, true),
        (kind(RouteKind::Unicast), 13, false),
        (not(kind(RouteKind::Unicast)), 13, true),
        (not(kind(RouteKind::Prohibit)), 13, false),
        (dev(), 22, false),
        (lookup(), 105, false),
        (no_lookup(), 105, false),
    ] {
        let row = format!("{check:?} x {errno}");
        let observation = Observation::Lookup(Err(LocalRefusal { errno }));
        assert_eq!(matches(Check::Route(check), observation), matched, "{row}");
    }
    let refusing = Route { kind: Some(RouteKind::Unreachable), ..route() };
    assert!(!matches(Check::Route(lookup()), Observation::Lookup(Ok(refusing))));
}

#[test]
fn messages() {
    let two = || Observation::Routes(vec![route(), Route { metric: 0, via: None, ..route() }]);
    let refused = |errno| Observation::Lookup(Err(LocalRefusal { errno }));
    let default = || Observation::Routes(vec![Route { to: cidr("0.0.0.0/0"), ..route() }]);
    let via = || RouteCheck { via: Some(ip("10.0.0.9")), ..table("192.168.1.0/24") };
    let shown = "via 10.0.0.1 dev eth0 proto static src 10.0.0.2 metric 100";
    for (check, observation, message, note) in [
        (
            table("10.9.0.0/16"),
            Observation::Routes(Vec::new()),
            "blue has no route to 10.9.0.0/16".to_owned(),
            Some("the main table of blue has no routes of this family".to_owned()),
        ),
        (
            via(),
            two(),
            "blue has 2 routes to 192.168.1.0/24, none as expected; the nearest: via is 10.0.0.1, expected 10.0.0.9"
                .to_owned(),
            Some(format!(
                "the main table of blue has\n192.168.1.0/24 {shown}\n192.168.1.0/24 dev eth0 proto static src 10.0.0.2"
            )),
        ),
        (absent("0.0.0.0/0"), default(), format!("blue has a route to default, expected none: default {shown}"), None),
        (lookup(), refused(101), "blue has no route for lan (192.168.1.3): no route (ENETUNREACH)".to_owned(), None),
        (
            lookup(),
            refused(22),
            "blue would take a route that refuses for lan (192.168.1.3): type is blackhole, expected unicast"
                .to_owned(),
            Some("the kernel chooses a blackhole route: dropped by its own blackhole route (EINVAL)".to_owned()),
        ),
        (
            no_lookup(),
            refused(113),
            "blue has a route for lan (192.168.1.3), expected none: an unreachable route: host unreachable (EHOSTUNREACH)"
                .to_owned(),
            None,
        ),
        (
            no_lookup(),
            refused(105),
            "blue did not say which route it has for lan (192.168.1.3): errno 105, expected none".to_owned(),
            None,
        ),
        (
            no_lookup(),
            Observation::Lookup(Ok(route())),
            format!("blue has a route for lan (192.168.1.3), expected none: 192.168.1.0 {shown}"),
            None,
        ),
    ] {
        let finding = found(Check::Route(check), observation);
        assert_eq!(finding.message, message);
        assert_eq!(finding.notes.first(), note.as_ref());
    }
}
