//! What a list of the kernel's must hold.

use serde::{Deserialize, Serialize};

use super::NodeId;
use crate::words::{Family, Mac};

/// A list of the kernel's, and what must stand in it. Every entry is a text, as the list has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The node.
    pub on: NodeId,
    /// Which list.
    pub list: List,
    /// How it must be.
    pub must: Must,
    /// The entries; none stands for any, unless the list must be exactly so.
    pub entries: Vec<Entry>,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// As the kernel's list has it.
    pub value: String,
    /// As the user wrote it.
    pub words: String,
}

/// Which list is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum List {
    /// The value of a setting; nothing where the kernel has no such setting.
    Setting {
        /// The path below `/proc/sys`.
        path: String,
        /// As the user wrote it.
        key: String,
    },
    /// The addresses of an interface, each with its prefix.
    Addresses {
        /// The interface.
        dev: String,
    },
    /// The ports behind which a bridge has a MAC address.
    Ports {
        /// The bridge.
        bridge: String,
        /// The address, and how the user wrote it.
        mac: (Mac, String),
    },
    /// The names of the interfaces.
    Links,
    /// The prefixes of the main table.
    Routes {
        /// Only those of this family.
        family: Option<Family>,
    },
    /// The addresses of the neighbours.
    Neighbours {
        /// Only those on this interface.
        dev: Option<String>,
        /// Only those of this family.
        family: Option<Family>,
    },
}

/// How a list must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Must {
    /// It has all of these.
    Have,
    /// It has none of these.
    Lack,
    /// It has these and no others.
    BeExactly,
}
