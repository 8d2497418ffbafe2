//! The words of the field that a case, a plan and an observation share: families, addresses, outcomes, states.

use std::fmt;
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Declares a closed set of words.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident: $what:literal { $($(#[$word_meta:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        $vis enum $name {
            $($(#[$word_meta])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// Every word of the set.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// What the words are, as it reads in a message.
            pub const WHAT: &'static str = $what;

            /// The variant of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The word as it is written in a case.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

/// Gives a newtype that is written as a string its JSON Schema.
macro_rules! string_schema {
    ($name:ident, $description:literal) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description })
            }
        }
    };
}
pub(crate) use string_schema;

words! {
    /// What traffic did.
    pub enum Outcome: "outcome" {
        /// Every echo request was answered.
        Reachable = "reachable",
        /// Not reachable, in whatever way.
        Unreachable = "unreachable",
        /// The connection opened; the datagram arrived and was answered.
        Open = "open",
        /// Not open, in whatever way.
        Closed = "closed",
        /// The datagram arrived, answered or not.
        Delivered = "delivered",
        /// The very address probed said no: a TCP reset, or a port-unreachable.
        Refused = "refused",
        /// Another machine said no by an ICMP error.
        Rejected = "rejected",
        /// Nobody said anything.
        Silent = "silent",
        /// The sender has no route.
        NoRoute = "no-route",
        /// The sender's own route drops it.
        Blackhole = "blackhole",
        /// Administratively prohibited, by the sender's own route or by an ICMP error that says so.
        Prohibited = "prohibited",
        /// The sender's own firewall dropped it.
        BlockedLocally = "blocked-locally",
        /// No such host: by an ICMP error, by the sender's own route, or because nobody answers for its address.
        HostUnreachable = "host-unreachable",
        /// No way to that network, said by an ICMP error.
        NetUnreachable = "net-unreachable",
        /// It ran out of hops.
        TtlExceeded = "ttl-exceeded",
        /// It was larger than a link allows.
        TooBig = "too-big",
    }
}

words! {
    /// Whom a macvlan lets its siblings on the same interface reach.
    pub enum MacvlanMode: "mode" {
        /// Each other, inside the machine.
        Bridge = "bridge",
        /// Nobody.
        Private = "private",
        /// Each other, by way of a switch outside that sends frames back.
        Vepa = "vepa",
    }
}

words! {
    /// Who answered a question on the wire.
    pub enum Answer: "outcome" {
        /// Exactly one MAC address.
        Answered = "answered",
        /// Two or more MAC addresses.
        Several = "several",
        /// Nobody.
        Silent = "silent",
    }
}

words! {
    /// The state of a neighbour table entry, in the words of `ip neighbour`.
    pub enum NeighState: "neighbour state" {
        /// Being asked for.
        Incomplete = "incomplete",
        /// Confirmed a short while ago.
        Reachable = "reachable",
        /// Usable, to be confirmed at the next use.
        Stale = "stale",
        /// Used, to be confirmed soon.
        Delay = "delay",
        /// Being confirmed.
        Probe = "probe",
        /// Did not answer.
        Failed = "failed",
        /// Needs no resolution.
        Noarp = "noarp",
        /// Set by hand.
        Permanent = "permanent",
    }
}

words! {
    /// Who made a route, in the words of `ip route`.
    pub enum RouteProto: "route protocol" {
        /// The kernel, for an address.
        Kernel = "kernel",
        /// During boot.
        Boot = "boot",
        /// An administrator.
        Static = "static",
        /// A router advertisement.
        Ra = "ra",
    }
}

words! {
    /// How far a route's destination is, in the words of `ip route`.
    pub enum RouteScope: "route scope" {
        /// Through a gateway.
        Global = "global",
        /// On the link.
        Link = "link",
        /// This machine.
        Host = "host",
    }
}

words! {
    /// What a route in the table may be.
    pub enum RouteKind: "route type" {
        /// Delivers.
        Unicast = "unicast",
        /// An address of this machine.
        Local = "local",
        /// A broadcast address.
        Broadcast = "broadcast",
        /// A multicast address.
        Multicast = "multicast",
        /// Drops in silence.
        Blackhole = "blackhole",
        /// Refuses: host unreachable.
        Unreachable = "unreachable",
        /// Refuses: administratively prohibited.
        Prohibit = "prohibit",
    }
}

words! {
    /// What the administrator asked for.
    pub enum Admin: "administrative state" {
        /// Up.
        Up = "up",
        /// Down.
        Down = "down",
    }
}

words! {
    /// Where a program prints.
    pub enum Stream: "stream" {
        /// Standard output.
        Stdout = "stdout",
        /// Standard error.
        Stderr = "stderr",
    }
}

words! {
    /// The type of a DNS record (RFC 1035, RFC 3596, RFC 2782).
    pub enum RecordType: "record type" {
        /// An IPv4 address.
        A = "A",
        /// An IPv6 address.
        Aaaa = "AAAA",
        /// Another name.
        Cname = "CNAME",
        /// A mail server.
        Mx = "MX",
        /// A name server.
        Ns = "NS",
        /// The name of an address.
        Ptr = "PTR",
        /// A service.
        Srv = "SRV",
        /// A text.
        Txt = "TXT",
    }
}

words! {
    /// A DNS response code (RFC 1035, section 4.1.1).
    pub enum Rcode: "response code" {
        /// The name exists.
        NoError = "noerror",
        /// The server did not understand the question.
        FormatError = "formerr",
        /// The server could not find out.
        ServerFailure = "servfail",
        /// The name does not exist.
        NxDomain = "nxdomain",
        /// The server does not do such questions.
        NotImplemented = "notimp",
        /// The server does not answer this to everybody.
        Refused = "refused",
    }
}

words! {
    /// The operational state (RFC 2863), in the words of the kernel.
    pub enum LinkState: "link state" {
        /// Not known: `lo` and bridges without ports.
        Unknown = "unknown",
        /// Not there.
        NotPresent = "not-present",
        /// Down.
        Down = "down",
        /// What it stands on is down.
        LowerLayerDown = "lower-layer-down",
        /// Under test.
        Testing = "testing",
        /// Waiting for something.
        Dormant = "dormant",
        /// Up.
        Up = "up",
    }
}

words! {
    /// What a route does with a packet.
    pub enum RouteType: "route type" {
        /// Delivers it.
        Unicast = "unicast",
        /// Drops it in silence.
        Blackhole = "blackhole",
        /// Refuses it: host unreachable.
        Unreachable = "unreachable",
        /// Refuses it: administratively prohibited.
        Prohibit = "prohibit",
    }
}

words! {
    /// Transport protocol of a port.
    pub enum Transport: "protocol" {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }
}

words! {
    /// Which family of addresses.
    pub enum Family: "address family" {
        /// IPv4.
        Ipv4 = "ipv4",
        /// IPv6.
        Ipv6 = "ipv6",
    }
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// As it is spelled in prose: `IPv4`, `IPv6`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }
}

/// An address with the length of its network's prefix: `"10.1.1.2/16"`, `"fd00::1/64"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cidr {
    /// The address, host part included.
    pub address: IpAddr,
    /// Bits of the network's prefix.
    pub length: u8,
}

string_schema!(Cidr, "an address with its prefix, such as \"10.1.1.2/16\"");

impl Cidr {
    /// The network that the address lies in.
    #[must_use]
    pub fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0);
                IpAddr::V4((u32::from(address) & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
                IpAddr::V6((u128::from(address) & mask).into())
            }
        };
        Self { address, length: self.length }
    }

    /// Whether an address lies in this network.
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && Self { address, length: self.length }.network() == self.network()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A link-layer address: `"02:00:00:00:00:01"`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mac(pub [u8; 6]);

string_schema!(Mac, "a MAC address, such as \"02:00:00:00:00:01\"");

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Mac {
    /// Reads six hexadecimal pairs with colons between.
    pub fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2)?;
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(bytes))
    }
}

/// A port with its protocol: `"80/tcp"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The number, never 0.
    pub number: u16,
    /// TCP or UDP.
    pub transport: Transport,
}

string_schema!(Port, "a port with its protocol, such as \"80/tcp\"");

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.transport)
    }
}

words! {
    /// IPv6 on an interface that has no IPv6 address of its own.
    pub enum Ipv6Mode: "IPv6 mode" {
        /// The kernel gives the interface its link-local address.
        LinkLocal = "link-local",
    }
}
