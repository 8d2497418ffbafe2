//! Adding and deleting addresses.

use super::super::lab::{DraftInterface, Lab, is_link_local};
use super::super::nodes::SMALLEST_MTU;
use super::Stage;
use crate::case::step::AddrChange;
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, Change, End, InterfaceKind};
use crate::source::Spanned;
use crate::words::Cidr;

/// `addr-add`.
pub(super) fn add(stage: &mut Stage<'_>, written: AddrChange) -> Vec<Action> {
    let AddrChange { on, address, span: _, sound: _ } = written;
    let Some(end) = stage.checker().end(&on) else { return Vec::new() };
    let loopback = stage.lab.at(end).kind == Some(InterfaceKind::Loopback);
    let mut actions = Vec::new();
    for cidr in super::super::nodes::addresses(address, loopback, stage.out) {
        let interface = stage.lab.at_mut(end);
        // Of IPv4 the kernel takes an address again with another prefix.
        let same = |other: &&Spanned<Cidr>| {
            other.value == cidr.value || (cidr.address.is_ipv6() && other.address == cidr.address)
        };
        if let Some(first) = interface.addresses.iter().find(same) {
            let wrong = Diagnostic::error(cidr.span, format!("`{}` has {} already", *on, first.value));
            stage.out.push(wrong.label("the same address again").related(first.span, "given here"));
            continue;
        }
        if let Some(wrong) = too_small(interface, cidr) {
            stage.out.push(wrong);
            continue;
        }
        interface.addresses.push(cidr);
        stage.out.extend(warn_twice(stage.lab, end, cidr));
        actions.push(Action::Change(stage.lab.place(end), Change::AddAddress(cidr.value)));
    }
    actions
}

/// That another interface has the address, too.
fn warn_twice(lab: &Lab, end: End, cidr: Spanned<Cidr>) -> Option<Diagnostic> {
    let beside = lab.ends().filter(|other| *other != end && !is_link_local(cidr.address));
    let mut all = beside.flat_map(|other| lab.at(other).addresses.iter().map(move |own| (other, own)));
    let (other, first) = all.find(|(_, own)| own.address == cidr.address)?;
    let (name, other) = (lab.end_name(end), lab.end_name(other));
    let wrong = Diagnostic::warning(cidr.span, format!("`{other}` and `{name}` have the same address"));
    Some(wrong.label(format!("{} again", cidr.address)).related(first.span, "first here"))
}

/// That an interface whose packets are too small for IPv6 is to have an address of it.
fn too_small(interface: &DraftInterface, cidr: Spanned<Cidr>) -> Option<Diagnostic> {
    let mtu = interface.mtu.filter(|mtu| cidr.address.is_ipv6() && mtu.value < SMALLEST_MTU)?;
    let wrong = Diagnostic::error(cidr.span, format!("`{}` has an MTU of {}", *interface.name, mtu.value));
    Some(wrong.label(format!("IPv6 needs at least {SMALLEST_MTU}")).related(mtu.span, "it is from here"))
}

/// `addr-del`.
pub(super) fn del(stage: &mut Stage<'_>, written: AddrChange) -> Vec<Action> {
    let AddrChange { on, address, span: _, sound: _ } = written;
    let Some(end) = stage.checker().end(&on) else { return Vec::new() };
    let mut actions = Vec::new();
    for cidr in address.items {
        // What a script gives is not known yet.
        let known = stage.lab.at(end).kind != Some(InterfaceKind::Found);
        // Those that every `lo` has are not listed.
        let known = known && !(end.interface == 0 && cidr.address.is_loopback());
        let sound = stage.lab.nodes[end.node].sound && known;
        let addresses = &stage.lab.at(end).addresses;
        match addresses.iter().position(|other| other.value == cidr.value) {
            Some(at) => take(stage.lab, end, at),
            None if sound => stage.out.push(not_there(&on, cidr, addresses)),
            None => {}
        }
        actions.push(Action::Change(stage.lab.place(end), Change::DelAddress(cidr.value)));
    }
    actions
}

/// Takes an address away. The kernel takes the later IPv4 addresses of its network with the first one
/// unless `promote_secondaries` of ip-sysctl is on.
fn take(lab: &mut Lab, end: End, at: usize) {
    let addresses: Vec<Cidr> = lab.at(end).addresses.iter().map(|cidr| cidr.value).collect();
    let gone = addresses[at];
    let beside = |other: Cidr| gone.address.is_ipv4() && other.network() == gone.network();
    let first = !lab.promotes(end) && !addresses[..at].iter().any(|other| beside(*other));
    lab.take_addresses(end, |other| other == gone || (first && beside(other)));
}

fn not_there(on: &Spanned<String>, cidr: Spanned<Cidr>, addresses: &[Spanned<Cidr>]) -> Diagnostic {
    let wrong = Diagnostic::error(cidr.span, format!("`{}` has no address {}", **on, cidr.value));
    if let Some(near) = addresses.iter().find(|other| other.address == cidr.address) {
        return wrong.label(format!("did you mean `{}`?", near.value)).related(near.span, "given here");
    }
    let known: Vec<String> = addresses.iter().map(|other| other.value.to_string()).collect();
    wrong.label(match &*known {
        [] => "it has none at this step".to_owned(),
        known => format!("at this step it has {}", known.join(", ")),
    })
}
