//! The options of iptables(8), in one form: as a command writes them, and as iptables-save(8) tells them.

use super::names::{Kind, value};
use super::text::{WILD, fits, is_open};
use super::tokens::Match;

/// A rule of iptables, or the policy of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) table: String,
    pub(super) chain: String,
    pub(super) says: Says,
}

/// What a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Rule(Conditions),
    Drops,
}

/// What a rule asks for and does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    all: Vec<Condition>,
    /// Whether there may be others.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Condition {
    name: String,
    not: bool,
    values: Vec<String>,
}

/// More than any rule has.
const MOST: usize = 512;

/// Reads the words of a command behind its program, for a family: it makes as many rules as it names pairs of addresses.
pub(super) fn read(family: &str, table: &str, words: &[String]) -> Vec<Rule> {
    let (mut table, mut target, mut conditions) = (table.to_owned(), None, Conditions::default());
    let words: Vec<String> = words.iter().take(MOST).flat_map(|word| parted(word)).collect();
    let (mut rest, mut not) = (&words[..], false);
    while let [first, behind @ ..] = rest {
        rest = behind;
        if first == "!" {
            not = true;
            continue;
        }
        if !first.starts_with('-') {
            conditions.open |= is_open(first);
            continue;
        }
        let name = named(first);
        let (values, behind) = values(&name, rest, &mut not);
        rest = behind;
        let one = values.first().cloned().unwrap_or_default();
        match name.as_str() {
            "-t" => table = one,
            "-A" | "-I" => target = Some((one, true)),
            "-P" => {
                let drops = values.get(1).is_some_and(|policy| policy == "DROP");
                return if drops { vec![Rule { table, chain: one, says: Says::Drops }] } else { Vec::new() };
            }
            "-D" | "-R" | "-C" | "-N" | "-X" | "-F" | "-L" | "-S" | "-Z" | "-E" => target = Some((one, false)),
            "-w" | "-W" | "-n" | "-v" | "-4" | "-6" | "-c" | "-x" => {}
            _ => conditions.add(family, name, not, values),
        }
        not = false;
    }
    let (chain, table) = match target {
        Some((chain, true)) => (chain, table),
        // Which chain it is may stand in what only a run knows.
        None if conditions.open => (WILD.to_string(), WILD.to_string()),
        Some((_, false)) | None => return Vec::new(),
    };
    let says = |conditions| Rule { table: table.clone(), chain: chain.clone(), says: Says::Rule(conditions) };
    conditions.finished(family).into_iter().map(says).collect()
}

/// The words that a word stands for: `--dport=80`, `-ptcp`.
fn parted(word: &str) -> Vec<String> {
    let two = |at: usize| vec![word[..at].to_owned(), word[at..].trim_start_matches('=').to_owned()];
    let mut chars = word.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('-'), Some('-'), _) => word.find('=').map_or_else(|| vec![word.to_owned()], two),
        (Some('-'), Some(short), Some(_)) if "tpsdiojgmAIP".contains(short) => two(2),
        _ => vec![word.to_owned()],
    }
}

/// The name of an option by which it is compared.
fn named(option: &str) -> String {
    let short = match option {
        "--table" => "-t",
        "--append" => "-A",
        "--insert" => "-I",
        "--policy" => "-P",
        "--delete" => "-D",
        "--replace" => "-R",
        "--check" => "-C",
        "--new-chain" | "--new" => "-N",
        "--flush" => "-F",
        "--list" => "-L",
        "--wait" => "-w",
        "--verbose" => "-v",
        "--numeric" => "-n",
        "--ipv4" => "-4",
        "--ipv6" => "-6",
        "--set-counters" => "-c",
        "--source" | "--src" => "-s",
        "--destination" | "--dst" => "-d",
        "--protocol" | "--proto" => "-p",
        "--in-interface" => "-i",
        "--out-interface" => "-o",
        "--jump" => "-j",
        "--goto" => "-g",
        "--match" => "-m",
        "--fragment" => "-f",
        "--destination-port" => "--dport",
        "--source-port" => "--sport",
        "--destination-ports" => "--dports",
        "--source-ports" => "--sports",
        "--state" => "--ctstate",
        "--to-port" => "--to-ports",
        other => other,
    };
    short.to_owned()
}

/// The values of an option, and what stands behind them.
fn values<'w>(name: &str, words: &'w [String], not: &mut bool) -> (Vec<String>, &'w [String]) {
    let mut rest = words;
    // An older form has it behind the option.
    if let [sign, behind @ ..] = rest
        && sign == "!"
    {
        *not = true;
        rest = behind;
    }
    // These may be any text, also one that looks like an option.
    let is_text = ["--comment", "--log-prefix", "--nflog-prefix", "--string"].contains(&name);
    let count = rest.iter().take_while(|word| !word.starts_with('-') && *word != "!").count();
    let count = match name {
        _ if is_text => rest.len().min(1),
        "-4" | "-6" | "-n" | "-v" | "-x" | "-f" | "--syn" => 0,
        "-w" | "-W" => usize::from(rest.first().is_some_and(|word| word.parse::<f64>().is_ok())),
        "-P" | "-c" | "-R" | "-D" | "-I" | "--tcp-flags" => count.min(2),
        _ => count.min(1),
    };
    let (values, rest) = rest.split_at(count);
    (values.to_vec(), rest)
}

impl Conditions {
    fn add(&mut self, family: &str, name: String, not: bool, values: Vec<String>) {
        const IMPLIED: [&str; 14] = [
            "tcp",
            "udp",
            "icmp",
            "icmp6",
            "icmpv6",
            "ipv6-icmp",
            "udplite",
            "sctp",
            "dccp",
            "comment",
            "state",
            "conntrack",
            "multiport",
            "limit",
        ];
        let one = values.first().map(String::as_str).unwrap_or_default();
        let condition = |name: &str, values: Vec<String>| Condition { name: name.to_owned(), not, values };
        let plain = match name.as_str() {
            "-m" if IMPLIED.contains(&one) => return,
            "-p" if one == "all" || one == "0" => return,
            "-s" | "-d" if !not && matches!(value(Kind::Any, one).as_str(), "0.0.0.0/0" | "::/0") => return,
            "--log-level" if matches!(one, "4" | "warn" | "warning") => return,
            "--limit-burst" if one == "5" => return,
            "--syn" => condition("--tcp-flags", vec!["ACK,FIN,RST,SYN".to_owned(), "SYN".to_owned()]),
            "--set-mark" if !one.contains('/') => {
                condition("--set-xmark", vec![format!("{}/{}", value(Kind::Any, one), u32::MAX)])
            }
            "--limit" => condition(&name, vec![rate(one)]),
            "--comment" | "--log-prefix" | "--nflog-prefix" => condition(&name, values),
            "--reject-with" => condition(&name, vec![refusal(one)]),
            _ => {
                let kind = kind(family, &name);
                let list = |text: &String| {
                    let mut parts: Vec<String> = text.split(',').map(|part| masked(kind, part)).collect();
                    parts.sort();
                    parts.join(",")
                };
                // Several addresses are several rules.
                let is_address = matches!(name.as_str(), "-s" | "-d");
                let values = values.iter().map(|text| if is_address { text.clone() } else { list(text) }).collect();
                condition(&name, values)
            }
        };
        if !self.all.contains(&plain) {
            self.all.push(plain);
        }
    }

    /// What is asked for with all defaults, once for each pair of addresses.
    fn finished(mut self, family: &str) -> Vec<Self> {
        let has = |all: &[Condition], name: &str| all.iter().any(|it| it.name == name);
        let rejects = self.all.iter().any(|it| it.name == "-j" && it.values == ["REJECT"]);
        if rejects && !has(&self.all, "--reject-with") {
            let usual = if family == "ip6" { "icmp6-port-unreachable" } else { "icmp-port-unreachable" };
            self.all.push(Condition { name: "--reject-with".to_owned(), not: false, values: vec![usual.to_owned()] });
        }
        let mut all = vec![self];
        for name in ["-s", "-d"] {
            all = all.iter().flat_map(|it| it.each(name)).take(MOST).collect();
        }
        for it in &mut all {
            it.all.sort();
        }
        all
    }

    fn each(&self, name: &str) -> Vec<Self> {
        let Some(at) = self.all.iter().position(|it| it.name == name) else { return vec![self.clone()] };
        let list = self.all[at].values.first().cloned().unwrap_or_default();
        let each = list.split(',').map(|address| {
            let mut one = self.clone();
            one.all[at].values = vec![value(Kind::Any, address)];
            one
        });
        each.collect()
    }

    /// Compares what is written with what iptables-save(8) tells.
    pub(super) fn compare(&self, has: &Self) -> Match {
        let same = |own: &Condition, it: &Condition| {
            own.name == it.name
                && own.not == it.not
                && own.values.len() == it.values.len()
                && own.values.iter().zip(&it.values).all(|(pattern, text)| fits(pattern, text))
        };
        let all = self.all.iter().all(|own| has.all.iter().any(|it| same(own, it)));
        if !all || self.all.len() > has.all.len() || (!self.open && self.all.len() != has.all.len()) {
            return Match::No;
        }
        let words = |all: &[Condition]| all.iter().map(|it| 1 + it.values.len()).sum::<usize>();
        let open = self.all.iter().flat_map(|it| &it.values).filter(|value| is_open(value)).count();
        if (words(&self.all) - open) * 3 >= words(&has.all) * 2 { Match::Is } else { Match::May }
    }
}

fn kind(family: &str, name: &str) -> Kind {
    match name {
        "--dport" | "--sport" | "--dports" | "--sports" | "--ports" => Kind::Port,
        "-p" => Kind::Protocol,
        "--icmp-type" if family == "ip" => Kind::Icmp,
        "--icmpv6-type" => Kind::Icmpv6,
        "--uid-owner" => Kind::User,
        _ => Kind::Any,
    }
}

/// A value, also one with a mask that is a number.
fn masked(kind: Kind, text: &str) -> String {
    let (plain, lower) = (value(kind, text), text.to_lowercase());
    if plain != *text {
        return plain;
    }
    let named = value(kind, &lower);
    if named != lower {
        return named;
    }
    match text.split_once('/') {
        Some((number, mask)) if text.starts_with("0x") => {
            format!("{}/{}", value(Kind::Any, number), value(Kind::Any, mask))
        }
        _ => text.to_owned(),
    }
}

/// `5/minute` is told as `5/min`.
fn rate(text: &str) -> String {
    match text.split_once('/') {
        Some((count, unit)) => format!("{count}/{}", unit.chars().next().unwrap_or_default()),
        None => format!("{text}/s"),
    }
}

/// The shorter names of iptables-extensions(8).
fn refusal(text: &str) -> String {
    let long = match text {
        "port-unreach" => "icmp-port-unreachable",
        "host-unreach" => "icmp-host-unreachable",
        "net-unreach" => "icmp-net-unreachable",
        "proto-unreach" => "icmp-proto-unreachable",
        "net-prohib" => "icmp-net-prohibited",
        "host-prohib" => "icmp-host-prohibited",
        "admin-prohib" => "icmp-admin-prohibited",
        "tcp-rst" => "tcp-reset",
        other => other,
    };
    long.to_owned()
}
