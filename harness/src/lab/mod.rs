//! Kernel objects: namespaces, links, addresses, routes, settings. Builds what the plan says, and reads it back.

mod build;
mod found;
mod ipv6;
mod kernel_error;
mod nat;
pub mod neighbours;
mod netlink;
mod nft;
mod paths;
mod perform;
mod read_back;
mod rules;
mod serve;
mod snapshot;
mod sockets;
mod state;
mod sysctl;
mod trace;

use std::io;

use crate::namespace::Namespace;
use crate::plan::{NodeId, Plan};
use crate::source::Span;

pub use build::build;
pub use kernel_error::KernelError;
pub use nat::{NatRule, nat_lacking, rules_of_nat};
pub use neighbours::{NeighbourTable, was_redirected};
pub use netlink::Netlink;
pub use nft::{Counted, Ruleset, TABLE as NAT_TABLE, Table};
pub use paths::forget_path;
pub use read_back::{read_back, read_back_links, wait_for_links};
pub use rules::{generation_of_rules, legacy_rules};
pub use snapshot::{Counters, counters, decide, grown, snapshot};
pub use sockets::{Listener, connected, connections, listeners};
pub use state::{HopState, link_state, listed, lookup_route, main_routes, neighbours_of, next_hop_state, shared};
pub use sysctl::{BASELINE, NEIGHBOUR_BASELINE, settle, speak_ipv6};
pub use trace::{MOST_STEPS, Tracer};

/// The nodes of a case as kernel objects.
#[derive(Debug)]
pub struct Lab {
    /// One for each node of the plan, in its order.
    pub nodes: Vec<LabNode>,
}

/// A node as kernel objects.
#[derive(Debug)]
pub struct LabNode {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its routing socket.
    pub netlink: Netlink,
    /// Whether there is no such namespace now: a script has not made it yet, or has deleted it.
    pub absent: bool,
}

impl Lab {
    /// The node of an id.
    pub fn node(&self, id: NodeId) -> &LabNode {
        &self.nodes[id]
    }
}

/// Why a lab could not be built, or is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabError {
    /// One line.
    pub message: String,
    /// What else is known.
    pub notes: Vec<String>,
    /// Ways out.
    pub helps: Vec<String>,
    /// The place of the case that asked for it.
    pub span: Option<Span>,
}

impl LabError {
    /// An error of one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), notes: Vec::new(), helps: Vec::new(), span: None }
    }

    /// Adds the place of the case that asked for it.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(help.into());
        self
    }

    /// Wraps an error of a system call.
    pub fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::new(format!("{what}: {}", KernelError::words(error)))
    }
}

/// Builds what the plan says and compares the kernel's state with it.
///
/// # Errors
///
/// The first operation that the kernel refused, with its own words and the place of the case that asked for it; or
/// every difference between what was asked for and what the kernel has.
pub async fn make(plan: &Plan, home: &Namespace) -> Result<Lab, LabError> {
    let lab = build(plan, home).await?;
    read_back(plan, &lab).await?;
    Ok(lab)
}
