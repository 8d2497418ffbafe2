//! Traces of rules: tables whose only rules mark packets, and what the kernel then says of these.
//!
//! Source of all numbers: `linux/netfilter/nf_tables.h`, `linux/netfilter/nfnetlink.h`, linux/netfilter.h.

use std::collections::HashMap;

use super::attributes::{Attributes, find};
use super::expression::Statement;
use super::message::{Batch, FAMILY_HEADER, Kind};
use super::ruleset::{family, long, text, word};
use super::socket::{Refused, Socket};
use super::{base_chain, base_chain_at, in_chain};
use crate::evidence::{Chain, Trace, TraceKind, TraceVerdict, decode_headers};
use crate::lab::{KernelError, MOST_STEPS};
use crate::namespace::Namespace;

/// The tables that mark packets, one in each family.
pub(super) const TABLE: &str = crate::evidence::LOOKS;

/// `NFPROTO_*` of the families whose packets can be marked at their first hooks.
const INET: u8 = 1;
const ARP: u8 = 3;
const NETDEV: u8 = 5;
const BRIDGE: u8 = 7;

/// `NFNLGRP_NFTRACE`.
const GROUP: u32 = 9;

/// How much of what the kernel says may wait; some thousand steps.
const BUFFER: usize = 8 << 20;

/// `ETH_P_ARP` and `ETH_P_8021Q` (`linux/if_ether.h`): what a bridge's rules see beside IP.
const FRAMES: [u16; 2] = [0x0806, 0x8100];

/// Has packets marked that carry one of these protocols, wherever these chains could see them, or the `older` rules of
/// iptables, of which nothing is heard but what stands around them.
pub(in crate::lab) fn mark(
    namespace: &Namespace,
    chains: &[Chain],
    older: bool,
    protocols: &[u8],
) -> Result<Option<Vec<u8>>, KernelError> {
    let hooks = marking(chains, older);
    if hooks.is_empty() {
        return Ok(None);
    }
    let mut marked: Vec<u8> = Vec::new();
    let mut batch = Batch::new();
    for Hook { family, chain, number, priority, device } in &hooks {
        if !marked.contains(family) {
            marked.push(*family);
            batch.add_in(*family, Kind::NewTable, &Attributes::default().text(1, TABLE));
        }
        let attributes = match device {
            Some(device) => base_chain_at(TABLE, chain, *number, *priority, device),
            None => base_chain(TABLE, chain, "filter", *number, *priority),
        };
        batch.add_in(*family, Kind::NewChain, &attributes);
        for statement in statements(*family, protocols) {
            batch.add_in(*family, Kind::NewRule, &in_chain(TABLE, chain, &statement));
        }
    }
    ask(namespace, batch, "add").map(|_| Some(marked))
}

/// Where packets are marked.
struct Hook {
    family: u8,
    /// The marking chain's own name.
    chain: String,
    number: u32,
    priority: i32,
    /// The interface, where the hook is one of an interface.
    device: Option<String>,
}

/// A socket that is to be closed later.
pub(in crate::lab) struct Open {
    _socket: Socket,
}

/// Takes the marking tables of these families away.
pub(in crate::lab) fn unmark(namespace: &Namespace, families: &[u8]) -> Result<Open, KernelError> {
    let mut batch = Batch::new();
    for family in families {
        batch.add_in(*family, Kind::DelTable, &Attributes::default().text(1, TABLE));
    }
    ask(namespace, batch, "delete")
}

fn ask(namespace: &Namespace, batch: Batch, verb: &str) -> Result<Open, KernelError> {
    let requests = batch.requests();
    let done = Socket::open(namespace).and_then(|socket| {
        socket.ask(&batch.finish(), requests)?;
        Ok(Open { _socket: socket })
    });
    done.map_err(|refused| refused.named(format!("nft {verb} table {TABLE}")))
}

/// The hooks to mark at, so that these chains see marked packets: in each family those that come first for what comes in
/// and for what the node itself sends (`NF_INET_*`, `NF_BR_*`, `NF_ARP_*`), and those of the interfaces that chains stand
/// at (`NF_NETDEV_*`), which are before and behind all others.
///
/// Where addresses may be translated, a look at each later hook shows the packet as it is then.
fn marking(chains: &[Chain], older: bool) -> Vec<Hook> {
    let any = |names: &[&str]| chains.iter().any(|chain| names.contains(&chain.family.as_str()));
    let two = [("prerouting", 0), ("output", 3)];
    let families = [
        (INET, older || any(&["inet", "ip", "ip6"]), two),
        (ARP, any(&["arp"]), [("input", 0), ("output", 1)]),
        (BRIDGE, any(&["bridge"]), two),
    ];
    let mut hooks: Vec<Hook> = Vec::new();
    for (family, _, own) in families.into_iter().filter(|(_, wanted, _)| *wanted) {
        let first = own.map(|(chain, number)| (chain, number, i32::MIN));
        let last = LATER.iter().filter(|_| family == INET).copied();
        hooks.extend(first.into_iter().chain(last).map(|(chain, number, priority)| {
            let chain = chain.to_owned();
            Hook { family, chain, number, priority, device: None }
        }));
    }
    for chain in chains {
        let Some(number) = ["ingress", "egress"].iter().position(|hook| chain.hook.as_deref() == Some(hook)) else {
            continue;
        };
        for device in &chain.devices {
            let name = format!("{} {device}", ["in", "out"][number]);
            if !hooks.iter().any(|hook| hook.chain == name) {
                let number = u32::from(number > 0);
                let device = Some(device.clone());
                hooks.push(Hook { family: NETDEV, chain: name, number, priority: i32::MIN, device });
            }
        }
    }
    hooks
}

/// The hooks behind the first (`NF_INET_*`), and where in them all of a packet's translations are done that come before a
/// rule could drop it.
const LATER: [(&str, u32, i32); 3] = [("input", 1, i32::MIN), ("forward", 2, i32::MIN), ("postrouting", 4, i32::MAX)];

fn statements(family: u8, protocols: &[u8]) -> Vec<Statement> {
    if family == ARP {
        return vec![Statement::default().traced()];
    }
    let mut statements: Vec<Statement> =
        protocols.iter().map(|protocol| Statement::carries(*protocol).traced()).collect();
    if matches!(family, BRIDGE | NETDEV) {
        statements.extend(FRAMES.map(|kind| Statement::is_frame_of(kind).traced()));
    }
    statements
}

/// How many steps are heard at a time: twice what is kept, for those of the marking tables are among them.
const MOST: usize = 2 * MOST_STEPS;

/// Hears what the kernel says of marked packets.
pub(in crate::lab) struct Listener(Socket);

impl Listener {
    /// Listens from now on.
    pub(in crate::lab) fn open(namespace: &Namespace) -> Result<Self, KernelError> {
        Socket::listen(namespace, GROUP, BUFFER).map(Self).map_err(named)
    }

    /// The steps that were heard since the last call, in order, and whether some were lost between them or, as a flood
    /// may go on for ever, behind the first ones.
    pub(in crate::lab) fn heard(&self, node: usize) -> Result<(Vec<Trace>, bool), KernelError> {
        let (mut steps, mut lost) = (Vec::new(), false);
        loop {
            if steps.len() >= MOST {
                return Ok((of_users(steps), true));
            }
            match self.0.heard(Kind::Trace.number()) {
                Ok(Some(messages)) => steps.extend(messages.iter().filter_map(|message| step(node, message))),
                Ok(None) => return Ok((of_users(steps), lost)),
                // netlink(7): the socket goes on behind the gap.
                Err(refused) if refused.errno == libc::ENOBUFS => lost = true,
                Err(refused) => return Err(named(refused)),
            }
        }
    }
}

fn named(refused: Refused) -> KernelError {
    refused.named("nft monitor trace")
}

/// The steps, and of those of the marking tables what shows a packet. Where only a policy decided, no other step has.
fn of_users(steps: Vec<Trace>) -> Vec<Trace> {
    let mut steps = with_packets(steps);
    steps.retain(|step| step.table != TABLE || step.packet.is_some());
    let mut of_packets: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        of_packets.entry(step.id).or_default().push(at);
    }
    for own in of_packets.values() {
        let users = || own.iter().copied().filter(|at| steps[*at].table != TABLE);
        let Some(first) = users().next().filter(|_| users().all(|at| steps[at].packet.is_none())) else { continue };
        if let Some(mark) = own.first().filter(|at| **at < first).map(|at| steps[*at].clone()) {
            let first = &mut steps[first];
            first.iif = first.iif.or(mark.iif);
            first.packet = mark.packet;
        }
    }
    steps
}

/// The steps without those that only show the packet: a hook may show it in a message of its own, before the first rule.
fn with_packets(steps: Vec<Trace>) -> Vec<Trace> {
    let mut heads: Vec<Trace> = Vec::new();
    let mut all = Vec::with_capacity(steps.len());
    for mut step in steps {
        if step.kind == SHOWS {
            heads.push(step);
            continue;
        }
        let head = heads.iter().rposition(|head| head.id == step.id && head.chain_is(&step));
        if let Some(head) = head.filter(|_| step.packet.is_none()).map(|at| heads.swap_remove(at)) {
            (step.iif, step.oif, step.packet) = (step.iif.or(head.iif), step.oif.or(head.oif), head.packet);
        }
        all.push(step);
    }
    all
}

/// What stands for a step that names no rule; handles begin with 1.
const SHOWS: TraceKind = TraceKind::Rule(0);

/// A step, of the marking tables too.
fn step(node: usize, message: &[u8]) -> Option<Trace> {
    let attributes = message.get(FAMILY_HEADER..)?;
    // `NFTA_TRACE_TABLE`, `_CHAIN`, `_RULE_HANDLE`, `_TYPE`, `_ID`, `_NETWORK_HEADER`, `_TRANSPORT_HEADER`, `_IIF`, `_OIF`.
    let table = text(attributes, 1)?;
    let kind = match word(attributes, 4)? {
        // `NFT_TRACETYPE_*`.
        1 => TraceKind::Policy,
        2 => TraceKind::Return,
        _ => long(attributes, 3).map_or(SHOWS, TraceKind::Rule),
    };
    let network = find(attributes, 8).unwrap_or_default();
    let packet = decode_headers(network, find(attributes, 9).unwrap_or_default());
    Some(Trace {
        node,
        id: word(attributes, 6)?,
        family: family(*message.first()?),
        table,
        chain: text(attributes, 2)?,
        kind,
        verdict: verdict(attributes).unwrap_or(TraceVerdict::Continue),
        iif: word(attributes, 10),
        oif: word(attributes, 12),
        packet,
    })
}

/// `NFTA_TRACE_VERDICT` with `NFTA_VERDICT_CODE` and `_CHAIN`, or `NFTA_TRACE_POLICY`.
fn verdict(attributes: &[u8]) -> Option<TraceVerdict> {
    let nested = find(attributes, 5);
    let code = nested.and_then(|nested| word(nested, 1)).or_else(|| word(attributes, 16))?.cast_signed();
    let chain = || nested.and_then(|nested| text(nested, 2)).unwrap_or_default();
    // `NFT_*` below zero; `NF_*`, whose upper half is a queue's number, above.
    Some(match code {
        -5 => TraceVerdict::Return,
        -4 => TraceVerdict::Goto(chain()),
        -3 => TraceVerdict::Jump(chain()),
        -2 | -1 => TraceVerdict::Continue,
        0 => TraceVerdict::Drop,
        1 => TraceVerdict::Accept,
        other => TraceVerdict::Other(match other & 0xff {
            2 => "stolen".to_owned(),
            3 => format!("queue {}", other >> 16),
            4 => "repeat".to_owned(),
            _ => format!("verdict {other}"),
        }),
    })
}
