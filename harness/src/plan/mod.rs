//! What will be done: names resolved, defaults filled in, limits checked, kernel operations in order. Plain data.

mod action;
mod check;
mod link;
mod listing;
mod nat;
mod program;
mod refuser;
mod resolve;
mod rules;
mod wording;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::Record;
use crate::source::Span;
use crate::words::{Cidr, Mac, Port, RouteType, Transport};

pub use crate::case::Template;
pub use action::{Action, Change, Made, Place};
pub use check::{
    By, Check, Dns, Expectation, Http, HttpExpected, LinkCheck, Master, Neigh, OR, Ping, ReadFrom, RouteCheck,
    RouteQuery, Solicit, Target, Text, Trace, Transfer,
};
pub use link::{InterfaceKind, Vxlan};
pub use listing::{Entry, List, Listing, Must};
pub use nat::{Forward, Landing, Leaving, MOST_FORWARDS, Nat, NatKind, Served, holder, holders, landing, translator};
use nat::{follow, only_translator, server};
pub use program::{Capture, CaptureBy, Input, Printed, Run};
pub use refuser::{Refusal, Refuser};
pub use resolve::resolve;
pub use rules::{Loader, Placing, Rules, RulesText};

/// Index of a node in [`Plan::nodes`].
pub type NodeId = usize;

/// Index of an interface in [`Node::interfaces`].
pub type InterfaceId = usize;

/// An interface of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct End {
    /// The node.
    pub node: NodeId,
    /// Its interface.
    pub interface: InterfaceId,
}

/// One case, ready to be built and probed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The case's title.
    pub title: String,
    /// The folder of the case's file, absolute: paths in the case start there. Known to who has read a file.
    pub folder: Option<PathBuf>,
    /// How long the whole case may take.
    pub timeout: Duration,
    /// How long nothing must be heard before it counts as silence.
    pub silence: Duration,
    /// The machines and the switches.
    pub nodes: Vec<Node>,
    /// What is done to the kernel to build the lab, in order.
    pub operations: Vec<Operation>,
    /// What is run before the services start, in order.
    pub setup: Vec<Script>,
    /// The rules that are loaded then, in order.
    pub rules: Vec<Rules>,
    /// Files that programs find at other places.
    pub files: Vec<Placing>,
    /// What runs in the nodes.
    pub services: Vec<Service>,
    /// What must hold, step by step.
    pub expectations: Vec<Expectation>,
    /// What happens in the lab; a case without steps has one, without actions.
    pub steps: Vec<Step>,
    /// What the machine must have.
    pub needs: Vec<Need>,
}

/// A network namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is the switch of a network, which the user did not name as a machine.
    pub switch: bool,
    /// Its interfaces; the first is `lo`.
    pub interfaces: Vec<Interface>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Forwards IPv4.
    pub forward_ipv4: bool,
    /// Forwards IPv6.
    pub forward_ipv6: bool,
    /// The settings that the case asks for.
    pub sysctls: Vec<Sysctl>,
    /// Whether scripts change it, so that what it has is known only once they have run.
    pub open: bool,
    /// The node whose scripts make it.
    pub created_by: Option<NodeId>,
    /// The service of that node whose process has it for its own network namespace, by its place in the plan.
    pub process: Option<usize>,
    /// How it translates addresses.
    pub nat: Vec<Nat>,
    /// The prefixes that it answers for.
    pub serves: Vec<Served>,
    /// Who resolves names for it, the first choice first.
    pub resolver: Vec<IpAddr>,
    /// Where each of them stands.
    #[serde(default)]
    pub resolver_spans: Vec<Span>,
    /// Where the case names it.
    pub span: Span,
    /// Where the case says whether it forwards, if it does.
    pub forwarding: Option<Span>,
}

/// An interface as it will be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index in the kernel: 1 for `lo`, and for all others one that no interface of the lab has. The kernel treats
    /// a veth pair whose ends have the same index in their namespaces as no pair: its carrier comes up a second late.
    pub index: u32,
    /// What it is.
    pub kind: InterfaceKind,
    /// Its MAC address; `lo` has none.
    pub mac: Option<Mac>,
    /// The largest packet in bytes, where the case says.
    pub mtu: Option<u32>,
    /// Whether it is there: an interface that a step has deleted or moved away keeps its place in the list.
    pub present: bool,
    /// Whether it is taken up.
    pub up: bool,
    /// Whether it speaks IPv6.
    pub ipv6: bool,
    /// Its addresses.
    pub addresses: Vec<Cidr>,
    /// The bridge it is a port of.
    pub master: Option<InterfaceId>,
    /// Where the case asks for it.
    pub span: Span,
}

/// A static route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Its prefix.
    pub to: Cidr,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface it leaves by.
    pub dev: Option<InterfaceId>,
    /// The interface that it leaves by also where the case does not say: the link that its gateway was on when it was
    /// added.
    pub over: Option<InterfaceId>,
    /// The source address for packets of the node itself.
    pub src: Option<IpAddr>,
    /// Its metric.
    pub metric: Option<u32>,
    /// The gateway is on the link whatever the addresses say.
    pub onlink: bool,
    /// What it does.
    pub kind: RouteType,
    /// Where the case asks for it.
    pub span: Span,
}

/// A setting of the kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sysctl {
    /// The path below `/proc/sys`, with slashes.
    pub path: String,
    /// The value.
    pub value: String,
    /// Whether it belongs to an interface of the case, and so can be set only when that exists.
    pub of_interface: bool,
    /// Where the case asks for it.
    pub span: Span,
}

/// One thing done to the kernel, and the place of the case that asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// What is done.
    pub action: Action,
    /// Where the case asks for it.
    pub span: Span,
}

/// A row of actions, and what must hold after them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Its title.
    pub title: Option<String>,
    /// What is done, in order.
    pub actions: Vec<Operation>,
    /// The nodes as they stand after the actions, where these change any.
    pub nodes: Option<Vec<Node>>,
    /// Which of [`Plan::expectations`] must hold then.
    pub expectations: std::ops::Range<usize>,
}

/// A script of the case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Script {
    /// Its node.
    pub node: NodeId,
    /// Its path as written, from the case's folder.
    pub path: String,
    /// Where the case asks for it.
    pub span: Span,
}

/// What runs in a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Its node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ServiceKind,
    /// Whether it runs from the beginning.
    pub initial: bool,
    /// Where the case asks for it.
    pub span: Span,
}

/// What a [`Service`] is. An empty `listen` means every address, in both families; an
/// unspecified address in it means every one of its own family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ServiceKind {
    /// An HTTP server with one answer.
    Http {
        /// TCP port.
        port: u16,
        /// Addresses to listen on.
        listen: Vec<IpAddr>,
        /// Status of the answer.
        status: u16,
        /// Header fields of the answer.
        headers: Vec<(String, String)>,
        /// Body of the answer.
        body: String,
    },
    /// A server that sends back what it gets.
    Echo {
        /// TCP or UDP.
        transport: Transport,
        /// The port.
        port: u16,
        /// Addresses to listen on.
        listen: Vec<IpAddr>,
    },
    /// A DNS server, over UDP and TCP.
    Dns {
        /// The port.
        port: u16,
        /// Addresses to listen on.
        listen: Vec<IpAddr>,
        /// What it knows.
        records: Vec<Record>,
        /// Where each of these stands.
        #[serde(default)]
        spans: Vec<Span>,
    },
    /// A program.
    Command {
        /// Program and arguments; never empty.
        run: Vec<String>,
        /// Environment beside the fixed one.
        env: Vec<(String, String)>,
        /// When it counts as started.
        ready: Ready,
    },
}

impl ServiceKind {
    /// The port that it is known to listen on.
    pub fn port(&self) -> Option<Port> {
        match self {
            Self::Http { port, .. } => Some(Port { number: *port, transport: Transport::Tcp }),
            Self::Echo { transport, port, .. } => Some(Port { number: *port, transport: *transport }),
            Self::Dns { port, .. } => Some(Port { number: *port, transport: Transport::Udp }),
            Self::Command { ready: Ready::Port(port), .. } => Some(*port),
            Self::Command { ready: Ready::Output(_), .. } => None,
        }
    }

    /// Whether it is known to listen on a port.
    pub fn takes(&self, port: Port) -> bool {
        match self {
            Self::Dns { port: own, .. } => *own == port.number,
            _ => self.port() == Some(port),
        }
    }

    /// Whether it listens on an address of its node; of a program that is not known.
    pub fn listens_on(&self, address: IpAddr) -> bool {
        match self {
            Self::Http { listen, .. } | Self::Echo { listen, .. } | Self::Dns { listen, .. } => {
                listen.is_empty() || listen.iter().any(|own| covers(*own, address))
            }
            Self::Command { .. } => false,
        }
    }
}

/// Whether who listens on an address also gets what is sent to another.
pub(crate) fn covers(own: IpAddr, address: IpAddr) -> bool {
    own == address || (own.is_unspecified() && own.is_ipv6() == address.is_ipv6())
}

/// When a program counts as started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ready {
    /// It listens on this port.
    Port(Port),
    /// It has printed this text.
    Output(String),
}

/// What a machine must have for a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// A program on the fixed search path, or at an absolute path.
    Program(String),
    /// A kind of link the kernel must know, as `ip link add type` names it.
    Link(String),
    /// IPv6.
    Ipv6,
}

impl Need {
    /// As it is written under `needs`: `ipv6`, `link:KIND` or `program:NAME`.
    pub fn from_word(word: &str) -> Option<Self> {
        let named = |name: &str| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        match word.split_once(':') {
            None if word == "ipv6" => Some(Self::Ipv6),
            Some(("link", kind)) => named(kind).map(Self::Link),
            Some(("program", name)) => named(name).map(Self::Program),
            _ => None,
        }
    }
}

impl Plan {
    /// The interface at an end.
    pub fn interface(&self, end: End) -> &Interface {
        &self.nodes[end.node].interfaces[end.interface]
    }

    /// The index in the kernel of the interface at an end.
    pub fn index(&self, end: End) -> u32 {
        self.interface(end).index
    }

    /// An interface as the kernel has it.
    pub fn place(&self, end: End) -> Place {
        let interface = self.interface(end);
        Place { node: end.node, index: interface.index, name: interface.name.clone() }
    }

    /// `NODE.INTERFACE`.
    pub fn end_name(&self, end: End) -> String {
        format!("{}.{}", self.nodes[end.node].name, self.interface(end).name)
    }

    /// Whether the case brings programs of its own to run.
    pub fn runs_programs(&self) -> bool {
        !self.setup.is_empty()
            || !self.rules.is_empty()
            || self.services.iter().any(|service| matches!(service.kind, ServiceKind::Command { .. }))
            || self.runs().next().is_some()
            || self
                .steps
                .iter()
                .flat_map(|step| &step.actions)
                .any(|operation| matches!(operation.action, Action::LoadRules(_)))
    }

    /// The rules that are loaded, before the first step and in actions.
    pub fn all_rules_mut(&mut self) -> impl Iterator<Item = &mut Rules> {
        let actions = self.steps.iter_mut().flat_map(|step| &mut step.actions);
        let later = actions.filter_map(|operation| match &mut operation.action {
            Action::LoadRules(rules) => Some(&mut **rules),
            _ => None,
        });
        self.rules.iter_mut().chain(later)
    }

    /// As [`Plan::runs`], to add what is known only once the case is read.
    pub fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        let actions = self.steps.iter_mut().flat_map(|step| &mut step.actions);
        let acted = actions.filter_map(|operation| match &mut operation.action {
            Action::Run(run) => Some(&mut **run),
            _ => None,
        });
        let checked = self.expectations.iter_mut().filter_map(|expectation| match &mut expectation.check {
            Check::Run(run) => Some(&mut **run),
            _ => None,
        });
        acted.chain(checked)
    }

    /// The programs that are run to their end, in actions and in checks.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        runs(&self.steps, &self.expectations)
    }
}

/// The programs that are run to their end, in actions and in checks.
fn runs<'a>(steps: &'a [Step], expectations: &'a [Expectation]) -> impl Iterator<Item = &'a Run> {
    let acted = steps.iter().flat_map(|step| &step.actions).filter_map(|operation| match &operation.action {
        Action::Run(run) => Some(&**run),
        _ => None,
    });
    let checked = expectations.iter().filter_map(|expectation| match &expectation.check {
        Check::Run(run) => Some(&**run),
        _ => None,
    });
    acted.chain(checked)
}
