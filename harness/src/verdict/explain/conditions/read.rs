//! The conditions of a rule, as its text has them: nft(8), iptables-save(8) and iptables-extensions(8).

use super::super::rule_text::{self, Token};

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Source,
    Target,
    SourcePort,
    Port,
    Protocol,
    In,
    Out,
    /// The type of the target: whether it is the node's own.
    TargetType,
    /// The state of the connection, of which this is the first packet, or the first answer.
    State,
    /// The type of ICMP, of which there are echoes only.
    Echo,
}

/// A condition: it holds for any of its values, or for all but these.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Condition<'a> {
    pub(super) what: What,
    pub(super) but: bool,
    pub(super) values: Vec<&'a str>,
}

/// The conditions of a rule, and whether it has others that are not read here.
pub(super) fn read(text: &str) -> (Vec<Condition<'_>>, bool) {
    let tokens = rule_text::tokens(text);
    if rule_text::is_of_iptables(text) { of_iptables(&tokens) } else { of_nft(&tokens) }
}

/// Words with which the part of a rule of nft begins that does something.
const STATEMENTS: [&str; 12] =
    ["masquerade", "snat", "dnat", "redirect", "accept", "drop", "reject", "return", "jump", "goto", "notrack", "xt"];

fn of_nft<'a>(tokens: &[Token<'a>]) -> (Vec<Condition<'a>>, bool) {
    let (mut conditions, mut unknown) = (Vec::new(), false);
    let word = |at: usize| tokens.get(at).filter(|token| !token.quoted).map_or("", |token| token.text);
    let mut at = 0;
    while at < tokens.len() {
        let (what, length) = match (word(at), word(at + 1)) {
            ("ip" | "ip6", "saddr") => (What::Source, 2),
            ("ip" | "ip6", "daddr") => (What::Target, 2),
            ("ip", "protocol") | ("ip6", "nexthdr") | ("meta", "l4proto" | "nfproto") => (What::Protocol, 2),
            (own @ ("tcp" | "udp"), port @ ("dport" | "sport")) => {
                conditions.push(Condition { what: What::Protocol, but: false, values: vec![own] });
                (if port == "dport" { What::Port } else { What::SourcePort }, 2)
            }
            ("th", "dport") => (What::Port, 2),
            ("th", "sport") => (What::SourcePort, 2),
            ("meta", "iifname" | "iif") => (What::In, 2),
            ("meta", "oifname" | "oif") => (What::Out, 2),
            ("iifname" | "iif", _) => (What::In, 1),
            ("oifname" | "oif", _) => (What::Out, 1),
            ("fib", "daddr") if word(at + 2) == "type" => (What::TargetType, 3),
            ("ct", "state") => (What::State, 2),
            (own @ ("icmp" | "icmpv6"), "type") => {
                conditions.push(Condition { what: What::Protocol, but: false, values: vec![own] });
                (What::Echo, 2)
            }
            ("comment", _) => {
                at += 2;
                continue;
            }
            ("counter", "packets") => {
                at += 5;
                continue;
            }
            // What is written to the log is said in quotes, and changes nothing.
            ("log", "prefix") => {
                at += 3;
                continue;
            }
            ("counter" | "log", _) => {
                at += 1;
                continue;
            }
            (word, _) if STATEMENTS.contains(&word) => break,
            _ => {
                unknown = true;
                at += 1;
                continue;
            }
        };
        let (condition, next) = values(tokens, what, at + length);
        conditions.push(condition);
        at = next;
    }
    (conditions, unknown)
}

/// What stands behind the name of what is looked at: `[!=] VALUE`, or several in braces or with commas between.
fn values<'a>(tokens: &[Token<'a>], what: What, start: usize) -> (Condition<'a>, usize) {
    let mut at = start;
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let but = text(at) == "!=";
    at += usize::from(but || text(at) == "==");
    let mut values = Vec::new();
    if text(at) == "{" {
        let end = (at..tokens.len()).find(|it| text(*it) == "}").unwrap_or(tokens.len());
        values.extend((at + 1..end).map(text).filter(|value| *value != ","));
        return (Condition { what, but, values }, end + 1);
    }
    values.push(text(at));
    at += 1;
    while text(at) == "," {
        values.push(text(at + 1));
        at += 2;
    }
    (Condition { what, but, values }, at)
}

fn of_iptables<'a>(tokens: &[Token<'a>]) -> (Vec<Condition<'a>>, bool) {
    let (mut conditions, mut unknown, mut but) = (Vec::new(), false, false);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1).map_or("", |token| token.text);
        let what = match token.text {
            "-s" | "--source" => What::Source,
            "-d" | "--destination" => What::Target,
            "-i" | "--in-interface" => What::In,
            "-o" | "--out-interface" => What::Out,
            "-p" | "--protocol" => What::Protocol,
            "--dport" | "--dports" | "--destination-port" => What::Port,
            "--sport" | "--sports" | "--source-port" => What::SourcePort,
            "--dst-type" => What::TargetType,
            "--ctstate" | "--state" => What::State,
            "--icmp-type" | "--icmpv6-type" => What::Echo,
            "!" => {
                but = true;
                at += 1;
                continue;
            }
            "-j" | "--jump" | "-g" | "--goto" => break,
            // Names of modules, of which what they ask for comes behind, and what asks for nothing.
            "-A" | "-m" | "--match" | "--comment" => {
                at += 2;
                continue;
            }
            text => {
                // The counters before a rule.
                unknown |= !text.starts_with('[');
                at += 1;
                continue;
            }
        };
        let mut values = vec![next];
        at += 2;
        // Several are one word with commas, which are parts of their own here.
        while tokens.get(at).is_some_and(|token| token.text == ",") {
            values.extend(tokens.get(at + 1).map(|token| token.text));
            at += 2;
        }
        conditions.push(Condition { what, but, values });
        but = false;
    }
    (conditions, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a text, in words.
    fn told(text: &str) -> String {
        let (conditions, unknown) = read(text);
        let one =
            |it: &Condition<'_>| format!("{:?}{} {}", it.what, if it.but { " but" } else { "" }, it.values.join("|"));
        let mut all: Vec<String> = conditions.iter().map(one).collect();
        all.extend(unknown.then(|| "?".to_owned()));
        all.join(", ")
    }

    #[test]
    fn conditions_of_nft_are_read_up_to_what_the_rule_does() {
        for (text, expected) in [
            ("masquerade", ""),
            ("ip saddr 10.0.0.0/8 oifname \"wan\" counter masquerade", "Source 10.0.0.0/8, Out wan"),
            ("oifname != \"lo\" counter packets 1 bytes 60 snat to 192.0.2.1", "Out but lo"),
            (
                "iifname { \"a\", \"b\" } tcp dport { 80, 8000-8080 } dnat to 10.0.0.2:80",
                "In a|b, Protocol tcp, Port 80|8000-8080",
            ),
            ("ip6 daddr fd00::1 udp sport 53 dnat to [fd00::2]:53", "Target fd00::1, Protocol udp, SourcePort 53"),
            (
                "fib daddr type local meta l4proto tcp th dport 80 dnat to 10.0.0.2",
                "TargetType local, Protocol tcp, Port 80",
            ),
            ("ct state new,related log prefix \"x\" ip saddr @lan accept", "State new|related, Source @lan"),
            ("meta mark 0x1 masquerade", "?"),
            ("meta iif a oif b masquerade comment \"tcp dport 1\"", "In a, Out b"),
            ("comment \"x\" ip saddr 10.0.0.1 accept", "Source 10.0.0.1"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn conditions_of_iptables_are_read_up_to_its_target() {
        for (text, expected) in [
            ("-A POSTROUTING -j MASQUERADE", ""),
            ("-A POSTROUTING -s 10.0.0.0/8 ! -o lo -j MASQUERADE", "Source 10.0.0.0/8, Out but lo"),
            (
                "[7:420] -A PREROUTING -i wan -p tcp -m multiport --dports 80,443 -m comment --comment \"-s x\" -j DNAT --to-destination 10.0.0.2",
                "In wan, Protocol tcp, Port 80|443",
            ),
            ("-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER", "TargetType LOCAL"),
            ("-A PREROUTING -m conntrack --ctstate NEW -m mark --mark 0x1 -j ACCEPT", "State NEW, ?"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }
}
