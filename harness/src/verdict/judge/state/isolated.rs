//! What two nodes must not have in common.

use crate::observation::Shared;
use crate::plan::{NodeId, Plan};
use crate::verdict::Finding;
use crate::verdict::describe::node;
use crate::verdict::judge::Judgement;
use crate::verdict::words::all_of;

/// Decides whether two nodes are isolated. Routes, neighbours, rules and settings belong to a network namespace
/// (`network_namespaces(7)`): who is another one, and shares no interface, shares none of them.
pub(in crate::verdict::judge) fn judge(plan: &Plan, one: NodeId, other: NodeId, shared: &Shared) -> Judgement {
    if !shared.namespace && shared.links.is_empty() {
        return Judgement::proven();
    }
    let (one, other) = (node(plan, one), node(plan, other));
    let links = if shared.links.is_empty() {
        "nothing but `lo`".to_owned()
    } else {
        all_of(&shared.links.iter().map(String::as_str).collect::<Vec<_>>())
    };
    Judgement::Mismatch(if shared.namespace {
        Finding::new(format!("{one} and {other} are one network namespace, expected two"))
            .about(&["on"])
            .note(format!("what one has the other has: {links}, and with them routes, neighbours, rules and settings"))
    } else {
        Finding::new(format!("{one} and {other} both have {links}, expected nothing in common")).about(&["on"])
    })
}
