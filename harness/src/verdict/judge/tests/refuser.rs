//! `dropped-by` and `rejected-by`: who refused, as the evidence says.

use super::{expectation, icmp, local, ping, plan, traffic, transfer};
use crate::evidence::{Act, Blame, Cause, CauseKind, Evidence, Explanation, Hop, Way};
use crate::observation::{Observation, Seen};
use crate::plan::{Check, Ping, Refusal, Refuser, Transfer};
use crate::verdict::{Finding, Outcome as Decided, judge_refuser};
use crate::words::Outcome;

const FW: usize = 1;

fn refuser(how: Refusal, rule: Option<&str>) -> Refuser {
    Refuser { how, node: FW, name: "fw".to_owned(), rule: rule.map(str::to_owned) }
}

fn cause(kind: CauseKind, node: &str, rule: Option<&str>) -> Cause {
    let words = format!("{node} did it");
    Cause { kind, words, node: Some(node.to_owned()), rule: rule.map(str::to_owned), blame: None, help: None }
}

fn explained(causes: Vec<Cause>) -> Explanation {
    Explanation { causes, ..Explanation::default() }
}

/// What becomes of a TCP connection that must be refused so, where this was seen and this explains it.
fn decided(refuser: Refuser, seen: Seen, explanation: &Explanation) -> Decided {
    let check = Check::Tcp(Transfer { refuser: Some(refuser.clone()), ..transfer(&[Outcome::Closed]) });
    let observation = Observation::Traffic(traffic(seen));
    judge_refuser(&plan(), &expectation(check), &refuser, &observation, explanation, &Evidence::default())
}

fn passes(refuser: Refuser, seen: Seen, cause: Cause) -> bool {
    match decided(refuser, seen, &explained(vec![cause])) {
        Decided::Pass { unproven: None } => true,
        Decided::Fail(_) => false,
        other => panic!("{other:?}"),
    }
}

fn failure(decided: Decided) -> Finding {
    match decided {
        Decided::Fail(finding) => finding,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_node_drops_by_whatever_means_that_are_not_heard() {
    use CauseKind::*;
    for (kind, drops) in [
        (RuleDropped, true),
        (PolicyDropped, true),
        (BridgeNetfilter, true),
        (ReversePath, true),
        (RouteRefuses, true),
        (ForwardingOff, true),
        (EchoIgnored, true),
        (PortIsolated, true),
        (RuleRejected, false),
        (NoRoute, false),
        (NobodyListens, false),
        (NatMissing, false),
        (LinkDown, false),
        (PolicyRule, false),
    ] {
        let dropped = |seen, node| passes(refuser(Refusal::Dropped, None), seen, cause(kind, node, None));
        assert_eq!(dropped(Seen::Silent, "fw"), drops, "{kind:?}");
        assert_eq!(dropped(local(libc::EPERM), "fw"), drops, "{kind:?}");
        assert!(!dropped(Seen::Silent, "lan"), "{kind:?} by another node");
        assert!(!dropped(icmp(3, 13, "10.0.0.1"), "fw"), "{kind:?}: somebody was heard");
        assert!(!dropped(Seen::Reset, "fw"), "{kind:?}: somebody was heard");
    }
}

#[test]
fn a_node_rejects_where_its_refusal_is_heard() {
    use CauseKind::*;
    let prohibited = icmp(3, 13, "10.0.0.1");
    for (kind, rejects) in [
        (RuleRejected, true),
        (RuleDropped, true),
        (BridgeNetfilter, true),
        (RouteRefuses, true),
        (NoRoute, true),
        (NobodyListens, true),
        (PolicyDropped, false),
        (ReversePath, false),
        (ForwardingOff, false),
    ] {
        let rejected = |seen, node, rule| passes(refuser(Refusal::Rejected, None), seen, cause(kind, node, rule));
        assert_eq!(rejected(prohibited, "fw", None), rejects, "{kind:?}");
        assert_eq!(rejected(Seen::Reset, "fw", None), rejects, "{kind:?}");
        assert!(!rejected(prohibited, "lan", None), "{kind:?} by another node");
        // The word of a rule that rejects may be lost; anybody else's silence is none.
        assert_eq!(rejected(Seen::Silent, "fw", None), kind == RuleRejected, "{kind:?}");
    }
    let drops = cause(RuleDropped, "fw", Some("tcp dport 7 drop"));
    assert!(!passes(refuser(Refusal::Rejected, None), prohibited, drops), "a rule that drops says nothing");
}

#[test]
fn who_says_that_a_neighbour_is_dead_has_rejected_it() {
    let hop = Hop {
        way: Way::Request,
        node: "fw".to_owned(),
        interface: None,
        act: Act::Rejected { how: "with an error".to_owned() },
    };
    let explanation = Explanation { hops: vec![hop], ..explained(vec![cause(CauseKind::NoNeighbour, "lan", None)]) };
    let decided = decided(refuser(Refusal::Rejected, None), icmp(3, 1, "10.0.0.1"), &explanation);
    assert_eq!(decided, Decided::Pass { unproven: None });
}

#[test]
fn the_senders_own_kernel_is_the_sender() {
    // The evidence of these tests is of a probe from the first node.
    let blue = || Refuser { node: super::BLUE, name: "blue".to_owned(), ..refuser(Refusal::Rejected, None) };
    let nobody = |node| cause(CauseKind::NoNeighbour, node, None);
    assert!(passes(blue(), icmp(3, 1, "10.0.0.2"), nobody("lan")));
    assert!(passes(blue(), local(libc::EHOSTUNREACH), nobody("lan")));
    assert!(!passes(blue(), icmp(3, 1, "10.0.0.1"), nobody("blue")), "another node said so");
}

#[test]
fn the_first_cause_counts() {
    let causes = vec![cause(CauseKind::RuleDropped, "lan", None), cause(CauseKind::RuleDropped, "fw", None)];
    let finding = failure(decided(refuser(Refusal::Dropped, None), Seen::Silent, &explained(causes)));
    assert_eq!(
        finding.message,
        "blue could not open lan:7 (192.168.1.3:7): silent for 1 s, and it was not fw that dropped it: lan did it"
    );
    assert_eq!(finding.label, "expected it to be dropped by fw");
    assert_eq!(finding.about, ["dropped-by"]);
}

#[test]
fn a_rule_is_known_by_any_words_of_it() {
    let text = r#"iifname "eth0" tcp dport { 80, 8080 } counter packets 0 bytes 0 drop comment "no web""#;
    for (part, stands) in [
        ("tcp dport {80,8080}", true),
        ("  tcp   dport\t{ 80 , 8080 }\n", true),
        ("iifname eth0 tcp", true),
        ("iifname \"eth0\"", true),
        ("no web", true),
        ("drop", true),
        ("808", false),
        ("port { 80", false),
        ("tcp dport 80", false),
        ("counter drop", false),
        ("\"\"", false),
    ] {
        let by = refuser(Refusal::Dropped, Some(part));
        let found = passes(by, Seen::Silent, cause(CauseKind::RuleDropped, "fw", Some(text)));
        assert_eq!(found, stands, "{part}");
    }
}

#[test]
fn the_line_of_the_file_will_do() {
    let by = || refuser(Refusal::Dropped, Some("tcp dport $web drop"));
    let line = |kind| Cause {
        blame: Some(Blame::File {
            path: "fw.nft".to_owned(),
            line: 3,
            text: "  tcp dport $web drop # no".to_owned(),
            command: false,
        }),
        ..cause(kind, "fw", Some("tcp dport 80 drop"))
    };
    assert!(passes(by(), Seen::Silent, line(CauseKind::RuleDropped)));
    assert!(!passes(by(), Seen::Silent, line(CauseKind::ForwardingOff)), "what is no rule has no line of one");
}

#[test]
fn the_line_of_a_script_may_say_more_than_its_rule() {
    let by = |words| refuser(Refusal::Dropped, Some(words));
    let line = || Cause {
        blame: Some(Blame::File {
            path: "fw.sh".to_owned(),
            line: 3,
            text: "nft 'add rule inet f c tcp dport 22 drop; add rule inet f c tcp dport 80 drop'".to_owned(),
            command: true,
        }),
        ..cause(CauseKind::RuleDropped, "fw", Some("tcp dport 80 drop"))
    };
    assert!(passes(by("tcp dport 80 drop"), Seen::Silent, line()));
    assert!(!passes(by("tcp dport 22 drop"), Seen::Silent, line()), "another rule of the same line");
}

#[test]
fn another_rule_is_not_the_one() {
    let by = refuser(Refusal::Dropped, Some("tcp dport 80 drop"));
    let other = cause(CauseKind::RuleDropped, "fw", Some("tcp dport 7 drop"));
    let finding = failure(decided(by.clone(), Seen::Silent, &explained(vec![other])));
    assert!(finding.message.ends_with("and it was not the rule `tcp dport 80 drop` of fw that dropped it: fw did it"));
    assert_eq!(finding.label, "expected it to be dropped by fw by the rule `tcp dport 80 drop`");
    let policy = cause(CauseKind::PolicyDropped, "fw", None);
    assert!(!passes(by, Seen::Silent, policy), "a policy is no rule");
}

#[test]
fn what_is_missing_in_the_evidence_proves_nothing() {
    let by = || refuser(Refusal::Dropped, None);
    let cut = |causes| Explanation { cut: vec!["the rules cannot be read".to_owned()], ..explained(causes) };
    let nobody = failure(decided(by(), Seen::Silent, &explained(Vec::new())));
    assert!(nobody.message.ends_with("and nobody can be named who dropped it"));
    let unproven = |decided| match decided {
        Decided::Error(Finding { notes, .. }) => notes,
        other => panic!("{other:?}"),
    };
    let notes = unproven(decided(by(), Seen::Silent, &cut(Vec::new())));
    assert_eq!(notes, ["evidence is missing: the rules cannot be read"]);
    unproven(decided(by(), Seen::Silent, &cut(vec![cause(CauseKind::ForwardingOff, "lan", None)])));
    // What a trace has shown stands, whatever else is missing.
    failure(decided(by(), Seen::Silent, &cut(vec![cause(CauseKind::RuleDropped, "lan", None)])));
    let proved = decided(by(), Seen::Silent, &cut(vec![cause(CauseKind::RuleDropped, "fw", None)]));
    assert_eq!(proved, Decided::Pass { unproven: None });
    let guessed = decided(by(), Seen::Silent, &cut(vec![cause(CauseKind::ForwardingOff, "fw", None)]));
    let reason = "evidence is missing: the rules cannot be read".to_owned();
    assert_eq!(guessed, Decided::Pass { unproven: Some(reason) });
    // Which rule it was is not known where its text is not.
    let rule = refuser(Refusal::Dropped, Some("drop"));
    let unread = decided(rule.clone(), Seen::Silent, &explained(vec![cause(CauseKind::RuleDropped, "fw", None)]));
    let Decided::Error(Finding { message, .. }) = unread else { panic!("{unread:?}") };
    assert!(message.ends_with("and it is not known whether it was dropped by fw by the rule `drop`: fw did it"));
    failure(decided(rule, Seen::Silent, &explained(vec![cause(CauseKind::RuleDropped, "lan", None)])));
}

#[test]
fn a_ping_is_refused_too() {
    let by = refuser(Refusal::Dropped, None);
    let check = Check::Ping(Ping { refuser: Some(by.clone()), ..ping(&[Outcome::Unreachable]) });
    let explanation = explained(vec![cause(CauseKind::EchoIgnored, "lan", None)]);
    let observation = Observation::Traffic(traffic(Seen::Silent));
    let decided = judge_refuser(&plan(), &expectation(check), &by, &observation, &explanation, &Evidence::default());
    let message = failure(decided).message;
    assert_eq!(
        message,
        "blue could not reach lan (192.168.1.3): silent for 1 s, and it was not fw that dropped it: lan did it"
    );
}
