//! What is known of the lab at the time of the probe.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::Matter;
use super::trails::Trails;
use crate::evidence::{Ask, Chosen, Evidence, Interface, Neighbour, NodeState, SentOn};
use crate::plan::{self, Plan};
use crate::words::Mac;

/// An interface: its node and its index.
pub(super) type End = (usize, u32);

/// The evidence, and what it lacks.
pub(super) struct World<'a> {
    pub(super) matter: Matter<'a>,
    asks: RefCell<Vec<Ask>>,
    sent_on: RefCell<Option<SentOn>>,
    below: Cell<bool>,
    /// What is asked for again and again: of a hundred nodes it takes longer than all the rest.
    trails: OnceCell<Trails<'a>>,
    beside: RefCell<HashMap<End, Rc<[End]>>>,
}

impl<'a> World<'a> {
    pub(super) fn new(matter: Matter<'a>) -> Self {
        Self {
            matter,
            asks: RefCell::default(),
            sent_on: RefCell::default(),
            below: Cell::default(),
            trails: OnceCell::default(),
            beside: RefCell::default(),
        }
    }

    /// What is to be asked, and what is to be sent on, before anything is concluded.
    pub(super) fn into_wants(self) -> (Vec<Ask>, Option<SentOn>) {
        (self.asks.into_inner(), self.sent_on.into_inner())
    }

    /// Has a packet sent on.
    pub(super) fn send_on(&self, packet: Option<SentOn>) {
        self.sent_on.replace(packet);
    }

    /// Looks at what carries a tunnel, once: what carries the tunnels there is not looked at, as one may carry itself.
    pub(super) fn once_below<T: Default>(&self, look: impl FnOnce() -> T) -> T {
        if self.below.replace(true) {
            return T::default();
        }
        let found = look();
        self.below.set(false);
        found
    }

    pub(super) fn evidence(&self) -> &'a Evidence {
        self.matter.evidence
    }

    /// The packets of the probe.
    pub(super) fn trails(&self) -> &Trails<'a> {
        self.trails.get_or_init(|| Trails::of(self.evidence()))
    }

    /// Where a frame goes next from an interface; `look` finds that out the first time.
    pub(super) fn beside(&self, end: End, look: impl FnOnce() -> Vec<End>) -> Rc<[End]> {
        if let Some(known) = self.beside.borrow().get(&end) {
            return Rc::clone(known);
        }
        let found: Rc<[End]> = look().into();
        self.beside.borrow_mut().insert(end, Rc::clone(&found));
        found
    }

    pub(super) fn plan(&self) -> &'a Plan {
        self.matter.plan
    }

    /// Whether something is still to be asked: then nothing is concluded yet.
    pub(super) fn is_asking(&self) -> bool {
        !self.asks.borrow().is_empty()
    }

    /// The nodes whose tables are not all there.
    pub(super) fn unread(&self) -> Vec<&'a str> {
        self.evidence().nodes.iter().filter(|node| !node.whole).map(|node| &*node.name).collect()
    }

    /// What a kernel says of a route; `None` when it must be asked first.
    pub(super) fn decide(&self, ask: Ask) -> Option<&'a Result<Chosen, i32>> {
        let known = self.evidence().decisions.iter().find(|decision| decision.asked == ask);
        if known.is_none() && !self.asks.borrow().contains(&ask) {
            self.asks.borrow_mut().push(ask);
        }
        known.map(|decision| &decision.answer)
    }

    pub(super) fn node(&self, node: usize) -> &'a NodeState {
        &self.evidence().nodes[node]
    }

    pub(super) fn planned(&self, node: usize) -> &'a plan::Node {
        &self.plan().nodes[node]
    }

    pub(super) fn name(&self, node: usize) -> &'a str {
        self.plan().nodes.get(node).map_or("an unknown node", |node| &node.name)
    }

    /// Every interface of the lab.
    pub(super) fn ends(&self) -> impl Iterator<Item = (End, &'a Interface)> + use<'a> {
        let nodes = self.evidence().nodes.iter().enumerate();
        nodes.flat_map(|(node, state)| state.interfaces.iter().map(move |found| ((node, found.index), found)))
    }

    pub(super) fn interface(&self, (node, index): End) -> Option<&'a Interface> {
        self.evidence().nodes.get(node)?.interfaces.iter().find(|interface| interface.index == index)
    }

    /// `NODE.INTERFACE`.
    pub(super) fn end_name(&self, end: End) -> String {
        let name = self.interface(end).map_or("an interface that is gone", |interface| &interface.name);
        format!("{}.{name}", self.name(end.0))
    }

    /// The interfaces that have an address.
    pub(super) fn owners(&self, address: IpAddr) -> Vec<End> {
        let has = |interface: &Interface| interface.addresses.iter().any(|own| own.cidr.address == address);
        self.ends().filter(|(_, interface)| has(interface)).map(|(end, _)| end).collect()
    }

    /// The interfaces with a MAC address, but for those that stand on another one with the same.
    pub(super) fn with_mac(&self, mac: Mac) -> Vec<End> {
        self.ends().filter(|(_, interface)| interface.mac == Some(mac)).map(|(end, _)| end).collect()
    }

    /// Whether a node has an address itself.
    pub(super) fn has(&self, node: usize, address: IpAddr) -> bool {
        self.owners(address).iter().any(|(owner, _)| *owner == node)
    }

    /// What a node knows of a neighbour.
    pub(super) fn neighbour(&self, (node, index): End, address: IpAddr) -> Option<&'a Neighbour> {
        self.node(node).neighbours.iter().find(|it| it.interface == index && it.address == address)
    }

    /// A setting as a number, 0 where there is none.
    pub(super) fn setting(&self, node: usize, path: &str) -> i64 {
        self.node(node).sysctls.get(path).and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    }

    /// A setting of an interface of IPv4, of which the larger one of `all` and its own counts
    /// (`IN_DEV_MAXCONF` of linux/inetdevice.h).
    pub(super) fn larger_setting(&self, end: End, key: &str) -> i64 {
        let Some(interface) = self.interface(end) else { return 0 };
        let own = self.setting(end.0, &format!("ipv4/conf/{}/{key}", interface.name));
        own.max(self.setting(end.0, &format!("ipv4/conf/all/{key}")))
    }

    /// An interface of the plan by its place in the kernel.
    pub(super) fn planned_interface(&self, end: End) -> Option<&'a plan::Interface> {
        let interfaces = &self.plan().nodes.get(end.0)?.interfaces;
        let name = self.interface(end).map(|interface| interface.name.as_str());
        let by_index = interfaces.iter().find(|it| it.present && it.index == end.1 && end.1 > 0);
        by_index.or_else(|| interfaces.iter().find(|it| it.present && Some(it.name.as_str()) == name))
    }
}
