//! The negative expectations of a case that rest on silence, and what each of them needs to be proved.

use toml::Value;

use crate::mutation::{Kind, Mutation};
use crate::tree::{Place, entries, get, items};

/// The outcomes for which nobody need say anything.
const SILENT: [&str; 3] = ["silent", "unreachable", "closed"];

/// A negative expectation that rests on silence.
#[derive(Debug)]
pub(crate) struct Negative {
    /// How many expectations of the file stand before it.
    pub(crate) index: usize,
    /// The check, such as `tcp`.
    kind: &'static str,
    /// Whom it asks, and for which port.
    targets: Vec<Target>,
    /// Who asks.
    senders: Vec<String>,
}

#[derive(Debug)]
struct Target {
    node: String,
    /// The interface that has the address asked for; all that have one when a node is asked by its name.
    interface: Option<String>,
    port: Option<u16>,
}

/// Every such expectation of a case, and how many expectations it has.
pub(crate) fn negatives(tree: &Value) -> (Vec<Negative>, usize) {
    let places = expectations(tree);
    let count = places.len();
    let found = places.iter().enumerate().filter_map(|(index, place)| negative(tree, place, index));
    (found.collect(), count)
}

/// The expectations in the order of the text.
fn expectations(tree: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    for (key, place, _) in entries(tree, &Place::default()) {
        match key {
            "expect" => found.extend(items(tree, &place).into_iter().map(|(place, _)| place)),
            "steps" => {
                for (step, _) in items(tree, &place) {
                    found.extend(items(tree, &step.key("expect")).into_iter().map(|(place, _)| place));
                }
            }
            _ => {}
        }
    }
    found
}

fn negative(tree: &Value, place: &Place, index: usize) -> Option<Negative> {
    let kinds = ["ping", "tcp", "udp", "http", "dns"];
    let (kind, check) =
        kinds.iter().map(|kind| (*kind, place.key(kind))).find(|(_, check)| get(tree, check).is_some())?;
    let texts = |key: &str| -> Vec<String> {
        items(tree, &check.key(key)).iter().filter_map(|(_, value)| value.as_str()).map(str::to_owned).collect()
    };
    if !texts("outcome").iter().any(|outcome| SILENT.contains(&outcome.as_str())) {
        return None;
    }
    let asked = ["to", "url", "server"].iter().flat_map(|key| texts(key));
    let targets = asked.filter_map(|asked| target(tree, &asked)).collect();
    Some(Negative { index, kind, targets, senders: texts("from") })
}

/// Who is asked: the node of that name or with that address.
fn target(tree: &Value, asked: &str) -> Option<Target> {
    let (asked, port) = match asked.strip_prefix("http://") {
        Some(rest) => (rest.split('/').next()?, Some(80)),
        None => (asked, None),
    };
    let (host, written) = match asked.rsplit_once(':') {
        Some((host, port)) if host.starts_with('[') || !host.contains(':') => (host, port.parse().ok()),
        _ => (asked, None),
    };
    let (host, port) = (host.trim_matches(['[', ']']), written.or(port));
    for (name, node, _) in entries(tree, &Place::default().key("nodes")) {
        if host == name {
            return Some(Target { node: name.to_owned(), interface: None, port });
        }
        for (interface, place, _) in entries(tree, &node.key("interfaces")) {
            let addresses = items(tree, &place.key("address"));
            let has = |value: &Value| value.as_str().and_then(|text| text.split('/').next()) == Some(host);
            if host == format!("{name}.{interface}") || addresses.iter().any(|(_, value)| has(value)) {
                return Some(Target { node: name.to_owned(), interface: Some(interface.to_owned()), port });
            }
        }
    }
    None
}

impl Negative {
    /// Whether a mutation takes away the listener, an address, a link or a route that this rests on.
    pub(crate) fn rests_on(&self, tree: &Value, mutation: &Mutation) -> bool {
        let at = |node: &str, rest: &str| mutation.name.starts_with(&format!("nodes.{node}.{rest}"));
        match mutation.kind {
            Kind::Service => self.targets.iter().any(|target| {
                entries(tree, &Place::default().keys(&["nodes", &target.node, "services"])).iter().any(
                    |(name, place, _)| {
                        target.port.is_some_and(|port| listens(tree, place, self.kind, port))
                            && at(&target.node, &format!("services.{name} "))
                    },
                )
            }),
            Kind::Route => {
                self.senders.iter().chain(self.targets.iter().map(|target| &target.node)).any(|node| at(node, "routes"))
            }
            Kind::Address => self.targets.iter().any(|target| self.on(target, mutation)),
            Kind::Link => {
                let concerned = self.targets.iter().any(|target| self.on(target, mutation))
                    || self.senders.iter().any(|sender| at(sender, "interfaces."));
                concerned && has_address(tree, &mutation.name)
            }
            _ => false,
        }
    }

    fn on(&self, target: &Target, mutation: &Mutation) -> bool {
        let interface = target.interface.as_ref().map(|name| format!("{name}.")).unwrap_or_default();
        mutation.name.starts_with(&format!("nodes.{}.interfaces.{interface}", target.node))
    }
}

/// Whether the interface of a change has an address, without which nobody asks over it or is asked at it.
fn has_address(tree: &Value, name: &str) -> bool {
    let nodes = entries(tree, &Place::default().key("nodes")).into_iter();
    let mut interfaces = nodes.flat_map(|(_, node, _)| entries(tree, &node.key("interfaces")));
    interfaces.any(|(_, place, _)| name.starts_with(&format!("{place}.")) && get(tree, &place.key("address")).is_some())
}

/// Whether a service answers a check of this kind at a port.
fn listens(tree: &Value, service: &Place, kind: &str, port: u16) -> bool {
    let services: &[&str] = match kind {
        "tcp" | "http" => &["tcp", "http"],
        "dns" => return get(tree, &service.key("dns")).is_some(),
        _ => &["udp"],
    };
    let mut ports = services.iter().filter_map(|kind| get(tree, &service.keys(&[kind, "port"])));
    ports.any(|written| written.as_integer() == Some(port.into()))
}
