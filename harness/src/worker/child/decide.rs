//! Poll to match, then hold: from attempts to a verdict.

use std::time::{Duration, Instant};

use super::attempt::Bench;
use super::clock::Moment;
use super::observe;
use super::refusals::{APART, is_limited};
use crate::lab;
use crate::observation::{Observation, Seen, Traffic};
use crate::plan::{Check, Expectation, NodeId};
use crate::probe::ProbeError;
use crate::verdict::{Finding, Judgement, Outcome, Verdict, duration, judge};

/// From one attempt to the next.
const INTERVAL: Duration = Duration::from_millis(100);

/// What the last attempt saw, as far as a second probe must know it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    /// What happened to its packets.
    pub(super) seen: Option<Seen>,
    /// The first distance at which a trace, which got to its end, heard nothing of the router that should be there.
    pub(super) mute: Option<u8>,
}

/// Probes until the expectation is decided; gives what its last attempt saw, too.
pub(super) async fn decide(bench: &Bench, index: usize) -> (Verdict, Last) {
    let started = Instant::now();
    let expectation = &bench.plan.expectations[index];
    if let Some(outcome) = unread(bench, index) {
        return (Verdict { outcome, attempts: 0, elapsed: started.elapsed() }, Last::default());
    }
    let moment = bench.clock.now();
    let within = bench.within(expectation);
    let mut attempts = 0;
    let mut matched: Option<Instant> = None;
    let mut unproven_reason = None;
    let mut heard: Option<Finding> = None;
    loop {
        attempts += 1;
        let began = Instant::now();
        let unmatched_since = matched.is_none().then_some(moment);
        let observation = match attempt(bench, expectation, unmatched_since).await {
            Ok(observation) => observation,
            Err(error) => {
                let outcome = Outcome::Error(Finding::new(format!("the probe could not be made: {error}")));
                return (Verdict { outcome, attempts, elapsed: started.elapsed() }, Last::default());
            }
        };
        let decided = match (judge(&bench.plan, expectation, &observation), matched) {
            (Judgement::Match { unproven }, since) => {
                unproven_reason = unproven_reason.or(unproven);
                let since = *matched.insert(since.unwrap_or_else(Instant::now));
                (since.elapsed() >= expectation.holds_for).then(|| Outcome::Pass { unproven: unproven_reason.clone() })
            }
            (Judgement::Mismatch(finding), Some(since)) => {
                // The attempt that failed shows how long it did not hold, so the time counts up to its beginning.
                let (held, wanted) = (duration(began - since), duration(expectation.holds_for));
                Some(Outcome::Fail(finding.note(format!("it held for {held}, then this; `holds-for` is {wanted}"))))
            }
            (Judgement::Mismatch(finding), None) => {
                let silence = silence(&observation);
                // A silence that was cut short tells less than what an attempt before it heard.
                let kept = heard.take().filter(|_| silence.is_some_and(|silence| silence < bench.silence));
                // Whether another attempt would begin too late to be in time.
                let next = interval(&observation).saturating_sub(began.elapsed());
                let late = bench.clock.since(moment) + next >= within;
                let is_last = kept.is_none();
                heard = kept.or_else(|| silence.is_none().then(|| finding.clone()));
                let finding = heard.clone().unwrap_or(finding);
                late.then(|| Outcome::Fail(tried(finding, is_last, attempts, started.elapsed())))
            }
        };
        if let Some(outcome) = decided {
            return (Verdict { outcome, attempts, elapsed: started.elapsed() }, last(&expectation.check, &observation));
        }
        tokio::time::sleep_until((began + interval(&observation)).into()).await;
        observe::prepare_next(bench, expectation, &observation).await;
    }
}

fn last(check: &Check, observation: &Observation) -> Last {
    let mute = match (check, observation) {
        (Check::Trace(trace), Observation::Trace(hops)) if hops.last() == Some(&Seen::Answered) => {
            let mut expected = trace.via.iter().zip(hops).enumerate();
            expected.find(|(_, (by, seen))| by.is_some() && **seen == Seen::Silent).map(|(at, _)| at + 1)
        }
        _ => None,
    };
    Last { seen: seen(observation), mute: mute.and_then(|distance| u8::try_from(distance).ok()) }
}

/// What happened to the packets of an attempt.
pub(super) fn seen(observation: &Observation) -> Option<Seen> {
    match observation {
        Observation::Traffic(traffic) | Observation::NoAnswer { traffic, .. } => Some(traffic.seen),
        Observation::Http(_) | Observation::Dns(_) => Some(Seen::Answered),
        _ => None,
    }
}

/// What an expectation comes to whose node is gone, or whose target's address could not be read.
fn unread(bench: &Bench, index: usize) -> Option<Outcome> {
    if let Some(gone) = bench.plan.expectations[index].check.nodes().find(|node| bench.node(*node).absent) {
        let name = &bench.plan.nodes[gone].name;
        return Some(Outcome::Fail(Finding::new(format!("there is no node {name} now: no script has left it there"))));
    }
    bench.unread.get(&index).cloned().map(Outcome::Fail)
}

/// One attempt; a silence that may be a refusal left out is probed a second time.
async fn attempt(
    bench: &Bench,
    expectation: &Expectation,
    unmatched_since: Option<Moment>,
) -> Result<Observation, ProbeError> {
    let observation = observe::observe(bench, expectation, unmatched_since).await?;
    let (Some(sender), Observation::Traffic(traffic)) = (sender(&expectation.check), &observation) else {
        return Ok(observation);
    };
    bench.refusals.note(sender, traffic.seen);
    if traffic.seen != Seen::Silent {
        return Ok(observation);
    }
    let redirected = lab::was_redirected(bench.node(sender)).map_err(|error| ProbeError(error.to_string()))?;
    if !redirected && !bench.refusals.may_be_missing(sender) {
        return Ok(observation);
    }
    tokio::time::sleep_until(bench.refusals.turn(sender).into()).await;
    let again = observe::observe(bench, expectation, None).await?;
    if let Observation::Traffic(traffic) = &again {
        bench.refusals.note(sender, traffic.seen);
    }
    Ok(again)
}

/// The node whose packets a router may refuse.
fn sender(check: &Check) -> Option<NodeId> {
    match check {
        Check::Ping(ping) => Some(ping.from),
        _ => check.transfer().map(|transfer| transfer.from),
    }
}

/// For how long an attempt listened that heard nothing.
fn silence(observation: &Observation) -> Option<Duration> {
    match observation {
        Observation::Traffic(Traffic { seen: Seen::Silent, elapsed, .. })
        | Observation::NoAnswer { traffic: Traffic { elapsed, .. }, why: None } => Some(*elapsed),
        Observation::Answers(answers) if answers.macs.is_empty() => Some(answers.elapsed),
        _ => None,
    }
}

/// How long it was tried, where once was not enough.
fn tried(finding: Finding, is_last: bool, attempts: u32, elapsed: Duration) -> Finding {
    let elapsed = duration(elapsed);
    match (attempts, is_last) {
        (1, _) => finding,
        (_, true) => finding.note(format!("this is the last of {attempts} attempts in {elapsed}")),
        (_, false) => {
            finding.note(format!("of {attempts} attempts in {elapsed}, the last had no time to hear anything"))
        }
    }
}

fn interval(observation: &Observation) -> Duration {
    match observation {
        Observation::Traffic(traffic) if is_limited(traffic.seen) => APART,
        _ => INTERVAL,
    }
}
