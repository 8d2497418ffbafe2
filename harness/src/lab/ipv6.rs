//! Whether a node's IPv6 addresses are in use: whether it hears who asks for them, and takes what comes for them.
//!
//! The kernel does both in a work of its own, some time after it accepted the address: first it joins the address's
//! solicited-node group (RFC 4291, section 2.7.1), then it adds a local route. Its tables say when.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use rtnetlink::packet_route::link::{LinkFlags, LinkMessage};

use super::{KernelError, LabNode};
use crate::plan::Node;

/// How often is looked, and how many times: the kernel tells nobody when it is done.
const INTERVAL: Duration = Duration::from_millis(1);
const LOOKS: u32 = 5000;

/// An address that an interface was given.
pub(super) struct Assigned<'a> {
    pub(super) index: u32,
    pub(super) dev: &'a str,
    pub(super) address: Ipv6Addr,
}

/// Those of a node's IPv6 addresses that come into use: their interfaces are up, and have a carrier and neighbours.
pub(super) fn assigned<'a>(node: &'a Node, links: &[LinkMessage]) -> Vec<Assigned<'a>> {
    let speaks = |index: u32| {
        links.iter().any(|link| {
            // Nobody is asked for neighbours where there are none: a dummy joins no group.
            let flags = link.header.flags;
            link.header.index == index
                && flags.contains(LinkFlags::Up | LinkFlags::LowerUp)
                && !flags.contains(LinkFlags::Noarp)
        })
    };
    node.interfaces
        .iter()
        .skip(1)
        .filter(|interface| speaks(interface.index))
        .flat_map(|interface| interface.addresses.iter().map(move |cidr| (interface, cidr.address)))
        .filter_map(|(interface, address)| match address {
            IpAddr::V6(address) => Some(Assigned { index: interface.index, dev: &interface.name, address }),
            IpAddr::V4(_) => None,
        })
        .collect()
}

/// Waits until all of these are in use; gives whether they are. For one whose interface is gone meanwhile, nobody waits.
pub(super) async fn in_use(made: &LabNode, addresses: &[Assigned<'_>]) -> Result<bool, KernelError> {
    if addresses.is_empty() {
        return Ok(true);
    }
    let table = |name: &str| {
        made.namespace
            .within(|| fs::read_to_string(format!("/proc/thread-self/net/{name}")))
            .map_err(|error: io::Error| KernelError::broken(format!("reading {name}"), KernelError::words(&error)))
    };
    for _ in 0..LOOKS {
        let groups = table("igmp6")?;
        if addresses.iter().all(|it| is_member(&groups, it) || !speaks(&groups, it.index)) {
            let routes = table("ipv6_route")?;
            if addresses.iter().all(|it| is_local(&routes, it) || !speaks(&groups, it.index)) {
                return Ok(true);
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Ok(false)
}

/// Whether an interface is there and speaks IPv6: then it is in the group of all nodes, whatever addresses it has.
fn speaks(table: &str, index: u32) -> bool {
    table.lines().any(|line| line.split_whitespace().next().and_then(|word| word.parse().ok()) == Some(index))
}

/// A line of the table of groups is: index, name, group in hexadecimal, users, flags, timer.
fn is_member(table: &str, it: &Assigned<'_>) -> bool {
    let group = solicited_node_group(it.address);
    table.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next().and_then(|word| word.parse().ok()) == Some(it.index) && words.nth(1) == Some(group.as_str())
    })
}

/// A line of the table of routes is: destination and its length, source and its length, gateway, metric, references,
/// uses, flags, all in hexadecimal, and the interface.
fn is_local(table: &str, it: &Assigned<'_>) -> bool {
    /// `RTF_LOCAL` of `linux/ipv6_route.h`.
    const LOCAL: u32 = 0x8000_0000;
    let destination = format!("{:032x}", u128::from(it.address));
    table.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words[..], [to, "80", _, _, _, _, _, _, flags, dev]
            if to == destination && dev == it.dev && u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & LOCAL != 0))
    })
}

fn solicited_node_group(address: Ipv6Addr) -> String {
    let [.., high, middle, low] = address.octets();
    format!("ff0200000000000000000001ff{high:02x}{middle:02x}{low:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(index: u32, dev: &str) -> Assigned<'_> {
        Assigned { index, dev, address: "fd00::12:3456".parse().expect("an address") }
    }

    #[test]
    fn finds_the_group_of_an_address_on_its_own_interface() {
        let table = "1    lo              ff020000000000000000000000000001     1 00000008 0\n\
                     7    eth0            ff0200000000000000000001ff123456     1 00000004 0\n";
        assert!(is_member(table, &address(7, "eth0")));
        assert!(!is_member(table, &address(1, "lo")));
        assert!(!is_member("", &address(7, "eth0")));
        assert!(speaks(table, 7) && speaks(table, 1) && !speaks(table, 2) && !speaks("", 7));
    }

    #[test]
    fn finds_the_local_route_of_an_address_on_its_own_interface() {
        let none = "00000000000000000000000000000000";
        let line = |to: &str, length: &str, flags: &str, dev: &str| {
            format!("{to} {length} {none} 00 {none} 00000000 00000002 00000000 {flags} {dev:>8}\n")
        };
        let to = "fd000000000000000000000000123456";
        assert!(is_local(&line(to, "80", "80200001", "eth0"), &address(7, "eth0")));
        assert!(!is_local(&line(to, "80", "80200001", "eth1"), &address(7, "eth0")));
        assert!(!is_local(&line(to, "80", "00000001", "eth0"), &address(7, "eth0")), "a route by a gateway");
        assert!(!is_local(&line("fd000000000000000000000000000000", "40", "00000001", "eth0"), &address(7, "eth0")));
        assert!(!is_local("", &address(7, "eth0")));
    }
}
