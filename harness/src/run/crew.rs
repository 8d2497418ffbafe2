//! How one case is run, and what its end means.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::budget::Budget;
use super::keep::{Keeper, Ready};
use super::load::Loaded;
use super::select::Set;
use crate::case::Places;
use crate::plan::{Expectation, Need, Plan};
use crate::preflight;
use crate::report::{CaseReport, Explained, Status, TestReport};
use crate::verdict::{Finding, Outcome, Verdict};
use crate::worker::message::{Broken, Explain, Printed, Shell, not_explained};
use crate::worker::supervise::opened::Opening;
use crate::worker::supervise::{self, Ending, Finished};

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
    /// What is probed once more with evidence on.
    pub explain: Explain,
    /// Keeps the lab of a case in which something failed.
    pub keep: Option<Arc<Keeper>>,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            rootless: false,
            strict: false,
            may_lack: Vec::new(),
            allow_unproven: false,
            timeout_scale: 1.0,
            explain: Explain::Failed,
            keep: None,
        }
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

    /// The arguments of a command that runs a case in this way.
    fn options(&self, set: &Set) -> Vec<String> {
        let mut options: Vec<String> =
            set.iter().flat_map(|(name, value)| ["--set".to_owned(), format!("{name}={value}")]).collect();
        options.extend(self.rootless.then(|| "--rootless".to_owned()));
        if (self.timeout_scale - 1.0).abs() > f64::EPSILON {
            options.extend(["--timeout-scale".to_owned(), self.timeout_scale.to_string()]);
        }
        options
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
        let (ready, shell) = match self.conduct.keep.as_ref().map(|keeper| keeper.prepare()).transpose() {
            Ok(prepared) => prepared.unzip(),
            Err(error) => {
                self.budget.give_back(permits);
                return loaded.all(&Status::Error(Finding::new(format!("no shell can be prepared: {error}"))));
            }
        };
        let options = self.options(shell);
        let begin = Instant::now();
        let (mut ending, worker) = match catch_unwind(AssertUnwindSafe(|| supervise::supervise(plan, options))) {
            Ok(ended) => ended,
            Err(panic) => {
                self.budget.give_back(permits);
                std::panic::resume_unwind(panic);
            }
        };
        let opening = ending.opening.take();
        let report = self.told(loaded, plan, ending, begin);
        self.keep(&report, plan, ready, opening);
        self.budget.hold(worker, permits);
        report
    }

    fn keep(&self, report: &CaseReport, plan: &Plan, ready: Option<Ready>, opening: Option<Opening>) {
        if let (Some(keeper), Some(ready), Some(opening)) = (&self.conduct.keep, ready, opening) {
            keeper.hold(report, plan, ready, opening);
        }
    }

    fn options(&self, shell: Option<Shell>) -> supervise::Options {
        supervise::Options {
            rootless: self.conduct.rootless,
            timeout_scale: self.conduct.timeout_scale,
            explain: self.conduct.explain.clone(),
            shell,
        }
    }

    /// Builds a case for a program of the user's own, which runs for as long as the worker is kept.
    ///
    /// # Errors
    /// What is known of a case that could not be built.
    pub fn open(&self, loaded: &Loaded, shell: Shell) -> Result<(Opening, Finished), Box<CaseReport>> {
        if let Some(report) = self.without_running(loaded) {
            return Err(Box::new(report));
        }
        let Ok(plan) = &loaded.plan else {
            return Err(Box::new(loaded.all(&Status::Pass)));
        };
        let begin = Instant::now();
        let (mut ending, worker) = supervise::supervise(plan, self.options(Some(shell)));
        match ending.opening.take() {
            Some(opening) => Ok((opening, worker)),
            None => {
                let is_the_cases_own =
                    ending.broken.as_ref().is_some_and(|it| it.subject.is_some() || it.span.is_some());
                let mut report = self.told(loaded, plan, ending, begin);
                // It is one thing that broke, and no expectation's fault.
                report.tests.truncate(1);
                for test in report.tests.iter_mut().filter(|_| !is_the_cases_own) {
                    test.span = None;
                }
                Err(Box::new(report))
            }
        }
    }

    fn told(&self, loaded: &Loaded, plan: &Plan, ending: Ending, begin: Instant) -> CaseReport {
        let printed = ending.printed.iter().map(|Printed { who, text }| (who.clone(), text.clone())).collect();
        let mut tests = self.conclude(plan, ending);
        point_at_keys(loaded, &mut tests);
        let mut report = loaded.report(tests);
        report.printed = printed;
        report.plan = Some(Arc::new(plan.clone()));
        report.options = self.conduct.options(&loaded.file.given.set);
        report.elapsed = begin.elapsed();
        report
    }

    /// A test for each expectation: its verdict, or why there is none; and before them one for what of the case's own
    /// has failed.
    fn conclude(&self, plan: &Plan, ending: Ending) -> Vec<TestReport> {
        let Ending { verdicts, broken, printed: _, mut explained, unexplained, opening: _, elapsed: _ } = ending;
        let unexplained: HashMap<usize, String> = unexplained.into_iter().collect();
        let own = broken.iter().filter_map(|broken| {
            let Broken { message, notes, helps, span, subject, lacking: _ } = broken;
            let finding = Finding { notes: notes.clone(), helps: helps.clone(), ..Finding::new(message) };
            Some(TestReport::unprobed(subject.as_ref()?, *span, Status::Fail(finding)))
        });
        let mut verdicts = verdicts.into_iter();
        let tests = plan.expectations.iter().enumerate().map(|(at, expectation)| {
            let mut test = match verdicts.next().flatten() {
                Some(verdict) => self.decided(expectation, verdict),
                None => self.undecided(expectation, broken.as_ref()),
            };
            let own = explained.iter().position(|(probed, ..)| probed.expectation == at);
            test.explained = own.map(|own| {
                let (probed, explanation, evidence) = explained.swap_remove(own);
                Box::new(Explained { explanation, evidence: Arc::new(evidence), probed: Some(Arc::new(probed)) })
            });
            let late = || {
                let meant = self.conduct.explain == Explain::Failed && expectation.check.is_traffic();
                broken.as_ref().filter(|it| meant && it.subject.is_none()).map(|it| not_explained(&it.message))
            };
            if let (Status::Fail(finding), None) = (&mut test.status, &test.explained)
                && test.attempts > 0
            {
                finding.notes.extend(unexplained.get(&at).cloned().or_else(late));
            }
            test
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
            explained: None,
            attachments: Vec::new(),
        }
    }
}

/// Sets the place of each red verdict to the key of the check that it is about.
fn point_at_keys(loaded: &Loaded, tests: &mut [TestReport]) {
    let mut places = None;
    for test in tests {
        let (Status::Fail(finding) | Status::Error(finding), Some(span)) = (&test.status, test.span) else {
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
