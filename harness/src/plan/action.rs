//! What is done to the kernel, and to what runs in a lab.

use std::iter;

use serde::{Deserialize, Serialize};

use super::{Interface, NodeId, Plan, Route, Rules, Run, Sysctl};
use crate::words::{Admin, Cidr, Mac};

/// What an [`Operation`](super::Operation) does, complete in itself: the plan's nodes are how the lab stands before the
/// first step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Action {
    /// Makes an interface that has one end, still down.
    AddLink(Box<Made>),
    /// Makes a veth pair, each end in its node; a `first` with a master is made as its port, and up if it is to be.
    AddVeth {
        /// The end in whose node the request is made.
        first: Box<Made>,
        /// The other end.
        second: Box<Made>,
    },
    /// Changes an interface.
    Change(Place, Change),
    /// Adds a route, by the interface named.
    AddRoute(NodeId, Box<Route>, Option<Place>),
    /// Deletes a route.
    DelRoute(NodeId, Box<Route>, Option<Place>),
    /// Deletes what a node, or one of its interfaces, has learned about its neighbours.
    FlushNeighbours(NodeId, Option<Place>),
    /// Sets a setting.
    SetSysctl(NodeId, Sysctl),
    /// Starts a service of [`Plan::services`].
    StartService(usize),
    /// Stops one.
    StopService(usize),
    /// Loads rules.
    LoadRules(Box<Rules>),
    /// Runs a program to its end.
    Run(Box<Run>),
}

/// What becomes of an interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Change {
    /// A port of a bridge, or of none.
    Master(Option<Place>),
    /// It has an address.
    AddAddress(Cidr),
    /// It has an address no more.
    DelAddress(Cidr),
    /// Up or down.
    Admin(Admin),
    /// It has another name.
    Name(String),
    /// It has another largest packet.
    Mtu(u32),
    /// It has another MAC address.
    Mac(Mac),
    /// It is in another node.
    Node(NodeId),
    /// It is gone; a veth goes with its other end.
    Delete,
}

/// An interface as the kernel has it at the time of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The node it is in.
    pub node: NodeId,
    /// Its index in the kernel.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// An interface to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Made {
    /// Its node.
    pub node: NodeId,
    /// What it will be.
    pub interface: Interface,
    /// The bridge it is made a port of.
    pub master: Option<Place>,
    /// The interface that carries it.
    pub dev: Option<Place>,
}

impl Action {
    /// The node that it is done in.
    pub fn node(&self, plan: &Plan) -> NodeId {
        match self {
            Self::AddLink(made) | Self::AddVeth { first: made, .. } => made.node,
            Self::Change(place, _) => place.node,
            Self::AddRoute(node, ..)
            | Self::DelRoute(node, ..)
            | Self::FlushNeighbours(node, _)
            | Self::SetSysctl(node, _) => *node,
            Self::StartService(service) | Self::StopService(service) => plan.services[*service].node,
            Self::LoadRules(rules) => rules.node,
            Self::Run(run) => run.on,
        }
    }

    /// The interfaces that it is about, where they must be there already.
    pub fn places_mut(&mut self) -> Vec<&mut Place> {
        match self {
            Self::Change(place, Change::Master(master)) => iter::once(place).chain(master).collect(),
            Self::Change(place, _) => vec![place],
            Self::AddRoute(_, _, dev) | Self::DelRoute(_, _, dev) | Self::FlushNeighbours(_, dev) => {
                dev.iter_mut().collect()
            }
            Self::AddLink(made) => made.master.iter_mut().chain(&mut made.dev).collect(),
            Self::AddVeth { .. }
            | Self::SetSysctl(..)
            | Self::StartService(_)
            | Self::StopService(_)
            | Self::LoadRules(_)
            | Self::Run(_) => Vec::new(),
        }
    }
}
