//! A rule as nft(8) reads and lists it, as tokens in one form: what is written otherwise and means the same is the same.

use super::names::{Kind, value};
use super::text::{MANY, WILD, fits, is_open};

/// More than any rule has.
const MOST: usize = 512;

/// The tokens of a rule; none of one that is too long to be compared.
pub(super) fn of(text: &str) -> Vec<String> {
    let raw = raw(text);
    if raw.len() > MOST {
        return Vec::new();
    }
    without_repeated(valued(&grouped(&plain(raw))))
}

/// A part of a rule; a set has its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Set(Vec<Vec<String>>),
}

fn raw(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' => {
                let inner = rest[1..].find('"').unwrap_or(rest.len() - 1);
                tokens.push(rest[1..=inner].to_owned());
                (inner + 2).min(rest.len())
            }
            '{' | '}' | '(' | ')' | ',' | ';' => {
                tokens.extend((first != ';').then(|| first.to_string()));
                1
            }
            '\\' => 1,
            _ => {
                let ends = |c: char| c.is_whitespace() || "{}(),;\"#\\".contains(c);
                let length = rest.find(ends).unwrap_or(rest.len());
                tokens.push(rest[..length].to_owned());
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Without words that need not be said.
fn plain(tokens: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let mut rest = &tokens[..];
    while let [first, behind @ ..] = rest {
        let (taken, kept) = shortened(first, behind, &out);
        out.extend(kept.map(str::to_owned));
        rest = behind.get(taken..).unwrap_or_default();
    }
    out
}

/// What stands for a word, and how many of those behind it that is, too.
fn shortened<'t>(first: &'t str, behind: &[String], before: &[String]) -> (usize, Option<&'t str>) {
    let next: Vec<&str> = behind.iter().take(4).map(String::as_str).collect();
    let mut before = before.iter().rev().map(String::as_str);
    let (last, other) = (before.next().unwrap_or_default(), before.next().unwrap_or_default());
    let is_icmp = |word: &str| word.starts_with("icmp");
    match (first, &*next) {
        ("meta", [_, ..]) | ("==" | "eq", _) => (0, None),
        ("ne", _) => (0, Some("!=")),
        ("lt", _) => (0, Some("<")),
        ("gt", _) => (0, Some(">")),
        ("le", _) => (0, Some("<=")),
        ("ge", _) => (0, Some(">=")),
        ("counter", ["packets", _, "bytes", _]) => (4, Some("counter")),
        ("level", ["warn" | "warning", ..]) if last == "log" => (1, None),
        ("burst", ["5", "packets", ..]) => (2, None),
        ("with", [icmp, "type", "port-unreachable", ..]) if last == "reject" && is_icmp(icmp) => (3, None),
        ("with", [icmp, "port-unreachable", ..]) if last == "reject" && is_icmp(icmp) => (2, None),
        ("type", _) if is_icmp(last) && other == "with" => (0, None),
        ("ip" | "ip6", ["to", ..]) if matches!(last, "dnat" | "snat") => (0, None),
        ("ip", ["protocol", ..]) => (1, Some("l4proto")),
        ("ether", ["type", ..]) => (1, Some("protocol")),
        _ => (0, Some(first)),
    }
}

/// Sets, and lists with commas, as one token each.
fn grouped(tokens: &[String]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = tokens;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if first == "{" {
            let (mut elements, mut depth) = (vec![Vec::new()], 1_usize);
            while let [next, behind @ ..] = rest {
                rest = behind;
                depth = match next.as_str() {
                    "{" => depth + 1,
                    "}" => depth - 1,
                    _ => depth,
                };
                match (next.as_str(), elements.last_mut()) {
                    _ if depth == 0 => break,
                    (",", _) if depth == 1 => elements.push(Vec::new()),
                    (word, Some(element)) => element.extend(with_colon(word)),
                    (_, None) => {}
                }
            }
            out.push(Token::Set(elements));
        } else if rest.first().is_some_and(|next| next == ",") {
            let mut elements = vec![vec![first.clone()]];
            while let [comma, next, behind @ ..] = rest {
                if comma != "," {
                    break;
                }
                elements.push(vec![next.clone()]);
                rest = behind;
            }
            if elements.len() == 1 {
                // A comma that nothing follows.
                rest = &rest[1..];
            }
            out.push(Token::Set(elements));
        } else {
            out.push(Token::Word(first.clone()));
        }
    }
    out
}

/// The parts of an element of a map: `22:accept` is `22 : accept`.
fn with_colon(word: &str) -> Vec<String> {
    let has_one = word.len() > 1 && word.matches(':').count() == 1;
    match word.split_once(':').filter(|_| has_one) {
        Some((key, value)) => {
            [key, ":", value].into_iter().filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        None => vec![word.to_owned()],
    }
}

/// Each value in one form, and sets in one order; a set of one is that.
fn valued(tokens: &[Token]) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let mut kind = Kind::Any;
    for token in tokens {
        match token {
            Token::Word(word) => {
                let last = out.last().map(String::as_str).unwrap_or_default();
                let next = match (last, word.as_str()) {
                    (_, "dport" | "sport") => Some(Kind::Port),
                    (_, "l4proto" | "nexthdr") => Some(Kind::Protocol),
                    (_, "skuid" | "skgid") => Some(Kind::User),
                    ("icmp", "type") => Some(Kind::Icmp),
                    ("icmpv6", "type") => Some(Kind::Icmpv6),
                    (_, "!=" | "<" | ">" | "<=" | ">=" | "vmap" | "map") => Some(kind),
                    _ => None,
                };
                out.push(if next.is_some() { word.clone() } else { value(kind, word) });
                kind = next.unwrap_or(Kind::Any);
            }
            Token::Set(elements) => {
                out.push(set(kind, elements));
                kind = Kind::Any;
            }
        }
    }
    out
}

fn set(kind: Kind, elements: &[Vec<String>]) -> String {
    if elements.iter().flatten().any(|word| is_open(word)) {
        return WILD.to_string();
    }
    let element = |words: &Vec<String>| {
        let plain = words.iter().enumerate().map(|(at, word)| value(if at == 0 { kind } else { Kind::Any }, word));
        plain.collect::<Vec<_>>().join(" ")
    };
    let mut plain: Vec<String> = elements.iter().filter(|words| !words.is_empty()).map(element).collect();
    plain.sort();
    plain.dedup();
    match &*plain {
        [one] if !one.contains(' ') => one.clone(),
        _ => format!("{{{}}}", plain.join(",")),
    }
}

/// Without a condition on the protocol that a later one asks for, too.
fn without_repeated(mut tokens: Vec<String>) -> Vec<String> {
    let mut at = 0;
    while at + 1 < tokens.len() {
        let names: &[&str] = match (tokens[at].as_str(), tokens[at + 1].as_str()) {
            ("l4proto" | "nexthdr", "6") => &["tcp"],
            ("l4proto" | "nexthdr", "17") => &["udp"],
            ("l4proto" | "nexthdr", "1") => &["icmp"],
            ("l4proto" | "nexthdr", "58") => &["icmpv6"],
            ("nfproto", "ipv4") | ("protocol", "ip") => &["ip"],
            ("protocol", "arp") => &["arp"],
            ("nfproto", "ipv6") | ("protocol", "ip6") => &["ip6"],
            _ => &[],
        };
        if tokens[at + 2..].iter().any(|later| names.contains(&later.as_str())) {
            tokens.drain(at..at + 2);
        } else {
            at += 1;
        }
    }
    tokens
}

/// How a rule may be what another one with open parts has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// It is another one.
    No,
    /// It may be, but too little of it is written to say so.
    May,
    /// What is written is all of it, or most.
    Is,
}

/// Compares what is written with what the kernel has.
pub(super) fn compare(written: &[String], has: &[String]) -> Match {
    if written.is_empty() || has.is_empty() {
        return Match::No;
    }
    if written.len() != has.len() && !written.iter().any(|token| is_open(token)) {
        return Match::No;
    }
    // Of each end of `has`, how many of its tokens are written as they stand.
    let mut best: Vec<Option<usize>> = vec![None; has.len() + 1];
    best[0] = Some(0);
    for token in written {
        let is_any = !token.is_empty() && token.chars().all(|c| c == WILD || c == MANY);
        let mut next: Vec<Option<usize>> = vec![None; has.len() + 1];
        if is_any {
            let mut most = None;
            for (end, known) in best.iter().enumerate() {
                most = most.max(*known);
                next[end] = most;
            }
        } else {
            for (end, found) in has.iter().enumerate() {
                next[end + 1] = best[end].filter(|_| fits(token, found)).map(|known| known + 1);
            }
        }
        best = next;
    }
    match best[has.len()] {
        None => Match::No,
        Some(known) if known * 3 >= has.len() * 2 => Match::Is,
        Some(_) => Match::May,
    }
}
