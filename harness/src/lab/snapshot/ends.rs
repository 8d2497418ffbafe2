//! Which node the other end of an interface is in.
//!
//! The kernel tells an index and an identity of the other namespace that only the own one understands. To translate it,
//! every node has to be asked for; but the interfaces of the plan have numbers that no other interface of the lab has.

use std::collections::HashMap;

use crate::lab::state::{identity_of, peer_index};
use crate::lab::{KernelError, Lab};
use crate::plan::{InterfaceKind, Node, NodeId, Plan};

/// Finds the other ends of the interfaces of one node.
pub(super) struct Ends<'a> {
    plan: &'a Plan,
    lab: &'a Lab,
    on: NodeId,
    /// The nodes by the identities under which this one knows them, once that was asked for.
    known: Option<HashMap<i32, NodeId>>,
}

impl<'a> Ends<'a> {
    /// Nothing asked for yet.
    pub(super) fn of(plan: &'a Plan, lab: &'a Lab, on: NodeId) -> Self {
        Self { plan, lab, on, known: None }
    }

    /// The far end of the interface `near`: what has this index in the namespace with this identity, or in the own one.
    /// `pair` says that the far end knows the near one as well.
    pub(super) async fn find(
        &mut self,
        near: u32,
        index: u32,
        namespace: Option<i32>,
        pair: bool,
    ) -> Result<Option<(NodeId, u32)>, KernelError> {
        let Some(identity) = namespace else { return Ok(Some((self.on, index))) };
        if is_planned(&self.plan.nodes[self.on], near)
            && let Some(node) = self.planned(index)
            && self.is_there(node, index, pair.then_some(near)).await?
        {
            return Ok(Some((node, index)));
        }
        Ok(self.identities().await?.get(&identity).map(|node| (*node, index)))
    }

    /// The only other node that has an interface of this index by the plan.
    fn planned(&self, index: u32) -> Option<NodeId> {
        let mut found =
            self.plan.nodes.iter().enumerate().filter(|(_, node)| is_planned(node, index)).map(|(id, _)| id);
        let only = found.next().filter(|id| *id != self.on)?;
        found.next().is_none().then_some(only)
    }

    /// Whether the interface is there, and of a pair, whether it says the same of this node's.
    async fn is_there(&self, node: NodeId, index: u32, back: Option<u32>) -> Result<bool, KernelError> {
        let there = self.lab.node(node);
        if there.absent {
            return Ok(false);
        }
        let link = there.netlink.link(index).await?;
        Ok(link.is_some_and(|link| back.is_none() || peer_index(&link) == back))
    }

    async fn identities(&mut self) -> Result<&HashMap<i32, NodeId>, KernelError> {
        if self.known.is_none() {
            let mut known = HashMap::new();
            for (id, node) in self.lab.nodes.iter().enumerate().filter(|(_, node)| !node.absent) {
                if let Some(identity) = identity_of(self.lab.node(self.on), node).await? {
                    // Two nodes may be one namespace: the first is called.
                    known.entry(identity).or_insert(id);
                }
            }
            self.known = Some(known);
        }
        Ok(self.known.get_or_insert_default())
    }
}

/// Whether a node has an interface of this index by the plan. What a script made may have it as well where the plan did
/// not expect scripts; but then the plan knows neither end.
fn is_planned(node: &Node, index: u32) -> bool {
    node.interfaces.iter().any(|interface| {
        let numbered = !matches!(interface.kind, InterfaceKind::Loopback | InterfaceKind::Found);
        interface.present && numbered && interface.index == index
    })
}
