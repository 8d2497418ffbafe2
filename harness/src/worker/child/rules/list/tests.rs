//! Against the real nft and iptables-restore, in namespaces of their own. Each rule of the texts below has the number of
//! its own line as a port, so that whatever they make of a rule, the kernel's says which line is right.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::lab::{Counted, Table};
use crate::plan::Rules;
use crate::source::Span;
use crate::worker::child::rules::Load;

/// A folder of a case, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = Self(std::env::temp_dir().join(format!("netcase-rules-{name}-{}", std::process::id())));
        for (path, text) in files {
            let path = folder.0.join(path);
            fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What nft lists behind each of some commands, run one after the other in a new network namespace.
fn listings(folder: &Folder, commands: &[&str]) -> Vec<String> {
    let script: String =
        commands.iter().map(|run| format!("{run}\necho ----\nnft -s -a list ruleset\necho ----\n")).collect();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-ec", &script]).current_dir(&folder.0);
    let ended = command.env("PATH", command::SEARCH_PATH).output().expect("there is unshare(1)");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{script}: {said}");
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    printed.split("----\n").skip(1).step_by(2).map(str::to_owned).collect()
}

/// What the kernel must have to be listed like this.
fn ruleset(listing: &str) -> Ruleset {
    let written = nft::read(Text { path: String::new(), content: listing.into() }, &Alone).0;
    let tables = listing.lines().filter_map(|line| line.strip_prefix("table ")).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let handle = words.last().and_then(|last| last.parse().ok()).expect("tables are listed with their handles");
        Table { family: words[0].to_owned(), name: words[1].to_owned(), handle }
    });
    let chains = written.chains.into_iter().map(|line| Chain {
        devices: Vec::new(),
        packets: None,
        family: line.chain.family,
        table: line.chain.table,
        name: line.chain.chain,
        hook: None,
        priority: 0,
        policy: None,
        place: None,
    });
    let rules = written.rules.into_iter().map(|line| Counted {
        family: line.chain.family,
        table: line.chain.table,
        chain: line.chain.chain,
        handle: line.handle.expect("rules are listed with their handles"),
        packets: None,
    });
    Ruleset { tables: tables.collect(), chains: chains.collect(), rules: rules.collect() }
}

fn rules(loader: Loader, text: RulesText) -> Rules {
    Rules { node: 0, text, loader, told: true, span: Span::new(100, 200), inside: None }
}

/// The chains and rules behind the last of some files, loaded one after the other.
fn loaded(folder: &Folder, loader: Loader, files: &[&str]) -> (Vec<Chain>, Vec<Rule>) {
    let program = if loader == Loader::Nft { "nft -f".to_owned() } else { loader.program().to_owned() };
    let commands: Vec<String> = files.iter().map(|file| format!("{program} {file}")).collect();
    let listings = listings(folder, &commands.iter().map(String::as_str).collect::<Vec<_>>());
    let read = |path: &Path| fs::read_to_string(path).ok();
    let list = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let folders = Folders { start: &folder.0, read: &read, list: &list };
    let (mut places, mut before) = (Places::default(), Ruleset::default());
    for (file, listing) in files.iter().zip(&listings) {
        let after = ruleset(listing);
        let load = Load::between(&rules(loader, RulesText::File((*file).to_owned())), &before, &after);
        places.add(&load, &read(&folder.0.join(file)).expect("it is there"), &folders);
        before = after;
    }
    described(before, &[], &places, &texts_in(&listings[listings.len() - 1]))
}

/// File and line of a place, and the number that the line has in itself.
fn told(place: Option<&Place>) -> String {
    match place {
        Some(Place::File { path, line, .. }) => format!("{path}:{line}"),
        Some(Place::Case(span)) => format!("{}..{}", span.start, span.end),
        None => "-".to_owned(),
    }
}

/// Holds each rule to its own line, but for those of some chains, which have none; and says how many have one.
fn held(rules: &[Rule], without: &[&str]) -> usize {
    for rule in rules {
        let shown = format!("{rule:?}");
        let Some(Place::File { line, .. }) = &rule.place else {
            assert!(without.contains(&rule.chain.as_str()), "it has no line: {shown}");
            continue;
        };
        assert!(!without.contains(&rule.chain.as_str()), "it has a line: {shown}");
        let mut ports = rule.text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<u32>().ok());
        assert!(ports.any(|port| port == *line), "another line: {shown}");
    }
    rules.iter().filter(|rule| rule.place.is_some()).count()
}

/// `@` stands for the number of its line.
const WILD: &str = r#"#!/usr/sbin/nft -f
flush ruleset   # table inet gone { chain c { tcp dport 2 drop } }
define lan = { 10.0.0.0/8,   # comment ; with }
               192.168.0.0/16 }
define port = 24
table inet fw {
	set s { type ipv4_addr; flags interval; elements = { 10.0.0.1, # one }
	   10.0.0.2 } }
	counter c { }
	map m {
		type inet_service : verdict
		elements = { 10 : accept,
		    20 : drop }
	}
	chain input { type filter hook input priority 0; policy drop;
		iif lo tcp dport @ accept comment "a ; b } # c { \"; tcp dport @ accept
		ip saddr $lan tcp dport { @, 80,
		   443 } \
		   counter accept; ip saddr @s tcp dport @ drop
		# tcp dport @ drop

		tcp dport @ jump other; tcp sport @ tcp dport \
			$port accept ; ;
		tcp dport @ tcp sport vmap { 26 : accept, 1 : drop # }
		}
		define inner = 29
		tcp dport @ log prefix "x # { " drop # handle 4
	}
	chain other { }
	chain x { tcp dport @ accept; udp dport @ accept
	}
	chain late { type filter hook forward priority filter + 5;
		policy accept;
	}
}
table fw {
  chain input { tcp dport @ drop; }
}
include "./inc/rules.nft"
include "./inc.d/*.nft"
include "./set.d/[1-3][!0]*.nft"
add rule inet fw other udp dport @ drop
insert rule inet fw input udp dport @ drop
add rule inet fw input index 0 udp dport @ drop
add rule fw input udp dport @ drop; rule inet fw x tcp dport @ drop
inet fw x tcp dport @ drop
add inet fw x tcp dport @ drop
table inet fw { chain input { tcp dport @ drop
}
}
add chain inet fw made { type filter hook output priority 0; policy drop; }
add rule inet fw made tcp dport { @,
  54 } drop
add table ip6 t
add chain ip6 t c
add rule ip6 t c tcp dport @ drop
flush chain ip6 t c
add rule ip6 t c tcp dport @ drop
"#;

/// A text in which each line has its number.
fn numbered(text: &str) -> String {
    let lines = text.lines().enumerate().map(|(at, line)| {
        let line = line.replace("@s", "%s").replace('@', &(at + 1).to_string()).replace("%s", "@s");
        format!("{line}\n")
    });
    lines.collect()
}

const INCLUDED: &str = "# comment
table inet fw {
  chain input {
    include \"./inc/deep\"
    tcp dport 5 drop
  }
  include \"./inc/chain\"
}
";

#[test]
fn each_rule_has_its_own_line() {
    let wild = numbered(WILD);
    let folder = Folder::with(
        "wild",
        &[
            ("main.nft", &wild),
            ("inc/rules.nft", INCLUDED),
            ("inc/deep", "\n\ntcp dport 3 drop\n"),
            ("inc/chain", "chain own {\n tcp dport 2 drop\n}\n"),
            ("inc.d/b.nft", "add rule inet fw x tcp dport 1 drop\n"),
            ("inc.d/a.nft", "\nadd rule inet fw x tcp dport 2 drop\n"),
            ("inc.d/c.other", "add rule inet fw x tcp dport 9 drop\n"),
            ("set.d/31-a.nft", "\n\nadd rule inet fw x tcp dport 3 drop\n"),
            ("set.d/12-b.nft", "add rule inet fw x tcp dport 1 drop\n"),
            ("set.d/20-c.nft", "add rule inet fw x tcp dport 9 drop\n"),
            ("set.d/42-d.nft", "add rule inet fw x tcp dport 9 drop\n"),
        ],
    );
    let (chains, rules) = loaded(&folder, Loader::Nft, &["main.nft"]);
    assert_eq!(held(&rules, &[]), 28, "{rules:#?}");
    let place = |family: &str, name: &str| {
        told(
            chains
                .iter()
                .find(|chain| (chain.family.as_str(), chain.name.as_str()) == (family, name))
                .and_then(|chain| chain.place.as_ref()),
        )
    };
    for (family, name, expected) in [
        ("inet", "input", "main.nft:15"),
        ("inet", "other", "main.nft:29"),
        ("inet", "late", "main.nft:33"),
        ("ip", "input", "main.nft:37"),
        ("inet", "own", "./inc/chain:1"),
        ("inet", "made", "main.nft:51"),
        ("ip6", "c", "main.nft:55"),
    ] {
        assert_eq!(place(family, name), expected, "{family} {name}");
    }
    let of = |text: &str| rules.iter().find(|rule| rule.text.contains(text)).unwrap_or_else(|| panic!("{text}"));
    let Some(Place::File { text, .. }) = &of("dport { 17").place else { panic!("a file") };
    assert_eq!(text, "ip saddr $lan tcp dport { 17, 80,");
    assert_eq!(
        of("dport { 17").text,
        "ip saddr { 10.0.0.0/8, 192.168.0.0/16 } tcp dport { 17, 80, 443 } counter accept"
    );
}

#[test]
fn where_the_line_is_not_certain_there_is_none() {
    let folder = Folder::with(
        "unsure",
        &[
            (
                "main.nft",
                "table inet fw {
  chain sure { tcp dport 2 drop
  }
  chain gone { tcp dport 4 drop
    tcp dport 5 drop
  }
  chain hidden { tcp dport 7 drop
  }
}
delete rule inet fw gone handle 5
include \"/proc/self/cwd/hidden\"
",
            ),
            ("hidden", "add rule inet fw hidden tcp dport 1 drop\n"),
        ],
    );
    let (_, rules) = loaded(&folder, Loader::Nft, &["main.nft"]);
    assert_eq!(held(&rules, &["gone", "hidden"]), 1, "{rules:#?}");
}

#[test]
fn what_a_later_load_makes_is_its_own() {
    let folder = Folder::with(
        "later",
        &[
            ("a.nft", "table inet fw {\n chain c { tcp dport 2 drop\n }\n chain keep { tcp dport 4 drop\n }\n}\n"),
            ("b.nft", "\nadd rule inet fw c tcp dport 2 accept\ninsert rule inet fw c tcp dport 3 accept\n"),
            ("c.nft", "\n\n\ndelete table inet fw\ntable inet fw { chain c { tcp dport 5 accept\n}\n}\n"),
        ],
    );
    let (_, rules) = loaded(&folder, Loader::Nft, &["a.nft", "b.nft"]);
    let mut told: Vec<String> =
        rules.iter().map(|rule| format!("{} {}", rule.text, told(rule.place.as_ref()))).collect();
    told.sort();
    assert_eq!(
        told,
        [
            "tcp dport 2 accept b.nft:2",
            "tcp dport 2 drop a.nft:2",
            "tcp dport 3 accept b.nft:3",
            "tcp dport 4 drop a.nft:4",
        ]
    );
    let (_, rules) = loaded(&folder, Loader::Nft, &["a.nft", "c.nft"]);
    assert_eq!(held(&rules, &[]), 1, "{rules:#?}");
}

#[test]
fn rules_of_iptables_have_their_lines() {
    let text = "# Generated by hand
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OWN - [0:0]
-A INPUT -p tcp --dport 6 -m comment --comment \"-A FORWARD ; x\" -j OWN
-A INPUT -p udp --dport 7 -j ACCEPT
-I INPUT 1 -p udp --dport 8 -j DROP
[3:4] -A OWN -p tcp --dport 9 -j RETURN
-A FORWARD -s 10.0.0.1,10.0.0.2 -p tcp --dport 10 -j DROP
-A FORWARD -p tcp --dport 11 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
-A PREROUTING -p tcp --dport 16 -j DNAT --to-destination 10.0.0.1
-A INPUT -p tcp --dport 17 -j ACCEPT
COMMIT
";
    let folder = Folder::with(
        "iptables",
        &[("rules.v4", text), ("rules.v6", "*filter\n:INPUT DROP\n-A INPUT -p udp --dport 3 -j DROP\nCOMMIT\n")],
    );
    let (chains, rules) = loaded(&folder, Loader::Iptables, &["rules.v4"]);
    assert_eq!(held(&rules, &[]), 9, "{rules:#?}");
    assert!(rules.iter().any(|rule| rule.text == "-I INPUT 1 -p udp --dport 8 -j DROP"), "{rules:#?}");
    let input = chains.iter().find(|chain| (chain.table.as_str(), chain.name.as_str()) == ("filter", "INPUT"));
    assert_eq!(told(input.and_then(|chain| chain.place.as_ref())), "rules.v4:3");
    let (_, rules) = loaded(&folder, Loader::Ip6tables, &["rules.v6"]);
    assert_eq!(held(&rules, &[]), 1, "{rules:#?}");
}

#[test]
fn rules_in_the_case_have_their_places_there() {
    let text = "table inet fw {\n chain c { tcp dport 2 drop; tcp dport {\n 3 } drop\n }\n}\n";
    let folder = Folder::with("inline", &[("main.nft", text)]);
    let listing = &listings(&folder, &["nft -f main.nft"])[0];
    let after = ruleset(listing);
    for inside in [Some(Span::new(103, 103 + text.len())), None] {
        let written = Rules { inside, ..rules(Loader::Nft, RulesText::Inline(text.to_owned())) };
        let mut places = Places::default();
        places.add(&Load::between(&written, &Ruleset::default(), &after), text, &Alone);
        let (_, found) = described(after.clone(), &[], &places, &texts_in(listing));
        let parts: Vec<String> = found
            .iter()
            .map(|rule| match (&rule.place, inside) {
                (Some(Place::Case(span)), Some(_)) => {
                    text[span.start as usize - 103..span.end as usize - 103].to_owned()
                }
                (Some(Place::Case(span)), None) if *span == written.span => "the whole".to_owned(),
                other => format!("{other:?}"),
            })
            .collect();
        let expected = if inside.is_some() { ["tcp dport 2 drop", "tcp dport {"] } else { ["the whole"; 2] };
        assert_eq!(parts, expected);
    }
}

#[test]
fn what_nobody_has_loaded_has_a_text_or_a_number() {
    let rule = |handle, packets| Counted {
        family: "inet".to_owned(),
        table: lab::NAT_TABLE.to_owned(),
        chain: "postrouting".to_owned(),
        handle,
        packets,
    };
    let chain = Chain {
        devices: Vec::new(),
        packets: None,
        family: "inet".to_owned(),
        table: lab::NAT_TABLE.to_owned(),
        name: "postrouting".to_owned(),
        hook: Some("postrouting".to_owned()),
        priority: 100,
        policy: Some("accept".to_owned()),
        place: None,
    };
    let found = Ruleset { tables: Vec::new(), chains: vec![chain], rules: vec![rule(4, Some(7)), rule(5, None)] };
    let nat =
        |words: &str, at| NatRule { chain: "postrouting".to_owned(), words: words.to_owned(), span: Span::new(at, at) };
    let own = [nat("masquerade", 1), nat("snat ip to 10.0.0.1", 2)];
    let (_, rules) = described(found.clone(), &own, &Places::default(), &Texts::new());
    let shown: Vec<_> =
        rules.iter().map(|rule| (rule.text.as_str(), rule.packets, told(rule.place.as_ref()))).collect();
    assert_eq!(shown, [("masquerade", Some(7), "1..1".to_owned()), ("snat ip to 10.0.0.1", None, "2..2".to_owned())]);
    let (_, rules) = described(found, &own[1..], &Places::default(), &Texts::new());
    assert_eq!(rules[1].text, "rule 2 of chain postrouting");
    assert_eq!(rules[1].place, None);
}
