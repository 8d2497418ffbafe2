//! Requests by which a node answers for whole prefixes.

use std::net::IpAddr;

use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::route::{RouteHeader, RouteProtocol, RouteScope, RouteType};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::Netlink;
use crate::lab::KernelError;
use crate::words::Cidr;

/// The index of `lo` in every namespace.
const LOOPBACK: u32 = 1;

/// A table of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lab) enum Table {
    /// The node's own addresses.
    Local,
    /// The ways to others.
    Main,
}

impl Table {
    pub(in crate::lab) fn number(self) -> u8 {
        match self {
            // `RT_TABLE_LOCAL` of linux/rtnetlink.h.
            Self::Local => 255,
            Self::Main => RouteHeader::RT_TABLE_MAIN,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Main => "main",
        }
    }
}

impl Netlink {
    /// Makes every address of a prefix the node's own, as far as one table goes.
    pub(in crate::lab) async fn add_local_route(&self, prefix: Cidr, table: Table) -> Result<(), KernelError> {
        let operation = || format!("ip route add local {prefix} dev lo table {}", table.word());
        let mut message = RouteMessageBuilder::<IpAddr>::new()
            .destination_prefix(prefix.address, prefix.length)
            .map_err(|error| KernelError::broken(operation(), error.to_string()))?
            .protocol(RouteProtocol::Static)
            .kind(RouteType::Local)
            .output_interface(LOOPBACK)
            .build();
        message.header.table = table.number();
        if prefix.address.is_ipv4() {
            message.header.scope = RouteScope::Host;
        }
        self.ask(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL, operation).await
    }

    /// Has the table of the node's own addresses looked up first for routes longer than this only.
    pub(in crate::lab) async fn pass_over_local_routes(&self, length: u8) -> Result<(), KernelError> {
        let words = |verb: &str, more: &str| format!("ip rule {verb} priority 0 lookup local{more}");
        let mut rule = local_rule();
        rule.attributes.push(RuleAttribute::SuppressPrefixLen(length.into()));
        self.ask(RouteNetlinkMessage::NewRule(rule), NLM_F_CREATE | NLM_F_EXCL, || {
            words("add", &format!(" suppress_prefixlength {length}"))
        })
        .await?;
        // The kernel deletes the first that fits: its own, which stands before the one just made.
        self.ask(RouteNetlinkMessage::DelRule(local_rule()), 0, || words("delete", "")).await
    }

    /// The prefix lengths that rules pass over in the table of the node's own addresses; `None` for a rule that does
    /// not.
    pub(in crate::lab) async fn local_rules(&self) -> Result<Vec<Option<u32>>, KernelError> {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        let rules = self.dump(RouteNetlinkMessage::GetRule(message), "ip rule show").await?;
        let lengths = rules.into_iter().filter_map(|rule| match rule {
            RouteNetlinkMessage::NewRule(rule) if rule.header.table == Table::Local.number() => {
                Some(rule.attributes.iter().find_map(|attribute| match attribute {
                    RuleAttribute::SuppressPrefixLen(length) => Some(*length),
                    _ => None,
                }))
            }
            _ => None,
        });
        // The kernel writes "none" as the largest number.
        Ok(lengths.map(|length| length.filter(|length| *length != u32::MAX)).collect())
    }
}

/// The rule that the kernel makes in every namespace: first of all the node's own addresses.
fn local_rule() -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header.family = AddressFamily::Inet;
    rule.header.action = RuleAction::ToTable;
    rule.header.table = Table::Local.number();
    rule.attributes = vec![RuleAttribute::Priority(0), RuleAttribute::Table(Table::Local.number().into())];
    rule
}
