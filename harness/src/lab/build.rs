//! Builds what the plan says, one kernel request after another: they do not get faster side by side.

use std::io;

use super::netlink::VethEnd;
use super::sysctl::{self, Difference};
use super::{KernelError, Lab, LabError, LabNode, Netlink};
use crate::namespace::Namespace;
use crate::plan::{Action, End, InterfaceKind, Operation, Plan};
use crate::words::Family;

/// Makes the plan's nodes and everything in them.
///
/// # Errors
///
/// The first request that the kernel refused, with the place of the case that asked for it.
pub async fn build(plan: &Plan, home: &Namespace) -> Result<Lab, LabError> {
    let lab = make_nodes(plan, home)?;
    let (links, rest): (Vec<_>, Vec<_>) = plan.operations.iter().partition(|operation| makes_link(operation.action));
    for operation in links {
        perform(plan, &lab, operation).await?;
    }
    prepare_interfaces(plan, &lab).await?;
    for operation in rest {
        perform(plan, &lab, operation).await?;
    }
    Ok(lab)
}

/// Whether an operation makes interfaces; the settings of interfaces follow behind all of these.
fn makes_link(action: Action) -> bool {
    match action {
        Action::AddBridge(_) | Action::AddVeth { .. } | Action::SetMaster(_) => true,
        Action::AddAddress(..) | Action::SetUp(_) | Action::AddRoute(..) => false,
    }
}

fn make_nodes(plan: &Plan, home: &Namespace) -> Result<Lab, LabError> {
    let mut born = None;
    let mut nodes = Vec::with_capacity(plan.nodes.len());
    for (index, node) in plan.nodes.iter().enumerate() {
        let last = index + 1 == plan.nodes.len();
        let (namespace, netlink) = home
            .beside(|| {
                let difference = match &born {
                    Some(first) => first,
                    None => born.insert(Difference::read()?),
                };
                if last && index > 0 && Difference::read()? != *difference {
                    return Err(io::Error::other("the machine's own network settings changed while the lab was built"));
                }
                difference.write()?;
                Netlink::open()
            })
            .map_err(|error| no_namespace(&node.name, &error))?;
        let made = LabNode { namespace, netlink };
        sysctl::apply(node, &made, false)?;
        nodes.push(made);
    }
    Ok(Lab { nodes })
}

fn no_namespace(name: &str, error: &io::Error) -> LabError {
    let refusal = LabError::io(format!("cannot make a network namespace for {name}"), error);
    if error.kind() == io::ErrorKind::ReadOnlyFilesystem {
        return refusal.help(
            "a container has /proc/sys read-only: `docker run --privileged`, or `--security-opt systempaths=unconfined`",
        );
    }
    match error.raw_os_error() {
        Some(libc::ENOSPC) => refusal
            .help("this machine allows no more of them: raise `sysctl user.max_net_namespaces`, or lower `--jobs`"),
        Some(libc::EMFILE) => refusal.help("raise the limit of open files: `ulimit -n 4096`"),
        _ => refusal,
    }
}

/// What has to be set between making an interface and giving it addresses.
async fn prepare_interfaces(plan: &Plan, lab: &Lab) -> Result<(), LabError> {
    for (node, made) in plan.nodes.iter().zip(&lab.nodes) {
        sysctl::enable_ipv6(node, made)?;
        for interface in node.interfaces.iter().skip(1) {
            let index = interface.index;
            let failed = |error: KernelError| refused(&node.name, &error).at(interface.span);
            if interface.addresses.iter().any(|cidr| cidr.address.is_ipv4()) {
                made.netlink.set_neighbour_parameters(Family::Ipv4, index).await.map_err(failed)?;
            }
            if interface.ipv6 {
                made.netlink.set_neighbour_parameters(Family::Ipv6, index).await.map_err(failed)?;
            }
        }
        sysctl::apply(node, made, true)?;
    }
    Ok(())
}

async fn perform(plan: &Plan, lab: &Lab, operation: &Operation) -> Result<(), LabError> {
    let interface = |end: End| plan.interface(end);
    let (node, result) = match operation.action {
        Action::AddBridge(end) => {
            (end.node, lab.node(end.node).netlink.add_bridge(interface(end), plan.index(end)).await)
        }
        Action::AddVeth { first, second } => {
            let far = &lab.node(second.node).namespace;
            let near = VethEnd { interface: interface(first), index: plan.index(first), master: master(plan, first) };
            let other = VethEnd { interface: interface(second), index: plan.index(second), master: None };
            (first.node, lab.node(first.node).netlink.add_veth(near, other, far).await)
        }
        Action::SetMaster(end) => match master(plan, end) {
            Some(bridge) => {
                let netlink = &lab.node(end.node).netlink;
                (end.node, netlink.set_master(plan.index(end), bridge, &interface(end).name).await)
            }
            None => (end.node, Ok(())),
        },
        Action::AddAddress(end, which) => {
            let netlink = &lab.node(end.node).netlink;
            let cidr = interface(end).addresses[which];
            (end.node, netlink.add_address(plan.index(end), cidr, &interface(end).name).await)
        }
        Action::SetUp(end) => {
            (end.node, lab.node(end.node).netlink.set_up(plan.index(end), &interface(end).name).await)
        }
        Action::AddRoute(node, which) => {
            let route = &plan.nodes[node].routes[which];
            let dev = route.dev.map(|id| {
                let end = End { node, interface: id };
                (plan.index(end), interface(end).name.as_str())
            });
            (node, lab.node(node).netlink.add_route(route, dev).await)
        }
    };
    result.map_err(|error| refused(&plan.nodes[node].name, &error).at(operation.span))
}

/// The kernel's index of the bridge that an interface is a port of.
fn master(plan: &Plan, end: End) -> Option<u32> {
    plan.interface(end).master.map(|bridge| plan.index(End { node: end.node, interface: bridge }))
}

fn refused(node: &str, error: &KernelError) -> LabError {
    LabError::new(format!("the kernel refused in {node}: {error}"))
}

/// Whether an interface is one that the plan makes.
pub(super) fn is_made(kind: InterfaceKind) -> bool {
    match kind {
        InterfaceKind::Loopback => false,
        InterfaceKind::Veth { .. } | InterfaceKind::Bridge => true,
    }
}
