//! Whole prefixes that a node answers for.

use std::net::IpAddr;

use super::lab::{Draft, Lab, is_link_local};
use super::subnet::host_bits;
use crate::case::CaseList;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{NodeId, Served};
use crate::source::Spanned;
use crate::words::Cidr;

/// Adds the prefixes to a node.
pub(super) fn declare(draft: &mut Draft, written: CaseList<Spanned<Cidr>>, out: &mut Diagnostics) {
    for cidr in written.items {
        if let Some(wrong) = host_bits(cidr) {
            out.push(wrong);
            continue;
        }
        if let Some(first) = draft.serves.iter().find(|first| first.prefix == cidr.value) {
            out.push(
                Diagnostic::error(cidr.span, format!("`{}` stands twice in this list", cidr.value))
                    .label("the same prefix again")
                    .related(first.span, "first here"),
            );
            continue;
        }
        let address = cidr.address;
        let broadcast = address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
        let special = address.is_multicast()
            || (address.is_unspecified() && cidr.length > 0)
            || address.is_loopback()
            || is_link_local(address)
            || broadcast;
        if special {
            out.push(
                Diagnostic::error(cidr.span, format!("no node can answer for {}", cidr.value))
                    .label("addresses of machines are expected"),
            );
            continue;
        }
        draft.serves.push(Served { prefix: cidr.value, span: cidr.span });
    }
}

/// Refuses a prefix to which the node has another way, once all addresses and routes are known: it cannot answer for
/// its neighbours and reach them.
pub(super) fn check(lab: &Lab, node: NodeId, out: &mut Diagnostics) {
    let draft = &lab.nodes[node];
    for served in &draft.serves {
        let prefix = served.prefix;
        let wrong = |label: &str| {
            Diagnostic::error(served.span, format!("`{}` serves {prefix} and has another way to it", *draft.name))
                .label(label)
        };
        let own = draft.interfaces.iter().flat_map(|interface| &interface.addresses);
        if let Some(link) = own.into_iter().find(|cidr| cidr.network() == prefix) {
            out.push(
                wrong("it could not reach its neighbours any more")
                    .related(link.span, "the network on this link")
                    .help("serve a smaller or a larger prefix: of two ways the longer prefix wins"),
            );
        } else if let Some(route) = draft.routes.iter().find(|route| route.to == prefix) {
            out.push(wrong("one of the two").related(route.span, "this route"));
        }
    }
}
