//! The kinds of interface, as written: one table each, in the words of `ip link`.

use std::net::IpAddr;

use super::decode::record;
use super::shape::{List, Many, Number};
use crate::source::Spanned;
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
