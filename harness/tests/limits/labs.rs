//! Labs that are large, loud or out of order.

/// A chain of so many nodes, of which the one in the middle forwards nothing.
pub(crate) fn chain(nodes: usize) -> String {
    let last = nodes - 1;
    let mut text = String::from("title = \"A chain of routers\"\n");
    for node in 0..nodes {
        text.push_str(&format!("[nodes.n{node}]\n"));
        if node > 0 && node < last {
            text.push_str(&format!("forwarding = {}\n", node != nodes / 2));
        }
        let mut routes = Vec::new();
        if node > 1 {
            routes.push(format!("{{ to = \"10.0.0.0/24\", via = \"10.0.{}.1\" }}", node - 1));
        }
        if node + 1 < last {
            routes.push(format!("{{ to = \"10.0.{}.0/24\", via = \"10.0.{node}.2\" }}", last - 1));
        }
        text.push_str(&format!("routes = [{}]\n", routes.join(", ")));
        if node < last {
            let next = node + 1;
            text.push_str(&format!(
                "interfaces.right = {{ veth = {{ peer = \"n{next}.left\" }}, address = \"10.0.{node}.1/24\" }}\n"
            ));
        }
        if node > 0 {
            text.push_str(&format!("interfaces.left = {{ address = \"10.0.{}.2/24\" }}\n", node - 1));
        }
    }
    text + &format!("[[expect]]\nping = {{ from = \"n0\", to = \"10.0.{}.2\", ttl = 200 }}\n", last - 1)
}

/// A router with so many hosts around it: none reaches the last one, as a rule forbids, and nobody listens at the second.
pub(crate) fn star(nodes: usize) -> String {
    let hosts = nodes - 1;
    let last = hosts - 1;
    let mut text =
        String::from("title = \"A star\"\n[nodes.hub]\nforwarding = true\nrules = \"\"\"\ntable inet filter {\n");
    text.push_str("chain forward {\ntype filter hook forward priority filter; policy accept;\n");
    text.push_str(&format!("ip daddr 10.0.{last}.2 drop\n}}\n}}\n\"\"\"\n"));
    for host in 0..hosts {
        let end = format!("{{ veth = {{ peer = \"h{host}.eth0\" }}, address = \"10.0.{host}.1/24\" }}");
        text.push_str(&format!("interfaces.e{host} = {end}\n"));
    }
    for host in 0..hosts {
        text.push_str(&format!("[nodes.h{host}]\ninterfaces.eth0 = {{ address = \"10.0.{host}.2/24\" }}\n"));
        text.push_str(&format!("routes = [{{ to = \"default\", via = \"10.0.{host}.1\" }}]\n"));
    }
    let names: Vec<String> = (0..20).map(|host| format!("\"h{host}\"")).collect();
    text.push_str(&format!("[[expect]]\nping = {{ from = [{}], to = \"h{last}\" }}\n", names.join(", ")));
    text + "[[expect]]\ntcp = { from = \"h0\", to = \"h1:80\" }\n"
}

/// A host that floods another one through a router, which drops the pings and forwards no packet to port 9. `SINK` is
/// what the other one does with the flood.
pub(crate) const FLOOD: &str = r#"
title = "A flood beside a probe"
[nodes.a]
interfaces.eth0 = { veth = { peer = "r.left" }, address = "10.1.0.2/24" }
routes = [{ to = "default", via = "10.1.0.1" }]
services.flood = { command = { run = ["python3", "flood.py", "10.2.0.2"], ready = { output = "begun" } } }
[nodes.r]
forwarding = true
interfaces.left = { address = "10.1.0.1/24" }
interfaces.right = { veth = { peer = "b.eth0" }, address = "10.2.0.1/24" }
rules = """
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy accept;
        icmp type echo-request drop
        udp dport 9 drop
    }
}
"""
[nodes.b]
interfaces.eth0 = { address = "10.2.0.2/24" }
routes = [{ to = "default", via = "10.2.0.1" }]
SINK
[[expect]]
ping = { from = "a", to = "b" }
[[expect]]
udp = { from = "a", to = "b:9" }
[[expect]]
tcp = { from = "a", to = "b:9" }
"#;

/// Takes the flood, so that nobody refuses it.
pub(crate) const SINK: &str =
    r#"services.sink = { command = { run = ["python3", "sink.py"], ready = { output = "begun" } } }"#;

/// Sends as fast as it can.
pub(crate) const FLOOD_PY: &str = r#"
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("begun", flush=True)
while True:
    for _ in range(1000):
        try:
            sender.sendto(b"x" * 64, (sys.argv[1], 20000))
        except OSError:
            pass
"#;

/// Takes datagrams and reads none.
pub(crate) const SINK_PY: &str = r#"
import signal, socket
taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taker.bind(("", 20000))
print("begun", flush=True)
signal.pause()
"#;

/// Two bridges with two cables between them, and no spanning tree: a broadcast goes round for ever.
pub(crate) const LOOP: &str = r#"
title = "A loop of two bridges"
timeout = "180s"
[nodes.one]
interfaces.br0 = { bridge = { ports = ["up1", "up2", "a"] } }
interfaces.up1 = { veth = { peer = "two.up1" } }
interfaces.up2 = { veth = { peer = "two.up2" } }
interfaces.a = { veth = { peer = "hosta.eth0" } }
[nodes.two]
interfaces.br0 = { bridge = { ports = ["up1", "up2", "b"] } }
interfaces.up1 = {}
interfaces.up2 = {}
interfaces.b = { veth = { peer = "hostb.eth0" } }
[nodes.hosta]
interfaces.eth0 = { address = "10.1.0.2/24" }
[nodes.hostb]
interfaces.eth0 = { address = "10.1.0.3/24" }
[[expect]]
ping = { from = "hosta", to = "10.1.0.9" }
[[expect]]
ping = { from = "hosta", to = "hostb" }
"#;

/// Programs that print what no report may pass on as it is, without end, and in a line without end; and one that ends
/// after it. So does a script, which fails.
pub(crate) const NOISE: &str = r#"
title = "Noise"
[nodes.a]
interfaces.eth0 = { veth = { peer = "b.eth0" }, address = "10.1.0.2/24" }
[nodes.b]
setup = "setup.sh"
interfaces.eth0 = { address = "10.1.0.3/24" }
services.binary = { command = { run = ["sh", "-c", "echo begun; while :; do cat every-byte; done"], ready = { output = "begun" } } }
services.line = { command = { run = ["sh", "-c", "echo begun; exec tr '\\0' '<' < /dev/zero"], ready = { output = "begun" } } }
services.ends = { command = { run = ["sh", "-c", "cat every-byte; echo begun; cat every-byte; sleep 0.1; exit 3"], ready = { output = "begun" } } }
[[expect]]
ping = { from = "a", to = "b", outcome = "silent" }
[[expect]]
tcp = { from = "a", to = "b:9" }
[[expect]]
run = { on = "b", command = ["cat", "every-byte"], stdout = "plain" }
[[expect]]
run = { on = "b", command = ["sh", "-c", "cat every-byte; while :; do printf ' ]]> &amp; <a>'; done"], timeout = "500ms" }
[[expect]]
run = { on = "b", command = ["sh", "-c", "cat every-byte >&2; head -c 3000000 /dev/urandom"], stdout = { contains = "nothing of this" } }
"#;

/// What is in `every-byte`: all of them, and what reports take for their own.
pub(crate) fn every_byte() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(
        "\x1b[2J\x1b]0;title\x07\u{9b}31m ]]> <![CDATA[ </system-out> &#0; \u{fffe}\u{ffff} \u{202e}\n".bytes(),
    );
    bytes.extend([0xed, 0xa0, 0x80, b'\n', 0xf4, 0x90, 0x80, 0x80, b'\n', 0xc3]);
    bytes
}
