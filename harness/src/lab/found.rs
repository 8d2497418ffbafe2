//! What scripts have made: namespaces that are found, interfaces and addresses that are read.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rtnetlink::packet_route::address::{AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use super::ipv6;
use super::state::{cidr_of, mac_of, name_of, settled_link};
use super::{KernelError, Lab, LabNode, Netlink};
use crate::namespace::Namespace;
use crate::plan::{Interface, InterfaceKind, Node, NodeId};
use crate::source::Span;
use crate::words::Family;

impl LabNode {
    /// The stand-in for a node that is not there.
    pub(super) fn absent(home: &Namespace) -> io::Result<Self> {
        Ok(Self { namespace: home.clone(), netlink: Netlink::open_in(home)?, absent: true })
    }
}

impl Lab {
    /// Takes hold of a namespace that a script has made as a node.
    ///
    /// # Errors
    ///
    /// What setns(2) and socket(2) say; `EINVAL` for what is no network namespace.
    pub fn find(&mut self, node: NodeId, namespace: OwnedFd) -> io::Result<()> {
        let namespace = self.node(node).namespace.found(namespace);
        let netlink = Netlink::open_in(&namespace)?;
        self.nodes[node] = LabNode { namespace, netlink, absent: false };
        Ok(())
    }

    /// Lets go of a node that a script has made, so that it ends when the script deletes it.
    ///
    /// # Errors
    ///
    /// What socket(2) says.
    pub fn let_go(&mut self, node: NodeId, home: &Namespace) -> io::Result<()> {
        self.nodes[node] = LabNode::absent(home)?;
        Ok(())
    }

    /// Reads the interfaces of a node that scripts change, and has their neighbours asked for in the lab's own time.
    ///
    /// # Errors
    ///
    /// A dump that failed.
    pub async fn read(&self, id: NodeId, node: &mut Node) -> Result<(), KernelError> {
        let made = self.node(id);
        let (links, addresses) = if made.absent {
            (Vec::new(), Vec::new())
        } else {
            (made.netlink.links().await?, made.netlink.addresses().await?)
        };
        for interface in &mut node.interfaces {
            interface.present = false;
            interface.addresses.clear();
        }
        // A carrier that is still to come would have what is sent now dropped. Who has it from another, as a bridge has
        // it from its ports, may change once that has changed.
        for link in links.iter().chain(&links) {
            settled_link(made, link.header.index).await?;
        }
        let mut settled = Vec::with_capacity(links.len());
        for link in &links {
            settled.extend(settled_link(made, link.header.index).await?);
        }
        for link in &settled {
            let (name, index) = (name_of(link), link.header.index);
            let named = |fits: &dyn Fn(u32) -> bool| {
                node.interfaces.iter().position(|known| known.name == name && fits(known.index))
            };
            // One that the case has moved here is known by its index, one that it only names by its name.
            let place = named(&|own| own == index).or_else(|| named(&|own| own == 0)).or_else(|| named(&|_| true));
            let place = place.unwrap_or_else(|| {
                node.interfaces.push(unknown(name_of(link)));
                node.interfaces.len() - 1
            });
            let interface = &mut node.interfaces[place];
            adopt(interface, link);
            let own = addresses.iter().filter(|address| address.header.index == link.header.index);
            interface.addresses = own.filter_map(cidr_of).collect();
            interface.ipv6 = interface.addresses.iter().any(|cidr| cidr.address.is_ipv6());
            if interface.kind != InterfaceKind::Loopback {
                for family in [Family::Ipv4, Family::Ipv6] {
                    // An interface without a family has no such setting, and needs none.
                    let _ = made.netlink.set_neighbour_parameters(family, link.header.index).await;
                }
            }
        }
        // One that another has as well, or that a script will not have used, never is: that is the script's affair.
        let refused: Vec<IpAddr> =
            addresses.iter().filter(|it| is_refused(it)).filter_map(cidr_of).map(|it| it.address).collect();
        let mut given = ipv6::assigned(node, &settled);
        given.retain(|it| !refused.contains(&it.address.into()));
        ipv6::in_use(made, &given).await.map(drop)
    }
}

/// Whether duplicate address detection has found another that has this address (RFC 4862, section 5.4).
fn is_refused(message: &AddressMessage) -> bool {
    message.header.flags.contains(AddressHeaderFlags::Dadfailed)
}

fn unknown(name: &str) -> Interface {
    Interface {
        name: name.to_owned(),
        index: 0,
        kind: InterfaceKind::Found,
        mac: None,
        mtu: None,
        present: true,
        up: false,
        ipv6: false,
        addresses: Vec::new(),
        master: None,
        span: Span::default(),
    }
}

fn adopt(interface: &mut Interface, link: &LinkMessage) {
    interface.present = true;
    interface.index = link.header.index;
    interface.up = link.header.flags.contains(LinkFlags::Up);
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::Address(bytes) if interface.kind != InterfaceKind::Loopback => interface.mac = mac_of(bytes),
            LinkAttribute::Mtu(mtu) => interface.mtu = Some(*mtu),
            _ => {}
        }
    }
}
