//! What the commands of scripts and of `run` actions do to a node.

use std::net::IpAddr;

use super::world::World;
use crate::evidence::Blame;
use crate::plan::Action;
use crate::words::Cidr;

/// The words of one command.
pub(super) type Words<'t> = [&'t str];

/// The last command that does something to a node: a `run` action, else a line of a script. One that names the node's
/// namespace goes before one that names none.
pub(super) fn doing(world: &World<'_>, node: usize, does: impl Fn(&Words<'_>) -> bool) -> Option<Blame> {
    let ran = world.matter.performed.iter().rev().find(|operation| match &operation.action {
        Action::Run(run) => {
            let text = run.command.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let words = split(&text);
            let rank = if run.on == node { rank(world, node, &words) } else { named(world, node, &words) };
            rank.is_some() && does(&words)
        }
        _ => false,
    });
    if let Some(operation) = ran {
        return Some(Blame::Case(operation.span));
    }
    let mut found: Option<(u8, Blame)> = None;
    for script in &world.node(node).scripts {
        for (line, text) in (1_u32..).zip(script.text.lines()) {
            let words = split(text);
            let comment = words.first().is_none_or(|word| word.starts_with('#'));
            let Some(rank) = rank(world, node, &words).filter(|_| !comment && does(&words)) else { continue };
            if found.as_ref().is_none_or(|(best, _)| rank >= *best) {
                found =
                    Some((rank, Blame::File { path: script.path.clone(), line, text: text.to_owned(), command: true }));
            }
        }
    }
    found.map(|(_, blame)| blame)
}

fn split(text: &str) -> Vec<&str> {
    text.split(|c: char| c.is_whitespace() || "\"';,".contains(c)).filter(|word| !word.is_empty()).collect()
}

/// How certain a command of the node's own scripts is one for the node; `None` for one that is for another.
fn rank(world: &World<'_>, node: usize, words: &Words<'_>) -> Option<u8> {
    let made = world.planned(node).created_by.is_some();
    match namespace(words) {
        // In a loop a variable names each of them.
        Some(name) if name.starts_with('$') => made.then_some(0),
        Some(_) => named(world, node, words),
        None => Some(u8::from(!made)),
    }
}

fn named(world: &World<'_>, node: usize, words: &Words<'_>) -> Option<u8> {
    (namespace(words)? == world.name(node)).then_some(2)
}

/// The namespace that a command is for (ip(8), ip-netns(8)).
fn namespace<'t>(words: &Words<'t>) -> Option<&'t str> {
    let behind = |at: usize| words.get(at + 1).copied();
    let option = words.iter().position(|word| matches!(*word, "-n" | "-netns"));
    let exec = words.windows(2).position(|pair| pair == ["netns", "exec"]).map(|at| at + 1);
    match (option.filter(|_| words.contains(&"ip")), exec) {
        (Some(at), _) | (None, Some(at)) => behind(at),
        (None, None) => None,
    }
}

/// Whether a command is one about routes with one of these verbs.
pub(super) fn is_route(words: &Words<'_>, verbs: &[&str]) -> bool {
    words.iter().any(|word| matches!(*word, "route" | "ro")) && words.iter().any(|word| verbs.contains(word))
}

/// The prefixes that a command names; `default` has none of its own family.
pub(super) fn prefixes<'t>(words: &'t Words<'_>, v6: bool) -> impl Iterator<Item = Cidr> + use<'t> {
    let any = if v6 { IpAddr::from([0_u16; 8]) } else { IpAddr::from([0_u8; 4]) };
    words.iter().filter_map(move |word| match *word {
        "default" => Some(Cidr { address: any, length: 0 }),
        word => prefix(word),
    })
}

/// A prefix as `ip route` reads and writes it.
pub(super) fn prefix(word: &str) -> Option<Cidr> {
    let Some((address, length)) = word.split_once('/') else {
        let address: IpAddr = word.parse().ok()?;
        return Some(Cidr { address, length: if address.is_ipv4() { 32 } else { 128 } });
    };
    Some(Cidr { address: address.parse().ok()?, length: length.parse().ok()? })
}

/// The command that took a route to an address from a node.
pub(super) fn deleting_route(world: &World<'_>, node: usize, to: IpAddr) -> Option<Blame> {
    doing(world, node, |words| {
        // The gateway of a route that is deleted is no prefix.
        let until = words.iter().position(|word| *word == "via").unwrap_or(words.len());
        is_route(words, &["del", "delete", "flush"])
            && prefixes(&words[..until], to.is_ipv6()).any(|prefix| prefix.contains(to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_of_a_command_is_read() {
        let of = |text: &str| namespace(&split(text)).map(str::to_owned);
        for (text, name) in [
            ("ip -n red route add default via 10.0.0.1", Some("red")),
            ("ip netns exec blue ip route add default via 10.0.0.1", Some("blue")),
            ("ip -6 route del fd00::/64", None),
            ("echo -n red", None),
            ("ip -n \"$ns\" link set eth0 up", Some("$ns")),
        ] {
            assert_eq!(of(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn prefixes_are_read_as_ip_writes_them() {
        let read = |text: &str, v6| prefixes(&split(text), v6).map(|it| it.to_string()).collect::<Vec<_>>();
        assert_eq!(read("ip route del default", false), ["0.0.0.0/0"]);
        assert_eq!(read("ip -6 route del default dev eth0", true), ["::/0"]);
        assert_eq!(read("ip route add 10.0.0.0/22 via 10.2.2.33", false), ["10.0.0.0/22", "10.2.2.33/32"]);
    }
}
