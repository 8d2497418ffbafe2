//! Outcome words against what happened to a packet.

mod finding;
mod trace;
mod way_out;

use std::net::{IpAddr, SocketAddr};

use super::{Judgement, seen_from, silence_unproven};
use crate::observation::{IcmpError, LocalRefusal, Seen, Traffic};
use crate::plan::{By, Check, Dns, Http, Landing, NodeId, Ping, Plan, Target, Transfer, landing};
use crate::verdict::Finding;
use crate::verdict::describe::{flow, node, target_port_words, target_words, who};
use crate::verdict::words::{any_of, is_of_the_network, is_port_unreachable};
use crate::words::{Outcome, Port, Transport};
use finding::mismatch;

pub(super) use finding::{could_not_say, no_answer};

/// What ping, TCP, UDP and HTTP have in common.
pub(super) struct Question<'a> {
    kind: Kind,
    from: NodeId,
    to: &'a Target,
    port: u16,
    outcome: &'a [Outcome],
    by: Option<&'a By>,
    seen_from: Option<&'a By>,
    requests: u32,
    lost: f64,
    url: Option<&'a str>,
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ping,
    Tcp,
    Udp,
    Http,
    Dns(Transport),
}

impl<'a> Question<'a> {
    pub(super) fn of_ping(ping: &'a Ping) -> Self {
        Self {
            kind: Kind::Ping,
            from: ping.from,
            to: &ping.to,
            port: 0,
            outcome: &ping.outcome,
            by: ping.by.as_ref(),
            seen_from: None,
            requests: ping.count,
            lost: ping.lost.unwrap_or(0.0),
            url: None,
        }
    }

    pub(super) fn of_tcp(transfer: &'a Transfer) -> Self {
        Self::of_transfer(Kind::Tcp, transfer)
    }

    pub(super) fn of_udp(transfer: &'a Transfer) -> Self {
        Self::of_transfer(Kind::Udp, transfer)
    }

    pub(super) fn of_http(http: &'a Http) -> Self {
        Self { url: Some(&http.url), ..Self::of_transfer(Kind::Http, &http.connection) }
    }

    pub(super) fn of_dns(dns: &'a Dns) -> Self {
        Self::of_transfer(Kind::Dns(dns.transport), &dns.carrier)
    }

    /// The question of a check that has outcome words.
    pub(super) fn of_check(check: &'a Check) -> Option<Self> {
        Some(match check {
            Check::Ping(ping) => Self::of_ping(ping),
            Check::Tcp(transfer) => Self::of_tcp(transfer),
            Check::Udp(transfer) => Self::of_udp(transfer),
            Check::Http(http) => Self::of_http(http),
            Check::Dns(dns) => Self::of_dns(dns),
            _ => return None,
        })
    }

    fn of_transfer(kind: Kind, transfer: &'a Transfer) -> Self {
        Self {
            kind,
            from: transfer.from,
            to: &transfer.to,
            port: transfer.port,
            outcome: &transfer.outcome,
            by: transfer.by.as_ref(),
            seen_from: transfer.seen_from.as_ref(),
            requests: 1,
            lost: 0.0,
            url: None,
        }
    }

    /// `lan (192.168.1.3)`, `lan:7 (192.168.1.3:7)`, or the URL with the address it stands for.
    pub(super) fn target(&self) -> String {
        match (self.kind, self.url) {
            (Kind::Ping, _) => target_words(self.to),
            // The name became an address only while it was probed.
            (Kind::Http, Some(url)) if self.to.address.is_unspecified() => url.to_owned(),
            (Kind::Http, Some(url)) => format!("{url} ({})", SocketAddr::new(self.to.address, self.port)),
            (Kind::Tcp | Kind::Udp | Kind::Http | Kind::Dns(_), _) => target_port_words(self.to, self.port),
        }
    }

    /// `expected refused or silent by fw`.
    pub(super) fn expected(&self) -> String {
        if self.wants_answer() {
            return "expected an answer".to_owned();
        }
        let by = self.by.map(|by| format!(" by {}", by.words)).unwrap_or_default();
        format!("expected {}{by}", any_of(self.outcome))
    }

    /// Whether it is a request that must be answered in the words of its protocol.
    pub(super) fn wants_answer(&self) -> bool {
        matches!(self.kind, Kind::Http | Kind::Dns(_)) && self.outcome.contains(&Outcome::Open)
    }

    /// Whether getting through is what is expected.
    fn wants_answers(&self) -> bool {
        self.outcome.iter().any(|word| matches!(word, Outcome::Reachable | Outcome::Open | Outcome::Delivered))
    }

    /// Whether something must come back, be it a refusal.
    fn needs_a_way(&self) -> bool {
        !self.outcome.iter().any(|word| matches!(word, Outcome::Silent | Outcome::Closed | Outcome::Unreachable))
    }

    /// Where it ends behind all forwards.
    fn landing(&self, plan: &Plan) -> Landing {
        let transport = self.kind.transport();
        landing(&plan.nodes, self.to, transport.map(|transport| Port { number: self.port, transport }))
    }

    /// The address of which a port is probed.
    fn port_probed(&self) -> Option<IpAddr> {
        (self.kind != Kind::Ping).then_some(self.to.address)
    }
}

/// Decides about traffic.
pub(super) fn judge(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Judgement {
    if !question.outcome.iter().any(|word| satisfies(*word, question, traffic)) {
        return Judgement::Mismatch(mismatch(plan, question, traffic));
    }
    if let Some(by) = question.by
        && let Some(finding) = wrong_sender(plan, question, by, traffic)
    {
        return Judgement::Mismatch(finding);
    }
    if let Some(finding) = wrong_source(plan, question, traffic) {
        return Judgement::Mismatch(finding);
    }
    match traffic.seen {
        // Some of several requests were answered: that is proof, whatever became of the others.
        Seen::Silent if traffic.answered > 0 => Judgement::proven(),
        Seen::Silent => Judgement::Match {
            unproven: silence_unproven(
                &traffic.departure,
                &traffic.life,
                node(plan, question.from),
                &question.target(),
            ),
        },
        Seen::Answered | Seen::Delivered | Seen::Reset | Seen::Icmp { .. } | Seen::Local(_) => Judgement::proven(),
    }
}

/// Whether a word is true of what was seen.
fn satisfies(word: Outcome, question: &Question<'_>, traffic: &Traffic) -> bool {
    match word {
        Outcome::Reachable | Outcome::Open => enough_answered(question, traffic),
        Outcome::Delivered => enough_answered(question, traffic) || traffic.seen == Seen::Delivered,
        Outcome::Unreachable | Outcome::Closed => none_answered(traffic) && is_negative(traffic.seen),
        Outcome::Refused
        | Outcome::Rejected
        | Outcome::Silent
        | Outcome::NoRoute
        | Outcome::Blackhole
        | Outcome::Prohibited
        | Outcome::BlockedLocally
        | Outcome::HostUnreachable
        | Outcome::NetUnreachable
        | Outcome::TtlExceeded
        | Outcome::TooBig => none_answered(traffic) && satisfies_exactly(word, question, traffic.seen),
    }
}

/// Whether the share of answers is large enough. A request that should have been made and was not counts as lost; no
/// limit of loss is so generous that no answer at all would do.
fn enough_answered(question: &Question<'_>, traffic: &Traffic) -> bool {
    match question.kind {
        Kind::Ping => {
            let requests = question.requests.max(traffic.sent);
            let lost = f64::from(requests.saturating_sub(traffic.answered));
            traffic.answered > 0 && lost * 100.0 <= question.lost * f64::from(requests)
        }
        Kind::Tcp | Kind::Udp => traffic.seen == Seen::Answered,
        // An open connection is not yet an answer to the request; neither is what came over it, before it is read.
        Kind::Http | Kind::Dns(_) => false,
    }
}

/// Whether nothing at all came back as an answer: one answer among many refutes every negative word.
fn none_answered(traffic: &Traffic) -> bool {
    traffic.seen != Seen::Answered && traffic.answered == 0
}

/// Whether it is some kind of no. An errno that says nothing of the network is none.
fn is_negative(seen: Seen) -> bool {
    match seen {
        Seen::Answered | Seen::Delivered => false,
        Seen::Reset | Seen::Icmp { .. } | Seen::Silent => true,
        Seen::Local(refusal) => is_of_the_network(refusal),
    }
}

/// Whether one of the exact words is true.
fn satisfies_exactly(word: Outcome, question: &Question<'_>, seen: Seen) -> bool {
    match seen {
        Seen::Answered | Seen::Delivered => false,
        Seen::Reset => word == Outcome::Refused,
        Seen::Silent => word == Outcome::Silent,
        Seen::Local(LocalRefusal { errno }) => match word {
            Outcome::NoRoute => errno == libc::ENETUNREACH,
            Outcome::Blackhole => errno == libc::EINVAL,
            Outcome::Prohibited => errno == libc::EACCES,
            Outcome::BlockedLocally => errno == libc::EPERM,
            Outcome::HostUnreachable => errno == libc::EHOSTUNREACH,
            Outcome::TooBig => errno == libc::EMSGSIZE,
            Outcome::Reachable
            | Outcome::Unreachable
            | Outcome::Open
            | Outcome::Closed
            | Outcome::Delivered
            | Outcome::Refused
            | Outcome::Rejected
            | Outcome::Silent
            | Outcome::NetUnreachable
            | Outcome::TtlExceeded => false,
        },
        Seen::Icmp { error, by, own } => match word {
            Outcome::Refused => is_refusal(question, error, by),
            Outcome::Rejected => !own && !is_refusal(question, error, by),
            Outcome::Prohibited => is_prohibited(error),
            Outcome::HostUnreachable => matches!(parts(error), (false, 3, 1) | (true, 1, 3)),
            Outcome::NetUnreachable => matches!(parts(error), (false, 3, 0) | (true, 1, 0)),
            Outcome::TtlExceeded => error.is_ttl_exceeded(),
            Outcome::TooBig => matches!(parts(error), (false, 3, 4) | (true, 2, 0)),
            Outcome::Reachable
            | Outcome::Unreachable
            | Outcome::Open
            | Outcome::Closed
            | Outcome::Delivered
            | Outcome::Silent
            | Outcome::NoRoute
            | Outcome::Blackhole
            | Outcome::BlockedLocally => false,
        },
    }
}

fn parts(error: IcmpError) -> (bool, u8, u8) {
    (error.v6, error.kind, error.code)
}

/// Whether an ICMP error is the target's own no: a port-unreachable from the very address probed. That it is an address
/// of the prober too, when a node probes itself, changes nothing. An echo request has no port that could be closed.
fn is_refusal(question: &Question<'_>, error: IcmpError, by: IpAddr) -> bool {
    question.port_probed() == Some(by) && is_port_unreachable(error)
}

/// RFC 1812 section 5.2.7.1 (codes 9, 10, 13); RFC 4443 section 3.1 (1, and 5 and 6 that refine it).
fn is_prohibited(error: IcmpError) -> bool {
    matches!(parts(error), (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6))
}

/// What is wrong with who refused. Answers need no sender; what the node's own kernel refused was said by that node.
fn wrong_sender(plan: &Plan, question: &Question<'_>, by: &By, traffic: &Traffic) -> Option<Finding> {
    let sender = match traffic.seen {
        Seen::Answered | Seen::Delivered => return None,
        Seen::Reset => question.to.address,
        Seen::Icmp { by: sender, .. } => sender,
        Seen::Local(_) => {
            let own = plan.nodes.get(question.from).into_iter().flat_map(|node| &node.interfaces);
            let said = own.flat_map(|interface| &interface.addresses).any(|cidr| by.addresses.contains(&cidr.address));
            return (!said).then(|| mismatch(plan, question, traffic).about(&["by"]));
        }
        Seen::Silent if traffic.answered > 0 => return None,
        Seen::Silent => return Some(mismatch(plan, question, traffic).about(&["by"]).note("nobody refused")),
    };
    (!by.addresses.contains(&sender)).then(|| {
        let said = format!("{} refused, not {}", who(plan, sender), by.words);
        mismatch(plan, question, traffic).about(&["by"]).note(said)
    })
}

/// What is wrong with whom the server saw.
fn wrong_source(plan: &Plan, question: &Question<'_>, traffic: &Traffic) -> Option<Finding> {
    let port = Port { number: question.port, transport: question.kind.transport()? };
    let difference = seen_from::difference(plan, question.to, port, question.seen_from, traffic.seen_from)?;
    let did = match question.kind {
        Kind::Udp if traffic.seen == Seen::Delivered => "delivered to",
        _ => finding::did(question),
    };
    let message = format!("{} {did} {}, but {difference}", node(plan, question.from), question.target());
    let own = traffic.flow.map(|(from, _)| from.ip());
    let finding = Finding::new(message).about(&["seen-from"]).label(traffic.flow.map(flow).unwrap_or_default());
    Some(match seen_from::untranslated(plan, own, traffic.seen_from) {
        Some(note) => finding.note(note),
        None => finding,
    })
}
