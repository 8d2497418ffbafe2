//! The kinds of interface, as written: one table each, in the words of `ip link`.

use std::net::IpAddr;

use super::decode::record;
use super::shape::{List, Many, Number};
use crate::source::{Span, Spanned};
use crate::words::MacvlanMode;

record! {
    /// A virtual cable.
    pub struct Veth {
        /// The other end, as `NODE.INTERFACE`. It needs no entry of its own.
        peer("peer"): Spanned<String>,
    }
}

record! {
    /// A switch inside a node.
    pub struct Bridge {
        /// The interfaces of the same node that are its ports.
        ports("ports"): Option<List<Spanned<String>>>,
    }
}

record! {
    /// A tunnel for Ethernet frames, in UDP (RFC 7348).
    pub struct Vxlan {
        /// The network identifier: both ends say the same.
        id("id"): Spanned<Number<0, 16_777_215>>,
        /// The other end: an address, a node, or `NODE.INTERFACE`. Of a list, each gets what is not known to be
        /// behind one of them.
        remote("remote"): Many<Spanned<String>>,
        /// The node's own address that it sends from.
        local("local"): Option<Spanned<IpAddr>>,
        /// The interface it sends by; the largest packet follows from it.
        dev("dev"): Option<Spanned<String>>,
        /// The UDP port of both ends (default: 4789).
        port("port"): Option<Spanned<Number<1, 65535>>>,
        /// Whether it learns which MAC address is behind which remote (default: true).
        learning("learning"): Option<Spanned<bool>>,
    }
}

record! {
    /// One VLAN of another interface (IEEE 802.1Q).
    pub struct Vlan {
        /// The interface of the same node that carries it.
        dev("dev"): Spanned<String>,
        /// The number in its tags.
        id("id"): Spanned<Number<1, 4094>>,
    }
}

record! {
    /// A further MAC address of another interface, as an interface of its own.
    pub struct Macvlan {
        /// The interface it shares the link of: one of the same node, or `NODE.INTERFACE`.
        dev("dev"): Spanned<String>,
        /// "bridge" (default), "private" or "vepa".
        mode("mode"): Option<Spanned<MacvlanMode>>,
    }
}

record! {
    /// An interface that swallows what it is given; its addresses are the node's.
    pub struct Dummy {}
}

/// What an interface is said to be. It is to be one of these; as written there may be several, or none.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    /// An end of a veth.
    pub veth: Option<Veth>,
    /// A bridge.
    pub bridge: Option<Bridge>,
    /// A VXLAN.
    pub vxlan: Option<Vxlan>,
    /// A VLAN.
    pub vlan: Option<Vlan>,
    /// A macvlan.
    pub macvlan: Option<Macvlan>,
    /// A dummy.
    pub dummy: Option<Dummy>,
}

impl Kinds {
    /// The words of all kinds.
    pub const WORDS: [&'static str; 6] = ["veth", "bridge", "vxlan", "vlan", "macvlan", "dummy"];

    /// The kinds that are said, with their places, in the order of the file.
    pub fn given(&self) -> Vec<(&'static str, Span)> {
        let Self { veth, bridge, vxlan, vlan, macvlan, dummy } = self;
        let places = [
            veth.as_ref().map(|veth| veth.span),
            bridge.as_ref().map(|bridge| bridge.span),
            vxlan.as_ref().map(|vxlan| vxlan.span),
            vlan.as_ref().map(|vlan| vlan.span),
            macvlan.as_ref().map(|macvlan| macvlan.span),
            dummy.as_ref().map(|dummy| dummy.span),
        ];
        let mut given: Vec<_> =
            Self::WORDS.into_iter().zip(places).filter_map(|(word, place)| Some((word, place?))).collect();
        given.sort_by_key(|(_, place)| *place);
        given
    }
}
