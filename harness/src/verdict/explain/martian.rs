//! Addresses that IPv4 does not believe in what comes from outside (RFC 1812, section 5.3.7).

use std::net::IpAddr;

use super::blame;
use super::world::{End, World};
use crate::evidence::{Cause, CauseKind};

/// A target within 127.0.0.0/8, which rules can have made of another one (`route_localnet` of ip-sysctl).
pub(super) fn to_loopback(world: &World<'_>, iif: End, to: IpAddr) -> Option<Cause> {
    let interface = world.interface(iif).filter(|it| it.name != "lo" && to.is_ipv4() && to.is_loopback())?;
    let keys = [format!("ipv4/conf/{}/route_localnet", interface.name), "ipv4/conf/all/route_localnet".to_owned()];
    if !world.node(iif.0).sysctls.contains_key(&keys[0]) || world.larger_setting(iif, "route_localnet") != 0 {
        return None;
    }
    let words = format!(
        "{} takes nothing for {to} that comes in by {} (route_localnet is 0), and its rules make that of the target",
        world.name(iif.0),
        world.end_name(iif)
    );
    let help = Some("`route_localnet` 1 there, or a target that is an address of the interface".to_owned());
    Some(blame::of_setting(world, iif.0, &keys, CauseKind::NatWrong, words, help))
}
