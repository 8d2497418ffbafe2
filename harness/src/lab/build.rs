//! Builds what the plan says, one kernel request after another: they do not get faster side by side.

use std::io;

use super::sysctl::{self, Difference};
use super::{Lab, LabError, LabNode, Netlink, nat, serve};
use crate::namespace::Namespace;
use crate::plan::{Action, Change, Operation, Plan};

/// Makes the plan's nodes and everything in them.
///
/// # Errors
///
/// The first request that the kernel refused, with the place of the case that asked for it.
pub async fn build(plan: &Plan, home: &Namespace) -> Result<Lab, LabError> {
    let lab = make_nodes(plan, home)?;
    let (links, rest): (Vec<_>, Vec<_>) = plan.operations.iter().partition(|operation| makes_link(operation));
    for operation in links {
        lab.perform(plan, operation).await?;
    }
    // Settings of interfaces need these to be there, and addresses and routes heed the settings.
    for (node, made) in plan.nodes.iter().zip(&lab.nodes) {
        sysctl::apply(node, made, true)?;
    }
    for operation in rest {
        lab.perform(plan, operation).await?;
    }
    for (node, made) in plan.nodes.iter().zip(&lab.nodes) {
        serve::serve(node, made).await?;
        if !node.nat.is_empty() {
            nat::load(node, made)?;
        }
    }
    Ok(lab)
}

/// Whether an operation makes interfaces.
fn makes_link(operation: &Operation) -> bool {
    matches!(operation.action, Action::AddLink(_) | Action::AddVeth { .. } | Action::Change(_, Change::Master(_)))
}

fn make_nodes(plan: &Plan, home: &Namespace) -> Result<Lab, LabError> {
    let mut born = None;
    let mut nodes = Vec::with_capacity(plan.nodes.len());
    for (index, node) in plan.nodes.iter().enumerate() {
        if node.created_by.is_some() {
            nodes.push(LabNode::absent(home).map_err(|error| no_namespace(&node.name, &error))?);
            continue;
        }
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
        let made = LabNode { namespace, netlink, absent: false };
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
