//! A plan as a person reads it: what is done, in order, in the words of `ip`.

use std::time::Duration;

use crate::plan::{Action, End, Interface, InterfaceKind, Need, Plan, Ready, Route, Service, ServiceKind};
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
        push(&mut text, &format!("ip netns add {}{what}", node.name));
        for (family, on) in [("ipv4", node.forward_ipv4), ("ipv6", node.forward_ipv6)] {
            if on {
                push(&mut text, &format!("ip netns exec {} sysctl net.{family}.conf.all.forwarding=1", node.name));
            }
        }
        for sysctl in &node.sysctls {
            let key = sysctl.path.replace('.', "\0").replace('/', ".").replace('\0', "/");
            push(&mut text, &format!("ip netns exec {} sysctl {key}={}", node.name, sysctl.value));
        }
    }
    push(&mut text, "\n# kernel operations");
    for operation in &plan.operations {
        push(&mut text, &operation_words(plan, operation.action));
    }
    if !plan.services.is_empty() {
        push(&mut text, "\n# services");
        plan.services.iter().for_each(|service| push(&mut text, &service_words(plan, service)));
    }
    push(&mut text, "\n# expectations");
    for expectation in &plan.expectations {
        let words = expectation.check.words(&plan.nodes);
        let mut line = expectation.name.clone();
        if words != expectation.name && !words.is_empty() {
            line.push_str(&format!(": {words}"));
        }
        line.push_str(&format!(" (within {}", time(expectation.within)));
        if !expectation.holds_for.is_zero() {
            line.push_str(&format!(", holds for {}", time(expectation.holds_for)));
        }
        push(&mut text, &(line + ")"));
    }
    text + "\n"
}

/// As it is written in a case.
fn time(time: Duration) -> String {
    if time.is_zero() { "0s".into() } else { format!("{time:?}") }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn need_words(need: &Need) -> String {
    match need {
        Need::Program(name) => format!("the program {name}"),
        Need::Link(kind) => format!("links of type {kind}"),
        Need::Ipv6 => "IPv6".into(),
    }
}

fn operation_words(plan: &Plan, action: Action) -> String {
    let node = |end: End| &plan.nodes[end.node].name;
    match action {
        Action::AddBridge(end) => {
            let interface = plan.interface(end);
            format!("ip -n {} link add {}{} type bridge", node(end), interface.name, settings(interface))
        }
        Action::AddVeth { first, second } => {
            let (one, other) = (plan.interface(first), plan.interface(second));
            let port = one.master.map(|bridge| format!(" master {}", plan.nodes[first.node].interfaces[bridge].name));
            format!(
                "ip -n {} link add {}{}{} type veth peer name {}{} netns {}",
                node(first),
                one.name,
                settings(one),
                port.unwrap_or_default(),
                other.name,
                settings(other),
                node(second),
            )
        }
        Action::SetMaster(end) => {
            let interface = plan.interface(end);
            let master = interface.master.map_or("?", |master| &plan.nodes[end.node].interfaces[master].name);
            format!("ip -n {} link set {} master {master}", node(end), interface.name)
        }
        Action::AddAddress(end, nth) => {
            let interface = plan.interface(end);
            let address = interface.addresses.get(nth).map_or_else(|| "?".into(), ToString::to_string);
            format!("ip -n {} addr add {address} dev {}", node(end), interface.name)
        }
        Action::SetUp(end) => format!("ip -n {} link set {} up", node(end), plan.interface(end).name),
        Action::AddRoute(id, nth) => {
            let node = &plan.nodes[id];
            let route = node.routes.get(nth).map_or_else(|| "?".into(), |route| route_words(&node.interfaces, route));
            format!("ip -n {} route add {route}", node.name)
        }
    }
}

/// What is set when a link is made. A port of a bridge is made as one where its bridge stands already.
fn settings(interface: &Interface) -> String {
    let mut text = match interface.kind {
        InterfaceKind::Loopback => String::new(),
        InterfaceKind::Veth { .. } | InterfaceKind::Bridge => format!(" index {}", interface.index),
    };
    if let Some(mac) = interface.mac {
        text.push_str(&format!(" address {mac}"));
    }
    if let Some(mtu) = interface.mtu {
        text.push_str(&format!(" mtu {mtu}"));
    }
    text
}

fn route_words(interfaces: &[Interface], route: &Route) -> String {
    let Route { to, via, dev, src, metric, onlink, kind, span: _ } = route;
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
    word("dev", dev.and_then(|dev| interfaces.get(dev)).map(|interface| interface.name.clone()));
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
