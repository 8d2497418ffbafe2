//! Tables over [`super::resolve`]: defaults, expansion, names, operations, addresses of networks.

use std::time::Duration;

use crate::case::Given;
use crate::diagnostic::{Diagnostics, Severity, Style};
use crate::plan::{Action, Change, Check, End, InterfaceKind, Made, Need, Place, Plan};
use crate::source::Source;
use crate::words::Outcome;

/// The plan of a correct case, and its warnings.
pub(super) fn plan_of(text: &str) -> (Plan, Vec<String>) {
    let mut source = Source::new("case.toml", text);
    let mut out = Diagnostics::default();
    let plan =
        crate::case::parse(&mut source, &Given::default(), &mut out).and_then(|case| super::resolve(case, &mut out));
    let said = out.into_sorted(&source);
    let rendered: Vec<String> = said.iter().map(|diagnostic| diagnostic.render(&source, Style::Plain)).collect();
    let plan = plan.unwrap_or_else(|| panic!("no plan:\n{}\n{text}", rendered.join("\n\n")));
    let warnings = said.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Warning);
    (plan, warnings.map(|warning| warning.message).collect())
}

/// A case of `blue` and `red` on one cable, with both families, and the expectations given.
fn pair(expectations: &str) -> String {
    format!(
        r#"
title = "pair"
[nodes.blue]
interfaces.eth0 = {{ veth = {{ peer = "red.eth0" }}, address = ["10.0.0.1/24", "fd00::1/64"] }}
services.web = {{ http = {{ port = 8080 }} }}
services.echo = {{ udp = {{ port = 7 }} }}
[nodes.red]
interfaces.eth0 = {{ address = ["10.0.0.2/24", "fd00::2/64"] }}
{expectations}
"#
    )
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.expectations.iter().map(|expectation| &*expectation.name).collect()
}

pub(super) fn action_words(plan: &Plan) -> Vec<String> {
    let name = |it: &Place| format!("{}.{}", plan.nodes[it.node].name, it.name);
    let made = |it: &Made| format!("{}.{}", plan.nodes[it.node].name, it.interface.name);
    let actions = plan.operations.iter().map(|operation| match &operation.action {
        Action::AddLink(it) => format!("{} {}", it.interface.kind.word(), made(it)),
        Action::AddVeth { first, second } => format!("veth {} {}", made(first), made(second)),
        Action::Change(it, Change::Master(_)) => format!("master {}", name(it)),
        Action::Change(it, Change::AddAddress(cidr)) => format!("address {} {cidr}", name(it)),
        Action::Change(it, Change::Admin(admin)) => format!("{admin} {}", name(it)),
        Action::AddRoute(node, route, _) => format!("route {} {}", plan.nodes[*node].name, route.to),
        other => format!("{other:?}"),
    });
    actions.collect()
}

#[test]
fn a_bridge_and_its_ports_come_in_the_order_the_kernel_needs() {
    let (plan, warnings) = plan_of(
        r#"
title = "two namespaces on a bridge"
[nodes.host.interfaces]
br0 = { bridge = { ports = ["veth0", "veth1"] }, address = "172.18.0.1/16" }
[nodes.netns0]
interfaces.ceth0 = { veth = { peer = "host.veth0" }, address = "172.18.0.10/16" }
routes = [{ to = "default", via = "172.18.0.1" }]
[nodes.netns1.interfaces]
ceth1 = { veth = { peer = "host.veth1" }, up = false }
[[expect]]
ping = { from = "netns0", to = "host" }
"#,
    );
    assert_eq!(warnings, [""; 0]);
    assert_eq!(
        action_words(&plan),
        [
            "bridge host.br0",
            "veth host.veth0 netns0.ceth0",
            "veth host.veth1 netns1.ceth1",
            "up host.lo",
            "up netns0.lo",
            "up netns1.lo",
            "address host.br0 172.18.0.1/16",
            "up host.br0",
            "address netns0.ceth0 172.18.0.10/16",
            "up netns0.ceth0",
            "route netns0 0.0.0.0/0",
        ]
    );
    let host = &plan.nodes[0];
    let names: Vec<&str> = host.interfaces.iter().map(|interface| &*interface.name).collect();
    assert_eq!(names, ["lo", "br0", "veth0", "veth1"]);
    assert_eq!(host.interfaces[2].master, Some(1));
    assert_eq!(host.interfaces[2].kind, InterfaceKind::Veth { peer: End { node: 1, interface: 1 } });
    assert_eq!(host.interfaces.iter().map(|interface| interface.index).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(plan.nodes[1].interfaces.iter().map(|interface| interface.index).collect::<Vec<_>>(), [1, 5]);
    assert_eq!(host.interfaces.iter().map(|interface| interface.ipv6).collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!(plan.needs, []);
}

#[test]
fn mac_addresses_are_the_same_in_every_run_and_each_once() {
    let text = pair("[[expect]]\nping = { from = \"red\", to = \"blue\" }");
    let macs = |plan: &Plan| -> Vec<String> {
        plan.nodes.iter().flat_map(|node| &node.interfaces).map(|interface| format!("{:?}", interface.mac)).collect()
    };
    let (first, second) = (plan_of(&text).0, plan_of(&text).0);
    assert_eq!(macs(&first), macs(&second));
    assert_eq!(
        macs(&first),
        ["None", "Some(02:6e:00:00:00:01)", "None", "Some(02:6e:00:01:00:01)"],
        "`lo` has none, the others have their place"
    );
}

#[test]
fn expectations_are_called_by_their_words() {
    let table: &[(&str, &[&str])] = &[
        (r#"ping = { from = "red", to = "10.0.0.1" }"#, &["ping red -> 10.0.0.1"]),
        (r#"ping = { from = "red", to = "fd00::1" }"#, &["ping red -> fd00::1"]),
        (r#"ping = { from = "red", to = "blue" }"#, &["ping red -> blue", "ping red -> blue (IPv6)"]),
        (r#"ping = { from = "red", to = "blue", family = "ipv6" }"#, &["ping red -> blue (IPv6)"]),
        (r#"ping = { from = "red", to = "blue", source = "10.0.0.2" }"#, &["ping red -> blue"]),
        (
            r#"ping = { from = "red", to = "blue", outcome = "rejected", by = "10.0.0.1" }"#,
            &["ping red -> blue: rejected"],
        ),
        (r#"trace = { from = "red", to = "blue", via = ["*", "10.0.0.1"] }"#, &["trace red -> blue"]),
        (
            r#"ping = { from = ["red", "blue"], to = ["red", "blue"], family = "ipv4", outcome = "unreachable" }"#,
            &["ping red -> blue: unreachable", "ping blue -> red: unreachable"],
        ),
        (
            r#"tcp = { from = "red", to = "blue.eth0:8080", family = "ipv6", outcome = ["refused", "silent"] }"#,
            &["tcp red -> blue.eth0:8080: refused or silent (IPv6)"],
        ),
        (r#"tcp = { from = "red", to = "[fd00::1]:8080" }"#, &["tcp red -> [fd00::1]:8080"]),
        (r#"udp = { from = "red", to = "10.0.0.1:7" }"#, &["udp red -> 10.0.0.1:7"]),
        (
            r#"http = { from = "red", url = "http://blue:8080/", status = 200 }"#,
            &["http red -> http://blue:8080/", "http red -> http://blue:8080/ (IPv6)"],
        ),
        (
            r#"http = { from = "red", url = "http://10.0.0.1:8080", method = "POST", outcome = "refused" }"#,
            &["http red -> POST http://10.0.0.1:8080: refused"],
        ),
        (r#"arp = { from = "red", to = "blue" }"#, &["arp red -> blue"]),
        (r#"ndp = { from = "red.eth0", to = "fd00::9", outcome = "silent" }"#, &["ndp red -> fd00::9: silent"]),
        (r#"neigh = { on = "red", to = "10.0.0.1" }"#, &["neigh red -> 10.0.0.1"]),
        (r#"neigh = { on = "red.eth0", to = "10.0.0.1", present = false }"#, &["neigh red.eth0 -> 10.0.0.1: absent"]),
        (r#"route = { on = "red", to = "10.0.0.0/24" }"#, &["route red -> 10.0.0.0/24"]),
        (r#"route = { on = "red", to = "default", present = false }"#, &["route red -> default: absent"]),
        (r#"route = { on = "red", to = "::/0", present = false }"#, &["route red -> default: absent (IPv6)"]),
        (r#"route = { on = "red", get = "blue" }"#, &["route red -> blue", "route red -> blue (IPv6)"]),
        (r#"link = { on = "red.eth0" }"#, &["link red.eth0"]),
        (r#"link = { on = "red.eth7", present = false }"#, &["link red.eth7: absent"]),
        ("name = \"mine\"\nroute = { on = \"red\", get = \"10.0.0.1\" }", &["mine"]),
        (
            "name = \"mine\"\nping = { from = \"red\", to = \"blue\" }",
            &["mine / ping red -> blue", "mine / ping red -> blue (IPv6)"],
        ),
    ];
    for (check, expected) in table {
        let (plan, _) = plan_of(&pair(&format!("[[expect]]\n{check}")));
        assert_eq!(names(&plan), *expected, "{check}");
    }
}

#[test]
fn what_must_come_may_take_a_second_and_what_must_not_may_not() {
    let table = [
        (r#"ping = { from = "red", to = "10.0.0.1" }"#, 1000, 0),
        (r#"ping = { from = "red", to = "10.0.0.1", outcome = "unreachable" }"#, 0, 0),
        (r#"tcp = { from = "red", to = "10.0.0.1:9", outcome = "refused" }"#, 1000, 0),
        (r#"tcp = { from = "red", to = "10.0.0.1:9", outcome = "closed" }"#, 0, 0),
        (r#"tcp = { from = "red", to = "10.0.0.1:9", outcome = ["refused", "silent"] }"#, 0, 0),
        (r#"ping = { from = "red", to = "8.8.8.8", outcome = "no-route" }"#, 1000, 0),
        (r#"arp = { from = "red", to = "10.0.0.1" }"#, 1000, 0),
        (r#"arp = { from = "red", to = "10.0.0.9", outcome = "silent" }"#, 0, 0),
        (r#"link = { on = "red.eth0" }"#, 0, 0),
        ("within = \"3s\"\nholds-for = \"250ms\"\nlink = { on = \"red.eth0\" }", 3000, 250),
    ];
    for (check, within, holds_for) in table {
        let (plan, _) = plan_of(&pair(&format!("[[expect]]\n{check}")));
        let expectation = &plan.expectations[0];
        let times = (expectation.within, expectation.holds_for);
        assert_eq!(times, (Duration::from_millis(within), Duration::from_millis(holds_for)), "{check}");
    }
}

#[test]
fn checks_have_their_defaults() {
    let (plan, _) = plan_of(&pair("[[expect]]\nping = { from = \"red\", to = \"10.0.0.1\" }"));
    assert_eq!((plan.timeout, plan.silence), (Duration::from_secs(30), Duration::from_secs(1)));
    assert_eq!(plan.needs, [Need::Ipv6]);
    let Check::Ping(ping) = &plan.expectations[0].check else { panic!("a ping") };
    assert_eq!((ping.count, ping.size, ping.ttl, ping.lost), (1, 56, None, None));
    assert_eq!(ping.outcome, [Outcome::Reachable]);
    assert_eq!(ping.to.owner, Some(End { node: 0, interface: 1 }));
}

#[test]
fn networks_give_addresses_in_the_order_of_the_file() {
    let (plan, warnings) = plan_of(
        r#"
title = "a network"
[nodes.r]
forwarding = true
interfaces.eth0 = { veth = { peer = "wan.eth0" }, address = "192.0.2.1/24" }
[nodes.wan]
interfaces.eth0 = { address = "192.0.2.2/24" }
[nodes.web]
[nodes.a-rather-long-name]
[nodes.br0]
routes = [{ to = "0.0.0.0/0", via = "10.10.0.3" }]
[networks.dmz]
subnet = ["10.10.0.0/29", "fd00:10::/64"]
gateway = "r"
mtu = 1400
[networks.dmz.members]
web = []
a-rather-long-name = "10.10.0.3"
br0 = "10.10.0.2"
[[expect]]
ping = { from = "web", to = "wan" }
"#
        .replace("web = []", "web = \"fd00:10::77\"")
        .as_str(),
    );
    assert_eq!(warnings, [""; 0]);
    let of = |node: &str, interface: &str| {
        let node = plan.nodes.iter().find(|candidate| candidate.name == node).expect("declared above");
        let interface = node.interfaces.iter().find(|candidate| candidate.name == interface).expect("made");
        (interface.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), interface.mtu)
    };
    assert_eq!(of("r", "eth1"), (vec!["10.10.0.1/29".into(), "fd00:10::1/64".into()], Some(1400)));
    assert_eq!(of("web", "eth0"), (vec!["10.10.0.4/29".into(), "fd00:10::77/64".into()], Some(1400)));
    assert_eq!(of("a-rather-long-name", "eth0").0, ["10.10.0.3/29", "fd00:10::2/64"]);
    assert_eq!(of("br0", "eth0").0, ["10.10.0.2/29", "fd00:10::3/64"]);
    let switch = plan.nodes.last().expect("the switch");
    assert!(switch.switch && switch.name == "dmz");
    let ports: Vec<&str> = switch.interfaces.iter().map(|interface| &*interface.name).collect();
    assert_eq!(ports, ["lo", "br0", "r", "web", "port4", "port5"]);
    let routes = |node: usize| -> Vec<String> {
        plan.nodes[node].routes.iter().map(|route| format!("{} {:?}", route.to, route.via)).collect()
    };
    assert_eq!(routes(2), ["0.0.0.0/0 Some(10.10.0.1)", "::/0 Some(fd00:10::1)"]);
    assert_eq!(routes(4), ["0.0.0.0/0 Some(10.10.0.3)", "::/0 Some(fd00:10::1)"], "its own default route stays");
}

#[test]
fn settings_are_written_as_sysctl_takes_them() {
    let table = [
        ("net.ipv4.conf.all.rp_filter", "net/ipv4/conf/all/rp_filter", false),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter", true),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter", true),
        ("net.ipv6.neigh.eth0/100.retrans_time_ms", "net/ipv6/neigh/eth0.100/retrans_time_ms", true),
    ];
    for (key, path, of_interface) in table {
        let (plan, _) = plan_of(&format!(
            "title = \"t\"\n[nodes.a]\ninterfaces.\"eth0.100\" = {{ bridge = {{}} }}\nsysctls.\"{key}\" = 1\n\
             [[expect]]\nlink = {{ on = \"a.eth0.100\" }}"
        ));
        let sysctl = &plan.nodes[0].sysctls[0];
        assert_eq!((&*sysctl.path, &*sysctl.value, sysctl.of_interface), (path, "1", of_interface), "{key}");
    }
}

#[test]
fn a_question_is_asked_where_the_address_is() {
    let (plan, _) = plan_of(
        r#"
title = "two links"
[nodes.host.interfaces]
a = { veth = { peer = "x.eth0" }, address = "10.0.1.1/24" }
b = { veth = { peer = "y.eth0" }, address = "10.0.2.1/24" }
[nodes.x.interfaces]
eth0 = { address = "10.0.1.2/24" }
[nodes.y.interfaces]
eth0 = { address = "10.0.2.2/24" }
[[expect]]
arp = { from = "host", to = ["x", "y"], mac = "y.eth0" }
"#,
    );
    let on: Vec<String> = plan
        .expectations
        .iter()
        .map(|expectation| match &expectation.check {
            Check::Arp(solicit) => plan.end_name(solicit.from),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(on, ["host.a", "host.b"]);
    assert_eq!(names(&plan), ["arp host.a -> x", "arp host.b -> y"]);
}

#[test]
fn a_bridge_with_two_namespaces_is_checked_in_every_way() {
    let (plan, warnings) = plan_of(
        r#"
title = "Two namespaces on one bridge reach each other"

[nodes.host.interfaces]
br0 = { bridge = { ports = ["veth0", "veth1"] } }

[nodes.netns0.interfaces]
ceth0 = { veth = { peer = "host.veth0" }, address = "172.18.0.10/16" }

[nodes.netns1.interfaces]
ceth1 = { veth = { peer = "host.veth1" }, address = "172.18.0.20/16" }

[[expect]]
ping = { from = ["netns0", "netns1"], to = ["netns0", "netns1"] }

[[expect]]
ping = { from = "netns0", to = "8.8.8.8", outcome = "no-route" }

[[expect]]
arp = { from = "netns0", to = "172.18.0.20", mac = "netns1.ceth1" }

[[expect]]
neigh = { on = "netns0", to = "172.18.0.20", mac = "netns1.ceth1", state = ["reachable", "stale", "delay", "probe"] }

[[expect]]
route = { on = "netns0", to = "172.18.0.0/16", dev = "ceth0", src = "172.18.0.10", proto = "kernel", scope = "link" }
"#,
    );
    assert_eq!(warnings, [""; 0]);
    assert_eq!(
        names(&plan),
        [
            "ping netns0 -> netns1",
            "ping netns1 -> netns0",
            "ping netns0 -> 8.8.8.8: no-route",
            "arp netns0 -> 172.18.0.20",
            "neigh netns0 -> 172.18.0.20",
            "route netns0 -> 172.18.0.0/16",
        ]
    );
    let Check::Arp(arp) = &plan.expectations[3].check else { panic!("an arp") };
    let netns1 = &plan.nodes[2].interfaces[1];
    assert_eq!(arp.macs, [(netns1.mac.expect("a cable has one"), "netns1.ceth1".to_owned())]);
    assert_eq!(arp.to.owner, Some(End { node: 2, interface: 1 }));
}

#[test]
fn a_refused_port_without_a_listener_is_no_doubt() {
    let text = pair("[[expect]]\ntcp = { from = \"red\", to = \"blue:8081\", outcome = \"refused\" }");
    assert_eq!(plan_of(&text).1, [""; 0]);
    let text = pair("[[expect]]\ntcp = { from = \"red\", to = \"blue:8081\", outcome = \"closed\" }");
    assert_eq!(plan_of(&text).1, ["nothing in `blue` listens on 8081/tcp"]);
}

#[test]
fn an_unspecified_address_is_every_one_of_its_family() {
    let text = |listen: &str, checks: &str| {
        let services = format!("services.more = {{ tcp = {{ port = 9, listen = {listen} }} }}\nservices.echo");
        pair(checks).replace("services.echo", &services)
    };
    for (listen, kept) in [
        (r#""0.0.0.0""#, &["0.0.0.0"][..]),
        (r#"["::", "10.0.0.1"]"#, &["::", "10.0.0.1"]),
        (r#"["10.0.0.1", "0.0.0.0", "127.0.0.1", "::1"]"#, &["0.0.0.0", "::1"]),
        (r#"["0.0.0.0", "::"]"#, &["0.0.0.0", "::"]),
    ] {
        let (plan, warnings) = plan_of(&text(listen, "[[expect]]\nping = { from = \"red\", to = \"blue\" }"));
        let more = plan.services.iter().find(|service| service.name == "more").expect("it is there");
        let found: Vec<String> = super::services::listen(&more.kind).iter().map(ToString::to_string).collect();
        assert_eq!(
            (&*found, warnings),
            (&*kept.iter().map(ToString::to_string).collect::<Vec<_>>(), vec![]),
            "{listen}"
        );
    }
    let open = "[[expect]]\ntcp = { from = \"red\", to = [\"10.0.0.1:9\", \"[fd00::1]:9\"] }";
    for (listen, silent) in [(r#""0.0.0.0""#, "[fd00::1]:9/tcp"), (r#""::""#, "10.0.0.1:9/tcp")] {
        assert_eq!(plan_of(&text(listen, open)).1, [format!("nothing in `blue` listens on {silent}")]);
    }
    assert_eq!(plan_of(&text(r#"["::", "0.0.0.0"]"#, open)).1, [""; 0]);
}

/// The mistakes in a case.
fn mistakes(text: &str) -> Vec<String> {
    let mut out = Diagnostics::default();
    let mut source = Source::new("case.toml", text);
    let case = crate::case::parse(&mut source, &Given::default(), &mut out);
    let _ = case.and_then(|case| super::resolve(case, &mut out));
    let errors = out.into_sorted(&source).into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    errors.map(|error| format!("{}: {}", error.message, error.label)).collect()
}

#[test]
fn a_bridge_has_no_more_ports_than_the_kernel_gives() {
    let expect = "[[expect]]\nlink = { on = \"n0.eth0\", admin = \"up\" }\n";
    let list = |count| (0..count).map(|number| format!("\"n{number}\"")).collect::<Vec<_>>().join(", ");
    let nodes = |count| (0..count).map(|number| format!("n{number} = {{}}\n")).collect::<String>();
    let network = |count: usize| {
        let (members, nodes) = (list(count - 1), nodes(count));
        let last = count - 1;
        format!(
            "title = \"many\"\n[networks.lan]\nsubnet = \"10.0.0.0/16\"\ngateway = \"n{last}\"\nmembers = [{members}]\n\
             [nodes]\n{nodes}{expect}"
        )
    };
    let bridge = |count| {
        let cables: String = (0..count)
            .map(|number| format!("[nodes.n{number}.interfaces]\neth0 = {{ veth = {{ peer = \"s.n{number}\" }} }}\n"))
            .collect();
        let ports = list(count);
        format!(
            "title = \"many\"\n{cables}[nodes.s.interfaces]\nbr0 = {{ bridge = {{ ports = [{ports}] }} }}\n{expect}"
        )
    };
    assert_eq!((mistakes(&network(1023)), mistakes(&bridge(1023))), (vec![], vec![]));
    let label = "the kernel takes 1023 in a bridge";
    assert_eq!(mistakes(&network(1024)), [format!("`lan` has 1024 members: {label}")]);
    assert_eq!(mistakes(&bridge(1024)), [format!("`s.br0` has 1024 ports: {label}")]);
}

#[test]
fn a_plan_survives_the_wire() {
    let everything = r#"
[nodes.host.interfaces]
br0 = { bridge = { ports = [] } }
[[expect]]
link = { on = "blue.eth0", admin = "up", carrier = true, state = "up", mtu = 1500, mac = "blue.eth0", master = "", address = [] }
[[expect]]
link = { on = "blue.eth1", present = false }
[[expect]]
link = { on = "red.eth0", master = "", peer = "blue.eth0", address = "10.0.0.2/24" }
[[expect]]
ping = { from = "blue", to = "red", count = 3, size = 0, ttl = 9, lost = "<= 33.3%", source = "10.0.0.1" }
[[expect]]
tcp = { from = "red", to = "blue:81", outcome = ["refused", "silent"], by = "blue" }
holds-for = "1s"
[[expect]]
http = { from = "red", url = "http://blue:8080/", status = [200, 204], headers = { a = "b" }, body = "" }
[[expect]]
arp = { from = "blue", to = "10.0.0.2", mac = ["red.eth0"] }
[[expect]]
neigh = { on = "blue", to = "10.0.0.2", present = false }
[[expect]]
route = { on = "blue", to = "default", metric = 0, present = false }
[[expect]]
route = { on = "blue", get = "red", family = "ipv6", src = "fd00::1" }
"#;
    let (plan, _) = plan_of(&pair(everything));
    let wire = serde_json::to_string(&plan).expect("a plan can be written");
    let read: Plan = serde_json::from_str(&wire).expect("a plan can be read");
    assert_eq!(format!("{read:#?}"), format!("{plan:#?}"));
}

#[test]
fn rules_in_the_case_are_found_where_they_stand() {
    for (quote, port, made) in [("'''", "99", false), ("'''", "${port}", true), ("\"\"\"", "${port}", true)] {
        let text = format!(
            "title = \"x\"\nparams.port = 99\n[nodes.a]\ninterfaces.e = {{ dummy = true }}\nrules = {quote}\ntable ip t {{\n \
             chain c {{ tcp dport {port} drop\n  iif \"lo\" accept\n }}\n}}\n{quote}\n[[expect]]\nping = {{ from = \"a\", to = \"127.0.0.1\" }}\n"
        );
        let mut source = Source::new("case.toml", text);
        let mut out = Diagnostics::default();
        let case = crate::case::parse(&mut source, &crate::case::Given::default(), &mut out).expect("a case");
        let Some(crate::case::rules::Rules::Plain(rules)) = case.nodes.as_ref().and_then(|nodes| {
            nodes.entries.iter().find_map(|(_, node)| node.as_ref()?.rules.as_ref()?.items.first().cloned())
        }) else {
            panic!("{:?}", out.into_sorted(&source));
        };
        assert_eq!(rules.span.is_made(), made);
        let inside = source.inside(rules.span, &rules).expect("it reads as it is written");
        for (part, shown) in
            [("iif \"lo\" accept", "iif \"lo\" accept"), ("tcp dport 99 drop", &*format!("tcp dport {port} drop"))]
        {
            let at = inside.start as usize + rules.find(part).expect("it is there");
            assert_eq!(source.snippet(crate::source::Span::new(at, at + part.len())), shown, "{quote}");
        }
    }
}
