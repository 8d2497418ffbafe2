//! Translation of addresses: who is translated, and where what is forwarded goes.

use std::net::{IpAddr, SocketAddr};

use super::choice::Choice;
use super::lab::{Draft, DraftInterface, Lab, is_link_local};
use super::subnet::host_bits;
use crate::case::nat::{Forward as WrittenForward, Masquerade, Nat as Written, Snat};
use crate::case::{CaseList, Many};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{Forward, InterfaceId, Leaving, Nat, NatKind, NodeId};
use crate::source::Spanned;
use crate::words::{Cidr, Family, Port};

/// What is wrong, or nothing where it was said already.
type Wrong = Option<Diagnostic>;

/// Adds the translations of a node, in the order of the file.
pub(super) fn add(lab: &mut Lab, node: NodeId, written: CaseList<Written>, out: &mut Diagnostics) {
    for entry in written.items {
        // A wrong field would be missed below as if it were not there.
        if !entry.sound {
            continue;
        }
        let mut warnings = Vec::new();
        match resolve(lab, node, entry, &mut warnings) {
            Ok(nat) => {
                warn_without_forwarding(&lab.nodes[node], &nat, &mut warnings);
                if let Some(first) = lab.nodes[node].nat.iter().find(|first| clash(first, &nat)) {
                    out.push(
                        Diagnostic::error(nat.span, "this is forwarded already")
                            .label("it never comes so far")
                            .related(first.span, "to there"),
                    );
                }
                lab.nodes[node].nat.push(nat);
            }
            Err(wrong) => out.extend(wrong.filter(|_| lab.nodes[node].sound)),
        }
        if lab.nodes[node].whole {
            out.extend(warnings);
        }
    }
}

fn resolve(lab: &Lab, node: NodeId, written: Written, warnings: &mut Vec<Diagnostic>) -> Result<Nat, Wrong> {
    let choice = Choice {
        none: Diagnostic::error(written.span, "this translates nothing"),
        two: "two translations in one entry".to_owned(),
        label: "the second translation",
        help: "each stands in braces of its own",
    };
    if let Some(wrong) = choice.refuse(Written::CHOICES, &written.given()) {
        return Err(Some(wrong));
    }
    let draft = &lab.nodes[node];
    match (written.masquerade, written.snat, written.forward) {
        (Some(masquerade), ..) => masqueraded(draft, masquerade, warnings),
        (_, Some(snat), _) => translated(draft, snat, warnings),
        (.., Some(forward)) => forwarded(lab, draft, forward, warnings),
        (None, None, None) => Err(None),
    }
}

fn masqueraded(draft: &Draft, written: Masquerade, warnings: &mut Vec<Diagnostic>) -> Result<Nat, Wrong> {
    let Masquerade { src, dev, family, span, sound: _ } = written;
    if src.is_none() && dev.is_none() {
        return Err(Some(
            Diagnostic::error(span, "it is not said what is masqueraded")
                .label("`src`, `dev` or both")
                .help("such as `masquerade = { src = \"192.168.15.0/24\", dev = \"eth0\" }`"),
        ));
    }
    let mut families = Vec::new();
    for cidr in src.iter().flat_map(|src| &src.items) {
        let of = Family::of(cidr.address);
        if let Some(family) = family.filter(|family| family.value != of) {
            return Err(Some(other_family(*cidr, family, "only this family")));
        }
        if !families.contains(&of) {
            families.push(of);
        }
    }
    if families.is_empty() {
        families = family.map_or_else(|| vec![Family::Ipv4, Family::Ipv6], |family| vec![family.value]);
    }
    let leaving = leaving(draft, src, dev, warnings)?;
    Ok(Nat { kind: NatKind::Masquerade { leaving, families }, span })
}

fn translated(draft: &Draft, written: Snat, warnings: &mut Vec<Diagnostic>) -> Result<Nat, Wrong> {
    let Snat { src, dev, to, span, sound: _ } = written;
    let family = to.map(Family::of);
    check_address(to)?;
    if let Some(cidr) = src.iter().flat_map(|src| &src.items).find(|cidr| Family::of(cidr.address) != family.value) {
        return Err(Some(other_family(*cidr, family, "the address that it becomes")));
    }
    warnings.extend(nobody_answers(draft, to));
    let leaving = leaving(draft, src, dev, warnings)?;
    Ok(Nat { kind: NatKind::Snat { leaving, to: to.value }, span })
}

fn leaving(
    draft: &Draft,
    src: Option<Many<Spanned<Cidr>>>,
    dev: Option<Spanned<String>>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Leaving, Wrong> {
    let src = src.map(|src| src.items).unwrap_or_default();
    if let Some(wrong) = src.iter().find_map(|cidr| host_bits(*cidr)) {
        return Err(Some(wrong));
    }
    let dev = dev.map(|dev| find_dev(draft, &dev, warnings)).transpose()?;
    Ok(Leaving { src: src.into_iter().map(|cidr| cidr.value).collect(), dev })
}

fn forwarded(lab: &Lab, draft: &Draft, written: WrittenForward, warnings: &mut Vec<Diagnostic>) -> Result<Nat, Wrong> {
    let WrittenForward { dev, address, port, to, span, sound: _ } = written;
    let (target, to_port) = read_target(lab, &to, port.as_ref())?;
    let family = target.map(Family::of);
    check_address(target)?;
    if let (Some(dev), Some(address)) = (&dev, address) {
        return Err(Some(
            Diagnostic::error(address.span, "`address` and `dev` in one forward")
                .label("one of them says what is forwarded")
                .related(dev.span, "every address of this interface"),
        ));
    }
    let addresses = match (dev, address) {
        (Some(dev), _) => addresses_of(draft, &dev, family, warnings)?,
        (None, Some(address)) if Family::of(address.value) != family.value => {
            return Err(Some(families_differ(address.map(Family::of), family)));
        }
        (None, Some(address)) => {
            check_address(address)?;
            warnings.extend(nobody_answers(draft, address));
            vec![address.value]
        }
        (None, None) if port.is_none() => {
            return Err(Some(
                Diagnostic::error(span, "it is not said what is forwarded")
                    .label("`port`, or the `address` or `dev` of which every packet is")
                    .help("such as `forward = { port = \"80/tcp\", to = \"192.168.15.2\" }`"),
            ));
        }
        (None, None) => Vec::new(),
    };
    let behind = behind(draft, target.value);
    if behind.is_empty() && !draft.owns(target.value) {
        warnings.push(
            Diagnostic::warning(to.span, format!("`{}` has no route to {}", *draft.name, target.value))
                .label("what is forwarded gets no further"),
        );
    }
    let port = port.map(|port| port.value);
    let kind = Forward { addresses, port, to: target.value, to_port, behind };
    Ok(Nat { kind: NatKind::Forward(kind), span })
}

/// `ADDRESS` or `ADDRESS:PORT`.
fn read_target(
    lab: &Lab,
    to: &Spanned<String>,
    port: Option<&Spanned<Port>>,
) -> Result<(Spanned<IpAddr>, Option<u16>), Wrong> {
    if let Ok(address) = to.parse::<IpAddr>() {
        return Ok((Spanned::new(address, to.span), None));
    }
    if let Some(address) = to.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
        && let Ok(address) = address.parse::<IpAddr>()
    {
        return Ok((Spanned::new(address, to.span), None));
    }
    let Ok(socket) = to.parse::<SocketAddr>() else { return Err(Some(no_address(lab, to))) };
    let number = to.rsplit_once(':').map_or(to.span, |(host, _)| to.part(host.len() + 1..to.len()));
    if socket.port() == 0 {
        return Err(Some(Diagnostic::error(number, "`0` is not a port").label("a number from 1 to 65535")));
    }
    if port.is_none() {
        return Err(Some(
            Diagnostic::error(number, "a port to go to, and none to come for")
                .label("which port is forwarded?")
                .help(format!("write `port = \"{}/tcp\"` beside it, or leave the port out", socket.port())),
        ));
    }
    let host = to.rsplit_once(':').map_or(to.span, |(host, _)| to.part(0..host.len()));
    Ok((Spanned::new(socket.ip(), host), Some(socket.port())))
}

/// That something else than an address stands where a forward goes.
fn no_address(lab: &Lab, to: &Spanned<String>) -> Diagnostic {
    let (host, port) = to.rsplit_once(':').map_or((to.as_str(), None), |(host, port)| (host, Some(port)));
    let (name, interface) = host.split_once('.').map_or((host, None), |(node, interface)| (node, Some(interface)));
    let Some(node) = lab.find(name).map(|node| &lab.nodes[node]) else {
        return Diagnostic::error(to.span, format!("`{}` is not an address to forward to", **to))
            .label("such as \"192.168.15.2\", \"192.168.15.2:80\" or \"[fd00::2]:80\"");
    };
    let only = interface.and_then(|interface| node.interface(interface));
    let written =
        node.addresses().filter(|(at, cidr)| only.is_none_or(|only| only == *at) && !is_link_local(cidr.address));
    let port = port.and_then(|port| port.parse::<u16>().ok());
    let written = written.map(|(_, cidr)| match port {
        Some(port) => SocketAddr::new(cidr.address, port).to_string(),
        None => cidr.address.to_string(),
    });
    let written: Vec<String> = written.collect();
    let what = if interface.is_some() { "an interface" } else { "a node" };
    let wrong = Diagnostic::error(to.span, format!("`{host}` is {what}, and a forward goes to an address"));
    match &*written {
        [] => wrong.label(format!("`{}` has no address", *node.name)),
        [one] => wrong.label(format!("write `{one}`")),
        several => wrong.label(crate::diagnostic::quoted(&several.iter().map(String::as_str).collect::<Vec<_>>())),
    }
}

/// The addresses of an interface in a family, which must be some.
fn addresses_of(
    draft: &Draft,
    dev: &Spanned<String>,
    family: Spanned<Family>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<IpAddr>, Wrong> {
    let at = find_dev(draft, dev, warnings)?;
    let own = draft.plain_addresses(family.value).filter(|(interface, _)| *interface == at);
    let own: Vec<IpAddr> = own.map(|(_, address)| address).collect();
    if own.is_empty() {
        let others: Vec<String> = draft.interfaces[at].addresses.iter().map(|cidr| cidr.address.to_string()).collect();
        let name = family.value.name();
        let wrong = Diagnostic::error(family.span, format!("`{}` has no {name} address to forward from", **dev))
            .label(format!("an {name} address"));
        return Err(Some(wrong.related(
            dev.span,
            if others.is_empty() { "it has no address".to_owned() } else { format!("it has {}", others.join(", ")) },
        )));
    }
    Ok(own)
}

fn find_dev(draft: &Draft, dev: &Spanned<String>, warnings: &mut Vec<Diagnostic>) -> Result<InterfaceId, Wrong> {
    let found = draft.interface(dev).ok_or_else(|| Some(draft.unknown_interface(dev, dev.span)))?;
    if found == 0 {
        return Err(Some(
            Diagnostic::error(dev.span, "`lo` leads nowhere").label("an interface to other nodes is expected"),
        ));
    }
    if let Some(bridge) = draft.interfaces[found].master {
        let bridge = &draft.interfaces[bridge].name;
        warnings.push(
            Diagnostic::warning(dev.span, format!("`{}` is a port of the bridge `{}`", **dev, **bridge))
                .label("addresses are translated where packets pass the bridge's own interface")
                .help(format!("write `dev = \"{}\"`", **bridge)),
        );
    }
    Ok(found)
}

/// The interfaces behind which an address is, by the longest prefix: those in whose network it lies, or that of the route
/// to it.
fn behind(draft: &Draft, address: IpAddr) -> Vec<InterfaceId> {
    let interfaces = draft.interfaces.iter().enumerate().skip(1);
    let of = |interface: &DraftInterface| {
        interface.addresses.iter().filter(|cidr| cidr.contains(address)).map(|cidr| cidr.length).max()
    };
    let connected: Vec<(u8, InterfaceId)> =
        interfaces.filter_map(|(at, interface)| Some((of(interface)?, at))).collect();
    let longest = connected.iter().map(|(length, _)| *length).max();
    let routes = draft.routes.iter().filter(|route| route.to.contains(address));
    let best = routes.min_by_key(|route| (std::cmp::Reverse(route.to.length), route.metric));
    match best.filter(|route| longest.is_none_or(|longest| route.to.length > longest)) {
        Some(route) => route.over.into_iter().collect(),
        None => connected.into_iter().filter(|(length, _)| Some(*length) == longest).map(|(_, at)| at).collect(),
    }
}

/// Nobody on a link answers for an address that is in its network and that the node does not have.
fn nobody_answers(draft: &Draft, address: Spanned<IpAddr>) -> Option<Diagnostic> {
    if draft.answers_for(address.value) {
        return None;
    }
    let mut interfaces = draft.interfaces.iter();
    let link = interfaces.find(|interface| interface.addresses.iter().any(|cidr| cidr.contains(address.value)))?;
    Some(
        Diagnostic::warning(address.span, format!("`{}` has no address {}", *draft.name, address.value))
            .label(format!("on the link of `{}` nobody answers for it", *link.name))
            .help(format!("give `{}` this address too", *link.name)),
    )
}

fn check_address(address: Spanned<IpAddr>) -> Result<(), Wrong> {
    let value = address.value;
    let broadcast = value == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    if value.is_unspecified() || value.is_multicast() || value.is_loopback() || broadcast || is_link_local(value) {
        return Err(Some(
            Diagnostic::error(address.span, format!("nothing can be translated to or from {value}"))
                .label("the address of one machine is expected"),
        ));
    }
    Ok(())
}

fn other_family(cidr: Spanned<Cidr>, family: Spanned<Family>, label: &str) -> Diagnostic {
    Diagnostic::error(cidr.span, format!("`{}` is not an {} prefix", cidr.value, family.value.name()))
        .label(format!("an {} prefix", Family::of(cidr.address).name()))
        .related(family.span, label.to_owned())
}

fn families_differ(from: Spanned<Family>, to: Spanned<Family>) -> Diagnostic {
    Diagnostic::error(to.span, format!("{} cannot be forwarded to {}", from.value.name(), to.value.name()))
        .label(format!("an {} address", to.value.name()))
        .related(from.span, format!("an {} address", from.value.name()))
}

/// Translation changes addresses; it is forwarding that lets packets through. Whoever forgets it sees silence.
fn warn_without_forwarding(draft: &Draft, nat: &Nat, warnings: &mut Vec<Diagnostic>) {
    let families = match &nat.kind {
        NatKind::Masquerade { families, .. } => families.clone(),
        NatKind::Snat { to, .. } => vec![Family::of(*to)],
        NatKind::Forward(forward) if draft.owns(forward.to) => Vec::new(),
        NatKind::Forward(forward) => vec![Family::of(forward.to)],
    };
    // Of a translation for both families one is enough.
    if families.is_empty() || families.iter().any(|family| draft.forwards(*family)) {
        return;
    }
    let family = match *families {
        [family] => format!(" {}", family.name()),
        _ => String::new(),
    };
    warnings.push(
        Diagnostic::warning(nat.span, format!("`{}` translates and does not forward{family}", *draft.name))
            .label("packets of other nodes end here")
            .help(format!("write `forwarding = true` under `[nodes.{}]`", *draft.name)),
    );
}

/// Whether the first forward leaves nothing of the second.
fn clash(first: &Nat, second: &Nat) -> bool {
    let (NatKind::Forward(first), NatKind::Forward(second)) = (&first.kind, &second.kind) else { return false };
    let same_family = first.to.is_ipv4() == second.to.is_ipv4();
    let covers = first.addresses.is_empty()
        || (!second.addresses.is_empty() && second.addresses.iter().all(|address| first.addresses.contains(address)));
    same_family && covers && first.port.is_none_or(|port| second.port == Some(port))
}
