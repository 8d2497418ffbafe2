//! Adding and deleting addresses.

use super::super::lab::Lab;
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
        if let Some(first) = interface.addresses.iter().find(|other| other.value == cidr.value) {
            let wrong = Diagnostic::error(cidr.span, format!("`{}` has {} already", *on, cidr.value));
            stage.out.push(wrong.label("the same address again").related(first.span, "given here"));
            continue;
        }
        interface.addresses.push(cidr);
        actions.push(Action::Change(stage.lab.place(end), Change::AddAddress(cidr.value)));
    }
    actions
}

/// `addr-del`.
pub(super) fn del(stage: &mut Stage<'_>, written: AddrChange) -> Vec<Action> {
    let AddrChange { on, address, span: _, sound: _ } = written;
    let Some(end) = stage.checker().end(&on) else { return Vec::new() };
    let mut actions = Vec::new();
    for cidr in address.items {
        // What a script gives is not known yet.
        let known = stage.lab.at(end).kind != Some(InterfaceKind::Found);
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
/// (`promote_secondaries` in ip-sysctl is off).
fn take(lab: &mut Lab, end: End, at: usize) {
    let addresses: Vec<Cidr> = lab.at(end).addresses.iter().map(|cidr| cidr.value).collect();
    let gone = addresses[at];
    let beside = |other: Cidr| gone.address.is_ipv4() && other.network() == gone.network();
    let first = !addresses[..at].iter().any(|other| beside(*other));
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
