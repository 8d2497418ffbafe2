//! Counts, senders, proofs, and the words of traffic findings.

use super::*;
use crate::plan::By;
use crate::verdict::describe_traffic;

fn seen(traffic: Traffic) -> Observation {
    Observation::Traffic(traffic)
}

#[test]
fn ping_counts_answers() {
    for (count, lost, sent, answered, reachable, unreachable) in [
        (5, None, 5, 5, true, false),
        (5, None, 5, 4, false, false),
        (5, Some(20.0), 5, 4, true, false),
        (5, Some(20.0), 5, 3, false, false),
        (5, Some(20.0), 4, 4, true, false),
        (5, None, 4, 4, false, false),
        (5, None, 5, 0, false, true),
        (5, Some(100.0), 5, 0, false, true),
        (3, Some(33.3), 3, 2, false, false),
        (3, Some(33.4), 3, 2, true, false),
    ] {
        let attempt = if answered == sent { Seen::Answered } else { Seen::Silent };
        let observation = || seen(Traffic { sent, answered, ..traffic(attempt) });
        let check = |word| Check::Ping(Ping { count, lost, ..ping(&[word]) });
        let row = format!("count {count} lost {lost:?} sent {sent} answered {answered}");
        assert_eq!(matches(check(Outcome::Reachable), observation()), reachable, "{row}");
        assert_eq!(matches(check(Outcome::Unreachable), observation()), unreachable, "{row}");
        assert_eq!(matches(check(Outcome::Silent), observation()), unreachable, "{row}");
    }
}

#[test]
fn what_is_lost_within_the_limit_needs_no_proof() {
    let check = Check::Ping(Ping { count: 5, lost: Some(20.0), ..ping(&[Outcome::Reachable]) });
    let departure = Departure::Unproven("no stamp".to_owned());
    let observation = seen(Traffic { sent: 5, answered: 4, departure, ..traffic(Seen::Silent) });
    assert_eq!(judged(check, observation), Judgement::Match { unproven: None });
}

#[test]
fn by_names_who_must_have_refused() {
    let by = |words: &str, addresses: &[&str]| {
        Some(By { words: words.to_owned(), addresses: addresses.iter().map(|text| ip(text)).collect() })
    };
    let fw = || by("fw", &["10.0.0.1", "192.168.1.1"]);
    for (word, seen_now, by, matched) in [
        (Outcome::Rejected, icmp(3, 13, "10.0.0.1"), fw(), true),
        (Outcome::Rejected, icmp(3, 13, "192.168.1.3"), fw(), false),
        (Outcome::Refused, Seen::Reset, by("lan", &["192.168.1.3"]), true),
        (Outcome::Refused, Seen::Reset, fw(), false),
        (Outcome::Closed, Seen::Silent, fw(), false),
        (Outcome::Silent, Seen::Silent, fw(), false),
        (Outcome::Closed, icmp(3, 1, "10.0.0.1"), fw(), true),
        (Outcome::NoRoute, local(101), by("blue", &["10.0.0.2"]), true),
        (Outcome::NoRoute, local(101), fw(), false),
        (Outcome::HostUnreachable, icmp(3, 1, "10.0.0.2"), by("blue", &["10.0.0.2"]), true),
        (Outcome::Open, Seen::Answered, fw(), true),
        (Outcome::Rejected, icmp(3, 13, "10.0.0.1"), by("nobody", &[]), false),
    ] {
        let row = format!("{word} x {seen_now:?} by {by:?}");
        let check = Check::Tcp(Transfer { by, ..transfer(&[word]) });
        assert_eq!(matches(check, seen(traffic(seen_now))), matched, "{row}");
    }
    let check = |by| Check::Tcp(Transfer { by, ..transfer(&[Outcome::Closed]) });
    let finding = found(check(fw()), seen(traffic(icmp(3, 3, "192.168.1.3"))));
    assert_eq!(
        finding.message,
        "blue could not open lan:7 (192.168.1.3:7): refused by lan.eth0 (192.168.1.3): port unreachable \
         (ICMP type 3 code 3), expected closed by fw"
    );
    assert_eq!(finding.notes, ["lan.eth0 (192.168.1.3) refused, not fw"]);
    let finding = found(check(fw()), seen(traffic(Seen::Silent)));
    assert_eq!(finding.notes.last().map(String::as_str), Some("nobody refused"));
}

#[test]
fn silence_needs_proof() {
    let left = "it is not known whether the request left blue (no stamp)";
    let lives = "it is not known whether lan:7 (192.168.1.3:7) lives (nobody listens)";
    let asked = "nobody looked whether lan:7 (192.168.1.3:7) lives";
    let no_stamp = || Departure::Unproven("no stamp".to_owned());
    let dead = || Life::Unproven("nobody listens".to_owned());
    for (departure, life, reason) in [
        (Departure::Stamped, Life::Alive, None),
        (Departure::Said, Life::Alive, None),
        (no_stamp(), Life::Alive, Some(left.to_owned())),
        (Departure::Stamped, dead(), Some(lives.to_owned())),
        (Departure::Stamped, Life::NotAsked, Some(asked.to_owned())),
        (no_stamp(), dead(), Some(format!("{left}; {lives}"))),
    ] {
        let unproven = reason.map(|reason| format!("the silence proves nothing: {reason}"));
        for word in [Outcome::Silent, Outcome::Closed, Outcome::Unreachable] {
            let observation = Traffic { departure: departure.clone(), life: life.clone(), ..traffic(Seen::Silent) };
            let judgement = judged(Check::Tcp(transfer(&[word])), seen(observation));
            assert_eq!(judgement, Judgement::Match { unproven: unproven.clone() }, "{word}");
        }
    }
}

#[test]
fn what_was_said_is_its_own_proof() {
    for said in [Seen::Reset, icmp(3, 1, "10.0.0.2"), icmp(3, 13, "10.0.0.1"), local(101)] {
        let departure = Departure::Unproven("no stamp".to_owned());
        let observation = Traffic { departure, life: Life::Unproven("dead".to_owned()), ..traffic(said) };
        let judgement = judged(Check::Tcp(transfer(&[Outcome::Closed])), seen(observation));
        assert_eq!(judgement, Judgement::Match { unproven: None }, "{said:?}");
    }
}

#[test]
fn messages() {
    use Outcome::{Closed, Delivered, Open, Reachable, Refused, Silent, Unreachable};
    let tcp = |word| Check::Tcp(transfer(&[word]));
    let udp = |word| Check::Udp(transfer(&[word]));
    let address = |word| Check::Ping(Ping { to: target("10.0.0.1", "10.0.0.1"), ..ping(&[word]) });
    let six = |word| Check::Tcp(Transfer { to: target("fd01::3", "fd01::3"), ..transfer(&[word]) });
    let web = |word| Check::Http(Box::new(http::request(&[word])));
    for (check, sight, message) in [
        (tcp(Open), Seen::Silent, "blue could not open lan:7 (192.168.1.3:7): silent for 1 s, expected open"),
        (tcp(Open), Seen::Reset, "blue could not open lan:7 (192.168.1.3:7): refused (TCP reset), expected open"),
        (tcp(Closed), Seen::Answered, "blue opened lan:7 (192.168.1.3:7), expected closed"),
        (six(Refused), Seen::Answered, "blue opened [fd01::3]:7, expected refused"),
        (
            tcp(Silent),
            icmp(3, 13, "10.0.0.1"),
            "blue could not open lan:7 (192.168.1.3:7): rejected by fw.eth0 (10.0.0.1): administratively prohibited \
             (ICMP type 3 code 13), expected silent",
        ),
        (
            tcp(Refused),
            icmp(3, 1, "10.0.0.2"),
            "blue could not open lan:7 (192.168.1.3:7): blue itself (10.0.0.2) gave up: host unreachable \
             (ICMP type 3 code 1), expected refused",
        ),
        (
            tcp(Refused),
            local(101),
            "blue could not open lan:7 (192.168.1.3:7): blue itself did not send: no route (ENETUNREACH), \
             expected refused",
        ),
        (
            tcp(Closed),
            local(24),
            "blue could not open lan:7 (192.168.1.3:7): blue itself did not send: errno 24, expected closed",
        ),
        (
            udp(Open),
            Seen::Delivered,
            "blue could not open lan:7 (192.168.1.3:7): delivered, but not answered for 1 s, expected open",
        ),
        (udp(Silent), Seen::Answered, "blue got an answer from lan:7 (192.168.1.3:7), expected silent"),
        (
            udp(Delivered),
            Seen::Silent,
            "blue could not deliver to lan:7 (192.168.1.3:7): silent for 1 s, expected delivered",
        ),
        (address(Unreachable), Seen::Answered, "blue reached 10.0.0.1, expected unreachable"),
        (address(Reachable), Seen::Silent, "blue could not reach 10.0.0.1: silent for 1 s, expected reachable"),
        (
            web(Open),
            Seen::Reset,
            "blue got no answer from http://lan:7/ (192.168.1.3:7): refused (TCP reset), expected an answer",
        ),
        (
            web(Open),
            Seen::Answered,
            "blue opened a connection but got no answer from http://lan:7/ (192.168.1.3:7), expected an answer",
        ),
        (
            web(Refused),
            Seen::Silent,
            "blue could not open http://lan:7/ (192.168.1.3:7): silent for 1 s, expected refused",
        ),
    ] {
        assert_eq!(found(check, seen(traffic(sight))).message, message);
    }
}

#[test]
fn label_notes_and_helps() {
    let flow = Some((([10, 0, 0, 2], 41532).into(), ([192, 168, 1, 3], 7).into()));
    let tcp = |port| Check::Tcp(Transfer { port, ..transfer(&[Outcome::Open]) });
    let finding = found(tcp(7), seen(Traffic { flow, ..traffic(Seen::Silent) }));
    assert_eq!(finding.label, "10.0.0.2:41532 -> 192.168.1.3:7");
    assert_eq!(finding.notes, ["the request left blue", "lan listens on 7/tcp"]);
    assert_eq!(finding.helps, ["blue has no route to 192.168.1.3"]);
    assert_eq!(finding.about, ["outcome"]);

    let finding = found(tcp(7), seen(traffic(Seen::Reset)));
    assert!(finding.helps.is_empty(), "lan has a service on this port");
    let finding = found(tcp(8), seen(traffic(Seen::Reset)));
    assert_eq!(finding.helps, ["lan has no service on 8/tcp"]);
    let closed = Check::Tcp(Transfer { port: 8, ..transfer(&[Outcome::Silent]) });
    assert!(found(closed, seen(traffic(Seen::Reset))).helps.is_empty(), "nobody wanted a listener");

    let finding = found(tcp(7), seen(traffic(local(101))));
    assert_eq!(
        finding.helps,
        [
            "blue has no route to 192.168.1.3; `routes = [{ to = \"default\", via = \"...\" }]` in its table gives it one"
        ]
    );

    let flow = Some((([10, 0, 0, 2], 0).into(), ([192, 168, 1, 3], 0).into()));
    let check = Check::Ping(Ping { count: 5, lost: Some(20.0), ..ping(&[Outcome::Reachable]) });
    let finding = found(check, seen(Traffic { flow, sent: 5, answered: 3, ..traffic(Seen::Silent) }));
    assert_eq!(
        finding.message,
        "blue reached lan (192.168.1.3) with 3 of 5 echo requests: 40 % lost, expected at most 20 %"
    );
    assert_eq!(finding.label, "10.0.0.2 -> 192.168.1.3");
    assert_eq!(finding.notes[0], "the first that was not answered: silent for 1 s");
}

#[test]
fn a_redirect_is_told_apart_from_its_target() {
    let flow = Some((([10, 0, 0, 2], 41532).into(), ([192, 168, 1, 9], 82).into()));
    let check = || Check::Http(Box::new(http::request(&[Outcome::Open])));
    let finding = found(check(), seen(Traffic { flow, ..traffic(Seen::Reset) }));
    assert_eq!(
        finding.message,
        "blue was redirected by http://lan:7/ (192.168.1.3:7) to 192.168.1.9:82 and got no answer there: \
         refused (TCP reset), expected an answer"
    );
    assert!(finding.helps.is_empty(), "it is not lan that refused");
}

#[test]
fn an_open_connection_without_http_says_why() {
    let told = |outcome, why: Option<&str>| {
        let observation = Observation::NoAnswer { traffic: traffic(Seen::Answered), why: why.map(str::to_owned) };
        found(Check::Http(Box::new(http::request(&[outcome]))), observation).message
    };
    for (why, words) in [(Some("garbage"), "garbage"), (None, "nothing came for 1 s")] {
        assert_eq!(
            told(Outcome::Open, why),
            format!("blue opened a connection to http://lan:7/ (192.168.1.3:7) but got no HTTP answer: {words}")
        );
    }
    assert_eq!(told(Outcome::Refused, None), "blue opened http://lan:7/ (192.168.1.3:7), expected refused");
}

#[test]
fn a_host_that_nobody_answers_for_is_explained() {
    let notes = |sight| found(Check::Ping(ping(&[Outcome::Reachable])), seen(traffic(sight))).notes;
    // The plan gives blue no way there: what it asked for is a gateway, if it was not the target.
    let asked = ["nobody on the link answered the ARP requests for 192.168.1.3, or for the gateway to it"];
    assert_eq!(notes(icmp(3, 1, "10.0.0.2")), asked);
    assert_eq!(notes(local(113)), asked);
    assert!(notes(icmp(3, 1, "10.0.0.1")).is_empty(), "a router said so, for whatever reason");
}

#[test]
fn traffic_reads_without_a_plan() {
    let to_port = Some((([10, 0, 0, 2], 41532).into(), ([192, 168, 1, 3], 7).into()));
    let refusal = Traffic { flow: to_port, ..traffic(icmp(3, 3, "192.168.1.3")) };
    for (traffic, words) in [
        (traffic(Seen::Silent), "silent for 1 s"),
        (traffic(Seen::Answered), "answered"),
        (refusal, "refused by 192.168.1.3: port unreachable (ICMP type 3 code 3)"),
        (traffic(icmp(3, 3, "192.168.1.3")), "rejected by 192.168.1.3: port unreachable (ICMP type 3 code 3)"),
        (traffic(local(101)), "the sender itself did not send: no route (ENETUNREACH)"),
    ] {
        assert_eq!(describe_traffic(&traffic), words);
    }
}
