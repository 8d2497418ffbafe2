//! Macvlans: whom they do not reach on the interface that they stand on.

use super::blame;
use super::ports::frames_at;
use super::world::{End, World};
use crate::evidence::{Cause, CauseKind, Interface};
use crate::words::MacvlanMode;

/// Why a frame does not go from one macvlan to another, or to what carries them, though they are on one interface.
pub(super) fn kept(world: &World<'_>, way: &[End]) -> Option<Cause> {
    let stands_on = |child: End, parent: End| {
        let interface = world.interface(child).filter(|it| it.kind.as_deref() == Some("macvlan"))?;
        (interface.link == Some(parent)).then_some(interface)
    };
    let sender = world.interface(*way.first()?)?.mac?;
    // What leaves the machine may be sent back by the switch outside.
    let left = |parent: End| {
        let has = |outgoing| frames_at(world, parent, outgoing).any(|(_, from)| from == sender);
        has(true) && !has(false)
    };
    if let [parent, child, ..] = *way
        && let Some(interface) = stands_on(child, parent)
    {
        return left(parent).then(|| never(world, child, interface, parent));
    }
    if let [.., child, parent] = *way
        && let Some(interface) = stands_on(child, parent)
    {
        return left(parent).then(|| never(world, child, interface, parent));
    }
    way.windows(3).find_map(|three| {
        let [one, parent, two] = *three else { return None };
        let both = [(one, stands_on(one, parent)?, two), (two, stands_on(two, parent)?, one)];
        let alone = |it: &Interface| matches!(it.macvlan, Some(MacvlanMode::Private | MacvlanMode::Vepa));
        let (end, interface, other) = both.into_iter().find(|(_, it, _)| alone(it))?;
        left(parent).then(|| apart(world, end, interface, other, parent))
    })
}

/// A macvlan and what carries it.
fn never(world: &World<'_>, child: End, interface: &Interface, parent: End) -> Cause {
    let (name, carrier) = (world.end_name(child), world.end_name(parent));
    let words = format!("{name} is a macvlan on {carrier}: nothing passes between the two inside the machine");
    let help = format!("a macvlan of {}'s own on {carrier}, with the address, is reached", world.name(parent.0));
    blamed(world, child, interface, words, help)
}

/// Two macvlans of which one does not take part.
fn apart(world: &World<'_>, end: End, interface: &Interface, other: End, parent: End) -> Cause {
    let (name, other, carrier) = (world.end_name(end), world.end_name(other), world.end_name(parent));
    let (words, help) = if interface.macvlan == Some(MacvlanMode::Vepa) {
        let words = format!(
            "{name} is a macvlan in mode vepa: what passes between it and {other} on {carrier} goes out to the switch, which did \
             not send it back"
        );
        (words, "mode bridge, or `hairpin on` at the port of the switch")
    } else {
        (
            format!("{name} is a macvlan in mode private: nothing passes between it and {other} on {carrier}"),
            "mode bridge",
        )
    };
    blamed(world, end, interface, words, help.to_owned())
}

fn blamed(world: &World<'_>, end: End, interface: &Interface, words: String, help: String) -> Cause {
    let made = blame::done_by(world, end.0, &[&interface.name, "macvlan"]);
    match made {
        Some(line) => blame::by(world, end.0, Cause::at(CauseKind::NotConnected, words, Some(line), Some(help))),
        None => blame::of_interface(world, end, CauseKind::NotConnected, words, Some(help)),
    }
}
