//! `nf_tables` over netlink: one table, its chains and rules, made in one transaction and read back.
//!
//! Of the crates that speak it, one covers neither translation nor lookups of addresses, the others bring a C library or
//! a licence that does not fit; a lab needs only what stands here.

mod attributes;
mod conntrack;
mod expression;
mod message;
mod ruleset;
mod socket;
mod trace;

pub(super) use conntrack::{connections, statistics};
pub(super) use expression::{Side, Statement};
pub use ruleset::{Counted, Ruleset, Table};
pub(super) use trace::{Listener, mark, unmark};

use std::fmt;

use super::KernelError;
use crate::namespace::Namespace;
use attributes::Attributes;
use message::{Batch, FAMILY_HEADER, Kind};
use socket::{Refused, Socket};

/// The one table that a lab makes in a node.
pub const TABLE: &str = "netcase";

/// `NFTA_RULE_USERDATA` and `NFTA_RULE_EXPRESSIONS`; inside the first, what nft(8) shows as `comment`.
const RULE_EXPRESSIONS: u16 = 4;
const RULE_USERDATA: u16 = 7;
const COMMENT: u8 = 0;

/// `NFTA_LIST_ELEM`, `NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`.
const ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;

/// A chain that translates addresses, with its hook and priority (linux/netfilter.h, `linux/netfilter_ipv4.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// What comes in, before its way is chosen.
    Prerouting,
    /// What the node itself sends.
    Output,
    /// What leaves, whoever sent it.
    Postrouting,
}

impl Chain {
    const ALL: [Self; 3] = [Self::Prerouting, Self::Output, Self::Postrouting];

    fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }

    /// `NF_INET_*`.
    fn hook(self) -> u32 {
        match self {
            Self::Prerouting => 0,
            Self::Output => 3,
            Self::Postrouting => 4,
        }
    }

    /// `NF_IP_PRI_NAT_DST` and `NF_IP_PRI_NAT_SRC`.
    fn priority(self) -> i32 {
        match self {
            Self::Prerouting | Self::Output => -100,
            Self::Postrouting => 100,
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A rule of the table.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// The chain it stands in.
    pub(super) chain: Chain,
    /// What it does.
    pub(super) statement: Statement,
    /// What `nft list ruleset` shows behind it.
    pub(super) comment: String,
    /// Who asks for it.
    pub(super) entry: usize,
}

/// A refusal, and which rule it is about, if one.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The [`Rule::entry`] of the rule.
    pub(super) entry: Option<usize>,
    /// What was refused.
    pub(super) error: KernelError,
}

/// Makes the table with these rules, in their order, all of it or nothing.
pub(super) fn load(namespace: &Namespace, rules: &[Rule]) -> Result<(), Refusal> {
    let mut batch = Batch::new();
    let mut asked: Vec<(Option<usize>, String)> = vec![(None, "nf_tables".to_owned())];
    let table = Attributes::default().text(1, TABLE);
    batch.add(Kind::NewTable, &table);
    asked.push((None, format!("nft add table inet {TABLE}")));
    for chain in chains(rules) {
        batch.add(Kind::NewChain, &chain_attributes(chain));
        asked.push((None, format!("nft add chain inet {TABLE} {chain}")));
    }
    for rule in rules {
        batch.add(Kind::NewRule, &rule_attributes(rule));
        let words = &rule.statement.words;
        asked.push((Some(rule.entry), format!("nft add rule inet {TABLE} {} {words}", rule.chain)));
    }
    let requests = u32::try_from(asked.len() - 1).unwrap_or(u32::MAX);
    let done = Socket::open(namespace).and_then(|socket| socket.ask(&batch.finish(), requests));
    done.map_err(|refused: Refused| {
        let place = usize::try_from(refused.sequence).ok().filter(|place| *place < asked.len()).unwrap_or(0);
        let (entry, operation) = asked.swap_remove(place);
        Refusal { entry, error: refused.named(operation) }
    })
}

/// What the kernel has otherwise than asked for, each in words and with the entry that asked for it.
pub(super) fn differences(namespace: &Namespace, rules: &[Rule]) -> Result<Vec<(Option<usize>, String)>, KernelError> {
    let operation = || format!("nft list table inet {TABLE}");
    let ask = |kind: Kind, answer: Kind| {
        let socket = Socket::open(namespace)?;
        let request = message::dump(kind, &Attributes::default().text(1, TABLE));
        socket.dump(&request, answer.number(), FAMILY_HEADER)
    };
    let chains_found = ask(Kind::GetChains, Kind::NewChain).map_err(|refused| refused.named(operation()))?;
    let rules_found = ask(Kind::GetRules, Kind::NewRule).map_err(|refused| refused.named(operation()))?;
    let mut out = Vec::new();
    for chain in chains(rules) {
        let asked = chain_attributes(chain);
        if !chains_found.iter().any(|found| attributes::contains(found, asked.as_bytes())) {
            out.push((None, format!("there is no chain {chain} of the table {TABLE}")));
        }
    }
    for chain in Chain::ALL {
        let asked: Vec<&Rule> = rules.iter().filter(|rule| rule.chain == chain).collect();
        let found: Vec<&Vec<u8>> = rules_found.iter().filter(|rule| stands_in(rule, chain)).collect();
        for (at, rule) in asked.iter().enumerate() {
            if !found.get(at).is_some_and(|found| is(found, rule)) {
                let words = &rule.statement.words;
                out.push((Some(rule.entry), format!("rule {} of chain {chain} is not: {words}", at + 1)));
            }
        }
        if found.len() > asked.len() {
            out.push((None, format!("chain {chain} has {} rules, asked for {}", found.len(), asked.len())));
        }
    }
    Ok(out)
}

/// The chains that rules stand in, in the order of a packet's way.
fn chains(rules: &[Rule]) -> impl Iterator<Item = Chain> {
    Chain::ALL.into_iter().filter(|chain| rules.iter().any(|rule| rule.chain == *chain))
}

fn chain_attributes(chain: Chain) -> Attributes {
    base_chain(TABLE, chain.name(), "nat", chain.hook(), chain.priority())
}

/// A base chain.
fn base_chain(table: &str, name: &str, kind: &str, hook: u32, priority: i32) -> Attributes {
    // `NFTA_HOOK_HOOKNUM` and `NFTA_HOOK_PRIORITY`.
    let hook = Attributes::default().number(1, hook).bytes(2, &priority.to_be_bytes());
    // `NFTA_CHAIN_TABLE`, `_NAME`, `_HOOK` and `_TYPE`.
    Attributes::default().text(1, table).text(3, name).nest(4, &hook).text(7, kind)
}

/// A base chain at an interface, in the family `netdev`.
fn base_chain_at(table: &str, name: &str, hook: u32, priority: i32, device: &str) -> Attributes {
    // `NFTA_HOOK_DEV` beside the others.
    let hook = Attributes::default().number(1, hook).bytes(2, &priority.to_be_bytes()).text(3, device);
    Attributes::default().text(1, table).text(3, name).nest(4, &hook).text(7, "filter")
}

fn rule_attributes(rule: &Rule) -> Attributes {
    in_chain(TABLE, rule.chain.name(), &rule.statement).bytes(RULE_USERDATA, &comment(&rule.comment))
}

/// A rule of a chain: `NFTA_RULE_TABLE`, `_CHAIN` and `_EXPRESSIONS`.
fn in_chain(table: &str, chain: &str, statement: &Statement) -> Attributes {
    let steps = statement.steps.iter().fold(Attributes::default(), |list, (name, data)| {
        list.nest(ELEMENT, &Attributes::default().text(EXPRESSION_NAME, name).nest(EXPRESSION_DATA, data))
    });
    Attributes::default().text(1, table).text(2, chain).nest(RULE_EXPRESSIONS, &steps)
}

/// A comment as nft(8) stores it: its kind, its length, its text with a closing zero.
fn comment(text: &str) -> Vec<u8> {
    let text = &text.as_bytes()[..text.len().min(127)];
    let mut bytes = vec![COMMENT, u8::try_from(text.len() + 1).unwrap_or_default()];
    bytes.extend(text);
    bytes.push(0);
    bytes
}

fn stands_in(rule: &[u8], chain: Chain) -> bool {
    attributes::find(rule, 2).is_some_and(|name| attributes::text(name) == chain.name())
}

/// Whether a rule of the kernel's has exactly the steps of another, in their order.
fn is(found: &[u8], asked: &Rule) -> bool {
    let list = attributes::find(found, RULE_EXPRESSIONS).unwrap_or_default();
    let found: Vec<&[u8]> = attributes::read(list).map(|(_, step)| step).collect();
    found.len() == asked.statement.steps.len()
        && found.iter().zip(&asked.statement.steps).all(|(found, (name, data))| {
            attributes::find(found, EXPRESSION_NAME).is_some_and(|found| attributes::text(found) == *name)
                && attributes::contains(attributes::find(found, EXPRESSION_DATA).unwrap_or_default(), data.as_bytes())
        })
}
