//! How one case is run, and what its end means.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::budget::Budget;
use super::load::Loaded;
use crate::case::Places;
use crate::plan::{Expectation, Need, Plan};
use crate::preflight;
use crate::report::{CaseReport, Status, TestReport};
use crate::verdict::{Finding, Outcome, Verdict};
use crate::worker::message::{Broken, Printed};
use crate::worker::supervise::{self, Ending};

/// How cases are run and judged.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// An own user namespace also as root.
    pub rootless: bool,
    /// Something that this machine lacks is an error, not a skip.
    pub strict: bool,
    /// What is skipped all the same, because this machine is known to lack it.
    pub may_lack: Vec<Need>,
    /// What holds without proof is a pass.
    pub allow_unproven: bool,
    /// Stretches every wait that is not a limit of the case.
    pub timeout_scale: f64,
}

impl Default for Conduct {
    fn default() -> Self {
        Self { rootless: false, strict: false, may_lack: Vec::new(), allow_unproven: false, timeout_scale: 1.0 }
    }
}

impl Conduct {
    /// Reads something that a machine may lack.
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn read_need(text: &str) -> Result<Need, String> {
        Need::from_word(text).ok_or_else(|| "expected `ipv6`, `link:KIND` or `program:NAME`".into())
    }

    /// Reads a factor that leaves every wait finite and more than nothing.
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn read_scale(text: &str) -> Result<f64, String> {
        match text.parse::<f64>() {
            Ok(scale) if (0.01..=1000.0).contains(&scale) => Ok(scale),
            _ => Err("expected a number from 0.01 to 1000".into()),
        }
    }
}

/// Runs cases, each in a worker, within one neighbour budget.
pub struct Crew {
    conduct: Conduct,
    pub(super) budget: Budget,
}

impl Crew {
    /// A crew without workers.
    pub fn new(conduct: Conduct) -> Self {
        Self { conduct, budget: Budget::new() }
    }

    /// Runs a case and blocks until its verdicts are in. `started` is called when its turn has come. The worker dies
    /// with the calling thread; [`Self::dismiss`] ends those that are left together.
    pub fn run(&self, loaded: &Loaded, started: impl FnOnce()) -> CaseReport {
        let run = AssertUnwindSafe(|| self.run_loaded(loaded, started));
        catch_unwind(run).unwrap_or_else(|panic| {
            let finding = Finding::new(format!("netcase itself failed: {}", panic_text(&*panic)))
                .help("this is a fault of netcase: please report it, with the case");
            loaded.all(&Status::Error(finding))
        })
    }

    /// Ends all workers.
    pub fn dismiss(&self) {
        self.budget.close();
    }

    /// What is known about a case before anything is built: that it cannot be used, or cannot run here.
    pub fn without_running(&self, loaded: &Loaded) -> Option<CaseReport> {
        match &loaded.plan {
            Err(_) => Some(loaded.all(&Status::Pass)),
            Ok(plan) => self.lacking(plan).map(|status| loaded.all(&status)),
        }
    }

    fn lacking(&self, plan: &Plan) -> Option<Status> {
        let missing = preflight::missing(&plan.needs);
        let known = missing.iter().all(|(need, _)| self.conduct.may_lack.contains(need));
        let reasons: Vec<String> = missing.iter().map(|(_, reason)| reason.clone()).collect();
        (!missing.is_empty()).then(|| self.skipped(reasons.join("; "), known))
    }

    /// What it means that this machine lacks something; whether that was known before.
    fn skipped(&self, reason: String, known: bool) -> Status {
        if self.conduct.strict && !known {
            Status::Error(
                Finding::new(format!("this machine lacks what the case needs: {reason}"))
                    .help("without `--strict`, or with `--may-lack`, the case is skipped"),
            )
        } else {
            Status::Skip(reason)
        }
    }

    fn run_loaded(&self, loaded: &Loaded, started: impl FnOnce()) -> CaseReport {
        if let Some(report) = self.without_running(loaded) {
            started();
            return report;
        }
        let Ok(plan) = &loaded.plan else {
            return loaded.all(&Status::Pass);
        };
        let permits = self.budget.take(plan);
        started();
        let options = supervise::Options { rootless: self.conduct.rootless, timeout_scale: self.conduct.timeout_scale };
        let begin = Instant::now();
        let (ending, worker) = match catch_unwind(AssertUnwindSafe(|| supervise::supervise(plan, options))) {
            Ok(ended) => ended,
            Err(panic) => {
                self.budget.give_back(permits);
                std::panic::resume_unwind(panic);
            }
        };
        self.budget.hold(worker, permits);
        let printed = ending.printed.iter().map(|Printed { who, text }| (who.clone(), text.clone())).collect();
        let mut tests = self.conclude(plan, ending);
        point_at_keys(loaded, &mut tests);
        let mut report = loaded.report(tests);
        report.printed = printed;
        report.elapsed = begin.elapsed();
        report
    }

    /// A test for each expectation: its verdict, or why there is none; and before them one for what of the case's own
    /// has failed.
    fn conclude(&self, plan: &Plan, ending: Ending) -> Vec<TestReport> {
        let Ending { verdicts, broken, printed: _, elapsed: _ } = ending;
        let own = broken.iter().filter_map(|broken| {
            let Broken { message, notes, helps, span, subject, lacking: _ } = broken;
            let finding = Finding { notes: notes.clone(), helps: helps.clone(), ..Finding::new(message) };
            Some(TestReport::unprobed(subject.as_ref()?, *span, Status::Fail(finding)))
        });
        let mut verdicts = verdicts.into_iter();
        let tests = plan.expectations.iter().map(|expectation| match verdicts.next().flatten() {
            Some(verdict) => self.decided(expectation, verdict),
            None => self.undecided(expectation, broken.as_ref()),
        });
        own.chain(tests).collect()
    }

    fn undecided(&self, expectation: &Expectation, broken: Option<&Broken>) -> TestReport {
        let (status, blame) = match broken {
            Some(Broken { message, lacking: true, .. }) => (self.skipped(message.clone(), false), None),
            Some(Broken { subject: Some(subject), span, .. }) => {
                (Status::Fail(Finding::new(format!("not reached: {subject} failed"))), *span)
            }
            Some(Broken { message, notes, helps, span, subject: None, lacking: false }) => {
                let finding = Finding { notes: notes.clone(), helps: helps.clone(), ..Finding::new(message) };
                (Status::Error(finding), *span)
            }
            None => (Status::Error(Finding::new("the worker ended without a verdict")), None),
        };
        let mut test = TestReport::unprobed(&expectation.name, Some(expectation.span), status);
        test.blame = blame;
        test
    }

    fn decided(&self, expectation: &Expectation, verdict: Verdict) -> TestReport {
        let Verdict { outcome, attempts, elapsed } = verdict;
        let (status, unproven) = match outcome {
            Outcome::Pass { unproven: None } => (Status::Pass, None),
            Outcome::Pass { unproven: Some(reason) } if self.conduct.allow_unproven => (Status::Pass, Some(reason)),
            Outcome::Pass { unproven: Some(reason) } => {
                let finding = Finding::new(format!("{}: it holds, but nothing proves it", expectation.name))
                    .note(&reason)
                    .help("`--allow-unproven` counts it as passed");
                (Status::Error(finding), Some(reason))
            }
            Outcome::Fail(finding) => (Status::Fail(finding), None),
            Outcome::Error(finding) => (Status::Error(finding), None),
        };
        TestReport {
            name: expectation.name.clone(),
            status,
            span: Some(expectation.span),
            blame: None,
            unproven,
            elapsed,
            attempts,
        }
    }
}

/// Sets the place of each red verdict to the key of the check that it is about.
fn point_at_keys(loaded: &Loaded, tests: &mut [TestReport]) {
    let mut places = None;
    for test in tests {
        let (Status::Fail(finding), Some(span)) = (&test.status, test.span) else {
            continue;
        };
        if !finding.about.is_empty() {
            let places = places.get_or_insert_with(|| Places::read(&loaded.source));
            test.blame = test.blame.or_else(|| places.of(span, &finding.about));
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<String>() {
        Some(text) => text,
        None => panic.downcast_ref::<&str>().unwrap_or(&"no words were given"),
    }
}

#[cfg(test)]
mod tests;
