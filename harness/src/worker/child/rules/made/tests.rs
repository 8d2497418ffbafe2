//! Scripts and the rules that they make, as nft and iptables tell them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::include::{Alone, Look, Text as Included};
use super::*;
use crate::source::Span;

#[path = "tests/real.rs"]
mod real;

/// Files by their paths.
struct Known(HashMap<String, String>);

impl Files for Known {
    fn read(&self, _: NodeId, path: &str) -> Option<String> {
        self.0.get(path).cloned()
    }

    fn included(&self, _: NodeId, name: &str, main: &str) -> Vec<Included> {
        Alone.included(name, main)
    }
}

const NODES: [&str; 3] = ["fw", "other", "third"];

fn known(files: &[(&str, &str)]) -> Known {
    Known(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

/// What a script of the first node has made in it.
fn made(script: &str, files: &[(&str, &str)]) -> Made {
    made_in(script, files, 0)
}

fn made_in(script: &str, files: &[(&str, &str)], node: NodeId) -> Made {
    let mut all = known(files);
    all.0.insert("s.sh".to_owned(), script.to_owned());
    let source = Source { node: 0, starts: Starts::File("s.sh".to_owned()), ran: true };
    Made::by(&[source], &all, &NODES, node)
}

fn rule(family: &str, table: &str, chain: &str) -> Rule {
    Rule {
        family: family.to_owned(),
        table: table.to_owned(),
        chain: chain.to_owned(),
        handle: 1,
        text: String::new(),
        packets: None,
        place: None,
    }
}

fn chain(family: &str, table: &str, name: &str) -> Chain {
    Chain {
        family: family.to_owned(),
        table: table.to_owned(),
        name: name.to_owned(),
        hook: Some("forward".to_owned()),
        devices: Vec::new(),
        priority: 0,
        policy: Some("drop".to_owned()),
        packets: None,
        place: None,
    }
}

fn shown(place: Option<Place>) -> String {
    match place {
        Some(Place::File { path, line, .. }) if path == "s.sh" => line.to_string(),
        Some(Place::File { path, line, .. }) => format!("{path}:{line}"),
        Some(Place::Case(span)) => format!("{}..{}", span.start, span.end),
        None => "-".to_owned(),
    }
}

/// The line of a rule of nft in `inet f c`.
fn line_of(script: &str, listed: &str) -> String {
    shown(made(script, &[]).place_of(&rule("inet", "f", "c"), Some(listed), None))
}

/// The line of a rule of iptables in `filter FORWARD`.
fn line_told(script: &str, saved: &str) -> String {
    shown(made(script, &[]).place_of(&rule("ip", "filter", "FORWARD"), None, Some(saved)))
}

#[test]
fn commands_of_nft_are_found() {
    for (script, listed, expected) in [
        ("nft add rule inet f c tcp dport 80 drop", "tcp dport 80 drop", "1"),
        ("\n  nft insert rule inet f c tcp dport http drop", "tcp dport 80 drop", "2"),
        ("nft 'add rule inet f c tcp dport 80 drop; add rule inet f c udp dport 53 drop'", "udp dport 53 drop", "1"),
        ("nft 'add rule inet f c tcp dport 80 drop\nadd rule inet f c udp dport 53 drop'", "udp dport 53 drop", "2"),
        (
            "x=1 && sudo -n /usr/sbin/nft add rule inet f c tcp dport {80, 22} counter drop",
            "tcp dport { 22, 80 } counter packets 3 bytes 4 drop",
            "1",
        ),
        ("if ! nft add rule inet f c \\\n  tcp dport 80 drop; then exit 1; fi", "tcp dport 80 drop", "1"),
        (
            "nft -f - <<EOF\nflush ruleset\ntable inet f {\n chain c {\n  tcp dport 80 drop\n }\n}\nEOF\nls",
            "tcp dport 80 drop",
            "5",
        ),
        (
            "nft -ef - <<-'EOF'\n\tadd rule inet f c tcp dport 80 drop\n\tEOF\nnft list ruleset",
            "tcp dport 80 drop",
            "2",
        ),
        ("cat <<EOF | nft -f -\nadd rule inet f c tcp dport 80 drop\nEOF\n", "tcp dport 80 drop", "2"),
        ("echo 'add rule inet f c tcp dport 80 drop' | nft -f /dev/stdin", "tcp dport 80 drop", "1"),
        ("nft -f - <<< 'add rule inet f c tcp dport 80 drop'", "tcp dport 80 drop", "1"),
        ("sh -c \"\nnft add rule inet f c tcp dport 80 drop\n\"", "tcp dport 80 drop", "2"),
        ("bash <<X\nnft add rule inet f c tcp dport 80 drop\nX", "tcp dport 80 drop", "2"),
        ("out=$(nft add rule inet f c tcp dport 80 drop 2>&1)", "tcp dport 80 drop", "1"),
        ("(nft add rule inet f c tcp dport 80 drop)&", "tcp dport 80 drop", "1"),
        ("f() { nft add rule inet f c tcp dport 80 drop; }\nf", "tcp dport 80 drop", "1"),
        ("ip netns exec fw nft add rule inet f c tcp dport 80 drop", "tcp dport 80 drop", "1"),
        (
            "nft add rule inet f c iifname eth0 ct state related,established accept",
            "iifname \"eth0\" ct state established,related accept",
            "1",
        ),
        ("nft add rule inet f c position 4 tcp dport 80 drop", "tcp dport 80 drop", "1"),
        ("nft add rule inet f c tcp dport 80 drop # later", "tcp dport 80 drop", "1"),
        ("P=80\nDROP='counter drop'\nnft add rule inet f c tcp dport $P $DROP", "tcp dport 80 counter drop", "3"),
    ] {
        assert_eq!(line_of(script, listed), expected, "{script}");
    }
}

#[test]
fn another_value_is_another_rule() {
    for (script, listed) in [
        ("nft add rule inet f c tcp dport 81 drop", "tcp dport 80 drop"),
        ("nft add rule inet f c udp dport 80 drop", "tcp dport 80 drop"),
        ("nft add rule inet f c tcp dport 80 accept", "tcp dport 80 drop"),
        ("nft add rule inet f d tcp dport 80 drop", "tcp dport 80 drop"),
        ("nft add rule ip f c tcp dport 80 drop", "tcp dport 80 drop"),
        ("nft add rule f c tcp dport 80 drop", "tcp dport 80 drop"),
        ("nft add rule inet f c tcp dport 80 drop", "tcp dport 80 ip saddr 10.0.0.1 drop"),
        ("nft add rule inet f c ip saddr 10.0.0.0/24 drop", "ip saddr 10.0.1.0/24 drop"),
        ("nft add rule inet f c ip saddr 10.0.0.1 drop", "ip daddr 10.0.0.1 drop"),
        ("nft add rule inet f c tcp dport { 80, 22 } drop", "tcp dport { 80, 23 } drop"),
        ("nft add rule inet f c tcp dport != 80 drop", "tcp dport 80 drop"),
        ("for p in 22 23; do\nnft add rule inet f c tcp dport $p drop; done", "tcp dport 80 drop"),
        ("echo nft add rule inet f c tcp dport 80 drop", "tcp dport 80 drop"),
        ("# nft add rule inet f c tcp dport 80 drop", "tcp dport 80 drop"),
        ("cat <<EOF\nnft add rule inet f c tcp dport 80 drop\nEOF", "tcp dport 80 drop"),
        ("nft -c add rule inet f c tcp dport 80 drop", "tcp dport 80 drop"),
        ("nft delete rule inet f c tcp dport 80 drop", "tcp dport 80 drop"),
        ("ip netns exec other nft add rule inet f c tcp dport 80 drop", "tcp dport 80 drop"),
        ("in_ns other nft add rule inet f c tcp dport 80 drop", "tcp dport 80 drop"),
        ("#!/usr/bin/env python3\nnft add rule inet f c tcp dport 80 drop", "tcp dport 80 drop"),
    ] {
        assert_eq!(line_of(script, listed), "-", "{script}");
    }
}

#[test]
fn of_two_lines_that_can_have_made_it_none_is_said() {
    let one = "nft add rule inet f c tcp dport 80 drop\n";
    for other in [
        "nft insert rule inet f c tcp dport http drop",
        "nft 'add rule inet f c tcp dport { 80 } drop'",
        "nft add rule inet f c tcp dport $1 drop",
        "nft add rule inet f c $@",
        "nft \"$@\"",
        "nft add rule $1",
        "for p in 22 80; do nft add rule inet f c tcp dport $p drop; done",
        "nft -f - <<E\ntable inet f { chain c { tcp dport 80 drop; }; }\nE",
        "in_ns fw nft add rule inet f c tcp dport 80 drop",
    ] {
        assert_eq!(line_of(&format!("{one}{other}"), "tcp dport 80 drop"), "-", "{other}");
    }
    assert_eq!(line_of(&format!("{one}nft add rule inet f c tcp dport 81 drop"), "tcp dport 80 drop"), "1");
}

#[test]
fn variables_may_be_what_they_are_given() {
    let looped = "for p in 22 80; do\n  nft add rule inet f c tcp dport $p drop\ndone\n";
    assert_eq!(line_of(looped, "tcp dport 80 drop"), "2");
    let split = "PORTS='22 80'\nfor p in $PORTS; do nft add rule inet f c tcp dport \"$p\" drop; done\n";
    assert_eq!(line_of(split, "tcp dport 80 drop"), "2");
    assert_eq!(line_of(split, "tcp dport 81 drop"), "-");
    for unknown in ["$1", "$(port)", "${port:-80}", "$((79 + 1))", "`port`", "$port"] {
        let script = format!("nft add rule inet f c tcp dport {unknown} drop\n");
        assert_eq!(line_of(&script, "tcp dport 80 drop"), "1", "{unknown}");
        // Too little of it is written.
        let script = format!("nft add rule inet f c {unknown} drop\n");
        assert_eq!(line_of(&script, "tcp dport 80 drop"), "-", "{unknown}");
    }
    let counted = "for ((i=79;i<81;i++)); do nft add rule inet f c tcp dport $i drop; done\n";
    assert_eq!(line_of(counted, "tcp dport 80 drop"), "1");
    let wrapped = "T='inet f'; NFT=/usr/sbin/nft\n$NFT add rule $T c tcp dport 80 drop\n";
    assert_eq!(line_of(wrapped, "tcp dport 80 drop"), "2");
}

#[test]
fn functions_that_pass_on_their_arguments_have_the_lines_of_their_calls() {
    for (script, expected) in [
        ("r() { nft add rule inet f c \"$@\"; }\nr tcp dport 22 drop\nr tcp dport 80 drop\n", "3"),
        ("function r { echo \"$*\"; \"$@\"; }\nr nft add rule inet f c tcp dport 80 drop\n", "2"),
        (
            "r () {\n  local ns=$1\n  shift\n  ip netns exec \"$ns\" nft \"$@\"\n}\nr other add rule inet f c tcp dport 80 drop\nr fw add rule inet f c tcp dport 80 drop\n",
            "7",
        ),
        ("r() { ip netns exec \"$1\" \"${@:2}\"; }\nr other nft add rule inet f c tcp dport 80 drop\n", "-"),
        ("r() { nft \"$@\"; }\nq() { r add rule inet f c \"$@\"; }\nif true; then q tcp dport 80 drop; fi\n", "3"),
        ("r() { nft -f -; }\nn() { nft \"$@\"; }\nn -f - <<E\nadd rule inet f c tcp dport 80 drop\nE\n", "4"),
        ("r() { nft add rule inet f c \"$@\"; }\nr tcp dport 80 drop\nr tcp dport 80 drop\n", "-"),
        ("r() { nft add rule inet f c \"$@\"; }\nr tcp dport 80 drop\nnft add rule inet f c tcp dport 80 drop\n", "-"),
        ("r() { nft add rule inet f c \"$@\"; }\nr $1\nr tcp dport 80 drop\n", "-"),
        ("r() { nft add rule inet f c tcp dport $1 drop; }\nr 80\n", "1"),
        ("r() { r \"$@\"; r \"$@\"; }\nr tcp dport 80 drop\n", "-"),
        ("r() { nft add rule inet f c tcp dport 80 drop\n", "1"),
    ] {
        assert_eq!(line_of(script, "tcp dport 80 drop"), expected, "{script}");
    }
    let wrapped = "ipt() { iptables -w \"$@\"; ip6tables -w \"$@\"; }\nipt -A FORWARD -j DROP\nipt -A INPUT -j DROP\n";
    assert_eq!(line_told(wrapped, "-A FORWARD -j DROP"), "2");
}

#[test]
fn commands_of_iptables_are_found() {
    let saved = "-A FORWARD -s 10.0.0.0/24 ! -i eth0 -p tcp -m tcp --dport 80 -m comment --comment \"-j no\" -j DROP";
    for (script, expected) in [
        ("iptables -A FORWARD -p tcp --dport 80 -s 10.0.0.5/24 ! -i eth0 -m comment --comment '-j no' -j DROP", "1"),
        (
            "iptables -w 5 -t filter -I FORWARD 1 --jump DROP --protocol tcp --destination-port http --source 10.0.0.0/255.255.255.0 ! --in-interface eth0 -m comment --comment \"-j no\"",
            "1",
        ),
        (
            "iptables-restore <<E\n*filter\n:FORWARD ACCEPT\n[0:0] -A FORWARD -s 10.0.0.0/24 ! -i eth0 -p tcp --dport 80 -m comment --comment \"-j no\" -j DROP\nCOMMIT\nE",
            "4",
        ),
        (
            "IPT='iptables -w'\n$IPT -AFORWARD -ptcp --dport=80 -s 10.0.0.0/24 ! -i eth0 -m comment --comment '-j no' -jDROP",
            "2",
        ),
        (
            "iptables -C FORWARD -j DROP || iptables -A FORWARD -p tcp --dport 80 -s 10.0.0.0/24 -i ! eth0 -m comment --comment '-j no' -j DROP",
            "1",
        ),
        ("iptables -A FORWARD -p tcp --dport 81 -s 10.0.0.5/24 ! -i eth0 -m comment --comment '-j no' -j DROP", "-"),
        ("iptables -A FORWARD -p tcp --dport 80 -s 10.0.0.5/24 -i eth0 -m comment --comment '-j no' -j DROP", "-"),
        ("iptables -A FORWARD -p tcp --dport 80 -s 10.0.0.5/24 ! -i eth0 -m comment --comment 'other' -j DROP", "-"),
        ("iptables -A FORWARD -p tcp --dport 80 -s 10.0.0.5/24 ! -i eth0 -j DROP", "-"),
        ("iptables -A INPUT -p tcp --dport 80 -s 10.0.0.5/24 ! -i eth0 -m comment --comment '-j no' -j DROP", "-"),
        ("ip6tables -A FORWARD -p tcp --dport 80 -s 10.0.0.5/24 ! -i eth0 -m comment --comment '-j no' -j DROP", "-"),
        ("iptables -D FORWARD -p tcp --dport 80 -s 10.0.0.5/24 ! -i eth0 -m comment --comment '-j no' -j DROP", "-"),
        (
            "iptables -t mangle -A FORWARD -p tcp --dport 80 -s 10.0.0.5/24 ! -i eth0 -m comment --comment '-j no' -j DROP",
            "-",
        ),
    ] {
        assert_eq!(line_told(script, saved), expected, "{script}");
    }
    let two = "iptables -A FORWARD -s 10.0.0.1,10.0.0.2 -j REJECT\niptables -A FORWARD -s 10.0.0.3 -j REJECT\n";
    for (address, expected) in [("10.0.0.2", "1"), ("10.0.0.3", "2"), ("10.0.0.4", "-")] {
        let saved = format!("-A FORWARD -s {address}/32 -j REJECT --reject-with icmp-port-unreachable");
        assert_eq!(line_told(two, &saved), expected, "{address}");
    }
    let same = "iptables -A FORWARD -j DROP\niptables -I FORWARD -j DROP\n";
    assert_eq!(line_told(same, "-A FORWARD -j DROP"), "-");
    let open = "ipt() { iptables \"$@\"; }\niptables -A FORWARD -s \"$1\" -j DROP\n";
    assert_eq!(line_told(open, "-A FORWARD -s 10.0.0.1/32 -j DROP"), "-");
}

#[test]
fn policies_have_the_line_that_sets_them() {
    let of = |script: &str, family, table, name| shown(made(script, &[]).place_of_policy(&chain(family, table, name)));
    for (script, expected) in [
        ("iptables -P INPUT DROP\niptables -P FORWARD DROP", "2"),
        ("iptables --policy FORWARD ACCEPT\niptables -t mangle -P FORWARD DROP", "-"),
        ("for c in INPUT FORWARD; do iptables -P $c DROP; done", "1"),
        ("iptables-restore <<E\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\nE", "4"),
        ("iptables -P FORWARD DROP\nls\niptables -P FORWARD DROP", "-"),
        ("ip6tables -P FORWARD DROP", "-"),
    ] {
        assert_eq!(of(script, "ip", "filter", "FORWARD"), expected, "{script}");
        assert_eq!(of(script, "iptables", "filter", "FORWARD"), expected, "{script}");
    }
    for (script, expected) in [
        ("nft add chain inet f c '{ type filter hook input priority 0; policy drop; }'", "1"),
        ("nft add chain inet f c { type filter hook input priority 0 \\; policy drop \\; }", "1"),
        ("nft chain inet f c '{ policy accept; }'\nnft 'chain inet f c { policy drop; }'", "2"),
        ("nft add chain inet f c '{ type filter hook input priority 0; }'", "-"),
        ("nft -f - <<E\ntable inet f {\n chain c {\n  type filter hook input priority 0\n  policy drop\n }\n}\nE", "5"),
    ] {
        assert_eq!(of(script, "inet", "f", "c"), expected, "{script}");
    }
}

#[test]
fn where_scripts_say_nothing_of_a_policy_its_chain_keeps_its_line() {
    let declared = Place::Case(Span::new(1, 2));
    let of = |script: &str| {
        let known = Chain { place: Some(declared.clone()), ..chain("inet", "f", "c") };
        shown(made(script, &[]).place_of_policy(&known))
    };
    assert_eq!(of("nft add rule inet f c drop\n"), "1..2");
    let one = "nft 'chain inet f c { policy drop; }'\n";
    assert_eq!(of(one), "1");
    assert_eq!(of(&one.repeat(2)), "-", "either has set it, and what declares the chain has not");
}

#[test]
fn what_scripts_run_is_followed() {
    let files = [
        (
            "lib/fw.sh",
            "#!/bin/sh\nnft add rule inet f c tcp dport $1 drop\nnft -f \"$(dirname \"$0\")/f.nft\"\n. ./s.sh\n",
        ),
        ("lib/f.nft", "table inet f {\n chain c {\n  udp dport 53 drop\n }\n}\n"),
        ("r.v4", "*filter\n-A FORWARD -j DROP\nCOMMIT\n"),
        ("x.nft", "#!/usr/sbin/nft -f\nadd rule inet f c tcp dport 9 drop\n"),
    ];
    let of = |script: &str, listed: &str| {
        shown(made(script, &files).place_of(&rule("inet", "f", "c"), Some(listed), Some("-A FORWARD -j DROP")))
    };
    assert_eq!(of("set -e\n./lib/fw.sh 80\n", "tcp dport 80 drop"), "lib/fw.sh:2");
    assert_eq!(of("sh -e lib/fw.sh 80\n", "udp dport 53 drop"), "lib/f.nft:3");
    assert_eq!(of("./x.nft\n", "tcp dport 9 drop"), "x.nft:2");
    assert_eq!(of("ip netns exec other ./x.nft\n", "tcp dport 9 drop"), "-");
    let other = made_in("ip netns exec other ./x.nft\n", &files, 1);
    assert_eq!(shown(other.place_of(&rule("inet", "f", "c"), Some("tcp dport 9 drop"), None)), "x.nft:2");
    for (script, expected) in [
        ("cat > /run/x.nft <<E\nadd rule inet f c tcp dport 9 drop\nE\nnft -f /run/x.nft\n", "2"),
        ("sudo tee x.nft >/dev/null <<E\nadd rule inet f c tcp dport 9 drop\nE\nnft -f ./x.nft\n", "2"),
        ("echo 'add rule inet f c tcp dport 9 drop' >> y\nnft -f y\n", "1"),
        ("printf '#!/bin/sh\\nnft add rule inet f c tcp dport 9 drop' > y.sh\nsh y.sh\n", "1"),
        ("cat > y <<E\nadd rule inet f c tcp dport 9 drop\nE\n", "-"),
        ("A=b timeout -k 2 5 ./x.nft\n", "x.nft:2"),
        ("chmod +x ./x.nft\n", "-"),
        ("ip netns exec fw ./x.nft\n", "x.nft:2"),
        ("cd lib\nnft -f ../x.nft\n", "-"),
        ("cd elsewhere\nnft -f x.nft\n", "-"),
        ("cd \"$(dirname \"$0\")\" || exit\nnft -f x.nft\n", "x.nft:2"),
        ("cd \"$WHERE\"\nnft -f x.nft\n", "-"),
        ("(cd lib)\ncd ..\nnft -f x.nft\n", "-"),
    ] {
        assert_eq!(of(script, "tcp dport 9 drop"), expected, "{script}");
    }
    assert_eq!(of("cd lib\nnft -f f.nft\n", "udp dport 53 drop"), "lib/f.nft:3");
    for load in ["iptables-restore < r.v4", "iptables-restore -n r.v4"] {
        let place = made(load, &files).place_of(&rule("ip", "filter", "FORWARD"), None, Some("-A FORWARD -j DROP"));
        assert_eq!(shown(place), "r.v4:2", "{load}");
    }
}

#[test]
fn commands_of_the_case_have_their_places_there() {
    let text = "\nnft add rule inet f c tcp dport 80 drop\n  nft add rule inet f c tcp dport 81 drop\n";
    let source = |words: &[&str], input: Option<&str>, inside: Vec<Option<Span>>, ran| Source {
        node: 0,
        starts: Starts::Command(Invocation {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            input: input.map(str::to_owned),
            input_file: None,
            folder: None,
            span: Span::new(10, 20),
            inside,
        }),
        ran,
    };
    let of = |sources: &[Source]| {
        let made = Made::by(sources, &known(&[]), &NODES, 0);
        shown(made.place_of(&rule("inet", "f", "c"), Some("tcp dport 81 drop"), None))
    };
    let inside = vec![None, None, Some(Span::new(100, 100 + text.len()))];
    let shell = |inside| source(&["sh", "-c", text], None, inside, true);
    assert_eq!(of(&[shell(inside.clone())]), "143..182");
    assert_eq!(of(&[shell(Vec::new())]), "10..20");
    let plain =
        |ran| source(&["nft", "add", "rule", "inet", "f", "c", "tcp", "dport", "81", "drop"], None, Vec::new(), ran);
    assert_eq!(of(&[plain(true)]), "10..20");
    assert_eq!(of(&[plain(false)]), "-");
    assert_eq!(of(&[plain(false), shell(inside)]), "-");
    let read = source(&["sh"], Some(text), vec![None, Some(Span::new(50, 50 + text.len()))], true);
    assert_eq!(of(&[read]), "93..132");
}

/// Pieces that texts are made of.
const PIECES: [&str; 44] = [
    "nft ",
    "add rule inet f c ",
    "tcp dport 80 drop",
    "\n",
    "\"",
    "'",
    "`",
    "$",
    "$(",
    ")",
    "(",
    "{",
    "}",
    "${",
    "<<EOF\n",
    "EOF\n",
    "<<-'ä'\n",
    "\\",
    "\\\n",
    "#",
    ";",
    "|",
    "&",
    "ä",
    "\u{10FFFF}",
    "iptables -A FORWARD ",
    "-s ",
    "10.0.0.1,",
    "f() {",
    "f ",
    "\"$@\" ",
    "; }\n",
    "for p in ",
    "do ",
    "done",
    "p=$p",
    "$p",
    "((",
    "))",
    "sh -c '",
    "eval ",
    "< s.sh",
    "define x = {",
    ". ./s.sh\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_to_its_end(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        let script = pieces.concat();
        let begun = Instant::now();
        let place = made(&script, &[]).place_of(&rule("inet", "f", "c"), Some(&script), Some(&script));
        let _ = (shown(place), tokens::of(&script), super::super::restore::words(&script));
        prop_assert!(begun.elapsed() < Duration::from_secs(5), "it takes long");
    }

    #[test]
    fn any_letters_are_read_to_their_end(script in "\\PC{0,200}") {
        let _ = made(&format!("nft {script}\niptables {script}"), &[]).place_of(&rule("inet", "f", "c"), Some(&script), Some(&script));
    }
}

#[test]
fn long_texts_are_read_quickly() {
    let begun = Instant::now();
    for piece in PIECES {
        let script = piece.repeat(100_000 / piece.len());
        let _ = made(&script, &[]).place_of(&rule("inet", "f", "c"), Some(&script), Some(&script));
    }
    for call in ["r \"$@\"; ", "r \"$@\" \"$@\"; ", "r \"$*$*\"; "] {
        let _ = made(&format!("r() {{ {}\n}}\nr a b c\n", call.repeat(2_000)), &[]);
    }
    let _ = made(&(0..5_000).map(|n| format!("f{n}() {{ nft \"$@\"; }}\nf{n} add\n")).collect::<String>(), &[]);
    for piece in [
        "define",
        "define x = {",
        "define x = 1\n",
        "add rule inet f c $x $x $x $x\n",
        "tcp dport 80 drop\n",
        "{ chain c ",
    ] {
        let text = format!("define x = {}\n{}", "1".repeat(4_000), piece.repeat(500_000 / piece.len()));
        let _ =
            made("nft -f big", &[("big", &text)]).place_of(&rule("inet", "f", "c"), Some("tcp dport 80 drop"), None);
    }
    let many = (0..200).map(|n| format!("v{n}=$v{}$v{}\nnft $v{n} $v{n}\n", n + 1, n + 2)).collect::<String>();
    let _ = made(&many, &[]);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}
