//! What a node has learned about its paths.

use std::fs;
use std::net::IpAddr;

use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::route::{RouteFlags, RouteProtocol, RouteScope, RouteType};

use super::{KernelError, LabNode};

/// Forgets which packet size the path to an address allows, so that the next probe is as the first.
///
/// # Errors
///
/// What the kernel says, but that there is nothing to forget.
pub async fn forget_path(node: &LabNode, to: IpAddr) -> Result<(), KernelError> {
    let what = || format!("ip route flush cache {to}");
    if to.is_ipv4() {
        return node
            .namespace
            .within(|| fs::write("/proc/sys/net/ipv4/route/flush", "1"))
            .map_err(|error| KernelError::broken(what(), error.to_string()));
    }
    // The flush of IPv6 keeps what has a time to live, and a learned size has one of ten minutes.
    let mut message = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(to, 128)
        .map_err(|error| KernelError::broken(what(), error.to_string()))?
        .build();
    message.header.flags = RouteFlags::Cloned;
    message.header.protocol = RouteProtocol::Unspec;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unspec;
    match node.netlink.ask(RouteNetlinkMessage::DelRoute(message), 0, what).await {
        Err(error) if matches!(error.errno, libc::ESRCH | libc::ENOENT) => Ok(()),
        other => other,
    }
}
