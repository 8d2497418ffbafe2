//! What must hold, with everything looked up.

use std::iter;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{End, InterfaceId, List, Listing, NodeId, Refuser, Run};
use crate::case::Template;
use crate::source::Span;
use crate::words::{
    Admin, Answer, Cidr, Family, LinkState, Mac, NeighState, Outcome, Rcode, RecordType, RouteKind, RouteProto,
    RouteScope, Transport,
};

/// One thing that must hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expectation {
    /// Its name, unique in the case.
    pub name: String,
    /// What is checked.
    pub check: Check,
    /// How long the first match may take.
    pub within: Duration,
    /// Whether the case says so itself: what a case promises is not stretched for a slow machine.
    pub promised: bool,
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
    /// A DNS query.
    Dns(Box<Dns>),
    /// The routers on the way.
    Trace(Trace),
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
    /// A list of the kernel's.
    Listing(Box<Listing>),
    /// Two nodes of which none sees what the other has.
    Isolated(NodeId, NodeId),
    /// A program.
    Run(Box<Run>),
}

impl Check {
    /// Whether it puts packets on the wire; the others look at the kernel's state after the traffic has settled.
    pub fn is_traffic(&self) -> bool {
        match self {
            Self::Ping(_)
            | Self::Tcp(_)
            | Self::Udp(_)
            | Self::Http(_)
            | Self::Dns(_)
            | Self::Trace(_)
            | Self::Arp(_)
            | Self::Ndp(_) => true,
            Self::Neigh(_) | Self::Route(_) | Self::Link(_) | Self::Listing(_) | Self::Isolated(..) | Self::Run(_) => {
                false
            }
        }
    }

    /// What carries it, where that is a connection or a datagram to a port.
    pub fn transfer(&self) -> Option<&Transfer> {
        match self {
            Self::Tcp(transfer) | Self::Udp(transfer) => Some(transfer),
            Self::Http(http) => Some(&http.connection),
            Self::Dns(dns) => Some(&dns.carrier),
            _ => None,
        }
    }

    fn transfer_mut(&mut self) -> Option<&mut Transfer> {
        match self {
            Self::Tcp(transfer) | Self::Udp(transfer) => Some(transfer),
            Self::Http(http) => Some(&mut http.connection),
            Self::Dns(dns) => Some(&mut dns.carrier),
            _ => None,
        }
    }

    /// Who must be proved to have dropped or rejected it.
    pub fn refuser(&self) -> Option<&Refuser> {
        match self {
            Self::Ping(ping) => ping.refuser.as_ref(),
            _ => self.transfer()?.refuser.as_ref(),
        }
    }

    /// The addresses that the check is about.
    pub fn targets_mut(&mut self) -> Vec<&mut Target> {
        match self {
            Self::Ping(ping) => vec![&mut ping.to],
            Self::Tcp(transfer) | Self::Udp(transfer) => vec![&mut transfer.to],
            Self::Http(http) => vec![&mut http.connection.to],
            Self::Dns(dns) => vec![&mut dns.carrier.to],
            Self::Trace(trace) => vec![&mut trace.ping.to],
            Self::Arp(solicit) | Self::Ndp(solicit) => vec![&mut solicit.to],
            Self::Neigh(neigh) => vec![&mut neigh.to],
            Self::Route(route) => match &mut route.query {
                RouteQuery::Lookup(target) => vec![target],
                RouteQuery::Table(_) => Vec::new(),
            },
            Self::Link(_) | Self::Listing(_) | Self::Isolated(..) | Self::Run(_) => Vec::new(),
        }
    }

    /// The MAC addresses that it expects, each with its words.
    pub fn macs_mut(&mut self) -> Vec<&mut (Mac, String)> {
        match self {
            Self::Arp(solicit) | Self::Ndp(solicit) => solicit.macs.iter_mut().collect(),
            Self::Neigh(neigh) => neigh.mac.iter_mut().collect(),
            Self::Link(link) => link.mac.iter_mut().collect(),
            Self::Listing(listing) => match &mut listing.list {
                List::Ports { mac, .. } => vec![mac],
                _ => Vec::new(),
            },
            Self::Ping(_)
            | Self::Tcp(_)
            | Self::Udp(_)
            | Self::Http(_)
            | Self::Dns(_)
            | Self::Trace(_)
            | Self::Route(_)
            | Self::Isolated(..)
            | Self::Run(_) => Vec::new(),
        }
    }

    /// The request whose URL is not complete.
    pub fn open_url(&mut self) -> Option<&mut Http> {
        match self {
            Self::Http(http) if http.open.is_some() => Some(http),
            _ => None,
        }
    }

    /// Who must have sent a refusal.
    pub fn bys_mut(&mut self) -> Vec<&mut By> {
        match self {
            Self::Ping(ping) => ping.by.iter_mut().collect(),
            Self::Tcp(transfer) | Self::Udp(transfer) => transfer.by.iter_mut().collect(),
            Self::Http(http) => http.connection.by.iter_mut().collect(),
            Self::Dns(dns) => dns.carrier.by.iter_mut().collect(),
            Self::Trace(trace) => trace.via.iter_mut().flatten().collect(),
            Self::Arp(_)
            | Self::Ndp(_)
            | Self::Neigh(_)
            | Self::Route(_)
            | Self::Link(_)
            | Self::Listing(_)
            | Self::Isolated(..)
            | Self::Run(_) => Vec::new(),
        }
    }

    /// Whom a server must see.
    pub fn seen_from_mut(&mut self) -> Option<&mut By> {
        self.transfer_mut()?.seen_from.as_mut()
    }

    /// The nodes that it probes from or looks at.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        let other = if let Self::Isolated(_, other) = self { Some(*other) } else { None };
        let first = match self {
            Self::Ping(ping) => ping.from,
            Self::Tcp(transfer) | Self::Udp(transfer) => transfer.from,
            Self::Http(http) => http.connection.from,
            Self::Dns(dns) => dns.carrier.from,
            Self::Trace(trace) => trace.ping.from,
            Self::Arp(solicit) | Self::Ndp(solicit) => solicit.from.node,
            Self::Neigh(neigh) => neigh.on,
            Self::Route(route) => route.on,
            Self::Link(link) => link.on,
            Self::Listing(listing) => listing.on,
            Self::Isolated(node, _) => *node,
            Self::Run(run) => run.on,
        };
        iter::once(first).chain(other)
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
    /// Where the address is read when the step begins; until then there is none.
    pub read: Option<ReadFrom>,
}

/// Where an address comes from that is not known before the step begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadFrom {
    /// A node, or an interface of it, that scripts give its addresses.
    Node {
        /// The node.
        node: NodeId,
        /// Only this interface.
        interface: Option<InterfaceId>,
        /// The family of the address.
        family: Family,
    },
    /// What programs have said.
    Captured {
        /// The text with their values.
        template: Template,
        /// The family that it must be of.
        family: Option<Family>,
    },
}

/// What stands between the words of [`By`].
pub const OR: &str = " or ";

/// Somebody who is known by address: who must have sent a refusal, or whom a server must see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// As the user wrote it, several with [`OR`] between them.
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
    /// Who must be proved to have dropped or rejected it.
    pub refuser: Option<Refuser>,
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
    /// Who must be proved to have dropped or rejected it.
    pub refuser: Option<Refuser>,
    /// Whom the server must see at the other end.
    pub seen_from: Option<By>,
}

/// An HTTP request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Http {
    /// The connection; its `outcome` is `[Open]` when an answer is expected.
    pub connection: Transfer,
    /// How the name becomes an address, where it is not a node's: the address of the connection is not known then.
    pub lookup: Option<Dns>,
    /// The whole of it where values are missing in it that programs say, and of it host and path.
    pub open: Option<[Template; 3]>,
    /// How the names become addresses that redirects lead to.
    pub names: Option<Dns>,
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

/// A DNS query.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dns {
    /// What carries it; its `outcome` is `[Open]` when an answer is expected.
    pub carrier: Transfer,
    /// Over UDP, or over TCP.
    pub transport: Transport,
    /// The name asked for.
    pub name: String,
    /// The type asked for.
    pub kind: RecordType,
    /// The response code.
    pub rcode: Option<Rcode>,
    /// Exactly these records of the type asked for.
    pub answer: Option<Vec<String>>,
}

/// The routers on the way to a target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// The echo request whose time to live runs out on the way.
    pub ping: Ping,
    /// The routers in order; `None` for one that says nothing.
    pub via: Vec<Option<By>>,
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

/// The bridge that an interface must be a port of. An `Option` inside an `Option` would not survive the wire: JSON has
/// one null for both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Master {
    /// None at all.
    Nobody,
    /// The one of this name.
    Bridge(String),
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
    /// Its bridge.
    pub master: Option<Master>,
    /// Its other end, as `NODE.INTERFACE`.
    pub peer: Option<String>,
    /// Its kind, as `ip link add type` calls it.
    pub kind: Option<String>,
    /// The id of a VXLAN or a VLAN.
    pub id: Option<u32>,
    /// What carries it, as `NODE.INTERFACE`.
    pub dev: Option<String>,
    /// Its addresses, exactly.
    pub addresses: Option<Vec<Cidr>>,
}
