//! A node that answers for whole prefixes.
//!
//! A prefix is a route of the type "local" in the main table, among the ways to others, where the longest prefix wins:
//! so a node that answers for everybody still reaches its neighbours. IPv4 also wants to see the address in the local
//! table before it sends from it; that table is looked up before the main one, so its first rule passes over routes
//! as short as these.

use super::netlink::Table;
use super::state::{route_of, table};
use super::{KernelError, LabError, LabNode, sysctl};
use crate::plan::{Node, Served};
use crate::words::{Family, RouteKind};

/// Settings without which a node would not take packets that come "from" what it answers for itself, and would not bind
/// to such an address.
pub(super) const SETTINGS: [&str; 2] = ["net/ipv4/conf/all/accept_local", "net/ipv6/ip_nonlocal_bind"];

/// Makes a node answer for its prefixes.
pub(super) async fn serve(node: &Node, made: &LabNode) -> Result<(), LabError> {
    let Some(first) = node.serves.first() else { return Ok(()) };
    sysctl::turn_on(node, made, &SETTINGS)?;
    for Served { prefix, span } in &node.serves {
        let refused = |error: KernelError| refused(node, &error).at(*span);
        made.netlink.add_local_route(*prefix, Table::Main).await.map_err(refused)?;
        if prefix.address.is_ipv4() {
            made.netlink.add_local_route(*prefix, Table::Local).await.map_err(refused)?;
        }
    }
    if let Some(length) = passed_over(node) {
        let refused = |error: KernelError| refused(node, &error).at(first.span);
        made.netlink.pass_over_local_routes(length).await.map_err(refused)?;
    }
    Ok(())
}

/// What the kernel has otherwise than asked for.
pub(super) async fn differences(node: &Node, made: &LabNode) -> Result<Vec<String>, KernelError> {
    let mut out = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        let served: Vec<&Served> =
            node.serves.iter().filter(|served| Family::of(served.prefix.address) == family).collect();
        if served.is_empty() {
            continue;
        }
        let routes = made.netlink.routes(family).await?;
        let tables: &[Table] = if family == Family::Ipv4 { &[Table::Main, Table::Local] } else { &[Table::Main] };
        for served in served {
            let stands_in = |wanted: &Table| {
                let mut here = routes.iter().filter(|route| table(route) == u32::from(wanted.number()));
                here.any(|route| {
                    let route = route_of(route, &[]);
                    route.to == served.prefix && route.kind == Some(RouteKind::Local)
                })
            };
            if !tables.iter().all(stands_in) {
                out.push(format!("{} does not answer for {}", node.name, served.prefix));
            }
        }
    }
    if let Some(length) = passed_over(node)
        && made.netlink.local_rules().await? != [Some(u32::from(length))]
    {
        out.push(format!("{} has another rule for its own addresses than asked for", node.name));
    }
    Ok(out)
}

/// The longest IPv4 prefix that the first rule passes over.
fn passed_over(node: &Node) -> Option<u8> {
    let served = node.serves.iter().filter(|served| served.prefix.address.is_ipv4());
    // A whole address is as long as the node's own, and needs no passing over.
    served.map(|served| served.prefix.length).filter(|length| *length < 32).max()
}

fn refused(node: &Node, error: &KernelError) -> LabError {
    LabError::new(format!("the kernel refused in {}: {error}", node.name))
}
