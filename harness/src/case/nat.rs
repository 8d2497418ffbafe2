//! Translation of addresses, as written.

use std::net::IpAddr;

use super::decode::record;
use super::shape::Many;
use crate::source::Spanned;
use crate::words::{Cidr, Family, Port};

record! {
    /// A translation of addresses; exactly one kind.
    pub struct Nat {
    }
    one of {
        /// What leaves gets the address of the interface that it leaves by.
        masquerade("masquerade"): Masquerade,
        /// What leaves gets an address of your choice.
        snat("snat"): Snat,
        /// What comes for this node goes to another one.
        forward("forward"): Forward,
    }
}

record! {
    /// What leaves gets the address of the interface that it leaves by.
    pub struct Masquerade {
        /// Only what comes from these prefixes.
        src("src"): Option<Many<Spanned<Cidr>>>,
        /// Only what leaves by this interface.
        dev("dev"): Option<Spanned<String>>,
        /// Only this family (default: that of `src`, else both).
        family("family"): Option<Spanned<Family>>,
    }
}

record! {
    /// What leaves gets an address of your choice.
    pub struct Snat {
        /// Only what comes from these prefixes.
        src("src"): Option<Many<Spanned<Cidr>>>,
        /// Only what leaves by this interface.
        dev("dev"): Option<Spanned<String>>,
        /// The source address from here on.
        to("to"): Spanned<IpAddr>,
    }
}

record! {
    /// What comes for this node goes to another one: from outside, from behind, and from the node itself.
    pub struct Forward {
        /// Only what is for an address of this interface.
        dev("dev"): Option<Spanned<String>>,
        /// Only what is for this address.
        address("address"): Option<Spanned<IpAddr>>,
        /// Only what is for this port, such as "80/tcp".
        port("port"): Option<Spanned<Port>>,
        /// Where it goes: `ADDRESS`, or `ADDRESS:PORT` for another port (`[ADDRESS]:PORT` for IPv6).
        to("to"): Spanned<String>,
    }
}
