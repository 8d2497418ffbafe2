//! Networks: each is a switch, a node of its own, with a cable to every member.

use std::net::IpAddr;

use super::lab::{Draft, DraftInterface, Lab};
use super::links::too_many_ports;
use super::names;
use super::nodes::MOST_NODES;
use super::subnet::{Subnet, read_subnets};
use crate::case::CaseMap;
use crate::case::topology::{Members, Network};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{End, InterfaceKind, NodeId};
use crate::source::{Span, Spanned};
use crate::words::{Cidr, Family};

/// A default route that a network gives to a member.
pub(super) struct DefaultRoute {
    pub node: NodeId,
    pub interface: usize,
    pub via: IpAddr,
    /// The network's name, where it stands as the reason.
    pub network: Spanned<String>,
}

/// A gateway of a network, in one family.
pub(super) struct Gateway {
    pub node: NodeId,
    pub family: Family,
    pub network: String,
    pub span: Span,
}

/// What the networks give beside interfaces and addresses.
#[derive(Default)]
pub(super) struct Laid {
    pub defaults: Vec<DefaultRoute>,
    pub gateways: Vec<Gateway>,
}

/// A node on a network.
struct Member {
    node: NodeId,
    span: Span,
    addresses: Vec<Spanned<IpAddr>>,
}

/// Adds every network.
pub(super) fn declare(lab: &mut Lab, networks: CaseMap<Network>, out: &mut Diagnostics) -> Laid {
    let mut laid = Laid::default();
    let first_switch = lab.nodes.len();
    if networks.entries.len() + first_switch > MOST_NODES {
        let message = format!("this case has {first_switch} nodes and {} networks", networks.entries.len());
        out.push(Diagnostic::error(networks.span, message).label(format!("together at most {MOST_NODES}")));
        return laid;
    }
    for (name, network) in networks.entries {
        let before = out.errors();
        out.extend(names::check_node("network", &name));
        if let Some(taken) = lab.find(&name) {
            out.push(
                Diagnostic::error(name.span, format!("`{}` is a node already", *name))
                    .label("a network and a node cannot share a name")
                    .related(lab.nodes[taken].name.span, "the node"),
            );
        }
        let Some(network) = network else {
            lab.add(Draft::switch(name));
            lab.unsettle();
            continue;
        };
        let sound = network.sound;
        lay(lab, name, network, first_switch, &mut laid, out);
        if !sound || out.errors() > before {
            lab.unsettle();
        }
    }
    laid
}

fn lay(
    lab: &mut Lab,
    name: Spanned<String>,
    network: Network,
    machines: NodeId,
    laid: &mut Laid,
    out: &mut Diagnostics,
) {
    let Network { subnet, members, gateway, mtu, span: _, sound: _ } = network;
    let subnets = read_subnets(&subnet, out);
    let (gateway, members) = gather(lab, machines, gateway, members, out);
    let mtu = mtu.map(|mtu| mtu.map(|mtu| mtu.0));
    let switch = lab.add(Draft::switch(name.clone()));
    let mut bridge = DraftInterface::new(Spanned::new("br0".to_owned(), name.span), Some(InterfaceKind::Bridge));
    bridge.mtu = mtu;
    lab.nodes[switch].add(bridge);

    let everyone: Vec<&Member> = gateway.iter().chain(&members).collect();
    out.extend(too_many_ports(&name, "members", everyone.iter().map(|member| member.span)));
    let ends: Vec<End> = everyone.iter().map(|member| cable(lab, switch, member, mtu)).collect();
    for subnet in &subnets {
        let given = address(subnet, &name, &everyone, out);
        for (end, cidr) in ends.iter().zip(&given) {
            lab.at_mut(*end).addresses.extend(*cidr);
        }
        let Some((gateway, Some(via))) = gateway.as_ref().zip(given.first().copied()) else { continue };
        let network = name.value.clone();
        laid.gateways.push(Gateway { node: gateway.node, family: subnet.family(), network, span: gateway.span });
        for ((member, end), cidr) in everyone.iter().zip(&ends).zip(&given).skip(1) {
            // The kernel takes no gateway that is not on the link.
            if cidr.is_some_and(|cidr| !cidr.contains(via.address)) {
                warn_without_gateway(lab, member, &name, via.address, out);
                continue;
            }
            let network = Spanned::new(name.value.clone(), member.span);
            laid.defaults.push(DefaultRoute { node: member.node, interface: end.interface, via: via.address, network });
        }
    }
    for member in everyone {
        refuse_other_families(member, &name, &subnets, out);
    }
}

/// The gateway and the members as nodes; a gateway that is also a member stands on the network once.
fn gather(
    lab: &Lab,
    machines: NodeId,
    gateway: Option<Members>,
    members: Option<Members>,
    out: &mut Diagnostics,
) -> (Option<Member>, Vec<Member>) {
    let mut gateways = nodes_of(lab, machines, gateway, out);
    if let [first, second, ..] = &*gateways {
        out.push(
            Diagnostic::error(second.span, "a network has one gateway")
                .label("a second gateway")
                .related(first.span, "the first"),
        );
    }
    gateways.truncate(1);
    let mut gateway = gateways.pop();
    let mut members = nodes_of(lab, machines, members, out);
    members.retain(|member| match &mut gateway {
        Some(gateway) if gateway.node == member.node => {
            gateway.addresses.extend(&member.addresses);
            false
        }
        _ => true,
    });
    (gateway, members)
}

fn nodes_of(lab: &Lab, machines: NodeId, written: Option<Members>, out: &mut Diagnostics) -> Vec<Member> {
    let mut found: Vec<Member> = Vec::new();
    for (name, addresses) in written.map(|written| written.entries).unwrap_or_default() {
        let node = match lab.machine(&name, name.span) {
            Ok(node) if node < machines => node,
            Ok(_) => continue,
            Err(wrong) => {
                out.push(wrong);
                continue;
            }
        };
        if let Some(first) = found.iter().find(|member| member.node == node) {
            out.push(
                Diagnostic::error(name.span, format!("`{}` stands twice in this list", *name))
                    .label("a member has one place on a network")
                    .related(first.span, "first here"),
            );
            continue;
        }
        found.push(Member { node, span: name.span, addresses });
    }
    found
}

/// The addresses of one family: those asked for, then the next free ones in the order of the file.
fn address(
    subnet: &Subnet,
    network: &Spanned<String>,
    everyone: &[&Member],
    out: &mut Diagnostics,
) -> Vec<Option<Spanned<Cidr>>> {
    let length = subnet.cidr.length;
    let asked: Vec<Option<Spanned<IpAddr>>> = everyone.iter().map(|member| asked_for(subnet, member, out)).collect();
    let mut free = subnet.hosts().filter(|host| !asked.iter().flatten().any(|address| address.value == *host));
    let mut given = Vec::new();
    for (member, asked) in everyone.iter().zip(&asked) {
        let address = match asked {
            Some(asked) => {
                warn_outside(subnet, network, *asked, out);
                Some(*asked)
            }
            None => free.next().map(|address| Spanned::new(address, member.span)),
        };
        if address.is_none() {
            out.push(
                Diagnostic::error(
                    subnet.cidr.span,
                    format!("network `{}` runs out of {} addresses", **network, subnet.family().name()),
                )
                .label(format!("too small for {} nodes", everyone.len()))
                .related(member.span, "none is left for this one")
                .help("write a shorter prefix, such as \"10.10.0.0/16\""),
            );
            break;
        }
        given.push(address.map(|address| address.map(|address| Cidr { address, length })));
    }
    given.resize(everyone.len(), None);
    given
}

fn asked_for(subnet: &Subnet, member: &Member, out: &mut Diagnostics) -> Option<Spanned<IpAddr>> {
    let mut of_family = member.addresses.iter().filter(|address| Family::of(address.value) == subnet.family());
    let first = of_family.next().copied();
    if let (Some(first), Some(second)) = (first, of_family.next()) {
        out.push(
            Diagnostic::error(second.span, format!("a second {} address for one member", subnet.family().name()))
                .label("a network gives one address of each family")
                .related(first.span, "the first")
                .help("give the node an interface of its own where it needs several addresses"),
        );
    }
    first
}

fn warn_outside(subnet: &Subnet, network: &Spanned<String>, asked: Spanned<IpAddr>, out: &mut Diagnostics) {
    if !subnet.cidr.contains(asked.value) {
        out.push(
            Diagnostic::warning(asked.span, format!("{} lies outside network `{}`", asked.value, **network))
                .label(format!("not in {}", subnet.cidr))
                .related(subnet.cidr.span, "the subnet"),
        );
    }
}

fn warn_without_gateway(lab: &Lab, member: &Member, network: &str, via: IpAddr, out: &mut Diagnostics) {
    let message = format!("`{}` gets no default route from network `{network}`", *lab.nodes[member.node].name);
    out.push(
        Diagnostic::warning(member.span, message)
            .label(format!("the gateway {via} is outside its own address's network")),
    );
}

fn refuse_other_families(member: &Member, network: &Spanned<String>, subnets: &[Subnet], out: &mut Diagnostics) {
    for address in &member.addresses {
        let family = Family::of(address.value);
        if !subnets.is_empty() && !subnets.iter().any(|subnet| subnet.family() == family) {
            out.push(
                Diagnostic::error(address.span, format!("network `{}` has no {} subnet", **network, family.name()))
                    .label("an address of the other family")
                    .help("list both: `subnet = [\"10.10.0.0/24\", \"fd00:10::/64\"]`"),
            );
        }
    }
}

/// Runs a cable from the switch to a member; gives the member's end.
fn cable(lab: &mut Lab, switch: NodeId, member: &Member, mtu: Option<Spanned<u32>>) -> End {
    let node = &lab.nodes[member.node];
    let name = (0..=node.interfaces.len()).map(|n| format!("eth{n}")).find(|name| node.interface(name).is_none());
    let name = name.expect("there are more numbers here than interfaces");
    let port = port_name(&lab.nodes[switch], &node.name);
    let near = End { node: member.node, interface: node.interfaces.len() };
    let far = End { node: switch, interface: lab.nodes[switch].interfaces.len() };
    let make = |name, kind| DraftInterface { mtu, ..DraftInterface::new(Spanned::new(name, member.span), Some(kind)) };
    let mut port = make(port, InterfaceKind::Veth { peer: near });
    // The bridge is made right after `lo`.
    port.master = Some(1);
    lab.nodes[near.node].add(make(name, InterfaceKind::Veth { peer: far }));
    lab.nodes[switch].add(port);
    near
}

/// A port is named after its member where the kernel takes that name.
fn port_name(switch: &Draft, member: &str) -> String {
    let free = |name: &str| switch.interface(name).is_none() && names::fits_interface(name);
    if free(member) {
        return member.to_owned();
    }
    let ports = switch.interfaces.len();
    (ports..=2 * ports)
        .map(|n| format!("port{n}"))
        .find(|name| free(name))
        .expect("there are more numbers here than ports")
}
