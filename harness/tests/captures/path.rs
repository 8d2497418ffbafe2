//! Packets that end in the middle of a lab of five nodes, and what a reader of captures finds of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{Folder, told};

/// Where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// By a rule of the router in the middle.
    Rule,
    /// In the router in the middle, which does not forward.
    Forwarding,
    /// The last router has no way back.
    NoWayBack,
}

/// The interfaces on the way, in order: of the sender, three routers, the server.
const WAY: [&str; 8] = ["a.r", "r1.l", "r1.r", "r2.l", "r2.r", "r3.l", "r3.r", "b.l"];

/// A line of nodes with one fault, and one expectation.
fn case(fault: Fault, check: &str, v6: bool) -> String {
    let (net, bits) = if v6 { ("fd00:0:0:", 64) } else { ("10.0.", 24) };
    let host_part = if v6 { "::" } else { "." };
    let address = |link: usize, host: usize| format!("{net}{link}{host_part}{host}");
    let prefix = |link: usize| if v6 { format!("{net}{link}::/64") } else { format!("{net}{link}.0/24") };
    let names = ["a", "r1", "r2", "r3", "b"];
    let mut text = String::from("title = \"A line\"\n");
    for (at, name) in names.iter().enumerate() {
        text.push_str(&format!("[nodes.{name}]\n"));
        let is_router = (1..4).contains(&at);
        if is_router && (at != 2 || fault != Fault::Forwarding) {
            text.push_str("forwarding = true\n");
        }
        if at == 2 && fault == Fault::Rule {
            text.push_str("rules = \"\"\"\ntable inet filter {\nchain forward {\ntype filter hook forward priority filter; policy accept;\n");
            text.push_str("udp dport 7 drop\ntcp dport 7 drop\nicmp type echo-request drop\nicmpv6 type echo-request drop\n}\n}\n\"\"\"\n");
        }
        let mut routes = Vec::new();
        if at > 1 && !(at == 3 && fault == Fault::NoWayBack) {
            routes.push(format!("{{ to = \"{}\", via = \"{}\" }}", prefix(0), address(at - 1, 1)));
        }
        if at < 3 {
            routes.push(format!("{{ to = \"{}\", via = \"{}\" }}", prefix(3), address(at, 2)));
        }
        text.push_str(&format!("routes = [{}]\n", routes.join(", ")));
        if at < 4 {
            let peer = names[at + 1];
            text.push_str(&format!(
                "interfaces.r = {{ veth = {{ peer = \"{peer}.l\" }}, address = \"{}/{bits}\" }}\n",
                address(at, 1)
            ));
        }
        if at > 0 {
            text.push_str(&format!("interfaces.l = {{ address = \"{}/{bits}\" }}\n", address(at - 1, 2)));
        }
    }
    text.push_str("services.t = { tcp = { port = 7 } }\nservices.u = { udp = { port = 7 } }\n");
    let to = if check == "ping" { "b" } else { "b:7" };
    text + &format!("[[expect]]\n{check} = {{ from = \"a\", to = \"{to}\" }}\n")
}

/// Runs it, and looks for the probe by its own tuple on every interface.
pub(crate) fn look(fault: Fault, check: &str, v6: bool) {
    let what = format!("{fault:?} {check} {v6}");
    let folder = Folder::new(&format!("path-{fault:?}-{check}-{v6}"));
    fs::write(folder.0.join("case.toml"), case(fault, check, v6)).expect("a file can be written");
    let output = folder.run(&["case.toml"]).output().expect("netcase can be started");
    assert_eq!(output.status.code(), Some(1), "{what}: {}", told(&output));
    let bundle = folder.0.join("reports/case");
    let own = fs::read_dir(&bundle).expect("a bundle").flatten().map(|entry| entry.path());
    let own = own.into_iter().find(|path| path.join("evidence.json").is_file()).expect("an explained expectation");
    let evidence: Value = serde_json::from_slice(&fs::read(own.join("evidence.json")).expect("a file")).expect("JSON");
    let hops: Value = serde_json::from_slice(&fs::read(own.join("path.json")).expect("a file")).expect("JSON");
    let passed = |way: &str| -> Vec<String> {
        let hops = hops.as_array().expect("a list").iter();
        let at_interface = hops.filter(|hop| hop["way"] == way && hop["interface"].is_string());
        let name =
            |hop: &Value| format!("{}.{}", hop["node"].as_str().unwrap_or(""), hop["interface"].as_str().unwrap_or(""));
        at_interface.map(name).collect()
    };
    // As far as the lab lets it come: the place of death is known, whatever is said of it.
    let there = if fault == Fault::NoWayBack { &WAY[..] } else { &WAY[..4] };
    let back = if fault == Fault::NoWayBack { vec!["b.l", "r3.r"] } else { Vec::new() };
    assert_eq!(passed("request"), there, "{what}: {}", told(&output));
    // What refuses an answer that it cannot send on says so to who sent it: behind it there may be such an error.
    assert_eq!(passed("answer").iter().take(2).collect::<Vec<_>>(), back, "{what}: {}", told(&output));
    let flow = &evidence["flow"];
    for interface in WAY {
        let file = own.join(format!("{interface}.pcapng"));
        let (requests, answers) = found(&file, flow, check, v6);
        assert_eq!(requests > 0, there.contains(&interface), "{what}, requests on {interface}");
        assert_eq!(answers > 0, back.contains(&interface), "{what}, answers on {interface}");
    }
}

/// The probe's own tuple in Wireshark's words, and turned round.
fn filters(flow: &Value, check: &str, v6: bool) -> (String, String) {
    let text = |key: &str| flow[key].as_str().expect("an address").to_owned();
    let (from, to) = (text("source"), text("to"));
    let (port, own) = (&flow["port"], &flow["source_port"]);
    let ip = if v6 { "ipv6" } else { "ip" };
    // What an ICMP error quotes has the same ends, and is no packet of the probe.
    let [request, answer] = match (check, v6) {
        ("ping", false) => ["icmp.type == 8".to_owned(), "icmp.type == 0".to_owned()],
        ("ping", true) => ["icmpv6.type == 128".to_owned(), "icmpv6.type == 129".to_owned()],
        _ => [(own, port), (port, own)]
            .map(|(from, to)| format!("{check}.srcport == {from} && {check}.dstport == {to} && !icmp && !icmpv6")),
    };
    let of = |from: &str, to: &str, rest: &str| format!("{ip}.src == {from} && {ip}.dst == {to} && {rest}");
    (of(&from, &to, &request), of(&to, &from, &answer))
}

/// How many requests and answers tshark finds.
fn found(file: &Path, flow: &Value, check: &str, v6: bool) -> (usize, usize) {
    let (requests, answers) = filters(flow, check, v6);
    let mut command = Command::new("tshark");
    command.env("HOME", "/nonexistent").args(["-n", "-T", "fields", "-e", if v6 { "ipv6.src" } else { "ip.src" }]);
    let output = command.arg("-r").arg(file).args(["-Y", &format!("({requests}) || ({answers})")]).output();
    let output = output.expect("tshark can be started");
    assert!(output.status.success(), "{requests}: {}", told(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let requests = text.lines().filter(|from| flow["source"] == *from).count();
    (requests, text.lines().count() - requests)
}
