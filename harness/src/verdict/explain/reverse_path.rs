//! The reverse-path filter of IPv4.

use std::net::IpAddr;

use super::blame;
use super::policy::{self, Decider};
use super::world::{End, World};
use crate::evidence::{Ask, Cause, CauseKind};

/// Whether the reverse-path filter stops what comes in by an interface from an address: the way back to that would be
/// another one.
///
/// Source: `fib_validate_source` of the kernel: EXDEV, or EINVAL from 6.15 on; RFC 3704.
pub(super) fn filter(world: &World<'_>, iif: End, from: IpAddr, to: IpAddr, errno: i32) -> Option<Cause> {
    let filter = world.larger_setting(iif, "rp_filter");
    if filter == 0 || !matches!(errno, libc::EXDEV | libc::EINVAL) {
        return None;
    }
    if lets_pass(world, iif, from, to) {
        return None;
    }
    let back = world.decide(Ask::plain(iif.0, from))?;
    let name = world.end_name(iif);
    let elsewhere = match back {
        Ok(back) if back.oif == Some(iif.1) => return None,
        Ok(back) => match back.oif.map(|oif| world.end_name((iif.0, oif))) {
            Some(_) if filter == 2 => return None,
            Some(oif) => format!("its own way to {from} is by {oif}"),
            None => return None,
        },
        Err(_) => format!("it has no route to {from}"),
    };
    let interface = world.interface(iif)?;
    let keys = [format!("ipv4/conf/{}/rp_filter", interface.name), "ipv4/conf/all/rp_filter".to_owned()];
    let words =
        format!("the reverse-path filter of {name} drops what comes from {from}: {elsewhere} (rp_filter is {filter})");
    let help =
        format!("route {from} back by the same interface, or set `rp_filter` to 0, or to 2 where it has some route");
    Some(blame::of_setting(world, iif.0, &keys, CauseKind::ReversePath, words, Some(help)))
}

/// Whether policy rules of the node lead the way back by the interface that the packet came in by. The way back is that
/// of an answer, whose source is the packet's target; for such a source that is not its own a kernel answers nobody.
fn lets_pass(world: &World<'_>, iif: End, from: IpAddr, to: IpAddr) -> bool {
    if !world.node(iif.0).policy.iter().any(|rule| !rule.v6) {
        return false;
    }
    let ask = Ask { from: Some(to), ..Ask::plain(iif.0, from) };
    let Some(Decider::Route(line, _)) = policy::decider(world, &ask) else { return false };
    let name = world.interface(iif).map(|interface| interface.name.as_str());
    !policy::refuses(line) && policy::devices(line).into_iter().any(|device| Some(device) == name)
}
