//! What the kernel's lists must hold, as written: settings, addresses, forwarding entries, interfaces, routes,
//! neighbours.

use super::decode::record;
use super::expect::Exactly;
use super::scalar::SysctlValue;
use super::shape::{List, Many};
use crate::source::Spanned;
use crate::words::{Cidr, Family};

record! {
    /// A setting below `net.*`.
    pub struct SysctlCheck {
        /// The nodes.
        on("on"): Many<Spanned<String>>,
        /// The setting, as in sysctl(8).
        key("key"): Spanned<String>,
        /// Its value; white space counts as one space.
        value("value"): Spanned<SysctlValue>,
    }
}

record! {
    /// Addresses of an interface; one of `address` and `exactly`.
    pub struct AddrCheck {
        /// `NODE.INTERFACE`.
        on("on"): Many<Spanned<String>>,
        /// The interface has these, whatever else it has.
        address("address"): Option<Exactly<Cidr>>,
        /// `false`: it has none of these.
        present("present"): Option<Spanned<bool>>,
        /// It has these and no others (link-local ones of the kernel aside).
        exactly("exactly"): Option<Exactly<Cidr>>,
    }
}

record! {
    /// An entry of a bridge's forwarding table: the port behind which a MAC address is.
    pub struct FdbCheck {
        /// The bridge, as `NODE.INTERFACE`.
        on("on"): Many<Spanned<String>>,
        /// The MAC address: written out, or as `NODE.INTERFACE`.
        mac("mac"): Spanned<String>,
        /// The port; without it, any.
        port("port"): Option<Spanned<String>>,
        /// `false`: there is no such entry.
        present("present"): Option<Spanned<bool>>,
    }
}

record! {
    /// Nodes of which none sees what another has.
    pub struct IsolatedCheck {
        /// Two nodes or more.
        on("on"): Many<Spanned<String>>,
    }
}

record! {
    /// All interfaces of a node.
    pub struct LinksCheck {
        /// The nodes.
        on("on"): Many<Spanned<String>>,
        /// Their names; `lo` is always there and need not be named.
        exactly("exactly"): List<Spanned<String>>,
    }
}

record! {
    /// All routes of a node's main table.
    pub struct RoutesCheck {
        /// The nodes.
        on("on"): Many<Spanned<String>>,
        /// Only this family.
        family("family"): Option<Spanned<Family>>,
        /// The prefixes, or "default"; the kernel's own routes to attached networks are among them.
        exactly("exactly"): List<Spanned<String>>,
    }
}

record! {
    /// All neighbours that a node knows.
    pub struct NeighsCheck {
        /// The nodes, or `NODE.INTERFACE`.
        on("on"): Many<Spanned<String>>,
        /// Only this family.
        family("family"): Option<Spanned<Family>>,
        /// Addresses, nodes, or `NODE.INTERFACE`.
        exactly("exactly"): List<Spanned<String>>,
    }
}
