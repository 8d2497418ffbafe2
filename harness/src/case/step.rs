//! What happens in the lab, step by step, as written.

use std::net::IpAddr;

use super::decode::record;
use super::expect::Expect;
use super::link::{Bridge, Dummy, Macvlan, Veth, Vlan, Vxlan};
use super::program::Run;
use super::rules::Rules;
use super::scalar::SysctlValue;
use super::shape::{List, Many, Map, Number};
use crate::source::Spanned;
use crate::words::{Cidr, Mac, RouteType};

record! {
    /// Something is done, then something must hold.
    pub struct Step {
        /// What the step is about; it stands before the names of its expectations in reports.
        title("title"): Option<Spanned<String>>,
        /// What is done, in order. An action that fails stops the case.
        r#do("do"): Option<List<Action>>,
        /// What must hold then.
        expect("expect"): Option<List<Expect>>,
    }
}

record! {
    /// One action; exactly one kind.
    pub struct Action {
    }
    one of {
        /// Makes an interface, or a veth pair.
        link_add("link-add"): LinkAdd,
        /// Changes an interface.
        link_set("link-set"): LinkSet,
        /// Deletes an interface; a veth goes with its other end.
        link_del("link-del"): LinkDel,
        /// Gives an interface addresses.
        addr_add("addr-add"): AddrChange,
        /// Takes addresses from an interface.
        addr_del("addr-del"): AddrChange,
        /// Adds a route.
        route_add("route-add"): RouteChange,
        /// Deletes a route.
        route_del("route-del"): RouteChange,
        /// Deletes what a node has learned about its neighbours.
        neigh_flush("neigh-flush"): NeighFlush,
        /// Sets settings under `net.*`.
        sysctl("sysctl"): SysctlChange,
        /// Starts a service that the case declares.
        service_start("service-start"): ServiceChange,
        /// Stops a service.
        service_stop("service-stop"): ServiceChange,
        /// Loads rules by the programs they are written for.
        rules("rules"): RulesLoad,
        /// Runs a program to its end.
        run("run"): Run,
    }
}

record! {
    /// An interface to be made. It is down until `link-set` takes it up.
    pub struct LinkAdd {
        /// `NODE.INTERFACE`, new.
        on("on"): Spanned<String>,
        /// The MAC address.
        mac("mac"): Option<Spanned<Mac>>,
        /// The largest packet in bytes.
        mtu("mtu"): Option<Spanned<Number<68, 65535>>>,
    }
    one of {
        /// A veth pair whose other end, new as well, is named here.
        veth("veth"): Veth,
        /// A bridge, still without ports.
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
    /// Changes of an interface, in the order of the keys here.
    pub struct LinkSet {
        /// `NODE.INTERFACE`.
        on("on"): Spanned<String>,
        /// Another node to move it to. It loses its addresses and is down there.
        node("node"): Option<Spanned<String>>,
        /// Another name. Before Linux 6.2 the kernel renames an interface only while it is down.
        name("name"): Option<Spanned<String>>,
        /// Another MAC address.
        mac("mac"): Option<Spanned<Mac>>,
        /// Another largest packet, in bytes.
        mtu("mtu"): Option<Spanned<Number<68, 65535>>>,
        /// The bridge it becomes a port of; "" for none.
        master("master"): Option<Spanned<String>>,
        /// Up or down.
        up("up"): Option<Spanned<bool>>,
    }
}

record! {
    /// An interface to be deleted.
    pub struct LinkDel {
        /// `NODE.INTERFACE`.
        on("on"): Spanned<String>,
    }
}

record! {
    /// Addresses of an interface.
    pub struct AddrChange {
        /// `NODE.INTERFACE`.
        on("on"): Spanned<String>,
        /// One address, or several, each with its prefix.
        address("address"): Many<Spanned<Cidr>>,
    }
}

record! {
    /// A route of a node.
    pub struct RouteChange {
        /// The node.
        on("on"): Spanned<String>,
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
    /// Where learned neighbours are deleted.
    pub struct NeighFlush {
        /// A node, or `NODE.INTERFACE`.
        on("on"): Spanned<String>,
    }
}

record! {
    /// Settings of a node.
    pub struct SysctlChange {
        /// The node.
        on("on"): Spanned<String>,
        /// Settings such as `"net.ipv4.ip_forward" = 1`.
        set("set"): Map<Spanned<SysctlValue>>,
    }
}

record! {
    /// Rules to be loaded.
    pub struct RulesLoad {
        /// The node.
        on("on"): Spanned<String>,
        /// A path, rules as text, or a table with `nft`, `iptables` or `ip6tables`; one or several.
        load("load"): Many<Rules>,
    }
}

record! {
    /// A service of a node.
    pub struct ServiceChange {
        /// The node.
        on("on"): Spanned<String>,
        /// The service's name.
        service("service"): Spanned<String>,
    }
}
