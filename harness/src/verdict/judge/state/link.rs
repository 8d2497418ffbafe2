//! Interfaces.

use super::super::Judgement;
use super::{compare, differs};
use crate::observation::Link;
use crate::plan::{LinkCheck, Plan};
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
            Judgement::Mismatch(Finding::new(format!("{name} exists, expected none: {}", link_words(link))))
        }
        (true, None) => Judgement::Mismatch(Finding::new(format!("there is no interface {name}"))),
        (true, Some(link)) => {
            let wrong = differences(plan, check, link);
            if wrong.is_empty() {
                return Judgement::proven();
            }
            Judgement::Mismatch(
                Finding::new(format!("{name} is not as expected: {}", wrong.join("; "))).note(link_words(link)),
            )
        }
    }
}

fn differences(plan: &Plan, check: &LinkCheck, link: &Link) -> Vec<String> {
    let mut wrong = Vec::new();
    let admin = if link.up { Admin::Up } else { Admin::Down };
    compare(&mut wrong, "admin", check.admin.as_ref(), Some(&admin));
    compare(&mut wrong, "carrier", check.carrier.as_ref(), Some(&link.carrier));
    if !check.state.is_empty() && !check.state.contains(&link.state) {
        wrong.push(differs("state", link.state, any_of(&check.state)));
    }
    compare(&mut wrong, "mtu", check.mtu.as_ref(), Some(&link.mtu));
    if let Some((mac, words)) = &check.mac
        && link.mac != Some(*mac)
    {
        let found = link.mac.map_or("none".to_owned(), |mac| whose_mac(plan, mac));
        let expected = if words == &mac.to_string() { words.clone() } else { format!("{words} ({mac})") };
        wrong.push(differs("mac", found, expected));
    }
    if let Some(master) = &check.master
        && *master != link.master
    {
        let shown = |master: &Option<String>| master.clone().unwrap_or_else(|| "none".to_owned());
        wrong.push(differs("master", shown(&link.master), shown(master)));
    }
    compare(&mut wrong, "peer", check.peer.as_ref(), link.peer.as_ref());
    if let Some(expected) = &check.addresses {
        wrong.extend(address_difference(expected, &link.addresses));
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
