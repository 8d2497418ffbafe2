//! One operation: while a lab is built, and in the steps of a case.

use std::fs;
use std::path::Path;

use super::neighbours;
use super::netlink::VethEnd;
use super::sysctl;
use super::{KernelError, Lab, LabError};
use crate::plan::{Action, Made, NodeId, Operation, Place, Plan};
use crate::words::Family;

impl Lab {
    /// Does one thing to the kernel. Services and programs are the worker's: nothing is done with them here.
    ///
    /// # Errors
    ///
    /// What the kernel refused, in its own words, with the place of the case that asked for it.
    pub async fn perform(&self, plan: &Plan, operation: &Operation) -> Result<(), LabError> {
        let node = acts_in(&operation.action);
        self.perform_in(&operation.action).await.map_err(|refusal| {
            let name = node.map_or("the lab", |node| &plan.nodes[node].name);
            match refusal {
                Refusal::Kernel(error) => LabError::new(format!("the kernel refused in {name}: {error}")),
                Refusal::Lab(error) => error,
            }
            .at(operation.span)
        })
    }

    async fn perform_in(&self, action: &Action) -> Result<(), Refusal> {
        match action {
            Action::AddLink(made) => {
                // What carries it is looked up where the request is made.
                let asked = made.dev.as_ref().map_or(made.node, |dev| dev.node);
                let elsewhere = (asked != made.node).then(|| &self.node(made.node).namespace);
                self.node(asked).netlink.add_link(made, elsewhere).await?;
                self.prepare(made).await
            }
            Action::AddVeth { first, second } => {
                let end = |made: &Made| made.master.as_ref().map(|master| master.index);
                let near = VethEnd { interface: &first.interface, index: first.interface.index, master: end(first) };
                let far = VethEnd { interface: &second.interface, index: second.interface.index, master: None };
                self.node(first.node).netlink.add_veth(near, far, &self.node(second.node).namespace).await?;
                self.prepare(first).await?;
                self.prepare(second).await
            }
            Action::SetMaster(place, master) => {
                let index = master.as_ref().map(|master| master.index);
                Ok(self.node(place.node).netlink.set_master(place.index, index, &place.name).await?)
            }
            Action::AddAddress(place, cidr) => {
                self.speak(place, Family::of(cidr.address)).await?;
                Ok(self.node(place.node).netlink.add_address(place.index, *cidr, &place.name).await?)
            }
            Action::DelAddress(place, cidr) => {
                Ok(self.node(place.node).netlink.del_address(place.index, *cidr, &place.name).await?)
            }
            Action::SetAdmin(place, admin) => {
                Ok(self.node(place.node).netlink.set_admin(place.index, *admin, &place.name).await?)
            }
            Action::SetName(place, name) => {
                Ok(self.node(place.node).netlink.set_name(place.index, &place.name, name).await?)
            }
            Action::SetMtu(place, mtu) => {
                Ok(self.node(place.node).netlink.set_mtu(place.index, *mtu, &place.name).await?)
            }
            Action::SetMac(place, mac) => {
                Ok(self.node(place.node).netlink.set_mac(place.index, *mac, &place.name).await?)
            }
            Action::SetNode(place, node) => {
                let target = &self.node(*node).namespace;
                Ok(self.node(place.node).netlink.set_namespace(place.index, target, &place.name).await?)
            }
            Action::DelLink(place) => Ok(self.node(place.node).netlink.del_link(place.index, &place.name).await?),
            Action::AddRoute(node, route, dev) => {
                let dev = dev.as_ref().map(|dev| (dev.index, dev.name.as_str()));
                Ok(self.node(*node).netlink.add_route(route, dev).await?)
            }
            Action::DelRoute(node, route, dev) => {
                let dev = dev.as_ref().map(|dev| (dev.index, dev.name.as_str()));
                Ok(self.node(*node).netlink.del_route(route, dev).await?)
            }
            Action::FlushNeighbours(node, dev) => {
                Ok(neighbours::flush(self.node(*node), dev.as_ref().map(|dev| dev.index)).await?)
            }
            Action::SetSysctl(node, sysctl) => sysctl::set(self.node(*node), sysctl).map_err(Refusal::Lab),
            Action::StartService(_) | Action::StopService(_) | Action::LoadRules(_) | Action::Run(_) => Ok(()),
        }
    }

    /// What is set on a new interface before it is used.
    async fn prepare(&self, made: &Made) -> Result<(), Refusal> {
        if !made.interface.ipv6 {
            return Ok(());
        }
        let Made { node, interface, master: _, dev: _ } = made;
        let place = Place { node: *node, index: interface.index, name: interface.name.clone() };
        self.speak(&place, Family::Ipv6).await
    }

    /// Makes an interface speak a family: IPv6 is off where nobody needs it, and neighbours of either are asked for in
    /// the lab's own time.
    async fn speak(&self, place: &Place, family: Family) -> Result<(), Refusal> {
        let node = self.node(place.node);
        if place.name == LOOPBACK {
            return Ok(());
        }
        if family == Family::Ipv6 {
            let path = Path::new("/proc/sys/net/ipv6/conf").join(&place.name).join("disable_ipv6");
            node.namespace.within(|| fs::write(path, "0")).map_err(|error| {
                Refusal::Lab(LabError::io(format!("cannot turn IPv6 on for {}", place.name), &error))
            })?;
        }
        Ok(node.netlink.set_neighbour_parameters(family, place.index).await?)
    }
}

/// It speaks both families from birth, and asks for no neighbours.
const LOOPBACK: &str = "lo";

/// Why an operation did not succeed.
enum Refusal {
    Kernel(KernelError),
    Lab(LabError),
}

impl From<KernelError> for Refusal {
    fn from(error: KernelError) -> Self {
        Self::Kernel(error)
    }
}

/// The node that an action is about.
fn acts_in(action: &Action) -> Option<NodeId> {
    match action {
        Action::AddLink(made) | Action::AddVeth { first: made, .. } => Some(made.node),
        Action::SetMaster(place, _)
        | Action::AddAddress(place, _)
        | Action::DelAddress(place, _)
        | Action::SetAdmin(place, _)
        | Action::SetName(place, _)
        | Action::SetMtu(place, _)
        | Action::SetMac(place, _)
        | Action::SetNode(place, _)
        | Action::DelLink(place) => Some(place.node),
        Action::AddRoute(node, ..)
        | Action::DelRoute(node, ..)
        | Action::FlushNeighbours(node, _)
        | Action::SetSysctl(node, _) => Some(*node),
        Action::StartService(_) | Action::StopService(_) | Action::LoadRules(_) | Action::Run(_) => None,
    }
}
