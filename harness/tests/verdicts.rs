//! Verdicts that the kernel makes hard to get right: each of these cases was judged wrongly once.

#[path = "support/program.rs"]
mod program;

use std::fs;

use program::{Folder, told};

/// Two machines on one cable, with both families.
const PAIR: &str = r#"
[nodes.a]
interfaces.eth0 = { veth = { peer = "b.eth0" }, address = ["10.0.0.1/24", "fd00::1/64"] }
[nodes.b]
interfaces.eth0 = { address = ["10.0.0.2/24", "fd00::2/64"] }
"#;

/// A router that has no route to where `b` is, and ten addresses there.
const REFUSED: &str = r#"
[nodes.a]
interfaces.eth0 = { veth = { peer = "r.eth0" }, address = "10.0.1.2/24" }
routes = [{ to = "default", via = "10.0.1.1" }]
[nodes.r]
forwarding = true
interfaces.eth0 = { address = "10.0.1.1/24" }
[nodes.b]
interfaces.eth0 = { veth = { peer = "c.eth0" }, address = ["10.9.0.1/24", "10.9.0.2/24", "10.9.0.3/24", "10.9.0.4/24", "10.9.0.5/24", "10.9.0.6/24", "10.9.0.7/24", "10.9.0.8/24"] }
[nodes.c]
interfaces.eth0 = { address = "10.9.0.99/24" }
"#;

const EIGHT: &str =
    r#"["10.9.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6", "10.9.0.7", "10.9.0.8"]"#;

/// A router whose second link carries less than its first.
const NARROW: &str = r#"
[nodes.a]
interfaces.eth0 = { veth = { peer = "r.eth0" }, address = ["10.0.1.2/24", "fd01::2/64"] }
routes = [{ to = "default", via = "10.0.1.1" }, { to = "default", via = "fd01::1" }]
[nodes.r]
forwarding = true
interfaces.eth0 = { address = ["10.0.1.1/24", "fd01::1/64"] }
interfaces.eth1 = { veth = { peer = "b.eth0" }, address = ["10.0.2.1/24", "fd02::1/64"], mtu = 1300 }
[nodes.b]
interfaces.eth0 = { address = ["10.0.2.2/24", "fd02::2/64"], mtu = 1300 }
routes = [{ to = "default", via = "10.0.2.1" }, { to = "default", via = "fd02::1" }]
"#;

/// Runs a case; gives what was told.
fn told_of(name: &str, topology: &str, expectations: &str) -> String {
    let folder = Folder::new(&format!("verdict-{name}"));
    let text = format!("title = \"{name}\"\n{topology}{expectations}");
    fs::write(folder.0.join("case.toml"), text).expect("the case can be written");
    told(&folder.run(&["case.toml"]).output().expect("netcase can be started"))
}

/// Runs a case; gives how many expectations passed and failed. There may be no error.
fn run(name: &str, topology: &str, expectations: &str) -> (usize, usize) {
    let all = told_of(name, topology, expectations);
    let counts = all.lines().rfind(|line| line.contains(" passed, ")).unwrap_or_default();
    let count = |word: &str| {
        let before = counts.split(word).next().unwrap_or_default();
        before.rsplit(' ').next().and_then(|number| number.parse().ok())
    };
    match (count(" passed"), count(" failed"), counts.contains(" 0 errors")) {
        (Some(passed), Some(failed), true) => (passed, failed),
        _ => panic!("{name}: {all}"),
    }
}

#[test]
fn a_refusal_that_the_router_left_out_is_no_silence() {
    let silent = format!("[[expect]]\nping = {{ from = \"a\", to = {EIGHT}, outcome = \"silent\" }}\n");
    assert_eq!(run("left-out-silent", REFUSED, &silent), (0, 8), "the router refuses every one of them");
    let refused =
        format!("[[expect]]\nping = {{ from = \"a\", to = {EIGHT}, outcome = \"net-unreachable\", by = \"r\" }}\n");
    assert_eq!(run("left-out-refused", REFUSED, &refused), (8, 0));
}

#[test]
fn what_one_probe_taught_the_kernel_changes_no_other() {
    let too_big = |size| {
        format!(
            "[[expect]]\nname = \"{size}\"\nping = {{ from = \"a\", to = \"b\", size = {size}, outcome = \"too-big\", by = \"r\" }}\n"
        )
    };
    let reachable = "[[expect]]\nping = { from = \"a\", to = \"b\", size = 1400 }\n";
    assert_eq!(run("learned-sizes", NARROW, &(too_big(1400) + &too_big(1390) + &too_big(1380) + reachable)), (6, 2));
}

#[test]
fn a_thousand_answers_are_all_heard() {
    let many = "[[expect]]\nping = { from = \"a\", to = \"b\", count = 1000 }\n[[expect]]\nname = \"large\"\n\
                ping = { from = \"a\", to = \"b\", count = 300, size = 1400 }\n";
    assert_eq!(run("many-answers", PAIR, many), (4, 0));
}

#[test]
fn a_thousand_requests_are_all_known_to_have_left() {
    let mute = PAIR.replace(
        "fd00::2/64\"] }",
        "fd00::2/64\"] }\nsysctls = { \"net.ipv4.icmp_echo_ignore_all\" = 1, \"net.ipv6.icmp.echo_ignore_all\" = 1 }",
    );
    let silent = "[[expect]]\nping = { from = \"a\", to = \"b\", count = 1000, outcome = \"silent\" }\n";
    assert_eq!(run("many-requests", &mute, silent), (2, 0));
}

#[test]
fn addresses_of_ipv6_are_found_from_the_first_probe_on() {
    let lan = "[networks.lan]\nsubnet = \"fd00::/64\"\nmembers = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n[nodes]\na = {}\nb = {}\nc = {}\nd = {}\ne = {}\n";
    let all = r#"["a", "b", "c", "d", "e"]"#;
    let checks = format!(
        "[[expect]]\nping = {{ from = {all}, to = {all} }}\nwithin = \"150ms\"\n\
         [[expect]]\nndp = {{ from = \"a\", to = [\"b\", \"c\", \"d\", \"e\"] }}\nwithin = \"150ms\"\n"
    );
    for round in 0..5 {
        assert_eq!(run("first-probe", lan, &checks), (24, 0), "round {round}");
    }
}

#[test]
fn a_link_local_address_is_asked_for_without_any_other() {
    let local = "[nodes.a]\ninterfaces.eth0 = { veth = { peer = \"b.eth0\" }, ipv6 = \"link-local\" }\n[nodes.b]\n\
                 interfaces.eth0 = { ipv6 = \"link-local\", mac = \"02:00:00:00:00:02\" }\n";
    let asked = "[[expect]]\nndp = { from = \"a\", to = \"fe80::ff:fe00:2\", mac = \"b.eth0\" }\n";
    assert_eq!(run("link-local", local, asked), (1, 0));
}

#[test]
fn a_frame_that_the_link_throws_away_is_a_silence() {
    let uneven = PAIR.replace("[\"10.0.0.2/24\", \"fd00::2/64\"] }", "[\"10.0.0.2/24\", \"fd00::2/64\"], mtu = 1280 }");
    // The first frame waits for its neighbour, so that its end is told to nobody; the kernel says of the next.
    let silent = "[[expect]]\nping = { from = \"a\", to = \"b\", size = 1400, outcome = \"silent\" }\n\
                  holds-for = \"500ms\"\n";
    assert_eq!(run("uneven", &uneven, silent), (2, 0));
}

#[test]
fn a_last_attempt_without_time_to_hear_anything_is_not_told() {
    // Of one sender's datagrams `b` refuses the first few, and then one every ten seconds.
    let limited = PAIR.replace(
        "[nodes.b]",
        "[nodes.b]\nsysctls = { \"net.ipv4.icmp_ratemask\" = 8, \"net.ipv4.icmp_ratelimit\" = 10000 }",
    );
    let open = "[[expect]]\nudp = { from = \"a\", to = \"b:9\", family = \"ipv4\" }\nwithin = \"800ms\"\n";
    let all = told_of("cut-short", &limited, open);
    let note = "the last had no time to hear anything";
    assert!(all.contains("refused") && all.contains(note) && !all.contains("silent for"), "{all}");
}

/// A client on a switch with two machines of one address, of which the first is pulled out.
const FAILOVER: &str = r#"
silence = "200ms"
[nodes.sw]
interfaces.br = { bridge = { ports = ["p1", "p2", "p3"] } }
[nodes.c]
interfaces.eth0 = { veth = { peer = "sw.p1" }, address = "10.0.0.1/24" }
[nodes.m]
interfaces.eth0 = { veth = { peer = "sw.p2" }, address = ["10.0.0.2/24", "10.0.0.100/24"] }
services.w = { tcp = { port = 80 } }
[nodes.s]
interfaces.eth0 = { veth = { peer = "sw.p3" }, address = "10.0.0.3/24" }
services.w = { tcp = { port = 80 } }
[[steps]]
do = [
  { link-set = { on = "sw.p2", up = false } },
  { addr-add = { on = "s.eth0", address = "10.0.0.100/24" } },
  { sysctl = { on = "s", set = { "net.ipv4.icmp_echo_ignore_all" = 1 } } },
]
"#;

#[test]
fn of_two_machines_with_one_address_the_one_that_is_reached_proves_a_silence() {
    let silent = "expect = [{ ping = { from = \"c\", to = \"10.0.0.100\", outcome = \"silent\" } }]\n";
    assert_eq!(run("failover", FAILOVER, silent), (1, 0), "s has it, up and with a carrier");
}

#[test]
fn where_nobody_knows_which_of_two_machines_is_meant_silence_is_unproven() {
    let twins = r#"
silence = "200ms"
[nodes.a]
interfaces.eth0 = { veth = { peer = "r.p0" }, address = "10.0.1.2/24" }
routes = [{ to = "default", via = "10.0.1.1" }]
[nodes.r]
interfaces.p0 = { address = "10.0.1.1/24" }
interfaces.br = { bridge = { ports = ["p1", "p2"] }, address = "10.0.2.1/24" }
[nodes.b]
interfaces.eth0 = { veth = { peer = "r.p1" }, address = "10.0.2.2/24" }
[nodes.c]
interfaces.eth0 = { veth = { peer = "r.p2" }, address = "10.0.2.2/24" }
"#;
    let all = told_of("twins", twins, "[[expect]]\nping = { from = \"a\", to = \"10.0.2.2\", outcome = \"silent\" }\n");
    assert!(all.contains("b and c both have 10.0.2.2: it is not known which was meant"), "{all}");
    assert!(all.contains("1 unproven"), "{all}");
}

#[test]
fn what_an_internet_swallows_is_not_proved_by_a_machine_elsewhere() {
    let internet = r#"
silence = "200ms"
[nodes.x]
interfaces.eth0 = { veth = { peer = "y.eth0" }, address = "10.0.9.9/24" }
[nodes.y]
interfaces.eth0 = { address = "10.0.9.8/24", up = false }
[nodes.pc]
interfaces.eth0 = { veth = { peer = "net.eth0" }, address = "192.0.2.2/24" }
routes = [{ to = "default", via = "192.0.2.1" }]
[nodes.net]
serves = ["0.0.0.0/0"]
interfaces.eth0 = { address = "192.0.2.1/24" }
sysctls = { "net.ipv4.icmp_echo_ignore_all" = 1 }
"#;
    let silent = "[[expect]]\nping = { from = \"pc\", to = \"10.0.9.9\", outcome = \"silent\" }\n";
    assert_eq!(run("internet", internet, silent), (1, 0), "net answers for it");
}

#[test]
fn behind_a_forward_of_an_address_that_is_routed_there_silence_is_proved() {
    let block = r#"
silence = "200ms"
[nodes.out]
interfaces.eth0 = { veth = { peer = "gw.wan" }, address = "192.0.2.2/24" }
routes = [{ to = "203.0.113.0/24", via = "192.0.2.1" }]
[nodes.gw]
forwarding = true
nat = [{ forward = { address = "203.0.113.6", to = "10.0.0.2" } }]
interfaces.wan = { address = "192.0.2.1/24" }
interfaces.lan = { veth = { peer = "s.eth0" }, address = "10.0.0.1/24" }
[nodes.s]
interfaces.eth0 = { address = "10.0.0.2/24" }
routes = [{ to = "default", via = "10.0.0.1" }]
sysctls = { "net.ipv4.icmp_echo_ignore_all" = 1 }
"#;
    let silent = "[[expect]]\nping = { from = \"out\", to = \"203.0.113.6\", outcome = \"silent\" }\n";
    assert_eq!(run("routed-block", block, silent), (1, 0));
}

#[test]
fn who_forwards_its_own_requests_is_told_who_did_not_answer_behind_the_forward() {
    let nobody = r#"
[nodes.gw]
forwarding = true
nat = [{ forward = { port = "80/tcp", to = "10.0.0.9" } }]
interfaces.wan = { veth = { peer = "out.eth0" }, address = "192.0.2.1/24" }
interfaces.lan = { veth = { peer = "s.eth0" }, address = "10.0.0.1/24" }
[nodes.out]
interfaces.eth0 = {}
[nodes.s]
interfaces.eth0 = { address = "10.0.0.2/24" }
"#;
    let open = "[[expect]]\ntcp = { from = \"gw\", to = \"192.0.2.1:80\" }\nwithin = \"0s\"\n[[expect]]\nping = { from = \"gw\", to = \"s\" }\n";
    let all = told_of("own-forward", nobody, open);
    assert!(all.contains("answered the ARP requests for 10.0.0.9"), "{all}");
}
