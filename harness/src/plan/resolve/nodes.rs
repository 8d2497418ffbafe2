//! The machines, and the interfaces that they declare.

use std::net::IpAddr;

use super::lab::{Draft, DraftInterface, Lab};
use super::stacked::Above;
use super::{names, serves};
use crate::case::link::{Bridge, Veth};
use crate::case::nat::Nat;
use crate::case::rules::Rules;
use crate::case::scalar::SysctlValue;
use crate::case::service::Service;
use crate::case::topology::{Interface, Node, Route};
use crate::case::{CaseList, CaseMap, Many};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{InterfaceKind, NodeId};
use crate::source::{Span, Spanned};
use crate::words::{Cidr, Family, Ipv6Mode};

/// What is said of a node beside its interfaces; it is resolved once all interfaces and addresses are known.
pub(super) struct Rest {
    pub node: NodeId,
    pub routes: Option<CaseList<Route>>,
    pub nat: Option<CaseList<Nat>>,
    pub forwarding: Option<Span>,
    pub sysctls: Option<CaseMap<Spanned<SysctlValue>>>,
    pub resolver: Option<Many<Spanned<String>>>,
    pub services: Option<CaseMap<Service>>,
    pub setup: Option<Many<Spanned<String>>>,
    pub created_by: Option<Spanned<String>>,
    pub rules: Option<Many<Rules>>,
    pub files: Option<CaseMap<Spanned<String>>>,
}

/// The most nodes and networks a case may have: each is a network namespace, and these are not free.
pub(super) const MOST_NODES: usize = 4096;

/// Adds every machine with the interfaces that it declares.
pub(super) fn declare(lab: &mut Lab, nodes: CaseMap<Node>, out: &mut Diagnostics) -> Vec<Rest> {
    let mut rests = Vec::new();
    if nodes.entries.len() > MOST_NODES {
        out.push(too_many(&nodes));
        return rests;
    }
    for (name, node) in nodes.entries {
        let wrong = names::check_node("node", &name);
        let mut draft = Draft::new(name);
        draft.whole = node.as_ref().is_some_and(|node| node.sound);
        // Each interface tells for itself; without any the word `interfaces` may be misspelt.
        let interfaces = node.as_ref().is_some_and(|node| node.interfaces.is_some());
        draft.sound = draft.whole || interfaces;
        out.extend(wrong);
        let Some(node) = node else {
            lab.add(draft);
            continue;
        };
        let Node {
            mut interfaces,
            mut routes,
            mut forwarding,
            mut nat,
            serves: mut served,
            mut sysctls,
            mut resolver,
            services,
            mut setup,
            created_by,
            rules,
            files,
            span: _,
            sound: _,
        } = node;
        if created_by.is_some() {
            let given = [
                ("interfaces", interfaces.as_ref().map(|interfaces| interfaces.span)),
                ("routes", routes.as_ref().map(|routes| routes.span)),
                ("forwarding", forwarding.map(|forwarding| forwarding.span)),
                ("nat", nat.as_ref().map(|nat| nat.span)),
                ("serves", served.as_ref().map(|served| served.span)),
                ("sysctls", sysctls.as_ref().map(|sysctls| sysctls.span)),
                ("resolver", resolver.as_ref().map(|resolver| resolver.span)),
                ("setup", setup.as_ref().map(|setup| setup.span)),
            ];
            refuse_of_created(&draft.name, given, out);
            (interfaces, routes, forwarding, nat, served) = (None, None, None, None, None);
            (sysctls, resolver, setup) = (None, None, None);
        }
        if let Some(forwarding) = &forwarding {
            draft.forward_ipv4 = forwarding.forwards(Family::Ipv4);
            draft.forward_ipv6 = forwarding.forwards(Family::Ipv6);
            draft.forwarding = Some(forwarding.span);
        }
        for (name, interface) in interfaces.unwrap_or_default().entries {
            declare_interface(&mut draft, name, interface, out);
        }
        if let Some(served) = served {
            serves::declare(&mut draft, served, out);
        }
        let node = lab.add(draft);
        let forwarding = forwarding.map(|forwarding| forwarding.span);
        rests.push(Rest {
            node,
            routes,
            nat,
            forwarding,
            sysctls,
            resolver,
            services,
            setup,
            created_by,
            rules,
            files,
        });
    }
    rests
}

fn too_many(nodes: &CaseMap<Node>) -> Diagnostic {
    let count = nodes.entries.len();
    Diagnostic::error(nodes.span, format!("this case has {count} nodes")).label(format!("at most {MOST_NODES}"))
}

/// A node that a script makes is as the script makes it.
fn refuse_of_created(name: &Spanned<String>, given: [(&str, Option<Span>); 8], out: &mut Diagnostics) {
    for (key, span) in given {
        if let Some(span) = span {
            out.push(
                Diagnostic::error(span, format!("`{}` is made by a script, and takes no `{key}`", **name))
                    .label("the script that makes the node does this too")
                    .help("with `created-by` a node has `services`, `rules` and `files` only"),
            );
        }
    }
}

fn declare_interface(draft: &mut Draft, name: Spanned<String>, written: Option<Interface>, out: &mut Diagnostics) {
    if let Some(wrong) = names::check_interface(&name, name.span) {
        out.push(wrong);
        draft.sound = false;
    }
    let loopback = *name == "lo";
    let mut interface = DraftInterface::new(name, None);
    match written {
        Some(written) => fill(&mut interface, written, loopback, out),
        None => interface.sound = false,
    }
    draft.sound &= interface.sound;
    if loopback {
        interface.kind = Some(InterfaceKind::Loopback);
        draft.interfaces[0] = interface;
    } else {
        draft.add(interface);
    }
}

fn fill(draft: &mut DraftInterface, written: Interface, loopback: bool, out: &mut Diagnostics) {
    let before = out.errors();
    let given = written.given();
    let Interface { veth, bridge, vxlan, vlan, macvlan, dummy, address, mac, mtu, up, ipv6, span: _, sound } = written;
    if loopback {
        let more = [("mac", mac.map(|mac| mac.span)), ("ipv6", ipv6.map(|ipv6| ipv6.span))];
        refuse_on_loopback(given.into_iter().chain(more.into_iter().filter_map(|(key, at)| Some((key, at?)))), out);
    } else {
        out.extend(two_kinds(&draft.name, &given));
        // What an interface is, as far as it says so itself.
        if let Some(Veth { peer, span: _, sound: _ }) = veth {
            draft.peer = Some(peer);
        } else if let Some(Bridge { ports, span: _, sound: _ }) = bridge {
            draft.kind = Some(InterfaceKind::Bridge);
            draft.ports = ports.map(|ports| ports.items).unwrap_or_default();
        } else if dummy.is_some() {
            draft.kind = Some(InterfaceKind::Dummy);
        } else {
            draft.above = Above::of(vxlan, vlan, macvlan);
        }
    }
    draft.addresses = address.map(|address| addresses(address, loopback, out)).unwrap_or_default();
    draft.mac = mac;
    draft.mtu = mtu.map(|mtu| mtu.map(|mtu| mtu.0));
    draft.up = up.is_none_or(|up| up.value);
    draft.link_local = ipv6.is_some_and(|ipv6| match ipv6.value {
        Ipv6Mode::LinkLocal => true,
    });
    check_mtu(draft, out);
    draft.sound = sound && out.errors() == before;
}

/// That an interface is said to be two things.
pub(super) fn two_kinds(name: &Spanned<String>, given: &[(&'static str, Span)]) -> Option<Diagnostic> {
    let [(first, place), (second, again), ..] = *given else { return None };
    let wrong = Diagnostic::error(again, format!("`{}` is a {first} and a {second}", **name))
        .label("an interface is one of the two")
        .related(place, format!("a {first} here"));
    Some(match (first, second) {
        ("veth", "bridge") | ("bridge", "veth") => {
            wrong.help("to plug a cable into a bridge, name the cable's end in the bridge's `ports`")
        }
        ("bridge", other) | (other, "bridge") => {
            wrong.help(format!("to plug a {other} into a bridge, name it in the bridge's `ports`"))
        }
        _ => wrong,
    })
}

fn refuse_on_loopback(given: impl Iterator<Item = (&'static str, Span)>, out: &mut Diagnostics) {
    for (key, span) in given {
        out.push(
            Diagnostic::error(span, format!("`lo` takes no `{key}`"))
                .label("every node has its `lo`, which ends in the node itself")
                .help("`lo` takes `address`, `mtu` and `up`"),
        );
    }
}

/// The smallest MTU of IPv6 (RFC 8200, section 5).
pub(super) const SMALLEST_MTU: u32 = 1280;

/// The kernel turns IPv6 off below its smallest MTU, and then refuses the address.
pub(super) fn check_mtu(draft: &DraftInterface, out: &mut Diagnostics) {
    if let Some(mtu) = draft.mtu.filter(|mtu| mtu.value < SMALLEST_MTU && (draft.ipv6() || *draft.name == "lo")) {
        out.push(
            Diagnostic::error(
                mtu.span,
                format!("`{}` speaks IPv6, which needs an MTU of at least {SMALLEST_MTU}", *draft.name),
            )
            .label(format!("write {SMALLEST_MTU} or more, or leave IPv6 out")),
        );
    }
}

/// The addresses of an interface without those that the kernel would refuse.
pub(super) fn addresses(written: Many<Spanned<Cidr>>, loopback: bool, out: &mut Diagnostics) -> Vec<Spanned<Cidr>> {
    let mut kept: Vec<Spanned<Cidr>> = Vec::new();
    for cidr in written.items {
        let address = cidr.address;
        let wrong = |label: &str| {
            Diagnostic::error(cidr.span, format!("no interface can have the address {address}")).label(label)
        };
        if address.is_unspecified() {
            out.push(wrong("it means \"no address\""));
        } else if address.is_multicast() {
            out.push(wrong("it names a group, not one machine"));
        } else if address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST) {
            out.push(wrong("it means \"everybody\""));
        } else if address == IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
            || (loopback && address == IpAddr::V4(std::net::Ipv4Addr::LOCALHOST))
        {
            out.push(
                Diagnostic::error(cidr.span, format!("{address} is there already"))
                    .label("every node's `lo` has it")
                    .help("leave it out; `interfaces.lo` lists only further addresses"),
            );
        } else if let Some(first) = kept.iter().find(|other| other.address == address) {
            out.push(
                Diagnostic::error(cidr.span, format!("this interface has {address} already"))
                    .label("the same address again")
                    .related(first.span, "first here"),
            );
        } else {
            kept.push(cidr);
        }
    }
    kept
}
