//! What a probe can see. Plain data: judging needs nothing else.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::Reply;
use crate::words::{Cidr, LinkState, Mac, NeighState, RouteKind, RouteProto, RouteScope, Stream};

/// What one probe saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Observation {
    /// ICMP echo, TCP or UDP.
    Traffic(Traffic),
    /// An HTTP answer. A connection that did not come about is [`Observation::Traffic`].
    Http(HttpAnswer),
    /// A connection that opened, and over which no HTTP answer came.
    NoAnswer {
        /// The connection.
        traffic: Traffic,
        /// What came instead, if anything.
        why: Option<String>,
    },
    /// The name of the target did not become an address.
    NoName {
        /// The name.
        name: String,
        /// Why.
        why: String,
    },
    /// A DNS answer. A query that got none is [`Observation::Traffic`].
    Dns(DnsAnswer),
    /// What became of an echo request for each time to live from 1 on.
    Trace(Vec<Seen>),
    /// Who answered a question on the wire.
    Answers(Answers),
    /// The entries of a neighbour table that are about one address.
    Neighbours(Vec<Neighbour>),
    /// The routes of the main table to one prefix.
    Routes(Vec<Route>),
    /// The route the kernel would choose, or why it has none.
    Lookup(Result<Route, LocalRefusal>),
    /// An interface, or that there is none of this name.
    Link(Option<Link>),
    /// The end of a program.
    Ran(Ran),
    /// A list of the kernel's.
    Listed(Listed),
    /// What two nodes have in common.
    Shared(Shared),
}

/// What two nodes have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// Whether both are one network namespace.
    pub namespace: bool,
    /// The interfaces that both have, by name, without `lo`.
    pub links: Vec<String>,
}

/// A list of the kernel's, each entry as a text, once and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What stands in it.
    pub entries: Vec<String>,
    /// Those of them that the kernel has of its own accord, which no case need name.
    pub own: Vec<String>,
}

impl Listed {
    /// A list from its entries; `own` tells which the kernel has of its own accord.
    pub fn new(entries: impl IntoIterator<Item = String>, own: impl Fn(&String) -> bool) -> Self {
        let mut entries: Vec<String> = entries.into_iter().collect();
        entries.sort();
        entries.dedup();
        let own = entries.iter().filter(|entry| own(entry)).cloned().collect();
        Self { entries, own }
    }
}

/// One attempt to get something across.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// What happened; for several echo requests, to the first that was not answered.
    pub seen: Seen,
    /// The ends of the flow as the sender had them; ports are 0 for ICMP.
    pub flow: Option<(SocketAddr, SocketAddr)>,
    /// Requests made.
    pub sent: u32,
    /// Requests answered.
    pub answered: u32,
    /// How long this attempt was watched.
    pub elapsed: Duration,
    /// Whether the request is known to have left.
    pub departure: Departure,
    /// Whether the target is known to live. Asked only when nothing was heard.
    pub life: Life,
    /// The source address that the server saw. Looked at only where it is expected.
    pub seen_from: Option<IpAddr>,
}

/// What happened to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// It arrived and was answered.
    Answered,
    /// It arrived, and no answer came back.
    Delivered,
    /// The very address probed refused: a TCP reset.
    Reset,
    /// An ICMP error came back.
    Icmp {
        /// Its type and code.
        error: IcmpError,
        /// Who sent it.
        by: IpAddr,
        /// Whether `by` is an address of the probing node itself: its own kernel gave up.
        own: bool,
    },
    /// The node's own kernel refused to send.
    Local(LocalRefusal),
    /// Nothing was heard.
    Silent,
}

/// Type and code of an ICMP error.
///
/// Sources: RFC 792, RFC 1812 section 5.2.7.1 (IPv4); RFC 4443 section 3 (IPv6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IcmpError {
    /// Whether it is ICMPv6.
    pub v6: bool,
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
}

impl IcmpError {
    /// Whether a router says that the time to live, or the hop limit, ran out on the way.
    pub fn is_ttl_exceeded(self) -> bool {
        matches!((self.v6, self.kind, self.code), (false, 11, 0) | (true, 3, 0))
    }
}

/// Why the node's own kernel refused to send: the errno, as `errno.h` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRefusal {
    /// The number.
    pub errno: i32,
}

/// Whether a probe is known to have left its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Departure {
    /// The network said something about it, so it left (or the refusal is the reason why not).
    Said,
    /// The kernel's transmit time stamp of this packet says so.
    Stamped,
    /// Nothing proves it.
    Unproven(String),
}

/// Whether the target of a probe is known to live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// Not asked: something was heard.
    NotAsked,
    /// The socket table of the target shows the listener; or, for ICMP, the address is on an interface that is up.
    Alive,
    /// It is known not to live, or not known to live; why.
    Unproven(String),
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The header fields in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, cut at 1 MiB; not UTF-8 is replaced.
    pub body: String,
    /// Whether the body was cut.
    pub cut: bool,
    /// The URL that gave this answer, after redirects.
    pub url: String,
    /// Where it redirects to, when that should be followed and leads out of the lab.
    pub astray: Option<String>,
    /// The ends of the connection.
    pub flow: Option<(SocketAddr, SocketAddr)>,
    /// The source address that the server saw. Looked at only where it is expected.
    pub seen_from: Option<IpAddr>,
}

/// The end of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Its exit status; `None` when a signal ended it.
    pub exit: Option<i32>,
    /// How it ended, in words that read behind its name.
    pub how: String,
    /// The start of its standard output; not UTF-8 is replaced.
    pub stdout: String,
    /// The start of its standard error.
    pub stderr: String,
    /// Of which of the two there was more than is kept.
    pub cut: Vec<Stream>,
}

/// A DNS answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// What the server said.
    pub reply: Reply,
    /// The ends of the flow.
    pub flow: Option<(SocketAddr, SocketAddr)>,
}

/// Who answered a question on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Every MAC address that answered, each once, in order of arrival.
    pub macs: Vec<Mac>,
    /// Whether the request is known to have left.
    pub departure: Departure,
    /// How long was listened.
    pub elapsed: Duration,
}

/// An entry of a neighbour table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The interface.
    pub dev: String,
    /// The neighbour.
    pub address: IpAddr,
    /// Its link-layer address, once known.
    pub mac: Option<Mac>,
    /// Its state.
    pub state: NeighState,
}

/// A route as the kernel has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The prefix, or for a lookup the address asked for.
    pub to: Cidr,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface it leaves by.
    pub dev: Option<String>,
    /// The source address.
    pub src: Option<IpAddr>,
    /// Who made it; `None` for a word this version does not know.
    pub proto: Option<RouteProto>,
    /// How far the destination is.
    pub scope: Option<RouteScope>,
    /// What it does.
    pub kind: Option<RouteKind>,
    /// Its metric; 0 when it has none.
    pub metric: u32,
}

/// An interface as the kernel has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Whether the administrator asked for up.
    pub up: bool,
    /// Whether there is a carrier.
    pub carrier: bool,
    /// The operational state.
    pub state: LinkState,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// Its MAC address.
    pub mac: Option<Mac>,
    /// The bridge it is a port of.
    pub master: Option<String>,
    /// The other end of a veth pair, as `NODE.INTERFACE` where it is in the lab.
    pub peer: Option<String>,
    /// Its kind, as `ip link add type` calls it; `lo` has none.
    pub kind: Option<String>,
    /// The id of a VXLAN or a VLAN.
    pub id: Option<u32>,
    /// What carries it, as `NODE.INTERFACE`.
    pub dev: Option<String>,
    /// Its addresses, those of the kernel's own making included.
    pub addresses: Vec<Cidr>,
}
