//! `netcase explain`.

use clap::Args;

use super::one::{One, OneCase};
use super::output::{Output, complain};
use crate::diagnostic::suggest;
use crate::plan::Plan;
use crate::report::explained;
use crate::run::{Conduct, Crew, Explain, exit};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    one: OneCase,

    /// Only the expectation of this name, or all whose name contains it
    #[arg(value_name = "EXPECTATION")]
    expectation: Option<String>,
}

pub(super) fn execute(arguments: &Arguments, output: Output) -> u8 {
    let Arguments { one: asked, expectation } = arguments;
    let One { loaded, plan } = match asked.load(output) {
        Ok(one) => one,
        Err(code) => return code,
    };
    let wanted = match expectation.as_deref().map(|part| matching(&plan, part)) {
        None => None,
        Some(Ok(names)) => Some(names),
        Some(Err(message)) => return complain(&message, exit::BAD_INPUT),
    };
    let explain = expectation.clone().map_or(Explain::Everything, Explain::Named);
    let crew = Crew::new(Conduct { explain, ..asked.conduct() });
    let mut report = crew.run(&loaded, || {});
    crew.dismiss();
    if let Some(names) = wanted {
        // What ended the case before it got there is told, too.
        report.tests.retain(|test| test.span.is_none() || !is_of(&plan, &test.name) || names.contains(&test.name));
    }
    let code = exit::code_of(&report);
    output.write(&explained::print(&report, &plan, output.style), code)
}

fn is_of(plan: &Plan, name: &str) -> bool {
    plan.expectations.iter().any(|expectation| expectation.name == name)
}

/// The expectation of this name, or else all whose name contains it.
fn matching(plan: &Plan, part: &str) -> Result<Vec<String>, String> {
    let names: Vec<&str> = plan.expectations.iter().map(|expectation| expectation.name.as_str()).collect();
    if names.contains(&part) {
        return Ok(vec![part.to_owned()]);
    }
    let found: Vec<String> = names.iter().filter(|name| name.contains(part)).map(|name| (*name).to_owned()).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    // Without a near one the list below says all.
    let near = Some(suggest(part, names.iter().copied())).filter(|near| near.starts_with("did you mean"));
    let near = near.map(|near| format!(": {near}")).unwrap_or_default();
    let list: String = names.iter().map(|name| format!("\n  {name}")).collect();
    Err(format!("no expectation has `{part}` in its name{near}\nthere are:{list}"))
}
