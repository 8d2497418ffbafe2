//! Policy rules as `ip rule` writes them (ip/iprule.c of iproute2).

use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage, RulePortRange};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::routes::{prefix, protocol, table_name};
use crate::evidence::PolicyRule;
use crate::lab::{KernelError, LabNode};

/// The rules that every node has, by priority and table (`fib_default_rules_init` of `net/ipv4/fib_rules.c`,
/// `fib6_rules_net_init` of `net/ipv6/fib6_rules.c`).
const DEFAULT: [(bool, u32, u32); 5] =
    [(false, 0, 255), (false, 32766, 254), (false, 32767, 253), (true, 0, 255), (true, 32766, 254)];

/// A node's rules of both families but [`DEFAULT`], in the order in which the kernel looks at them; and which of these
/// it has not, each by family and priority.
pub(super) async fn rules(node: &LabNode) -> Result<(Vec<PolicyRule>, Vec<(bool, u32)>), KernelError> {
    let mut found = Vec::new();
    let mut gone = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = RuleMessage::default();
        message.header.family = family;
        let answers = node.netlink.dump(RouteNetlinkMessage::GetRule(message), "ip rule show").await?;
        let all: Vec<PolicyRule> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                // A kernel without the one family gives the rules of the other.
                RouteNetlinkMessage::NewRule(message) if message.header.family == family => Some(rule(&message)),
                _ => None,
            })
            .collect();
        let v6 = family == AddressFamily::Inet6;
        if !all.is_empty() {
            let lacking =
                DEFAULT.iter().filter(|usual| usual.0 == v6 && !all.iter().any(|rule| is_usual(rule, **usual)));
            gone.extend(lacking.map(|(v6, priority, _)| (*v6, *priority)));
        }
        found.extend(all.into_iter().filter(|rule| !DEFAULT.iter().any(|usual| is_usual(rule, *usual))));
    }
    Ok((found, gone))
}

/// Whether a rule is one that every node has. Whoever has put conditions on it has made it another.
fn is_usual(rule: &PolicyRule, (v6, priority, table): (bool, u32, u32)) -> bool {
    rule.v6 == v6 && rule.text == format!("{priority}: from all lookup {}", table_name(table))
}

fn rule(message: &RuleMessage) -> PolicyRule {
    let v6 = message.header.family == AddressFamily::Inet6;
    let priority = find(message, |attribute| match attribute {
        RuleAttribute::Priority(priority) => Some(*priority),
        _ => None,
    });
    let table = (message.header.action == RuleAction::ToTable).then(|| table(message)).flatten();
    let priority = priority.unwrap_or(0);
    PolicyRule { v6, priority, table, text: format!("{priority}: {}", words(message)) }
}

fn find<T>(message: &RuleMessage, pick: impl Fn(&RuleAttribute) -> Option<T>) -> Option<T> {
    message.attributes.iter().find_map(pick)
}

fn table(message: &RuleMessage) -> Option<u32> {
    let long = find(message, |attribute| match attribute {
        RuleAttribute::Table(table) => Some(*table),
        _ => None,
    });
    long.or_else(|| Some(message.header.table.into())).filter(|table| *table != 0)
}

/// What stands behind the priority.
fn words(message: &RuleMessage) -> String {
    let mut words = conditions(message);
    if let Some(table) = table(message) {
        words.push(format!("lookup {}", table_name(table)));
    }
    for attribute in &message.attributes {
        match attribute {
            // The kernel writes "none" as the largest number.
            RuleAttribute::SuppressPrefixLen(length) if *length != u32::MAX => {
                words.push(format!("suppress_prefixlength {length}"));
            }
            RuleAttribute::SuppressIfGroup(group) if *group != u32::MAX => {
                words.push(format!("suppress_ifgroup {group}"));
            }
            _ => {}
        }
    }
    words.extend(find(message, |attribute| match attribute {
        RuleAttribute::Realm(realm) if realm.source == 0 => Some(format!("realms {}", realm.destination)),
        RuleAttribute::Realm(realm) => Some(format!("realms {}/{}", realm.source, realm.destination)),
        _ => None,
    }));
    words.extend(action(message));
    words.extend(
        find(message, |attribute| match attribute {
            RuleAttribute::Protocol(maker) => Some(*maker),
            _ => None,
        })
        .filter(|maker| !matches!(u8::from(*maker), UNSPECIFIED | KERNEL))
        .and_then(protocol)
        .map(|name| format!("proto {name}")),
    );
    words.join(" ")
}

/// `RTPROT_UNSPEC` and `RTPROT_KERNEL` of linux/rtnetlink.h: nobody in particular.
const UNSPECIFIED: u8 = 0;
const KERNEL: u8 = 2;

fn action(message: &RuleMessage) -> Vec<String> {
    let flags = message.header.flags;
    match message.header.action {
        RuleAction::Goto => {
            let target = find(message, |attribute| match attribute {
                RuleAttribute::Goto(priority) => Some(priority.to_string()),
                _ => None,
            });
            let mut words = vec![format!("goto {}", target.unwrap_or_else(|| "none".to_owned()))];
            if flags.contains(RuleFlags::Unresolved) {
                words.push("[unresolved]".to_owned());
            }
            words
        }
        RuleAction::Nop => vec!["nop".to_owned()],
        RuleAction::Blackhole => vec!["blackhole".to_owned()],
        RuleAction::Unreachable => vec!["unreachable".to_owned()],
        RuleAction::Prohibit => vec!["prohibit".to_owned()],
        RuleAction::ToTable | RuleAction::Unspec => Vec::new(),
        other => vec![format!("action {}", u8::from(other))],
    }
}

/// Which packets a rule is about.
fn conditions(message: &RuleMessage) -> Vec<String> {
    let header = &message.header;
    let mut words = Vec::new();
    if header.flags.contains(RuleFlags::Invert) {
        words.push("not".to_owned());
    }
    let source = find(message, |attribute| match attribute {
        RuleAttribute::Source(address) => Some(*address),
        _ => None,
    });
    let from = source.map_or_else(|| "all".to_owned(), |address| prefix(address, header.src_len));
    words.push(format!("from {from}"));
    words.extend(find(message, |attribute| match attribute {
        RuleAttribute::Destination(address) => Some(format!("to {}", prefix(*address, header.dst_len))),
        _ => None,
    }));
    if header.tos != 0 {
        words.push(format!("tos {:#x}", header.tos));
    }
    words.extend(mark(message));
    // In the order in which `ip rule` writes them, which is not that of the kernel.
    let picks: [fn(&RuleAttribute, RuleFlags) -> Option<String>; 6] =
        [iif, oif, user, transport, source_port, target_port];
    for pick in picks {
        words.extend(message.attributes.iter().filter_map(|attribute| pick(attribute, header.flags)));
    }
    words
}

fn mark(message: &RuleMessage) -> Option<String> {
    let mask = find(message, |attribute| match attribute {
        RuleAttribute::FwMask(mask) => Some(*mask),
        _ => None,
    });
    let mark = find(message, |attribute| match attribute {
        RuleAttribute::FwMark(mark) => Some(*mark),
        _ => None,
    });
    match (mark, mask.filter(|mask| *mask != u32::MAX)) {
        (None | Some(0), None) => None,
        (mark, Some(mask)) => Some(format!("fwmark {:#x}/{mask:#x}", mark.unwrap_or(0))),
        (Some(mark), None) => Some(format!("fwmark {mark:#x}")),
    }
}

fn iif(attribute: &RuleAttribute, flags: RuleFlags) -> Option<String> {
    let RuleAttribute::Iifname(name) = attribute else { return None };
    Some(format!("iif {name}{}", detached(flags, RuleFlags::IifDetached)))
}

fn oif(attribute: &RuleAttribute, flags: RuleFlags) -> Option<String> {
    let RuleAttribute::Oifname(name) = attribute else { return None };
    Some(format!("oif {name}{}", detached(flags, RuleFlags::OifDetached)))
}

/// There is no such interface now.
fn detached(flags: RuleFlags, which: RuleFlags) -> &'static str {
    if flags.contains(which) { " [detached]" } else { "" }
}

fn user(attribute: &RuleAttribute, _: RuleFlags) -> Option<String> {
    match attribute {
        RuleAttribute::L3MDev(true) => Some("lookup [l3mdev-table]".to_owned()),
        RuleAttribute::UidRange(users) => Some(format!("uidrange {}-{}", users.start, users.end)),
        _ => None,
    }
}

fn transport(attribute: &RuleAttribute, _: RuleFlags) -> Option<String> {
    let RuleAttribute::IpProtocol(protocol) = attribute else { return None };
    Some(format!("ipproto {}", transport_name(u8::from(*protocol))))
}

fn source_port(attribute: &RuleAttribute, _: RuleFlags) -> Option<String> {
    let RuleAttribute::SourcePortRange(ports) = attribute else { return None };
    Some(format!("sport {}", port_range(*ports)))
}

fn target_port(attribute: &RuleAttribute, _: RuleFlags) -> Option<String> {
    let RuleAttribute::DestinationPortRange(ports) = attribute else { return None };
    Some(format!("dport {}", port_range(*ports)))
}

fn transport_name(number: u8) -> String {
    match i32::from(number) {
        libc::IPPROTO_ICMP => "icmp".to_owned(),
        libc::IPPROTO_TCP => "tcp".to_owned(),
        libc::IPPROTO_UDP => "udp".to_owned(),
        libc::IPPROTO_ICMPV6 => "ipv6-icmp".to_owned(),
        other => other.to_string(),
    }
}

fn port_range(ports: RulePortRange) -> String {
    if ports.start == ports.end { ports.start.to_string() } else { format!("{}-{}", ports.start, ports.end) }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use rtnetlink::packet_route::IpProtocol;

    use super::*;

    fn message(action: RuleAction, priority: u32, attributes: Vec<RuleAttribute>) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.action = action;
        message.attributes = attributes;
        message.attributes.push(RuleAttribute::Priority(priority));
        message.attributes.push(RuleAttribute::SuppressPrefixLen(u32::MAX));
        message
    }

    fn text(message: &RuleMessage) -> String {
        rule(message).text
    }

    #[test]
    fn a_rule_is_written_as_by_ip_rule() {
        let address: IpAddr = "10.0.0.0".parse().expect("an address");
        let mut from =
            message(RuleAction::ToTable, 100, vec![RuleAttribute::Source(address), RuleAttribute::Table(100)]);
        from.header.src_len = 8;
        assert_eq!(text(&from), "100: from 10.0.0.0/8 lookup 100");
        let mut long = message(
            RuleAction::ToTable,
            101,
            vec![
                RuleAttribute::Iifname("e0".to_owned()),
                RuleAttribute::FwMark(1),
                RuleAttribute::FwMask(0xff),
                RuleAttribute::DestinationPortRange(RulePortRange { start: 80, end: 90 }),
                RuleAttribute::IpProtocol(IpProtocol::Tcp),
                RuleAttribute::Destination(address),
                RuleAttribute::Table(77),
            ],
        );
        long.header.dst_len = 8;
        long.header.flags = RuleFlags::Invert;
        assert_eq!(
            text(&long),
            "101: not from all to 10.0.0.0/8 fwmark 0x1/0xff iif e0 ipproto tcp dport 80-90 lookup 77"
        );
        assert_eq!(text(&message(RuleAction::Prohibit, 103, vec![])), "103: from all prohibit");
        assert_eq!(rule(&message(RuleAction::Prohibit, 103, vec![])).table, None);
    }

    #[test]
    fn only_what_every_node_has_is_left_out() {
        let main = |priority| message(RuleAction::ToTable, priority, vec![RuleAttribute::Table(254)]);
        let usual = |message: &RuleMessage| DEFAULT.iter().any(|usual| is_usual(&rule(message), *usual));
        assert!(usual(&main(32766)) && !usual(&main(5)));
        assert_eq!(text(&main(5)), "5: from all lookup main");
        let mut limited = main(32766);
        limited.attributes.push(RuleAttribute::SuppressPrefixLen(0));
        assert_eq!(text(&limited), "32766: from all lookup main suppress_prefixlength 0");
        assert!(!usual(&limited));
    }
}
