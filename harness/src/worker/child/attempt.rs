//! What every attempt needs: the lab, the sockets that attempts share, the clock.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::clock::{Clock, Moment, Window};
use super::gather::Captures;
use super::refusals::Refusals;
use super::runs::Captured;
use super::services::Services;
use super::stretch;
use crate::lab::{Lab, LabNode, NeighbourTable};
use crate::plan::{Check, End, Expectation, Node, NodeId, Operation, Ping, Plan, Target, Trace};
use crate::probe::ping::Pingers;
use crate::probe::ports::Ports;
use crate::probe::solicit::Wires;
use crate::verdict::Finding;
use crate::words::{Answer, Outcome};

/// A lab ready to be probed.
#[derive(Debug)]
pub(super) struct Bench {
    /// The plan; its nodes are as they stand after the step's actions.
    pub(super) plan: Plan,
    pub(super) lab: Lab,
    pub(super) services: Services,
    pub(super) ports: Ports,
    pub(super) pingers: Pingers,
    pub(super) wires: Wires,
    /// What routers have refused so far.
    pub(super) refusals: Refusals,
    /// The machine's neighbour table before the first probe.
    pub(super) table: NeighbourTable,
    /// How long nothing must be heard before it counts as silence.
    pub(super) silence: Duration,
    /// What programs have said that later checks go by.
    pub(super) captured: RefCell<Captured>,
    /// What could not be read for an expectation, by its place in the plan.
    pub(super) unread: HashMap<usize, Finding>,
    /// Time in which the worker could listen.
    pub(super) clock: Clock,
    /// The nodes as they stand before the first step.
    pub(super) initial: Vec<Node>,
    /// What the steps have done so far.
    pub(super) performed: Vec<Operation>,
    /// What is captured when something is explained.
    pub(super) captures: Captures,
    /// How many bytes of evidence were told of so far.
    pub(super) told: usize,
    scale: f64,
}

impl Bench {
    pub(super) fn new(
        plan: Plan,
        lab: Lab,
        services: Services,
        table: NeighbourTable,
        clock: Clock,
        scale: f64,
    ) -> Self {
        Self {
            silence: stretch(plan.silence, scale),
            plan,
            lab,
            services,
            ports: Ports::default(),
            pingers: Pingers::default(),
            wires: Wires::default(),
            refusals: Refusals::default(),
            table,
            captured: RefCell::default(),
            unread: HashMap::new(),
            clock,
            initial: Vec::new(),
            performed: Vec::new(),
            captures: Captures::default(),
            told: 0,
            scale,
        }
    }

    /// Whether an expectation's nodes are there, and the addresses that it takes from them.
    pub(super) fn is_there(&self, index: usize) -> bool {
        let mut nodes = self.plan.expectations[index].check.nodes();
        nodes.all(|node| !self.node(node).absent) && !self.unread.contains_key(&index)
    }

    /// By how much waits are stretched for a slow machine.
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    pub(super) fn node(&self, id: NodeId) -> &LabNode {
        self.lab.node(id)
    }

    /// How long the first match may take.
    pub(super) fn within(&self, expectation: &Expectation) -> Duration {
        if expectation.promised { expectation.within } else { stretch(expectation.within, self.scale) }
    }

    /// How long one attempt listens: until silence is certain, and where silence would only be a failure not longer
    /// than the first match may take.
    pub(super) fn window(&self, expectation: &Expectation, unmatched_since: Option<Moment>) -> Window {
        let within = self.within(expectation);
        match unmatched_since {
            Some(started) if !allows_silence(&expectation.check) && !within.is_zero() => {
                // An attempt that began in time is heard out.
                let left = within.saturating_sub(self.clock.since(started)).max(stretch(SHORTEST, self.scale));
                self.clock.window(self.silence.min(left))
            }
            _ => self.clock.window(self.silence),
        }
    }

    /// Whether an echo request needs no fragments on any link of its sender.
    pub(super) fn fits(&self, ping: &Ping) -> bool {
        let mtus = self.plan.nodes[ping.from].interfaces.iter().skip(1).map(|interface| interface.mtu);
        let smallest = mtus.map(|mtu| mtu.unwrap_or(USUAL_MTU)).min().unwrap_or(USUAL_MTU);
        ping.size + ECHO_HEADERS <= smallest as usize
    }

    /// Whether an address is one of a node's own.
    pub(super) fn is_own(&self, node: NodeId, address: IpAddr) -> bool {
        let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        let own = |interface: &crate::plan::Interface| {
            interface.addresses.iter().any(|cidr| cidr.address == address)
                || (link_local && interface.mac.is_some_and(|mac| link_local_of(mac) == address))
        };
        address.is_loopback() || self.plan.nodes[node].interfaces.iter().any(own)
    }
}

/// The MTU of an interface that nobody gave another.
const USUAL_MTU: u32 = 1500;

/// Bytes of the headers of an echo request: IPv6 (RFC 8200, section 3), the larger ones, and ICMP (RFC 4443, section 4).
const ECHO_HEADERS: usize = 48;

/// The shortest time that an attempt listens: cut shorter, it would take a busy machine for silence.
const SHORTEST: Duration = Duration::from_millis(250);

/// The link-local address that the kernel makes from a MAC address (RFC 4291, appendix A).
fn link_local_of(crate::words::Mac([a, b, c, d, e, f]): crate::words::Mac) -> IpAddr {
    let pair = |high, low| u16::from_be_bytes([high, low]);
    IpAddr::from([0xfe80, 0, 0, 0, pair(a ^ 2, b), pair(c, 0xff), pair(0xfe, d), pair(e, f)])
}

/// Whether hearing nothing could be what is expected.
pub(super) fn allows_silence(check: &Check) -> bool {
    let words = |outcome: &[Outcome]| {
        outcome.iter().any(|word| matches!(word, Outcome::Silent | Outcome::Closed | Outcome::Unreachable))
    };
    match check {
        Check::Ping(ping) => words(&ping.outcome),
        Check::Tcp(transfer) | Check::Udp(transfer) => words(&transfer.outcome),
        Check::Http(http) => words(&http.connection.outcome),
        Check::Dns(dns) => words(&dns.carrier.outcome),
        Check::Arp(solicit) | Check::Ndp(solicit) => solicit.outcome.contains(&Answer::Silent),
        Check::Trace(_)
        | Check::Neigh(_)
        | Check::Route(_)
        | Check::Link(_)
        | Check::Listing(_)
        | Check::Isolated(..)
        | Check::Run(_) => false,
    }
}

/// Two ends that need a neighbour entry of each other, whichever sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pair {
    /// Two nodes of the lab.
    Nodes(NodeId, NodeId, bool),
    /// A node, and an address that no node has.
    Stranger(NodeId, IpAddr),
}

/// The pair that a traffic check is about; none for a check of state.
pub(super) fn pair(check: &Check) -> Option<Pair> {
    let of = |from: NodeId, to: &Target| match to.owner {
        Some(End { node, .. }) => Pair::Nodes(from.min(node), from.max(node), to.address.is_ipv6()),
        None => Pair::Stranger(from, to.address),
    };
    match check {
        Check::Ping(ping) | Check::Trace(Trace { ping, .. }) => Some(of(ping.from, &ping.to)),
        Check::Tcp(transfer) | Check::Udp(transfer) => Some(of(transfer.from, &transfer.to)),
        Check::Http(http) => Some(of(http.connection.from, &http.connection.to)),
        Check::Dns(dns) => Some(of(dns.carrier.from, &dns.carrier.to)),
        Check::Arp(solicit) | Check::Ndp(solicit) => Some(of(solicit.from.node, &solicit.to)),
        Check::Neigh(_)
        | Check::Route(_)
        | Check::Link(_)
        | Check::Listing(_)
        | Check::Isolated(..)
        | Check::Run(_) => None,
    }
}
