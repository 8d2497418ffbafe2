//! The lab while it is being put together: what later steps of resolving look names and addresses up in.

use std::collections::HashMap;
use std::net::IpAddr;

use super::stacked::Above;
use crate::diagnostic::{Diagnostic, suggest};
use crate::plan::{
    End, Interface, InterfaceId, InterfaceKind, Landing, Made, Nat, Node, NodeId, Place, Route, Served, Sysctl, Target,
    follow, only_translator, server,
};
use crate::source::{Span, Spanned};
use crate::words::{Cidr, Family, Mac, Port};

/// What scripts make gets the next free index from the kernel: up to here they are left to them.
const LEFT_TO_SCRIPTS: u32 = 1 << 20;

/// The nodes so far.
#[derive(Default)]
pub(super) struct Lab {
    /// The machines in the order of the file, then the switches.
    pub nodes: Vec<Draft>,
    by_name: HashMap<String, NodeId>,
    holders: HashMap<IpAddr, Vec<End>>,
    /// How many interfaces have got their index in the kernel.
    numbered: u32,
}

/// A node so far.
pub(super) struct Draft {
    pub name: Spanned<String>,
    pub switch: bool,
    pub interfaces: Vec<DraftInterface>,
    by_name: HashMap<String, InterfaceId>,
    pub routes: Vec<Route>,
    pub forward_ipv4: bool,
    pub forward_ipv6: bool,
    /// Where the case says whether it forwards.
    pub forwarding: Option<Span>,
    pub sysctls: Vec<Sysctl>,
    pub nat: Vec<Nat>,
    pub serves: Vec<Served>,
    /// Who resolves names for it, the first choice first.
    pub resolver: Vec<(Spanned<String>, Vec<IpAddr>)>,
    /// Whether its interfaces could be read and made sense; if not, nothing is to be concluded from what it lacks.
    pub sound: bool,
    /// Whether also its services, routes and settings could be read.
    pub whole: bool,
    /// Whether scripts change it.
    pub open: bool,
    /// The node whose scripts make it.
    pub created_by: Option<NodeId>,
    /// The service of that node whose process has it.
    pub process: Option<usize>,
}

/// An interface so far.
pub(super) struct DraftInterface {
    pub name: Spanned<String>,
    /// Not known before all cables are plugged in.
    pub kind: Option<InterfaceKind>,
    pub peer: Option<Spanned<String>>,
    pub ports: Vec<Spanned<String>>,
    /// What it stands on, as written, before that is looked up.
    pub above: Option<Above>,
    pub mac: Option<Spanned<Mac>>,
    /// Whether it has the MAC address of its `dev`, whatever that becomes.
    pub follows: bool,
    pub mtu: Option<Spanned<u32>>,
    pub up: bool,
    pub link_local: bool,
    pub addresses: Vec<Spanned<Cidr>>,
    pub master: Option<InterfaceId>,
    /// Its index in the kernel; 0 before it has one.
    pub index: u32,
    /// Whether it is there: one that a step deletes or moves away keeps its place.
    pub present: bool,
    pub span: Span,
    pub sound: bool,
}

impl DraftInterface {
    /// An interface about which nothing is said but its name.
    pub(super) fn new(name: Spanned<String>, kind: Option<InterfaceKind>) -> Self {
        let span = name.span;
        Self {
            name,
            kind,
            peer: None,
            ports: Vec::new(),
            above: None,
            mac: None,
            follows: false,
            mtu: None,
            up: true,
            link_local: false,
            addresses: Vec::new(),
            master: None,
            index: 0,
            present: true,
            span,
            sound: true,
        }
    }

    /// Whether it says nothing of what it is.
    pub(super) fn is_unknown(&self) -> bool {
        self.kind.is_none() && self.peer.is_none() && self.above.is_none()
    }

    /// Whether the kernel makes IPv6 addresses of its own for it, or may be given some.
    pub(super) fn ipv6(&self) -> bool {
        matches!(self.kind, Some(InterfaceKind::Loopback))
            || self.link_local
            || self.addresses.iter().any(|cidr| cidr.address.is_ipv6())
    }

    /// It as it stands in the plan, once it has its numbers.
    fn finish(&self) -> Interface {
        Interface {
            name: self.name.value.clone(),
            index: self.index,
            // Only an interface that was complained about has no kind, and then there is no plan.
            kind: self.kind.clone().unwrap_or(InterfaceKind::Bridge),
            mac: self.mac.map(|mac| mac.value),
            mtu: self.mtu.map(|mtu| mtu.value),
            present: self.present,
            up: self.up,
            ipv6: self.ipv6(),
            addresses: self.addresses.iter().map(|cidr| cidr.value).collect(),
            master: self.master,
            span: self.span,
        }
    }

    /// Whether an address lies in one of its networks.
    pub(super) fn reaches(&self, address: IpAddr) -> bool {
        (is_link_local(address) && self.ipv6()) || self.addresses.iter().any(|cidr| cidr.contains(address))
    }
}

impl Draft {
    /// A node with nothing but `lo`.
    pub(super) fn new(name: Spanned<String>) -> Self {
        let lo = DraftInterface::new(Spanned::new("lo".to_owned(), name.span), Some(InterfaceKind::Loopback));
        Self {
            name,
            switch: false,
            interfaces: vec![lo],
            by_name: HashMap::from([("lo".to_owned(), 0)]),
            routes: Vec::new(),
            forward_ipv4: false,
            forward_ipv6: false,
            forwarding: None,
            sysctls: Vec::new(),
            nat: Vec::new(),
            serves: Vec::new(),
            resolver: Vec::new(),
            sound: true,
            whole: true,
            open: false,
            created_by: None,
            process: None,
        }
    }

    /// The switch of a network.
    pub(super) fn switch(name: Spanned<String>) -> Self {
        Self { switch: true, ..Self::new(name) }
    }

    /// Adds an interface whose name is new to the node, and gives its place.
    pub(super) fn add(&mut self, interface: DraftInterface) -> InterfaceId {
        let id = self.interfaces.len();
        self.interfaces.push(interface);
        self.learn(id);
        id
    }

    /// The interface of a name.
    pub(super) fn interface(&self, name: &str) -> Option<InterfaceId> {
        self.by_name.get(name).copied()
    }

    /// The names of all interfaces.
    pub(super) fn interface_names(&self) -> impl Iterator<Item = &str> {
        self.interfaces.iter().filter(|interface| interface.present).map(|interface| interface.name.as_str())
    }

    /// Lets go of the name of an interface that has left, or has another one now.
    pub(super) fn forget(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Has an interface found by its name.
    pub(super) fn learn(&mut self, id: InterfaceId) {
        self.by_name.insert(self.interfaces[id].name.value.clone(), id);
    }

    /// That there is no interface of a name.
    pub(super) fn unknown_interface(&self, name: &str, span: Span) -> Diagnostic {
        let wrong = Diagnostic::error(span, format!("`{}` has no interface `{name}`", *self.name));
        match self.interfaces.iter().find(|interface| !interface.present && *interface.name == *name) {
            Some(gone) => {
                wrong.label("it is not there any more at this step").related(gone.name.span, "it was this one")
            }
            None => wrong.label(suggest(name, self.interface_names())),
        }
    }

    /// Whether an address is one of its own, the loopback network included.
    pub(super) fn owns(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.addresses().any(|(_, own)| own.address == address)
    }

    /// Whether it answers for an address: one of its own, or one that it serves.
    pub(super) fn answers_for(&self, address: IpAddr) -> bool {
        self.owns(address) || self.serves.iter().any(|served| served.prefix.contains(address))
    }

    /// All its addresses but the two of `lo` that every node has.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (InterfaceId, Cidr)> {
        let interfaces = self.interfaces.iter().enumerate();
        interfaces.flat_map(|(at, interface)| interface.addresses.iter().map(move |cidr| (at, cidr.value)))
    }

    /// The addresses that others can use without saying an interface, in one family.
    pub(super) fn plain_addresses(&self, family: Family) -> impl Iterator<Item = (InterfaceId, IpAddr)> {
        self.addresses()
            .map(|(at, cidr)| (at, cidr.address))
            .filter(move |(_, address)| Family::of(*address) == family && !is_link_local(*address))
    }

    /// Whether it forwards a family.
    pub(super) fn forwards(&self, family: Family) -> bool {
        match family {
            Family::Ipv4 => self.forward_ipv4,
            Family::Ipv6 => self.forward_ipv6,
        }
    }
}

impl Lab {
    /// Adds a node, and gives its place. A second node of the same name is not found by it.
    pub(super) fn add(&mut self, node: Draft) -> NodeId {
        let id = self.nodes.len();
        self.by_name.entry(node.name.value.clone()).or_insert(id);
        self.nodes.push(node);
        id
    }

    /// Notes that some network could not be laid: which addresses a node has is not known then.
    pub(super) fn unsettle(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.sound = false);
    }

    /// The node or switch of a name.
    pub(super) fn find(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// The machine that a word names, or what is wrong with the word.
    pub(super) fn machine(&self, name: &str, span: Span) -> Result<NodeId, Diagnostic> {
        match self.find(name) {
            Some(node) if self.nodes[node].switch => {
                Err(Diagnostic::error(span, format!("`{name}` is a network, not a node"))
                    .label("a node is expected here")
                    .help(format!("a node gets onto a network by standing in its `members`: `[networks.{name}]`")))
            }
            Some(node) => Ok(node),
            None => Err(Diagnostic::error(span, format!("unknown node `{name}`")).label(self.suggest_machine(name))),
        }
    }

    /// A machine's name near a word, or the list of machines.
    fn suggest_machine(&self, name: &str) -> String {
        let known = suggest(name, self.nodes.iter().filter(|node| !node.switch).map(|node| node.name.as_str()));
        if known.is_empty() { "this case has no nodes".to_owned() } else { known }
    }

    /// The interface at an end.
    pub(super) fn at(&self, end: End) -> &DraftInterface {
        &self.nodes[end.node].interfaces[end.interface]
    }

    /// The interface at an end.
    pub(super) fn at_mut(&mut self, end: End) -> &mut DraftInterface {
        &mut self.nodes[end.node].interfaces[end.interface]
    }

    /// `NODE.INTERFACE`.
    pub(super) fn end_name(&self, end: End) -> String {
        format!("{}.{}", *self.nodes[end.node].name, *self.at(end).name)
    }

    /// Every interface of every node that is there.
    pub(super) fn ends(&self) -> impl Iterator<Item = End> {
        let nodes = self.nodes.iter().enumerate();
        nodes.flat_map(|(node, draft)| {
            let present = draft.interfaces.iter().enumerate().filter(|(_, interface)| interface.present);
            present.map(move |(interface, _)| End { node, interface })
        })
    }

    /// Notes who holds which address, once all addresses are given out.
    pub(super) fn index_addresses(&mut self) {
        self.holders.clear();
        for (node, draft) in self.nodes.iter().enumerate() {
            for (interface, cidr) in draft.addresses() {
                self.holders.entry(cidr.address).or_default().push(End { node, interface });
            }
        }
    }

    /// The interface that holds an address, seen from a node: its own before that of the only other one, and an address
    /// that some interface has before one that a node serves; `lo` stands for what a node serves.
    pub(super) fn owner(&self, from: NodeId, address: IpAddr) -> Option<End> {
        if address.is_loopback() {
            return Some(End { node: from, interface: 0 });
        }
        let Some(holders) = self.holders.get(&address) else {
            let serves = |node: &Draft| node.serves.iter().any(|served| served.prefix.contains(address));
            let own = self.nodes.get(from).is_some_and(serves).then_some(End { node: from, interface: 0 });
            let served = self.nodes.iter().map(|node| node.serves.iter().map(|served| served.prefix));
            return own.or_else(|| server(served, address));
        };
        let own = holders.iter().find(|end| end.node == from);
        let one = holders.iter().all(|end| end.node == holders[0].node);
        own.or_else(|| holders.first().filter(|_| one)).copied()
    }

    /// Which other nodes have an address, too.
    pub(super) fn others_with(&self, node: NodeId, address: IpAddr) -> impl Iterator<Item = NodeId> {
        self.holders.get(&address).into_iter().flatten().map(|end| end.node).filter(move |other| *other != node)
    }

    /// Gives every interface that has none yet its index in the kernel and its MAC address.
    pub(super) fn number(&mut self) {
        super::macs::fill(self);
        // Before Linux 6.14 a number must be free in two nodes where one has what carries the other's interface.
        let before = if self.nodes.iter().any(|draft| draft.open) { LEFT_TO_SCRIPTS } else { 1 };
        for draft in &mut self.nodes {
            for interface in &mut draft.interfaces {
                match &interface.kind {
                    // `lo` has 1 in every node; the others share one row of numbers.
                    Some(InterfaceKind::Loopback) => interface.index = 1,
                    // What a script makes has the index that the kernel gives it.
                    Some(InterfaceKind::Found) => {}
                    _ if interface.index == 0 => {
                        self.numbered += 1;
                        interface.index = before + self.numbered;
                    }
                    _ => {}
                }
            }
        }
    }

    /// An interface as the kernel has it, once it has its numbers.
    pub(super) fn place(&self, end: End) -> Place {
        let interface = self.at(end);
        Place { node: end.node, index: interface.index, name: interface.name.value.clone() }
    }

    /// An interface to be made.
    pub(super) fn made(&self, end: End) -> Made {
        let interface = self.at(end);
        let master = interface.master.map(|bridge| self.place(End { node: end.node, interface: bridge }));
        let dev = interface.kind.as_ref().and_then(InterfaceKind::dev).map(|dev| self.place(dev));
        let mut made = interface.finish();
        if interface.follows {
            made.mac = None;
        }
        Made { node: end.node, interface: made, master, dev }
    }

    /// Where a packet to a target ends, behind all forwards.
    pub(super) fn landing(&self, to: &Target, port: Port) -> Landing {
        let from = to.owner.map_or(0, |owner| owner.node);
        let translator = |address| only_translator(self.nodes.iter().map(|node| &*node.nat), address);
        follow(to, Some(port), |node| &self.nodes[node].nat, |address| self.owner(from, address), translator)
    }

    /// The nodes as they stand in the plan, once all interfaces have their numbers.
    pub(super) fn finish(&self) -> Vec<Node> {
        self.nodes.iter().map(finish_node).collect()
    }
}

fn finish_node(draft: &Draft) -> Node {
    Node {
        name: draft.name.value.clone(),
        switch: draft.switch,
        interfaces: draft.interfaces.iter().map(DraftInterface::finish).collect(),
        routes: draft.routes.clone(),
        forward_ipv4: draft.forward_ipv4,
        forward_ipv6: draft.forward_ipv6,
        sysctls: draft.sysctls.clone(),
        open: draft.open,
        created_by: draft.created_by,
        process: draft.process,
        nat: draft.nat.clone(),
        serves: draft.serves.clone(),
        resolver: draft.resolver.iter().flat_map(|(_, addresses)| addresses).copied().collect(),
        resolver_spans: draft.resolver.iter().flat_map(|(word, all)| all.iter().map(|_| word.span)).collect(),
        span: draft.name.span,
        forwarding: draft.forwarding,
    }
}

/// Whether an address means something only together with an interface (`fe80::/10`, RFC 4291 section 2.5.6).
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
