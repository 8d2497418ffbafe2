//! Whether a node hears who asks for its IPv6 addresses.
//!
//! The kernel joins the solicited-node group of an address (RFC 4291, section 2.7.1) in a work of its own, some time
//! after the address was accepted; until then it does not hear solicitations for it. The group table says when.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::{KernelError, LabNode};
use crate::plan::Node;

/// How often is looked for a group, and how many times: the kernel tells nobody when it joins one.
const INTERVAL: Duration = Duration::from_millis(1);
const LOOKS: u32 = 5000;

/// Waits until the node is in the group of every IPv6 address of its interfaces that are up and have a carrier.
pub(super) async fn join(node: &Node, made: &LabNode, connected: &[u32]) -> Result<(), KernelError> {
    let groups: Vec<(u32, String)> = node
        .interfaces
        .iter()
        .skip(1)
        .filter(|interface| connected.contains(&interface.index))
        .flat_map(|interface| interface.addresses.iter().map(|cidr| (interface.index, cidr.address)))
        .filter_map(|(index, address)| match address {
            IpAddr::V6(address) => Some((index, solicited_node_group(address))),
            IpAddr::V4(_) => None,
        })
        .collect();
    if groups.is_empty() {
        return Ok(());
    }
    let unreadable =
        |error: io::Error| KernelError::broken("reading the table of IPv6 groups", KernelError::words(&error));
    for _ in 0..LOOKS {
        let table = made.namespace.within(|| fs::read_to_string("/proc/thread-self/net/igmp6")).map_err(unreadable)?;
        if groups.iter().all(|(index, group)| is_in(&table, *index, group)) {
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Err(KernelError::broken("ip maddress show", "a solicited-node group of an IPv6 address was not joined"))
}

/// A line of the table is: index, name, group in hexadecimal, users, flags, timer.
fn is_in(table: &str, index: u32, group: &str) -> bool {
    table.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next().and_then(|word| word.parse().ok()) == Some(index) && words.nth(1) == Some(group)
    })
}

fn solicited_node_group(address: Ipv6Addr) -> String {
    let [.., high, middle, low] = address.octets();
    format!("ff0200000000000000000001ff{high:02x}{middle:02x}{low:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_group_of_an_address_on_its_own_interface() {
        let group = solicited_node_group("fd00::12:3456".parse().expect("an address"));
        assert_eq!(group, "ff0200000000000000000001ff123456");
        let table = format!(
            "1    lo              ff020000000000000000000000000001     1 00000008 0\n\
                             7    eth0            {group}     1 00000004 0\n"
        );
        assert!(is_in(&table, 7, &group));
        assert!(!is_in(&table, 1, &group));
        assert!(!is_in("", 7, &group));
    }
}
