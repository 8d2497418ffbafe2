//! Everything that `nf_tables` has in a namespace, whoever has made it: tables, chains, and rules with their counters.

use super::attributes::{self, read};
use super::message::{self, Kind};
use super::socket::{Refused, Socket};
use super::{ELEMENT, EXPRESSION_DATA, EXPRESSION_NAME, RULE_EXPRESSIONS, trace};
use crate::evidence::Chain;
use crate::lab::KernelError;
use crate::namespace::Namespace;

/// What there is, but for what traces are made with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The tables.
    pub tables: Vec<Table>,
    /// The chains; where they are declared is not the kernel's to know.
    pub chains: Vec<Chain>,
    /// The rules, chain by chain in the order in which packets meet them.
    pub rules: Vec<Counted>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its family.
    pub family: String,
    /// Its name.
    pub name: String,
    /// Its handle, which no other table of the namespace ever has.
    pub handle: u64,
}

/// A rule without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its family.
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// Its handle. A table gives them out rising, in the order in which rules are added.
    pub handle: u64,
    /// How many packets it has counted, where it counts.
    pub packets: Option<u64>,
}

impl Ruleset {
    /// Reads what there is now; nothing where this kernel has no `nf_tables`.
    ///
    /// # Errors
    ///
    /// What the kernel refuses, and that its answers cannot be used.
    pub fn read(namespace: &Namespace) -> Result<Self, KernelError> {
        let named = |what: &'static str| move |refused: Refused| refused.named(format!("nft list {what}"));
        let socket = match Socket::open(namespace) {
            Err(refused) if is_lack(refused.errno) => return Ok(Self::default()),
            opened => opened.map_err(named("ruleset"))?,
        };
        let ask = |get: Kind, answer: Kind| socket.dump(&message::dump_all(get), answer.number(), 0);
        let tables = match ask(Kind::GetTables, Kind::NewTable) {
            Err(refused) if is_lack(refused.errno) => return Ok(Self::default()),
            asked => asked.map_err(named("tables"))?,
        };
        let tables: Vec<Table> = tables.iter().filter_map(|found| table(found)).collect();
        if tables.is_empty() {
            return Ok(Self::default());
        }
        let chains = ask(Kind::GetChains, Kind::NewChain).map_err(named("chains"))?;
        let chains: Vec<Chain> = chains.iter().filter_map(|found| chain(found)).collect();
        let rules = if chains.is_empty() {
            Vec::new()
        } else {
            ask(Kind::GetRules, Kind::NewRule).map_err(named("ruleset"))?
        };
        Ok(Self { tables, chains, rules: rules.iter().filter_map(|found| rule(found)).collect() })
    }

    /// The handle of a table.
    pub fn table(&self, family: &str, name: &str) -> Option<u64> {
        self.tables.iter().find(|table| table.family == family && table.name == name).map(|table| table.handle)
    }
}

/// What a kernel says that has no sockets to netfilter, or nobody who listens there for `nf_tables`
/// (`net/netfilter/nfnetlink.c`).
fn is_lack(errno: i32) -> bool {
    matches!(errno, libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP | libc::EINVAL)
}

/// `NFPROTO_*` of linux/netfilter.h, as nft(8) calls them.
pub(super) fn family(number: u8) -> String {
    match number {
        1 => "inet".to_owned(),
        2 => "ip".to_owned(),
        3 => "arp".to_owned(),
        5 => "netdev".to_owned(),
        7 => "bridge".to_owned(),
        10 => "ip6".to_owned(),
        other => format!("family {other}"),
    }
}

/// The hook of a family (linux/netfilter.h, `linux/netfilter_arp.h`), as nft(8) calls it.
fn hook(family: u8, number: u32) -> String {
    let names: &[&str] = match family {
        3 => &["input", "output", "forward"],
        5 => &["ingress", "egress"],
        _ => &["prerouting", "input", "forward", "output", "postrouting", "ingress"],
    };
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    name.map_or_else(|| format!("hook {number}"), |name| (*name).to_owned())
}

/// The family of a message, the text of its table's name, and its attributes.
fn parts(found: &[u8]) -> Option<(u8, String, &[u8])> {
    let attributes = found.get(message::FAMILY_HEADER..)?;
    let table = text(attributes, 1)?;
    (table != trace::TABLE).then_some((*found.first()?, table, attributes))
}

fn table(found: &[u8]) -> Option<Table> {
    let (number, name, attributes) = parts(found)?;
    // `NFTA_TABLE_HANDLE`.
    Some(Table { family: family(number), name, handle: long(attributes, 4)? })
}

fn chain(found: &[u8]) -> Option<Chain> {
    let (number, table, attributes) = parts(found)?;
    // `NFTA_CHAIN_NAME`, `_HOOK` with `NFTA_HOOK_HOOKNUM` and `_PRIORITY`, `NFTA_CHAIN_POLICY`.
    let base = attributes::find(attributes, 4);
    let at = base.and_then(|base| word(base, 1));
    let priority = base.and_then(|base| word(base, 2)).unwrap_or_default().cast_signed();
    let policy = word(attributes, 5).filter(|_| at.is_some());
    Some(Chain {
        family: family(number),
        table,
        name: text(attributes, 3)?,
        hook: at.map(|at| hook(number, at)),
        devices: base.map(devices).unwrap_or_default(),
        packets: None,
        priority,
        policy: policy.map(|policy| if policy == 0 { "drop" } else { "accept" }.to_owned()),
        place: None,
    })
}

/// `NFTA_HOOK_DEV`, or `NFTA_HOOK_DEVS` with an `NFTA_DEVICE_NAME` for each.
fn devices(base: &[u8]) -> Vec<String> {
    let several = attributes::find(base, 4).unwrap_or_default();
    let named = read(several).filter(|(kind, _)| *kind == 1).map(|(_, name)| attributes::text(name).to_owned());
    text(base, 3).into_iter().chain(named).fold(Vec::new(), |mut all, name| {
        if !all.contains(&name) {
            all.push(name);
        }
        all
    })
}

fn rule(found: &[u8]) -> Option<Counted> {
    let (number, table, attributes) = parts(found)?;
    // `NFTA_RULE_CHAIN` and `_HANDLE`.
    let (chain, handle) = (text(attributes, 2)?, long(attributes, 3)?);
    let steps = attributes::find(attributes, RULE_EXPRESSIONS).unwrap_or_default();
    Some(Counted { family: family(number), table, chain, handle, packets: packets(steps) })
}

/// What the first counter of a rule shows.
fn packets(steps: &[u8]) -> Option<u64> {
    let mut counters = read(steps).filter(|(kind, step)| {
        *kind == ELEMENT
            && attributes::find(step, EXPRESSION_NAME).is_some_and(|name| attributes::text(name) == "counter")
    });
    // `NFTA_COUNTER_PACKETS`.
    long(attributes::find(counters.next()?.1, EXPRESSION_DATA)?, 2)
}

pub(super) fn text(attributes: &[u8], kind: u16) -> Option<String> {
    attributes::find(attributes, kind).map(|value| attributes::text(value).to_owned())
}

pub(super) fn word(attributes: &[u8], kind: u16) -> Option<u32> {
    attributes::find(attributes, kind)?.try_into().ok().map(u32::from_be_bytes)
}

pub(super) fn long(attributes: &[u8], kind: u16) -> Option<u64> {
    attributes::find(attributes, kind)?.try_into().ok().map(u64::from_be_bytes)
}
