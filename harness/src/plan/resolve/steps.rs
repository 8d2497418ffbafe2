//! What happens, step by step: actions change the lab as the kernel will, and what is expected of a step is resolved
//! against the lab as it stands then.

use std::collections::BTreeSet;
use std::time::Duration;

use super::actions::{self, Stage};
use super::expectations::{self, Built};
use super::lab::Lab;
use crate::case::expect::Expect;
use crate::case::{CaseList, step};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{Check, Expectation, Service, Step};
use crate::source::{Span, Spanned};

/// What a case says must hold, in one of two ways.
pub(super) struct Written {
    pub expect: Option<CaseList<Expect>>,
    pub steps: Option<CaseList<step::Step>>,
}

/// The steps, and the expectations of all of them.
#[derive(Default)]
pub(super) struct Told {
    pub steps: Vec<Step>,
    pub expectations: Vec<Expectation>,
}

/// Resolves every step in order; the lab is left as the last one leaves it.
pub(super) fn resolve(
    lab: &mut Lab,
    services: &[Service],
    timeout: Duration,
    written: Written,
    out: &mut Diagnostics,
) -> Told {
    refuse_nothing(&written, out);
    let steps = match (written.expect, written.steps) {
        (None, steps) => steps.map(|steps| steps.items).unwrap_or_default(),
        (Some(expect), None) => vec![only(expect)],
        (Some(expect), Some(steps)) => {
            out.push(
                Diagnostic::error(expect.span, "a case has `expect` or `steps`, not both")
                    .label("which step is it to hold in?")
                    .related(steps.span, "the steps")
                    .help("move it into a step: `expect = [...]` below its `[[steps]]`"),
            );
            steps.items
        }
    };
    let mut told = Told::default();
    let mut running: Vec<bool> = services.iter().map(|service| service.initial).collect();
    let mut captured = BTreeSet::new();
    for step in steps {
        let mut stage = Stage { lab, services, running: &mut running, captured: &mut captured, timeout, out };
        tell(&mut stage, timeout, step, &mut told);
    }
    expectations::refuse_equal_names(&told.expectations, out);
    told
}

/// A list of expectations is one step without actions.
fn only(expect: CaseList<Expect>) -> step::Step {
    step::Step { title: None, r#do: None, span: expect.span, expect: Some(expect), sound: true }
}

fn refuse_nothing(written: &Written, out: &mut Diagnostics) {
    let listed = |list: &Option<CaseList<Expect>>| list.as_ref().is_some_and(|list| list.written > 0);
    let steps = written.steps.as_ref();
    let unread = steps.is_some_and(|steps| steps.items.len() < steps.written);
    if unread
        || listed(&written.expect)
        || steps.is_some_and(|steps| steps.items.iter().any(|step| !step.sound || listed(&step.expect)))
    {
        return;
    }
    let place = written.expect.as_ref().map(|list| list.span).or(steps.map(|steps| steps.span));
    out.push(
        Diagnostic::error(place.unwrap_or_default(), "this case expects nothing")
            .label("a case without expectations proves nothing")
            .help("such as `[[expect]]` and below it `ping = { from = \"red\", to = \"blue\" }`"),
    );
}

fn tell(stage: &mut Stage<'_>, timeout: Duration, written: step::Step, told: &mut Told) {
    let step::Step { title, r#do, expect, span, sound } = written;
    check_title(title.as_ref(), stage.out);
    if sound && r#do.as_ref().is_none_or(|list| list.written == 0) && expect.is_none() {
        stage.out.push(
            Diagnostic::error(span, "this step does nothing and expects nothing")
                .label("`do = [...]` with actions, `expect = [...]` with what must hold then"),
        );
    }
    let acts = r#do.is_some();
    let mut performed = Vec::new();
    for action in r#do.map(|list| list.items).unwrap_or_default() {
        actions::resolve(stage, action, &mut performed);
    }
    super::scripts::mention(stage.lab, expect.iter().flat_map(|list| &list.items));
    stage.lab.number();
    stage.lab.index_addresses();
    let nodes = stage.lab.finish();
    let running = stage.services.iter().zip(&*stage.running).filter(|(_, running)| **running);
    let services: Vec<Service> = running.map(|(service, _)| service.clone()).collect();
    let first = told.expectations.len();
    if let Some(expect) = expect {
        let title = title.as_deref().map(String::as_str);
        let built =
            Built { lab: stage.lab, nodes: &nodes, services: &services, captured: stage.captured, timeout, title };
        expectations::resolve(&built, expect, &mut told.expectations, stage.out);
    }
    for expectation in &told.expectations[first..] {
        if let Check::Run(run) = &expectation.check {
            stage.captured.extend(run.captures.iter().map(|capture| capture.name.clone()));
        }
    }
    told.steps.push(Step {
        title: title.map(|title| title.value),
        actions: performed,
        nodes: acts.then_some(nodes),
        expectations: first..told.expectations.len(),
    });
}

fn check_title(title: Option<&Spanned<String>>, out: &mut Diagnostics) {
    let wrong = title.filter(|title| title.trim().is_empty() || title.chars().any(char::is_control));
    if let Some(title) = wrong {
        let place: Span = title.span;
        out.push(Diagnostic::error(place, "this is not a title").label("one line that says what is new in this step"));
    }
}
