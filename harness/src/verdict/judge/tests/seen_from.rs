//! Whom the server saw: every kind of transfer against an address that is expected and one that is not.

use super::*;
use crate::observation::HttpAnswer;
use crate::plan::{By, Http, HttpExpected, Leaving, Nat, NatKind};
use crate::words::Family;

fn transfer_seen_from(words: &str) -> Transfer {
    let seen_from = Some(By { words: words.to_owned(), addresses: vec![ip(words)] });
    Transfer { seen_from, ..transfer(&[Outcome::Open]) }
}

fn answered(source: Option<&str>) -> Observation {
    let flow = Some((([10, 0, 0, 2], 41532).into(), ([192, 168, 1, 3], 7).into()));
    Observation::Traffic(Traffic { seen_from: source.map(ip), flow, ..traffic(Seen::Answered) })
}

fn finding(plan: &Plan, check: Check, observation: &Observation) -> Option<Finding> {
    match judged_in(plan, check, observation) {
        Judgement::Match { .. } => None,
        Judgement::Mismatch(finding) => Some(finding),
    }
}

#[test]
fn the_address_that_the_server_saw_must_be_one_of_those_expected() {
    let plan = plan();
    for (source, expected) in [
        (Some("192.168.1.1"), None),
        (
            Some("10.0.0.2"),
            Some(
                "blue opened lan (192.168.1.3:7), but lan saw it come from blue.eth0 (10.0.0.2), expected 192.168.1.1",
            ),
        ),
        (None, Some("blue opened lan (192.168.1.3:7), but lan was not asked whom it saw, expected 192.168.1.1")),
    ] {
        let found = finding(&plan, Check::Tcp(transfer_seen_from("192.168.1.1")), &answered(source));
        assert_eq!(found.map(|finding| finding.message.replace("lan:7 ", "lan ")).as_deref(), expected, "{source:?}");
    }
}

#[test]
fn a_source_that_nothing_translated_is_told_with_what_would_have_been() {
    let mut plan = plan();
    let src = vec![Cidr { address: ip("10.9.0.0"), length: 16 }];
    let kind = NatKind::Masquerade { leaving: Leaving { src, dev: Some(1) }, families: vec![Family::Ipv4] };
    plan.nodes[1].nat.push(Nat { kind, span: Span::default() });
    let found = finding(&plan, Check::Udp(transfer_seen_from("192.168.1.1")), &answered(Some("10.0.0.2")));
    let notes = found.map(|finding| finding.notes).unwrap_or_default();
    assert_eq!(
        notes,
        [
            "that is the sender's own address: nothing translated it; fw masquerades what leaves from 10.9.0.0/16 by eth1"
        ]
    );
}

#[test]
fn an_answer_over_http_stands_beside_whom_the_server_saw() {
    let plan = plan();
    let http = |status: u16| {
        Check::Http(Box::new(Http {
            connection: transfer_seen_from("192.168.1.1"),
            lookup: None,
            open: None,
            names: None,
            url: "http://lan:7/".to_owned(),
            host: "lan:7".to_owned(),
            path: "/".to_owned(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: String::new(),
            redirects: 0,
            answer: HttpExpected { status: vec![status], ..HttpExpected::default() },
        }))
    };
    let answer = |source: &str| {
        Observation::Http(HttpAnswer {
            status: 200,
            headers: Vec::new(),
            body: String::new(),
            cut: false,
            url: "http://lan:7/".to_owned(),
            astray: None,
            flow: None,
            seen_from: Some(ip(source)),
        })
    };
    assert_eq!(finding(&plan, http(200), &answer("192.168.1.1")), None);
    let other = finding(&plan, http(200), &answer("10.0.0.2")).expect("another source");
    assert_eq!(other.about, ["seen-from"]);
    let both = finding(&plan, http(404), &answer("10.0.0.2")).expect("another source and another status");
    assert_eq!(both.about, ["status", "seen-from"]);
}
