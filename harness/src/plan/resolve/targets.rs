//! Where checks go: words to addresses, one for each family.

use std::net::IpAddr;

use super::aims::Aim;
use super::checker::{Checker, Sender};
use super::lab::is_link_local;
use super::routes::not_an_address_of;
use crate::case::Template;
use crate::diagnostic::Diagnostic;
use crate::plan::{By, End, InterfaceId, NodeId, ReadFrom, Target};
use crate::source::{Span, Spanned};
use crate::words::Family;

/// A target as written, and what it names.
#[derive(Clone)]
pub(super) struct Goal {
    /// As written, the port included.
    pub words: String,
    /// The place of the host.
    pub span: Span,
    pub aim: Aim,
}

/// What a check says about families and success.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// The only family, and what says so.
    pub narrow: Option<Spanned<Family>>,
    /// Whether the traffic must get through.
    pub positive: bool,
}

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

impl Checker<'_> {
    /// The targets of traffic from one node: one for each family that counts.
    pub(super) fn targets(&mut self, from: Sender, goal: &Goal, reach: Reach) -> Vec<Target> {
        if reach.positive && !self.has_way(from, goal) {
            return Vec::new();
        }
        let (node, only) = match goal.aim {
            Aim::Address(address) => {
                if is_link_local(address) {
                    self.derive(
                        Diagnostic::error(goal.span, format!("{address} is on every link"))
                            .label("a link-local address does not say which one is meant")
                            .help("use another address, or check it on the wire by `ndp = { from = \"NODE.INTERFACE\", ... }`"),
                    );
                    return Vec::new();
                }
                return self.literal(from.node, goal, address, reach.narrow).into_iter().collect();
            }
            Aim::Captured => return vec![captured_target(goal, reach.narrow.map(|narrow| narrow.value))],
            Aim::Node(node) => (node, None),
            Aim::Interface(end) => (end.node, Some(end.interface)),
        };
        if self.lab.nodes[node].open {
            let families = reach.narrow.map_or_else(|| self.families_of_open(node, only), |family| vec![family.value]);
            return families.into_iter().map(|family| open_target(goal, node, only, family)).collect();
        }
        let families = match reach.narrow {
            Some(family) => vec![family.value],
            None => self.common_families(from, goal, node, only),
        };
        families.into_iter().filter_map(|family| self.in_family(goal, node, only, family)).collect()
    }

    /// A target that is written as an address.
    pub(super) fn literal(
        &mut self,
        from: NodeId,
        goal: &Goal,
        address: IpAddr,
        narrow: Option<Spanned<Family>>,
    ) -> Option<Target> {
        if let Some(narrow) = narrow.filter(|narrow| narrow.value != Family::of(address)) {
            self.derive(
                Diagnostic::error(goal.span, format!("{address} is not an {} address", narrow.value.name()))
                    .label(format!("an {} address", Family::of(address).name()))
                    .related(narrow.span, format!("only {}", narrow.value.name())),
            );
            return None;
        }
        Some(Target { words: goal.words.clone(), address, owner: self.lab.owner(from, address), read: None })
    }

    /// The families in which a node is a target that scripts change: those of its declared addresses, else IPv4, for
    /// which names there are is to be known before they run.
    fn families_of_open(&self, node: NodeId, only: Option<InterfaceId>) -> Vec<Family> {
        let target = &self.lab.nodes[node];
        let has = |family| target.plain_addresses(family).any(|(at, _)| only.is_none_or(|only| only == at));
        let declared: Vec<Family> = FAMILIES.into_iter().filter(|family| has(*family)).collect();
        if declared.is_empty() { vec![Family::Ipv4] } else { declared }
    }

    /// Refuses a success that can never come: a node without any cable reaches itself only.
    fn has_way(&mut self, from: Sender, goal: &Goal) -> bool {
        let sender = &self.lab.nodes[from.node];
        let own = match goal.aim {
            Aim::Captured => true,
            Aim::Address(address) => sender.answers_for(address),
            Aim::Node(node) => node == from.node,
            Aim::Interface(end) => end.node == from.node,
        };
        if self.lab.has_wire(from.node) || sender.open || own {
            return true;
        }
        let wrong = Diagnostic::error(from.span, format!("`{}` can never reach anybody", *sender.name))
            .label(if sender.interface_names().count() > 1 {
                "none of its interfaces leads out of it"
            } else {
                "it has no interface but `lo`"
            })
            .related(sender.name.span, "declared here");
        if sender.sound {
            self.derive(wrong);
        }
        false
    }

    /// The families in which sender and target both have an address.
    fn common_families(&mut self, from: Sender, goal: &Goal, node: NodeId, only: Option<InterfaceId>) -> Vec<Family> {
        let (sender, target) = (&self.lab.nodes[from.node], &self.lab.nodes[node]);
        let sends = |family| from.node == node || sender.open || sender.plain_addresses(family).next().is_some();
        let has = |family| target.plain_addresses(family).any(|(at, _)| only.is_none_or(|only| only == at));
        let common: Vec<Family> = FAMILIES.into_iter().filter(|family| sends(*family) && has(*family)).collect();
        if !common.is_empty() || !sender.sound || !target.sound {
            return common;
        }
        let words = |families: Vec<Family>| match &*families {
            [] => "no address".to_owned(),
            [one] => format!("{} only", one.name()),
            _ => "both".to_owned(),
        };
        let (from_name, to_name) = (sender.name.value.clone(), self.goal_name(goal));
        let sends: Vec<Family> = FAMILIES.into_iter().filter(|family| sends(*family)).collect();
        let has: Vec<Family> = FAMILIES.into_iter().filter(|family| has(*family)).collect();
        if has.is_empty() {
            self.derive(
                Diagnostic::error(goal.span, format!("`{to_name}` has no address")).label("there is nowhere to go"),
            );
        } else {
            let family = has[0].word();
            self.derive(
                Diagnostic::error(goal.span, format!("`{from_name}` and `{to_name}` have no address family in common"))
                    .label(format!("{to_name} has {}", words(has)))
                    .related(from.span, format!("{from_name} has {}", words(sends)))
                    .help(format!("to check it all the same, write `family = \"{family}\"`")),
            );
        }
        Vec::new()
    }

    /// The only address of the target in a family.
    pub(super) fn in_family(
        &mut self,
        goal: &Goal,
        node: NodeId,
        only: Option<InterfaceId>,
        family: Family,
    ) -> Option<Target> {
        let target = &self.lab.nodes[node];
        if target.open {
            return Some(open_target(goal, node, only, family));
        }
        let mut found: Vec<(InterfaceId, IpAddr)> = Vec::new();
        for (at, address) in target.plain_addresses(family).filter(|(at, _)| only.is_none_or(|only| only == *at)) {
            if !found.iter().any(|(_, known)| *known == address) {
                found.push((at, address));
            }
        }
        let name = self.goal_name(goal);
        match &*found {
            [] => {
                if target.sound {
                    let others: Vec<String> = target.addresses().map(|(_, cidr)| cidr.address.to_string()).collect();
                    let wrong = Diagnostic::error(goal.span, format!("`{name}` has no {} address", family.name()));
                    self.derive(match &*others {
                        [] => wrong.label("it has no address at all"),
                        others => wrong.label(format!("it has {}", others.join(", "))),
                    });
                }
                None
            }
            [(interface, address)] => {
                let owner = Some(End { node, interface: *interface });
                Some(Target { words: goal.words.clone(), address: *address, owner, read: None })
            }
            several => {
                let ends = several
                    .iter()
                    .map(|(at, address)| format!("{address} ({}.{})", *target.name, *target.interfaces[*at].name));
                let list = ends.take(6).collect::<Vec<_>>().join(", ");
                let wrong = Diagnostic::error(
                    goal.span,
                    format!("`{name}` is ambiguous: it has {} {} addresses", several.len(), family.name()),
                )
                .label(format!("one of {list}"));
                let apart = several.iter().all(|(at, _)| several.iter().filter(|(other, _)| other == at).count() == 1);
                if target.sound {
                    let help = if apart {
                        "write the address, or `NODE.INTERFACE`"
                    } else {
                        "write the address that is meant"
                    };
                    self.derive(wrong.help(help));
                }
                None
            }
        }
    }

    fn goal_name(&self, goal: &Goal) -> String {
        match goal.aim {
            Aim::Captured => goal.words.clone(),
            Aim::Address(address) => address.to_string(),
            Aim::Node(node) => self.lab.nodes[node].name.value.clone(),
            Aim::Interface(end) => self.lab.end_name(end),
        }
    }

    /// The one family that `family` or `source` leaves.
    pub(super) fn narrow(
        &mut self,
        family: Option<Spanned<Family>>,
        source: Option<Spanned<IpAddr>>,
    ) -> Option<Spanned<Family>> {
        let by_source = source.map(|source| source.map(Family::of));
        if let (Some(family), Some(source)) = (family, by_source)
            && family.value != source.value
        {
            self.derive(
                Diagnostic::error(source.span, "`source` and `family` are of different families")
                    .label(format!("an {} address", source.value.name()))
                    .related(family.span, format!("only {}", family.value.name())),
            );
        }
        family.or(by_source)
    }

    /// Refuses a source address that the sender does not have.
    pub(super) fn check_source(&mut self, from: &[Sender], source: Option<Spanned<IpAddr>>) {
        let Some(source) = source else { return };
        for sender in from {
            let node = &self.lab.nodes[sender.node];
            if node.sound && !node.open && !node.answers_for(source.value) {
                let wrong = not_an_address_of(node, source, "`source` is an address of the sender")
                    .related(sender.span, "the sender");
                self.derive(wrong);
            }
        }
    }

    /// Who must have refused: a node with all the addresses that it alone has, or an address.
    pub(super) fn by(&mut self, word: &Spanned<String>) -> Option<By> {
        let lab = self.lab;
        let (named, mut addresses): (Option<NodeId>, Vec<IpAddr>) = match self.aim(word)? {
            Aim::Captured => return Some(By { words: word.value.clone(), addresses: Vec::new() }),
            Aim::Address(address) => (None, vec![address]),
            Aim::Node(node) => (Some(node), lab.nodes[node].addresses().map(|(_, cidr)| cidr.address).collect()),
            Aim::Interface(end) => (Some(end.node), lab.at(end).addresses.iter().map(|cidr| cidr.address).collect()),
        };
        let Some(node) = named else { return Some(By { words: word.value.clone(), addresses }) };
        let had = addresses.first().copied();
        addresses.retain(|address| lab.others_with(node, *address).next().is_none());
        if addresses.is_empty() && !lab.nodes[node].open {
            let other = had.and_then(|had| Some((had, lab.others_with(node, had).next()?)));
            self.derive(match other {
                Some((address, other)) => {
                    Diagnostic::error(word.span, format!("`{}` cannot be told by its address", **word))
                        .label(format!("`{}` has {address} too", *lab.nodes[other].name))
                        .help(format!("write `by = \"{address}\"`, whoever of them it is"))
                }
                None => Diagnostic::error(word.span, format!("`{}` has no address", **word))
                    .label("it cannot refuse anything"),
            });
            return None;
        }
        Some(By { words: word.value.clone(), addresses })
    }
}

/// A target that a program has said before; a family says which it must be of.
pub(super) fn captured_target(goal: &Goal, family: Option<Family>) -> Target {
    let words = goal.words.clone();
    let template = Template::of(&Spanned::new(words.clone(), goal.span));
    let read = template.map(|template| ReadFrom::Captured { template, family });
    Target { words, address: unknown(family.unwrap_or(Family::Ipv4)), owner: None, read }
}

/// Stands for an address before it is known.
fn unknown(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::from([0; 4]),
        Family::Ipv6 => IpAddr::from([0; 16]),
    }
}

/// A target whose address is read when the step begins.
fn open_target(goal: &Goal, node: NodeId, interface: Option<InterfaceId>, family: Family) -> Target {
    let read = Some(ReadFrom::Node { node, interface, family });
    Target { words: goal.words.clone(), address: unknown(family), owner: None, read }
}
