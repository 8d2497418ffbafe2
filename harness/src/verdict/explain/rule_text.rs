//! What a rule does, as its text says it: nft(8) and iptables-save(8).
//!
//! A text has more words than those: comments, prefixes of log lines, names of chains and interfaces, and conditions such
//! as `ct status dnat` or `icmp type redirect`.

use crate::evidence::Rule;

/// Whether it gives packets another source.
pub(super) fn translates_source(rule: &Rule) -> bool {
    does(rule, &["masquerade", "snat"], &["MASQUERADE", "SNAT"]) || maps_network(rule, &["PREROUTING", "OUTPUT"])
}

/// Whether it gives packets another target.
pub(super) fn translates_target(rule: &Rule) -> bool {
    does(rule, &["dnat", "redirect"], &["DNAT", "REDIRECT"]) || maps_network(rule, &["POSTROUTING", "INPUT"])
}

/// Whether it refuses packets and says so to their sender.
pub(super) fn refuses(rule: &Rule) -> bool {
    does(rule, &["reject"], &["REJECT"])
}

/// Whether it drops packets, or some of those that it takes.
pub(super) fn drops(rule: &Rule) -> bool {
    does(rule, &["drop"], &["DROP"])
}

/// Whether it keeps packets from going on, in either way.
pub(super) fn stops(rule: &Rule) -> bool {
    drops(rule) || refuses(rule)
}

/// Whether it accepts packets.
pub(super) fn accepts(rule: &Rule) -> bool {
    does(rule, &["accept"], &["ACCEPT"])
}

/// Whether it has packets go on behind the jump that led to it.
pub(super) fn returns(rule: &Rule) -> bool {
    does(rule, &["return"], &["RETURN"])
}

/// Whether it leads to a chain from which nothing comes back to it.
pub(super) fn is_final(rule: &Rule) -> bool {
    if is_of_iptables(&rule.text) {
        return tokens(&rule.text).iter().any(|token| token.is_one_of(&["-g", "--goto"]));
    }
    does(rule, &["goto"], &[])
}

/// The words of a rule as somebody may have written them who has added it: without comments, braces and commas, counters,
/// and the modules that a protocol brings along.
pub(super) fn written(rule: &Rule) -> Vec<&str> {
    let tokens = tokens(&rule.text);
    let mut words = Vec::new();
    let mut left = tokens.iter().filter(|token| !token.text.starts_with(PUNCTUATION));
    while let Some(token) = left.next() {
        match token.text {
            "comment" | "--comment" | "prefix" | "--log-prefix" | "-m" if !token.quoted => drop(left.next()),
            "counter" if !token.quoted => {}
            text => words.push(text),
        }
    }
    words
}

/// The plain words of a text: without what stands in quotes, without the comment at its end, and without braces and
/// commas.
pub(super) fn words(rule: &Rule) -> Vec<&str> {
    let is_word = |token: &Token<'_>| !token.quoted && !token.text.starts_with(PUNCTUATION);
    tokens(&rule.text).into_iter().filter(is_word).map(|token| token.text).collect()
}

/// The target of a rule of iptables.
pub(super) fn target(text: &str) -> Option<&str> {
    let tokens = tokens(text);
    let pair = tokens.windows(2).find(|pair| pair[0].is_one_of(&JUMPS))?;
    Some(pair[1].text)
}

/// The chain that a rule leads to.
pub(super) fn leads_to(rule: &Rule) -> Option<&str> {
    if is_of_iptables(&rule.text) {
        return target(&rule.text);
    }
    let tokens = tokens(&rule.text);
    let pair = tokens.windows(2).find(|pair| pair[0].is_one_of(&["jump", "goto"]))?;
    Some(pair[1].text)
}

/// NETMAP of iptables changes the end that its chain may change: all but that of some chains.
fn maps_network(rule: &Rule, but: &[&str]) -> bool {
    does(rule, &[], &["NETMAP"]) && !but.contains(&rule.chain.as_str())
}

/// Whether a rule has one of these statements of nft, or one of these targets of iptables.
fn does(rule: &Rule, statements: &[&str], targets: &[&str]) -> bool {
    let tokens = tokens(&rule.text);
    if is_of_iptables(&rule.text) {
        return tokens.windows(2).any(|pair| pair[0].is_one_of(&JUMPS) && targets.contains(&pair[1].text));
    }
    let first = std::iter::once(None).chain(tokens.iter().map(Some));
    let mut depth = 0_usize;
    tokens.iter().zip(first).any(|(token, before)| {
        match token.text {
            "{" | "(" if !token.quoted => depth += 1,
            "}" | ")" if !token.quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        // What nft has no words for, it shows as `xt target NAME`.
        let foreign = before.is_some_and(|before| before.text == "target") && targets.contains(&token.text);
        // A map has its verdicts in braces.
        let verdict = depth == 1 && before.is_some_and(|before| before.text == ":");
        let begins =
            (depth == 0 && before.is_none_or(|before| before.quoted || !CONDITIONS.contains(&before.text))) || verdict;
        foreign || (begins && token.is_one_of(statements))
    })
}

/// What is followed by the target of a rule of iptables, or by the chain that it leads to.
const JUMPS: [&str; 4] = ["-j", "--jump", "-g", "--goto"];

/// What no statement of nft stands behind, but what is compared, or a name.
const CONDITIONS: [&str; 12] = ["status", "type", "code", "state", "==", "!=", "|", "&", ",", "jump", "goto", "chain"];

/// What is a word of its own, wherever it stands.
const PUNCTUATION: [char; 6] = ['{', '}', '(', ')', ',', ';'];

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// Whether it stands in quotes: without them.
    pub(super) quoted: bool,
}

impl Token<'_> {
    fn is_one_of(&self, words: &[&str]) -> bool {
        !self.quoted && words.contains(&self.text)
    }
}

/// Whether a text is one of iptables: it begins with a command or its counters.
pub(super) fn is_of_iptables(text: &str) -> bool {
    text.trim_start().starts_with(['-', '['])
}

/// The parts of a text, up to the comment at its end.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let iptables = is_of_iptables(text);
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (length, token) = match first {
            // The rest of the line is for people.
            '#' if !iptables => break,
            '"' => {
                let inner = quoted(&rest[1..], iptables);
                ((inner.len() + 2).min(rest.len()), Token { text: inner, quoted: true })
            }
            _ if PUNCTUATION.contains(&first) => (1, Token { text: &rest[..1], quoted: false }),
            _ => {
                let ends = |c: char| c.is_whitespace() || c == '"' || PUNCTUATION.contains(&c);
                let length = rest.find(ends).unwrap_or(rest.len());
                (length, Token { text: &rest[..length], quoted: false })
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// A text up to the quote that ends it. nft(8) knows no escapes, iptables-restore(8) does.
fn quoted(rest: &str, escapes: bool) -> &str {
    let mut escaped = false;
    let end = rest.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = escapes && c == '\\' && !escaped;
        ends
    });
    &rest[..end.unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        let chain = text.split(' ').skip_while(|word| *word != "-A").nth(1).unwrap_or("c").to_owned();
        let table = "t".to_owned();
        Rule { family: "ip".to_owned(), table, chain, handle: 1, text: text.to_owned(), packets: None, place: None }
    }

    /// What a text says, a letter each: source, target, refuses, drops.
    fn said(text: &str) -> String {
        let rule = rule(text);
        let all = [
            (translates_source(&rule), 's'),
            (translates_target(&rule), 't'),
            (refuses(&rule), 'r'),
            (drops(&rule), 'd'),
        ];
        all.into_iter().filter_map(|(does, letter)| does.then_some(letter)).collect()
    }

    #[test]
    fn what_a_rule_does_is_not_what_it_looks_at_nor_what_its_comments_say() {
        for (text, expected) in [
            ("oifname \"wan0\" masquerade", "s"),
            ("masquerade", "s"),
            ("ip saddr 10.0.0.0/8 counter snat to 192.0.2.1", "s"),
            ("oifname \"lan\" ct status dnat ip daddr 10.0.0.2 tcp dport 80 counter masquerade", "s"),
            ("iifname \"wan0\" tcp dport 80 counter dnat ip to 10.0.0.1:8080", "t"),
            ("tcp dport 80 redirect to :8080", "t"),
            ("iifname \"wan0\" dnat to tcp dport map { 80 : 10.0.0.1, 81 : 10.0.0.2 }", "t"),
            ("counter xt target NETMAP", "st"),
            ("counter xt target \"NETMAP\"", "st"),
            ("reject with icmp type host-unreachable", "r"),
            ("meta l4proto tcp reject with tcp reset", "r"),
            ("tcp dport 22 drop", "d"),
            ("tcp dport vmap { 80 : accept, 81 : drop }", "d"),
            // What is compared.
            ("ct status dnat accept", ""),
            ("ct status snat,dnat accept", ""),
            ("ct status { snat, dnat } accept", ""),
            ("ct status & (snat | dnat) != 0 accept", ""),
            ("icmp type redirect accept", ""),
            ("icmp type != redirect accept", ""),
            ("icmp type { echo-request, redirect } accept", ""),
            // What is said.
            ("tcp dport 22 accept comment \"no masquerade here\"", ""),
            ("log prefix \"reject or drop: \" accept", ""),
            ("comment \"drop\" tcp dport 22 reject", "r"),
            ("accept # drop", ""),
            ("jump masquerade-of-lan", ""),
            ("rule 1 of chain drop", ""),
            ("iifname \"drop\" oifname \"snat\" accept", ""),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn of_iptables_the_target_counts() {
        for (text, expected) in [
            ("-A POSTROUTING -o wan0 -j MASQUERADE", "s"),
            ("[7:420] -A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.1", "s"),
            ("-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:80", "t"),
            ("-A PREROUTING --jump REDIRECT --to-ports 80", "t"),
            ("-A PREROUTING -j NETMAP --to 10.0.0.0/24", "t"),
            ("-A POSTROUTING -j NETMAP --to 10.0.0.0/24", "s"),
            ("-A FORWARD -m comment --comment \"a \\\" -j DROP\" -j REJECT --reject-with tcp-reset", "r"),
            ("-A INPUT -m comment --comment REJECT -j DROP", "d"),
            ("-A INPUT -m comment --comment \"-j DROP\" -j ACCEPT", ""),
            ("-A INPUT -j LOG --log-prefix \"-j REJECT \"", ""),
            ("-A INPUT -j reject", ""),
            ("-A INPUT -m conntrack --ctstate DNAT -j ACCEPT", ""),
            ("-A DROP -g allowed", ""),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn the_words_of_a_rule_are_those_that_add_it() {
        let of = |text: &str| written(&rule(text)).join(" ");
        assert_eq!(of("iifname { \"a\", b } counter log prefix \"x # { y\" accept # z"), "iifname a b log accept");
        assert_eq!(
            of("-A c -p tcp -m tcp --dport 7 -m comment --comment \"a \\\" b\" -j ACCEPT"),
            "-A c -p tcp --dport 7 -j ACCEPT"
        );
        assert_eq!(of("comment \"no end"), "");
    }
}
