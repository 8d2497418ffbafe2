//! Explains what is decided, by probing once more with evidence on.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::attempt::Bench;
use super::budget::Budget;
use super::decide::seen;
use super::refusals::is_limited;
use super::{Decided, Wire, bound, gather, observe, send_on};
use crate::evidence::{Evidence, Explanation, Flow, Protocol, decode};
use crate::lab;
use crate::observation::{LocalRefusal, Observation, Seen};
use crate::plan::{Check, Expectation, Ping};
use crate::probe::ProbeError;
use crate::probe::ping::Proof;
use crate::verdict::{self, Explained, Finding, Judgement, Matter, Outcome, Probed, judge};
use crate::words::Outcome::TtlExceeded;
use crate::words::Transport;
use crate::worker::message::{Explain, Message};

/// How often, and for how long, the kernels are asked for what an explanation lacks: at least once for each hop, there
/// and back.
const ROUNDS: usize = 1024;
const ASKING: Duration = Duration::from_secs(10);

/// Explains what was decided, as far as that is asked for, and proves who refused where an expectation names somebody.
pub(super) async fn explain(wire: Wire, bench: &mut Bench, mut decided: Vec<Decided>, which: &Explain) {
    // In the order of the case, so that the same are explained each time.
    decided.sort_by_key(|decided| decided.expectation);
    let wanted = decided.iter().filter(|decided| is_wanted(bench, decided, which));
    let place = |decided: &Decided| (decided.expectation, bench.plan.expectations[decided.expectation].span);
    let mut budget = Budget::new(&wanted.map(place).collect::<Vec<_>>(), which, bench.scale());
    let mut begun = None;
    for mut decided in decided {
        let pending = decided.is_pending(&bench.plan);
        let wanted =
            is_wanted(bench, &decided, which) && (pending || budget.allows(decided.expectation, begun, bench.told));
        if !pending && !wanted {
            continue;
        }
        // Each that is proved has as long as all explanations together: there may be many.
        if pending && begun.is_some() {
            wire.say(&Message::Onward);
        }
        if pending || begun.is_none() {
            wire.say(&Message::Explaining);
            begun = Some(Instant::now());
        }
        let second = explain_one(bench, &decided).await;
        if pending {
            prove(bench, &mut decided, &second);
            decided.say_verdict(wire);
        }
        // Where it could not be proved, what was gathered shows why.
        let unproved = *which != Explain::Nothing && pending && matches!(decided.verdict.outcome, Outcome::Error(_));
        if wanted || unproved || is_wanted(bench, &decided, which) {
            let probed = Box::new(probed(bench, decided.expectation, second.check, second.observed.ok()));
            let (explanation, evidence) = (Box::new(second.explanation), Box::new(second.evidence));
            bench.told += bound::size(&evidence);
            wire.say(&Message::Explained { probed, explanation, evidence });
        }
    }
    budget.say_left_out(wire);
    if begun.is_some() {
        wire.say(&Message::Onward);
    }
}

fn is_wanted(bench: &Bench, decided: &Decided, which: &Explain) -> bool {
    let expectation = &bench.plan.expectations[decided.expectation];
    expectation.check.is_traffic()
        && !bench.unread.contains_key(&decided.expectation)
        && match (which, &decided.verdict.outcome) {
            (Explain::Nothing, _) | (Explain::Failed, Outcome::Pass { .. }) | (_, Outcome::Error(_)) => false,
            (Explain::Failed, Outcome::Fail(_)) | (Explain::Everything, _) => true,
            (Explain::Named(part), _) => expectation.name.contains(part),
        }
}

/// What an explanation rests on beside the evidence, for whoever explains it again.
fn probed(bench: &Bench, expectation: usize, check: Check, observation: Option<Observation>) -> Probed {
    let open = bench.plan.nodes.iter().enumerate().filter(|(_, node)| node.open);
    Probed { expectation, check, nodes: open.map(|(place, node)| (place, node.clone())).collect(), observation }
}

/// A second probe, and what it showed.
struct Second {
    check: Check,
    observed: Result<Observation, ProbeError>,
    explanation: Explanation,
    evidence: Evidence,
    elapsed: Duration,
}

async fn explain_one(bench: &mut Bench, decided: &Decided) -> Second {
    let started = Instant::now();
    let expectation = experiment(&bench.plan.expectations[decided.expectation], decided.last.mute);
    prepare(bench, &expectation, decided.last.seen).await;
    let flow = planned_flow(&expectation.check);
    let mut watch = gather::begin(bench, &flow).await;
    let observed = gather::during(bench, &mut watch, probe(bench, &expectation)).await;
    let flow = real_flow(bench, flow, observed.as_ref().ok()).await;
    let mut evidence = gather::end(bench, watch, flow).await;
    over_tcp(&mut evidence);
    if let Err(error) = &observed {
        evidence.cut.push(format!("the second probe could not be made: {error}"));
    }
    let mut explanation = conclude(bench, &expectation, observed.as_ref().ok(), &mut evidence).await;
    // What is answered as expected has no fault, whatever else the walk would find.
    if let Ok(observed) = &observed
        && seen(observed) == Some(Seen::Answered)
        && matches!(judge(&bench.plan, &expectation, observed), Judgement::Match { .. })
    {
        explanation.causes.clear();
        explanation.known.clear();
    }
    explanation.flaky = observed.as_ref().ok().and_then(|observed| differs(bench, decided, observed));
    Second { check: expectation.check, observed, explanation, evidence, elapsed: started.elapsed() }
}

/// What is probed once more. Of the many echo requests of a trace one is: the first to which a router said nothing that
/// should have said something, or else the one that goes all the way.
fn experiment(expectation: &Expectation, mute: Option<u8>) -> Expectation {
    let check = match (&expectation.check, mute) {
        (Check::Trace(trace), Some(ttl)) => {
            Check::Ping(Ping { ttl: Some(ttl), outcome: vec![TtlExceeded], ..trace.ping.clone() })
        }
        (check, _) => check.clone(),
    };
    Expectation { check, ..expectation.clone() }
}

/// A DNS query whose answer was cut is asked again over TCP, from a port of its own.
fn over_tcp(evidence: &mut Evidence) {
    let sent = |flow: &Flow| {
        let packets = evidence.frames.iter().filter_map(|frame| decode(&frame.bytes));
        packets.into_iter().any(|packet| packet.is_request_of(flow))
    };
    let again = Flow { protocol: Protocol::Tcp, ..evidence.flow.clone() };
    if evidence.flow.protocol == Protocol::Udp && !sent(&evidence.flow) && sent(&again) {
        evidence.flow = again;
    }
}

/// Lets a pass stand only where the second probe shows that it was refused by whom the expectation names.
fn prove(bench: &Bench, decided: &mut Decided, second: &Second) {
    let expectation = &bench.plan.expectations[decided.expectation];
    let Some(refuser) = expectation.check.refuser() else { return };
    decided.verdict.attempts += 1;
    decided.verdict.elapsed += second.elapsed;
    decided.verdict.outcome = match &second.observed {
        Err(error) => Outcome::Error(Finding::new(format!("the probe could not be made: {error}"))),
        Ok(observed) => match judge(&bench.plan, expectation, observed) {
            Judgement::Match { .. } => {
                let Second { explanation, evidence, .. } = second;
                verdict::judge_refuser(&bench.plan, expectation, refuser, observed, explanation, evidence)
            }
            Judgement::Mismatch(finding) => {
                let why = format!("this is the second probe, for `{}`; the first was as expected", refuser.how.key());
                Outcome::Fail(finding.note(why))
            }
        },
    };
}

/// Makes the second probe the same experiment as the first: what that has taught the kernels is forgotten, and refusals
/// that are limited can be sent again.
async fn prepare(bench: &Bench, expectation: &Expectation, seen: Option<Seen>) {
    if let Some(sender) = expectation.check.nodes().next()
        && (seen.is_some_and(is_limited) || bench.refusals.may_be_missing(sender))
    {
        tokio::time::sleep_until(bench.refusals.turn(sender).into()).await;
    }
    let to = planned_flow(&expectation.check).to;
    for node in bench.lab.nodes.iter().filter(|node| !node.absent) {
        // Where a kernel does not let us, the second probe shows what it shows.
        let _ = lab::neighbours::forget_learned(node).await;
        if !to.is_unspecified() {
            let _ = lab::forget_path(node, to).await;
        }
    }
}

async fn probe(bench: &Bench, expectation: &Expectation) -> Result<Observation, ProbeError> {
    match &expectation.check {
        Check::Trace(trace) => {
            let ping = Ping { ttl: None, ..trace.ping.clone() };
            let window = bench.clock.window(bench.silence);
            observe::echo(bench, Proof::NotNeeded, &ping, window).await.map(Observation::Traffic)
        }
        _ => observe::observe(bench, expectation, None).await,
    }
}

/// What is probed, as far as the plan tells.
fn planned_flow(check: &Check) -> Flow {
    let of_ping = |ping: &Ping| Flow {
        from: ping.from,
        source: ping.source,
        to: ping.to.address,
        protocol: Protocol::Icmp,
        source_port: 0,
        port: 0,
    };
    let protocol = match check {
        Check::Udp(_) => Protocol::Udp,
        Check::Dns(dns) if dns.transport == Transport::Udp => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    match (check, check.transfer()) {
        (Check::Ping(ping) | Check::Trace(crate::plan::Trace { ping, .. }), _) => of_ping(ping),
        (Check::Arp(solicit) | Check::Ndp(solicit), _) => {
            Flow { from: solicit.from.node, to: solicit.to.address, protocol: Protocol::Neighbour, ..Flow::default() }
        }
        (Check::Http(http), _) if http.connection.to.address.is_unspecified() => match &http.lookup {
            // Before the name has an address it is the question for it that is on its way.
            Some(lookup) => Flow { protocol: Protocol::Udp, ..of_transfer(&lookup.carrier, Protocol::Udp) },
            None => of_transfer(&http.connection, protocol),
        },
        (_, Some(transfer)) => of_transfer(transfer, protocol),
        (_, None) => Flow::default(),
    }
}

fn of_transfer(transfer: &crate::plan::Transfer, protocol: Protocol) -> Flow {
    Flow {
        from: transfer.from,
        source: transfer.source,
        to: transfer.to.address,
        protocol,
        source_port: 0,
        port: transfer.port,
    }
}

/// What was probed, with the ends that the probe really had.
async fn real_flow(bench: &Bench, mut flow: Flow, observation: Option<&Observation>) -> Flow {
    let ends: Option<(SocketAddr, SocketAddr)> = match observation {
        Some(Observation::Traffic(traffic) | Observation::NoAnswer { traffic, .. }) => traffic.flow,
        Some(Observation::Http(answer)) => answer.flow,
        Some(Observation::Dns(answer)) => answer.flow,
        _ => None,
    };
    if let Some((from, to)) = ends {
        if flow.protocol == Protocol::Udp && to.port() != flow.port {
            flow.protocol = Protocol::Tcp;
        }
        flow.source = Some(from.ip()).filter(|source| !source.is_unspecified()).or(flow.source);
        (flow.to, flow.source_port, flow.port) = (to.ip(), from.port(), to.port());
    } else if flow.source.is_none() && flow.protocol != Protocol::Neighbour {
        let route = lab::lookup_route(bench.node(flow.from), flow.to).await;
        flow.source = route.ok().and_then(Result::ok).and_then(|route| route.src);
    }
    flow
}

/// Explains; what the explanation lacks the kernels are asked for.
async fn conclude(
    bench: &mut Bench,
    expectation: &Expectation,
    observation: Option<&Observation>,
    evidence: &mut Evidence,
) -> Explanation {
    let until = Instant::now() + ASKING.mul_f64(bench.scale().max(1.0));
    for _ in 0..ROUNDS {
        if Instant::now() > until {
            break;
        }
        let matter = Matter {
            plan: &bench.plan,
            initial: &bench.initial,
            performed: &bench.performed,
            check: &expectation.check,
            span: expectation.span,
            observation,
            evidence,
        };
        match verdict::explain(matter) {
            Explained::Done(explanation) => return *explanation,
            Explained::SendOn(packet) => send_on::send(bench, packet, evidence).await,
            Explained::Asks(asks) => {
                for ask in asks {
                    match lab::decide(bench.node(ask.node), &ask).await {
                        Ok(decision) => evidence.decisions.push(decision),
                        Err(error) => {
                            evidence.cut.push(format!("a route cannot be asked for: {error}"));
                            return Explanation { cut: evidence.cut.clone(), ..Explanation::default() };
                        }
                    }
                }
            }
        }
    }
    evidence.cut.push("the way of the packet is too long to be followed to its end".to_owned());
    Explanation { cut: evidence.cut.clone(), ..Explanation::default() }
}

/// What the second probe saw when that was another outcome than the first.
fn differs(bench: &Bench, decided: &Decided, observation: &Observation) -> Option<String> {
    let expectation = &bench.plan.expectations[decided.expectation];
    if matches!(expectation.check, Check::Trace(_)) {
        return None;
    }
    let judgement = judge(&bench.plan, expectation, observation);
    match (&decided.verdict.outcome, judgement) {
        (Outcome::Fail(_), Judgement::Match { .. }) => Some("the second probe was as expected".to_owned()),
        (Outcome::Pass { .. }, Judgement::Mismatch(finding)) => {
            Some(format!("the second probe was not: {}", finding.message))
        }
        (Outcome::Fail(_), Judgement::Mismatch(finding)) if kind(decided.last.seen) != kind(seen(observation)) => {
            Some(format!("the second probe failed otherwise: {}", finding.message))
        }
        _ => None,
    }
}

/// What makes two outcomes the same.
fn kind(seen: Option<Seen>) -> Option<(u8, Option<IpAddr>)> {
    Some(match seen? {
        Seen::Answered => (0, None),
        Seen::Delivered => (1, None),
        Seen::Reset => (2, None),
        // Whether a neighbour that is gone is still in the table says nothing of the network: one is silent, and one's own
        // kernel gives up on the other.
        Seen::Silent | Seen::Icmp { own: true, .. } | Seen::Local(LocalRefusal { errno: libc::EHOSTUNREACH }) => {
            (4, None)
        }
        Seen::Icmp { error, by, .. } => (10 + error.kind.wrapping_mul(16).wrapping_add(error.code), Some(by)),
        Seen::Local(_) => (3, None),
    })
}
