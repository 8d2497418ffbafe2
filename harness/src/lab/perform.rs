//! One operation: while a lab is built, and in the steps of a case.

use std::fs;
use std::path::Path;

use super::neighbours;
use super::netlink::VethEnd;
use super::sysctl;
use super::{KernelError, Lab, LabError};
use crate::plan::{Action, Change, Made, Operation, Place, Plan};
use crate::words::Family;

impl Lab {
    /// Does one thing to the kernel. Services and programs are the worker's: nothing is done with them here.
    ///
    /// # Errors
    ///
    /// What the kernel refused, in its own words, with the place of the case that asked for it.
    pub async fn perform(&self, plan: &Plan, operation: &Operation) -> Result<(), LabError> {
        let node = operation.action.node(plan);
        self.perform_in(&operation.action).await.map_err(|refusal| {
            let name = &plan.nodes[node].name;
            match refusal {
                Refusal::Kernel(error) => LabError::new(format!("the kernel refused in {name}: {error}")),
                Refusal::Lab(error) => error,
            }
            .at(match &operation.action {
                Action::SetSysctl(_, sysctl) => sysctl.span,
                _ => operation.span,
            })
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
            Action::Change(place, change) => self.change(place, change).await,
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

    async fn change(&self, place: &Place, change: &Change) -> Result<(), Refusal> {
        let Place { node, index, name } = place;
        let netlink = &self.node(*node).netlink;
        if let Change::AddAddress(cidr) = change {
            self.speak(place, Family::of(cidr.address)).await?;
        }
        Ok(match change {
            Change::Master(master) => netlink.set_master(*index, master.as_ref().map(|it| it.index), name).await,
            Change::AddAddress(cidr) => netlink.add_address(*index, *cidr, name).await,
            Change::DelAddress(cidr) => netlink.del_address(*index, *cidr, name).await,
            Change::Admin(admin) => netlink.set_admin(*index, *admin, name).await,
            Change::Name(new) => netlink.set_name(*index, name, new).await,
            Change::Mtu(mtu) => netlink.set_mtu(*index, *mtu, name).await,
            Change::Mac(mac) => netlink.set_mac(*index, *mac, name).await,
            Change::Node(other) => netlink.set_namespace(*index, &self.node(*other).namespace, name).await,
            Change::Delete => netlink.del_link(*index, name).await,
        }?)
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
