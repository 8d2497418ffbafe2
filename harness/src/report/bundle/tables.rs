//! A node as text: what its kernel has, table by table.

use std::fmt::Write as _;

use super::plain;
use crate::evidence::{Address, Chain, Connection, Fdb, Interface, Neighbour, NodeState, Rule, Tuple};

/// All tables of a node; those with nothing in them say so.
pub(super) fn of(node: &NodeState) -> String {
    let mut text = format!("{}{}\n", node.name, if node.absent { ": not there" } else { "" });
    let name = |index: u32| {
        let known = node.interfaces.iter().find(|interface| interface.index == index);
        known.map_or_else(|| format!("interface {index}"), |interface| interface.name.clone())
    };
    table(&mut text, "interfaces", node.interfaces.iter().map(|interface| interface_words(interface, &name)));
    let addresses = node.interfaces.iter().flat_map(|it| it.addresses.iter().map(|address| words_of(it, address)));
    table(&mut text, "addresses", addresses);
    table(&mut text, "routes", node.routes.iter().cloned());
    table(&mut text, "policy rules", node.policy.iter().map(|rule| rule.text.clone()));
    table(&mut text, "neighbours", node.neighbours.iter().map(|neighbour| neighbour_words(neighbour, &name)));
    table(&mut text, "forwarding tables", node.fdb.iter().map(|entry| fdb_words(entry, &name)));
    let listening = node.listening.iter().map(|socket| {
        format!("{} {}{}", socket.transport.word(), socket.at, if socket.only_v6 { " (IPv6 only)" } else { "" })
    });
    table(&mut text, "listening", listening);
    table(&mut text, "settings", node.sysctls.iter().map(|(name, value)| format!("{name} = {value}")));
    table(&mut text, "counters that grew", node.grown.iter().map(|(name, by)| format!("{name} +{by}")));
    table(&mut text, "connections", node.connections.iter().map(connection_words));
    table(&mut text, "chains", node.chains.iter().map(chain_words));
    table(&mut text, "rules", node.rules.iter().map(rule_words));
    text
}

fn table(text: &mut String, heading: &str, lines: impl Iterator<Item = String>) {
    let before = text.len();
    // Writing to a string does not fail.
    let _ = write!(text, "\n{heading}:\n");
    let start = text.len();
    for line in lines {
        let _ = writeln!(text, "  {}", plain(&line).replace('\n', " "));
    }
    if text.len() == start {
        text.truncate(before);
        let _ = write!(text, "\n{heading}: none\n");
    }
}

fn interface_words(it: &Interface, name: &impl Fn(u32) -> String) -> String {
    let mut words = format!("{}: {}", it.name, it.kind.as_deref().unwrap_or("loopback"));
    words.push_str(if it.up { ", up" } else { ", down" });
    words.push_str(if it.carrier { "" } else { ", no carrier" });
    let _ = write!(words, ", mtu {}", it.mtu);
    if let Some(mac) = it.mac {
        let _ = write!(words, ", {mac}");
    }
    if let Some(vlan) = it.vlan {
        let _ = write!(words, ", vlan {vlan}");
    }
    if let Some(tunnel) = &it.tunnel {
        let _ = write!(words, ", vxlan {} port {}", tunnel.id, tunnel.port);
        let ends = [("local", tunnel.local), ("remote", tunnel.remote)];
        for (word, address) in ends.into_iter().filter_map(|(word, end)| Some((word, end?))) {
            let _ = write!(words, " {word} {address}");
        }
    }
    if let Some(master) = it.master {
        let _ = write!(words, ", port of {}", name(master));
    }
    if let Some(port) = it.port {
        let state = format!("{:?}", port.state).to_lowercase();
        let _ = write!(words, ", {state}{}", if port.isolated { ", isolated" } else { "" });
    }
    if it.vlan_filtering {
        words.push_str(", looks at VLANs");
    }
    words
}

fn words_of(it: &Interface, address: &Address) -> String {
    let state = [(address.tentative, " tentative"), (address.duplicate, " duplicate")];
    let state: String = state.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    format!("{} {}{state}", it.name, address.cidr)
}

fn neighbour_words(it: &Neighbour, name: &impl Fn(u32) -> String) -> String {
    let mac = it.mac.map_or_else(|| "no address".to_owned(), |mac| mac.to_string());
    format!("{} {} {mac} {}", name(it.interface), it.address, it.state.word())
}

fn fdb_words(it: &Fdb, name: &impl Fn(u32) -> String) -> String {
    let mut words = format!("{} {}", name(it.interface), it.mac);
    if let Some(vlan) = it.vlan {
        let _ = write!(words, " vlan {vlan}");
    }
    if let Some(remote) = it.remote {
        let _ = write!(words, " at {remote}");
    }
    words + if it.permanent { " permanent" } else { " learned" }
}

fn connection_words(it: &Connection) -> String {
    let tuple = |tuple: &Tuple| format!("{}:{} -> {}:{}", tuple.from, tuple.source_port, tuple.to, tuple.port);
    let answered = if it.answered { "answered" } else { "not answered" };
    format!("protocol {}: {}, back {}, {answered}", it.protocol, tuple(&it.original), tuple(&it.reply))
}

fn chain_words(it: &Chain) -> String {
    let hook = it.hook.as_ref().map(|hook| format!(": hook {hook} priority {}", it.priority)).unwrap_or_default();
    let policy = it.policy.as_ref().map(|policy| format!(" policy {policy}")).unwrap_or_default();
    format!("{} {} {}{hook}{policy}", it.family, it.table, it.name)
}

fn rule_words(it: &Rule) -> String {
    let packets = it.packets.map(|packets| format!(" ({packets} packets)")).unwrap_or_default();
    format!("{} {} {} [{}]: {}{packets}", it.family, it.table, it.chain, it.handle, it.text)
}
