//! Where a packet ends: who takes it there, and who answers.

use super::blame;
use super::listener;
use super::names;
use super::seen_source;
use super::server;
use super::talk;
use super::trails::{Ends, Trails};
use super::translator::{self, Side};
use super::travelling::Travelling;
use super::walk::{self, Step};
use super::world::World;
use crate::evidence::{Cause, CauseKind, Protocol, Way};
use crate::observation::Seen;
use crate::plan::Check;
use crate::words::Outcome;

/// Why nobody in a node answers what has come for it.
pub(super) fn faults(world: &World<'_>, node: usize, way: Way, packet: &Travelling) -> Vec<Cause> {
    if way != Way::Request {
        return Vec::new();
    }
    match packet.protocol {
        Protocol::Icmp => ignores_echo(world, node, packet).into_iter().collect(),
        Protocol::Tcp | Protocol::Udp => {
            packet.target_port().and_then(|port| listener::fault(world, node, packet, port)).into_iter().collect()
        }
        Protocol::Neighbour => Vec::new(),
    }
}

fn ignores_echo(world: &World<'_>, node: usize, packet: &Travelling) -> Option<Cause> {
    let key = if packet.to.is_ipv4() { "ipv4/icmp_echo_ignore_all" } else { "ipv6/icmp/echo_ignore_all" };
    (world.setting(node, key) != 0).then(|| {
        let words = format!("{} ignores echo requests: net.{} is 1", world.name(node), key.replace('/', "."));
        let help = Some("set it to 0".to_owned());
        blame::of_setting(world, node, &[key.to_owned()], CauseKind::EchoIgnored, words, help)
    })
}

/// Why an answer that did come is not the one that was expected: a refusal by the target, or the wrong server.
pub(super) fn unwanted_answer(world: &World<'_>, steps: &[Step], trails: &Trails<'_>) -> Vec<Cause> {
    let end = steps.iter().find(|step| step.way == Way::Request && step.is_local());
    let Some(end) = end else { return Vec::new() };
    if let Some(cause) = duplicate_before(steps, end) {
        return super::neighbour::duplicated(world, steps, cause);
    }
    if walk::seen(world) == Some(Seen::Answered) {
        if let Some(cause) = super::course::wrong_hop(world, steps) {
            return vec![cause];
        }
        let cause = seen_source::cause(world, steps)
            .or_else(|| server::other(world, steps, end))
            .or_else(|| names::other_record(world, end))
            .or_else(|| names::no_such_name(world, end))
            .or_else(|| names::record_says(world, end))
            .or_else(|| talk::broken(world, end, trails))
            .or_else(|| talk::other_answer(world, end));
        return cause.into_iter().collect();
    }
    let mut back = steps.iter().filter(|step| step.way == Way::Answer).flat_map(|step| &step.inside);
    if let Some(cause) = back.find(|cause| cause.kind == CauseKind::NatMissing) {
        return vec![cause.clone()];
    }
    if let Some(cause) = past_the_translator(world, steps, trails).or_else(|| changed_answer(world, steps, trails)) {
        return vec![cause];
    }
    // What came back to the sender, it may have dropped itself.
    let back = steps.last().filter(|step| step.way == Way::Answer && step.node == world.evidence().flow.from);
    let unheard = matches!(walk::seen(world), Some(Seen::Silent | Seen::Delivered));
    if let Some(step) = back.filter(|step| !step.inside.is_empty() && unheard) {
        return step.inside.clone();
    }
    // What the receiver's own rules refuse comes to nobody who listens.
    let refuses = [CauseKind::RuleRejected, CauseKind::RuleDropped, CauseKind::PolicyDropped];
    let refused = matches!(walk::seen(world), Some(Seen::Reset | Seen::Icmp { .. }));
    if let Some(cause) = end.inside.iter().find(|cause| refused && refuses.contains(&cause.kind)) {
        return vec![cause.clone()];
    }
    let Travelling { to, port, .. } = end.leaving();
    let packet = Travelling { to, port, ..end.before };
    let found = faults(world, end.node, Way::Request, &packet);
    found.iter().map(|cause| super::translation::meant(world, steps, position(steps, end), cause)).collect()
}

fn position(steps: &[Step], end: &Step) -> usize {
    steps.iter().position(|step| std::ptr::eq(step, end)).unwrap_or(0)
}

/// Several have the address of the receiver, or of its gateway, where the packet came to one that is not meant.
fn duplicate_before(steps: &[Step], end: &Step) -> Option<Cause> {
    let at = position(steps, end);
    steps[..at].last().and_then(|step| step.duplicate.clone())
}

/// The answer came back with the source that a translation had given the receiver: it has gone past the translator.
fn past_the_translator(world: &World<'_>, steps: &[Step], trails: &Trails<'_>) -> Option<Cause> {
    let answer = trails.back.first()?.last()?;
    let asked = steps.first()?.before.to;
    let step = steps.iter().find(|step| step.way == Way::Request && step.before.to != step.leaving().to)?;
    // What its bridge passes on has gone past its translations.
    let comes_in = |sight: &super::trails::Sight<'_>| {
        let interface = world.interface((sight.frame.node, sight.frame.interface));
        sight.frame.node == step.node && interface.is_some_and(|it| it.master.is_none())
    };
    let passed = trails.back.first()?.sights.iter().any(comes_in);
    if answer.frame.outgoing || answer.packet.from == asked || passed {
        return None;
    }
    let (who, name) = (answer.packet.from, world.name(step.node));
    let sender = world.name(world.evidence().flow.from);
    let whose = world.owners(who).first().map(|owner| world.name(owner.0)).unwrap_or_default();
    let words = format!(
        "the answer came from {who}, and {asked} was asked: {whose} answers {sender} directly, past {name}, which had \
         translated the target"
    );
    let help = format!("{name} must also translate the source of what comes from that network and goes back into it");
    Some(Cause {
        kind: CauseKind::AnswerFromElsewhere,
        words,
        node: Some(name.to_owned()),
        rule: None,
        blame: translator::line(world, step, Side::Target),
        help: Some(help),
    })
}

/// What may become of the packets of a check: nothing for one that says nothing of it.
pub(super) fn wanted_outcome(check: &Check) -> &[Outcome] {
    match (check, check.transfer()) {
        (Check::Ping(ping), _) => &ping.outcome,
        (_, Some(transfer)) => &transfer.outcome,
        (_, None) => &[],
    }
}

/// Whether a refusal by the receiver, or its silence, is what is expected of it: then nothing is wrong with that.
pub(super) fn is_wanted(world: &World<'_>, kind: CauseKind) -> bool {
    let check = world.matter.check;
    if !matches!(check, Check::Ping(_)) && check.transfer().is_none() {
        return false;
    }
    let outcome = wanted_outcome(check);
    if kind == CauseKind::TtlExpired {
        return outcome.contains(&Outcome::TtlExceeded);
    }
    // What was refused, though by another one than expected, is worth a reason.
    let node = |address| world.owners(address).first().map(|end| end.0);
    let refused = match super::walk::seen(world) {
        Some(Seen::Reset) => true,
        Some(Seen::Icmp { by, .. }) => node(by) == node(world.evidence().flow.to),
        _ => false,
    };
    if refused {
        return false;
    }
    let has = |words: &[Outcome]| outcome.iter().any(|word| words.contains(word));
    match kind {
        // Who expects that nothing comes through does not miss who would answer.
        CauseKind::NobodyListens | CauseKind::ListensElsewhere | CauseKind::ServiceDied | CauseKind::QueueFull => {
            !has(&[Outcome::Open, Outcome::Delivered])
        }
        CauseKind::EchoIgnored => has(&[Outcome::Unreachable, Outcome::Silent]),
        _ => false,
    }
}

/// Whether it is enough that the packet arrives.
pub(super) fn needs_no_answer(world: &World<'_>) -> bool {
    world.matter.check.transfer().is_some_and(|transfer| transfer.outcome == [Outcome::Delivered])
}

/// Somebody on the way back gave the answer another source.
fn changed_answer(world: &World<'_>, steps: &[Step], trails: &Trails<'_>) -> Option<Cause> {
    let trail = trails.back.iter().find(|trail| trail.sights.len() > 1)?;
    let (first, last) = (trail.sights.first()?, trail.last()?);
    let asked = steps.first()?.before.to;
    let arrived = !last.frame.outgoing && last.frame.node == world.evidence().flow.from;
    if !arrived || first.packet.from != asked || last.packet.from == asked {
        return None;
    }
    let changed = trail.sights.iter().find(|sight| sight.packet.from != asked)?;
    let name = world.name(changed.frame.node);
    let seen: Vec<Ends> = trail.sights.iter().filter_map(|sight| Ends::of(&sight.packet)).collect();
    let words = format!(
        "the answer came from {}, and {asked} was asked: {name} translates the source of what comes back",
        last.packet.from
    );
    Some(Cause {
        kind: CauseKind::AnswerFromElsewhere,
        words,
        node: Some(name.to_owned()),
        rule: None,
        blame: translator::acted(world, changed.frame.node, Side::Source, &seen)
            .and_then(|it| it.place(world, changed.frame.node)),
        help: Some("the answers must go back the way that the requests came".to_owned()),
    })
}

/// The address that the sender would speak from is tentative.
pub(super) fn tentative_source(world: &World<'_>) -> Option<Cause> {
    let flow = &world.evidence().flow;
    let local = super::refusal::is_link_local;
    let unfit = flow.source.is_none_or(|source| local(source) != local(flow.to));
    if !flow.to.is_ipv6() || !unfit {
        return None;
    }
    let (end, address) = world.ends().filter(|(end, _)| end.0 == flow.from).find_map(|(end, it)| {
        let own = it.addresses.iter().find(|own| own.tentative && local(own.cidr.address) == local(flow.to))?;
        Some((end, own.cidr.address))
    })?;
    let name = world.end_name(end);
    let words =
        format!("{address} of {name} is still tentative, so that {} has no address to speak from", world.name(end.0));
    let help = Some("wait until it is not (`within`), or add it with `nodad`".to_owned());
    Some(blame::of_interface(world, end, CauseKind::Tentative, words, help))
}

/// An answer that came from an address which was not asked.
pub(super) fn unasked_answer(world: &World<'_>, steps: &[Step], trails: &Trails<'_>) -> Option<Cause> {
    let stray = trails.strays.first()?;
    let first = steps.first()?;
    let from = stray.packet.from;
    let whose = world.owners(from).first().map(|owner| world.end_name(*owner));
    let asked = first.before.to;
    let words = match &whose {
        Some(end) => {
            format!("the answer came from {from} ({end}), and {asked} was asked: the sender takes it for no answer")
        }
        None => format!("the answer came from {from}, and {asked} was asked: the sender takes it for no answer"),
    };
    let node = steps.iter().find(|step| step.is_local()).map(|step| step.node);
    let port = first.before.target_port();
    let of_node = || world.plan().services.iter().filter(|it| Some(it.node) == node);
    let known = port.and_then(|port| of_node().find(|it| it.kind.takes(port)));
    let only = || of_node().next().filter(|_| of_node().count() == 1);
    let service = known.or_else(only).map(|it| it.span);
    let help = Some("a server with several addresses must answer from the one that was asked (`bind`)".to_owned());
    Some(match (service, node) {
        (Some(span), _) => blame::at(CauseKind::AnswerFromElsewhere, words, span, help),
        (None, Some(node)) => blame::on_node(world, node, CauseKind::AnswerFromElsewhere, words, help),
        (None, None) => {
            Cause { kind: CauseKind::AnswerFromElsewhere, words, node: None, rule: None, blame: None, help }
        }
    })
}
