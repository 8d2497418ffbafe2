//! A plan as a person reads it: what is done, in order, in the words of `ip`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::plan::{
    Action, Change, Expectation, Forward, Interface, InterfaceKind, Leaving, Loader, Made, NatKind, Need, Node, NodeId,
    Place, Plan, Ready, Route, Rules, RulesText, Service, ServiceKind, Sysctl,
};
use crate::words::{Cidr, Family, RouteType};

/// The whole plan. Lines that stand under a node are `ip -n NODE ...` without those words.
pub fn print(path: &str, plan: &Plan) -> String {
    let mut text = format!("# {path}: {}\n", plan.title);
    push(&mut text, &format!("# timeout {}, silence {}", time(plan.timeout), time(plan.silence)));
    for need in &plan.needs {
        push(&mut text, &format!("# needs {}", need_words(need)));
    }
    push(&mut text, "\n# machines");
    for node in &plan.nodes {
        let what = if node.switch { " # the switch of a network" } else { "" };
        match node.created_by {
            Some(creator) => push(&mut text, &format!("# {} is made by {}", node.name, plan.nodes[creator].name)),
            None => push(&mut text, &format!("ip netns add {}{what}", node.name)),
        }
        for (family, on) in [("ipv4", node.forward_ipv4), ("ipv6", node.forward_ipv6)] {
            if on {
                push(&mut text, &format!("ip netns exec {} sysctl net.{family}.conf.all.forwarding=1", node.name));
            }
        }
        for sysctl in &node.sysctls {
            push(&mut text, &sysctl_words(&node.name, sysctl));
        }
        for served in &node.serves {
            push(&mut text, &format!("ip -n {} route add local {} dev lo", node.name, served.prefix));
        }
        node.nat.iter().for_each(|nat| push(&mut text, &nat_words(node, &nat.kind)));
    }
    push(&mut text, "\n# kernel operations");
    for operation in &plan.operations {
        push(&mut text, &operation_words(plan, &operation.action));
    }
    if !plan.setup.is_empty() || !plan.rules.is_empty() {
        push(&mut text, "\n# scripts and rules");
    }
    for script in &plan.setup {
        push(&mut text, &format!("ip netns exec {} {}", plan.nodes[script.node].name, script.path));
    }
    for rules in &plan.rules {
        push(&mut text, &rules_words(plan, rules));
    }
    if !plan.services.is_empty() {
        push(&mut text, "\n# services");
        plan.services.iter().for_each(|service| push(&mut text, &service_words(plan, service)));
    }
    for step in &plan.steps {
        if step.title.is_some() || !step.actions.is_empty() {
            push(&mut text, &format!("\n# step: {}", step.title.as_deref().unwrap_or("without a title")));
        }
        for operation in &step.actions {
            push(&mut text, &operation_words(plan, &operation.action));
        }
        push(&mut text, "\n# expectations");
        let nodes = step.nodes.as_ref().unwrap_or(&plan.nodes);
        for expectation in &plan.expectations[step.expectations.clone()] {
            push(&mut text, &expectation_words(expectation, nodes));
        }
    }
    text + "\n"
}

fn rules_words(plan: &Plan, rules: &Rules) -> String {
    let source = match &rules.text {
        RulesText::File(path) => path.as_str(),
        RulesText::Inline(_) => "(the rules in the case)",
    };
    let program = match rules.loader {
        Loader::Nft => "nft -f",
        Loader::Iptables | Loader::Ip6tables => rules.loader.program(),
    };
    format!("ip netns exec {} {program} {source}", plan.nodes[rules.node].name)
}

fn expectation_words(expectation: &Expectation, nodes: &[Node]) -> String {
    let words = expectation.check.words(nodes);
    let mut line = expectation.name.clone();
    if !line.ends_with(&words) && !words.is_empty() {
        line.push_str(&format!(": {words}"));
    }
    line.push_str(&format!(" (within {}", time(expectation.within)));
    if let Some(refuser) = expectation.check.refuser() {
        line.push_str(&format!(", {}", refuser.words()));
    }
    if !expectation.holds_for.is_zero() {
        line.push_str(&format!(", holds for {}", time(expectation.holds_for)));
    }
    line + ")"
}

/// As it is written in a case.
fn time(time: Duration) -> String {
    if time.is_zero() { "0s".into() } else { format!("{time:?}") }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A translation in words: its rules follow when the lab is built.
fn nat_words(node: &Node, kind: &NatKind) -> String {
    let name = &node.name;
    let leaving = |leaving: &Leaving| {
        let src = (!leaving.src.is_empty()).then(|| format!(" from {}", list(&leaving.src)));
        let dev = leaving.dev.and_then(|dev| node.interfaces.get(dev)).map(|dev| format!(" by {}", dev.name));
        format!("what leaves{}{}", src.unwrap_or_default(), dev.unwrap_or_default())
    };
    match kind {
        NatKind::Masquerade { leaving: what, families } => {
            let families: Vec<&str> = families.iter().map(|family| family.name()).collect();
            format!("# {name} masquerades {} ({})", leaving(what), list(&families))
        }
        NatKind::Snat { leaving: what, to } => format!("# {name} gives {} the address {to}", leaving(what)),
        NatKind::Forward(Forward { addresses, port, to, to_port, behind: _ }) => {
            let what = port.map_or_else(|| "everything".to_owned(), |port| port.to_string());
            let at = if addresses.is_empty() { "its addresses".to_owned() } else { list(addresses) };
            let to = to_port.map_or_else(|| to.to_string(), |port| SocketAddr::new(*to, port).to_string());
            format!("# {name} forwards {what} for {at} to {to}")
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn need_words(need: &Need) -> String {
    match need {
        Need::Program(name) => format!("the program {name}"),
        Need::Link(kind) => format!("links of type {kind}"),
        Need::Ipv6 => "IPv6".into(),
    }
}

fn change_words(plan: &Plan, place: &Place, change: &Change) -> String {
    let (node, dev) = (&plan.nodes[place.node].name, &place.name);
    let set = |what: &str| format!("ip -n {node} link set {dev} {what}");
    match change {
        Change::Master(Some(master)) => set(&format!("master {}", master.name)),
        Change::Master(None) => set("nomaster"),
        Change::AddAddress(cidr) => format!("ip -n {node} addr add {cidr} dev {dev}"),
        Change::DelAddress(cidr) => format!("ip -n {node} addr del {cidr} dev {dev}"),
        Change::Admin(admin) => set(admin.word()),
        Change::Name(new) => set(&format!("name {new}")),
        Change::Mtu(mtu) => set(&format!("mtu {mtu}")),
        Change::Mac(mac) => set(&format!("address {mac}")),
        Change::Node(other) => set(&format!("netns {}", plan.nodes[*other].name)),
        Change::Delete => format!("ip -n {node} link del {dev}"),
    }
}

fn operation_words(plan: &Plan, action: &Action) -> String {
    let name = |node: NodeId| &plan.nodes[node].name;
    let route = |verb: &str, node: NodeId, route: &Route, dev: &Option<Place>| {
        format!("ip -n {} route {verb} {}", name(node), route_words(route, dev.as_ref()))
    };
    match action {
        Action::AddLink(made) => {
            let Made { node, interface, master, dev } = &**made;
            let dev = dev.as_ref().map(|dev| match dev.node {
                same if same == *node => dev.name.clone(),
                other => format!("{}.{}", name(other), dev.name),
            });
            format!(
                "ip -n {} link add {}{}{} {}",
                name(*node),
                interface.name,
                settings(interface),
                master.as_ref().map(|master| format!(" master {}", master.name)).unwrap_or_default(),
                kind_words(&interface.kind, dev.as_deref())
            )
        }
        Action::AddVeth { first, second } => format!(
            "ip -n {} link add {}{}{} type veth peer name {}{} netns {}",
            name(first.node),
            first.interface.name,
            settings(&first.interface),
            first.master.as_ref().map(|master| format!(" master {}", master.name)).unwrap_or_default(),
            second.interface.name,
            settings(&second.interface),
            name(second.node),
        ),
        Action::Change(place, change) => change_words(plan, place, change),
        Action::AddRoute(node, added, dev) => route("add", *node, added, dev),
        Action::DelRoute(node, deleted, dev) => route("del", *node, deleted, dev),
        Action::FlushNeighbours(node, dev) => {
            let dev = dev.as_ref().map(|dev| format!(" dev {}", dev.name)).unwrap_or_default();
            format!("ip -n {} neigh flush{dev}", name(*node))
        }
        Action::SetSysctl(node, sysctl) => sysctl_words(name(*node), sysctl),
        Action::LoadRules(rules) => rules_words(plan, rules),
        Action::Run(run) => format!("run {} in {}", run.words(), name(run.on)),
        Action::StartService(at) | Action::StopService(at) => {
            let verb = if matches!(action, Action::StartService(_)) { "start" } else { "stop" };
            let service = &plan.services[*at];
            format!("{verb} {} in {}", service.name, name(service.node))
        }
    }
}

fn sysctl_words(node: &str, sysctl: &Sysctl) -> String {
    let key = sysctl.path.replace('.', "\0").replace('/', ".").replace('\0', "/");
    format!("ip netns exec {node} sysctl {key}={}", sysctl.value)
}

/// What is set when a link is made. A port of a bridge is made as one where its bridge stands already.
fn settings(interface: &Interface) -> String {
    let mut text = match interface.kind {
        InterfaceKind::Loopback | InterfaceKind::Found => String::new(),
        _ => format!(" index {}", interface.index),
    };
    if let Some(mac) = interface.mac {
        text.push_str(&format!(" address {mac}"));
    }
    if let Some(mtu) = interface.mtu {
        text.push_str(&format!(" mtu {mtu}"));
    }
    text
}

/// The kind of a link, and what belongs to it.
fn kind_words(kind: &InterfaceKind, dev: Option<&str>) -> String {
    let dev = dev.unwrap_or_default();
    match kind {
        InterfaceKind::Loopback
        | InterfaceKind::Veth { .. }
        | InterfaceKind::Bridge
        | InterfaceKind::Dummy
        | InterfaceKind::Found => format!("type {}", kind.word()),
        InterfaceKind::Vlan { dev: _, id } => format!("link {dev} type vlan id {id}"),
        InterfaceKind::Macvlan { dev: _, mode } => format!("link {dev} type macvlan mode {mode}"),
        InterfaceKind::Vxlan(vxlan) => {
            let mut text = format!("type vxlan id {} dstport {}", vxlan.id, vxlan.port);
            text.extend(vxlan.local.map(|local| format!(" local {local}")));
            text.extend(vxlan.dev.map(|_| format!(" dev {dev}")));
            text.extend(vxlan.remotes.iter().map(|remote| format!(" remote {remote}")));
            text + if vxlan.learning { "" } else { " nolearning" }
        }
    }
}

fn route_words(route: &Route, dev: Option<&Place>) -> String {
    let Route { to, via, dev: _, over: _, src, metric, onlink, kind, span: _ } = route;
    let mut words = Vec::new();
    if *kind != RouteType::Unicast {
        words.push(kind.to_string());
    }
    words.push(if to.length == 0 { default_route(*to) } else { to.to_string() });
    let mut word = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("{key} {value}"));
        }
    };
    word("via", via.map(|via| via.to_string()));
    word("dev", dev.map(|dev| dev.name.clone()));
    word("src", src.map(|src| src.to_string()));
    word("metric", metric.map(|metric| metric.to_string()));
    if *onlink {
        words.push("onlink".into());
    }
    words.join(" ")
}

fn default_route(to: Cidr) -> String {
    match Family::of(to.address) {
        Family::Ipv4 => "default".into(),
        Family::Ipv6 => "default (IPv6)".into(),
    }
}

fn service_words(plan: &Plan, service: &Service) -> String {
    let listening = |listen: &[std::net::IpAddr]| match listen {
        [] => "every address".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let what = match &service.kind {
        ServiceKind::Http { port, listen, status, headers: _, body } => {
            format!("http on {} port {port}, answers {status} with {} bytes", listening(listen), body.len())
        }
        ServiceKind::Echo { transport, port, listen } => {
            format!("{transport} echo on {} port {port}", listening(listen))
        }
        ServiceKind::Dns { port, listen, records, .. } => {
            format!("dns on {} port {port}, knows {} records", listening(listen), records.len())
        }
        ServiceKind::Command { run, env: _, ready } => {
            let ready = match ready {
                Ready::Port(port) => format!("listening on {port}"),
                Ready::Output(text) => format!("having printed {text:?}"),
            };
            format!("{}, ready when {ready}", run.join(" "))
        }
    };
    format!("{}: {}: {what}", plan.nodes[service.node].name, service.name)
}
