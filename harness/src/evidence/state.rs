//! A node as its kernel has it: the tables that an explanation looks at.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Chain, Rule};
use crate::words::{Cidr, Mac, MacvlanMode, NeighState, Transport};

/// A node right after the probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeState {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Whether there is no such namespace now.
    pub absent: bool,
    /// Whether the tables below are all there: what does not stand in one that was cut short, or could not be read, is
    /// not known to be missing. (A few neighbours or tracked connections less make none of them less than whole.)
    pub whole: bool,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// Its routes of all tables, as `ip route show table all` writes them.
    pub routes: Vec<String>,
    /// Its policy rules, in order, without the three that every node has.
    pub policy: Vec<PolicyRule>,
    /// Those of the three that it has not: whether it is one of IPv6, and the priority.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_gone: Vec<(bool, u32)>,
    /// Its neighbours.
    pub neighbours: Vec<Neighbour>,
    /// The forwarding tables of its bridges and tunnels.
    pub fdb: Vec<Fdb>,
    /// Who listens.
    pub listening: Vec<Listening>,
    /// Settings, by their path below `/proc/sys/net`.
    pub sysctls: BTreeMap<String, String>,
    /// The counters that grew while it was probed, and by how much: `Ip.InAddrErrors`, `Ip6.InNoRoutes`,
    /// `TcpExt.ListenDrops`, `eth0.rx_dropped`.
    pub grown: BTreeMap<String, u64>,
    /// What connection tracking has.
    pub connections: Vec<Connection>,
    /// The chains of its rules.
    pub chains: Vec<Chain>,
    /// Its rules, in the order in which the kernel has them.
    pub rules: Vec<Rule>,
    /// The services of the plan that are its own.
    pub services: Vec<ServiceState>,
    /// The scripts of the case that have changed it, with their texts.
    #[serde(default)]
    pub scripts: Vec<ScriptText>,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// As `ip link add type` calls it; `lo` has none.
    pub kind: Option<String>,
    /// Whether the administrator asked for up.
    pub up: bool,
    /// Whether there is a carrier.
    pub carrier: bool,
    /// Whether it asks for no neighbours (`NOARP`).
    pub noarp: bool,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// Its MAC address.
    pub mac: Option<Mac>,
    /// The bridge it is a port of.
    pub master: Option<u32>,
    /// The other end of a veth pair, or what carries a VLAN, a macvlan or a tunnel: node and index.
    pub link: Option<(usize, u32)>,
    /// The number of a VLAN.
    pub vlan: Option<u16>,
    /// Whom it reaches as a macvlan.
    #[serde(default)]
    pub macvlan: Option<MacvlanMode>,
    /// What it is as a VXLAN tunnel.
    pub tunnel: Option<Tunnel>,
    /// What it is as a port of a bridge.
    pub port: Option<BridgePort>,
    /// Whether it is a bridge that looks at VLANs.
    pub vlan_filtering: bool,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address and its prefix.
    pub cidr: Cidr,
    /// Whether it is not known yet whether somebody else has it (IPv6).
    pub tentative: bool,
    /// Whether somebody else has it (IPv6 duplicate address detection).
    pub duplicate: bool,
}

/// A VXLAN tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The network identifier.
    pub id: u32,
    /// The UDP port.
    pub port: u16,
    /// The address it sends from.
    pub local: Option<IpAddr>,
    /// The other end; those of a tunnel with several stand in the forwarding table.
    pub remote: Option<IpAddr>,
    /// Whether routers may not cut its packets (`df set`).
    #[serde(default)]
    pub whole: bool,
}

/// A port of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BridgePort {
    /// Its state.
    pub state: PortState,
    /// Whether it gets nothing from other ports that are isolated.
    pub isolated: bool,
    /// Whether frames for nobody known leave by it.
    pub floods: bool,
    /// Whether frames for groups that nobody is known to want leave by it.
    pub floods_groups: bool,
    /// Whether frames for everybody leave by it.
    pub floods_broadcasts: bool,
    /// Whether it learns who is behind it.
    pub learns: bool,
    /// Whether it takes frames only from whom the forwarding table has behind it.
    pub locked: bool,
}

/// As a kernel makes one that is up; an older one has no choice of the rest.
impl Default for BridgePort {
    fn default() -> Self {
        Self {
            state: PortState::Forwarding,
            isolated: false,
            floods: true,
            floods_groups: true,
            floods_broadcasts: true,
            learns: true,
            locked: false,
        }
    }
}

/// The state of a port (`BR_STATE_*` of `linux/if_bridge.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortState {
    /// It is off.
    Disabled,
    /// It listens.
    Listening,
    /// It learns.
    Learning,
    /// It forwards.
    Forwarding,
    /// It blocks.
    Blocking,
}

/// A policy rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRule {
    /// Whether it is one of IPv6.
    pub v6: bool,
    /// Its priority.
    pub priority: u32,
    /// The table it leads to; none where it refuses.
    pub table: Option<u32>,
    /// As `ip rule` writes it.
    pub text: String,
}

/// An entry of the neighbour table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The interface.
    pub interface: u32,
    /// The neighbour.
    pub address: IpAddr,
    /// Its MAC address, once known.
    pub mac: Option<Mac>,
    /// Its state.
    pub state: NeighState,
}

/// An entry of a forwarding table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fdb {
    /// The port, or the tunnel.
    pub interface: u32,
    /// The MAC address.
    pub mac: Mac,
    /// The VLAN.
    pub vlan: Option<u16>,
    /// The far end of a tunnel.
    pub remote: Option<IpAddr>,
    /// Whether it was put there, and not learned.
    pub permanent: bool,
}

/// A socket that takes what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// TCP or UDP.
    pub transport: Transport,
    /// The address; unspecified for all of the family, `::` with `only_v6` unset for those of IPv4 too.
    pub at: SocketAddr,
    /// Whether it takes no IPv4.
    pub only_v6: bool,
    /// The only interface by which it takes something (`SO_BINDTODEVICE`).
    #[serde(default)]
    pub device: Option<u32>,
    /// Whether more connections wait for its program than it has asked for.
    #[serde(default)]
    pub full: bool,
    /// How many may wait, where that is known.
    #[serde(default)]
    pub room: Option<u32>,
}

/// A connection that is tracked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The number in the IP header.
    pub protocol: u8,
    /// As its first packet came.
    pub original: Tuple,
    /// As its answers come.
    pub reply: Tuple,
    /// Whether an answer has been seen.
    pub answered: bool,
}

/// One direction of a connection; of an echo both ports are its identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuple {
    /// The source address.
    pub from: IpAddr,
    /// The destination address.
    pub to: IpAddr,
    /// The source port.
    pub source_port: u16,
    /// The destination port.
    pub port: u16,
}

/// A script of the case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptText {
    /// Its path as the case writes it.
    pub path: String,
    /// Its text, cut at 64 KiB.
    pub text: String,
}

/// A service of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// Its place in the plan.
    pub service: usize,
    /// Whether the case has started it and not stopped it.
    pub started: bool,
    /// How its program ended, in words that read behind its name, if it has.
    pub ended: Option<String>,
    /// The last lines that its program printed.
    pub printed: Vec<String>,
}
