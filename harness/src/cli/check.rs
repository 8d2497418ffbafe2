//! `netcase check`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{Output, complain};
use crate::report::{plan, terminal};
use crate::run::{self, exit, select};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files, folders, or patterns such as 'cases/**/nat-*.toml'
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// The value of a parameter, before what the cases say; given several times for several parameters
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = select::read_set)]
    set: Vec<(String, String)>,

    /// Print what would be built and probed, in order, in the words of `ip`
    #[arg(long)]
    plan: bool,
}

pub(super) fn execute(arguments: &Arguments, output: Output) -> u8 {
    let Arguments { paths, set, plan: with_plan } = arguments;
    let selection = run::selected(paths, Path::new("."), &set.clone().into(), &[], &[]);
    let mut code = if selection.cases.is_empty() { exit::NOTHING } else { exit::PASSED };
    for problem in &selection.problems {
        code = complain(&format!("{}: {}", problem.argument, problem.message), exit::BAD_INPUT);
    }
    let (mut text, mut mistakes, mut warnings) = (String::new(), selection.problems.len(), 0);
    // What is wrong in every combination of a matrix is told once.
    let mut told = HashSet::new();
    for file in &selection.cases {
        let loaded = run::load(file);
        let report = loaded.checked();
        if report.is_red() {
            code = exit::BAD_INPUT;
        }
        let (wrong, doubtful) = loaded.tally();
        let said = terminal::diagnostics(&report, output.style);
        if wrong + doubtful > 0 && told.insert(said.clone()) {
            mistakes += wrong;
            warnings += doubtful;
            text.push_str(&said);
        }
        if let (true, Ok(resolved)) = (with_plan, &loaded.plan) {
            text.push_str(&plan::print(&report.label(), resolved));
        }
    }
    text.push_str(&terminal::tally(selection.cases.len(), mistakes, warnings));
    output.write(&text, code)
}
