//! A plan as `netcase check --plan` prints it.

use netcase::case::Given;
use netcase::diagnostic::Diagnostics;
use netcase::report::plan::print;
use netcase::source::Source;
use netcase::{case, plan};

const CASE: &str = r#"
title = "Every kind of operation"
timeout = "5s"

[nodes.host]
forwarding = "ipv4"
sysctls = { "net.ipv4.ip_default_ttl" = 32 }
routes = [{ to = "default", via = "10.0.0.2", metric = 5 }, { to = "10.9.0.0/16", type = "blackhole" }]
[nodes.host.interfaces]
br0 = { bridge = { ports = ["port"] }, address = "10.0.0.1/24", mtu = 1400 }

vx = { vxlan = { id = 7, remote = ["web", "10.0.0.3"], local = "10.0.0.1", dev = "br0", learning = false } }
v5 = { vlan = { dev = "br0", id = 5 } }
d0 = { dummy = {} }

[nodes.pod]
interfaces.mv0 = { macvlan = { dev = "host.br0", mode = "private" } }

[nodes.web]
interfaces.eth0 = { veth = { peer = "host.port" }, address = "10.0.0.2/24", mac = "02:00:00:00:00:01" }
services.web = { http = { port = 80, body = "hello" } }
services.echo = { udp = { port = 7, listen = "10.0.0.2" } }

[[expect]]
name = "the echo"
udp = { from = "host", to = "web:7" }
holds-for = "250ms"

[[expect]]
link = { on = "host.br0", mtu = 1400 }
"#;

#[test]
fn a_plan_reads_like_ip() {
    let mut out = Diagnostics::default();
    let mut source = Source::new("cases/all.toml", CASE);
    let case = case::parse(&mut source, &Given::default(), &mut out).expect("the case is right");
    let text = print("cases/all.toml", &plan::resolve(case, &mut out).expect("the case is right"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan.txt");
    if std::env::var_os("NETCASE_UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(path, &text).expect("the tree can be written to");
    }
    assert_eq!(text, std::fs::read_to_string(path).expect("the recorded file is there"), "{path}");
}
