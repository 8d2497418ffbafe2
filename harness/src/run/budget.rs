//! How much of the machine's one neighbour table the cases that run at the same time may fill.
//!
//! The kernel keeps one table for all namespaces together (`gc_thresh3`, 1024 entries by default). When it is full,
//! resolving fails in silence, also in namespaces that have nothing to do with it. So every case takes permits for the
//! entries it may make, and gives them back when its lab is gone.

use std::collections::HashSet;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::plan::{Check, Plan, Trace};
use crate::worker::supervise::Finished;

/// How many neighbour entries all running cases may have alive together.
pub const NEIGHBOUR_BUDGET: usize = 400;

/// How many finished workers are held before they are released together. The kernel tears labs down one after the
/// other, and far faster when their processes end at the same time.
const BATCH: usize = 32;

/// How many neighbour entries the traffic of a plan may make: one at each end for every sender and target.
pub fn estimate(plan: &Plan) -> usize {
    let mut pairs = HashSet::new();
    for expectation in &plan.expectations {
        match &expectation.check {
            Check::Ping(ping) | Check::Trace(Trace { ping, .. }) => pairs.insert((ping.from, ping.to.address)),
            Check::Tcp(transfer) | Check::Udp(transfer) => pairs.insert((transfer.from, transfer.to.address)),
            Check::Http(http) => pairs.insert((http.connection.from, http.connection.to.address)),
            Check::Dns(dns) => pairs.insert((dns.carrier.from, dns.carrier.to.address)),
            Check::Arp(solicit) | Check::Ndp(solicit) => pairs.insert((solicit.from.node, solicit.to.address)),
            Check::Neigh(_)
            | Check::Route(_)
            | Check::Link(_)
            | Check::Listing(_)
            | Check::Isolated(..)
            | Check::Run(_) => false,
        };
    }
    pairs.len() * 2
}

/// The permits, and the finished workers that still hold some.
pub(super) struct Budget {
    /// Whoever waits for permits holds this, so that a large case is not overtaken for ever by small ones.
    turn: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    free: usize,
    held: Vec<(Finished, usize)>,
    closed: bool,
}

impl Budget {
    pub(super) fn new() -> Self {
        let state = State { free: NEIGHBOUR_BUDGET, held: Vec::new(), closed: false };
        Self { turn: Mutex::new(()), state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until as many permits are free as a plan needs, and takes them. Finished workers are released as soon as
    /// their permits are wanted.
    pub(super) fn take(&self, plan: &Plan) -> usize {
        let permits = estimate(plan).min(NEIGHBOUR_BUDGET);
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        while state.free < permits {
            state = if state.held.is_empty() {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let held = mem::take(&mut state.held);
                drop(state);
                self.release(held);
                self.state()
            };
        }
        state.free -= permits;
        drop(state);
        drop(turn);
        permits
    }

    /// Keeps a finished worker until enough are there, or until its permits are wanted.
    pub(super) fn hold(&self, worker: Finished, permits: usize) {
        let mut state = self.state();
        state.held.push((worker, permits));
        let full = state.held.len() >= BATCH;
        let held = if full { mem::take(&mut state.held) } else { Vec::new() };
        drop(state);
        self.changed.notify_all();
        self.release(held);
    }

    /// Gives back the permits of a case that has no worker.
    pub(super) fn give_back(&self, permits: usize) {
        self.state().free += permits;
        self.changed.notify_all();
    }

    /// Releases every finished worker, and lets those go that wait in [`Self::wait_until_closed`].
    pub(super) fn close(&self) {
        let held = mem::take(&mut self.state().held);
        self.release(held);
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Keeps a thread alive until all workers are released: a worker dies with the thread that started it, and labs
    /// that go one by one go slowly.
    pub(super) fn wait_until_closed(&self) {
        let mut state = self.state();
        while !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn release(&self, held: Vec<(Finished, usize)>) {
        if held.is_empty() {
            return;
        }
        let (workers, permits): (Vec<_>, Vec<_>) = held.into_iter().unzip();
        Finished::release(workers);
        self.give_back(permits.iter().sum());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::plan::{Expectation, Ping, Target};
    use crate::source::Span;

    /// A plan that pings so many targets from one node.
    fn pinging(targets: u32) -> Plan {
        let ping = |target: u32| Expectation {
            name: String::new(),
            check: Check::Ping(Ping {
                from: 0,
                to: Target { words: String::new(), address: IpAddr::V4(target.into()), owner: None, read: None },
                source: None,
                count: 1,
                size: 56,
                ttl: None,
                lost: None,
                outcome: Vec::new(),
                by: None,
                refuser: None,
            }),
            within: Duration::ZERO,
            promised: false,
            holds_for: Duration::ZERO,
            span: Span::default(),
        };
        Plan {
            folder: None,
            setup: Vec::new(),
            rules: Vec::new(),
            files: Vec::new(),
            title: String::new(),
            timeout: Duration::ZERO,
            silence: Duration::ZERO,
            nodes: Vec::new(),
            operations: Vec::new(),
            services: Vec::new(),
            expectations: (0..targets).map(ping).collect(),
            steps: Vec::new(),
            needs: Vec::new(),
        }
    }

    #[test]
    fn running_cases_never_have_more_than_the_budget_and_all_get_their_turn() {
        let (budget, taken) = (Budget::new(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for targets in [10, 150, 3, 1000, 0, 200, 90, 5000, 1, 199, 60, 7] {
                let (budget, taken) = (&budget, &taken);
                scope.spawn(move || {
                    let permits = budget.take(&pinging(targets));
                    let all = taken.fetch_add(permits, Ordering::SeqCst) + permits;
                    assert!(all <= NEIGHBOUR_BUDGET, "{all} entries at once");
                    taken.fetch_sub(permits, Ordering::SeqCst);
                    budget.give_back(permits);
                });
            }
        });
        assert_eq!(budget.state().free, NEIGHBOUR_BUDGET);
    }
}
