//! The walk of a packet from node to node.

use std::net::IpAddr;

use super::beyond;
use super::causes;
use super::death::Death;
use super::hops;
use super::known;
use super::names;
use super::rules;
use super::trails::{Ends, Trail, answers, dead_or_first, unanswered};
use super::travelling::Travelling;
use super::world::{End, World};
use super::{
    endpoint, exemption, forwarding, leaving, mark, neighbour, no_route, policy, refusal, send_on, source, translation,
    way_back, wire,
};
use crate::evidence::{Ask, Cause, CauseKind, Chosen, Explanation, Fingerprint, Packet, PolicyRule, Protocol, Way};
use crate::observation::{Observation, Seen};
use crate::plan::{Check, Landing, Trace};

/// More nodes than any packet passes: a time to live is 255 at most.
const MOST_STEPS: usize = 256;

/// What a node on the way does, and why it might not.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) way: Way,
    pub(super) node: usize,
    pub(super) iif: Option<u32>,
    /// Why the packet would end inside the node.
    pub(super) inside: Vec<Cause>,
    /// Why it would end between this node and the next.
    pub(super) link: Vec<Cause>,
    /// The packet as it comes in, and as it leaves.
    pub(super) before: Travelling,
    after: Travelling,
    /// Where it leaves, and where it comes in next.
    out: Option<End>,
    next: Option<End>,
    /// The next hop.
    hop: Option<IpAddr>,
    /// Whether it is for this node.
    pub(super) local: bool,
    /// Several have the address of the next hop.
    pub(super) duplicate: Option<Cause>,
}

/// Follows a packet from node to node, as the kernels would.
struct Walker<'w, 'a> {
    world: &'w World<'a>,
    way: Way,
    trail: Option<&'w Trail<'a>>,
    /// How the ends were changed on the way there: where, from, to.
    changes: Vec<(usize, Ends, Ends)>,
    steps: Vec<Step>,
}

impl Walker<'_, '_> {
    /// Walks as far as the way is known.
    fn walk(&mut self, node: usize, packet: Travelling) {
        let (mut node, mut iif, mut packet) = (node, None, packet);
        for _ in 0..MOST_STEPS {
            if self.steps.iter().any(|step| step.way == self.way && step.node == node && step.iif == iif) {
                return;
            }
            let step = self.step(node, iif, packet);
            let next = step.next.map(|next| (next, step.after));
            self.steps.push(step);
            match next {
                Some((next, after)) => (node, iif, packet) = (next.0, Some(next.1), after),
                None => return,
            }
        }
    }

    fn step(&self, node: usize, iif: Option<u32>, packet: Travelling) -> Step {
        let world = self.world;
        let mut step = Step {
            way: self.way,
            node,
            iif,
            inside: Vec::new(),
            link: Vec::new(),
            before: packet,
            after: packet,
            out: None,
            next: None,
            hop: None,
            local: false,
            duplicate: None,
        };
        if world.node(node).absent {
            return step;
        }
        let Some(changed) = self.changed(node, packet) else { return step };
        step.after = changed;
        let ends: Vec<Ends> = packet.ends().into_iter().chain(changed.ends()).chain(self.seen_in_rules(node)).collect();
        step.inside.extend(rules::dropped(world, node, &ends).or_else(|| rules::dropped_fragment(world, node, &ends)));
        if self.way == Way::Answer && self.changes.iter().any(|(at, ..)| *at == node) {
            step.inside.extend(exemption::of_answer(world, node, &packet));
        }
        // A packet finds its way after its target, and before its source, is translated.
        let routed = Travelling { to: changed.to, port: changed.port, ..packet };
        let Some(chosen) = self.route(&mut step, routed) else {
            step.next = beyond::next(world, &step, &routed);
            if step.iif.is_none() && step.after.from.is_none() && !step.has(CauseKind::NoAddress) {
                // Who is on one link with the target, and has no way to it, has the wrong address.
                let router = step.next.filter(|next| !world.has(next.0, routed.to));
                step.after.from = router.and_then(|next| beyond::source(world, node, next, routed.to));
                step.before.from = step.after.from;
            }
            return step;
        };
        step.inside.extend(leaving::many(world, node, &chosen, &routed));
        if chosen.local || world.has(node, routed.to) {
            step.inside.extend(leaving::loopback_down(world, &step));
            step.local = true;
            step.inside.extend(way_back::kept(world, &self.steps, &step, &routed));
            step.inside.extend(way_back::strayed(world, &self.steps, &step, &routed));
            step.inside.extend(endpoint::faults(world, node, self.way, &routed));
            return step;
        }
        self.leave(&mut step, routed, &chosen, &ends);
        step
    }

    /// Out of a node by the way that its kernel has chosen, and on to the next one; `ends` are those that the packet has
    /// had in the node.
    fn leave(&self, step: &mut Step, routed: Travelling, chosen: &Chosen, ends: &[Ends]) {
        let (world, node) = (self.world, step.node);
        let Some(oif) = chosen.oif.filter(|_| !chosen.many) else { return };
        let out = (node, oif);
        step.out = Some(out);
        step.inside.extend(leaving::too_large(world, out, &step.before, self.way));
        step.inside.extend(leaving::too_small_a_route(world, step, chosen));
        let hop = chosen.via.unwrap_or(routed.to);
        // Who asks for the next hop does so from the source that it has given the packet.
        let asking = Travelling { from: step.after.from, ..routed };
        let found = neighbour::find(world, out, hop, chosen.via.is_some(), &asking);
        let resolved = found.resolved || self.left(node);
        step.next = found.next;
        step.hop = Some(hop);
        step.duplicate = found.duplicate;
        // What cannot leave by its interface was on no link, whatever is known of the neighbour.
        let stuck = world.interface(out).is_some_and(|it| !it.up || !it.carrier) && !self.left(node);
        if resolved && !stuck {
            step.link.extend(found.wire);
        } else {
            step.inside.extend(found.wire);
            step.inside.extend(found.causes.into_iter().filter(|_| !resolved));
        }
        if step.next.is_none() && !resolved {
            step.next = beyond::next(world, step, &routed);
        }
        if let Some(way) = &found.way {
            let bridged =
                way.iter().map(|end| end.0).filter(|it| *it != node && Some(*it) != found.next.map(|it| it.0));
            let mut bridges: Vec<usize> = bridged.collect();
            bridges.dedup();
            step.link.extend(bridges.iter().filter_map(|bridge| rules::dropped(world, *bridge, ends)));
            if resolved {
                step.link.retain(|cause| cause.kind != CauseKind::MtuTooSmall);
                let silent = wire::faults(world, way, step.before.length).into_iter();
                step.link.extend(silent.filter(|cause| cause.kind == CauseKind::MtuTooSmall));
            }
        }
    }

    /// The way that the node's kernel would choose. Where it would choose none, why; and the way it would choose if it
    /// were the node's own packet, so that the walk can go on.
    fn route(&self, step: &mut Step, packet: Travelling) -> Option<Chosen> {
        let world = self.world;
        // A kernel does not answer for a source that is the node's own.
        if let (Some(iif), Some(from)) = (step.iif, packet.from.filter(|from| world.has(step.node, *from))) {
            step.inside.extend(source::own(world, (step.node, iif), from));
            return None;
        }
        let ends: Vec<Ends> = step.before.ends().into_iter().chain(packet.ends()).collect();
        let mark = mark::of(world, step.node, packet.to.is_ipv6(), step.iif.is_none(), &ends);
        let ask = self.question(step, &packet, mark.map_or(0, |(mark, _)| mark))?;
        let by_mark = |cause: Cause| match mark {
            Some((_, rule)) if cause.kind == CauseKind::PolicyRule && cause.words.contains("fwmark") => {
                Cause { words: format!("{}; the rule `{}` has marked it", cause.words, rule.text), ..cause }
            }
            _ => cause,
        };
        match world.decide(ask.clone())? {
            Ok(chosen) => {
                if !chosen.local && step.iif.is_some() {
                    let off = forwarding::off(world, step.node, step.iif, &packet);
                    step.inside.extend(off.map(|cause| self.wrong_gateway(step.node, &packet).unwrap_or(cause)));
                }
                step.inside.extend(leaving::by_policy(world, &ask, chosen, &packet).map(by_mark));
                Some(chosen.clone())
            }
            Err(errno) => {
                let refused = refusal::of_lookup(world, &ask, &packet, *errno).map(by_mark);
                step.inside.extend(refused.map(|cause| match cause.kind {
                    CauseKind::ForwardingOff => self.wrong_gateway(step.node, &packet).unwrap_or(cause),
                    _ => cause,
                }));
                step.iif?;
                // Nobody has the address, or it should not have come here: there is no way to look on.
                let ends = [CauseKind::NoAddress, CauseKind::WrongGateway];
                if step.inside.iter().any(|cause| ends.contains(&cause.kind)) {
                    return None;
                }
                let plain = packet.own_ask(step.node);
                match world.decide(plain.clone())? {
                    Ok(chosen) => Some(chosen.clone()),
                    Err(_) if policy::chosen(world, &ask).is_some() => policy::chosen(world, &ask),
                    Err(errno) => {
                        step.inside.extend(refusal::of_lookup(world, &plain, &packet, *errno));
                        None
                    }
                }
            }
        }
    }

    /// What a node's kernel asks its tables for. Of the node's own packets they learn the source only where it stands
    /// already: an answer comes from the address that was asked, and a socket may be bound to one. Where the kernel
    /// chooses it, a connected socket of IPv4 looks once more with what was chosen (`ip_route_connect` of net/route.h).
    fn question(&self, step: &Step, packet: &Travelling, mark: u32) -> Option<Ask> {
        let world = self.world;
        let ask = Ask { mark, ..packet.ask(step.node, step.iif) };
        if step.iif.is_some() {
            return Some(ask);
        }
        let own = packet.from.filter(|from| world.has(step.node, *from));
        // What is marked on its way out is looked up anew, with the source that it has by then.
        if self.way == Way::Answer || mark != 0 || bound(world.matter.check) {
            return Some(Ask { from: own, ..ask });
        }
        let ask = Ask { from: None, ..ask };
        let v6 = packet.to.is_ipv6();
        let looks = |rule: &PolicyRule| rule.v6 == v6 && !rule.text.contains("from all");
        let connects = !v6 && matches!(packet.protocol, Protocol::Tcp | Protocol::Udp);
        if connects && world.node(step.node).policy.iter().any(looks) {
            let first = world.decide(ask.clone())?;
            let source = first.as_ref().ok().and_then(|chosen| chosen.source);
            return Some(Ask { from: source.filter(|source| world.has(step.node, *source)), ..ask });
        }
        Some(ask)
    }

    /// Whether the node that got the packet is no router, while another one on the same link would have passed it on.
    fn wrong_gateway(&self, node: usize, packet: &Travelling) -> Option<Cause> {
        let before = self.steps.last().filter(|step| step.way == self.way)?;
        // What somebody has translated went another way than was meant first.
        let hop = before.hop.filter(|hop| *hop != packet.to && before.after.to == packet.to)?;
        let narrow = || no_route::on_the_link(self.world, before.node, packet.to);
        neighbour::past_its_own_link(self.world, before.node, (node, hop), packet.to)
            .or_else(|| narrow().filter(|cause| cause.kind == CauseKind::WrongPrefix))
            .or_else(|| neighbour::better_gateway(self.world, before.out?, node, hop, packet.to))
    }

    /// The packet behind a node's translation: as it was seen to leave, as the way there has shown, or as the plan has
    /// it; `None` where rules may translate it in a way that is not known.
    fn changed(&self, node: usize, packet: Travelling) -> Option<Travelling> {
        if let Some(seen) = self.seen_leaving(node) {
            return Some(packet.with(seen));
        }
        let ends = packet.ends();
        let turned = |(at, from, to): &(usize, Ends, Ends)| {
            (self.way == Way::Answer && *at == node && Some(to.turned()) == ends).then(|| from.turned())
        };
        if let Some(back) = self.changes.iter().find_map(turned) {
            return Some(packet.with(back));
        }
        if self.way == Way::Request && self.steps.is_empty() {
            return Some(packet);
        }
        // The node's own hooks have seen it behind their translations.
        if let Some(to) = ends.and_then(|ends| rules::translated(self.world, node, ends)) {
            return Some(packet.with(to));
        }
        let nat = &self.world.planned(node).nat;
        let landing = Landing::sent(packet.to, packet.target_port(), None);
        let forwarded = landing.forwarded(nat, packet.target_port()).filter(|_| self.way == Way::Request);
        if let Some(next) = forwarded {
            return Some(Travelling { to: next.address, port: next.port, ..packet });
        }
        let unknown = self.world.node(node).rules.iter().any(|rule| rule.table != OWN_TABLE)
            && rules::may_translate(self.world, node)
            && self.way == Way::Request
            && !self.came_in(node);
        (!unknown).then_some(packet)
    }

    /// How a packet was seen to leave a node that it had come into.
    fn seen_leaving(&self, node: usize) -> Option<Ends> {
        let mut of_node = self.trail?.sights.iter().filter(|sight| sight.frame.node == node);
        let left = of_node.rfind(|sight| sight.frame.outgoing)?;
        Ends::of(&left.packet)
    }

    /// How the rules of a node saw the packets of the probe, behind its translations.
    fn seen_in_rules(&self, node: usize) -> Vec<Ends> {
        let Some(trail) = self.trail.and_then(|trail| trail.sights.first()) else { return Vec::new() };
        let same = |packet: &Packet| alike(packet, &trail.packet);
        let traces = self.world.evidence().traces.iter().filter(|trace| trace.node == node);
        traces.filter_map(|trace| trace.packet.as_ref()).filter(|packet| same(packet)).filter_map(Ends::of).collect()
    }

    /// Whether it was seen to leave a node.
    fn left(&self, node: usize) -> bool {
        self.seen_leaving(node).is_some()
    }

    /// Whether it was seen to come into a node.
    fn came_in(&self, node: usize) -> bool {
        self.trail
            .is_some_and(|trail| trail.sights.iter().any(|sight| sight.frame.node == node && !sight.frame.outgoing))
    }
}

/// Whether a packet that a rule trace shows may be another one. Of UDP a trace has no data: there the ports must do.
fn alike(shown: &Packet, sent: &Packet) -> bool {
    match (shown.fingerprint(), sent.fingerprint()) {
        (Fingerprint::Udp(_), Fingerprint::Udp(_)) => {
            let (shown, sent) = (Ends::of(shown), Ends::of(sent));
            shown
                .zip(sent)
                .is_some_and(|(shown, sent)| shown.from == sent.from && shown.source_port == sent.source_port)
        }
        (shown, sent) => shown == sent,
    }
}

/// Whether the case says from which address to send.
fn bound(check: &Check) -> bool {
    match check {
        Check::Ping(ping) | Check::Trace(Trace { ping, .. }) => ping.source.is_some(),
        _ => check.transfer().is_some_and(|transfer| transfer.source.is_some()),
    }
}

/// The table in which a lab's own translations stand.
pub(super) const OWN_TABLE: &str = "netcase";

/// Explains what became of a probe.
pub(super) fn explain(world: &World<'_>) -> Explanation {
    let trails = world.trails();
    let mut explanation = Explanation { cut: world.evidence().cut.clone(), ..Explanation::default() };
    // A name that nobody was heard about is a question that died on its way, if only in its sender.
    let heard = trails.back.iter().any(|trail| trail.last().is_some_and(|sight| !sight.frame.outgoing));
    let asked = !world.evidence().flow.to.is_unspecified();
    if let Some(cause) = names::no_name(world).filter(|_| heard || !asked) {
        explanation.causes.push(cause);
        return explanation;
    }
    let flow = &world.evidence().flow;
    if flow.protocol == Protocol::Neighbour {
        return neighbour::explain(world, trails, explanation);
    }
    // What is still on its way when an answer is complete has not died.
    let complete = match world.matter.observation {
        Some(Observation::Traffic(traffic)) => traffic.seen == Seen::Answered,
        Some(Observation::Http(_) | Observation::Dns(_)) => true,
        _ => false,
    };
    let there =
        if complete { trails.there.first() } else { unanswered(trails).or_else(|| dead_or_first(&trails.there, None)) };
    let back = match there {
        _ if complete => trails.back.first(),
        Some(there) if flow.protocol == Protocol::Icmp => trails.back.iter().find(|trail| answers(trail, there)),
        _ => dead_or_first(&trails.back, Some(flow.from)),
    };
    let mut walker = Walker { world, way: Way::Request, trail: there, changes: Vec::new(), steps: Vec::new() };
    walker.walk(flow.from, Travelling::first(world.evidence(), there));
    walker.changes = walker.steps.iter().filter_map(|step| changed(step, there)).collect();
    let end = walker.steps.last().filter(|step| step.local).map(|step| (step.node, step.before, step.after));
    let unknown = walker.steps.iter().any(|step| {
        let passed = walker.left(step.node) || step.local || step.node == flow.from;
        !passed && translation::may_change_source(world, step)
    });
    let answered = !unknown && !endpoint::needs_no_answer(world);
    if let Some((node, _, packet)) = end.filter(|(node, ..)| *node != flow.from && answered) {
        // The answer goes back from where the request ended, to whom it seemed to come from.
        if let Some(ends) = packet.ends() {
            (walker.way, walker.trail) = (Way::Answer, back);
            let first = back.and_then(|trail| trail.sights.first());
            let length = first.map_or(packet.length, |sight| sight.packet.length);
            walker.walk(node, Travelling { length, ..packet.with(ends.turned()) });
        }
    }
    if world.is_asking() {
        return explanation;
    }
    let steps = walker.steps;
    let death = Death::of(&steps, there, back, world);
    explanation.causes = causes::of(world, &steps, death, trails);
    let causes = explanation.causes.drain(..).enumerate();
    explanation.causes = causes.map(|(at, cause)| if at == 0 { names::meant(world, cause) } else { cause }).collect();
    if let Some(death) = death {
        let trail = if steps[death.step].way == Way::Answer { back } else { there };
        world.send_on(send_on::of(world, &steps, death, trail, &explanation.causes));
    }
    explanation.hops = hops::of(world, there, back, trails, &steps, death.as_ref(), &explanation.causes);
    if explanation.causes.is_empty() {
        explanation.known = known::of(world, &steps, death.as_ref(), trails);
    }
    explanation
}

/// Follows a packet that carries others, and says for what it ends where it did, and what would come next.
pub(super) fn carried<'a>(world: &World<'a>, node: usize, packet: Travelling, trail: Option<&Trail<'a>>) -> Vec<Cause> {
    let mut walker = Walker { world, way: Way::Request, trail, changes: Vec::new(), steps: Vec::new() };
    walker.walk(node, packet);
    let steps = walker.steps;
    let Some(death) = Death::of(&steps, trail, None, world) else { return Vec::new() };
    // Of what takes it in the end only what keeps it out counts: the tunnel itself is looked at elsewhere.
    let keeps_out = [
        CauseKind::ReversePath,
        CauseKind::RuleDropped,
        CauseKind::RuleRejected,
        CauseKind::PolicyDropped,
        CauseKind::PolicyRule,
    ];
    let mut causes = Vec::new();
    for (at, step) in steps.into_iter().enumerate().skip(death.step) {
        let inside = step.inside.into_iter().filter(|_| at != death.step || !death.on_link);
        causes.extend(inside.filter(|cause| !step.local || keeps_out.contains(&cause.kind)).chain(step.link));
        // What was seen to end at a place without a reason has none.
        if causes.is_empty() && trail.is_some() {
            return causes;
        }
    }
    causes
}

/// How a node changed the ends of what it passed on.
fn changed(step: &Step, trail: Option<&Trail<'_>>) -> Option<(usize, Ends, Ends)> {
    let passed = trail?.sights.iter().any(|sight| sight.frame.node == step.node && sight.frame.outgoing);
    let (before, after) = (step.before.ends()?, step.after.ends()?);
    (before != after && (passed || step.next.is_some())).then_some((step.node, before, after))
}

impl Step {
    /// Whether it has a reason of this kind inside.
    fn has(&self, kind: CauseKind) -> bool {
        self.inside.iter().any(|cause| cause.kind == kind)
    }

    /// Whether the packet is for this node.
    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    /// Where it would leave.
    pub(super) fn out(&self) -> Option<End> {
        self.out
    }

    /// Where it would come in next.
    pub(super) fn next(&self) -> Option<End> {
        self.next
    }

    /// The next hop.
    pub(super) fn hop(&self) -> Option<IpAddr> {
        self.hop
    }

    /// Whether the kernel has a way for it.
    pub(super) fn has_way(&self) -> bool {
        self.out.is_some()
    }

    /// Its ends as it comes in, and as it leaves.
    pub(super) fn ends(&self) -> Vec<Ends> {
        self.before.ends().into_iter().chain(self.after.ends()).collect()
    }

    /// It as it leaves.
    pub(super) fn leaving(&self) -> Travelling {
        self.after
    }
}

/// What was seen of the second probe.
pub(super) fn seen(world: &World<'_>) -> Option<Seen> {
    match world.matter.observation? {
        Observation::Traffic(traffic) | Observation::NoAnswer { traffic, .. } => Some(traffic.seen),
        Observation::Http(_) | Observation::Dns(_) => Some(Seen::Answered),
        _ => None,
    }
}
