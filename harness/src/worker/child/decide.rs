//! Poll to match, then hold: from attempts to a verdict.

use std::time::{Duration, Instant};

use super::attempt::Bench;
use super::observe;
use crate::observation::{IcmpError, Observation, Seen};
use crate::plan::Expectation;
use crate::verdict::{Finding, Judgement, Outcome, Verdict, duration, judge};

/// From one attempt to the next.
const INTERVAL: Duration = Duration::from_millis(100);

/// The same where a router's own refusals are limited: 5 at once, then about one a second, and a missing one would
/// read as silence. No setting of a namespace changes that.
const LIMITED_INTERVAL: Duration = Duration::from_millis(1100);

/// Probes until the expectation is decided.
pub(super) async fn decide(bench: &Bench<'_>, expectation: &Expectation) -> Verdict {
    let started = Instant::now();
    let moment = bench.clock.now();
    let within = bench.within(expectation);
    let mut attempts = 0;
    let mut matched: Option<Instant> = None;
    let mut unproven_reason = None;
    loop {
        attempts += 1;
        let began = Instant::now();
        let unmatched_since = matched.is_none().then_some(moment);
        let observation = match observe::observe(bench, expectation, unmatched_since).await {
            Ok(observation) => observation,
            Err(error) => {
                let outcome = Outcome::Error(Finding::new(format!("the probe could not be made: {error}")));
                return Verdict { outcome, attempts, elapsed: started.elapsed(), observation: None };
            }
        };
        let decided = match (judge(bench.plan, expectation, &observation), matched) {
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
            // Another attempt would begin too late to be in time.
            (Judgement::Mismatch(finding), None)
                if bench.clock.since(moment) + interval(&observation).saturating_sub(began.elapsed()) >= within =>
            {
                Some(Outcome::Fail(tried(finding, attempts, started.elapsed())))
            }
            (Judgement::Mismatch(_), None) => None,
        };
        if let Some(outcome) = decided {
            return Verdict { outcome, attempts, elapsed: started.elapsed(), observation: Some(observation) };
        }
        tokio::time::sleep_until((began + interval(&observation)).into()).await;
        observe::prepare_next(bench, expectation, &observation).await;
    }
}

/// How long it was tried, where once was not enough.
fn tried(finding: Finding, attempts: u32, elapsed: Duration) -> Finding {
    match attempts {
        1 => finding,
        _ => finding.note(format!("this is the last of {attempts} attempts in {}", duration(elapsed))),
    }
}

fn interval(observation: &Observation) -> Duration {
    match observation {
        Observation::Traffic(traffic) if is_limited(traffic.seen) => LIMITED_INTERVAL,
        _ => INTERVAL,
    }
}

/// Whether a refusal is one that a router's kernel sends for its own routes: net or host unreachable, or prohibited.
fn is_limited(seen: Seen) -> bool {
    match seen {
        Seen::Icmp { error, own: false, .. } => match error {
            IcmpError { v6: false, kind: 3, code } => matches!(code, 0 | 1 | 13),
            IcmpError { v6: true, kind: 1, code } => matches!(code, 0 | 1 | 3),
            _ => false,
        },
        _ => false,
    }
}
