//! Messages of `nf_tables`: a netlink header, a header of netfilter, attributes.
//!
//! Source of all numbers: linux/netlink.h, linux/netfilter/nfnetlink.h, `linux/netfilter/nf_tables.h`.

use super::attributes::Attributes;

/// Length of `struct nlmsghdr` and of `struct nfgenmsg`.
pub(super) const HEADER: usize = 16;
pub(super) const FAMILY_HEADER: usize = 4;

/// `NFPROTO_INET`: IPv4 and IPv6 in one table.
const INET: u8 = 1;

/// `NFPROTO_UNSPEC`: every family.
const EVERY: u8 = 0;

/// `NFNL_SUBSYS_NFTABLES`.
const NF_TABLES: u16 = 10;

/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`: what stands between is done as a whole or not at all.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_DUMP`, `NLM_F_CREATE`, `NLM_F_APPEND`.
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// What a message is about: `NFT_MSG_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NewTable = 0,
    GetTables = 1,
    DelTable = 2,
    NewChain = 3,
    GetChains = 4,
    NewRule = 6,
    GetRules = 7,
    Trace = 17,
}

impl Kind {
    /// The type of a netlink message.
    pub(super) fn number(self) -> u16 {
        NF_TABLES << 8 | self as u16
    }

    fn flags(self) -> u16 {
        REQUEST
            | match self {
                Self::NewTable | Self::NewChain => ACK | CREATE,
                Self::NewRule => ACK | CREATE | APPEND,
                Self::DelTable => ACK,
                Self::GetTables | Self::GetChains | Self::GetRules => DUMP,
                // Only the kernel says these.
                Self::Trace => 0,
            }
    }
}

/// `NFNL_SUBSYS_CTNETLINK`.
const CONNTRACK: u16 = 1;

/// What connection tracking has: `IPCTNL_MSG_CT_*` of `linux/netfilter/nfnetlink_conntrack.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracked {
    Connections = 1,
    Statistics = 4,
}

impl Tracked {
    /// The type of the messages that answer: a connection is told as a new one (`IPCTNL_MSG_CT_NEW`).
    pub(super) fn answer(self) -> u16 {
        CONNTRACK << 8
            | match self {
                Self::Connections => 0,
                Self::Statistics => 4,
            }
    }
}

/// The request for everything of a kind that connection tracking has, of all families.
pub(super) fn dump_tracked(kind: Tracked) -> Vec<u8> {
    message(CONNTRACK << 8 | kind as u16, REQUEST | DUMP, 1, (0, 0), &[])
}

/// Requests that are done together.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    next: u32,
}

impl Batch {
    /// An empty batch.
    pub(super) fn new() -> Self {
        let mut batch = Self { bytes: Vec::new(), next: 0 };
        batch.mark(BATCH_BEGIN);
        batch
    }

    /// Adds a request about IPv4 and IPv6; its place is the sequence number by which the kernel answers it.
    pub(super) fn add(&mut self, kind: Kind, attributes: &Attributes) -> u32 {
        self.add_in(INET, kind, attributes)
    }

    /// Adds a request about a family.
    pub(super) fn add_in(&mut self, family: u8, kind: Kind, attributes: &Attributes) -> u32 {
        self.next += 1;
        self.bytes.extend(message(kind.number(), kind.flags(), self.next, (family, 0), attributes.as_bytes()));
        self.next
    }

    /// How many requests there are.
    pub(super) fn requests(&self) -> u32 {
        self.next
    }

    /// The bytes to send.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.mark(BATCH_END);
        self.bytes
    }

    fn mark(&mut self, number: u16) {
        // Both marks have the number 0: whatever is answered to them is about the whole.
        self.bytes.extend(message(number, REQUEST, 0, (0, NF_TABLES), &[]));
    }
}

/// The request for everything of a kind in a table.
pub(super) fn dump(kind: Kind, attributes: &Attributes) -> Vec<u8> {
    message(kind.number(), kind.flags(), 1, (INET, 0), attributes.as_bytes())
}

/// The request for everything of a kind in all tables of all families.
pub(super) fn dump_all(kind: Kind) -> Vec<u8> {
    message(kind.number(), kind.flags(), 1, (EVERY, 0), &[])
}

fn message(number: u16, flags: u16, sequence: u32, (family, resource): (u8, u16), rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + FAMILY_HEADER + rest.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    // The port of the sender, which the kernel fills in.
    bytes.extend([0; 4]);
    // The family, `NFNETLINK_V0`, and the subsystem of a batch.
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(rest);
    bytes
}
