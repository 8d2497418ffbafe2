//! The packets of a probe, each with the places where it was seen, in the order of time.

use std::net::IpAddr;

use crate::evidence::{self, Evidence, Frame, Icmp, Packet, Payload};

/// A packet at one interface.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    pub(super) frame: &'a Frame,
    pub(super) packet: Packet,
}

/// The ends of a packet: addresses, and ports or the identifier of an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    pub(super) source_port: u16,
    pub(super) port: u16,
}

impl Ends {
    /// Those of a packet; `None` for one that has none.
    pub(super) fn of(packet: &Packet) -> Option<Self> {
        let (source_port, port) = match &packet.payload {
            Payload::Tcp { source_port, port, .. } | Payload::Udp { source_port, port, .. } => (*source_port, *port),
            Payload::Icmp(Icmp::Echo { identifier, .. }) => (*identifier, *identifier),
            Payload::Icmp(_) | Payload::Neighbour(_) | Payload::Other { .. } => return None,
        };
        Some(Self { from: packet.from, to: packet.to, source_port, port })
    }

    /// Those of the answer.
    pub(super) fn turned(self) -> Self {
        Self { from: self.to, to: self.from, source_port: self.port, port: self.source_port }
    }
}

/// One packet on its way.
#[derive(Debug, Default)]
pub(super) struct Trail<'a> {
    pub(super) sights: Vec<Sight<'a>>,
}

/// What was seen of a probe.
#[derive(Debug, Default)]
pub(super) struct Trails<'a> {
    /// What went there, each packet once.
    pub(super) there: Vec<Trail<'a>>,
    /// What came back.
    pub(super) back: Vec<Trail<'a>>,
    /// ICMP errors about it.
    pub(super) errors: Vec<Trail<'a>>,
    /// What came back to the sender's port from an address that was not asked.
    pub(super) strays: Vec<Sight<'a>>,
    /// Questions for neighbours, and answers.
    pub(super) questions: Vec<Sight<'a>>,
}

impl<'a> Trails<'a> {
    /// Sorts what was captured.
    pub(super) fn of(evidence: &'a Evidence) -> Self {
        let mut trails = Self::default();
        let mut known: Vec<Ends> = translated_by_sender(evidence);
        let mut frames: Vec<&Frame> = evidence.frames.iter().collect();
        frames.sort_by_key(|frame| frame.time);
        for frame in frames {
            if is_for_another(evidence, frame) {
                continue;
            }
            if let Some(packet) = evidence::decode(&frame.bytes) {
                trails.sort(evidence, &mut known, Sight { frame, packet });
            }
        }
        trails
    }

    fn sort(&mut self, evidence: &Evidence, known: &mut Vec<Ends>, sight: Sight<'a>) {
        let packet = &sight.packet;
        match &packet.payload {
            Payload::Neighbour(_) => return self.questions.push(sight),
            Payload::Icmp(Icmp::Error { about: Some(about), .. }) => {
                let quoted = Ends { from: about.from, to: about.to, source_port: about.ports.0, port: about.ports.1 };
                if known.iter().any(|ends| is_quoted(*ends, quoted, about.protocol)) {
                    add(&mut self.errors, sight);
                }
                return;
            }
            _ => {}
        }
        let Some(ends) = Ends::of(packet) else { return };
        let is_reply = matches!(packet.payload, Payload::Icmp(Icmp::Echo { reply: true, .. }));
        if !is_reply && (packet.is_request_of(&evidence.flow) || known.contains(&ends)) {
            if !known.contains(&ends) {
                known.push(ends);
            }
            add(&mut self.there, sight);
        } else if known.contains(&ends.turned()) {
            add(&mut self.back, sight);
        } else if !is_reply
            && Some(ends.to) != evidence.flow.source
            && self.there.iter().any(|trail| trail.is_of(&sight))
        {
            // With other ends than before: somebody has translated it.
            known.push(ends);
            add(&mut self.there, sight);
        } else if self.back.iter().any(|trail| trail.is_of(&sight)) {
            add(&mut self.back, sight);
        } else if Some(ends.to) == evidence.flow.source && Some(ends.port) == self.own_port(evidence) {
            self.strays.push(sight);
        }
    }

    /// The port from which the sender has asked. Of a question for a name only the packets tell it.
    fn own_port(&self, evidence: &Evidence) -> Option<u16> {
        let sights = self.there.iter().flat_map(|trail| &trail.sights);
        let asked = sights.filter(|sight| sight.packet.is_request_of(&evidence.flow));
        let mut ports = asked.filter_map(|sight| match sight.packet.payload {
            Payload::Udp { source_port, .. } => Some(source_port),
            _ => None,
        });
        Some(evidence.flow.source_port).filter(|port| *port != 0).or_else(|| ports.next_back())
    }
}

/// The ends that the sender's own rules have given to the probe, as they show it before and after.
fn translated_by_sender(evidence: &Evidence) -> Vec<Ends> {
    let shown = || {
        let own = evidence.traces.iter().filter(|trace| trace.node == evidence.flow.from);
        own.filter_map(|trace| Some((trace.id, trace.packet.as_ref()?)))
    };
    let own: Vec<u32> = shown().filter(|(_, it)| it.is_request_of(&evidence.flow)).map(|(id, _)| id).collect();
    let others = shown().filter(|(id, packet)| own.contains(id) && !packet.is_request_of(&evidence.flow));
    others.filter_map(|(_, packet)| Ends::of(packet)).collect()
}

/// Whether a frame came to an interface that does not take it: a capture shows also what a bridge has flooded.
fn is_for_another(evidence: &Evidence, frame: &Frame) -> bool {
    let Some(node) = evidence.nodes.get(frame.node).filter(|_| !frame.outgoing) else { return false };
    let Some(interface) = node.interfaces.iter().find(|it| it.index == frame.interface) else { return false };
    let (Some(mac), Some(to)) = (interface.mac, frame.bytes.get(..6)) else { return false };
    // Ports of bridges pass on what is for others, and what stands on an interface may have a MAC address of its own.
    let end = Some((frame.node, frame.interface));
    let ends_there = interface.kind.as_deref() == Some("veth")
        && interface.master.is_none()
        && !node.interfaces.iter().any(|it| it.link == end);
    // The lowest bit of the first byte marks groups (IEEE 802).
    ends_there && to[0] & 1 == 0 && *to != mac.0
}

impl Trail<'_> {
    /// Whether a sight is one of this packet.
    pub(super) fn is_of(&self, sight: &Sight<'_>) -> bool {
        // An acknowledgement and the data behind it have the same numbers.
        let tcp = matches!(sight.packet.payload, Payload::Tcp { .. });
        self.sights.first().is_some_and(|first| {
            first.packet.fingerprint() == sight.packet.fingerprint()
                && (!tcp || first.packet.length == sight.packet.length)
        })
    }

    /// Where it was seen last.
    pub(super) fn last(&self) -> Option<&Sight<'_>> {
        self.sights.last()
    }
}

/// Adds a sight to those of its packet.
pub(super) fn add<'a>(trails: &mut Vec<Trail<'a>>, sight: Sight<'a>) {
    match trails.iter_mut().find(|trail| trail.is_of(&sight)) {
        // What is sent again goes the same way once more.
        Some(trail) if trail.sights.iter().any(|known| is_again(known, &sight)) => {}
        Some(trail) => trail.sights.push(sight),
        None => trails.push(Trail { sights: vec![sight] }),
    }
}

/// Whether a packet was at an interface before. One that goes round in a loop lives shorter each time.
fn is_again(known: &Sight<'_>, sight: &Sight<'_>) -> bool {
    let place = |sight: &Sight<'_>| (sight.frame.node, sight.frame.interface, sight.frame.outgoing, sight.packet.ttl);
    place(known) == place(sight)
}

/// The first echo request that was not answered, where others were.
pub(super) fn unanswered<'t, 'a>(trails: &'t Trails<'a>) -> Option<&'t Trail<'a>> {
    trails.there.iter().find(|there| !trails.back.iter().any(|back| answers(back, there)))
}

/// Whether a packet is the answer to another one.
pub(super) fn answers(back: &Trail<'_>, there: &Trail<'_>) -> bool {
    let ends = |trail: &Trail<'_>| trail.sights.iter().filter_map(|sight| Ends::of(&sight.packet)).collect::<Vec<_>>();
    let asked = ends(there);
    ends(back).iter().any(|ends| asked.contains(&ends.turned()))
}

/// The first packet that did not get to its end, or the first of all. Where that end is not known, it is where the first
/// packet got to.
pub(super) fn dead_or_first<'t, 'a>(trails: &'t [Trail<'a>], end: Option<usize>) -> Option<&'t Trail<'a>> {
    let first = trails.first()?;
    let end = end.or(first.last().map(|sight| sight.frame.node));
    let died =
        |trail: &&Trail<'_>| trail.last().is_some_and(|last| last.frame.outgoing || Some(last.frame.node) != end);
    Some(trails.iter().find(died).unwrap_or(first))
}

/// Whether an ICMP error quotes a packet with these ends. Of an echo it quotes the identifier, then the sequence number.
fn is_quoted(ends: Ends, quoted: Ends, protocol: u8) -> bool {
    let ports = match protocol {
        1 | 58 => quoted.source_port == ends.source_port,
        _ => (quoted.source_port, quoted.port) == (ends.source_port, ends.port),
    };
    ports && (quoted.from, quoted.to) == (ends.from, ends.to)
}
