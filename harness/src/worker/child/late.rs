//! What is known only when a step begins: the interfaces and addresses of nodes that scripts change, and the values that
//! programs have said.

use std::net::{IpAddr, SocketAddr};

use super::attempt::Bench;
use super::runs::Captured;
use crate::plan::{By, Check, End, Http, List, Listing, NodeId, OR, ReadFrom, Step, Target, Template, holder};
use crate::verdict::Finding;
use crate::words::{Family, Mac};
use crate::worker::message::Broken;

/// Reads the nodes that scripts change, and the addresses that a step's expectations take from them.
pub(super) async fn read(bench: &mut Bench, step: &Step) -> Result<(), Broken> {
    let Bench { plan, lab, unread, captured, .. } = bench;
    let open: Vec<NodeId> = (0..plan.nodes.len()).filter(|node| plan.nodes[*node].open).collect();
    if open.is_empty() && captured.borrow().is_empty() {
        return Ok(());
    }
    for node in open {
        lab.read(node, &mut plan.nodes[node]).await.map_err(|error| Broken::new(error.to_string()))?;
    }
    let known = Known { nodes: &plan.nodes, captured: &captured.borrow() };
    for index in step.expectations.clone() {
        let check = &mut plan.expectations[index].check;
        for target in check.targets_mut() {
            if let Err(finding) = known.fill(target) {
                unread.insert(index, finding);
            }
        }
        if let Some(http) = check.open_url()
            && let Err(finding) = known.fill_url(http)
        {
            unread.insert(index, finding);
        }
        for (mac, words) in check.macs_mut() {
            if let Err(finding) = known.fill_mac(mac, words) {
                unread.insert(index, finding);
            }
        }
        for by in check.bys_mut() {
            known.fill_by(by);
        }
        if let Some(seen) = check.seen_from_mut()
            && !known.fill_by(seen)
        {
            let wrong = Finding::new(format!("{} has no address when the step begins", seen.words));
            unread.insert(index, wrong.about(&["seen-from"]));
        }
        if let Check::Listing(listing) = check
            && let Err(finding) = known.has(listing)
        {
            unread.insert(index, finding);
        }
    }
    Ok(())
}

/// What is known when a step begins.
struct Known<'a> {
    nodes: &'a [crate::plan::Node],
    captured: &'a Captured,
}

impl Known<'_> {
    fn at(&self, end: End) -> &crate::plan::Interface {
        &self.nodes[end.node].interfaces[end.interface]
    }

    fn ends(&self) -> impl Iterator<Item = End> {
        let nodes = self.nodes.iter().enumerate();
        nodes.flat_map(|(node, made)| (0..made.interfaces.len()).map(move |interface| End { node, interface }))
    }

    /// The interface that a `NODE.INTERFACE` names.
    fn interface(&self, words: &str) -> Option<End> {
        let (node, interface) = words.split_once('.')?;
        self.ends().find(|end| self.nodes[end.node].name == node && self.at(*end).name == interface)
    }

    /// Who has an address.
    fn holder(&self, address: IpAddr) -> Option<End> {
        holder(self.nodes, address)
    }

    /// The address that programs have said.
    fn captured(&self, template: &Template, family: Option<Family>) -> Result<IpAddr, Finding> {
        let names = template.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let text = template.fill(|name| self.captured.get(name).map(String::as_str));
        let text = text.ok_or_else(|| Finding::new(format!("{names} was not captured")).about(&["to"]))?;
        let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
        let address: IpAddr = address.ok_or_else(|| {
            Finding::new(format!("{names} is no address when the step begins: {text:?}")).about(&["to"])
        })?;
        match family {
            Some(family) if Family::of(address) != family => Err(Finding::new(format!(
                "{names} is {address} when the step begins, which is not an {} address",
                family.name()
            ))
            .about(&["to"])),
            _ => Ok(address),
        }
    }

    /// The address of a target that scripts give, and the interface that has it.
    fn fill(&self, target: &mut Target) -> Result<(), Finding> {
        let (node, interface, family) = match &target.read {
            Some(ReadFrom::Node { node, interface, family }) => (*node, *interface, *family),
            Some(ReadFrom::Captured { template, family }) => {
                target.address = self.captured(template, *family)?;
                target.owner = self.holder(target.address);
                return Ok(());
            }
            None => {
                target.owner = target.owner.or_else(|| self.holder(target.address));
                return Ok(());
            }
        };
        let wanted = |end: &End| end.node == node && interface.is_none_or(|interface| interface == end.interface);
        let mut found: Vec<(End, IpAddr)> = Vec::new();
        for end in self.ends().filter(wanted).filter(|end| end.interface > 0 || interface.is_some()) {
            let own = self.at(end).addresses.iter().map(|cidr| cidr.address);
            let plain = own.filter(|address| family == Family::of(*address) && !is_link_local(*address));
            found.extend(plain.map(|address| (end, address)));
        }
        if let [(end, address)] = *found {
            (target.owner, target.address) = (Some(end), address);
            return Ok(());
        }
        let name = interface.map_or_else(
            || self.nodes[node].name.clone(),
            |interface| format!("{}.{}", self.nodes[node].name, self.nodes[node].interfaces[interface].name),
        );
        let mut there: Vec<String> = Vec::new();
        for end in self.ends().filter(|end| end.node == node) {
            let interface = self.at(end);
            let plain = interface.addresses.iter().filter(|cidr| !is_link_local(cidr.address));
            there.extend(plain.map(|cidr| format!("{}: {cidr}", interface.name)));
        }
        let finding = Finding::new(match found.len() {
            0 => format!("{name} has no {} address when the step begins", family.name()),
            several => format!("{name} has {several} {} addresses when the step begins", family.name()),
        });
        Err(finding.about(&["to", "get", "url"]).note(match &*there {
            [] => format!("{} has no address at all", self.nodes[node].name),
            there => format!("{} has {}", self.nodes[node].name, there.join(", ")),
        }))
    }

    /// The URL of a request.
    fn fill_url(&self, http: &mut Http) -> Result<(), Finding> {
        let Some([url, host, path]) = &http.open else { return Ok(()) };
        let fill = |text: &Template| {
            text.fill(|name| self.captured.get(name).map(String::as_str))
                .ok_or_else(|| Finding::new(format!("{text} was not captured")).about(&["url"]))
        };
        (http.url, http.host, http.path) = (fill(url)?, fill(host)?, fill(path)?);
        Ok(())
    }

    /// The MAC address of an interface that is named.
    fn fill_mac(&self, mac: &mut Mac, words: &str) -> Result<(), Finding> {
        let Some((node, _)) = words.split_once('.') else { return Ok(()) };
        let found = self.interface(words).map(|end| self.at(end));
        if let Some(known) = found.filter(|interface| interface.present).and_then(|interface| interface.mac) {
            *mac = known;
            return Ok(());
        }
        if !self.nodes.iter().any(|made| made.open && made.name == node) {
            return Ok(());
        }
        let finding = Finding::new(match found.filter(|interface| interface.present) {
            Some(_) => format!("{words} has no MAC address when the step begins"),
            None => format!("there is no interface {words} when the step begins"),
        });
        Err(finding.about(&["mac", "to"]))
    }

    /// Whether the interface that a list is of is there, where scripts make it.
    fn has(&self, listing: &Listing) -> Result<(), Finding> {
        let node = &self.nodes[listing.on];
        let (List::Addresses { dev } | List::Ports { bridge: dev, .. } | List::Neighbours { dev: Some(dev), .. }) =
            &listing.list
        else {
            return Ok(());
        };
        if !node.open || node.interfaces.iter().any(|interface| interface.present && interface.name == *dev) {
            return Ok(());
        }
        Err(Finding::new(format!("there is no interface {}.{dev} when the step begins", node.name)).about(&["on"]))
    }

    /// The addresses that the words stand for, where they stand for any.
    fn fill_by(&self, by: &mut By) -> bool {
        let read: Vec<IpAddr> = by.words.split(OR).flat_map(|word| self.addresses(word)).collect();
        let known = !read.is_empty();
        if known {
            by.addresses = read;
        }
        known
    }

    /// The addresses that a word stands for: its own, or those of a node or an interface.
    fn addresses(&self, word: &str) -> Vec<IpAddr> {
        if let Ok(address) = word.parse() {
            return vec![address];
        }
        let (node, interface) = word.split_once('.').map_or((word, None), |(node, dev)| (node, Some(dev)));
        let named = |end: &End| {
            self.nodes[end.node].name == node && interface.is_none_or(|interface| self.at(*end).name == interface)
        };
        let all = self.ends().filter(named).flat_map(|end| self.at(end).addresses.iter().map(|cidr| cidr.address));
        // Others may have some of them, too: these do not say who it was.
        all.filter(|address| self.holder(*address).is_some()).collect()
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
