//! Declared translation of addresses as rules of `nf_tables`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::nft::{self, Chain, Refusal, Rule, Side, Statement};
use super::{KernelError, LabError, LabNode};
use crate::namespace::Namespace;
use crate::plan::{Forward, Leaving, NatKind, Node, Plan};
use crate::source::Span;
use crate::words::{Cidr, Family};

/// Makes a node's rules.
pub(super) fn load(node: &Node, made: &LabNode) -> Result<(), LabError> {
    nft::load(&made.namespace, &rules(node)).map_err(|Refusal { entry, error }| {
        let refused = LabError::new(format!("the kernel refused in {}: {error}", node.name));
        match place(node, entry) {
            Some(span) => refused.at(span),
            None => refused,
        }
    })
}

/// What a node's rules are otherwise than asked for, each in words, and the place of the first.
pub(super) fn differences(node: &Node, made: &LabNode) -> Result<(Vec<String>, Option<Span>), KernelError> {
    let found = nft::differences(&made.namespace, &rules(node))?;
    let first = found.first().and_then(|(entry, _)| place(node, *entry));
    Ok((found.into_iter().map(|(_, words)| format!("{}: {words}", node.name)).collect(), first))
}

/// Why this kernel can do none of what the plan's `nat` needs, in its own words. It is asked for exactly that, in a
/// namespace that nobody uses; whatever else it refuses there is for the building to tell. The rules stay: after deleting
/// them, closing the socket would wait for the kernel's next grace period, some 8 ms.
pub fn nat_lacking(plan: &Plan, scratch: &Namespace) -> Option<String> {
    let translating = plan.nodes.iter().filter(|node| !node.nat.is_empty());
    let refusals = translating.filter_map(|node| nft::load(scratch, &rules(node)).err());
    let mut lacking = refusals.filter(|refusal| is_lack(refusal.error.errno));
    lacking.next().map(|refusal| format!("this kernel cannot do what `nat` needs: {}", refusal.error))
}

/// What the kernel says of a part that it does not have: no netfilter sockets, no `nf_tables`, no chain or expression of
/// this kind (`net/netfilter/nfnetlink.c`, `net/netfilter/nf_tables_api.c`).
fn is_lack(errno: i32) -> bool {
    matches!(errno, libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP | libc::ENOENT)
}

fn place(node: &Node, entry: Option<usize>) -> Option<Span> {
    Some(node.nat.get(entry.unwrap_or(0))?.span)
}

/// A rule of the lab's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatRule {
    /// Its chain.
    pub chain: String,
    /// The rule as nft(8) writes it.
    pub words: String,
    /// The entry of the case that asks for it.
    pub span: Span,
}

/// The rules that a node has for its `nat`, in the order in which they stand in their chains.
pub fn rules_of_nat(node: &Node) -> Vec<NatRule> {
    let told = |rule: Rule| {
        let span = place(node, Some(rule.entry)).unwrap_or_default();
        NatRule { chain: rule.chain.to_string(), words: rule.statement.words, span }
    };
    rules(node).into_iter().map(told).collect()
}

/// The rules of a node, in the order of its `nat`.
fn rules(node: &Node) -> Vec<Rule> {
    let entries = node.nat.iter().enumerate();
    entries
        .flat_map(|(entry, nat)| {
            let statements = match &nat.kind {
                NatKind::Masquerade { leaving, families } => {
                    let families = families.iter();
                    families.flat_map(|family| leave(node, leaving, *family, &Statement::masquerade)).collect()
                }
                NatKind::Snat { leaving, to } => {
                    leave(node, leaving, Family::of(*to), &|statement| statement.translate(Side::Source, *to, None))
                }
                NatKind::Forward(forward) => forwarded(node, forward),
            };
            let word = match &nat.kind {
                NatKind::Masquerade { .. } => "masquerade",
                NatKind::Snat { .. } => "snat",
                NatKind::Forward(_) => "forward",
            };
            statements.into_iter().map(move |(chain, statement)| Rule {
                chain,
                statement,
                comment: format!("nat {}: {word}", entry + 1),
                entry,
            })
        })
        .collect()
}

/// The rules for packets that leave.
fn leave(
    node: &Node,
    leaving: &Leaving,
    family: Family,
    end: &dyn Fn(Statement) -> Statement,
) -> Vec<(Chain, Statement)> {
    let anywhere = [None];
    let some: Vec<Option<Cidr>> =
        leaving.src.iter().filter(|src| Family::of(src.address) == family).map(|src| Some(*src)).collect();
    let sources: &[Option<Cidr>] = if leaving.src.is_empty() { &anywhere } else { &some };
    let statements = sources.iter().map(|source| {
        let statement = Statement::of_family(family);
        let statement = match source.filter(|source| source.length > 0) {
            Some(source) => statement.address_in(Side::Source, source),
            None => statement,
        };
        let statement = match leaving.dev {
            Some(dev) => statement.leaves_by(&node.interfaces[dev].name),
            // What the node says to itself stays as it is.
            None => statement.leaves_not_by("lo"),
        };
        (Chain::Postrouting, end(statement.counted()))
    });
    statements.collect()
}

/// The rules of a forward: for what comes in, for what the node itself sends, and for what goes back where it came from.
fn forwarded(node: &Node, forward: &Forward) -> Vec<(Chain, Statement)> {
    let Forward { addresses, port, to, to_port, behind } = forward;
    let family = Family::of(*to);
    let to_port_of = |statement: Statement, number: u16| match port {
        Some(port) => statement.goes_to_port(port.transport, number),
        None => statement,
    };
    let here: Vec<Statement> = if addresses.is_empty() {
        // A packet from a loopback address could never leave.
        vec![Statement::of_family(family).address_not_in(Side::Destination, loopback(family)).goes_to_itself()]
    } else {
        let of = |address: &IpAddr| Statement::of_family(family).address_in(Side::Destination, whole(*address));
        addresses.iter().map(of).collect()
    };
    let mut statements = Vec::new();
    for chain in [Chain::Prerouting, Chain::Output] {
        statements.extend(here.iter().map(|here| {
            let matched = to_port_of(here.clone(), port.map_or(0, |port| port.number));
            (chain, matched.counted().translate(Side::Destination, *to, *to_port))
        }));
    }
    let arrives = to_port.or(port.map(|port| port.number)).unwrap_or_default();
    statements.extend(behind.iter().map(|dev| {
        let name = &node.interfaces[*dev].name;
        let back = Statement::of_family(family).comes_in_by(name).leaves_by(name).has_been_forwarded();
        let back = to_port_of(back.address_in(Side::Destination, whole(*to)), arrives);
        (Chain::Postrouting, back.counted().masquerade())
    }));
    statements
}

fn whole(address: IpAddr) -> Cidr {
    Cidr { address, length: if address.is_ipv4() { 32 } else { 128 } }
}

fn loopback(family: Family) -> Cidr {
    match family {
        Family::Ipv4 => Cidr { address: Ipv4Addr::new(127, 0, 0, 0).into(), length: 8 },
        Family::Ipv6 => whole(Ipv6Addr::LOCALHOST.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Interface, InterfaceKind, Nat};
    use crate::words::{Port, Transport};

    fn interface(name: &str) -> Interface {
        Interface {
            name: name.to_owned(),
            index: 1,
            kind: InterfaceKind::Bridge,
            mac: None,
            mtu: None,
            present: true,
            up: true,
            ipv6: false,
            addresses: Vec::new(),
            master: None,
            span: Span::default(),
        }
    }

    fn words(kind: NatKind) -> Vec<String> {
        let node = Node {
            name: "gw".to_owned(),
            switch: false,
            interfaces: vec![interface("lo"), interface("lan"), interface("wan")],
            routes: Vec::new(),
            forward_ipv4: true,
            forward_ipv6: true,
            sysctls: Vec::new(),
            nat: vec![Nat { kind, span: Span::default() }],
            serves: Vec::new(),
            resolver: Vec::new(),
            resolver_spans: Vec::new(),
            open: false,
            created_by: None,
            process: None,
            span: Span::default(),
            forwarding: None,
        };
        rules(&node).into_iter().map(|rule| format!("{}: {}", rule.chain, rule.statement.words)).collect()
    }

    #[test]
    fn a_forward_is_for_what_comes_in_for_what_the_node_sends_and_back_where_it_came_from() {
        let port = Some(Port { number: 80, transport: Transport::Tcp });
        let to = "10.0.0.2".parse().expect("an address");
        let forward = Forward { addresses: Vec::new(), port, to, to_port: Some(8080), behind: vec![1] };
        let here = "ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 80 counter dnat ip to 10.0.0.2:8080";
        assert_eq!(
            words(NatKind::Forward(forward)),
            [
                format!("prerouting: {here}"),
                format!("output: {here}"),
                "postrouting: iifname \"lan\" oifname \"lan\" ct status dnat ip daddr 10.0.0.2 tcp dport 8080 \
                 counter masquerade"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn what_leaves_is_told_by_where_it_comes_from_and_by_its_way_out() {
        let leaving = |src: &[(&str, u8)], dev| {
            let prefix = |(address, length): &(&str, u8)| Cidr {
                address: address.parse().expect("an address"),
                length: *length,
            };
            Leaving { src: src.iter().map(prefix).collect(), dev }
        };
        let families = vec![Family::Ipv4, Family::Ipv6];
        assert_eq!(
            words(NatKind::Masquerade { leaving: leaving(&[], Some(2)), families: families.clone() }),
            ["postrouting: oifname \"wan\" counter masquerade"; 2]
        );
        assert_eq!(
            words(NatKind::Masquerade { leaving: leaving(&[("10.0.0.0", 8), ("fd00::", 8)], None), families }),
            [
                "postrouting: ip saddr 10.0.0.0/8 oifname != \"lo\" counter masquerade",
                "postrouting: ip6 saddr fd00::/8 oifname != \"lo\" counter masquerade",
            ]
        );
        let to = "192.0.2.9".parse().expect("an address");
        assert_eq!(
            words(NatKind::Snat { leaving: leaving(&[("0.0.0.0", 0)], Some(2)), to }),
            ["postrouting: oifname \"wan\" counter snat ip to 192.0.2.9"]
        );
    }
}
