//! Which causes were found for which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use netcase::evidence::CauseKind;

/// Every cause.
#[rustfmt::skip]
pub(crate) const CAUSES: [CauseKind; 37] = {
    use CauseKind::*;
    [
        LinkDown, NoCarrier, NotConnected, NoAddress, WrongPrefix, DuplicateAddress, NoRoute, WrongGateway, NoNeighbour,
        ForwardingOff, ReversePath, RuleDropped, RuleRejected, PolicyDropped, NatMissing, NatWrong, NoWayBack,
        PortBlocked, PortIsolated, MtuTooSmall, TtlExpired, NobodyListens, ListensElsewhere, WrongServer,
        AnswerFromElsewhere, Tentative, EchoIgnored, ArpIgnored, BridgeNetfilter, ServiceDied, NameNotResolved,
        PolicyRule, RouteRefuses, TunnelMismatch, QueueFull, LetThrough, ServiceFault,
    ]
};

/// How a cause is called.
pub(crate) fn word(cause: CauseKind) -> String {
    let value = serde_json::to_value(cause).expect("a cause is a word");
    value.as_str().expect("a cause is a word").to_owned()
}

/// How causes are called.
pub(crate) fn words(causes: &BTreeSet<CauseKind>) -> String {
    if causes.is_empty() {
        return "not known".to_owned();
    }
    causes.iter().map(|cause| word(*cause)).collect::<Vec<_>>().join(" and ")
}

/// How often a cause was found for a lab that has one, and what was found where there are two.
#[derive(Default)]
pub(crate) struct Table {
    found: BTreeMap<(CauseKind, Option<CauseKind>), usize>,
    /// Of labs with two faults: both were named, none was, or anything else.
    two: [usize; 3],
}

impl Table {
    pub(crate) fn count(&mut self, right: &[CauseKind], found: &BTreeSet<CauseKind>) {
        if let [right] = right {
            let cells: Vec<Option<CauseKind>> = match found.len() {
                0 => vec![None],
                _ => found.iter().copied().map(Some).collect(),
            };
            for cell in cells {
                *self.found.entry((*right, cell)).or_default() += 1;
            }
        } else {
            let both = right.iter().copied().collect::<BTreeSet<_>>() == *found;
            self.two[if both { 0 } else { 1 + usize::from(!found.is_empty()) }] += 1;
        }
    }
}

impl fmt::Display for Table {
    /// A row for each cause that labs have, and a column for each that was found; the last one is "not known".
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<Option<CauseKind>> = CAUSES.iter().copied().map(Some).chain([None]).collect();
        write!(out, "{:25}", "")?;
        for number in 1..=CAUSES.len() {
            write!(out, "{number:4}")?;
        }
        writeln!(out, "   ?")?;
        for (row, cause) in CAUSES.iter().enumerate() {
            write!(out, "{:3} {:21}", row + 1, word(*cause))?;
            for column in &columns {
                match self.found.get(&(*cause, *column)) {
                    Some(count) => write!(out, "{count:4}")?,
                    None => write!(out, "   .")?,
                }
            }
            writeln!(out)?;
        }
        let [both, none, other] = self.two;
        writeln!(out, "of two faults: both {both}, neither {none}, anything else {other}")
    }
}

#[test]
fn the_table_has_every_cause() {
    // The complaint about a word that is none lists those that are.
    let complaint = serde_json::from_str::<CauseKind>("\"none\"").expect_err("it is none").to_string();
    let known: BTreeSet<&str> = complaint.split('`').skip(3).step_by(2).collect();
    let listed: Vec<String> = CAUSES.iter().map(|cause| word(*cause)).collect();
    assert_eq!(known, listed.iter().map(String::as_str).collect(), "{complaint}");
}
