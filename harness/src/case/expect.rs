//! What must hold, as written.

use std::net::IpAddr;

use super::decode::{Decode, Value, record};
use super::listing::{AddrCheck, FdbCheck, IsolatedCheck, LinksCheck, NeighsCheck, RoutesCheck, SysctlCheck};
use super::matcher::Matcher;
use super::program::Run;
use super::refuser::Refuser;
use super::scalar::{Loss, Time};
use super::shape::{List, Many, Map, Number};
use crate::diagnostic::Diagnostics;
use crate::source::{Span, Spanned};
use crate::words::{
    Admin, Answer, Cidr, Family, LinkState, NeighState, Outcome, Rcode, RecordType, RouteKind, RouteProto, RouteScope,
    Transport,
};

record! {
    /// One expectation: exactly one check, and how it is named and timed.
    pub struct Expect {
        /// The name in reports; without it, the words of the check.
        name("name"): Option<Spanned<String>>,
        /// How long the first match may take (default: "1s" for what must come, "0s" for what must not and for state).
        within("within"): Option<Spanned<Time>>,
        /// How long it must stay true from the first match on.
        holds_for("holds-for"): Option<Spanned<Time>>,
    }
    one of {
        /// ICMP echo.
        ping("ping"): Ping,
        /// A TCP connection.
        tcp("tcp"): Transfer,
        /// A UDP datagram, proved at the receiver.
        udp("udp"): Transfer,
        /// An HTTP request.
        http("http"): Http,
        /// A DNS query.
        dns("dns"): DnsQuery,
        /// The routers on the way to a target.
        trace("trace"): Trace,
        /// An ARP request on the wire.
        arp("arp"): Solicit,
        /// An IPv6 neighbour solicitation on the wire.
        ndp("ndp"): Solicit,
        /// An entry of the neighbour table.
        neigh("neigh"): Neigh,
        /// A route in the table, or the route an address would take.
        route("route"): RouteCheck,
        /// An interface.
        link("link"): LinkCheck,
        /// A setting below `net.*`.
        sysctl("sysctl"): SysctlCheck,
        /// Addresses of an interface.
        addr("addr"): AddrCheck,
        /// An entry of a bridge's forwarding table.
        fdb("fdb"): FdbCheck,
        /// All interfaces of a node.
        links("links"): LinksCheck,
        /// All routes of a node's main table.
        routes("routes"): RoutesCheck,
        /// All neighbours that a node knows.
        neighs("neighs"): NeighsCheck,
        /// Nodes of which none sees what another has.
        isolated("isolated"): IsolatedCheck,
        /// A program, and what its end must be.
        run("run"): Run,
    }
}

record! {
    /// ICMP echo from every sender to every target.
    pub struct Ping {
        /// The sending nodes.
        from("from"): Many<Spanned<String>>,
        /// Addresses, nodes, or `NODE.INTERFACE`.
        to("to"): Many<Spanned<String>>,
        /// Only this family.
        family("family"): Option<Spanned<Family>>,
        /// The source address.
        source("source"): Option<Spanned<IpAddr>>,
        /// What must happen (default: "reachable"); a list means any of these.
        outcome("outcome"): Option<Many<Spanned<Outcome>>>,
        /// Who must have sent the refusal: a node or an address.
        by("by"): Option<Spanned<String>>,
        /// Who must have dropped it, as a second probe proves: a node, or `{ node = "...", rule = "..." }`.
        dropped_by("dropped-by"): Option<Spanned<Refuser>>,
        /// Who must have rejected it, as a second probe proves: a node, or `{ node = "...", rule = "..." }`.
        rejected_by("rejected-by"): Option<Spanned<Refuser>>,
        /// How many requests; every one must be answered (default: 1).
        count("count"): Option<Spanned<Number<1, 1000>>>,
        /// Bytes of payload (default: 56).
        size("size"): Option<Spanned<Number<0, 65507>>>,
        /// Time to live, or hop limit.
        ttl("ttl"): Option<Spanned<Number<1, 255>>>,
        /// How much may be lost, such as "<= 20%".
        lost("lost"): Option<Spanned<Loss>>,
    }
}

record! {
    /// A TCP connection, or a UDP datagram, from every sender to every target.
    pub struct Transfer {
        /// The sending nodes.
        from("from"): Many<Spanned<String>>,
        /// `NODE:PORT` or `ADDRESS:PORT` (`[ADDRESS]:PORT` for IPv6).
        to("to"): Many<Spanned<String>>,
        /// Only this family.
        family("family"): Option<Spanned<Family>>,
        /// The source address.
        source("source"): Option<Spanned<IpAddr>>,
        /// What must happen (default: "open"); a list means any of these.
        outcome("outcome"): Option<Many<Spanned<Outcome>>>,
        /// Who must have sent the refusal: a node or an address.
        by("by"): Option<Spanned<String>>,
        /// Who must have dropped it, as a second probe proves: a node, or `{ node = "...", rule = "..." }`.
        dropped_by("dropped-by"): Option<Spanned<Refuser>>,
        /// Who must have rejected it, as a second probe proves: a node, or `{ node = "...", rule = "..." }`.
        rejected_by("rejected-by"): Option<Spanned<Refuser>>,
        /// Which source address the server must see: an address, `NODE.INTERFACE`, or a list of which any will do.
        seen_from("seen-from"): Option<Many<Spanned<String>>>,
    }
}

record! {
    /// An HTTP/1.1 request from every sender.
    pub struct Http {
        /// The sending nodes.
        from("from"): Many<Spanned<String>>,
        /// `http://NODE:PORT/PATH` or `http://ADDRESS/PATH`.
        url("url"): Spanned<String>,
        /// Only this family.
        family("family"): Option<Spanned<Family>>,
        /// The source address.
        source("source"): Option<Spanned<IpAddr>>,
        /// The method (default: "GET").
        method("method"): Option<Spanned<String>>,
        /// What the request carries beside the method.
        request("request"): Option<HttpRequest>,
        /// The status of the answer; a list means any of these.
        status("status"): Option<Many<Spanned<Number<100, 599>>>>,
        /// Header fields of the answer, each a text or a table of conditions.
        headers("headers"): Option<Map<Spanned<Matcher>>>,
        /// The body of the answer, a text or a table of conditions.
        body("body"): Option<Spanned<Matcher>>,
        /// How many redirects are followed (default: 0).
        redirects("redirects"): Option<Spanned<Number<0, 20>>>,
        /// What must happen instead of an answer: the words of `tcp`.
        outcome("outcome"): Option<Many<Spanned<Outcome>>>,
        /// Who must have sent the refusal: a node or an address.
        by("by"): Option<Spanned<String>>,
        /// Who must have dropped it, as a second probe proves: a node, or `{ node = "...", rule = "..." }`.
        dropped_by("dropped-by"): Option<Spanned<Refuser>>,
        /// Who must have rejected it, as a second probe proves: a node, or `{ node = "...", rule = "..." }`.
        rejected_by("rejected-by"): Option<Spanned<Refuser>>,
        /// Which source address the server must see: an address, `NODE.INTERFACE`, or a list of which any will do.
        seen_from("seen-from"): Option<Many<Spanned<String>>>,
    }
}

record! {
    /// Header fields and body of a request.
    pub struct HttpRequest {
        /// Header fields.
        headers("headers"): Option<Map<Spanned<String>>>,
        /// The body.
        body("body"): Option<Spanned<String>>,
    }
}

record! {
    /// A DNS query from every sender.
    pub struct DnsQuery {
        /// The sending nodes.
        from("from"): Many<Spanned<String>>,
        /// Who is asked: `NODE`, `ADDRESS`, or either with `:PORT` (default: the sender's `resolver`, port 53).
        server("server"): Option<Spanned<String>>,
        /// The name asked for.
        name("name"): Spanned<String>,
        /// The type asked for (default: "A").
        r#type("type"): Option<Spanned<RecordType>>,
        /// "udp" (default) or "tcp".
        transport("transport"): Option<Spanned<Transport>>,
        /// Only by this family.
        family("family"): Option<Spanned<Family>>,
        /// The source address.
        source("source"): Option<Spanned<IpAddr>>,
        /// Exactly these records of the type asked for, in any order; an empty list means none.
        answer("answer"): Option<Exactly<String>>,
        /// The response code (default with `answer`: "noerror").
        rcode("rcode"): Option<Spanned<Rcode>>,
        /// What must happen instead of an answer: the words of `udp`.
        outcome("outcome"): Option<Many<Spanned<Outcome>>>,
        /// Who must have sent the refusal: a node or an address.
        by("by"): Option<Spanned<String>>,
        /// Who must have dropped it, as a second probe proves: a node, or `{ node = "...", rule = "..." }`.
        dropped_by("dropped-by"): Option<Spanned<Refuser>>,
        /// Who must have rejected it, as a second probe proves: a node, or `{ node = "...", rule = "..." }`.
        rejected_by("rejected-by"): Option<Spanned<Refuser>>,
    }
}

record! {
    /// The way of an echo request, found by letting its time to live run out at each router.
    pub struct Trace {
        /// The sending nodes.
        from("from"): Many<Spanned<String>>,
        /// Addresses, nodes, or `NODE.INTERFACE`.
        to("to"): Many<Spanned<String>>,
        /// The routers that it passes, in order: nodes or addresses; "*" for one that says nothing.
        via("via"): List<Spanned<String>>,
        /// Only this family.
        family("family"): Option<Spanned<Family>>,
        /// The source address.
        source("source"): Option<Spanned<IpAddr>>,
    }
}

record! {
    /// A question on the wire: who has this address?
    pub struct Solicit {
        /// Where the request is sent: a node, or `NODE.INTERFACE`.
        from("from"): Many<Spanned<String>>,
        /// The address asked for: an address, a node, or `NODE.INTERFACE`.
        to("to"): Many<Spanned<String>>,
        /// The MAC address that answers: written out, or as `NODE.INTERFACE`; a list means exactly these.
        mac("mac"): Option<Many<Spanned<String>>>,
        /// "answered" (default), "several" or "silent"; a list means any of these.
        outcome("outcome"): Option<Many<Spanned<Answer>>>,
    }
}

record! {
    /// An entry of a node's neighbour table.
    pub struct Neigh {
        /// The nodes, or `NODE.INTERFACE`.
        on("on"): Many<Spanned<String>>,
        /// The neighbour: an address, a node, or `NODE.INTERFACE`.
        to("to"): Many<Spanned<String>>,
        /// Only this family.
        family("family"): Option<Spanned<Family>>,
        /// Its MAC address: written out, or as `NODE.INTERFACE`.
        mac("mac"): Option<Spanned<String>>,
        /// Its state; a list means any of these.
        state("state"): Option<Many<Spanned<NeighState>>>,
        /// `false`: there is no such entry.
        present("present"): Option<Spanned<bool>>,
    }
}

record! {
    /// A route in the main table (`to`), or the route that an address would take (`get`).
    pub struct RouteCheck {
        /// The nodes.
        on("on"): Many<Spanned<String>>,
        /// A prefix, or "default": the table has a route to exactly this.
        to("to"): Option<Spanned<String>>,
        /// An address, a node, or `NODE.INTERFACE`: the route the kernel would choose for it.
        get("get"): Option<Spanned<String>>,
        /// Only this family; with `to = "default"` IPv4 when absent.
        family("family"): Option<Spanned<Family>>,
        /// The gateway.
        via("via"): Option<Spanned<IpAddr>>,
        /// The interface it leaves by.
        dev("dev"): Option<Spanned<String>>,
        /// The source address.
        src("src"): Option<Spanned<IpAddr>>,
        /// Who made it.
        proto("proto"): Option<Spanned<RouteProto>>,
        /// How far the destination is.
        scope("scope"): Option<Spanned<RouteScope>>,
        /// What it does.
        r#type("type"): Option<Spanned<RouteKind>>,
        /// Its metric.
        metric("metric"): Option<Spanned<Number<0, 4_294_967_295>>>,
        /// `false`: there is no such route.
        present("present"): Option<Spanned<bool>>,
    }
}

record! {
    /// An interface as the kernel has it.
    pub struct LinkCheck {
        /// `NODE.INTERFACE`.
        on("on"): Many<Spanned<String>>,
        /// `false`: there is no such interface.
        present("present"): Option<Spanned<bool>>,
        /// What the administrator asked for.
        admin("admin"): Option<Spanned<Admin>>,
        /// Whether there is a carrier.
        carrier("carrier"): Option<Spanned<bool>>,
        /// The operational state; a list means any of these.
        state("state"): Option<Many<Spanned<LinkState>>>,
        /// The largest packet in bytes.
        mtu("mtu"): Option<Spanned<Number<0, 65536>>>,
        /// Its MAC address: written out, or as `NODE.INTERFACE`.
        mac("mac"): Option<Spanned<String>>,
        /// The bridge it is a port of; "" for none.
        master("master"): Option<Spanned<String>>,
        /// The other end, as `NODE.INTERFACE`.
        peer("peer"): Option<Spanned<String>>,
        /// Its kind, as `ip link add type` calls it.
        kind("kind"): Option<Spanned<String>>,
        /// The id of a VXLAN or a VLAN.
        id("id"): Option<Spanned<Number<0, 16_777_215>>>,
        /// What carries it: an interface of the node, or `NODE.INTERFACE`.
        dev("dev"): Option<Spanned<String>>,
        /// Its addresses, exactly these (link-local ones of the kernel aside).
        address("address"): Option<Exactly<Cidr>>,
    }
}

/// All there must be: one, or a list, of which an empty one means none.
#[derive(Clone, Debug)]
pub struct Exactly<T> {
    /// The values in the order of the file.
    pub items: Vec<Spanned<T>>,
    /// Where the value stands.
    pub span: Span,
}

impl<T> Decode for Exactly<T>
where
    Spanned<T>: Decode,
{
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let span = value.span().into();
        match value.get_ref() {
            toml::de::DeValue::Array(items) => {
                let items = items.iter().filter_map(|item| <Spanned<T>>::decode(item, out)).collect();
                Some(Self { items, span })
            }
            _ => <Spanned<T>>::decode(value, out).map(|one| Self { items: vec![one], span }),
        }
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Exactly<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Exactly{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}
