//! Nodes, interfaces, routes and networks, as written.

use std::net::IpAddr;

use schemars::JsonSchema;

use super::decode::{Decode, Value, mismatch, record};
use super::link::{Bridge, Dummy, Macvlan, Veth, Vlan, Vxlan};
use super::nat::Nat;
use super::rules::Rules;
use super::scalar::{Forwarding, SysctlValue};
use super::service::Service;
use super::shape::{List, Many, Map, Number};
use crate::diagnostic::Diagnostics;
use crate::source::{Span, Spanned};
use crate::words::{Cidr, Ipv6Mode, Mac, RouteType};

record! {
    /// A simulated machine: one network namespace. Its name is its host name.
    pub struct Node {
        /// The interfaces by name. `lo` is always there.
        interfaces("interfaces"): Option<Map<Interface>>,
        /// Static routes, added in this order after all interfaces are up.
        routes("routes"): Option<List<Route>>,
        /// Whether the node forwards packets between its interfaces: `true`, `false` (default), "ipv4" or "ipv6".
        forwarding("forwarding"): Option<Spanned<Forwarding>>,
        /// How the node translates addresses, in this order: `masquerade`, `snat`, `forward`.
        nat("nat"): Option<List<Nat>>,
        /// Whole prefixes that the node answers for, as if it had every address in them.
        serves("serves"): Option<List<Spanned<Cidr>>>,
        /// Settings under `net.*`, such as `"net.ipv4.conf.all.rp_filter" = 1`.
        sysctls("sysctls"): Option<Map<Spanned<SysctlValue>>>,
        /// Who resolves names for it: a node that serves DNS, `NODE.INTERFACE` or an address; the first is asked.
        resolver("resolver"): Option<Many<Spanned<String>>>,
        /// The services by name.
        services("services"): Option<Map<Service>>,
        /// A script, or several, run in this order as root of the node once all links exist.
        setup("setup"): Option<Many<Spanned<String>>>,
        /// The node whose scripts make this one, as a network namespace of its name.
        created_by("created-by"): Option<Spanned<String>>,
        /// Rules for nft or iptables, loaded unchanged by the real programs: a path, or the text itself.
        rules("rules"): Option<Many<Rules>>,
        /// Files and folders of the case that the node's programs find at these absolute paths, read-only.
        files("files"): Option<Map<Spanned<String>>>,
    }
}

record! {
    /// One end of a link. Without a kind it is the far end of a `veth` declared elsewhere.
    pub struct Interface {
        /// One address, or several, each with its prefix.
        address("address"): Option<Many<Spanned<Cidr>>>,
        /// The MAC address; without it, one that is the same in every run.
        mac("mac"): Option<Spanned<Mac>>,
        /// The largest packet in bytes.
        mtu("mtu"): Option<Spanned<Number<68, 65535>>>,
        /// Whether the interface is up (default: true).
        up("up"): Option<Spanned<bool>>,
        /// "link-local" turns IPv6 on without an address of its own.
        ipv6("ipv6"): Option<Spanned<Ipv6Mode>>,
    }
    one of {
        /// A veth pair whose other end is named here.
        veth("veth"): Veth,
        /// A bridge and its ports.
        bridge("bridge"): Bridge,
        /// A tunnel for Ethernet frames, in UDP.
        vxlan("vxlan"): Vxlan,
        /// One VLAN of another interface.
        vlan("vlan"): Vlan,
        /// A further MAC address of another interface.
        macvlan("macvlan"): Macvlan,
        /// An interface that swallows what it is given; its addresses are the node's.
        dummy("dummy"): Dummy,
    }
}

record! {
    /// A static route.
    pub struct Route {
        /// A prefix, or "default".
        to("to"): Spanned<String>,
        /// The gateway.
        via("via"): Option<Spanned<IpAddr>>,
        /// The interface it leaves by.
        dev("dev"): Option<Spanned<String>>,
        /// The source address for packets of the node itself.
        src("src"): Option<Spanned<IpAddr>>,
        /// Among routes to one prefix the smallest wins.
        metric("metric"): Option<Spanned<Number<0, 4_294_967_295>>>,
        /// The gateway is on the link even if no address says so.
        onlink("onlink"): Option<Spanned<bool>>,
        /// "unicast" (default), "blackhole", "unreachable" or "prohibit".
        r#type("type"): Option<Spanned<RouteType>>,
    }
}

record! {
    /// A switch with members: each gets `eth0`, `eth1`, ... and an address.
    pub struct Network {
        /// One prefix, or one of each family.
        subnet("subnet"): Many<Spanned<Cidr>>,
        /// Node names, or a table from node name to address.
        members("members"): Option<Members>,
        /// The node that is the members' default route, or a table of that node and its address.
        gateway("gateway"): Option<Members>,
        /// The largest packet in bytes, for every interface of the network.
        mtu("mtu"): Option<Spanned<Number<68, 65535>>>,
    }
}

/// Nodes on a network, some with addresses of their choice.
#[derive(Clone, Debug)]
pub struct Members {
    /// Node name, and the addresses asked for.
    pub entries: Vec<(Spanned<String>, Vec<Spanned<IpAddr>>)>,
    /// Where the value stands.
    pub span: Span,
}

impl Decode for Members {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let span: Span = value.span().into();
        let entries = match value.get_ref() {
            toml::de::DeValue::String(_) | toml::de::DeValue::Array(_) => {
                <Many<Spanned<String>>>::decode(value, out)?.items.into_iter().map(|name| (name, Vec::new())).collect()
            }
            toml::de::DeValue::Table(_) => <Map<Many<Spanned<IpAddr>>>>::decode(value, out)?
                .entries
                .into_iter()
                .map(|(name, addresses)| (name, addresses.map(|many| many.items).unwrap_or_default()))
                .collect(),
            _ => {
                out.push(mismatch(value, "a list of node names, or a table from node name to address"));
                return None;
            }
        };
        Some(Self { entries, span })
    }
}

impl JsonSchema for Members {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Members".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = generator.subschema_for::<Many<String>>();
        let table = generator.subschema_for::<Map<Many<IpAddr>>>();
        schemars::json_schema!({ "anyOf": [names, table] })
    }
}
