//! The mark that rules give a packet before its way is looked for, which policy rules may look at.

use super::policy::{self, behind};
use super::trails::Ends;
use super::walk::OWN_TABLE;
use super::world::World;
use crate::evidence::{Place, Rule, Trace, TraceKind};

/// The mark of a packet in a node, and the rule that has set it. `own` packets are those that the node itself sends.
///
/// Only what a trace shows counts: that a rule could mark is not enough.
pub(super) fn of<'a>(world: &World<'a>, node: usize, v6: bool, own: bool, ends: &[Ends]) -> Option<(u32, &'a Rule)> {
    let asked: Vec<u32> = world
        .node(node)
        .policy
        .iter()
        .filter(|rule| rule.v6 == v6)
        .filter_map(|rule| {
            let words: Vec<&str> = rule.text.split(' ').collect();
            policy::number(behind(&words, "fwmark")?.split('/').next()?)
        })
        .collect();
    let first = *asked.first()?;
    let marks = |trace: &&Trace| {
        let packet = trace.packet.as_ref().and_then(Ends::of);
        trace.node == node && packet.is_some_and(|found| ends.contains(&found)) && is_in_time(world, trace, own)
    };
    let traces = world.evidence().traces.iter().filter(marks);
    let (trace, rule) = traces.filter_map(|trace| Some((trace, setter(world, trace)?))).last()?;
    let shown = value(&rule.text);
    // A mark that is kept with the connection, or counted together, is not written in the rule: one that a policy rule
    // asks for is meant, where there is one alone.
    let mark = shown.or_else(|| asked.iter().all(|mark| *mark == first).then_some(first))?;
    (trace.table != OWN_TABLE).then_some((mark, rule))
}

/// Whether a rule stands where the way is looked for behind it: before routing, or, for what the node itself sends,
/// where a new mark makes it look again (`nf_route_table_hook4` of the kernel, which nft calls `type route`).
fn is_in_time(world: &World<'_>, trace: &Trace, own: bool) -> bool {
    let chains = &world.node(trace.node).chains;
    let chain = chains
        .iter()
        .find(|chain| (&chain.family, &chain.table, &chain.name) == (&trace.family, &trace.table, &trace.chain));
    let hook = chain.and_then(|chain| chain.hook.as_deref());
    if !own {
        return trace.iif.is_some() && trace.oif.is_none() && hook.is_none_or(|hook| hook == "prerouting");
    }
    let routes = match chain.and_then(|chain| chain.place.as_ref()) {
        Some(Place::File { text, .. }) => text.contains("type route"),
        _ => false,
    };
    let of_iptables = trace.table == "mangle" && ["ip", "ip6"].contains(&trace.family.as_str());
    trace.iif.is_none() && hook.is_none_or(|hook| hook == "output") && (routes || of_iptables)
}

/// The rule of a step, where it sets a mark.
fn setter<'a>(world: &World<'a>, trace: &Trace) -> Option<&'a Rule> {
    let TraceKind::Rule(handle) = trace.kind else { return None };
    let is_it = |rule: &&Rule| {
        rule.handle == handle && (&rule.family, &rule.table, &rule.chain) == (&trace.family, &trace.table, &trace.chain)
    };
    let sets = |rule: &&Rule| {
        let restores = rule.text.contains("-j CONNMARK") && rule.text.contains("--restore-mark");
        rule.text.contains("meta mark set") || rule.text.contains("-j MARK") || restores
    };
    world.node(trace.node).rules.iter().filter(is_it).find(sets)
}

/// The mark that a rule sets, where it is a number.
fn value(text: &str) -> Option<u32> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let option = ["--set-xmark", "--set-mark", "--or-mark"].into_iter().find_map(|option| behind(&words, option));
    let set = words.windows(4).find(|window| window[..3] == ["meta", "mark", "set"]).map(|window| window[3]);
    policy::number(option.or(set)?.split('/').next()?)
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_mark_is_read_as_nft_and_iptables_write_it() {
        for (text, mark) in [
            ("iifname \"a\" tcp dport { 80, 443 } meta mark set 0x00000001", Some(1)),
            ("-A OUTPUT -p tcp -j MARK --set-xmark 0x51/0xffffffff", Some(0x51)),
            ("meta mark set ct mark", None),
            ("-A PREROUTING -j CONNMARK --restore-mark", None),
        ] {
            assert_eq!(value(text), mark, "{text}");
        }
    }
}
