//! Each trap of the kernel that turns a right verdict into a wrong one: a case that falls into it without the handling.

#[path = "support/cases.rs"]
mod cases;
#[path = "traps/parts.rs"]
mod parts;
#[path = "support/program.rs"]
mod program;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use netcase::plan::Plan;
use netcase::worker::message::{Explain, Message, Order, VERSION};
use netcase::worker::supervise::ROLE;
use nix::poll::{PollTimeout, poll};

use cases::plan;
use parts::service;
use program::{Folder, program, told};

/// `netcase run`: all passed; one failed; one could not be found out.
const PASSED: i32 = 0;
const FAILED: i32 = 1;
const ERROR: i32 = 3;

/// Two nodes with a cable.
const PAIR: &str = r#"
title = "A trap"
[nodes.client]
interfaces.eth0 = { veth = { peer = "server.eth0" }, address = ["10.0.0.1/24", "fd00::1/64"] }
[nodes.server]
interfaces.eth0 = { address = ["10.0.0.2/24", "fd00::2/64"] }
"#;

/// How many times all cases run while the table is full: each has a thousand verdicts.
const RUNS: usize = 5;

/// Held while the machine's neighbour table has room, and alone while it is filled.
static TABLE: RwLock<()> = RwLock::new(());

fn run(text: &str) -> Output {
    run_in(&Folder::new(&format!("trap-{:x}", text.len() ^ text.as_ptr() as usize)), text)
}

fn run_in(folder: &Folder, text: &str) -> Output {
    let _room = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    cases::write(folder, "trap", text);
    folder.run(&["trap.toml"]).output().expect("netcase can be started")
}

/// Runs a case, and holds its exit code and words that must be told.
fn assert_ends(text: &str, code: i32, words: &[&str]) {
    assert_told(&run(text), code, words);
}

fn assert_told(output: &Output, code: i32, words: &[&str]) {
    let all = told(output);
    assert_eq!(output.status.code(), Some(code), "{all}");
    for word in words {
        assert!(all.contains(word), "{word:?} is missing:\n{all}");
    }
}

fn closed_ports(count: u16) -> String {
    let ports: Vec<String> = (1..=count).map(|port| format!("\"server:{}\"", 1000 + port)).collect();
    let ports = ports.join(", ");
    format!("{PAIR}[[expect]]\nudp = {{ from = \"client\", to = [{ports}], outcome = \"refused\", by = \"server\" }}\n")
}

#[test]
fn the_limit_of_errors_for_each_target_is_lifted() {
    assert_ends(&closed_ports(20), PASSED, &["40 passed, 0 failed, 0 errors, 0 skipped, 0 unproven"]);
}

#[test]
fn the_limit_of_errors_over_all_targets_is_lifted() {
    assert_ends(&closed_ports(200), PASSED, &["400 passed, 0 failed, 0 errors, 0 skipped, 0 unproven"]);
}

#[test]
fn a_routers_own_refusals_are_spaced_as_the_kernel_gives_them() {
    let text = r#"
        title = "A router without a route"
        [networks.lan]
        subnet = ["10.0.0.0/24", "fd00::/64"]
        members = ["a", "b"]
        gateway = "r"
        [nodes]
        a = {}
        b = {}
        r = { forwarding = true }
        [[expect]]
        ping = { from = "a", to = ["10.9.0.1", "fd09::1"], outcome = "net-unreachable", by = "r" }
        holds-for = "3s"
        [[expect]]
        udp = { from = "b", to = ["10.9.0.1:53", "[fd09::1]:53"], outcome = "net-unreachable", by = "r" }
        holds-for = "3s"
    "#;
    assert_ends(text, PASSED, &["4 passed, 0 failed, 0 errors"]);
}

/// A router's kernel refuses five at once and then one a second: the others are left out, and that is no silence.
#[test]
fn a_refusal_that_the_router_left_out_is_not_silence() {
    let targets = (1..=8).map(|host| format!("\"10.9.0.{host}\"")).collect::<Vec<_>>().join(", ");
    let text = format!(
        r#"
        title = "A router without a route, asked for many addresses at once"
        [networks.lan]
        subnet = "10.0.0.0/24"
        members = ["a"]
        gateway = "r"
        [nodes]
        a = {{}}
        r = {{ forwarding = true }}
        [[expect]]
        ping = {{ from = "a", to = [{targets}], outcome = "net-unreachable", by = "r" }}
    "#
    );
    assert_ends(&text, PASSED, &["8 passed, 0 failed, 0 errors"]);
}

/// A router counts what it refuses for its routes in one place with its other ICMP errors.
#[test]
fn a_refusal_is_not_left_out_after_other_errors_of_the_router() {
    let text = r#"
        title = "A router that says more than one thing"
        [networks.lan]
        subnet = "10.0.0.0/24"
        members = ["a"]
        gateway = "r"
        [nodes]
        a = {}
        r = { forwarding = true, routes = [{ to = "10.9.0.0/16", type = "prohibit" }] }
        [[steps]]
        expect = [{ udp = { from = "a", to = "10.0.0.1:9", outcome = "refused" } }]
        [[steps]]
        expect = [
          { tcp = { from = "a", to = "10.9.0.1:80", outcome = "prohibited", by = "r" }, within = "0s" },
          { udp = { from = "a", to = "10.9.0.1:80", outcome = "silent" } },
        ]
    "#;
    assert_ends(text, FAILED, &["2 passed, 1 failed, 0 errors", "rejected by r.eth0 (10.0.0.1)"]);
}

/// A redirect empties the account that refusals are paid from.
#[test]
fn a_refusal_left_out_after_a_redirect_is_not_silence() {
    let text = r#"
        title = "A router that knows a better way"
        silence = "300ms"
        [networks.lan]
        subnet = "10.0.0.0/24"
        members = ["a", "better"]
        gateway = "r"
        [networks.other]
        subnet = "10.9.0.0/24"
        members = ["b"]
        gateway = "r"
        [nodes]
        a = {}
        better = { serves = ["10.7.0.0/16"] }
        b = { services = { echo = { udp = { port = 7 } } } }
        [nodes.r]
        forwarding = true
        routes = [{ to = "10.9.0.2/32", type = "prohibit" }, { to = "10.7.0.0/16", via = "10.0.0.3" }]
        [[steps]]
        expect = [{ ping = { from = "a", to = "10.7.0.1" } }]
        [[steps]]
        expect = [{ udp = { from = "a", to = "b:7", outcome = "silent" } }]
    "#;
    assert_ends(text, FAILED, &["1 passed, 1 failed, 0 errors", "administratively prohibited"]);
}

#[test]
fn an_interface_that_is_gone_has_no_empty_list_of_neighbours() {
    let text = r#"
        title = "A program deletes an interface"
        [nodes.a]
        interfaces.eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
        [nodes.b]
        interfaces.spare = { veth = { peer = "b.other" } }
        [[steps]]
        do = [{ run = { on = "a", command = ["ip", "-n", "b", "link", "del", "spare"] } }]
        expect = [{ neighs = { on = "b.spare", exactly = [] } }]
    "#;
    assert_ends(text, ERROR, &["there is no such interface"]);
}

#[test]
fn a_matrix_larger_than_the_neighbour_table_is_answered_whole() {
    let names: Vec<String> = (0..100).map(|number| format!("\"n{number}\"")).collect();
    let names = names.join(", ");
    let nodes: String = (0..100).map(|number| format!("n{number} = {{}}\n")).collect();
    let text = format!(
        "title = \"Everybody reaches everybody\"\ntimeout = \"120s\"\n\
         [networks.lan]\nsubnet = \"10.0.0.0/24\"\nmembers = [{names}]\n[nodes]\n{nodes}\
         [[expect]]\nping = {{ from = [{names}], to = [{names}] }}\n"
    );
    assert_ends(&text, PASSED, &["9900 passed, 0 failed, 0 errors"]);
}

#[test]
fn a_dead_neighbour_is_not_silence() {
    for lo in ["", "lo = { up = false }\n"] {
        let text = format!(
            "title = \"Nobody has the address\"\n[nodes.a.interfaces]\n{lo}\
             eth0 = {{ veth = {{ peer = \"b.eth0\" }}, address = [\"10.0.0.1/24\", \"fd00::1/64\"] }}\n\
             [nodes.b]\ninterfaces.eth0 = {{ address = [\"10.0.0.2/24\", \"fd00::2/64\"] }}\n\
             [[expect]]\nping = {{ from = \"a\", to = [\"10.0.0.77\", \"fd00::77\"], outcome = \"silent\" }}\n\
             [[expect]]\ntcp = {{ from = \"a\", to = \"10.0.0.77:80\", outcome = \"silent\" }}\n\
             [[expect]]\nudp = {{ from = \"a\", to = \"10.0.0.77:80\", outcome = \"silent\" }}\n"
        );
        assert_ends(&text, FAILED, &["0 passed, 4 failed, 0 errors"]);
    }
}

#[test]
fn a_connection_refused_by_a_router_is_not_refused_by_the_target() {
    let text = r#"
        title = "A router prohibits"
        [networks.lan]
        subnet = ["10.0.0.0/24", "fd00::/64"]
        members = ["a", "b"]
        gateway = "r"
        [nodes]
        a = {}
        b = {}
        [nodes.r]
        forwarding = true
        routes = [{ to = "10.3.0.0/16", type = "prohibit" }, { to = "fd03::/64", type = "prohibit" }]
        [[expect]]
        tcp = { from = "a", to = ["10.3.0.1:80", "[fd03::1]:80"], outcome = "prohibited", by = "r" }
        [[expect]]
        tcp = { from = "b", to = ["10.3.0.1:80", "[fd03::1]:80"], outcome = "refused" }
        within = "0s"
    "#;
    assert_ends(text, FAILED, &["2 passed, 2 failed, 0 errors", "rejected by r"]);
}

/// Runs expectations while the server plays a part; `base` is the case without them.
fn assert_beside(base: &str, (part, ready): (&str, &str), expectations: &[&str], code: i32, words: &[&str]) {
    let place = Folder::new(&format!("part-{part}"));
    let expectations: String = expectations.iter().map(|expectation| format!("[[expect]]\n{expectation}\n")).collect();
    let text = format!("{base}{}{expectations}", service(&place, part, ready));
    assert_told(&run_in(&place, &text), code, words);
}

#[test]
fn every_attempt_has_a_port_of_its_own() {
    let held = "udp = { from = \"client\", to = \"10.0.0.2:5000\" }\nholds-for = \"1s\"";
    assert_beside(PAIR, ("new-senders-only", r#"port = "5000/udp""#), &[held], PASSED, &["1 passed"]);
}

#[test]
fn a_server_for_one_connection_still_serves_the_probe() {
    let served = r#"http = { from = "client", url = "http://10.0.0.2:8000/", status = 204 }"#;
    assert_beside(PAIR, ("one-connection", r#"port = "8000/tcp""#), &[served], PASSED, &["1 passed"]);
}

/// The server knows its sender when its own queue begins to let nothing out.
#[test]
fn a_silence_whose_packets_never_left_is_no_pass() {
    let echoes = "services.echo = { tcp = { port = 7 } }\nservices.uecho = { udp = { port = 7 } }\n[nodes.server]";
    let base = PAIR.replace("[nodes.server]", echoes);
    let silent = [
        r#"ping = { from = "server", to = "10.0.0.1", outcome = "silent" }"#,
        r#"tcp = { from = "server", to = "10.0.0.1:7", outcome = "silent" }"#,
        r#"udp = { from = "server", to = "10.0.0.1:7", outcome = "silent" }"#,
        r#"arp = { from = "server", to = "10.0.0.1", outcome = "silent" }"#,
    ];
    let words = ["0 passed, 0 failed, 4 errors, 0 skipped, 4 unproven", "left server"];
    for part in ["swallow", "refuse"] {
        assert_beside(&base, (part, r#"output = "part begun""#), &silent, ERROR, &words);
    }
}

/// A lab that stands until this is dropped.
struct Standing(Child);

impl Standing {
    fn build(folder: &Folder, text: &str) -> Self {
        let plan = Plan { folder: Some(folder.0.clone()), ..plan(text) };
        let order = Order {
            version: VERSION,
            plan,
            rootless: false,
            timeout_scale: 1.0,
            explain: Explain::Failed,
            shell: None,
        };
        let mut line = serde_json::to_vec(&order).expect("an order can be written");
        line.push(b'\n');
        let mut command = Command::new(program());
        command.arg(ROLE).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut worker = command.spawn().expect("a worker can be started");
        worker.stdin.as_mut().expect("it is a pipe").write_all(&line).expect("the worker takes its order");
        let stdout = worker.stdout.take().expect("it is a pipe");
        let standing = Self(worker);
        for line in BufReader::new(stdout).lines() {
            match serde_json::from_str(&line.expect("it can be read")).expect("a worker speaks in messages") {
                Message::Done => return standing,
                Message::Broken(broken) => panic!("the lab cannot be built: {broken:?}"),
                _ => {}
            }
        }
        panic!("the worker ended");
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many entries the machine's IPv4 neighbour table has: the first column, in hexadecimal.
fn neighbours() -> u64 {
    let text = fs::read_to_string("/proc/net/stat/arp_cache").expect("the kernel counts its neighbours");
    let word = text.lines().nth(1).and_then(|line| line.split_whitespace().next());
    word.and_then(|word| u64::from_str_radix(word, 16).ok()).expect("the first column is a number")
}

/// A node that fills the machine's neighbour table.
fn filler(place: &Folder) -> String {
    let pair = PAIR.replace("\"10.0.0.2/24\"", "\"10.200.0.1/16\"");
    format!(
        "{pair}{}[[expect]]\nlink = {{ on = \"server.eth0\", admin = \"up\" }}\n",
        service(place, "fill-neighbours", r#"output = "part begun""#)
    )
}

#[test]
#[ignore = "fills the neighbour table, which all tests on a machine share"]
fn a_full_neighbour_table_is_never_a_wrong_verdict() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases");
    let folder = Folder::new("full-table");
    let _alone = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let standing = Standing::build(&folder, &filler(&folder));
    let until = Instant::now() + Duration::from_secs(30);
    while neighbours() < 1000 {
        // The lab has just forgotten the entries that it had at its end.
        assert!(Instant::now() < until, "the table has only {} entries, so this proves nothing", neighbours());
        let _ = poll(&mut [], PollTimeout::from(5_u8));
    }
    let mut faults = Vec::new();
    for number in 0..RUNS {
        let output = folder.run(&[cases]).output().expect("netcase can be started");
        let all = told(&output);
        let blamed = all.matches("error: the probe could not be made").count();
        let named = all.matches("error: the probe could not be made: the machine's neighbour table overflowed").count();
        match output.status.code() {
            Some(PASSED) => {}
            Some(ERROR) if all.contains(" 0 failed, ") && blamed == named => {}
            _ => faults.push(format!("run {number}:\n{all}")),
        }
        eprintln!(
            "run {number}: {} entries, {}",
            neighbours(),
            all.lines().rfind(|l| l.contains(" passed, ")).unwrap_or("")
        );
    }
    drop(standing);
    let until = Instant::now() + Duration::from_secs(30);
    while neighbours() > 500 && Instant::now() < until {
        let _ = poll(&mut [], PollTimeout::from(50_u8));
    }
    let output = folder.run(&[cases]).output().expect("netcase can be started");
    if output.status.code() != Some(PASSED) {
        faults.push(format!("with an empty table again:\n{}", told(&output)));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
