//! Interfaces.

use super::*;
use crate::observation::Link;
use crate::plan::{LinkCheck, Master};
use crate::words::{Admin, LinkState};

fn check() -> LinkCheck {
    LinkCheck {
        on: BLUE,
        name: "eth0".to_owned(),
        present: true,
        admin: None,
        carrier: None,
        state: Vec::new(),
        mtu: None,
        mac: None,
        master: None,
        peer: None,
        kind: None,
        id: None,
        dev: None,
        addresses: None,
    }
}

pub(super) fn absent() -> LinkCheck {
    LinkCheck { present: false, ..check() }
}

fn link() -> Link {
    Link {
        name: "eth0".to_owned(),
        up: true,
        carrier: true,
        state: LinkState::Up,
        mtu: 1500,
        mac: Some(mac(1)),
        master: Some("br0".to_owned()),
        peer: Some("fw.eth0".to_owned()),
        kind: Some("vxlan".to_owned()),
        id: Some(42),
        dev: Some("blue.eth1".to_owned()),
        addresses: vec![cidr("10.0.0.2/24"), cidr("fd00::2/64"), cidr("fe80::1/64")],
    }
}

#[test]
fn every_attribute_both_ways() {
    let text = |text: &str| Some(text.to_owned());
    let bridge = |name: &str| Some(Master::Bridge(name.to_owned()));
    let addresses = |list: &[&str]| Some(list.iter().map(|text| cidr(text)).collect::<Vec<_>>());
    let mac_of = |last, words: &str| Some((mac(last), words.to_owned()));
    for (check, difference) in [
        (check(), None),
        (LinkCheck { admin: Some(Admin::Up), ..check() }, None),
        (LinkCheck { admin: Some(Admin::Down), ..check() }, Some("admin is up, expected down")),
        (LinkCheck { carrier: Some(true), ..check() }, None),
        (LinkCheck { carrier: Some(false), ..check() }, Some("carrier is true, expected false")),
        (LinkCheck { state: vec![LinkState::Down, LinkState::Up], ..check() }, None),
        (
            LinkCheck { state: vec![LinkState::Down, LinkState::LowerLayerDown], ..check() },
            Some("state is up, expected down or lower-layer-down"),
        ),
        (LinkCheck { mtu: Some(1500), ..check() }, None),
        (LinkCheck { mtu: Some(1400), ..check() }, Some("mtu is 1500, expected 1400")),
        (LinkCheck { mac: mac_of(1, "blue.eth0"), ..check() }, None),
        (
            LinkCheck { mac: mac_of(2, "fw.eth0"), ..check() },
            Some("mac is blue.eth0 (02:00:00:00:00:01), expected fw.eth0 (02:00:00:00:00:02)"),
        ),
        (
            LinkCheck { mac: mac_of(9, "02:00:00:00:00:09"), ..check() },
            Some("mac is blue.eth0 (02:00:00:00:00:01), expected 02:00:00:00:00:09"),
        ),
        (LinkCheck { master: bridge("br0"), ..check() }, None),
        (LinkCheck { master: bridge("br1"), ..check() }, Some("master is br0, expected br1")),
        (LinkCheck { master: Some(Master::Nobody), ..check() }, Some("master is br0, expected none")),
        (LinkCheck { peer: text("fw.eth0"), ..check() }, None),
        (LinkCheck { peer: text("lan.eth0"), ..check() }, Some("peer is fw.eth0, expected lan.eth0")),
        (LinkCheck { kind: text("vxlan"), id: Some(42), dev: text("blue.eth1"), ..check() }, None),
        (LinkCheck { kind: text("vlan"), ..check() }, Some("kind is vxlan, expected vlan")),
        (LinkCheck { id: Some(43), ..check() }, Some("id is 42, expected 43")),
        (LinkCheck { dev: text("fw.eth1"), ..check() }, Some("dev is blue.eth1, expected fw.eth1")),
        (LinkCheck { addresses: addresses(&["fd00::2/64", "10.0.0.2/24"]), ..check() }, None),
        (LinkCheck { addresses: addresses(&["fd00::2/64", "10.0.0.2/24", "fe80::1/64"]), ..check() }, None),
        (
            LinkCheck { addresses: addresses(&["10.0.0.2/24"]), ..check() },
            Some("address is 10.0.0.2/24 and fd00::2/64, expected 10.0.0.2/24"),
        ),
        (
            LinkCheck { addresses: addresses(&["10.0.0.2/16", "fd00::2/64"]), ..check() },
            Some("address is 10.0.0.2/24 and fd00::2/64, expected 10.0.0.2/16 and fd00::2/64"),
        ),
        (
            LinkCheck { addresses: addresses(&[]), mtu: Some(9000), ..check() },
            Some("mtu is 1500, expected 9000; address is 10.0.0.2/24 and fd00::2/64, expected none"),
        ),
    ] {
        let row = format!("{check:?}");
        let observation = Observation::Link(Some(link()));
        match difference {
            None => assert!(matches(Check::Link(Box::new(check)), observation), "{row}"),
            Some(words) => {
                let finding = found(Check::Link(Box::new(check)), observation);
                assert_eq!(finding.message, format!("blue.eth0 is not as expected: {words}"));
            }
        }
    }
}

#[test]
fn what_is_missing_is_not_what_was_asked_for() {
    let bare =
        Link { mac: None, master: None, peer: None, id: None, dev: None, addresses: Vec::new(), up: false, ..link() };
    let asked = LinkCheck {
        mac: Some((mac(1), "blue.eth0".to_owned())),
        master: Some(Master::Bridge("br0".to_owned())),
        peer: Some("fw.eth0".to_owned()),
        id: Some(42),
        dev: Some("blue.eth1".to_owned()),
        addresses: Some(vec![cidr("10.0.0.2/24")]),
        admin: Some(Admin::Up),
        ..check()
    };
    let finding = found(Check::Link(Box::new(asked)), Observation::Link(Some(bare.clone())));
    assert_eq!(
        finding.message,
        "blue.eth0 is not as expected: admin is down, expected up; mac is none, expected blue.eth0 \
         (02:00:00:00:00:01); master is none, expected br0; peer is none, expected fw.eth0; \
         id is none, expected 42; dev is none, expected blue.eth1; address is none, expected 10.0.0.2/24"
    );
    let none = LinkCheck { master: Some(Master::Nobody), addresses: Some(Vec::new()), ..check() };
    assert!(matches(Check::Link(Box::new(none)), Observation::Link(Some(bare))));
}

#[test]
fn presence_both_ways() {
    assert!(matches(Check::Link(Box::new(absent())), Observation::Link(None)));
    let finding = found(Check::Link(Box::new(absent())), Observation::Link(Some(link())));
    assert_eq!(
        finding.message,
        "blue.eth0 exists, expected none: it is up, with carrier, state up, mtu 1500, mac 02:00:00:00:00:01, \
         master br0, peer fw.eth0, kind vxlan, id 42, dev blue.eth1, address 10.0.0.2/24, fd00::2/64 and fe80::1/64"
    );
    let finding = found(Check::Link(Box::new(check())), Observation::Link(None));
    assert_eq!(finding.message, "there is no interface blue.eth0");
}
