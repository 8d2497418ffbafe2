//! Who must be proved to have dropped or rejected a packet.

use serde::{Deserialize, Serialize};

use super::NodeId;

/// Who must be proved to have dropped or rejected a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuser {
    /// What it must have done.
    pub how: Refusal,
    /// The node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Text of the rule that must have done it; without it, any means will do.
    pub rule: Option<String>,
}

/// How a packet is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Without a word.
    Dropped,
    /// The sender is told.
    Rejected,
}

impl Refusal {
    /// The key that asks for it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Dropped => "dropped-by",
            Self::Rejected => "rejected-by",
        }
    }

    /// What was done.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Rejected => "rejected",
        }
    }
}

impl Refuser {
    /// `dropped by fw`, with the rule where one is asked for.
    pub fn words(&self) -> String {
        let rule = self.rule.as_ref().map(|rule| format!(" by the rule `{rule}`")).unwrap_or_default();
        format!("{} by {}{rule}", self.how.word(), self.name)
    }
}
