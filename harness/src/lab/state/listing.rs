//! Lists of the kernel's, as texts.

use std::io;

use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};
use rtnetlink::packet_route::neighbour::NeighbourAttribute;

use super::link::{cidr_of, identity, mac_of, name_by_index, name_of};
use super::neighbour::all_neighbours;
use super::route::main_routes;
use crate::lab::{KernelError, LabNode, sysctl};
use crate::observation::{Listed, Shared};
use crate::plan::List;
use crate::words::{Cidr, Family, Mac, NeighState};

/// The devices, and their kinds, that a kernel makes in every namespace once the module of their kind is loaded, unless
/// `net.core.fb_tunnels_only_for_init_net` says otherwise.
///
/// Source: `Documentation/admin-guide/sysctl/net.rst` of Linux 6.18, there.
const FALLBACK: [(&str, &str); 9] = [
    ("tunl0", "ipip"),
    ("gre0", "gre"),
    ("gretap0", "gretap"),
    ("erspan0", "erspan"),
    ("ip_vti0", "vti"),
    ("ip6_vti0", "vti6"),
    ("sit0", "sit"),
    ("ip6tnl0", "ip6tnl"),
    ("ip6gre0", "ip6gre"),
];

/// Whether a namespace has an interface of its own accord.
fn is_given(link: &LinkMessage) -> bool {
    let name = name_of(link);
    name == "lo" || identity(link).kind.is_some_and(|kind| FALLBACK.contains(&(name, kind.as_str())))
}

/// Reads a list of a node.
///
/// # Errors
///
/// A dump that failed, or a setting that cannot be read.
pub async fn listed(node: &LabNode, list: &List) -> Result<Listed, KernelError> {
    match list {
        List::Setting { path, .. } => setting(node, path),
        List::Addresses { dev } => addresses(node, dev).await,
        List::Ports { bridge, mac: (mac, _) } => ports(node, bridge, *mac).await,
        List::Links => {
            let links = node.netlink.links().await?;
            let names = links.iter().map(|link| name_of(link).to_owned());
            let given: Vec<&str> = links.iter().filter(|link| is_given(link)).map(name_of).collect();
            Ok(Listed::new(names, |name| given.contains(&name.as_str())))
        }
        List::Routes { family } => routes(node, *family).await,
        List::Neighbours { dev, family } => neighbours(node, dev.as_deref(), *family).await,
    }
}

fn setting(node: &LabNode, path: &str) -> Result<Listed, KernelError> {
    match sysctl::read(node, path) {
        Ok(value) => Ok(Listed::new([value.split_whitespace().collect::<Vec<_>>().join(" ")], |_| false)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Listed::default()),
        Err(error) => Err(KernelError::broken(format!("sysctl {path}"), error.to_string())),
    }
}

async fn addresses(node: &LabNode, dev: &str) -> Result<Listed, KernelError> {
    let links = node.netlink.links().await?;
    let index = index_of(&links, dev)?;
    let addresses = node.netlink.addresses().await?;
    let found: Vec<Cidr> =
        addresses.iter().filter(|address| address.header.index == index).filter_map(cidr_of).collect();
    let link_local: Vec<String> = found.iter().filter(|cidr| is_link_local(**cidr)).map(Cidr::to_string).collect();
    Ok(Listed::new(found.iter().map(Cidr::to_string), |text| link_local.contains(text)))
}

/// What is asked of an interface that is gone has no answer: an empty list would satisfy a case that expects nothing.
fn index_of(links: &[LinkMessage], name: &str) -> Result<u32, KernelError> {
    let link = links.iter().find(|link| name_of(link) == name);
    link.map(|link| link.header.index)
        .ok_or_else(|| KernelError::broken(format!("ip link show {name}"), "there is no such interface"))
}

/// Every entry counts that the bridge forwards by: learned ones, and the addresses of its ports.
async fn ports(node: &LabNode, bridge: &str, mac: Mac) -> Result<Listed, KernelError> {
    let links = node.netlink.links().await?;
    let index = index_of(&links, bridge)?;
    let entries = node.netlink.forwarding().await?;
    let ours = entries.iter().filter(|entry| {
        let of = |attribute: &NeighbourAttribute| match attribute {
            NeighbourAttribute::Controller(master) => *master == index,
            _ => false,
        };
        let is = |attribute: &NeighbourAttribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => mac_of(bytes) == Some(mac),
            _ => false,
        };
        (entry.attributes.iter().any(of) || entry.header.ifindex == index) && entry.attributes.iter().any(is)
    });
    Ok(Listed::new(ours.filter_map(|entry| name_by_index(&links, entry.header.ifindex)), |_| false))
}

async fn routes(node: &LabNode, family: Option<Family>) -> Result<Listed, KernelError> {
    let mut found = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6].into_iter().filter(|one| family.is_none_or(|family| family == *one)) {
        found.extend(main_routes(node, family).await?.into_iter().map(|route| route.to));
    }
    let own: Vec<String> = found.iter().filter(|cidr| is_link_local(**cidr)).map(Cidr::to_string).collect();
    Ok(Listed::new(found.iter().map(Cidr::to_string), |text| own.contains(text)))
}

/// An entry that stands for nobody, and one for a group, is no neighbour.
async fn neighbours(node: &LabNode, dev: Option<&str>, family: Option<Family>) -> Result<Listed, KernelError> {
    if let Some(dev) = dev {
        index_of(&node.netlink.links().await?, dev)?;
    }
    let mut found = all_neighbours(node).await?;
    found.retain(|entry| {
        let somebody = !matches!(entry.state, NeighState::Incomplete | NeighState::Failed | NeighState::Noarp);
        somebody
            && dev.is_none_or(|dev| dev == entry.dev)
            && family.is_none_or(|family| family == Family::of(entry.address))
    });
    let whole = |address| is_link_local(Cidr { address, length: 128 });
    let own: Vec<String> =
        found.iter().filter(|entry| whole(entry.address)).map(|entry| entry.address.to_string()).collect();
    Ok(Listed::new(found.iter().map(|entry| entry.address.to_string()), |text| own.contains(text)))
}

/// RFC 4291 section 2.5.6: `fe80::/10`.
fn is_link_local(cidr: Cidr) -> bool {
    matches!(cidr.address, std::net::IpAddr::V6(address) if address.is_unicast_link_local())
}

/// What two nodes have in common.
///
/// # Errors
///
/// A dump that failed, or what fstat(2) says.
pub async fn shared(one: &LabNode, other: &LabNode) -> Result<Shared, KernelError> {
    let namespace = one.namespace.is_same(&other.namespace);
    let namespace = namespace.map_err(|error| KernelError::broken("fstat", error.to_string()))?;
    let (here, there) = (one.netlink.links().await?, other.netlink.links().await?);
    let is_there = |link: &&LinkMessage| {
        there.iter().any(|other| other.header.index == link.header.index && mac(other) == mac(link))
    };
    let both = here.iter().filter(|link| !is_given(link)).filter(is_there);
    Ok(Shared { namespace, links: both.map(|link| name_of(link).to_owned()).collect() })
}

/// The link-layer address, as the kernel has it.
fn mac(link: &LinkMessage) -> Option<&[u8]> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(bytes) => Some(bytes.as_slice()),
        _ => None,
    })
}
