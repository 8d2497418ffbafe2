//! Build, then read back: what the kernel has is compared with what was asked for.

mod kind;

use std::collections::HashMap;

use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use super::state::{cidr_of, mac_of, name_of, route_of, settled_above, table};
use super::{KernelError, Lab, LabError, LabNode, ipv6, nat, serve, sysctl};
use crate::plan::{InterfaceKind, Node, NodeId, Plan, Route};
use crate::words::{Cidr, Family, RouteKind, RouteType};

/// Compares the kernel's state with the plan.
///
/// # Errors
///
/// Every difference, each naming both sides; or a dump that failed.
pub async fn read_back(plan: &Plan, lab: &Lab) -> Result<(), LabError> {
    compare(plan, lab, Scope::Everything).await
}

/// Compares interfaces and addresses after the actions of a step, and waits until they have settled. Routes are not
/// compared: the kernel takes out, with an interface or an address, what needs them.
///
/// # Errors
///
/// As [`read_back`].
pub async fn read_back_links(plan: &Plan, lab: &Lab) -> Result<(), LabError> {
    compare(plan, lab, Scope::Links).await
}

/// Waits until the interfaces and addresses have settled after a step that programs had a hand in: these reach every
/// node by `/run/netns`, so what is there need not be what was asked for.
///
/// # Errors
///
/// A dump that failed, and an interface that does not settle.
pub async fn wait_for_links(plan: &Plan, lab: &Lab) -> Result<(), LabError> {
    compare(plan, lab, Scope::Nothing).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Everything,
    Links,
    Nothing,
}

async fn compare(plan: &Plan, lab: &Lab, scope: Scope) -> Result<(), LabError> {
    let mut differences = Vec::new();
    let mut span = None;
    for (id, node) in plan.nodes.iter().enumerate() {
        // What scripts change is not what was asked for.
        if node.created_by.is_some() || (node.open && scope != Scope::Everything) {
            continue;
        }
        let before = differences.len();
        compare_node(plan, lab, id, scope, &mut differences)
            .await
            .map_err(|error| LabError::new(format!("{}: cannot read back what was built: {error}", node.name)))?;
        if differences.len() > before && span.is_none() && scope == Scope::Everything {
            span = node.interfaces.get(1).map(|interface| interface.span);
        }
        if !node.nat.is_empty() && scope == Scope::Everything {
            let (found, place) = nat::differences(node, lab.node(id))
                .map_err(|error| LabError::new(format!("{}: cannot read back what was built: {error}", node.name)))?;
            differences.extend(found);
            span = span.or(place);
        }
    }
    if scope == Scope::Nothing {
        return Ok(());
    }
    let Some(first) = differences.first() else { return Ok(()) };
    let mut error = LabError::new(format!("the kernel does not have what was asked for: {first}"));
    error.span = span;
    error.notes = differences.into_iter().skip(1).collect();
    Err(error)
}

async fn compare_node(
    plan: &Plan,
    lab: &Lab,
    id: NodeId,
    scope: Scope,
    out: &mut Vec<String>,
) -> Result<(), KernelError> {
    let (node, made) = (&plan.nodes[id], lab.node(id));
    let links = settled_links(plan, lab, id).await?;
    if !ipv6::in_use(made, &ipv6::assigned(node, &links)).await? {
        return Err(KernelError::broken("ip -6 addr show", "the kernel did not begin to use an IPv6 address"));
    }
    compare_links(plan, node, &links, out);
    compare_remotes(node, made, out).await?;
    if node.interfaces.iter().any(|interface| !interface.addresses.is_empty()) {
        compare_addresses(node, made, out).await?;
    }
    if scope != Scope::Everything {
        return Ok(());
    }
    for family in [Family::Ipv4, Family::Ipv6] {
        let wanted: Vec<&Route> = node.routes.iter().filter(|route| Family::of(route.to.address) == family).collect();
        if !wanted.is_empty() {
            compare_routes(node, made, &links, &wanted, family, out).await?;
        }
    }
    out.extend(serve::differences(node, made).await?);
    compare_sysctls(node, made, out);
    Ok(())
}

/// The node's interfaces, each with its carrier in the state that it will have while probing.
async fn settled_links(plan: &Plan, lab: &Lab, node: NodeId) -> Result<Vec<LinkMessage>, KernelError> {
    let interfaces = plan.nodes[node].interfaces.iter().filter(|interface| interface.kind != InterfaceKind::Found);
    // A bridge has its carrier from its ports: it changes when theirs has.
    let (bridges, others): (Vec<_>, Vec<_>) = interfaces.partition(|interface| interface.kind == InterfaceKind::Bridge);
    let mut links = Vec::with_capacity(bridges.len() + others.len());
    for interface in others.into_iter().chain(bridges) {
        links.extend(settled_above(plan, lab, node, interface).await?);
    }
    Ok(links)
}

fn compare_links(plan: &Plan, node: &Node, links: &[LinkMessage], out: &mut Vec<String>) {
    let by_index: HashMap<u32, &LinkMessage> = links.iter().map(|link| (link.header.index, link)).collect();
    for interface in node.interfaces.iter().filter(|interface| interface.kind != InterfaceKind::Found) {
        let name = format!("{}.{}", node.name, interface.name);
        let link = match (by_index.get(&interface.index), interface.present) {
            (Some(link), true) => link,
            (None, false) => continue,
            (None, true) => {
                out.push(format!("{name} is not there"));
                continue;
            }
            // It is back, at another place of the list.
            (Some(_), false) if node.interfaces.iter().any(|it| it.present && it.index == interface.index) => continue,
            (Some(_), false) => {
                out.push(format!("{name} is still there"));
                continue;
            }
        };
        if name_of(link) != interface.name {
            out.push(format!("{name} is called {}", name_of(link)));
        }
        let up = link.header.flags.contains(LinkFlags::Up);
        if up != interface.up {
            let word = |up| if up { "up" } else { "down" };
            out.push(format!("{name} is {}, asked for {}", word(up), word(interface.up)));
        }
        // What a script made has the index that the kernel chose.
        let dev = interface.kind.dev().filter(|dev| plan.interface(*dev).kind != InterfaceKind::Found);
        let dev = dev.map(|dev| plan.place(dev));
        let mut master = None;
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::Address(bytes) if interface.kind != InterfaceKind::Loopback => {
                    let mac = mac_of(bytes);
                    if interface.mac.is_some() && mac != interface.mac {
                        out.push(format!("{name} has the MAC address {mac:?}, asked for {:?}", interface.mac));
                    }
                }
                LinkAttribute::Mtu(mtu) => {
                    if let Some(wanted) = interface.mtu.filter(|wanted| wanted != mtu) {
                        out.push(format!("{name} has the MTU {mtu}, asked for {wanted}"));
                    }
                }
                LinkAttribute::Controller(index) => master = Some(*index),
                LinkAttribute::LinkInfo(infos) => {
                    out.extend(kind::difference(&name, &interface.kind, dev.as_ref(), infos));
                }
                _ => {}
            }
        }
        out.extend(kind::dev_difference(&name, &interface.kind, dev.as_ref(), &link.attributes));
        let wanted = interface.master.map(|bridge| node.interfaces[bridge].index);
        if master != wanted {
            out.push(format!("{name} is a port of interface {master:?}, asked for {wanted:?}"));
        }
    }
}

/// Several remotes of a VXLAN are entries of its table.
async fn compare_remotes(node: &Node, made: &LabNode, out: &mut Vec<String>) -> Result<(), KernelError> {
    for interface in node.interfaces.iter().filter(|interface| interface.present) {
        let InterfaceKind::Vxlan(vxlan) = &interface.kind else { continue };
        let found = made.netlink.remotes(interface.index).await?;
        if found.len() != vxlan.remotes.len() || vxlan.remotes.iter().any(|remote| !found.contains(remote)) {
            let (name, wanted) = (&interface.name, &vxlan.remotes);
            out.push(format!("{}.{name} has the remotes {found:?}, asked for {wanted:?}", node.name));
        }
    }
    Ok(())
}

async fn compare_addresses(node: &Node, made: &LabNode, out: &mut Vec<String>) -> Result<(), KernelError> {
    let found = made.netlink.addresses().await?;
    for interface in &node.interfaces {
        let there: Vec<Cidr> = found.iter().filter(|a| a.header.index == interface.index).filter_map(cidr_of).collect();
        for wanted in &interface.addresses {
            if !there.contains(wanted) {
                out.push(format!("{}.{} has not the address {wanted}", node.name, interface.name));
            }
        }
    }
    Ok(())
}

async fn compare_routes(
    node: &Node,
    made: &LabNode,
    links: &[LinkMessage],
    wanted: &[&Route],
    family: Family,
    out: &mut Vec<String>,
) -> Result<(), KernelError> {
    let routes = made.netlink.routes(family).await?;
    let found: Vec<_> = routes.iter().filter(|route| table(route) == 254).map(|route| route_of(route, links)).collect();
    for route in wanted {
        let kind = match route.kind {
            RouteType::Unicast => RouteKind::Unicast,
            RouteType::Blackhole => RouteKind::Blackhole,
            RouteType::Unreachable => RouteKind::Unreachable,
            RouteType::Prohibit => RouteKind::Prohibit,
        };
        let dev = route.dev.map(|id| node.interfaces[id].name.clone());
        let there = found.iter().any(|found| {
            found.to == route.to.network()
                && found.kind == Some(kind)
                && found.via == route.via
                && (dev.is_none() || found.dev == dev)
                && (route.src.is_none() || found.src == route.src)
                && route.metric.is_none_or(|metric| found.metric == metric)
        });
        // A route by an interface that is down, or whose peer is, is taken out by the kernel again.
        if !there {
            let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
            out.push(format!("{} has not the route to {}{via}", node.name, route.to));
        }
    }
    Ok(())
}

fn compare_sysctls(node: &Node, made: &LabNode, out: &mut Vec<String>) {
    let forwarding = [(node.forward_ipv4, "net/ipv4/ip_forward"), (node.forward_ipv6, "net/ipv6/conf/all/forwarding")];
    let own = forwarding.iter().filter(|(on, _)| *on).map(|(_, path)| (*path, "1"));
    let asked = node.sysctls.iter().map(|sysctl| (sysctl.path.as_str(), sysctl.value.as_str()));
    for (path, wanted) in own.chain(asked) {
        match sysctl::read(made, path) {
            Ok(value) if same_value(&value, wanted) => {}
            Ok(value) => out.push(format!("{}: {path} is {}, asked for {wanted}", node.name, value.trim_end())),
            Err(error) => out.push(format!("{}: {path} cannot be read: {}", node.name, KernelError::words(&error))),
        }
    }
}

/// Values are compared word by word: the kernel separates with tabs what users separate with spaces.
fn same_value(found: &str, wanted: &str) -> bool {
    found.split_whitespace().eq(wanted.split_whitespace())
}
