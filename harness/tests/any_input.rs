//! Whatever a file contains, reading it ends with a plan or with a complaint, and never with a panic.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use netcase::case::Given;
use netcase::diagnostic::{Diagnostics, Style};
use netcase::source::Source;
use netcase::{case, plan};
use proptest::prelude::*;

/// Correct and wrong cases to start mutations from.
static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seeds = vec![VALID.to_owned()];
    let mut folders = vec![root.join("fixtures/bad-cases"), root.join("cases")];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                seeds.extend(fs::read_to_string(path).ok().filter(|text| text.len() < 10_000));
            }
        }
    }
    seeds
});

const VALID: &str = r#"
title = "a bit of everything"
timeout = "10s"
silence = "500ms"
needs = ["ipv6", "link:veth", "program:true"]
tags = ["all", "$${x}"]

[params]
blue = "blue"
port = 8080

[matrix]
count = [3, 4]

[nodes.host]
forwarding = "ipv4"
routes = [{ to = "10.9.0.0/16", via = "10.0.0.2", metric = 7 }, { to = "2001:db8::/32", type = "blackhole" }]
sysctls = { "net.ipv4.conf.all.rp_filter" = 1, "net/ipv4/conf/br0/proxy_arp" = "1" }
[nodes.host.interfaces]
lo = { address = "192.0.2.1/32" }
br0 = { bridge = { ports = ["veth0"] }, address = ["10.0.0.1/24", "fd00::1/64"], mtu = 1500 }

[nodes.blue]
interfaces.eth0 = { veth = { peer = "host.veth0" }, address = ["10.0.0.2/24", "fd00::2/64"], mac = "02:00:00:00:00:02" }
services.web = { http = { port = "${port}", status = 404, headers = { X = "y" }, body = "b", listen = "10.0.0.2" } }
services.echo = { udp = { port = 7 } }
services.own = { command = { run = ["true"], env = { A = "b" }, ready = { output = "ready" } } }

[nodes.web]

[networks.dmz]
subnet = ["10.1.0.0/24", "fd01::/64"]
members = { web = "10.1.0.9" }
gateway = "host"

[[expect]]
ping = { from = ["host", "blue"], to = ["host.br0", "${blue}"], count = "${count}", lost = "<= 50%", size = 100, ttl = 3 }
[[expect]]
tcp = { from = "blue", to = ["10.0.0.1:9", "[fd00::1]:9"], outcome = ["refused", "rejected"], by = "host" }
[[expect]]
udp = { from = "host", to = "blue:7", outcome = "delivered", source = "10.0.0.1" }
[[expect]]
http = { from = "host", url = "http://blue:8080/x?y", status = [200, 404], headers = { X = { regex = "y" } }, body = "b" }
[[expect]]
arp = { from = "host.br0", to = "blue", mac = "blue.eth0" }
[[expect]]
ndp = { from = "blue", to = "fd00::99", outcome = "silent" }
[[expect]]
neigh = { on = "host", to = "blue", state = ["stale", "reachable"] }
[[expect]]
route = { on = "blue", get = "host.br0", dev = "eth0" }
[[expect]]
name = "no such link"
within = "2s"
holds-for = "1s"
link = { on = "host.eth9", present = false }
"#;

/// Fragments that turn up in cases, for mutations that stay near the grammar.
const WORDS: &[&str] = &[
    "\"red\"",
    "${",
    "}",
    "\"${port}\"",
    "\"${blue}.${port}\"",
    "$${x}",
    "[params]",
    "[matrix]",
    "topology = \"pair.lab.toml\"",
    "\"host.br0\"",
    "\"blue:80\"",
    "[]",
    "{}",
    "{ }",
    "[[expect]]",
    "[nodes.x]",
    "=",
    ".",
    ",",
    "\"\"",
    "0",
    "-1",
    "1e999",
    "true",
    "\"::\"",
    "\"10.0.0.0/0\"",
    "\"::/128\"",
    "\"default\"",
    "\u{0}",
    "é",
    "\"\"\"",
    "'",
    "\\",
    "\n",
    "\"a.\"",
    "\".a\"",
    "\"a:\"",
    "\":80\"",
    "\"[\"",
    "\"http://\"",
    "\"http://[::1\"",
    "subnet = \"10.0.0.0/31\"",
    "to",
    "from",
    "1979-05-27",
    "\"255.255.255.255/32\"",
    "\"ffff::/1\"",
    "\"net.\"",
    "\"net/ipv4/conf/\"",
    "99999999999999999999",
    "\"0s\"",
    "\"link:\"",
];

/// Reads a text as a user's file is read, and draws everything that is said of it.
fn read(text: &str) {
    let mut source = Source::new("any.toml", text);
    let mut out = Diagnostics::default();
    let plan = case::parse(&mut source, &Given::default(), &mut out).and_then(|case| plan::resolve(case, &mut out));
    assert_eq!(plan.is_none(), out.has_errors(), "either a plan or an error: {text}");
    for diagnostic in out.into_sorted(&source) {
        diagnostic.render(&source, Style::Plain);
    }
}

/// One change to a text: at a place, some characters give way to others.
#[derive(Clone, Debug)]
struct Change {
    place: prop::sample::Index,
    removed: usize,
    inserted: String,
}

fn change() -> impl Strategy<Value = Change> {
    let inserted = prop_oneof![
        prop::sample::select(WORDS).prop_map(str::to_owned),
        prop::sample::select(WORDS).prop_map(str::to_owned),
        ".{0,3}",
        Just(String::new()),
    ];
    (any::<prop::sample::Index>(), 0..12_usize, inserted).prop_map(|(place, removed, inserted)| Change {
        place,
        removed,
        inserted,
    })
}

fn apply(text: &str, change: &Change) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = change.place.index(characters.len() + 1);
    let end = (start + change.removed).min(characters.len());
    let before: String = characters[..start].iter().collect();
    let after: String = characters[end..].iter().collect();
    before + &change.inserted + &after
}

#[test]
fn the_seed_of_all_mutations_is_correct() {
    let mut source = Source::new("valid.toml", VALID);
    let mut out = Diagnostics::default();
    let plan = case::parse(&mut source, &Given::default(), &mut out).and_then(|case| plan::resolve(case, &mut out));
    let said: Vec<String> =
        out.into_sorted(&source).iter().map(|diagnostic| diagnostic.render(&source, Style::Plain)).collect();
    assert!(plan.is_some(), "{}", said.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_read(text in "(?s).{0,200}") {
        read(&text);
    }

    #[test]
    fn arbitrary_lines_of_words_are_read(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        read(&words.join(" "));
    }

    #[test]
    fn mutated_cases_are_read(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let mut text = SEEDS[seed.index(SEEDS.len())].clone();
        for change in &changes {
            text = apply(&text, change);
        }
        read(&text);
    }

    #[test]
    fn lines_in_any_order_are_read(
        seed in any::<prop::sample::Index>(),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8),
    ) {
        let text = &SEEDS[seed.index(SEEDS.len())];
        let mut lines: Vec<&str> = text.lines().collect();
        for (first, second) in swaps {
            if !lines.is_empty() {
                let (first, second) = (first.index(lines.len()), second.index(lines.len()));
                lines.swap(first, second);
            }
        }
        read(&lines.join("\n"));
    }
}
