//! Rules of the older kind, which `nf_tables` knows nothing of: as iptables-legacy-save(8) tells them.

use super::restore;
use super::written::ChainName;
use crate::evidence::{Chain, Place, Rule};

/// Reads what iptables-legacy-save tells with its counters; `family` is `iptables` or `ip6tables`.
pub(super) fn saved(family: &str, text: &str) -> (Vec<Chain>, Vec<Rule>) {
    let (mut chains, mut rules, mut table) = (Vec::new(), Vec::<Rule>::new(), String::new());
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
        } else if let Some(rest) = line.strip_prefix(':') {
            chains.extend(chain(family, &table, rest));
        } else if let Some((counters, words)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            let Some(name) = words.strip_prefix("-A ").and_then(|rest| rest.split(' ').next()) else { continue };
            let before = rules.iter().filter(|rule| rule.table == table && rule.chain == name).count();
            rules.push(Rule {
                family: family.to_owned(),
                table: table.clone(),
                chain: name.to_owned(),
                handle: before as u64 + 1,
                text: words.to_owned(),
                packets: counters.split(':').next().and_then(|packets| packets.parse().ok()),
                place: None,
            });
        }
    }
    (chains, rules)
}

fn chain(family: &str, table: &str, declared: &str) -> Option<Chain> {
    let mut words = declared.split(' ');
    let name = words.next()?;
    let policy = words.next().filter(|policy| *policy != "-").map(str::to_lowercase);
    let hook = policy.is_some().then(|| name.to_lowercase());
    let priority = hook.as_deref().map_or(0, |hook| priority(table, hook));
    let counted = words.next().and_then(|counters| counters.trim_matches(['[', ']']).split(':').next()?.parse().ok());
    Some(Chain {
        devices: Vec::new(),
        packets: counted,
        family: family.to_owned(),
        table: table.to_owned(),
        name: name.to_owned(),
        hook,
        priority,
        policy,
        place: None,
    })
}

/// `NF_IP_PRI_*` of `linux/netfilter_ipv4.h`.
fn priority(table: &str, hook: &str) -> i32 {
    match (table, hook) {
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("nat", "prerouting" | "output") => -100,
        ("nat", _) => 100,
        ("security", _) => 50,
        _ => 0,
    }
}

/// What these have counted since `before`: packets come and go, chains and rules stay while nobody changes them.
pub(in super::super) fn since(before: &(Vec<Chain>, Vec<Rule>), chains: &mut [Chain], rules: &mut [Rule]) {
    for chain in chains.iter_mut().filter(|chain| chain.packets.is_some()) {
        let same = |it: &&Chain| (&it.family, &it.table, &it.name) == (&chain.family, &chain.table, &chain.name);
        let counted = before.0.iter().find(same).and_then(|it| it.packets).unwrap_or(0);
        chain.packets = chain.packets.map(|packets| packets.saturating_sub(counted));
    }
    for rule in rules.iter_mut().filter(|rule| matches!(&*rule.family, "iptables" | "ip6tables")) {
        let same = |it: &&Rule| {
            (&it.family, &it.table, &it.chain, it.handle) == (&rule.family, &rule.table, &rule.chain, rule.handle)
        };
        let counted = before.1.iter().find(same).and_then(|it| it.packets).unwrap_or(0);
        rule.packets = rule.packets.map(|packets| packets.saturating_sub(counted));
    }
}

/// Adds the lines of a file for iptables-restore. These rules have no handles: the k-th of a chain is the k-th of the
/// file only where there are as many, none is put before another, and each says all that its line says.
pub(super) fn place(chains: &mut [Chain], rules: &mut [Rule], family: &str, path: &str, text: &str) {
    let written = restore::read(family, text);
    let at = |start: usize| {
        let line = text.get(start..)?.lines().next()?.trim().to_owned();
        let number = u32::try_from(text.get(..start)?.matches('\n').count() + 1).ok()?;
        Some(Place::File { path: path.to_owned(), line: number, text: line, command: false })
    };
    for chain in chains.iter_mut().filter(|chain| chain.family == family) {
        let name = ChainName::new(family, &chain.table, &chain.name);
        if let Some(line) = written.chains.iter().find(|line| line.chain == name) {
            chain.place = at(line.range.start);
        }
        let meant =
            |rule: &&mut Rule| (&rule.family, &rule.table, &rule.chain) == (&chain.family, &chain.table, &chain.name);
        let found: Vec<&mut Rule> = rules.iter_mut().filter(meant).collect();
        let Some(lines) = written.places(&name, found.len()) else { continue };
        let words = |range: &std::ops::Range<usize>| text.get(range.clone()).unwrap_or_default();
        if found.iter().zip(&lines).all(|(rule, line)| says(&rule.text, words(&line.range))) {
            for (rule, line) in found.into_iter().zip(lines) {
                rule.place = at(line.range.start);
            }
        }
    }
}

/// Whether a rule as it is told has every word of a line, but for those by which modules are named.
fn says(told: &str, line: &str) -> bool {
    let line = line.split_once("] ").filter(|_| line.starts_with('[')).map_or(line, |(_, words)| words);
    let mut words = line.split_whitespace().filter(|word| !word.starts_with('"') && !word.ends_with('"'));
    let told: Vec<&str> = told.split_whitespace().collect();
    // An address is told with the length of its prefix.
    words.all(|word| {
        told.iter().any(|known| *known == word || known.strip_prefix(word).is_some_and(|rest| rest.starts_with('/')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "# Generated by iptables-save v1.8.9 on Sun Nov 22 03:12:16 2026
*filter
:INPUT DROP [3:180]
:OWN - [0:0]
[7:420] -A INPUT -s 10.0.0.1/32 -p tcp -m tcp --dport 7 -j DROP
[0:0] -A INPUT -p udp -j OWN
[1:1] -A OWN -j RETURN
COMMIT
";

    fn placed(file: &str) -> Vec<String> {
        let (mut chains, mut rules) = saved("iptables", SAVED);
        place(&mut chains, &mut rules, "iptables", "rules.v4", file);
        let line = |place: &Option<Place>| match place {
            Some(Place::File { line, .. }) => line.to_string(),
            _ => "-".to_owned(),
        };
        let chains = chains.iter().map(|chain| format!("{} {}", chain.name, line(&chain.place)));
        chains.chain(rules.iter().map(|rule| format!("{} {} {}", rule.chain, rule.handle, line(&rule.place)))).collect()
    }

    #[test]
    fn rules_are_read_with_their_counters() {
        let (chains, rules) = saved("iptables", SAVED);
        let input = &chains[0];
        assert_eq!((input.hook.as_deref(), input.policy.as_deref()), (Some("input"), Some("drop")));
        assert_eq!((chains[1].hook.as_deref(), chains[1].policy.as_deref()), (None, None));
        let shown: Vec<_> = rules.iter().map(|rule| (rule.handle, rule.packets, rule.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                (1, Some(7), "-A INPUT -s 10.0.0.1/32 -p tcp -m tcp --dport 7 -j DROP"),
                (2, Some(0), "-A INPUT -p udp -j OWN"),
                (1, Some(1), "-A OWN -j RETURN"),
            ]
        );
    }

    #[test]
    fn a_line_is_given_to_a_rule_that_says_what_it_says() {
        let file = "*filter\n:INPUT DROP\n:OWN -\n-A INPUT -p tcp -s 10.0.0.1 --dport 7 -j DROP\n-A OWN -j RETURN\n-A INPUT -p udp -j OWN\nCOMMIT\n";
        assert_eq!(placed(file), ["INPUT 2", "OWN 3", "INPUT 1 4", "INPUT 2 6", "OWN 1 5"]);
        let other = file.replace("--dport 7", "--dport 8");
        assert_eq!(placed(&other), ["INPUT 2", "OWN 3", "INPUT 1 -", "INPUT 2 -", "OWN 1 5"]);
        let inserted = file.replace("-A INPUT -p udp", "-I INPUT -p udp");
        assert_eq!(placed(&inserted), ["INPUT 2", "OWN 3", "INPUT 1 -", "INPUT 2 -", "OWN 1 5"]);
    }
}
