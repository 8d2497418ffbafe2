//! The rules that a node has, with their texts and the lines that they come from.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Instant;

use super::include::{Alone, Folders, Text};
use super::known::{Load, Places};
use super::made::{Made, Saved};
use super::written::ChainName;
use super::{commands, legacy, nft};
use crate::evidence::{Chain, Place, Rule};
use crate::lab::{self, KernelError, Lab, NatRule, Ruleset};
use crate::plan::{Loader, NodeId, RulesText};
use crate::service::cage::Room;
use crate::service::command::{self, Invocation};
use crate::worker::child::attempt::Bench;
use crate::worker::child::programs::Programs;
use crate::worker::child::scripts;
use crate::worker::message::Broken;

/// The texts of rules by their chains and handles.
type Texts = HashMap<(ChainName, u64), String>;

/// The chains and rules that a node has now.
///
/// # Errors
///
/// That its kernel does not tell them.
pub(in super::super) async fn rules_of(bench: &Bench, node: NodeId) -> Result<(Vec<Chain>, Vec<Rule>), Broken> {
    let until = scripts::until(&bench.plan, bench.scale());
    let (plan, lab, programs) = (&bench.plan, &bench.lab, bench.services.programs());
    let made = lab.node(node);
    if made.absent {
        return Ok((Vec::new(), Vec::new()));
    }
    let found = Ruleset::read(&made.namespace).map_err(|error| Broken::new(error.to_string()))?;
    let legacy = lab::legacy_rules(&made.namespace)
        .map_err(|error| Broken::new(format!("cannot look for rules of iptables: {}", KernelError::words(&error))))?;
    if found.chains.is_empty() && legacy.is_empty() {
        return Ok((found.chains, Vec::new()));
    }
    let own: Vec<NatRule> = lab::rules_of_nat(&plan.nodes[node]);
    let room = programs.and_then(|programs| programs.room(plan, lab, node).ok().map(|room| (programs, room)));
    let (mut places, mut texts) = (Places::default(), Texts::new());
    if let Some((programs, room)) = &room {
        places = places_of(programs, room, node);
        if found.rules.len() > own.len() {
            texts = listed(programs, lab, room, node, until).await;
        }
    }
    let loads = programs.map(|programs| programs.loads(node)).unwrap_or_default();
    let loaded = loaded(&found, &loads);
    let declared = undecided(&found, &places);
    let (mut chains, mut rules) = described(found, &own, &places, &texts);
    if let Some((programs, room)) = &room {
        let has_older = !legacy.is_empty();
        for family in legacy {
            let (older, old_rules) = saved(programs, lab, room, node, (family, until)).await;
            chains.extend(older);
            rules.extend(old_rules);
        }
        let missing = |rule: &Rule| rule.place.is_none() && !loaded.contains(&key(rule));
        let undecided = |chain: &Chain| {
            let name = ChainName::new(&chain.family, &chain.table, &chain.name);
            chain.policy.as_deref() == Some("drop") && (chain.place.is_none() || declared.contains(&name))
        };
        if rules.iter().any(missing) || chains.iter().any(undecided) {
            let made = commands::made_in(bench, programs, node, has_older);
            let told = told(programs, lab, room, node, (&made, &rules, until)).await;
            for chain in chains.iter_mut().filter(|chain| undecided(chain)) {
                chain.place = made.place_of_policy(chain);
            }
            place(&made, &mut rules, missing, &texts, &told);
        }
    }
    Ok((chains, rules))
}

fn key(rule: &Rule) -> (ChainName, u64) {
    (ChainName::new(&rule.family, &rule.table, &rule.chain), rule.handle)
}

/// The rules that loads have made, also where it is not known from which of their lines.
fn loaded(found: &Ruleset, loads: &[Load]) -> HashSet<(ChainName, u64)> {
    let made = found.rules.iter().filter_map(|rule| {
        let chain = ChainName::new(&rule.family, &rule.table, &rule.chain);
        let table = found.table(&rule.family, &rule.table)?;
        loads.iter().any(|load| load.has_made(table, &chain, rule.handle)).then_some((chain, rule.handle))
    });
    made.collect()
}

/// The chains whose lines do not say that they drop.
fn undecided(found: &Ruleset, places: &Places) -> HashSet<ChainName> {
    let names = found.chains.iter().filter_map(|chain| {
        let name = ChainName::new(&chain.family, &chain.table, &chain.name);
        let table = found.table(&chain.family, &chain.table).unwrap_or_default();
        places.get(table, &name, None).filter(|origin| !origin.drops)?;
        Some(name)
    });
    names.collect()
}

/// Adds the lines of scripts that have made rules which nobody has loaded.
fn place(made: &Made, rules: &mut [Rule], missing: impl Fn(&Rule) -> bool, texts: &Texts, told: &Saved) {
    let mut numbers: HashMap<ChainName, usize> = HashMap::new();
    for rule in rules {
        let (chain, handle) = key(rule);
        let number = numbers.entry(chain.clone()).or_default();
        let saved = told.get(&(chain.clone(), *number)).map(String::as_str);
        *number += 1;
        if !missing(rule) {
            continue;
        }
        rule.place = if rule.family.ends_with("tables") {
            let text = rule.text.clone();
            made.place_of(rule, None, Some(&text))
        } else {
            made.place_of(rule, texts.get(&(chain, handle)).map(String::as_str), saved)
        };
    }
}

/// How iptables-save(8) tells the rules that `nf_tables` has: it keeps their order.
async fn told(
    programs: &Programs,
    lab: &Lab,
    room: &Room,
    node: NodeId,
    (made, rules, until): (&Made, &[Rule], Instant),
) -> Saved {
    let mut saved = Saved::new();
    for (family, name) in [("ip", "iptables"), ("ip6", "ip6tables")] {
        if !made.has_iptables(family) || !rules.iter().any(|rule| rule.family == family) {
            continue;
        }
        for program in [format!("{name}-nft-save"), format!("{name}-save")] {
            let Some(text) = printed(programs, lab, room, node, (&[&program, "-c"], until)).await else { continue };
            saved.extend(numbered(family, &text, rules));
            break;
        }
    }
    saved
}

/// The rules that a program tells, of the chains of which it tells all.
fn numbered(family: &str, text: &str, rules: &[Rule]) -> Saved {
    let told = legacy::saved(family, text).1;
    let count = |all: &[Rule]| {
        let mut counts = HashMap::<ChainName, usize>::new();
        for rule in all {
            *counts.entry(key(rule).0).or_default() += 1;
        }
        counts
    };
    let (own, all) = (count(&told), count(rules));
    let whole = told.iter().filter(|one| own.get(&key(one).0) == all.get(&key(one).0));
    let numbered = whole.filter_map(|one| {
        let number = usize::try_from(one.handle).ok()?.checked_sub(1)?;
        Some(((key(one).0, number), one.text.clone()))
    });
    numbered.collect()
}

/// The rules of the older kind; none where no program tells them.
async fn saved(
    programs: &Programs,
    lab: &Lab,
    room: &Room,
    node: NodeId,
    (family, until): (&str, Instant),
) -> (Vec<Chain>, Vec<Rule>) {
    let (mut chains, mut rules) = (Vec::new(), Vec::new());
    for program in [format!("{family}-legacy-save"), format!("{family}-save")] {
        if let Some(told) = printed(programs, lab, room, node, (&[&program, "-c"], until)).await {
            (chains, rules) = legacy::saved(family, &told);
            break;
        }
    }
    let loader = if family == "iptables" { Loader::Iptables } else { Loader::Ip6tables };
    for load in programs.loads(node).iter().filter(|load| load.rules().loader == loader) {
        if let RulesText::File(path) = &load.rules().text
            && let Some(text) = programs.files().text(node, Path::new(path))
        {
            legacy::place(&mut chains, &mut rules, family, path, &text);
        }
    }
    (chains, rules)
}

/// Where the rules are written that were loaded into a node.
fn places_of(programs: &Programs, room: &Room, node: NodeId) -> Places {
    let start = programs.path("");
    let read = |path: &Path| programs.files().text(node, path).or_else(|| programs.read(room, path));
    let list = |folder: &Path| programs.list(room, folder);
    let folders = Folders { start: &start, read: &read, list: &list };
    let mut places = Places::default();
    for load in programs.loads(node) {
        let content = match &load.rules().text {
            RulesText::Inline(text) => Some(text.clone()),
            RulesText::File(path) => programs.files().text(node, Path::new(path)),
        };
        if let Some(content) = content {
            places.add(&load, &content, &folders);
        }
    }
    places
}

/// The texts of rules as nft(8) writes them; none where it cannot be run.
async fn listed(programs: &Programs, lab: &Lab, room: &Room, node: NodeId, until: Instant) -> Texts {
    let run = ["nft", "-s", "-t", "-a", "list", "ruleset"];
    let listing = printed(programs, lab, room, node, (&run, until)).await;
    listing.map(|listing| texts_in(&listing)).unwrap_or_default()
}

/// What a program prints that is run in a node; nothing where it cannot be run, or fails.
async fn printed(
    programs: &Programs,
    lab: &Lab,
    room: &Room,
    node: NodeId,
    (run, until): (&[&str], Instant),
) -> Option<String> {
    let run = run.iter().map(|&word| word.to_owned()).collect();
    let invocation = Invocation { run, ..Invocation::default() };
    let ended = command::run(programs.place(lab, node, room), &invocation, until).await.ok()?;
    ended.status.filter(std::process::ExitStatus::success)?;
    Some(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// The rules of a listing.
fn texts_in(listing: &str) -> Texts {
    let main = Text { path: String::new(), content: listing.into() };
    let rules = nft::read(main, &Alone).0.rules;
    let texts = rules.into_iter().filter_map(|line| {
        let words = listing.get(line.range)?.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Some(((line.chain, line.handle?), words))
    });
    texts.collect()
}

/// What the kernel has, with all that is known of it.
fn described(found: Ruleset, own: &[NatRule], places: &Places, texts: &Texts) -> (Vec<Chain>, Vec<Rule>) {
    let table = |family: &str, name: &str| found.table(family, name).unwrap_or_default();
    let of_nat = own_places(&found, own);
    let mut numbers: HashMap<ChainName, usize> = HashMap::new();
    let rules = found.rules.iter().map(|rule| {
        let chain = ChainName::new(&rule.family, &rule.table, &rule.chain);
        let number = numbers.entry(chain.clone()).or_default();
        *number += 1;
        let written = places.get(table(&rule.family, &rule.table), &chain, Some(rule.handle));
        let nat = of_nat.get(&(chain.clone(), rule.handle));
        let text = nat.map(|nat| nat.words.clone()).or_else(|| written?.text.clone());
        let text = text.or_else(|| texts.get(&(chain.clone(), rule.handle)).cloned());
        let text = text.or_else(|| match &written?.place {
            Place::File { text, .. } => Some(text.clone()),
            Place::Case(_) => None,
        });
        Rule {
            family: rule.family.clone(),
            table: rule.table.clone(),
            chain: rule.chain.clone(),
            handle: rule.handle,
            text: text.unwrap_or_else(|| format!("rule {number} of chain {}", rule.chain)),
            packets: rule.packets,
            place: nat.map(|nat| Place::Case(nat.span)).or_else(|| Some(written?.place.clone())),
        }
    });
    let rules = rules.collect();
    let chains = found.chains.iter().map(|chain| {
        let name = ChainName::new(&chain.family, &chain.table, &chain.name);
        let written = places.get(table(&chain.family, &chain.table), &name, None);
        Chain { place: written.map(|written| written.place.clone()), ..chain.clone() }
    });
    (chains.collect(), rules)
}

/// The rules of the lab's own table, chain by chain in their order; none of a chain that has others than these.
fn own_places<'o>(found: &Ruleset, own: &'o [NatRule]) -> HashMap<(ChainName, u64), &'o NatRule> {
    let mut known = HashMap::new();
    for chain in found.chains.iter().filter(|chain| chain.family == "inet" && chain.table == lab::NAT_TABLE) {
        let handles = found
            .rules
            .iter()
            .filter(|rule| (&rule.family, &rule.table, &rule.chain) == (&chain.family, &chain.table, &chain.name));
        let handles: Vec<u64> = handles.map(|rule| rule.handle).collect();
        let asked: Vec<&NatRule> = own.iter().filter(|rule| rule.chain == chain.name).collect();
        if handles.len() == asked.len() {
            let name = ChainName::new(&chain.family, &chain.table, &chain.name);
            known.extend(handles.into_iter().zip(asked).map(|(handle, rule)| ((name.clone(), handle), rule)));
        }
    }
    known
}

#[cfg(test)]
#[path = "list/tests.rs"]
mod tests;
