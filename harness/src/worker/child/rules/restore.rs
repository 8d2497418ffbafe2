//! Rules as iptables-save(8) writes them.

use super::written::{ChainName, Line, Written};

/// Reads what iptables-restore(8) reads, for a family.
pub(super) fn read(family: &str, text: &str) -> Written {
    let mut written = Written::default();
    let (mut table, mut at) = (String::new(), 0);
    for whole in text.split_inclusive('\n') {
        let (start, line) = (at, whole.trim());
        at += whole.len();
        let first = start + whole.len() - whole.trim_start().len();
        let range = first..first + line.len();
        let declared = |name: &str, makes| {
            let chain = ChainName::new(family, &table, name);
            Line { chain, file: 0, range, decides: makes == 0, makes, handle: None }
        };
        if let Some(name) = line.strip_prefix('*') {
            name.trim().clone_into(&mut table);
            written.empty(|chain| chain.table == table);
        } else if let Some(rest) = line.strip_prefix(':') {
            written.chain(declared(rest.split_whitespace().next().unwrap_or_default(), 0));
        } else if !line.starts_with('#') {
            command(&mut written, &table, &words(line), declared);
        }
    }
    written
}

fn command(written: &mut Written, table: &str, words: &[String], declared: impl FnOnce(&str, usize) -> Line) {
    // Counters may stand before a rule: `[3:180] -A INPUT`.
    let words = if words.first().is_some_and(|word| word.starts_with('[')) { &words[1..] } else { words };
    let [verb, rest @ ..] = words else { return };
    let chain = rest.first().map(String::as_str).unwrap_or_default();
    match verb.as_str() {
        "-A" | "--append" | "-I" | "--insert" => written.rule(declared(chain, makes(rest))),
        "-P" | "--policy" => written.chain(declared(chain, 0)),
        "-F" | "--flush" => written.empty(|known| known.table == table && (chain.is_empty() || known.chain == chain)),
        "-D" | "--delete" | "-R" | "--replace" => written.lose(declared(chain, 0).chain),
        _ => {}
    }
}

/// How many rules a statement makes: one for each pair of its source and destination addresses (iptables(8)).
fn makes(words: &[String]) -> usize {
    let count = |names: [&str; 3]| {
        let mut after = words.iter().skip_while(|word| !names.contains(&word.as_str()));
        after.nth(1).map_or(1, |list| list.split(',').count())
    };
    count(["-s", "--source", "--src"]) * count(["-d", "--destination", "--dst"])
}

/// The words of a line; a text in quotes is one.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), None::<String>, false, false);
    for c in line.chars() {
        match c {
            _ if escaped => {
                word.get_or_insert_default().push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_belongs_to_the_chain_of_the_table_above_it() {
        let text = "# -A INPUT\n*filter\n:INPUT DROP [0:0]\n:OWN - [0:0]\n[3:4] -A INPUT -m comment --comment \"-A x\" -j OWN\n\
                    -I INPUT 1 -s 10.0.0.1,10.0.0.2 -d 10.0.0.3 -j DROP\nCOMMIT\n*nat\n-A OWN -j RETURN\nCOMMIT\n";
        let written = read("ip", text);
        let shown = |line: &Line| format!("{} {} {}", line.chain.table, line.chain.chain, &text[line.range.clone()]);
        assert_eq!(
            written.rules.iter().map(shown).collect::<Vec<_>>(),
            [
                "filter INPUT [3:4] -A INPUT -m comment --comment \"-A x\" -j OWN",
                "filter INPUT -I INPUT 1 -s 10.0.0.1,10.0.0.2 -d 10.0.0.3 -j DROP",
                "nat OWN -A OWN -j RETURN",
            ]
        );
        assert_eq!(
            written.chains.iter().map(shown).collect::<Vec<_>>(),
            ["filter INPUT :INPUT DROP [0:0]", "filter OWN :OWN - [0:0]"]
        );
        assert_eq!(written.places(&ChainName::new("ip", "filter", "INPUT"), 3).map(|lines| lines.len()), Some(3));
        assert_eq!(written.places(&ChainName::new("ip", "filter", "INPUT"), 2), None);
    }

    #[test]
    fn a_chain_that_loses_rules_has_no_lines() {
        let written = read("ip", "*filter\n-A INPUT -j DROP\n-D INPUT 1\n-A INPUT -j ACCEPT\nCOMMIT\n");
        for made in 0..4 {
            assert_eq!(written.places(&ChainName::new("ip", "filter", "INPUT"), made), None);
        }
        let written = read("ip", "*filter\n-A INPUT -j DROP\n-F INPUT\n-A INPUT -j ACCEPT\nCOMMIT\n");
        assert_eq!(written.rules.len(), 1);
    }
}
