//! Expressions: the steps of a rule, as the kernel has them. A rule loads something into a register, compares it, and
//! at its end does something.
//!
//! Source of all numbers: `linux/netfilter/nf_tables.h`.

use std::net::IpAddr;

use super::attributes::Attributes;
use crate::words::{Cidr, Family, Transport};

/// `NFT_REG_1` and `NFT_REG_2`: sixteen bytes each.
const FIRST: u32 = 1;
const SECOND: u32 = 2;

/// `NFT_CMP_EQ` and `NFT_CMP_NEQ`.
const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;

/// `NFT_PAYLOAD_NETWORK_HEADER` and `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// `NFT_META_*`.
const META_FRAME: u32 = 1;
const META_IN: u32 = 6;
const META_OUT: u32 = 7;
const META_TRACE: u32 = 12;
const META_FAMILY: u32 = 15;
const META_TRANSPORT: u32 = 16;

/// `NFT_CT_STATUS`, and `IPS_DST_NAT` of `linux/netfilter/nf_conntrack_common.h`.
const CT_STATUS: u32 = 2;
const DESTINATION_TRANSLATED: u32 = 1 << 5;

/// `NFTA_FIB_F_DADDR`, `NFT_FIB_RESULT_ADDRTYPE`, and `RTN_LOCAL` of linux/rtnetlink.h.
const FIB_DESTINATION: u32 = 1 << 1;
const FIB_KIND: u32 = 3;
const LOCAL: u32 = 2;

/// `IFNAMSIZ` of linux/if.h: names of interfaces are compared in full, closing zeros included.
const NAME_LENGTH: usize = 16;

/// The steps of one rule, and the rule in the words of nft(8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::lab) struct Statement {
    /// Each with its name and its attributes.
    pub(super) steps: Vec<(&'static str, Attributes)>,
    /// As `nft list ruleset` writes it.
    pub(in crate::lab) words: String,
}

/// An end of a packet's way.
#[derive(Clone, Copy)]
pub(in crate::lab) enum Side {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}

impl Statement {
    /// Matches packets of one family. What looks into a packet stands behind it.
    pub(in crate::lab) fn of_family(family: Family) -> Self {
        Self::default().meta(META_FAMILY).compare(EQUAL, &[number_of(family)]).say("")
    }

    /// Matches by the interface that a packet has come in by.
    pub(in crate::lab) fn comes_in_by(self, name: &str) -> Self {
        self.meta(META_IN).compare(EQUAL, &padded(name)).say(&format!("iifname {name:?}"))
    }

    /// Matches by the interface that a packet leaves by.
    pub(in crate::lab) fn leaves_by(self, name: &str) -> Self {
        self.meta(META_OUT).compare(EQUAL, &padded(name)).say(&format!("oifname {name:?}"))
    }

    /// Matches what leaves by another interface than this.
    pub(in crate::lab) fn leaves_not_by(self, name: &str) -> Self {
        self.meta(META_OUT).compare(UNEQUAL, &padded(name)).say(&format!("oifname != {name:?}"))
    }

    /// Matches by an address's network.
    pub(in crate::lab) fn address_in(self, side: Side, prefix: Cidr) -> Self {
        self.network(EQUAL, side, prefix)
    }

    /// Matches what is not of an address's network.
    pub(in crate::lab) fn address_not_in(self, side: Side, prefix: Cidr) -> Self {
        self.network(UNEQUAL, side, prefix)
    }

    /// Matches by the port that a packet goes to.
    pub(in crate::lab) fn goes_to_port(self, transport: Transport, port: u16) -> Self {
        let protocol = match transport {
            Transport::Tcp => libc::IPPROTO_TCP,
            Transport::Udp => libc::IPPROTO_UDP,
        };
        self.meta(META_TRANSPORT)
            .compare(EQUAL, &[u8::try_from(protocol).unwrap_or_default()])
            .payload(TRANSPORT, 2, 2)
            .compare(EQUAL, &port.to_be_bytes())
            .say(&format!("{transport} dport {port}"))
    }

    /// Matches what goes to an address of the node itself, whenever the node got it.
    pub(in crate::lab) fn goes_to_itself(self) -> Self {
        let attributes = Attributes::default().number(1, FIRST).number(2, FIB_KIND).number(3, FIB_DESTINATION);
        self.step("fib", attributes).compare(EQUAL, &LOCAL.to_ne_bytes()).say("fib daddr type local")
    }

    /// Matches connections whose destination was translated.
    pub(in crate::lab) fn has_been_forwarded(self) -> Self {
        let status = Attributes::default().number(1, FIRST).number(2, CT_STATUS);
        self.step("ct", status)
            .mask(&DESTINATION_TRANSLATED.to_ne_bytes())
            .compare(UNEQUAL, &0_u32.to_ne_bytes())
            .say("ct status dnat")
    }

    /// Matches packets that carry a protocol, by its number in the IP header.
    pub(super) fn carries(protocol: u8) -> Self {
        Self::default().meta(META_TRANSPORT).compare(EQUAL, &[protocol])
    }

    /// Matches frames by their `EtherType`.
    pub(super) fn is_frame_of(kind: u16) -> Self {
        Self::default().meta(META_FRAME).compare(EQUAL, &kind.to_be_bytes())
    }

    /// Has the kernel say what each rule does with the packet from here on.
    pub(super) fn traced(self) -> Self {
        let attributes = Attributes::default().number(2, META_TRACE).number(3, FIRST);
        self.immediate(FIRST, &[1]).step("meta", attributes)
    }

    /// Counts what has come so far.
    pub(in crate::lab) fn counted(self) -> Self {
        self.step("counter", Attributes::default()).say("counter")
    }

    /// Gives the packet the address of the interface that it leaves by.
    pub(in crate::lab) fn masquerade(self) -> Self {
        self.step("masq", Attributes::default()).say("masquerade")
    }

    /// Gives the packet another source or destination address, and for a destination another port if one is given.
    pub(in crate::lab) fn translate(self, side: Side, to: IpAddr, port: Option<u16>) -> Self {
        let (kind, word) = match side {
            Side::Source => (0, "snat"),
            Side::Destination => (1, "dnat"),
        };
        let family = Family::of(to);
        let mut rule = self.immediate(FIRST, &octets(to));
        let mut nat = Attributes::default().number(1, kind).number(2, number_of(family).into()).number(3, FIRST);
        let mut target = to.to_string();
        if let Some(port) = port {
            rule = rule.immediate(SECOND, &port.to_be_bytes());
            nat = nat.number(5, SECOND);
            target = std::net::SocketAddr::new(to, port).to_string();
        }
        rule.step("nat", nat).say(&format!("{word} {} to {target}", header_of(family)))
    }

    fn network(self, operator: u32, side: Side, prefix: Cidr) -> Self {
        let family = Family::of(prefix.address);
        // RFC 791, section 3.1; RFC 8200, section 3.
        let (offset, length, longest) = match (family, side) {
            (Family::Ipv4, Side::Source) => (12, 4, 32),
            (Family::Ipv4, Side::Destination) => (16, 4, 32),
            (Family::Ipv6, Side::Source) => (8, 16, 128),
            (Family::Ipv6, Side::Destination) => (24, 16, 128),
        };
        let whole = prefix.length == longest;
        let shown = if whole { prefix.address.to_string() } else { prefix.network().to_string() };
        let loaded = self.payload(NETWORK, offset, length);
        let masked = if whole { loaded } else { loaded.mask(&bits(prefix.length, length)) };
        let not = if operator == UNEQUAL { "!= " } else { "" };
        let end = match side {
            Side::Source => "saddr",
            Side::Destination => "daddr",
        };
        masked
            .compare(operator, &octets(prefix.network().address))
            .say(&format!("{} {end} {not}{shown}", header_of(family)))
    }

    fn meta(self, key: u32) -> Self {
        self.step("meta", Attributes::default().number(1, FIRST).number(2, key))
    }

    fn payload(self, base: u32, offset: u32, length: u32) -> Self {
        let attributes = Attributes::default().number(1, FIRST).number(2, base).number(3, offset).number(4, length);
        self.step("payload", attributes)
    }

    fn mask(self, mask: &[u8]) -> Self {
        let length = u32::try_from(mask.len()).unwrap_or_default();
        let (mask, nothing) = (data(mask), data(&vec![0; mask.len()]));
        let attributes = Attributes::default().number(1, FIRST).number(2, FIRST).number(3, length);
        self.step("bitwise", attributes.nest(4, &mask).nest(5, &nothing))
    }

    fn compare(self, operator: u32, value: &[u8]) -> Self {
        self.step("cmp", Attributes::default().number(1, FIRST).number(2, operator).nest(3, &data(value)))
    }

    fn immediate(self, register: u32, value: &[u8]) -> Self {
        self.step("immediate", Attributes::default().number(1, register).nest(2, &data(value)))
    }

    fn step(mut self, name: &'static str, attributes: Attributes) -> Self {
        self.steps.push((name, attributes));
        self
    }

    fn say(mut self, words: &str) -> Self {
        if !self.words.is_empty() && !words.is_empty() {
            self.words.push(' ');
        }
        self.words.push_str(words);
        self
    }
}

/// `NFTA_DATA_VALUE`.
fn data(value: &[u8]) -> Attributes {
    Attributes::default().bytes(1, value)
}

/// `NFPROTO_IPV4` and `NFPROTO_IPV6` of linux/netfilter.h.
fn number_of(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    }
}

/// What nft(8) calls a family's header.
fn header_of(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// So many bits from the left in so many bytes.
fn bits(set: u8, bytes: u32) -> Vec<u8> {
    let set = usize::from(set);
    let byte = |at: usize| match set.saturating_sub(at * 8) {
        0 => 0,
        left @ 1..8 => 0xff_u8 << (8 - left),
        _ => 0xff,
    };
    (0..bytes as usize).map(byte).collect()
}

fn padded(name: &str) -> [u8; NAME_LENGTH] {
    let mut bytes = [0; NAME_LENGTH];
    let length = name.len().min(NAME_LENGTH - 1);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_nft_writes_them() {
        let prefix = |text: &str| {
            let (address, length) = text.split_once('/').expect("a prefix");
            Cidr { address: address.parse().expect("an address"), length: length.parse().expect("a length") }
        };
        let rule = Statement::of_family(Family::Ipv4)
            .comes_in_by("eth0")
            .address_in(Side::Source, prefix("192.168.15.0/24"))
            .goes_to_port(Transport::Tcp, 80)
            .counted()
            .translate(Side::Destination, "192.168.15.2".parse().expect("an address"), Some(8080));
        assert_eq!(
            rule.words,
            "iifname \"eth0\" ip saddr 192.168.15.0/24 tcp dport 80 counter dnat ip to 192.168.15.2:8080"
        );
        let rule = Statement::of_family(Family::Ipv6)
            .address_not_in(Side::Destination, prefix("::1/128"))
            .goes_to_itself()
            .translate(Side::Destination, "fd00::2".parse().expect("an address"), Some(80));
        assert_eq!(rule.words, "ip6 daddr != ::1 fib daddr type local dnat ip6 to [fd00::2]:80");
    }

    #[test]
    fn masks_have_their_bits_on_the_left() {
        for (set, bytes, expected) in [
            (24, 4, vec![0xff, 0xff, 0xff, 0]),
            (0, 4, vec![0; 4]),
            (32, 4, vec![0xff; 4]),
            (9, 4, vec![0xff, 0x80, 0, 0]),
        ] {
            assert_eq!(bits(set, bytes), expected, "/{set}");
        }
    }
}
