//! Counters of a node: what the kernel says that it did with packets.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage, Stats64};

use crate::lab::state::name_of;
use crate::lab::{KernelError, LabNode, nft};

/// Counters by name: `Ip.InAddrErrors`, `TcpExt.ListenDrops`, `Ip6.InNoRoutes`, `eth0.rx_dropped`, `conntrack.drop`.
pub type Counters = BTreeMap<String, u64>;

/// Every counter of a node.
///
/// # Errors
///
/// A table that could not be read, or is of unknown form.
pub async fn counters(node: &LabNode) -> Result<Counters, KernelError> {
    if node.absent {
        return Ok(Counters::new());
    }
    let mut counters = protocols(node)?;
    for link in node.netlink.links().await? {
        of_link(&link, &mut counters);
    }
    counters.extend(nft::statistics(&node.namespace)?);
    Ok(counters)
}

/// Those that are larger than before, or new, and by how much.
pub fn grown(before: &Counters, after: &Counters) -> Counters {
    let growth = |(name, value): (&String, &u64)| {
        let more = value.saturating_sub(before.get(name).copied().unwrap_or(0));
        (more > 0).then(|| (name.clone(), more))
    };
    after.iter().filter_map(growth).collect()
}

/// The counters of the protocols (RFC 1213, RFC 4293, and `snmp_counter.rst` of the kernel's documentation).
fn protocols(node: &LabNode) -> Result<Counters, KernelError> {
    let read = || {
        let table = |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}"));
        let v6 = match table("snmp6") {
            // A kernel without IPv6 has no such table.
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        Ok((table("snmp")?, table("netstat")?, v6))
    };
    let refused = |error: io::Error| KernelError::broken("nstat", KernelError::words(&error));
    let unknown = |line: &str| KernelError::broken("nstat", format!("a counter of unknown form: {line}"));
    let (snmp, netstat, v6) = node.namespace.within(read).map_err(refused)?;
    let mut counters = Counters::new();
    for table in [&snmp, &netstat] {
        in_pairs(table, &mut counters).map_err(unknown)?;
    }
    in_lines(&v6, &mut counters).map_err(unknown)?;
    Ok(counters)
}

/// Reads pairs of lines: a group and the names of its counters, the same group and their values. What is no counter, but
/// a limit that is unset, is negative and left out.
fn in_pairs<'a>(table: &'a str, counters: &mut Counters) -> Result<(), &'a str> {
    let mut lines = table.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (group, names) = names.split_once(':').ok_or(names)?;
        let (same, values) = values.split_once(':').ok_or(values)?;
        if same != group || names.split_whitespace().count() != values.split_whitespace().count() {
            return Err(values);
        }
        for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
            let value: i128 = value.parse().map_err(|_| value)?;
            if let Ok(value) = value.try_into() {
                counters.insert(format!("{group}.{name}"), value);
            }
        }
    }
    Ok(())
}

/// The groups of `snmp6`, which writes them before the names without a mark. The longer of two that begin alike stands
/// first.
const GROUPS: [&str; 4] = ["UdpLite6", "Udp6", "Icmp6", "Ip6"];

fn in_lines<'a>(table: &'a str, counters: &mut Counters) -> Result<(), &'a str> {
    for line in table.lines() {
        let (name, value) = line.split_once(char::is_whitespace).ok_or(line)?;
        let value = value.trim().parse().map_err(|_| line)?;
        let group = GROUPS.iter().find_map(|group| Some((group, name.strip_prefix(group)?)));
        let name = group.map_or_else(|| name.to_owned(), |(group, name)| format!("{group}.{name}"));
        counters.insert(name, value);
    }
    Ok(())
}

fn of_link(link: &LinkMessage, counters: &mut Counters) {
    let statistics = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Stats64(statistics) => Some(statistics),
        _ => None,
    });
    let dev = name_of(link);
    for (name, value) in statistics.iter().flat_map(|statistics| named(statistics)) {
        counters.insert(format!("{dev}.{name}"), value);
    }
}

/// The statistics of an interface that say something of packets, by their names in `linux/if_link.h`.
fn named(statistics: &Stats64) -> [(&'static str, u64); 12] {
    [
        ("rx_packets", statistics.rx_packets),
        ("tx_packets", statistics.tx_packets),
        ("rx_errors", statistics.rx_errors),
        ("tx_errors", statistics.tx_errors),
        ("rx_dropped", statistics.rx_dropped),
        ("tx_dropped", statistics.tx_dropped),
        ("rx_length_errors", statistics.rx_length_errors),
        ("rx_frame_errors", statistics.rx_frame_errors),
        ("tx_carrier_errors", statistics.tx_carrier_errors),
        ("tx_aborted_errors", statistics.tx_aborted_errors),
        ("rx_nohandler", statistics.rx_nohandler),
        ("rx_otherhost_dropped", statistics.rx_otherhost_dropped),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tables_of_the_kernel() {
        let mut found = Counters::new();
        let snmp = "Ip: Forwarding InAddrErrors\nIp: 2 7\nTcp: MaxConn InSegs\nTcp: -1 18446744073709551615\n";
        in_pairs(snmp, &mut found).expect("it is whole");
        in_lines("Ip6InNoRoutes                   \t3\nUdpLite6InErrors\t4\nUdp6InErrors 5\n", &mut found)
            .expect("it is whole");
        let expected = [
            ("Ip.Forwarding", 2),
            ("Ip.InAddrErrors", 7),
            ("Ip6.InNoRoutes", 3),
            ("Tcp.InSegs", u64::MAX),
            ("Udp6.InErrors", 5),
            ("UdpLite6.InErrors", 4),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for wrong in ["Ip: A B\nIp: 1\n", "Ip: A\nTcp: 1\n", "Ip: A\nIp: x\n", "nonsense\n1\n"] {
            assert!(in_pairs(wrong, &mut Counters::new()).is_err(), "{wrong:?}");
        }
        for wrong in ["Ip6InNoRoutes\n", "Ip6InNoRoutes x\n"] {
            assert!(in_lines(wrong, &mut Counters::new()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_what_grew_is_given() {
        let table = |values: [u64; 3]| ["a", "b", "c"].map(str::to_owned).into_iter().zip(values).collect();
        let before: Counters = table([1, 5, 9]);
        let mut after: Counters = table([1, 7, 3]);
        after.insert("d".to_owned(), 2);
        assert_eq!(grown(&before, &after), [("b".to_owned(), 2), ("d".to_owned(), 2)].into());
    }
}
