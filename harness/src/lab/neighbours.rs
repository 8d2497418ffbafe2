//! The neighbour table, of which a machine has one for all namespaces together (`gc_thresh3` entries, 1024 by default).
//!
//! When it is full, packets vanish without an error at the sender. So the entries that probing makes are deleted when a
//! batch is done, and a silence while the table overflowed is not a finding.

use std::fs;
use std::io;

use rtnetlink::packet_route::neighbour::NeighbourState;
use rtnetlink::packet_route::neighbour_table::NeighbourTableAttribute;

use super::state::destination;
use super::{KernelError, Lab, LabNode, Netlink};

/// The machine's neighbour tables at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NeighbourTable {
    /// Entries of both families.
    pub entries: u64,
    /// The smallest limit of both families.
    pub limit: u64,
    /// How often an entry could not be made because a table was full, since boot.
    pub overflows: u64,
}

impl NeighbourTable {
    /// Reads the counters; they are the same in every namespace.
    ///
    /// # Errors
    ///
    /// A dump that failed.
    pub async fn read(node: &LabNode) -> Result<Self, KernelError> {
        Self::read_by(&node.netlink).await
    }

    /// As [`Self::read`], by any routing socket.
    ///
    /// # Errors
    ///
    /// A dump that failed.
    pub async fn read_by(netlink: &Netlink) -> Result<Self, KernelError> {
        let mut sum = Self { limit: u64::MAX, ..Self::default() };
        for table in netlink.neighbour_tables().await? {
            for attribute in table.attributes {
                match attribute {
                    NeighbourTableAttribute::Config(config) => sum.entries += u64::from(config.entries),
                    NeighbourTableAttribute::Threshold3(limit) => sum.limit = sum.limit.min(u64::from(limit)),
                    NeighbourTableAttribute::Stats(stats) => sum.overflows += stats.table_fulls,
                    _ => {}
                }
            }
        }
        Ok(sum)
    }

    /// Says so when the table has overflowed since it was as given.
    pub fn overflowed_since(&self, before: &Self) -> Option<String> {
        (self.overflows > before.overflows).then(|| {
            format!(
                "the machine's neighbour table overflowed meanwhile ({} entries, at most {}; \
                 raise `sysctl net.ipv4.neigh.default.gc_thresh3` and the one of ipv6)",
                self.entries, self.limit
            )
        })
    }
}

/// Whether a router has told a node of a better way (ICMP redirect, IPv4). For a second from then on it refuses nothing
/// that this node sends: it keeps redirects and refusals for its routes in one account (`ip_rt_send_redirect`).
///
/// # Errors
///
/// What setns(2) and reading the node's counters say.
pub fn was_redirected(node: &LabNode) -> io::Result<bool> {
    let counters = node.namespace.within(|| fs::read_to_string("/proc/thread-self/net/snmp"))?;
    let mut icmp = counters.lines().filter_map(|line| line.strip_prefix("Icmp: "));
    let (Some(names), Some(values)) = (icmp.next(), icmp.next()) else { return Ok(false) };
    Ok(names.split(' ').zip(values.split(' ')).any(|(name, value)| name == "InRedirects" && value != "0"))
}

/// Deletes every entry that probing made in the nodes.
///
/// # Errors
///
/// A request that failed.
pub async fn forget(lab: &Lab) -> Result<(), KernelError> {
    for node in &lab.nodes {
        flush(node, None).await?;
    }
    Ok(())
}

/// Deletes what a node has learned itself: what a script has put there stays.
///
/// # Errors
///
/// A request that failed.
pub async fn forget_learned(node: &LabNode) -> Result<(), KernelError> {
    flush(node, None).await
}

/// Deletes what a node has learned, on all its interfaces or on one.
pub(super) async fn flush(node: &LabNode, interface: Option<u32>) -> Result<(), KernelError> {
    for entry in node.netlink.neighbours().await? {
        let here = interface.is_none_or(|index| index == entry.header.ifindex);
        let learned = !matches!(entry.header.state, NeighbourState::Permanent | NeighbourState::Noarp);
        if here
            && learned
            && destination(&entry).is_some_and(|address| !address.is_multicast() && !address.is_loopback())
        {
            node.netlink.delete_neighbour(&entry).await?;
        }
    }
    Ok(())
}
