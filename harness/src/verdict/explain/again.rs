//! The same explanation once more, from what is kept of a probe: without a lab, a clock or a privilege.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Explained, Matter, explain};
use crate::evidence::Evidence;
use crate::observation::Observation;
use crate::plan::{Check, Node, NodeId, Plan};

/// What was probed once more, and what that saw. With the plan of the case and the evidence it is all that an explanation
/// rests on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probed {
    /// The place of the expectation in the plan.
    pub expectation: usize,
    /// What was probed, with the addresses that were known only when its step began.
    pub check: Check,
    /// The nodes that scripts change, as they were then.
    pub nodes: BTreeMap<NodeId, Node>,
    /// What the second probe saw; nothing when it could not be made.
    pub observation: Option<Observation>,
}

impl Probed {
    /// Explains it again. The plan is the one of the whole case, as a bundle has it.
    pub fn explain(&self, plan: &Plan, evidence: &Evidence) -> Explained {
        let (mut now, mut performed) = (plan.clone(), Vec::new());
        for step in &plan.steps {
            performed.extend(step.actions.iter().cloned());
            if let Some(nodes) = &step.nodes {
                now.nodes.clone_from(nodes);
            }
            if step.expectations.contains(&self.expectation) {
                break;
            }
        }
        for (place, node) in &self.nodes {
            if let Some(planned) = now.nodes.get_mut(*place) {
                planned.clone_from(node);
            }
        }
        explain(Matter {
            plan: &now,
            initial: &plan.nodes,
            performed: &performed,
            check: &self.check,
            span: plan.expectations.get(self.expectation).map(|expectation| expectation.span).unwrap_or_default(),
            observation: self.observation.as_ref(),
            evidence,
        })
    }
}
