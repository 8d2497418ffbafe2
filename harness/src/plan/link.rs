//! What an interface is.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::End;
use crate::words::MacvlanMode;

/// What an interface is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceKind {
    /// `lo`.
    Loopback,
    /// One end of a veth pair.
    Veth {
        /// The other end.
        peer: End,
    },
    /// A bridge.
    Bridge,
    /// A tunnel for Ethernet frames.
    Vxlan(Vxlan),
    /// One VLAN of another interface.
    Vlan {
        /// What carries it.
        dev: End,
        /// The number in its tags.
        id: u16,
    },
    /// A further MAC address of another interface.
    Macvlan {
        /// What carries it, possibly in another node.
        dev: End,
        /// Whom it lets its siblings reach.
        mode: MacvlanMode,
    },
    /// It swallows what it is given.
    Dummy,
    /// What a script makes; the rest is read when it has run.
    Found,
}

/// A tunnel for Ethernet frames in UDP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vxlan {
    /// The network identifier.
    pub id: u32,
    /// The UDP port of both ends.
    pub port: u16,
    /// The interface it sends by.
    pub dev: Option<End>,
    /// The address it sends from.
    pub local: Option<IpAddr>,
    /// The other ends, at least one, all of one family.
    pub remotes: Vec<IpAddr>,
    /// Whether it learns which MAC address is behind which remote.
    pub learning: bool,
}

impl Vxlan {
    /// How many bytes of a packet of the underlay are not the packet of the overlay: the inner Ethernet header (14),
    /// VXLAN (8), UDP (8), and IPv4 (20) or IPv6 (40); RFC 7348, section 5.
    pub fn overhead(&self) -> u32 {
        if self.remotes.first().is_some_and(IpAddr::is_ipv6) { 70 } else { 50 }
    }
}

impl InterfaceKind {
    /// As `ip link add type` calls it; `lo` has no word there.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Loopback | Self::Found => "",
            Self::Veth { .. } => "veth",
            Self::Bridge => "bridge",
            Self::Vxlan(_) => "vxlan",
            Self::Vlan { .. } => "vlan",
            Self::Macvlan { .. } => "macvlan",
            Self::Dummy => "dummy",
        }
    }

    /// Whether a kernel may not know it: no case runs without the others.
    pub fn is_optional(&self) -> bool {
        match self {
            Self::Vxlan(_) | Self::Vlan { .. } | Self::Macvlan { .. } | Self::Dummy => true,
            Self::Loopback | Self::Veth { .. } | Self::Bridge | Self::Found => false,
        }
    }

    /// The interface that carries it.
    pub fn dev(&self) -> Option<End> {
        match self {
            Self::Vlan { dev, .. } | Self::Macvlan { dev, .. } => Some(*dev),
            Self::Vxlan(vxlan) => vxlan.dev,
            Self::Loopback | Self::Veth { .. } | Self::Bridge | Self::Dummy | Self::Found => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn dev_mut(&mut self) -> Option<&mut End> {
        match self {
            Self::Vlan { dev, .. } | Self::Macvlan { dev, .. } => Some(dev),
            Self::Vxlan(vxlan) => vxlan.dev.as_mut(),
            Self::Loopback | Self::Veth { .. } | Self::Bridge | Self::Dummy | Self::Found => None,
        }
    }
}
