//! What the rules of a node do with the packets of a probe, as its kernel says it.

use std::cell::Cell;

use super::KernelError;
use super::nft::{self, Listener, Ruleset};
use crate::evidence::{Protocol, Trace};
use crate::namespace::Namespace;

/// How many steps of one tracer are kept.
pub const MOST_STEPS: usize = 4000;

/// ICMP and ICMPv6: what refuses a packet, and what asks for a neighbour.
const ERRORS: [u8; 2] = [1, 58];

/// Follows the packets of a probe through the rules of one node.
pub struct Tracer {
    namespace: Namespace,
    families: Vec<u8>,
    listener: Listener,
    left: Cell<usize>,
}

impl Tracer {
    /// Follows packets of some protocols, and errors of ICMP, from now on; `None` in a node without chains that could be
    /// followed.
    ///
    /// # Errors
    ///
    /// What the kernel refuses.
    pub fn start(namespace: &Namespace, protocols: &[Protocol]) -> Result<Option<Self>, KernelError> {
        let chains = Ruleset::read(namespace)?.chains;
        let older = super::legacy_rules(namespace).is_ok_and(|families| !families.is_empty());
        if chains.is_empty() && !older {
            return Ok(None);
        }
        let mut numbers = ERRORS.to_vec();
        for protocol in protocols {
            let number = protocol.number(false);
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        let listener = Listener::open(namespace)?;
        let Some(families) = nft::mark(namespace, &chains, older, &numbers)? else { return Ok(None) };
        Ok(Some(Self { namespace: namespace.clone(), families, listener, left: Cell::new(MOST_STEPS) }))
    }

    /// The steps since the last call, in their order, and what of them is missing, in words.
    ///
    /// # Errors
    ///
    /// What recv(2) says.
    pub fn take(&self, node: usize) -> Result<(Vec<Trace>, Option<String>), KernelError> {
        let (mut steps, lost) = self.listener.heard(node)?;
        let more = steps.len().saturating_sub(self.left.get());
        steps.truncate(self.left.get());
        self.left.set(self.left.get() - steps.len());
        let missing = match (lost, more) {
            (true, _) => Some("the kernel had more rule traces than it could keep: some steps are lost".to_owned()),
            (false, 0) => None,
            (false, more) => Some(format!("{more} steps of rule traces beyond the first {MOST_STEPS} are left out")),
        };
        Ok((steps, missing))
    }

    /// Ends it, and leaves the node's rules as they were.
    ///
    /// # Errors
    ///
    /// What the kernel refuses.
    pub fn stop(self) -> Result<(), KernelError> {
        Self::stop_all(vec![self])
    }

    /// Ends several. Behind a deletion the kernel closes sockets to netfilter at its next grace period only, some 8 ms
    /// later: so all are closed when all is deleted.
    ///
    /// # Errors
    ///
    /// The first that the kernel refuses; the others are ended.
    pub fn stop_all(tracers: Vec<Self>) -> Result<(), KernelError> {
        let stopped: Vec<_> = tracers.iter().map(|tracer| nft::unmark(&tracer.namespace, &tracer.families)).collect();
        stopped.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }
}
