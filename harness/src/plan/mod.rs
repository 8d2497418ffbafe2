//! What will be done: names resolved, defaults filled in, limits checked, kernel operations in order. Plain data.

mod resolve;
mod wording;

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::source::Span;
use crate::words::{
    Admin, Answer, Cidr, LinkState, Mac, NeighState, Outcome, Port, RouteKind, RouteProto, RouteScope, RouteType,
    Transport,
};

pub use resolve::resolve;

/// Index of a node in [`Plan::nodes`].
pub type NodeId = usize;

/// Index of an interface in [`Node::interfaces`].
pub type InterfaceId = usize;

/// An interface of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct End {
    /// The node.
    pub node: NodeId,
    /// Its interface.
    pub interface: InterfaceId,
}

/// One case, ready to be built and probed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The case's title.
    pub title: String,
    /// How long the whole case may take.
    pub timeout: Duration,
    /// How long nothing must be heard before it counts as silence.
    pub silence: Duration,
    /// The machines and the switches.
    pub nodes: Vec<Node>,
    /// What is done to the kernel, in order.
    pub operations: Vec<Operation>,
    /// What runs in the nodes.
    pub services: Vec<Service>,
    /// What must hold.
    pub expectations: Vec<Expectation>,
    /// What the machine must have.
    pub needs: Vec<Need>,
}

/// A network namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is the switch of a network, which the user did not name as a machine.
    pub switch: bool,
    /// Its interfaces; the first is `lo`, and each one's index in the kernel is its place here plus one.
    pub interfaces: Vec<Interface>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Forwards IPv4.
    pub forward_ipv4: bool,
    /// Forwards IPv6.
    pub forward_ipv6: bool,
    /// The settings that the case asks for.
    pub sysctls: Vec<Sysctl>,
}

/// An interface as it will be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// Its MAC address; `lo` has none.
    pub mac: Option<Mac>,
    /// The largest packet in bytes, where the case says.
    pub mtu: Option<u32>,
    /// Whether it is taken up.
    pub up: bool,
    /// Whether it speaks IPv6.
    pub ipv6: bool,
    /// Its addresses.
    pub addresses: Vec<Cidr>,
    /// The bridge it is a port of.
    pub master: Option<InterfaceId>,
    /// Where the case asks for it.
    pub span: Span,
}

/// What an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceKind {
    /// `lo`.
    Loopback,
    /// One end of a veth pair.
    Veth {
        /// The other end.
        peer: End,
    },
    /// A bridge.
    Bridge,
}

/// A static route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Its prefix.
    pub to: Cidr,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface it leaves by.
    pub dev: Option<InterfaceId>,
    /// The source address for packets of the node itself.
    pub src: Option<IpAddr>,
    /// Its metric.
    pub metric: Option<u32>,
    /// The gateway is on the link whatever the addresses say.
    pub onlink: bool,
    /// What it does.
    pub kind: RouteType,
    /// Where the case asks for it.
    pub span: Span,
}

/// A setting of the kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sysctl {
    /// The path below `/proc/sys`, with slashes.
    pub path: String,
    /// The value.
    pub value: String,
    /// Whether it belongs to an interface of the case, and so can be set only when that exists.
    pub of_interface: bool,
    /// Where the case asks for it.
    pub span: Span,
}

/// One thing done to the kernel, and the place of the case that asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// What is done.
    pub action: Action,
    /// Where the case asks for it.
    pub span: Span,
}

/// What an [`Operation`] does. The values stand in the [`Plan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Makes a bridge.
    AddBridge(End),
    /// Makes a veth pair, each end in its node; a `first` that is a bridge port is made as one.
    AddVeth {
        /// The end in whose node the request is made.
        first: End,
        /// The other end.
        second: End,
    },
    /// Makes an interface a port of its bridge.
    SetMaster(End),
    /// Gives an interface its `n`th address.
    AddAddress(End, usize),
    /// Takes an interface up.
    SetUp(End),
    /// Adds the `n`th route of a node.
    AddRoute(NodeId, usize),
}

/// What runs in a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Its node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ServiceKind,
    /// Where the case asks for it.
    pub span: Span,
}

/// What a [`Service`] is. An empty `listen` means every address, in both families.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ServiceKind {
    /// An HTTP server with one answer.
    Http {
        /// TCP port.
        port: u16,
        /// Addresses to listen on.
        listen: Vec<IpAddr>,
        /// Status of the answer.
        status: u16,
        /// Header fields of the answer.
        headers: Vec<(String, String)>,
        /// Body of the answer.
        body: String,
    },
    /// A server that sends back what it gets.
    Echo {
        /// TCP or UDP.
        transport: Transport,
        /// The port.
        port: u16,
        /// Addresses to listen on.
        listen: Vec<IpAddr>,
    },
    /// A program.
    Command {
        /// Program and arguments; never empty.
        run: Vec<String>,
        /// Environment beside the fixed one.
        env: Vec<(String, String)>,
        /// When it counts as started.
        ready: Ready,
    },
}

impl ServiceKind {
    /// The port that it is known to listen on.
    pub fn port(&self) -> Option<Port> {
        match self {
            Self::Http { port, .. } => Some(Port { number: *port, transport: Transport::Tcp }),
            Self::Echo { transport, port, .. } => Some(Port { number: *port, transport: *transport }),
            Self::Command { ready: Ready::Port(port), .. } => Some(*port),
            Self::Command { ready: Ready::Output(_), .. } => None,
        }
    }
}

/// When a program counts as started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ready {
    /// It listens on this port.
    Port(Port),
    /// It has printed this text.
    Output(String),
}

/// What a machine must have for a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// A program on the fixed search path, or at an absolute path.
    Program(String),
    /// A kind of link the kernel must know, as `ip link add type` names it.
    Link(String),
    /// IPv6.
    Ipv6,
}

/// One thing that must hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expectation {
    /// Its name, unique in the case.
    pub name: String,
    /// What is checked.
    pub check: Check,
    /// How long the first match may take.
    pub within: Duration,
    /// How long it must stay true after that.
    pub holds_for: Duration,
    /// Where the check stands.
    pub span: Span,
}

/// A check, with everything looked up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Check {
    /// ICMP echo.
    Ping(Ping),
    /// A TCP connection.
    Tcp(Transfer),
    /// A UDP datagram.
    Udp(Transfer),
    /// An HTTP request.
    Http(Box<Http>),
    /// An ARP request.
    Arp(Solicit),
    /// An IPv6 neighbour solicitation.
    Ndp(Solicit),
    /// A neighbour table entry.
    Neigh(Neigh),
    /// A route.
    Route(RouteCheck),
    /// An interface.
    Link(Box<LinkCheck>),
}

impl Check {
    /// Whether it puts packets on the wire; the others look at the kernel's state after the traffic has settled.
    pub fn is_traffic(&self) -> bool {
        match self {
            Self::Ping(_) | Self::Tcp(_) | Self::Udp(_) | Self::Http(_) | Self::Arp(_) | Self::Ndp(_) => true,
            Self::Neigh(_) | Self::Route(_) | Self::Link(_) => false,
        }
    }
}

/// Where a probe goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As the user wrote it.
    pub words: String,
    /// The address.
    pub address: IpAddr,
    /// The interface that has the address, where one of the lab does.
    pub owner: Option<End>,
}

/// Who must have sent a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// As the user wrote it.
    pub words: String,
    /// Any of these addresses.
    pub addresses: Vec<IpAddr>,
}

/// ICMP echo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ping {
    /// The sender.
    pub from: NodeId,
    /// The target.
    pub to: Target,
    /// The source address.
    pub source: Option<IpAddr>,
    /// How many requests.
    pub count: u32,
    /// Bytes of payload.
    pub size: usize,
    /// Time to live, or hop limit.
    pub ttl: Option<u8>,
    /// The largest share that may be lost, in per cent.
    pub lost: Option<f64>,
    /// What must happen: any of these.
    pub outcome: Vec<Outcome>,
    /// Who must have refused.
    pub by: Option<By>,
}

/// A TCP connection or a UDP datagram.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transfer {
    /// The sender.
    pub from: NodeId,
    /// The target.
    pub to: Target,
    /// The target's port.
    pub port: u16,
    /// The source address.
    pub source: Option<IpAddr>,
    /// What must happen: any of these.
    pub outcome: Vec<Outcome>,
    /// Who must have refused.
    pub by: Option<By>,
}

/// An HTTP request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Http {
    /// The connection; its `outcome` is `[Open]` when an answer is expected.
    pub connection: Transfer,
    /// As the user wrote it.
    pub url: String,
    /// The `Host` field.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// The method.
    pub method: String,
    /// Header fields of the request.
    pub headers: Vec<(String, String)>,
    /// The body of the request.
    pub body: String,
    /// How many redirects are followed.
    pub redirects: u32,
    /// What the answer must be.
    pub answer: HttpExpected,
}

/// What an HTTP answer must be; what is empty is not looked at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HttpExpected {
    /// Any of these.
    pub status: Vec<u16>,
    /// Each of these fields.
    pub headers: Vec<(String, Text)>,
    /// The body.
    pub body: Option<Text>,
}

/// What a text must be; all conditions given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Exactly this.
    pub equals: Option<String>,
    /// Contains this.
    pub contains: Option<String>,
    /// Matches this regular expression somewhere.
    pub regex: Option<String>,
}

/// A question on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Solicit {
    /// Where it is asked.
    pub from: End,
    /// The address asked for.
    pub to: Target,
    /// Exactly these must answer, each with the words it was written in.
    pub macs: Vec<(Mac, String)>,
    /// What must happen: any of these.
    pub outcome: Vec<Answer>,
}

/// A neighbour table entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Neigh {
    /// The node.
    pub on: NodeId,
    /// Only on this interface.
    pub dev: Option<String>,
    /// The neighbour.
    pub to: Target,
    /// Its MAC address, with the words it was written in.
    pub mac: Option<(Mac, String)>,
    /// Its state: any of these; empty means not looked at.
    pub state: Vec<NeighState>,
    /// Whether there must be such an entry, or must not.
    pub present: bool,
}

/// A route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteCheck {
    /// The node.
    pub on: NodeId,
    /// Which route.
    pub query: RouteQuery,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface.
    pub dev: Option<String>,
    /// The source address.
    pub src: Option<IpAddr>,
    /// Who made it.
    pub proto: Option<RouteProto>,
    /// How far the destination is.
    pub scope: Option<RouteScope>,
    /// What it does.
    pub kind: Option<RouteKind>,
    /// Its metric.
    pub metric: Option<u32>,
    /// Whether there must be such a route, or must not.
    pub present: bool,
}

/// Which route is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteQuery {
    /// Those of the main table to exactly this prefix.
    Table(Cidr),
    /// The one that a packet to this address would take.
    Lookup(Target),
}

/// An interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkCheck {
    /// The node.
    pub on: NodeId,
    /// The interface's name.
    pub name: String,
    /// Whether there must be one of this name, or must not.
    pub present: bool,
    /// What the administrator asked for.
    pub admin: Option<Admin>,
    /// Whether there is a carrier.
    pub carrier: Option<bool>,
    /// Its operational state: any of these; empty means not looked at.
    pub state: Vec<LinkState>,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// Its MAC address, with the words it was written in.
    pub mac: Option<(Mac, String)>,
    /// Its bridge; the inner `None` means no bridge.
    pub master: Option<Option<String>>,
    /// Its other end, as `NODE.INTERFACE`.
    pub peer: Option<String>,
    /// Its addresses, exactly.
    pub addresses: Option<Vec<Cidr>>,
}

impl Plan {
    /// The interface at an end.
    pub fn interface(&self, end: End) -> &Interface {
        &self.nodes[end.node].interfaces[end.interface]
    }

    /// `NODE.INTERFACE`.
    pub fn end_name(&self, end: End) -> String {
        format!("{}.{}", self.nodes[end.node].name, self.interface(end).name)
    }

    /// Whether the case brings programs of its own to run.
    pub fn runs_programs(&self) -> bool {
        self.services.iter().any(|service| matches!(service.kind, ServiceKind::Command { .. }))
    }
}

impl End {
    /// The interface's index in the kernel.
    pub fn index(self) -> u32 {
        u32::try_from(self.interface).unwrap_or(u32::MAX - 1) + 1
    }
}
