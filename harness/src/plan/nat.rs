//! Translation of addresses, and where a packet ends that is translated on its way.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{End, InterfaceId, Node, NodeId, Target};
use crate::source::Span;
use crate::words::{Cidr, Family, Port};

/// A translation of addresses in a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nat {
    /// What is translated, and into what.
    pub kind: NatKind,
    /// Where the case asks for it.
    pub span: Span,
}

/// What a [`Nat`] does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum NatKind {
    /// What leaves gets the address of the interface that it leaves by.
    Masquerade {
        /// What it is about.
        leaving: Leaving,
        /// The families.
        families: Vec<Family>,
    },
    /// What leaves gets this address.
    Snat {
        /// What it is about.
        leaving: Leaving,
        /// The address.
        to: IpAddr,
    },
    /// What comes for the node goes to another one.
    Forward(Forward),
}

/// Packets that leave a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leaving {
    /// From any of these; empty means from anywhere.
    pub src: Vec<Cidr>,
    /// By this interface; none means by any but `lo`.
    pub dev: Option<InterfaceId>,
}

impl Leaving {
    /// Whether it may be about packets from an address.
    pub fn takes(&self, source: IpAddr) -> bool {
        self.src.is_empty() || self.src.iter().any(|src| src.contains(source))
    }
}

/// Packets for a node that go to another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forward {
    /// The addresses that they are for; empty means every address of the node but those of the loopback network.
    pub addresses: Vec<IpAddr>,
    /// The port that they are for; none means every packet.
    pub port: Option<Port>,
    /// Where they go.
    pub to: IpAddr,
    /// The port there; none means the same.
    pub to_port: Option<u16>,
    /// The interfaces behind which `to` is. What comes in by one of these leaves by it again, and gets the node's own
    /// address there: the answer would go past the node otherwise.
    pub behind: Vec<InterfaceId>,
}

impl Forward {
    /// Whether it is about packets to an address and port; a packet without a port has none.
    fn takes(&self, address: IpAddr, port: Option<Port>) -> bool {
        let to_it = if self.addresses.is_empty() { !address.is_loopback() } else { self.addresses.contains(&address) };
        to_it && address.is_ipv4() == self.to.is_ipv4() && self.port.is_none_or(|own| port == Some(own))
    }
}

/// A prefix whose every address a node answers for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Served {
    /// The prefix.
    pub prefix: Cidr,
    /// Where the case asks for it.
    pub span: Span,
}

/// Where a packet ends, as far as the plan shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The address.
    pub address: IpAddr,
    /// The port; 0 for a packet without.
    pub port: u16,
    /// Who holds the address.
    pub owner: Option<End>,
}

/// More forwards than any lab has one behind the other; a loop of them ends there.
pub const MOST_FORWARDS: usize = 8;

impl Landing {
    /// A packet as it is sent, wherever that is.
    pub fn sent(address: IpAddr, port: Option<Port>, owner: Option<End>) -> Self {
        Self { address, port: port.map_or(0, |port| port.number), owner }
    }

    /// Where the first forward of a node that takes the packet sends it; who has that address is not looked up.
    pub fn forwarded(self, nat: &[Nat], port: Option<Port>) -> Option<Self> {
        let packet = port.map(|port| Port { number: self.port, ..port });
        let forward = nat.iter().find_map(|nat| match &nat.kind {
            NatKind::Forward(forward) if forward.takes(self.address, packet) => Some(forward),
            NatKind::Forward(_) | NatKind::Masquerade { .. } | NatKind::Snat { .. } => None,
        })?;
        let port = forward.to_port.filter(|_| packet.is_some()).unwrap_or(self.port);
        Some(Self { address: forward.to, port, owner: None })
    }
}

/// Where a packet to a target ends, behind all forwards.
pub fn landing(nodes: &[Node], to: &Target, port: Option<Port>) -> Landing {
    let nat = |node: NodeId| nodes.get(node).map(|node| &*node.nat).unwrap_or_default();
    follow(to, port, nat, |address| holder(nodes, address), |address| translator(nodes, address))
}

/// As [`landing`], for any kind of node: what each translates, who holds an address, and who forwards one that nobody
/// has.
pub(super) fn follow<'a>(
    to: &Target,
    port: Option<Port>,
    nat: impl Fn(NodeId) -> &'a [Nat],
    holder: impl Fn(IpAddr) -> Option<End>,
    translator: impl Fn(IpAddr) -> Option<NodeId>,
) -> Landing {
    let mut landing = Landing::sent(to.address, port, to.owner);
    let mut translated = None;
    for _ in 0..MOST_FORWARDS {
        let Some(node) = landing.owner.map(|owner| owner.node).or_else(|| translator(landing.address)) else { break };
        // The kernel translates a connection once in each node.
        if translated == Some(node) {
            break;
        }
        let Some(next) = landing.forwarded(nat(node), port) else { break };
        landing = Landing { owner: holder(next.address), ..next };
        translated = Some(node);
    }
    landing
}

/// Who holds an address: the only node whose interface has it, else who serves it by the longest prefix, if that is one.
pub fn holder(nodes: &[Node], address: IpAddr) -> Option<End> {
    let mut having = (0..nodes.len()).filter_map(|node| has(nodes, node, address));
    match (having.next(), having.next()) {
        (Some(only), None) => Some(only),
        (Some(_), Some(_)) => None,
        (None, _) => server(nodes.iter().map(|node| node.serves.iter().map(|served| served.prefix)), address),
    }
}

/// Every node that has an address or serves it, each once.
pub fn holders(nodes: &[Node], address: IpAddr) -> Vec<End> {
    let serves = |node: NodeId| nodes[node].serves(address).then_some(End { node, interface: 0 });
    (0..nodes.len()).filter_map(|node| has(nodes, node, address).or_else(|| serves(node))).collect()
}

fn has(nodes: &[Node], node: NodeId, address: IpAddr) -> Option<End> {
    let mut interfaces = nodes[node].interfaces.iter();
    let interface = interfaces.position(|interface| interface.addresses.iter().any(|cidr| cidr.address == address))?;
    Some(End { node, interface })
}

/// The only node that forwards what comes for an address which is routed to it, and which it need not have.
pub fn translator(nodes: &[Node], address: IpAddr) -> Option<NodeId> {
    only_translator(nodes.iter().map(|node| &*node.nat), address)
}

/// As [`translator`], for any kind of node.
pub(super) fn only_translator<'a>(nats: impl Iterator<Item = &'a [Nat]>, address: IpAddr) -> Option<NodeId> {
    let named = |nat: &Nat| matches!(&nat.kind, NatKind::Forward(forward) if forward.addresses.contains(&address));
    let mut naming = nats.enumerate().filter(|(_, nat)| nat.iter().any(named)).map(|(node, _)| node);
    naming.next().filter(|_| naming.next().is_none())
}

/// Of nodes that each serve some prefixes, the one that serves an address by the longest; none where two do alike.
pub(super) fn server(nodes: impl Iterator<Item = impl Iterator<Item = Cidr>>, address: IpAddr) -> Option<End> {
    let lengths = nodes.enumerate().filter_map(|(node, served)| {
        Some((served.filter(|prefix| prefix.contains(address)).map(|prefix| prefix.length).max()?, node))
    });
    let mut lengths: Vec<(u8, usize)> = lengths.collect();
    lengths.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    match *lengths {
        [(first, _), (second, _), ..] if first == second => None,
        [(_, node), ..] => Some(End { node, interface: 0 }),
        [] => None,
    }
}

impl Node {
    /// Whether it answers for an address by one of the prefixes that it serves.
    pub fn serves(&self, address: IpAddr) -> bool {
        self.serves.iter().any(|served| served.prefix.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Transport;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn cidr(text: &str) -> Cidr {
        let (address, length) = text.split_once('/').expect("a prefix");
        Cidr { address: ip(address), length: length.parse().expect("a length") }
    }

    fn tcp(number: u16) -> Port {
        Port { number, transport: Transport::Tcp }
    }

    fn forward(address: &str, port: Option<u16>, to: &str, to_port: Option<u16>) -> Nat {
        let addresses = if address.is_empty() { Vec::new() } else { vec![ip(address)] };
        let forward = Forward { addresses, port: port.map(tcp), to: ip(to), to_port, behind: Vec::new() };
        Nat { kind: NatKind::Forward(forward), span: Span::default() }
    }

    /// Where port 80 of an address of node 0 ends; node 1 holds 10.0.0.2, and node 0 itself everything else.
    fn ends(nat: &[Nat], address: &str) -> String {
        let at = |node| Some(End { node, interface: 0 });
        let to = Target { words: String::new(), address: ip(address), owner: at(0), read: None };
        let holder = |address| at(usize::from(address == ip("10.0.0.2")));
        let of = |node| if node == 0 { nat } else { &[] };
        let Landing { address, port, owner } = follow(&to, Some(tcp(80)), of, holder, |_| None);
        format!("{address} {port} {}", owner.map_or(9, |owner| owner.node))
    }

    #[test]
    fn a_packet_ends_behind_the_first_forward_that_takes_it() {
        for (nat, address, expected) in [
            (vec![forward("", Some(80), "10.0.0.2", None)], "192.0.2.1", "10.0.0.2 80 1"),
            (vec![forward("192.0.2.1", Some(80), "10.0.0.2", Some(8080))], "192.0.2.1", "10.0.0.2 8080 1"),
            (vec![forward("192.0.2.1", None, "10.0.0.2", None)], "192.0.2.1", "10.0.0.2 80 1"),
            (vec![forward("192.0.2.9", Some(80), "10.0.0.2", None)], "192.0.2.1", "192.0.2.1 80 0"),
            (vec![forward("", Some(81), "10.0.0.2", None)], "192.0.2.1", "192.0.2.1 80 0"),
            (vec![forward("", Some(80), "fd00::2", None)], "192.0.2.1", "192.0.2.1 80 0"),
            (vec![forward("", Some(80), "10.0.0.2", None)], "127.0.0.1", "127.0.0.1 80 0"),
            // A node translates a connection once.
            (vec![forward("", Some(80), "192.0.2.5", None)], "192.0.2.1", "192.0.2.5 80 0"),
            (
                vec![forward("", Some(80), "192.0.2.1", Some(81)), forward("", Some(81), "10.0.0.2", None)],
                "192.0.2.1",
                "192.0.2.1 81 0",
            ),
        ] {
            assert_eq!(ends(&nat, address), expected, "{nat:?}");
        }
    }

    #[test]
    fn a_packet_for_an_address_that_nobody_has_ends_behind_the_only_node_that_forwards_it() {
        let own = [forward("203.0.113.5", Some(80), "10.0.0.2", None)];
        let other = [forward("203.0.113.9", Some(80), "10.0.0.2", None)];
        let ends = |nodes: [&[Nat]; 2]| {
            let to = Target { words: String::new(), address: ip("203.0.113.5"), owner: None, read: None };
            let holder = |_| Some(End { node: 7, interface: 0 });
            let translator = |address| only_translator(nodes.into_iter(), address);
            let nat = |node: NodeId| nodes.get(node).copied().unwrap_or_default();
            follow(&to, Some(tcp(80)), nat, holder, translator).owner.map(|owner| owner.node)
        };
        assert_eq!(ends([&other, &own]), Some(7));
        assert_eq!(ends([&other, &other]), None);
        assert_eq!(ends([&own, &own]), None, "nobody knows which");
    }

    #[test]
    fn of_those_who_serve_an_address_the_longest_prefix_stands_for_it() {
        let who = |nodes: &[&[&str]], address: &str| {
            let prefixes = nodes.iter().map(|node| node.iter().map(|text| cidr(text)).collect::<Vec<_>>().into_iter());
            server(prefixes, ip(address)).map(|end| end.node)
        };
        assert_eq!(who(&[&["0.0.0.0/0"], &["8.0.0.0/8", "::/0"]], "8.8.8.8"), Some(1));
        assert_eq!(who(&[&["0.0.0.0/0"], &["8.0.0.0/8", "::/0"]], "9.9.9.9"), Some(0));
        assert_eq!(who(&[&["0.0.0.0/0"], &["8.0.0.0/8", "::/0"]], "2001::1"), Some(1));
        assert_eq!(who(&[&["0.0.0.0/0"], &["0.0.0.0/0"]], "9.9.9.9"), None, "nobody knows which");
        assert_eq!(who(&[&[], &["8.0.0.0/8"]], "9.9.9.9"), None);
    }
}
