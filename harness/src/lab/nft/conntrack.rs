//! Connection tracking, asked by the same socket.
//!
//! Source of all numbers: `linux/netfilter/nfnetlink_conntrack.h`, `linux/netfilter/nf_conntrack_common.h`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::{self, FAMILY_HEADER, Tracked};
use super::socket::{Refused, Socket};
use super::{KernelError, attributes};
use crate::evidence::{Connection, Tuple};
use crate::namespace::Namespace;

/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY` and `CTA_STATUS` of a connection.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const STATUS: u16 = 3;

/// `IPS_SEEN_REPLY`.
const ANSWERED: u32 = 1 << 1;

/// `CTA_TUPLE_IP` and `CTA_TUPLE_PROTO` of a tuple.
const ADDRESSES: u16 = 1;
const PROTOCOL: u16 = 2;

/// `CTA_PROTO_NUM`, `_SRC_PORT`, `_DST_PORT`, `_ICMP_ID` and `_ICMPV6_ID`.
const NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const PORT: u16 = 3;
const ECHO: u16 = 4;
const ECHO_V6: u16 = 7;

/// The counters of `CTA_STATS_*`, without those that the kernel no longer uses.
const STATISTICS: [(u16, &str); 10] = [
    (2, "found"),
    (4, "invalid"),
    (8, "insert"),
    (9, "insert_failed"),
    (10, "drop"),
    (11, "early_drop"),
    (12, "error"),
    (13, "search_restart"),
    (14, "clash_resolve"),
    (15, "chaintoolong"),
];

/// How many connections a node tracks; that alone costs nothing.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";

/// What some kernels show where they hide [`COUNT`] from who is not root.
const SIGN: &str = "/proc/thread-self/net/stat/nf_conntrack";

/// Every connection that a node tracks. The kernel walks its table of all namespaces for that, so it is asked only where
/// there are any; and a kernel that has no connection tracking yet is not made to load it.
pub(in crate::lab) fn connections(namespace: &Namespace) -> Result<Vec<Connection>, KernelError> {
    match tracks(namespace)? {
        Tracking::No | Tracking::Nothing => return Ok(Vec::new()),
        Tracking::Yes => {}
    }
    let found = table(namespace, Tracked::Connections).map_err(|refused| refused.named("conntrack -L"))?;
    let read = |entry: &Vec<u8>| connection(entry).map_err(|reason| KernelError::broken("conntrack -L", reason));
    found.iter().map(read).filter_map(Result::transpose).collect()
}

/// The counters of connection tracking, over all processors; none where the kernel has none.
pub(in crate::lab) fn statistics(namespace: &Namespace) -> Result<BTreeMap<String, u64>, KernelError> {
    if tracks(namespace)? == Tracking::No {
        return Ok(BTreeMap::new());
    }
    let found = table(namespace, Tracked::Statistics).map_err(|refused| refused.named("conntrack -S"))?;
    Ok(sums(&found))
}

/// Whether connections are tracked in a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tracking {
    /// The kernel does not know how.
    No,
    /// There is none now.
    Nothing,
    /// There are some, or that is not known.
    Yes,
}

fn tracks(namespace: &Namespace) -> Result<Tracking, KernelError> {
    let look = || match fs::read_to_string(COUNT) {
        Ok(count) if count.trim_end() == "0" => Ok(Tracking::Nothing),
        Ok(_) => Ok(Tracking::Yes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(if fs::exists(SIGN)? { Tracking::Yes } else { Tracking::No })
        }
        Err(error) => Err(error),
    };
    namespace.within(look).map_err(|error| KernelError::broken(format!("reading {COUNT}"), KernelError::words(&error)))
}

/// A table of connection tracking; empty where the kernel has no netfilter sockets, or nothing that answers there
/// (`nfnetlink_rcv_msg` of net/netfilter/nfnetlink.c says EINVAL, after it has tried to load the module).
fn table(namespace: &Namespace, kind: Tracked) -> Result<Vec<Vec<u8>>, Refused> {
    let asked = Socket::open(namespace)
        .and_then(|socket| socket.dump(&message::dump_tracked(kind), kind.answer(), FAMILY_HEADER));
    match asked {
        Err(refused) if matches!(refused.errno, libc::EPROTONOSUPPORT | libc::EINVAL | libc::EOPNOTSUPP) => {
            Ok(Vec::new())
        }
        other => other,
    }
}

fn sums(processors: &[Vec<u8>]) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (kind, value) in processors.iter().flat_map(|processor| attributes::read(processor)) {
        let name = STATISTICS.iter().find(|(known, _)| *known == kind).map(|(_, name)| name);
        if let (Some(name), Ok(bytes)) = (name, value.try_into()) {
            *sums.entry(format!("conntrack.{name}")).or_default() += u64::from(u32::from_be_bytes(bytes));
        }
    }
    sums
}

/// A connection; `None` for one of neither IPv4 nor IPv6.
fn connection(entry: &[u8]) -> Result<Option<Connection>, String> {
    let side = |kind| attributes::find(entry, kind).ok_or_else(|| "a connection has one direction only".to_owned());
    let (Some((protocol, original)), Some((_, reply))) = (tuple(side(ORIGINAL)?), tuple(side(REPLY)?)) else {
        return Ok(None);
    };
    let status = attributes::find(entry, STATUS).and_then(|value| value.try_into().ok()).map_or(0, u32::from_be_bytes);
    Ok(Some(Connection { protocol, original, reply, answered: status & ANSWERED != 0 }))
}

/// The number of the protocol, and one direction.
fn tuple(bytes: &[u8]) -> Option<(u8, Tuple)> {
    let (addresses, protocol) = (attributes::find(bytes, ADDRESSES)?, attributes::find(bytes, PROTOCOL)?);
    let port = |kind| attributes::find(protocol, kind).and_then(|value| value.try_into().ok()).map(u16::from_be_bytes);
    let echo = port(ECHO).or_else(|| port(ECHO_V6));
    let (source_port, target) = (port(SOURCE_PORT).or(echo), port(PORT).or(echo));
    let number = *attributes::find(protocol, NUMBER)?.first()?;
    let (from, to) = (address(addresses, 1, 3)?, address(addresses, 2, 4)?);
    // Of what has neither ports nor an identifier both are 0.
    Some((number, Tuple { from, to, source_port: source_port.unwrap_or(0), port: target.unwrap_or(0) }))
}

/// `CTA_IP_V4_SRC` or `_DST`, or that of IPv6.
fn address(bytes: &[u8], v4: u16, v6: u16) -> Option<IpAddr> {
    let old = attributes::find(bytes, v4).and_then(|value| <[u8; 4]>::try_from(value).ok());
    let new = || attributes::find(bytes, v6).and_then(|value| <[u8; 16]>::try_from(value).ok());
    old.map(|octets| Ipv4Addr::from(octets).into()).or_else(|| new().map(|octets| Ipv6Addr::from(octets).into()))
}

#[cfg(test)]
mod tests {
    use super::super::attributes::Attributes;
    use super::*;

    fn direction(from: [u8; 4], to: [u8; 4], protocol: &Attributes) -> Attributes {
        let addresses = Attributes::default().bytes(1, &from).bytes(2, &to);
        Attributes::default().nest(ADDRESSES, &addresses).nest(PROTOCOL, protocol)
    }

    #[test]
    fn a_connection_has_two_directions() {
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let ports = |from: u16, to: u16| {
            let number = Attributes::default().bytes(NUMBER, &[6]);
            number.bytes(SOURCE_PORT, &from.to_be_bytes()).bytes(PORT, &to.to_be_bytes())
        };
        let entry = Attributes::default()
            .nest(ORIGINAL, &direction(a, b, &ports(40_000, 80)))
            .nest(REPLY, &direction(b, a, &ports(80, 40_000)))
            .number(STATUS, 0x8 | ANSWERED);
        let found = connection(entry.as_bytes()).expect("it is whole").expect("it is one of IPv4");
        assert_eq!((found.protocol, found.answered), (6, true));
        assert_eq!((found.original.source_port, found.original.port, found.reply.port), (40_000, 80, 40_000));
        assert_eq!((found.reply.from.to_string(), found.reply.to.to_string()), ("10.0.0.2".into(), "10.0.0.1".into()));
        let half = Attributes::default().nest(ORIGINAL, &direction(a, b, &ports(1, 2)));
        assert!(connection(half.as_bytes()).is_err());
    }

    #[test]
    fn an_echo_has_its_identifier_for_both_ports() {
        let echo = |kind: u16| Attributes::default().bytes(NUMBER, &[1]).bytes(kind, &7_u16.to_be_bytes());
        for kind in [ECHO, ECHO_V6] {
            let found = tuple(direction([10, 0, 0, 1], [10, 0, 0, 2], &echo(kind)).as_bytes());
            let (_, tuple) = found.expect("it has addresses and a protocol");
            assert_eq!((tuple.source_port, tuple.port), (7, 7));
        }
    }

    #[test]
    fn counters_are_those_of_all_processors() {
        let processor = |drop: u32| Attributes::default().number(10, drop).number(1, 99).as_bytes().to_vec();
        assert_eq!(sums(&[processor(2), processor(3)]), [("conntrack.drop".to_owned(), 5)].into());
    }
}
