//! Whom the server saw at the other end.

use std::net::IpAddr;

use crate::plan::{By, NatKind, Plan, Target, landing};
use crate::verdict::describe::{node, who};
use crate::words::{Family, Port};

/// What is wrong with the address that the server saw, in words that read behind "but"; nothing when it is as expected,
/// or nothing was expected.
pub(super) fn difference(
    plan: &Plan,
    to: &Target,
    port: Port,
    expected: Option<&By>,
    seen: Option<IpAddr>,
) -> Option<String> {
    let expected = expected.filter(|expected| seen.is_none_or(|seen| !expected.addresses.contains(&seen)))?;
    let server = match landing(&plan.nodes, to, Some(port)).owner {
        Some(owner) => node(plan, owner.node),
        None => "the server",
    };
    let saw = match seen {
        Some(seen) => format!("saw it come from {}", who(plan, seen)),
        // A probe that could not tell is an error, and never comes here.
        None => "was not asked whom it saw".to_owned(),
    };
    Some(format!("{server} {saw}, expected {}", expected.words))
}

/// What the plan's nodes would have translated, where the server saw the sender's own address all the same.
pub(super) fn untranslated(plan: &Plan, own: Option<IpAddr>, seen: Option<IpAddr>) -> Option<String> {
    let seen = seen.filter(|seen| own == Some(*seen))?;
    let why = "that is the sender's own address: nothing translated it";
    Some(match translations(plan, seen) {
        Some(translations) => format!("{why}; {translations}"),
        None => why.to_owned(),
    })
}

/// What the plan's nodes translate of an address's family, in words.
pub(super) fn translations(plan: &Plan, address: IpAddr) -> Option<String> {
    let family = Family::of(address);
    let leaving = plan.nodes.iter().flat_map(|node| node.nat.iter().map(move |nat| (node, &nat.kind)));
    let translated: Vec<String> = leaving
        .filter_map(|(node, kind)| {
            let (word, leaving) = match kind {
                NatKind::Masquerade { leaving, families } if families.contains(&family) => ("masquerades", leaving),
                NatKind::Snat { leaving, to } if Family::of(*to) == family => ("translates", leaving),
                NatKind::Masquerade { .. } | NatKind::Snat { .. } | NatKind::Forward(_) => return None,
            };
            let sources = leaving.src.iter().filter(|src| Family::of(src.address) == family);
            let mut what: Vec<String> = sources.map(|src| format!("from {src}")).collect();
            let dev = leaving.dev.and_then(|dev| node.interfaces.get(dev));
            what.extend(dev.map(|dev| format!("by {}", dev.name)));
            (!what.is_empty()).then(|| format!("{} {word} what leaves {}", node.name, what.join(" ")))
        })
        .collect();
    (!translated.is_empty()).then(|| translated.join("; "))
}
