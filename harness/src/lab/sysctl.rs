//! Settings of the kernel: the same in every node, whatever the machine outside has.
//!
//! A new namespace takes over much of the host's IPv4 configuration (`devconf_inherit_init_net`), and on some kernels
//! more. So the first node of a lab is read as it was born, what differs from [`BASELINE`] is noted, and that is set in
//! every node before any interface exists. The last node is read again when it was born: a host whose settings change
//! while a lab is built is an error, not a wrong verdict.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::{LabError, LabNode};
use crate::plan::Node;

/// What every node has, by path below `/proc/sys/net`, with the reason where it is not the kernel's own default.
///
/// Source: Documentation/networking/ip-sysctl.rst of Linux 6.18. A key that a kernel does not have is left out.
pub const BASELINE: &[(&str, &str)] = &[
    // The kernel's defaults, which a host may have changed and a namespace takes over. Forwarding stands first:
    // writing it resets `accept_redirects` and others.
    ("ipv4/ip_forward", "0"),
    ("ipv4/conf/all/forwarding", "0"),
    ("ipv4/conf/default/forwarding", "0"),
    ("ipv4/conf/all/accept_local", "0"),
    ("ipv4/conf/default/accept_local", "0"),
    ("ipv4/conf/all/accept_redirects", "1"),
    ("ipv4/conf/default/accept_redirects", "1"),
    ("ipv4/conf/all/accept_source_route", "0"),
    ("ipv4/conf/default/accept_source_route", "0"),
    ("ipv4/conf/all/arp_accept", "0"),
    ("ipv4/conf/default/arp_accept", "0"),
    ("ipv4/conf/all/arp_announce", "0"),
    ("ipv4/conf/default/arp_announce", "0"),
    ("ipv4/conf/all/arp_evict_nocarrier", "1"),
    ("ipv4/conf/default/arp_evict_nocarrier", "1"),
    ("ipv4/conf/all/arp_filter", "0"),
    ("ipv4/conf/default/arp_filter", "0"),
    ("ipv4/conf/all/arp_ignore", "0"),
    ("ipv4/conf/default/arp_ignore", "0"),
    ("ipv4/conf/all/arp_notify", "0"),
    ("ipv4/conf/default/arp_notify", "0"),
    ("ipv4/conf/all/bc_forwarding", "0"),
    ("ipv4/conf/default/bc_forwarding", "0"),
    ("ipv4/conf/all/disable_policy", "0"),
    ("ipv4/conf/default/disable_policy", "0"),
    ("ipv4/conf/all/disable_xfrm", "0"),
    ("ipv4/conf/default/disable_xfrm", "0"),
    ("ipv4/conf/all/drop_gratuitous_arp", "0"),
    ("ipv4/conf/default/drop_gratuitous_arp", "0"),
    ("ipv4/conf/all/drop_unicast_in_l2_multicast", "0"),
    ("ipv4/conf/default/drop_unicast_in_l2_multicast", "0"),
    ("ipv4/conf/all/ignore_routes_with_linkdown", "0"),
    ("ipv4/conf/default/ignore_routes_with_linkdown", "0"),
    ("ipv4/conf/all/bootp_relay", "0"),
    ("ipv4/conf/default/bootp_relay", "0"),
    ("ipv4/conf/all/force_igmp_version", "0"),
    ("ipv4/conf/default/force_igmp_version", "0"),
    ("ipv4/conf/all/igmpv2_unsolicited_report_interval", "10000"),
    ("ipv4/conf/default/igmpv2_unsolicited_report_interval", "10000"),
    ("ipv4/conf/all/igmpv3_unsolicited_report_interval", "1000"),
    ("ipv4/conf/default/igmpv3_unsolicited_report_interval", "1000"),
    ("ipv4/conf/all/log_martians", "0"),
    ("ipv4/conf/default/log_martians", "0"),
    ("ipv4/conf/all/medium_id", "0"),
    ("ipv4/conf/default/medium_id", "0"),
    ("ipv4/conf/all/promote_secondaries", "0"),
    ("ipv4/conf/default/promote_secondaries", "0"),
    ("ipv4/conf/all/proxy_arp", "0"),
    ("ipv4/conf/default/proxy_arp", "0"),
    ("ipv4/conf/all/proxy_arp_pvlan", "0"),
    ("ipv4/conf/default/proxy_arp_pvlan", "0"),
    ("ipv4/conf/all/route_localnet", "0"),
    ("ipv4/conf/default/route_localnet", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/secure_redirects", "1"),
    ("ipv4/conf/default/secure_redirects", "1"),
    ("ipv4/conf/all/send_redirects", "1"),
    ("ipv4/conf/default/send_redirects", "1"),
    ("ipv4/conf/all/shared_media", "1"),
    ("ipv4/conf/default/shared_media", "1"),
    ("ipv4/conf/all/src_valid_mark", "0"),
    ("ipv4/conf/default/src_valid_mark", "0"),
    ("ipv4/conf/all/tag", "0"),
    ("ipv4/conf/default/tag", "0"),
    ("ipv4/ip_default_ttl", "64"),
    ("ipv4/ip_no_pmtu_disc", "0"),
    ("ipv4/ip_nonlocal_bind", "0"),
    ("ipv4/ip_local_port_range", "32768\t60999"),
    ("ipv4/icmp_echo_ignore_all", "0"),
    ("ipv4/icmp_echo_ignore_broadcasts", "1"),
    ("ipv4/fib_multipath_hash_policy", "0"),
    ("ipv4/tcp_syncookies", "1"),
    ("ipv4/tcp_timestamps", "1"),
    ("ipv4/tcp_ecn", "2"),
    ("ipv4/tcp_congestion_control", "reno"),
    ("ipv4/tcp_rmem", "4096\t131072\t6291456"),
    ("ipv4/tcp_wmem", "4096\t16384\t4194304"),
    ("core/somaxconn", "4096"),
    ("ipv6/conf/all/forwarding", "0"),
    ("ipv6/conf/default/forwarding", "0"),
    ("ipv6/conf/all/accept_redirects", "1"),
    ("ipv6/conf/default/accept_redirects", "1"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/bindv6only", "0"),
    ("ipv6/ip_nonlocal_bind", "0"),
    // A refusal that the kernel leaves out because it just sent another reads as silence. The mask exempts every type
    // from the limit for each peer, which must not be 0: `icmpv4_xrlim_allow` and `ip_error` (a router's own "net
    // unreachable", "host unreachable", "prohibited") share the peer's `rate_tokens`. A limit of 0 has the first empty
    // them with each of its errors, and the second waits for tokens before it sends one.
    ("ipv4/icmp_ratelimit", "1000"),
    ("ipv4/icmp_ratemask", "0"),
    ("ipv4/icmp_msgs_per_sec", "1000000"),
    ("ipv4/icmp_msgs_burst", "1000000"),
    ("ipv6/icmp/ratelimit", "0"),
    // A connection to a peer that has gone silent keeps its namespace alive until TCP gives up.
    ("ipv4/tcp_orphan_retries", "1"),
    ("ipv4/tcp_retries2", "3"),
    // Interfaces without an IPv6 address need none of IPv6's chatter; the others turn it on for themselves. What the
    // kernel does by itself there is off: nobody answers solicitations, and addresses are usable at once.
    (SPEAKS_NO_IPV6, "1"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/autoconf", "0"),
    ("ipv6/conf/default/use_tempaddr", "0"),
    // With br_netfilter loaded, bridged packets would pass the bridge's node's IP rules.
    ("bridge/bridge-nf-call-iptables", "0"),
    ("bridge/bridge-nf-call-ip6tables", "0"),
    ("bridge/bridge-nf-call-arptables", "0"),
];

/// Whether new interfaces leave IPv6 out.
const SPEAKS_NO_IPV6: &str = "ipv6/conf/default/disable_ipv6";

/// What every interface has for its neighbours, by the names below `/proc/sys/net/ipv4/neigh`, for ARP and for IPv6: times
/// in milliseconds. A new interface takes them over from the machine itself, in whichever namespace it is.
///
/// All are the kernel's defaults (net/ipv4/arp.c, net/ipv6/ndisc.c) but three: three requests 200 ms apart, the first at
/// most 200 ms after an entry in doubt is used, tell a dead neighbour inside the usual window for silence. The kernel's
/// own 1000 and 5000 would tell it after 3 to 8 s, and until then a dead neighbour looks like silence. Who answers for
/// others does so at once, and not at a random time within 800 ms: who asks for the one machine that answers must not
/// miss it.
pub const NEIGHBOUR_BASELINE: &[(&str, u64, u64)] = &[
    ("retrans_time_ms", 200, 200),
    ("base_reachable_time_ms", 30_000, 30_000),
    ("gc_stale_time", 60_000, 60_000),
    ("delay_first_probe_time", 200, 200),
    ("app_solicit", 0, 0),
    ("ucast_solicit", 3, 3),
    ("mcast_solicit", 3, 3),
    ("mcast_resolicit", 0, 0),
    ("anycast_delay", 1000, 1000),
    ("proxy_delay", 0, 0),
    ("proxy_qlen", 64, 64),
    ("locktime", 1000, 0),
    ("unres_qlen_bytes", 212_992, 212_992),
    ("interval_probe_time_ms", 5000, 5000),
];

/// What has to be written so that a new namespace has the baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference(Vec<(&'static str, &'static str)>);

impl Difference {
    /// Reads the namespace the thread is in.
    pub(super) fn read() -> io::Result<Self> {
        let mut difference = Vec::new();
        for (path, wanted) in BASELINE {
            match value(&Path::new("/proc/sys/net").join(path)) {
                Ok(value) if value.trim_ascii_end() == wanted.as_bytes() => {}
                Ok(_) => difference.push((*path, *wanted)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // A key that a namespace may not even read cannot differ between runs of one machine in a way that a
                // case could see; what cannot be written shows below.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(difference))
    }

    /// Writes it in the namespace the thread is in.
    pub(super) fn write(&self) -> io::Result<()> {
        for (path, wanted) in &self.0 {
            match fs::write(Path::new("/proc/sys/net").join(path), wanted) {
                Ok(()) => {}
                // Some kernels show a key inside a namespace and let only the machine itself write it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                // That says nothing about the key, and its number names the remedy.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => return Err(error),
                Err(error) => return Err(io::Error::new(error.kind(), format!("net/{path} = {wanted}: {error}"))),
            }
        }
        Ok(())
    }
}

/// Gives the namespace the thread is in, which a program has just made, the settings of a node: all of [`BASELINE`] but
/// that every interface speaks IPv6, as programs expect.
///
/// # Errors
///
/// What reading and writing `/proc/sys/net` says.
pub fn settle() -> io::Result<()> {
    let mut difference = Difference::read()?;
    difference.0.retain(|(path, _)| *path != SPEAKS_NO_IPV6);
    // A kernel may have been told to leave IPv6 out altogether.
    if Path::new("/proc/sys/net").join(SPEAKS_NO_IPV6).exists() {
        difference.0.push((SPEAKS_NO_IPV6, "0"));
    }
    difference.write()
}

/// What a setting is: these files are read in one piece, and there are a hundred of them.
pub(super) fn value(path: &Path) -> io::Result<Vec<u8>> {
    let mut value = vec![0; 256];
    let length = File::open(path)?.read(&mut value)?;
    value.truncate(length);
    Ok(value)
}

/// Sets what the case asks for on a node; with `of_interfaces` that which needs the interfaces to exist.
pub(super) fn apply(plan: &Node, node: &LabNode, of_interfaces: bool) -> Result<(), LabError> {
    let wanted: Vec<_> = plan.sysctls.iter().filter(|sysctl| sysctl.of_interface == of_interfaces).collect();
    let mut own = Vec::new();
    if !of_interfaces {
        if plan.forward_ipv4 {
            own.push("ipv4/ip_forward");
        }
        if plan.forward_ipv6 {
            own.push("ipv6/conf/all/forwarding");
        }
    }
    if wanted.is_empty() && own.is_empty() {
        return Ok(());
    }
    let mut failed = None;
    let entered = node.namespace.within(|| {
        for path in own {
            fs::write(Path::new("/proc/sys/net").join(path), "1")?;
        }
        for sysctl in wanted {
            if let Err(error) = fs::write(Path::new("/proc/sys").join(&sysctl.path), &sysctl.value) {
                failed = Some(refused(sysctl, &error));
                return Ok(());
            }
        }
        Ok(())
    });
    match (failed, entered) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(LabError::io(format!("{}: cannot set the node's settings", plan.name), &error)),
        (None, Ok(())) => Ok(()),
    }
}

/// Sets settings of a node to 1, but for those that the case sets itself and those that the kernel does not have.
pub(super) fn turn_on(plan: &Node, node: &LabNode, paths: &[&str]) -> Result<(), LabError> {
    let own = |path: &str| plan.sysctls.iter().any(|sysctl| sysctl.path == path);
    node.namespace
        .within(|| {
            for path in paths.iter().filter(|path| !own(path)) {
                match fs::write(Path::new("/proc/sys").join(path), "1") {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            Ok(())
        })
        .map_err(|error| LabError::io(format!("{}: cannot set the node's settings", plan.name), &error))
}

/// Has the interfaces that programs make in a node speak IPv6, as programs expect, unless the case says otherwise.
///
/// # Errors
///
/// What setns(2) and writing the setting say.
pub fn speak_ipv6(plan: &Node, node: &LabNode) -> io::Result<()> {
    let path = Path::new("net").join(SPEAKS_NO_IPV6);
    if plan.sysctls.iter().any(|sysctl| Path::new(&sysctl.path) == path) {
        return Ok(());
    }
    match node.namespace.within(|| fs::write(Path::new("/proc/sys").join(path), "0")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn refused(sysctl: &crate::plan::Sysctl, error: &io::Error) -> LabError {
    let key = sysctl.path.replace('/', ".");
    let refusal =
        LabError::new(format!("sysctl {key} = {}: {}", sysctl.value, super::KernelError::words(error))).at(sysctl.span);
    match error.kind() {
        io::ErrorKind::NotFound => refusal.help("this kernel has no such setting in a network namespace"),
        io::ErrorKind::InvalidInput => refusal.help("the kernel does not take this value"),
        _ => refusal,
    }
}

/// Sets one setting of a node.
pub(super) fn set(node: &LabNode, sysctl: &crate::plan::Sysctl) -> Result<(), LabError> {
    node.namespace
        .within(|| fs::write(Path::new("/proc/sys").join(&sysctl.path), &sysctl.value))
        .map_err(|error| refused(sysctl, &error))
}

/// What a sysctl of a node is now.
pub(super) fn read(node: &LabNode, path: &str) -> io::Result<String> {
    node.namespace.within(|| fs::read_to_string(Path::new("/proc/sys").join(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_whole() {
        for path in ["/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/net/ipv4/tcp_rmem"] {
            let value = value(Path::new(path)).expect("every kernel has it");
            assert_eq!(value, fs::read(path).expect("every kernel has it"));
        }
    }
}
