//! What can be broken in nodes and networks.

use toml::Value;

use crate::mutation::{File, Kind, Mutation};
use crate::numbers::{host_prefix, next_port};
use crate::tree::{Place, entries, get, items, with};

/// The nodes and networks of a file.
pub(crate) struct Topology<'a>(pub(crate) &'a File<'a>);

impl Topology<'_> {
    /// Every single way to break them.
    pub(crate) fn mutations(&self) -> Vec<Mutation> {
        let tree = self.0.tree;
        let mut found = Vec::new();
        for (_, node, _) in entries(tree, &Place::default().key("nodes")) {
            for (_, interface, _) in entries(tree, &node.key("interfaces")) {
                self.interface(&interface, &mut found);
            }
            self.routes(&node.key("routes"), &mut found);
            self.translations(&node.key("nat"), &mut found);
            self.services(&node.key("services"), &mut found);
            self.settings(&node, &mut found);
        }
        for (_, network, _) in entries(tree, &Place::default().key("networks")) {
            self.network(&network, &mut found);
        }
        found
    }

    fn interface(&self, interface: &Place, found: &mut Vec<Mutation>) {
        let tree = self.0.tree;
        self.addresses(&interface.key("address"), found);
        self.down(interface, found);
        if let Some(peer) = get(tree, &interface.keys(&["veth", "peer"])).and_then(Value::as_str) {
            found.push(self.cut(interface, peer));
            if let Some(far) = far_end(peer).filter(|far| get(tree, far).is_none()) {
                self.down(&far, found);
            }
        }
        for list in [["bridge", "ports"], ["vxlan", "remote"]] {
            for (item, _) in items(tree, &interface.keys(&list)) {
                found.push(self.0.without(Kind::Peer, &item));
            }
        }
        if let Some(port) = get(tree, &interface.keys(&["vxlan", "port"])).and_then(next_port) {
            found.push(self.0.with(Kind::Port, &interface.keys(&["vxlan", "port"]), port));
        }
    }

    fn down(&self, interface: &Place, found: &mut Vec<Mutation>) {
        let up = interface.key("up");
        if get(self.0.tree, &up).and_then(Value::as_bool) != Some(false) {
            found.push(self.0.with(Kind::Link, &up, false));
        }
    }

    /// A cable that is cut: its ends are there, with all that they have, and each leads to somebody who has nothing.
    fn cut(&self, interface: &Place, peer: &str) -> Mutation {
        let nobody = Place::default().keys(&["nodes", "nobody"]);
        let mut tree = with(self.0.tree, &nobody, Some(Value::Table(toml::Table::new())));
        for (end, far) in [(Some(interface.clone()), "nobody.end0"), (far_end(peer), "nobody.end1")] {
            let Some(end) = end else { continue };
            tree = with(&tree, &end.keys(&["veth", "peer"]), Some(far.into()));
        }
        self.0.changed(Kind::Peer, format!("{interface}.veth cut"), &tree)
    }

    /// Each address gone, and each with the prefix of one host.
    fn addresses(&self, place: &Place, found: &mut Vec<Mutation>) {
        for (item, address) in items(self.0.tree, place) {
            found.push(self.0.without(Kind::Address, &item));
            found.extend(host_prefix(address).map(|address| self.0.with(Kind::Prefix, &item, address)));
        }
    }

    fn prefixes(&self, place: &Place, found: &mut Vec<Mutation>) {
        for (item, prefix) in items(self.0.tree, place) {
            found.extend(host_prefix(prefix).map(|prefix| self.0.with(Kind::Prefix, &item, prefix)));
        }
    }

    fn routes(&self, routes: &Place, found: &mut Vec<Mutation>) {
        for (route, _) in items(self.0.tree, routes) {
            found.push(self.0.without(Kind::Route, &route));
            self.prefixes(&route.key("to"), found);
        }
    }

    fn translations(&self, nat: &Place, found: &mut Vec<Mutation>) {
        for (entry, _) in items(self.0.tree, nat) {
            found.push(self.0.without(Kind::Nat, &entry));
            for kind in ["masquerade", "snat"] {
                self.prefixes(&entry.keys(&[kind, "src"]), found);
            }
            for port in ["port", "to"] {
                self.port(&entry.keys(&["forward", port]), found);
            }
        }
    }

    fn services(&self, services: &Place, found: &mut Vec<Mutation>) {
        for (_, service, _) in entries(self.0.tree, services) {
            found.push(self.0.without(Kind::Service, &service));
            for kind in ["http", "tcp", "udp"] {
                self.port(&service.keys(&[kind, "port"]), found);
            }
            if get(self.0.tree, &service.key("dns")).is_some() {
                found.push(self.0.with(Kind::Port, &service.keys(&["dns", "port"]), 54));
            }
        }
    }

    fn port(&self, place: &Place, found: &mut Vec<Mutation>) {
        let port = get(self.0.tree, place).and_then(next_port);
        found.extend(port.map(|port| self.0.with(Kind::Port, place, port)));
    }

    fn settings(&self, node: &Place, found: &mut Vec<Mutation>) {
        let tree = self.0.tree;
        let forwarding = node.key("forwarding");
        if get(tree, &forwarding).is_some_and(|value| value.as_bool() != Some(false)) {
            found.push(self.0.without(Kind::Forwarding, &forwarding));
        }
        self.addresses(&node.key("serves"), found);
        let sysctls = entries(tree, &node.key("sysctls")).into_iter().map(|(_, place, _)| place);
        let resolvers = items(tree, &node.key("resolver")).into_iter().map(|(place, _)| place);
        found.extend(sysctls.chain(resolvers).map(|place| self.0.without(Kind::Setting, &place)));
    }

    fn network(&self, network: &Place, found: &mut Vec<Mutation>) {
        let members = network.key("members");
        let named = entries(self.0.tree, &members).into_iter().map(|(_, place, _)| place);
        let places: Vec<Place> = match get(self.0.tree, &members) {
            Some(Value::Table(_)) => named.collect(),
            _ => items(self.0.tree, &members).into_iter().map(|(place, _)| place).collect(),
        };
        found.extend(places.iter().map(|place| self.0.without(Kind::Peer, place)));
        if get(self.0.tree, &network.key("gateway")).is_some() {
            found.push(self.0.without(Kind::Route, &network.key("gateway")));
        }
    }
}

/// The place of `NODE.INTERFACE`.
fn far_end(peer: &str) -> Option<Place> {
    let (node, interface) = peer.split_once('.')?;
    Some(Place::default().keys(&["nodes", node, "interfaces", interface]))
}
