//! Names that stand for numbers, and values in the one form in which they are compared.

use std::net::IpAddr;

use super::text::is_open;

/// What a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Port,
    Protocol,
    Icmp,
    Icmpv6,
    User,
}

/// A few of `/etc/services`: those that rules name.
const PORTS: [(&str, &str); 34] = [
    ("ftp-data", "20"),
    ("ftp", "21"),
    ("ssh", "22"),
    ("telnet", "23"),
    ("smtp", "25"),
    ("time", "37"),
    ("domain", "53"),
    ("bootps", "67"),
    ("bootpc", "68"),
    ("tftp", "69"),
    ("http", "80"),
    ("www", "80"),
    ("kerberos", "88"),
    ("pop3", "110"),
    ("sunrpc", "111"),
    ("ntp", "123"),
    ("netbios-ns", "137"),
    ("netbios-dgm", "138"),
    ("netbios-ssn", "139"),
    ("imap2", "143"),
    ("imap", "143"),
    ("snmp", "161"),
    ("snmp-trap", "162"),
    ("bgp", "179"),
    ("ldap", "389"),
    ("https", "443"),
    ("microsoft-ds", "445"),
    ("syslog", "514"),
    ("submission", "587"),
    ("ldaps", "636"),
    ("imaps", "993"),
    ("pop3s", "995"),
    ("mysql", "3306"),
    ("postgresql", "5432"),
];

/// Protocols of IP by their numbers (`/etc/protocols`).
const PROTOCOLS: [(&str, &str); 13] = [
    ("icmp", "1"),
    ("igmp", "2"),
    ("tcp", "6"),
    ("udp", "17"),
    ("gre", "47"),
    ("esp", "50"),
    ("ah", "51"),
    ("ipv6-icmp", "58"),
    ("icmpv6", "58"),
    ("icmp6", "58"),
    ("vrrp", "112"),
    ("sctp", "132"),
    ("udplite", "136"),
];

/// Types of ICMP, as iptables(8) and nft(8) name them (RFC 792).
const ICMP: [(&str, &str); 15] = [
    ("echo-reply", "0"),
    ("pong", "0"),
    ("destination-unreachable", "3"),
    ("network-unreachable", "3/0"),
    ("host-unreachable", "3/1"),
    ("port-unreachable", "3/3"),
    ("fragmentation-needed", "3/4"),
    ("source-quench", "4"),
    ("redirect", "5"),
    ("echo-request", "8"),
    ("ping", "8"),
    ("router-advertisement", "9"),
    ("router-solicitation", "10"),
    ("time-exceeded", "11"),
    ("parameter-problem", "12"),
];

/// Types of ICMPv6 (RFC 4443, RFC 4861).
const ICMPV6: [(&str, &str); 15] = [
    ("destination-unreachable", "1"),
    ("packet-too-big", "2"),
    ("time-exceeded", "3"),
    ("parameter-problem", "4"),
    ("echo-request", "128"),
    ("echo-reply", "129"),
    ("nd-router-solicit", "133"),
    ("router-solicitation", "133"),
    ("nd-router-advert", "134"),
    ("router-advertisement", "134"),
    ("nd-neighbor-solicit", "135"),
    ("neighbour-solicitation", "135"),
    ("neighbor-solicitation", "135"),
    ("nd-neighbor-advert", "136"),
    ("neighbour-advertisement", "136"),
];

/// A value in the one form in which it is compared.
pub(super) fn value(kind: Kind, text: &str) -> String {
    if is_open(text) {
        return text.to_owned();
    }
    let names: &[(&str, &str)] = match kind {
        Kind::Any => &[],
        Kind::Port => &PORTS,
        Kind::Protocol => &PROTOCOLS,
        Kind::Icmp => &ICMP,
        Kind::Icmpv6 => &ICMPV6,
        Kind::User => &[("root", "0")],
    };
    if let Some((_, number)) = names.iter().find(|(name, _)| *name == text) {
        return (*number).to_owned();
    }
    if let Some(plain) = number(text).or_else(|| prefix(text)) {
        return plain;
    }
    match text.split_once(['-', ':']) {
        // A range; iptables(8) writes it with a colon.
        Some((first, last)) if kind == Kind::Port => format!("{}-{}", value_of(names, first), value_of(names, last)),
        _ if is_mac(text) => text.to_lowercase(),
        _ => text.to_owned(),
    }
}

fn value_of(names: &[(&str, &str)], text: &str) -> String {
    let named = names.iter().find(|(name, _)| *name == text).map(|(_, number)| (*number).to_owned());
    named.or_else(|| number(text)).unwrap_or_else(|| text.to_owned())
}

fn number(text: &str) -> Option<String> {
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => text.parse::<u64>().ok().filter(|_| !text.starts_with('+'))?,
    };
    Some(number.to_string())
}

/// An address or a prefix; without the bits behind it, and alone where it is the whole.
fn prefix(text: &str) -> Option<String> {
    let Some((address, length)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(|address| address.to_string());
    };
    let address: IpAddr = address.parse().ok()?;
    let width: u32 = if address.is_ipv4() { 32 } else { 128 };
    let length = match length.parse::<u32>() {
        Ok(length) => length,
        Err(_) => mask_length(length.parse().ok()?)?,
    };
    let shift = width.checked_sub(length)?;
    let kept: IpAddr = match address {
        IpAddr::V4(address) => {
            std::net::Ipv4Addr::from(u32::from(address).checked_shr(shift).unwrap_or(0).checked_shl(shift).unwrap_or(0))
                .into()
        }
        IpAddr::V6(address) => std::net::Ipv6Addr::from(
            u128::from(address).checked_shr(shift).unwrap_or(0).checked_shl(shift).unwrap_or(0),
        )
        .into(),
    };
    Some(if shift == 0 { kept.to_string() } else { format!("{kept}/{length}") })
}

/// The length of a mask, where it has no holes.
fn mask_length(mask: std::net::Ipv4Addr) -> Option<u32> {
    let bits = u32::from(mask);
    (bits.leading_ones() + bits.trailing_zeros().min(32) == 32 || bits == 0).then_some(bits.leading_ones())
}

fn is_mac(text: &str) -> bool {
    text.len() == 17 && text.split(':').count() == 6 && text.chars().all(|c| c == ':' || c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_form() {
        for (kind, text, expected) in [
            (Kind::Port, "http", "80"),
            (Kind::Port, "ssh:1024", "22-1024"),
            (Kind::Port, "22-80", "22-80"),
            (Kind::Any, "http", "http"),
            (Kind::Any, "0x00000010", "16"),
            (Kind::Any, "10.0.0.5/24", "10.0.0.0/24"),
            (Kind::Any, "10.0.0.5/255.255.255.0", "10.0.0.0/24"),
            (Kind::Any, "10.0.0.5/32", "10.0.0.5"),
            (Kind::Any, "10.0.0.5/0", "0.0.0.0/0"),
            (Kind::Any, "10.0.0.5/33", "10.0.0.5/33"),
            (Kind::Any, "FD00:0:0::1/64", "fd00::/64"),
            (Kind::Any, "fd00::1/0", "::/0"),
            (Kind::Any, "00:AA:bb:CC:dd:ee", "00:aa:bb:cc:dd:ee"),
            (Kind::Protocol, "ipv6-icmp", "58"),
            (Kind::Icmp, "echo-request", "8"),
            (Kind::Icmpv6, "echo-request", "128"),
            (Kind::Any, "", ""),
        ] {
            assert_eq!(value(kind, text), expected, "{text}");
        }
    }
}
