//! Neighbour table entries.

use super::*;
use crate::observation::Neighbour;
use crate::plan::Neigh;
use crate::words::NeighState;

fn neigh() -> Neigh {
    Neigh { on: BLUE, dev: None, to: target("10.0.0.1", "10.0.0.1"), mac: None, state: Vec::new(), present: true }
}

pub(super) fn absent() -> Neigh {
    Neigh { present: false, ..neigh() }
}

fn entry(dev: &str, last: Option<u8>, state: NeighState) -> Neighbour {
    Neighbour { dev: dev.to_owned(), address: ip("10.0.0.1"), mac: last.map(mac), state }
}

fn fw(last: u8) -> (Mac, String) {
    (mac(last), "fw.eth0".to_owned())
}

#[test]
fn every_attribute_both_ways() {
    use NeighState::{Failed, Incomplete, Reachable, Stale};
    let eth1 = Some("eth1".to_owned());
    for (check, entries, there) in [
        (neigh(), vec![entry("eth0", Some(2), Reachable)], true),
        (neigh(), vec![], false),
        (neigh(), vec![entry("eth0", None, Failed)], false),
        (neigh(), vec![entry("eth0", None, Incomplete)], false),
        (neigh(), vec![Neighbour { address: ip("10.0.0.9"), ..entry("eth0", Some(2), Reachable) }], false),
        (Neigh { dev: eth1.clone(), ..neigh() }, vec![entry("eth0", Some(2), Reachable)], false),
        (Neigh { dev: eth1, ..neigh() }, vec![entry("eth1", Some(2), Reachable)], true),
        (Neigh { mac: Some(fw(2)), ..neigh() }, vec![entry("eth0", Some(2), Reachable)], true),
        (Neigh { mac: Some(fw(2)), ..neigh() }, vec![entry("eth0", Some(3), Reachable)], false),
        (Neigh { state: vec![Reachable, Stale], ..neigh() }, vec![entry("eth0", Some(2), Stale)], true),
        (Neigh { state: vec![Reachable], ..neigh() }, vec![entry("eth0", Some(2), Stale)], false),
        (Neigh { state: vec![Failed], ..neigh() }, vec![entry("eth0", None, Failed)], true),
        (Neigh { state: vec![Failed], ..neigh() }, vec![entry("eth0", None, Incomplete)], false),
        (
            Neigh { mac: Some(fw(2)), ..neigh() },
            vec![entry("eth0", Some(3), Stale), entry("eth1", Some(2), Stale)],
            true,
        ),
    ] {
        let row = format!("{check:?} x {entries:?}");
        let none = Neigh { present: false, ..check.clone() };
        assert_eq!(matches(Check::Neigh(check), Observation::Neighbours(entries.clone())), there, "{row}");
        assert_eq!(matches(Check::Neigh(none), Observation::Neighbours(entries)), !there, "absent: {row}");
    }
}

#[test]
fn messages() {
    use NeighState::{Failed, Reachable, Stale};
    let wanted = Neigh { mac: Some(fw(2)), state: vec![Reachable], ..neigh() };
    for (check, entries, message, note) in [
        (neigh(), vec![], "blue has no neighbour entry for 10.0.0.1", Some("the table has nothing about this address")),
        (
            Neigh { dev: Some("eth0".to_owned()), ..neigh() },
            vec![entry("eth0", None, Failed)],
            "blue has no neighbour entry for 10.0.0.1 on eth0",
            Some("the table has 10.0.0.1 dev eth0 failed"),
        ),
        (
            wanted.clone(),
            vec![entry("eth0", Some(3), Stale)],
            "blue has a different neighbour entry for 10.0.0.1: mac is fw.eth1 (02:00:00:00:00:03), expected fw.eth0 \
             (02:00:00:00:00:02); state is stale, expected reachable",
            Some("the table has 10.0.0.1 dev eth0 lladdr fw.eth1 (02:00:00:00:00:03) stale"),
        ),
        (
            wanted,
            vec![entry("eth0", Some(9), Stale), entry("eth1", Some(2), Stale)],
            "blue has no such neighbour entry for 10.0.0.1",
            Some(
                "the table has 10.0.0.1 dev eth0 lladdr 02:00:00:00:00:09 stale, 10.0.0.1 dev eth1 lladdr fw.eth0 \
                 (02:00:00:00:00:02) stale",
            ),
        ),
        (
            absent(),
            vec![entry("eth0", Some(9), Reachable)],
            "blue has a neighbour entry for 10.0.0.1, expected none: 10.0.0.1 dev eth0 lladdr 02:00:00:00:00:09 \
             reachable",
            None,
        ),
    ] {
        let finding = found(Check::Neigh(check), Observation::Neighbours(entries));
        assert_eq!(finding.message, message);
        assert_eq!(finding.notes.first().map(String::as_str), note);
    }
}
