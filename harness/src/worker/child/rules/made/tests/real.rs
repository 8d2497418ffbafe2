//! Rules as programs have made them, and as they list them.

use std::fs;
use std::process::Command;

use super::super::super::{legacy, nft};
use super::*;
use crate::service::command;

/// Each line makes one rule of the chain `c` of its table, or none.
const REAL: &str = include_str!("real.sh");

#[test]
fn each_rule_that_a_script_has_made_has_its_line() {
    let folder = std::env::temp_dir().join(format!("netcase-made-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("s.sh"), REAL).expect("a file");
    let script =
        "sh -e s.sh\nnft -s -t -a list ruleset\necho ----\niptables-nft-save -c\necho ----\nip6tables-nft-save -c\n";
    let ended = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "sh", "-ec", script])
        .current_dir(&folder)
        .env("PATH", command::SEARCH_PATH)
        .output()
        .expect("there is unshare(1)");
    let _ = fs::remove_dir_all(&folder);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{said}");
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    let parts: Vec<&str> = printed.split("----\n").collect();
    let written = nft::read(Included { path: String::new(), content: parts[0].into() }, &Alone).0;
    let saved: HashMap<&str, Vec<Rule>> =
        [("ip", parts[1]), ("ip6", parts[2])].map(|(family, text)| (family, legacy::saved(family, text).1)).into();
    let made = made(REAL, &[]);
    let mut wrong = Vec::new();
    let mut numbers: HashMap<ChainName, usize> = HashMap::new();
    for line in &written.rules {
        let text = &parts[0][line.range.clone()];
        let number = numbers.entry(line.chain.clone()).or_default();
        *number += 1;
        let own = rule(&line.chain.family, &line.chain.table, &line.chain.chain);
        let is_own = |it: &&Rule| (&it.table, &it.chain) == (&own.table, &own.chain);
        let told = saved.get(own.family.as_str()).and_then(|all| all.iter().filter(is_own).nth(*number - 1));
        let place = made.place_of(&own, Some(text), told.map(|rule| rule.text.as_str()));
        // The rules of a chain are made one after another, each by a line of its own.
        let mark = format!("{} {} {} ", own.family, own.table, own.chain);
        let expected = REAL.lines().enumerate().filter(|(_, it)| it.contains(&mark)).nth(*number - 1);
        let expected = expected.map_or("none".to_owned(), |(at, _)| (at + 1).to_string());
        if shown(place.clone()) != expected {
            wrong.push(format!("{expected} is {}: {text} ({:?})", shown(place), told.map(|rule| &rule.text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(written.rules.len() > 60, "{}", written.rules.len());
}
