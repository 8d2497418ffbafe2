//! Interfaces.

use super::super::Judgement;
use super::{compare, differs};
use crate::observation::Link;
use crate::plan::{LinkCheck, Master, Plan};
use crate::verdict::Finding;
use crate::verdict::describe::{link as link_words, node, whose_mac};
use crate::verdict::words::{all_of, any_of};
use crate::words::{Admin, Cidr};

/// Decides about an interface. `present = false` is about the name alone.
pub(in super::super) fn judge(plan: &Plan, check: &LinkCheck, found: Option<&Link>) -> Judgement {
    let name = format!("{}.{}", node(plan, check.on), check.name);
    match (check.present, found) {
        (false, None) => Judgement::proven(),
        (false, Some(link)) => {
            let message = format!("{name} exists, expected none: it {}", link_words(link));
            Judgement::Mismatch(Finding::new(message).about(&["present"]))
        }
        (true, None) => Judgement::Mismatch(Finding::new(format!("there is no interface {name}")).about(&["on"])),
        (true, Some(link)) => {
            let wrong = differences(plan, check, link);
            if wrong.is_empty() {
                return Judgement::proven();
            }
            let (keys, words): (Vec<&str>, Vec<String>) = wrong.into_iter().unzip();
            let message = format!("{name} is not as expected: {}", words.join("; "));
            Judgement::Mismatch(Finding::new(message).about(&keys).note(format!("{name} {}", link_words(link))))
        }
    }
}

/// What is not as expected, each with the key of the check that expects it.
fn differences(plan: &Plan, check: &LinkCheck, link: &Link) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let admin = if link.up { Admin::Up } else { Admin::Down };
    compare(&mut wrong, "admin", check.admin.as_ref(), Some(&admin));
    compare(&mut wrong, "carrier", check.carrier.as_ref(), Some(&link.carrier));
    if !check.state.is_empty() && !check.state.contains(&link.state) {
        wrong.push(("state", differs("state", link.state, any_of(&check.state))));
    }
    compare(&mut wrong, "mtu", check.mtu.as_ref(), Some(&link.mtu));
    if let Some((mac, words)) = &check.mac
        && link.mac != Some(*mac)
    {
        let found = link.mac.map_or("none".to_owned(), |mac| whose_mac(plan, mac));
        let expected = if words == &mac.to_string() { words.clone() } else { format!("{words} ({mac})") };
        wrong.push(("mac", differs("mac", found, expected)));
    }
    match &check.master {
        None => {}
        Some(Master::Nobody) => {
            wrong.extend(link.master.as_ref().map(|found| ("master", differs("master", found, "none"))));
        }
        Some(Master::Bridge(name)) => compare(&mut wrong, "master", Some(name), link.master.as_ref()),
    }
    compare(&mut wrong, "peer", check.peer.as_ref(), link.peer.as_ref());
    compare(&mut wrong, "kind", check.kind.as_ref(), link.kind.as_ref());
    compare(&mut wrong, "id", check.id.as_ref(), link.id.as_ref());
    compare(&mut wrong, "dev", check.dev.as_ref(), link.dev.as_ref());
    if let Some(expected) = &check.addresses {
        wrong.extend(address_difference(expected, &link.addresses).map(|words| ("address", words)));
    }
    wrong
}

/// Addresses are compared as sets. Link-local ones of the kernel's own making count only where the check names them.
fn address_difference(expected: &[Cidr], found: &[Cidr]) -> Option<String> {
    let found: Vec<Cidr> =
        found.iter().copied().filter(|cidr| expected.contains(cidr) || !is_link_local(*cidr)).collect();
    let same = expected.iter().all(|cidr| found.contains(cidr)) && found.iter().all(|cidr| expected.contains(cidr));
    let shown = |list: &[Cidr]| if list.is_empty() { "none".to_owned() } else { all_of(list) };
    (!same).then(|| differs("address", shown(&found), shown(expected)))
}

/// RFC 4291 section 2.5.6: `fe80::/10`.
fn is_link_local(cidr: Cidr) -> bool {
    match cidr.address {
        std::net::IpAddr::V4(_) => false,
        std::net::IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
