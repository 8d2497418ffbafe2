//! Every outcome word against everything that can be seen.

use super::*;

/// Everything that can be seen of a packet from blue to lan, with a name.
fn sights() -> Vec<(&'static str, Seen)> {
    vec![
        ("answered", Seen::Answered),
        ("delivered", Seen::Delivered),
        ("reset", Seen::Reset),
        ("silent", Seen::Silent),
        ("EPERM", local(1)),
        ("EACCES", local(13)),
        ("EINVAL", local(22)),
        ("EMSGSIZE", local(90)),
        ("ENETDOWN", local(100)),
        ("ENETUNREACH", local(101)),
        ("EHOSTUNREACH", local(113)),
        ("EMFILE", local(24)),
        ("EADDRNOTAVAIL", local(99)),
        ("3/0 fw", icmp(3, 0, "10.0.0.1")),
        ("3/1 fw", icmp(3, 1, "10.0.0.1")),
        ("3/1 own", icmp(3, 1, "10.0.0.2")),
        ("3/2 lan", icmp(3, 2, "192.168.1.3")),
        ("3/3 lan", icmp(3, 3, "192.168.1.3")),
        ("3/3 fw", icmp(3, 3, "10.0.0.1")),
        ("3/3 own", icmp(3, 3, "10.0.0.2")),
        ("3/4 fw", icmp(3, 4, "10.0.0.1")),
        ("3/9 fw", icmp(3, 9, "10.0.0.1")),
        ("3/10 fw", icmp(3, 10, "10.0.0.1")),
        ("3/13 fw", icmp(3, 13, "10.0.0.1")),
        ("3/13 lan", icmp(3, 13, "192.168.1.3")),
        ("3/13 own", icmp(3, 13, "10.0.0.2")),
        ("11/0 fw", icmp(11, 0, "10.0.0.1")),
        ("11/1 fw", icmp(11, 1, "10.0.0.1")),
    ]
}

/// The same over IPv6, from `fd00::2` to `fd01::3`.
fn sights6() -> Vec<(&'static str, Seen)> {
    vec![
        ("1/0 fw", icmp(1, 0, "fd00::1")),
        ("1/1 fw", icmp(1, 1, "fd00::1")),
        ("1/2 fw", icmp(1, 2, "fd00::1")),
        ("1/3 fw", icmp(1, 3, "fd00::1")),
        ("1/3 own", icmp(1, 3, "fd00::2")),
        ("1/4 lan", icmp(1, 4, "fd01::3")),
        ("1/4 fw", icmp(1, 4, "fd00::1")),
        ("1/5 fw", icmp(1, 5, "fd00::1")),
        ("1/6 fw", icmp(1, 6, "fd00::1")),
        ("2/0 fw", icmp(2, 0, "fd00::1")),
        ("3/0 fw", icmp(3, 0, "fd00::1")),
        ("3/1 fw", icmp(3, 1, "fd00::1")),
        // The numbers of an IPv4 error mean something else here.
        ("3/13 fw", icmp(3, 13, "fd00::1")),
        ("11/0 fw", icmp(11, 0, "fd00::1")),
    ]
}

/// Every name but these.
fn but(sights: &[(&'static str, Seen)], except: &[&str]) -> Vec<&'static str> {
    sights.iter().map(|(name, _)| *name).filter(|name| !except.contains(name)).collect()
}

fn every_word() -> Vec<Outcome> {
    Outcome::WORDS.iter().filter_map(|word| Outcome::from_word(word)).collect()
}

/// Holds `word x sight` against the table: nothing but what stands there matches.
fn hold(
    sights: &[(&'static str, Seen)],
    table: &dyn Fn(Outcome) -> Vec<&'static str>,
    check: &dyn Fn(Outcome) -> Check,
) {
    let mut wrong = Vec::new();
    for word in every_word() {
        let right = table(word);
        for name in &right {
            assert!(sights.iter().any(|(sight, _)| sight == name), "`{name}` is no sight of this table");
        }
        for (name, seen) in sights {
            let matched = matches(check(word), Observation::Traffic(traffic(*seen)));
            if matched != right.contains(name) {
                wrong.push(format!("{word} x {name}: {}", if matched { "matched" } else { "did not match" }));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const NO_SIGNS: [&str; 4] = ["answered", "delivered", "EMFILE", "EADDRNOTAVAIL"];

/// What a word means for TCP and UDP over IPv4.
fn transport(word: Outcome) -> Vec<&'static str> {
    match word {
        Outcome::Reachable | Outcome::Open => vec!["answered"],
        Outcome::Delivered => vec!["answered", "delivered"],
        Outcome::Unreachable | Outcome::Closed => but(&sights(), &NO_SIGNS),
        Outcome::Refused => vec!["reset", "3/3 lan"],
        Outcome::Rejected => vec![
            "3/0 fw", "3/1 fw", "3/2 lan", "3/3 fw", "3/4 fw", "3/9 fw", "3/10 fw", "3/13 fw", "3/13 lan", "11/0 fw",
            "11/1 fw",
        ],
        Outcome::Silent => vec!["silent"],
        Outcome::NoRoute => vec!["ENETUNREACH"],
        Outcome::Blackhole => vec!["EINVAL"],
        Outcome::Prohibited => vec!["EACCES", "3/9 fw", "3/10 fw", "3/13 fw", "3/13 lan", "3/13 own"],
        Outcome::BlockedLocally => vec!["EPERM"],
        Outcome::HostUnreachable => vec!["EHOSTUNREACH", "3/1 fw", "3/1 own"],
        Outcome::NetUnreachable => vec!["3/0 fw"],
        Outcome::TtlExceeded => vec!["11/0 fw"],
        Outcome::TooBig => vec!["EMSGSIZE", "3/4 fw"],
    }
}

#[test]
fn tcp_and_udp() {
    hold(&sights(), &transport, &|word| Check::Tcp(transfer(&[word])));
    hold(&sights(), &transport, &|word| Check::Udp(transfer(&[word])));
}

#[test]
fn ping_knows_no_refusal() {
    let table = |word| match word {
        // A reset never answers an echo request; it stands here because the table is whole.
        Outcome::Refused => vec!["reset"],
        Outcome::Rejected => [transport(word), vec!["3/3 lan"]].concat(),
        _ => transport(word),
    };
    hold(&sights(), &table, &|word| Check::Ping(ping(&[word])));
}

#[test]
fn ipv6() {
    let sights = sights6();
    let table = |word| match word {
        Outcome::Reachable
        | Outcome::Open
        | Outcome::Delivered
        | Outcome::Silent
        | Outcome::NoRoute
        | Outcome::Blackhole
        | Outcome::BlockedLocally => vec![],
        Outcome::Unreachable | Outcome::Closed => but(&sights, &[]),
        Outcome::Refused => vec!["1/4 lan"],
        Outcome::Rejected => but(&sights, &["1/4 lan", "1/3 own"]),
        Outcome::Prohibited => vec!["1/1 fw", "1/5 fw", "1/6 fw"],
        Outcome::HostUnreachable => vec!["1/3 fw", "1/3 own"],
        Outcome::NetUnreachable => vec!["1/0 fw"],
        Outcome::TtlExceeded => vec!["3/0 fw"],
        Outcome::TooBig => vec!["2/0 fw"],
    };
    hold(&sights, &table, &|word| Check::Udp(Transfer { to: target("lan", "fd01::3"), ..transfer(&[word]) }));
}

#[test]
fn http_is_never_satisfied_by_a_connection_alone() {
    let table = |word| match word {
        Outcome::Reachable | Outcome::Open => vec![],
        Outcome::Delivered => vec!["delivered"],
        _ => transport(word),
    };
    hold(&sights(), &table, &|word| Check::Http(Box::new(http::request(&[word]))));
}

#[test]
fn a_list_means_any_of_these() {
    let check = || Check::Tcp(transfer(&[Outcome::Refused, Outcome::Silent]));
    assert!(matches(check(), Observation::Traffic(traffic(Seen::Reset))));
    assert!(matches(check(), Observation::Traffic(traffic(Seen::Silent))));
    assert!(!matches(check(), Observation::Traffic(traffic(Seen::Answered))));
    assert!(!matches(Check::Tcp(transfer(&[])), Observation::Traffic(traffic(Seen::Answered))));
}

#[test]
fn a_node_that_refuses_itself_is_the_very_target() {
    let check = Check::Udp(Transfer { to: target("blue", "10.0.0.2"), ..transfer(&[Outcome::Refused]) });
    assert!(matches(check, Observation::Traffic(traffic(icmp(3, 3, "10.0.0.2")))));
}
