//! The state of a node as evidence: what a snapshot shows of a small lab, and what kernels say of their routes.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::time::Duration;

use netcase::evidence::{Ask, Interface, NodeState, PortState, Protocol, Tunnel};
use netcase::lab::{self, Lab};
use netcase::namespace::Namespace;
use netcase::plan::Plan;
use netcase::words::Transport;

use crate::cases;
use crate::scratch::{User, is_inside, run_inside};

/// A lab of a case, in namespaces of the test's own.
fn with_lab(case: &str, work: impl AsyncFnOnce(&Plan, &Lab)) {
    let home = Namespace::home().expect("a network namespace can be made");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let plan = cases::plan(case);
        let lab = lab::make(&plan, &home).await.unwrap_or_else(|error| panic!("{error:?}"));
        work(&plan, &lab).await;
    });
}

/// Runs a program in a node.
fn run(lab: &Lab, node: usize, words: &str) {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    let status = lab.node(node).namespace.within(|| command.status()).expect("it can be started");
    assert!(status.success(), "{command:?}");
}

fn set(lab: &Lab, node: usize, path: &str, value: &str) {
    let path = format!("/proc/sys/net/{path}");
    lab.node(node).namespace.within(|| fs::write(&path, value)).unwrap_or_else(|error| panic!("{path}: {error}"));
}

async fn state(plan: &Plan, lab: &Lab, node: usize) -> NodeState {
    let (state, cut) = lab::snapshot(plan, lab, node).await.expect("it can be read");
    assert_eq!(cut, [] as [String; 0]);
    state
}

fn interface<'a>(state: &'a NodeState, name: &str) -> &'a Interface {
    state.interfaces.iter().find(|interface| interface.name == name).unwrap_or_else(|| panic!("no {name}"))
}

const OFFICE: &str = r#"
title = "An office behind a router, and a bridge with two hosts"
[nodes.a]
interfaces.eth0 = { veth = { peer = "fw.lan" }, address = "10.0.0.2/24" }
routes = [{ to = "default", via = "10.0.0.1" }]
[nodes.fw]
forwarding = true
nat = [{ masquerade = { src = "10.0.0.0/24", dev = "wan" } }]
interfaces.lan = { address = "10.0.0.1/24" }
interfaces.wan = { veth = { peer = "sw.p1" }, address = "192.0.2.1/24" }
[nodes.sw]
interfaces.br0 = { bridge = { ports = ["p1", "p2"] } }
[nodes.b]
interfaces.eth0 = { veth = { peer = "sw.p2" }, address = ["192.0.2.2/24", "2001:db8::2/64"] }
interfaces.vx = { vxlan = { id = 42, remote = "192.0.2.1", local = "192.0.2.2", dev = "eth0", port = 4790 } }
[[expect]]
ping = { from = "a", to = "b" }
"#;

const A: usize = 0;
const FW: usize = 1;
const SW: usize = 2;
const B: usize = 3;

/// Sends a question and an answer between two nodes, and gives who listens.
fn talk(lab: &Lab) -> (TcpListener, UdpSocket) {
    let inside = |node: usize, address: &'static str| {
        lab.node(node).namespace.within(|| UdpSocket::bind(address)).expect("the port is free")
    };
    let tcp = lab.node(B).namespace.within(|| TcpListener::bind("[::]:8080")).expect("the port is free");
    let (server, client) = (inside(B, "0.0.0.0:5000"), inside(A, "10.0.0.2:4000"));
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket has time-outs");
    }
    client.send_to(b"hello", "192.0.2.2:5000").expect("there is a route");
    let (_, from) = server.recv_from(&mut [0; 16]).expect("the question comes");
    server.send_to(b"hello", from).expect("there is a route");
    client.recv_from(&mut [0; 16]).expect("the answer comes");
    (tcp, server)
}

#[test]
fn a_snapshot_shows_what_a_node_has() {
    if !is_inside() {
        return run_inside("snapshot::a_snapshot_shows_what_a_node_has", User::Root, &[]);
    }
    with_lab(OFFICE, async |plan, lab| {
        let before = lab::counters(lab.node(B)).await.expect("they can be read");
        let _listening = talk(lab);
        let after = lab::counters(lab.node(B)).await.expect("they can be read");
        let grown = lab::grown(&before, &after);
        assert_eq!(grown.get("Udp.InDatagrams"), Some(&1), "{grown:?}");
        assert!(grown.contains_key("eth0.rx_packets") && !grown.contains_key("Udp.NoPorts"), "{grown:?}");
        assert!(before.contains_key("TcpExt.ListenDrops") && before.contains_key("Ip6.InNoRoutes"), "{before:?}");

        shows_a_router(plan, lab).await;
        shows_a_bridge(plan, lab).await;
        shows_a_host(plan, lab).await;
        shows_what_a_script_made(plan, lab).await;
    });
}

async fn shows_a_router(plan: &Plan, lab: &Lab) {
    run(lab, FW, "ip rule add pref 100 from 10.0.0.0/8 lookup 100");
    run(lab, FW, "ip -6 rule add pref 7 blackhole");
    run(lab, FW, "ip route add 198.51.100.0/24 via 192.0.2.2 metric 5 mtu 1400 table 100");
    run(lab, FW, "ip neighbour add 10.0.0.99 lladdr 02:00:00:00:00:99 dev lan nud permanent");
    let fw = state(plan, lab, FW).await;
    let policy: Vec<_> = fw.policy.iter().map(|rule| (rule.v6, rule.table, rule.text.as_str())).collect();
    assert_eq!(policy, [(false, Some(100), "100: from 10.0.0.0/8 lookup 100"), (true, None, "7: from all blackhole")]);
    let route = "198.51.100.0/24 via 192.0.2.2 dev wan table 100 metric 5 mtu 1400";
    assert!(fw.routes.iter().any(|own| own == route), "{:?}", fw.routes);
    let known: Vec<_> = fw.neighbours.iter().map(|it| (it.address.to_string(), it.state.to_string())).collect();
    assert!(known.contains(&("10.0.0.99".to_owned(), "permanent".to_owned())), "{known:?}");
    assert!(known.iter().any(|(address, _)| address == "192.0.2.2"), "{known:?}");
    let [udp] = &fw.connections[..] else { panic!("{:?}", fw.connections) };
    assert_eq!((udp.protocol, udp.answered, udp.original.source_port, udp.original.port), (17, true, 4000, 5000));
    assert_eq!((udp.original.from.to_string(), udp.reply.to.to_string()), ("10.0.0.2".into(), "192.0.2.1".into()));
    assert_eq!(fw.sysctls.get("ipv4/ip_forward").map(String::as_str), Some("1"));
    assert_eq!(fw.sysctls.get("ipv4/conf/wan/rp_filter").map(String::as_str), Some("0"));
    let lan = interface(&fw, "lan");
    assert_eq!(lan.link, Some((A, plan.nodes[A].interfaces[1].index)));
    assert_eq!(lan.addresses[0].cidr.to_string(), "10.0.0.1/24");
}

async fn shows_a_bridge(plan: &Plan, lab: &Lab) {
    run(lab, SW, "bridge link set dev p2 isolated on learning off");
    run(lab, SW, "bridge link set dev p1 state 0");
    let sw = state(plan, lab, SW).await;
    let port = |name: &str| interface(&sw, name).port.expect("it is one");
    assert_eq!((port("p1").state, port("p1").isolated, port("p1").learns), (PortState::Disabled, false, true));
    assert_eq!((port("p2").state, port("p2").isolated, port("p2").learns), (PortState::Forwarding, true, false));
    let bridge = interface(&sw, "br0");
    assert_eq!((bridge.kind.as_deref(), bridge.vlan_filtering, bridge.port), (Some("bridge"), false, None));
    assert_eq!(interface(&sw, "p1").master, Some(bridge.index));
    let mac = plan.nodes[B].interfaces[1].mac.expect("every interface of a case has one");
    let learned = sw.fdb.iter().find(|entry| entry.mac == mac).expect("it has sent");
    assert_eq!((learned.interface, learned.permanent), (interface(&sw, "p2").index, false));
}

async fn shows_a_host(plan: &Plan, lab: &Lab) {
    set(lab, B, "ipv6/conf/eth0/accept_dad", "1");
    set(lab, B, "ipv6/conf/eth0/dad_transmits", "50");
    run(lab, B, "ip address add 2001:db8::77/64 dev eth0");
    let b = state(plan, lab, B).await;
    let tentative: Vec<String> =
        interface(&b, "eth0").addresses.iter().filter(|it| it.tentative).map(|it| it.cidr.to_string()).collect();
    assert_eq!(tentative, ["2001:db8::77/64"]);
    let vx = interface(&b, "vx");
    let end = |text: &str| Some(text.parse().expect("an address"));
    assert_eq!(
        vx.tunnel,
        Some(Tunnel { id: 42, port: 4790, local: end("192.0.2.2"), remote: end("192.0.2.1"), whole: false })
    );
    assert_eq!(vx.link, Some((B, interface(&b, "eth0").index)));
    let everybody = b.fdb.iter().find(|entry| entry.interface == vx.index).expect("it has a remote");
    assert_eq!((everybody.remote, everybody.permanent), (end("192.0.2.1"), true));
    let listening: Vec<_> = b.listening.iter().map(|it| (it.transport, it.at.to_string(), it.only_v6)).collect();
    assert!(listening.contains(&(Transport::Tcp, "[::]:8080".to_owned(), false)), "{listening:?}");
    assert!(listening.contains(&(Transport::Udp, "0.0.0.0:5000".to_owned(), false)), "{listening:?}");
}

async fn shows_what_a_script_made(plan: &Plan, lab: &Lab) {
    let place = format!("/proc/{}/fd/{}", std::process::id(), lab.node(B).namespace.as_fd().as_raw_fd());
    run(lab, A, &format!("ip link add made type veth peer name other netns {place}"));
    let (a, b) = (state(plan, lab, A).await, state(plan, lab, B).await);
    assert_eq!(interface(&a, "made").link, Some((B, interface(&b, "other").index)));
    assert_eq!(interface(&b, "other").link, Some((A, interface(&a, "made").index)));
    assert!(!interface(&a, "made").carrier && !interface(&a, "made").up);
}

#[test]
fn what_is_left_out_of_a_snapshot_is_said() {
    if !is_inside() {
        return run_inside("snapshot::what_is_left_out_of_a_snapshot_is_said", User::Root, &[]);
    }
    with_lab(ROUTER, async |plan, lab| {
        for third in 0..5 {
            let more: Vec<String> = (0..250).map(|last| format!("10.9.{third}.{last}")).collect();
            let lines: String = more.iter().map(|to| format!("route add blackhole {to}\n")).collect();
            let path = std::env::temp_dir().join(format!("netcase-routes-{}", std::process::id()));
            fs::write(&path, lines).expect("a file can be written");
            run(lab, R, &format!("ip -batch {}", path.display()));
            fs::remove_file(&path).expect("it was written");
        }
        let (state, cut) = lab::snapshot(plan, lab, R).await.expect("it can be read");
        assert_eq!(state.routes.len(), 1000);
        let [said] = &cut[..] else { panic!("{cut:?}") };
        assert!(said.starts_with("r has 1,2") && said.ends_with(" routes; the first 1,000 are here"), "{said}");
    });
}

const ROUTER: &str = r#"
title = "Two hosts, and a router between them"
[nodes.a]
interfaces.eth0 = { veth = { peer = "r.near" }, address = ["10.0.0.2/24", "fd00::2/64"] }
[nodes.r]
forwarding = true
interfaces.near = { address = ["10.0.0.1/24", "fd00::1/64"] }
interfaces.far = { veth = { peer = "b.eth0" }, address = ["10.1.0.1/24", "fd01::1/64"] }
[nodes.b]
interfaces.eth0 = { address = ["10.1.0.2/24", "fd01::2/64"] }
[[expect]]
ping = { from = "r", to = "b" }
"#;

const R: usize = 1;

/// Addresses of the router's world in one family: the router, a host at its near end, one at its far end, nobody.
struct Family {
    own: &'static str,
    near: &'static str,
    far: &'static str,
    nobody: &'static str,
    flag: &'static str,
}

const FAMILIES: [Family; 2] = [
    Family { own: "10.0.0.1", near: "10.0.0.2", far: "10.1.0.2", nobody: "10.77.0.1", flag: "-4" },
    Family { own: "fd00::1", near: "fd00::2", far: "fd01::2", nobody: "fd77::1", flag: "-6" },
];

/// What the router's kernel says, in short.
async fn says(plan: &Plan, lab: &Lab, to: &str, from: Option<&str>, iif: Option<&str>) -> String {
    let address = |text: &str| text.parse().expect("an address");
    let index = |name: &str| plan.nodes[R].interfaces.iter().find(|it| it.name == name).expect("it is there").index;
    let name = |index: u32| plan.nodes[R].interfaces.iter().find(|it| it.index == index).map(|it| it.name.clone());
    let ask = Ask {
        node: R,
        to: address(to),
        from: from.map(address),
        iif: iif.map(index),
        protocol: Protocol::Tcp,
        source_port: 40_000,
        port: 80,
        mark: 0,
    };
    let decision = lab::decide(lab.node(R), &ask).await.expect("the kernel answers");
    assert_eq!(decision.asked, ask);
    match decision.answer {
        Err(errno) => format!("{:?}", nix::errno::Errno::from_raw(errno)),
        Ok(chosen) => {
            let local = if chosen.local { "local " } else { "" };
            let via = chosen.via.map(|via| format!("via {via} ")).unwrap_or_default();
            let mtu = chosen.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
            let dev = chosen.oif.and_then(name).unwrap_or_default();
            format!("{local}{via}dev {dev} table {}{mtu}", chosen.table)
        }
    }
}

#[test]
fn a_kernel_says_where_a_packet_would_go() {
    if !is_inside() {
        return run_inside("snapshot::a_kernel_says_where_a_packet_would_go", User::Root, &[]);
    }
    with_lab(ROUTER, async |plan, lab| {
        let mut faults = Vec::new();
        for Family { own, near, far, nobody, flag } in FAMILIES {
            let v4 = flag == "-4";
            let ip = |words: &str| run(lab, R, &format!("ip {flag} {words}"));
            let mut expect = async |what: &str, to: &str, iif: Option<&str>, expected: &str| {
                let found = says(plan, lab, to, iif.map(|_| near), iif).await;
                // Of a source that they do not believe, Linux 6.1 and 6.12 say EXDEV.
                if found != expected && !(found == "EXDEV" && expected == "EINVAL") {
                    faults.push(format!("{flag}, {what}: {found}, expected {expected}"));
                }
            };
            let (there, sent) = (Some("near"), None);
            expect("sent", far, sent, "dev far table 254").await;
            expect("forwarded", far, there, "dev far table 254").await;
            expect("no route, sent", nobody, sent, "ENETUNREACH").await;
            expect("no route", nobody, there, "ENETUNREACH").await;
            expect("by the wrong interface", far, Some("far"), "dev far table 254").await;
            for (kind, errno) in [("blackhole", "EINVAL"), ("unreachable", "EHOSTUNREACH"), ("prohibit", "EACCES")] {
                ip(&format!("route add {kind} {nobody}"));
                expect(kind, nobody, there, errno).await;
                expect(&format!("{kind}, sent"), nobody, sent, errno).await;
                ip(&format!("route del {kind} {nobody}"));
            }
            let forwarding = if v4 { "ipv4/ip_forward" } else { "ipv6/conf/all/forwarding" };
            set(lab, R, forwarding, "0");
            expect("not forwarded", far, there, if v4 { "EHOSTUNREACH" } else { "dev far table 254" }).await;
            set(lab, R, forwarding, "1");
            ip(&format!("route add {nobody} via {far} mtu 1300 table 100"));
            ip(&format!("rule add pref 100 from {near} lookup 100"));
            expect("by a policy rule", nobody, there, &format!("via {far} dev far table 100 mtu 1300")).await;
            expect("local", own, there, "local dev lo table 255").await;
            ip("rule add pref 99 ipproto tcp dport 80 prohibit");
            expect("prohibited by a policy rule", far, there, "EACCES").await;
            ip("rule del pref 99");
            if v4 {
                set(lab, R, "ipv4/conf/all/rp_filter", "1");
                expect("strict reverse path", far, there, "dev far table 254").await;
                expect("strict reverse path, by the wrong interface", own, Some("far"), "EINVAL").await;
            }
        }
        assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    });
}
