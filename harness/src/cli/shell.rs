//! `netcase shell`.

use clap::Args;

use super::one::{One, OneCase};
use super::output::{Output, complain};
use crate::diagnostic::suggest;
use crate::report::terminal;
use crate::run::{Crew, NoShell, Wanted, exit, shell};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    one: OneCase,

    /// The node
    #[arg(value_name = "NODE")]
    node: String,

    /// Perform the actions of the steps up to the Nth first
    #[arg(long, value_name = "N", default_value_t = 0)]
    step: usize,

    /// What to run there instead of a shell
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
}

pub(super) fn execute(arguments: &Arguments, output: Output) -> u8 {
    let Arguments { one: asked, node: name, step, command } = arguments;
    let One { loaded, plan } = match asked.load(output) {
        Ok(one) => one,
        Err(code) => return code,
    };
    let Some(node) = plan.nodes.iter().position(|node| node.name == *name) else {
        let near = suggest(name, plan.nodes.iter().map(|node| node.name.as_str()));
        return complain(&format!("there is no node `{name}`: {near}"), exit::BAD_INPUT);
    };
    if *step > plan.steps.len() {
        let message = format!("there is no step {step}: the case has {}", plan.steps.len());
        return complain(&message, exit::BAD_INPUT);
    }
    let wanted = Wanted { node, steps: *step, command: command.clone() };
    let told = |line: &str| eprintln!("{line}");
    match shell(&Crew::new(asked.conduct()), &loaded, &plan, &wanted, told) {
        Ok(Some(code)) => code,
        Ok(None) => complain("interrupted", exit::ERROR),
        Err(NoShell::Broken(message)) => complain(&format!("no shell: {message}"), exit::ERROR),
        Err(NoShell::Case(report)) => {
            let code = exit::code_of(&report);
            output.write(&terminal::why(&report, output.style), code)
        }
    }
}
