//! The subnet of a network in one family, and the addresses in it.

use std::net::IpAddr;

use crate::case::Many;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Spanned;
use crate::words::{Cidr, Family};

/// A subnet of one family.
pub(super) struct Subnet {
    pub cidr: Spanned<Cidr>,
}

/// Reads `subnet`: at most one of each family.
pub(super) fn read_subnets(written: &Many<Spanned<Cidr>>, out: &mut Diagnostics) -> Vec<Subnet> {
    let mut subnets: Vec<Subnet> = Vec::new();
    for cidr in &written.items {
        let subnet = Subnet { cidr: cidr.map(Cidr::network) };
        if let Some(wrong) = host_bits(*cidr) {
            out.push(wrong);
        }
        if let Some(first) = subnets.iter().find(|other| other.family() == subnet.family()) {
            out.push(
                Diagnostic::error(cidr.span, format!("a second {} subnet", subnet.family().name()))
                    .label("a network has at most one subnet of each family")
                    .related(first.cidr.span, "the first"),
            );
            continue;
        }
        subnets.push(subnet);
    }
    subnets
}

/// That an address stands where a network is meant.
pub(super) fn host_bits(cidr: Spanned<Cidr>) -> Option<Diagnostic> {
    let network = cidr.network();
    (network != cidr.value).then(|| {
        Diagnostic::error(cidr.span, format!("`{}` is an address in a network, not a network", cidr.value))
            .label(format!("did you mean `{network}`?"))
    })
}

impl Subnet {
    /// Its family.
    pub(super) fn family(&self) -> Family {
        Family::of(self.cidr.address)
    }

    /// The addresses that machines can have, in order.
    ///
    /// Without the network's own address and, for IPv4, the broadcast address, where the prefix has room for both
    /// (RFC 3021 for /31, RFC 6164 for /127).
    pub(super) fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        let Cidr { address, length } = self.cidr.value;
        let (base, width, broadcast) = match address {
            IpAddr::V4(base) => (u128::from(u32::from(base)), 32 - u32::from(length), 1),
            IpAddr::V6(base) => (u128::from(base), 128 - u32::from(length), 0),
        };
        let last = 1_u128.checked_shl(width).map_or(u128::MAX, |count| count - 1);
        let (from, to) = if width > 1 { (1, last - broadcast) } else { (0, last) };
        (from..=to).map(move |offset| match address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(base + offset).unwrap_or(u32::MAX).into()),
            IpAddr::V6(_) => IpAddr::V6((base + offset).into()),
        })
    }
}
