//! Who answered on the wire.

use super::*;
use crate::observation::Answers;
use crate::plan::Solicit;
use crate::words::Answer;

fn solicit(outcome: &[Answer], macs: &[u8]) -> Solicit {
    Solicit {
        from: End { node: BLUE, interface: 0 },
        to: target("10.0.0.1", "10.0.0.1"),
        macs: macs.iter().map(|last| (mac(*last), "fw.eth0".to_owned())).collect(),
        outcome: outcome.to_vec(),
    }
}

pub(super) fn silent() -> Solicit {
    solicit(&[Answer::Silent], &[])
}

fn answers(macs: &[u8], departure: Departure) -> Observation {
    let macs = macs.iter().map(|last| mac(*last)).collect();
    Observation::Answers(Answers { macs, departure, elapsed: Duration::from_secs(1) })
}

#[test]
fn words_and_macs_both_ways() {
    use Answer::{Answered, Several, Silent};
    for (outcome, macs, seen, matched) in [
        (vec![Answered], vec![], vec![2], true),
        (vec![Answered], vec![], vec![], false),
        (vec![Answered], vec![], vec![2, 3], false),
        (vec![Answered], vec![], vec![2, 2], true),
        (vec![Several], vec![], vec![2, 3], true),
        (vec![Several], vec![], vec![2], false),
        (vec![Several], vec![], vec![2, 2], false),
        (vec![Silent], vec![], vec![], true),
        (vec![Silent], vec![], vec![2], false),
        (vec![Answered, Several], vec![], vec![2, 3], true),
        (vec![Answered], vec![2], vec![2], true),
        (vec![Answered], vec![2], vec![3], false),
        (vec![Several], vec![2, 3], vec![3, 2], true),
        (vec![Several], vec![2, 3], vec![2, 4], false),
        (vec![Several], vec![2, 3], vec![2, 3, 4], false),
        (vec![Answered, Several], vec![2, 3], vec![2], false),
        (vec![], vec![], vec![2], false),
    ] {
        let row = format!("{outcome:?} {macs:?} x {seen:?}");
        for wrap in [Check::Arp, Check::Ndp] {
            let check = wrap(solicit(&outcome, &macs));
            assert_eq!(matches(check, answers(&seen, Departure::Stamped)), matched, "{row}");
        }
    }
}

#[test]
fn silence_needs_a_request_that_left() {
    let unproven = |departure| judged(Check::Arp(silent()), answers(&[], departure));
    assert_eq!(unproven(Departure::Stamped), Judgement::Match { unproven: None });
    assert_eq!(unproven(Departure::Said), Judgement::Match { unproven: None });
    let reason = "the silence proves nothing: it is not known whether the request left blue (link down)";
    assert_eq!(
        unproven(Departure::Unproven("link down".to_owned())),
        Judgement::Match { unproven: Some(reason.to_owned()) }
    );
}

#[test]
fn messages() {
    use Answer::{Answered, Silent};
    for (outcome, macs, seen, message) in [
        (
            vec![Answered],
            vec![2],
            vec![3, 9],
            "blue.eth0 asked who has 10.0.0.1: answered by fw.eth1 (02:00:00:00:00:03) and 02:00:00:00:00:09, \
             expected fw.eth0 (02:00:00:00:00:02)",
        ),
        (
            vec![Answered],
            vec![],
            vec![],
            "blue.eth0 asked who has 10.0.0.1: nobody answered for 1 s, expected exactly one answer",
        ),
        (
            vec![Silent],
            vec![],
            vec![2],
            "blue.eth0 asked who has 10.0.0.1: answered by fw.eth0 (02:00:00:00:00:02), expected silence",
        ),
    ] {
        let finding = found(Check::Arp(solicit(&outcome, &macs)), answers(&seen, Departure::Stamped));
        assert_eq!(finding.message, message);
    }
}
