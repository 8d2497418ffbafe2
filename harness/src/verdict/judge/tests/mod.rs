//! What satisfies which expectation, as tables; and the words of every mismatch.

mod http;
mod link;
mod listing;
mod neigh;
mod outcomes;
mod refuser;
mod route;
mod run;
mod seen_from;
mod solicit;
mod traffic;

use std::net::IpAddr;
use std::time::Duration;

use super::{Judgement, judge};
use crate::observation::{Departure, IcmpError, Life, LocalRefusal, Observation, Seen, Traffic};
use crate::plan::{
    Check, End, Expectation, Interface, InterfaceKind, Node, Ping, Plan, Service, ServiceKind, Target, Transfer,
};
use crate::source::Span;
use crate::verdict::Finding;
use crate::words::{Cidr, Mac, Outcome, Transport};

const BLUE: usize = 0;
const LAN: usize = 2;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("the test writes an address")
}

fn cidr(text: &str) -> Cidr {
    let (address, length) = text.split_once('/').expect("the test writes a prefix");
    Cidr { address: ip(address), length: length.parse().expect("the test writes a length") }
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn interface(name: &str, last: u8, addresses: &[&str]) -> Interface {
    Interface {
        index: 2,
        present: true,
        name: name.to_owned(),
        kind: InterfaceKind::Bridge,
        mac: Some(mac(last)),
        mtu: None,
        up: true,
        ipv6: true,
        addresses: addresses.iter().map(|text| cidr(text)).collect(),
        master: None,
        span: Span::default(),
    }
}

fn machine(name: &str, interfaces: Vec<Interface>) -> Node {
    Node {
        open: false,
        created_by: None,
        process: None,
        name: name.to_owned(),
        switch: false,
        interfaces,
        routes: Vec::new(),
        forward_ipv4: false,
        forward_ipv6: false,
        sysctls: Vec::new(),
        nat: Vec::new(),
        serves: Vec::new(),
        resolver: Vec::new(),
        resolver_spans: Vec::new(),
        span: crate::source::Span::default(),
        forwarding: None,
    }
}

/// `blue` reaches `lan` through `fw`; `lan` echoes on 7/tcp.
fn plan() -> Plan {
    Plan {
        folder: None,
        setup: Vec::new(),
        rules: Vec::new(),
        files: Vec::new(),
        title: "test".to_owned(),
        timeout: Duration::from_secs(30),
        silence: Duration::from_secs(1),
        nodes: vec![
            machine("blue", vec![interface("eth0", 1, &["10.0.0.2/24", "fd00::2/64"])]),
            machine("fw", vec![interface("eth0", 2, &["10.0.0.1/24"]), interface("eth1", 3, &["192.168.1.1/24"])]),
            machine("lan", vec![interface("eth0", 4, &["192.168.1.3/24", "fd01::3/64"])]),
        ],
        operations: Vec::new(),
        services: vec![Service {
            node: LAN,
            name: "echo".to_owned(),
            initial: true,
            kind: ServiceKind::Echo { transport: Transport::Tcp, port: 7, listen: Vec::new() },
            span: Span::default(),
        }],
        expectations: Vec::new(),
        steps: Vec::new(),
        needs: Vec::new(),
    }
}

fn target(words: &str, address: &str) -> Target {
    let owner = (words == "lan").then_some(End { node: LAN, interface: 0 });
    Target { words: words.to_owned(), address: ip(address), owner, read: None }
}

fn ping(outcome: &[Outcome]) -> Ping {
    Ping {
        from: BLUE,
        to: target("lan", "192.168.1.3"),
        source: None,
        count: 1,
        size: 56,
        ttl: None,
        lost: None,
        outcome: outcome.to_vec(),
        by: None,
        refuser: None,
    }
}

fn transfer(outcome: &[Outcome]) -> Transfer {
    Transfer {
        from: BLUE,
        to: target("lan", "192.168.1.3"),
        port: 7,
        source: None,
        outcome: outcome.to_vec(),
        by: None,
        refuser: None,
        seen_from: None,
    }
}

/// Traffic that saw this, watched for a second, left for certain, towards a living target.
fn traffic(seen: Seen) -> Traffic {
    let (departure, life) = match seen {
        Seen::Silent => (Departure::Stamped, Life::Alive),
        Seen::Answered | Seen::Delivered | Seen::Reset | Seen::Icmp { .. } | Seen::Local(_) => {
            (Departure::Said, Life::NotAsked)
        }
    };
    Traffic {
        seen,
        flow: None,
        sent: 1,
        answered: u32::from(seen == Seen::Answered),
        elapsed: Duration::from_secs(1),
        departure,
        life,
        seen_from: None,
    }
}

fn icmp(kind: u8, code: u8, by: &str) -> Seen {
    let by = ip(by);
    Seen::Icmp {
        error: IcmpError { v6: by.is_ipv6(), kind, code },
        by,
        own: by == ip("10.0.0.2") || by == ip("fd00::2"),
    }
}

fn local(errno: i32) -> Seen {
    Seen::Local(LocalRefusal { errno })
}

fn judged(check: Check, observation: Observation) -> Judgement {
    judged_in(&plan(), check, &observation)
}

fn expectation(check: Check) -> Expectation {
    Expectation {
        name: "test".to_owned(),
        check,
        within: Duration::ZERO,
        promised: false,
        holds_for: Duration::ZERO,
        span: Span::default(),
    }
}

fn judged_in(plan: &Plan, check: Check, observation: &Observation) -> Judgement {
    judge(plan, &expectation(check), observation)
}

/// The finding of a mismatch; a match is a failed test.
fn found(check: Check, observation: Observation) -> Finding {
    match judged(check, observation) {
        Judgement::Mismatch(finding) => finding,
        Judgement::Match { unproven } => panic!("it matched (unproven: {unproven:?})"),
    }
}

fn matches(check: Check, observation: Observation) -> bool {
    match judged(check, observation) {
        Judgement::Match { .. } => true,
        Judgement::Mismatch(_) => false,
    }
}

#[test]
fn an_observation_of_another_kind_satisfies_nothing() {
    let checks = [
        Check::Ping(ping(&[Outcome::Unreachable])),
        Check::Tcp(transfer(&[Outcome::Closed])),
        Check::Udp(transfer(&[Outcome::Closed])),
        Check::Neigh(neigh::absent()),
        Check::Route(route::absent("10.9.0.0/16")),
        Check::Route(route::no_lookup()),
        Check::Arp(solicit::silent()),
    ];
    for check in checks {
        let finding = found(check, Observation::Link(None));
        assert!(finding.message.starts_with("the probe answered another question: `"), "{}", finding.message);
        assert!(finding.message.ends_with("` got an interface"), "{}", finding.message);
    }
    let finding = found(Check::Link(Box::new(link::absent())), Observation::Routes(Vec::new()));
    assert_eq!(finding.message, "the probe answered another question: `link blue.eth0: absent` got routes of a table");
    let lookup = Check::Route(route::no_lookup());
    assert!(!matches(lookup, Observation::Routes(Vec::new())));
}
