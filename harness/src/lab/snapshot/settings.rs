//! Settings that decide over packets, as they are in a node now.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::evidence::Interface;
use crate::lab::{KernelError, LabNode, sysctl};

/// Settings of a whole node, by their path below `/proc/sys/net`.
const OF_NODE: &[&str] = &[
    "ipv4/ip_forward",
    "ipv4/ip_default_ttl",
    "ipv4/ip_no_pmtu_disc",
    "ipv4/ip_nonlocal_bind",
    "ipv4/icmp_echo_ignore_all",
    "ipv4/icmp_echo_ignore_broadcasts",
    "ipv4/icmp_ratelimit",
    "ipv4/icmp_ratemask",
    "core/somaxconn",
    "ipv6/bindv6only",
    "ipv6/icmp/echo_ignore_all",
    "ipv6/icmp/echo_ignore_multicast",
    "ipv6/icmp/echo_ignore_anycast",
    "bridge/bridge-nf-call-iptables",
    "bridge/bridge-nf-call-ip6tables",
    "bridge/bridge-nf-call-arptables",
    "netfilter/nf_conntrack_max",
    "netfilter/nf_conntrack_count",
];

/// Settings that each interface has, and that `all` and `default` have, by their name below `ipv4/conf/DEV`.
const OF_INTERFACE: &[&str] = &[
    "accept_local",
    "arp_announce",
    "arp_filter",
    "arp_ignore",
    "bc_forwarding",
    "disable_policy",
    "forwarding",
    "ignore_routes_with_linkdown",
    "proxy_arp",
    "route_localnet",
    "rp_filter",
    "src_valid_mark",
];

/// The same below `ipv6/conf/DEV`.
const OF_INTERFACE_V6: &[&str] = &["accept_dad", "addr_gen_mode", "disable_ipv6", "forwarding", "hop_limit", "mtu"];

/// Reads them inside the node. One that is not there is left out, and so are those of ports of bridges: what comes in
/// there never gets to where these settings count.
pub(super) fn read(node: &LabNode, interfaces: &[Interface]) -> Result<BTreeMap<String, String>, KernelError> {
    // There are as many as there are interfaces, which are limited.
    let paths = paths(interfaces);
    let mut reading = String::new();
    let read = || {
        let mut found = BTreeMap::new();
        for path in paths {
            reading.clone_from(&path);
            match sysctl::value(&Path::new("/proc/sys/net").join(&path)) {
                Ok(value) => {
                    found.insert(path, String::from_utf8_lossy(value.trim_ascii_end()).into_owned());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    };
    let found = node.namespace.within(read);
    found.map_err(|error| KernelError::broken(format!("sysctl net/{reading}"), KernelError::words(&error)))
}

fn paths(interfaces: &[Interface]) -> Vec<String> {
    let mut paths: Vec<String> = OF_NODE.iter().map(|path| (*path).to_owned()).collect();
    let own = interfaces.iter().filter(|interface| interface.port.is_none()).map(|interface| interface.name.as_str());
    for dev in ["all", "default"].into_iter().chain(own) {
        paths.extend(OF_INTERFACE.iter().map(|setting| format!("ipv4/conf/{dev}/{setting}")));
        paths.extend(OF_INTERFACE_V6.iter().map(|setting| format!("ipv6/conf/{dev}/{setting}")));
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_bridge_has_no_settings_that_count() {
        use crate::evidence::BridgePort;
        let named = |name: &str| Interface { name: name.to_owned(), ..Interface::default() };
        let port = BridgePort::default();
        let paths = paths(&[named("eth0"), Interface { port: Some(port), ..named("p1") }]);
        let has = |path: &str| paths.iter().any(|own| own == path);
        assert!(has("ipv4/conf/all/rp_filter") && has("ipv4/conf/eth0/rp_filter") && has("ipv6/conf/eth0/forwarding"));
        assert!(!has("ipv4/conf/p1/rp_filter"));
    }
}
