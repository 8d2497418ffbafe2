//! `netcase check`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{Output, complain};
use crate::report::{plan, terminal};
use crate::run::{self, exit};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files, folders, or patterns such as 'cases/**/nat-*.toml'
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Print what would be built and probed, in order, in the words of `ip`
    #[arg(long)]
    plan: bool,
}

pub(super) fn execute(arguments: &Arguments, output: Output) -> u8 {
    let Arguments { paths, plan: with_plan } = arguments;
    let selection = run::selected(paths, Path::new("."), &[], &[]);
    let mut code = if selection.cases.is_empty() { exit::NOTHING } else { exit::PASSED };
    for problem in &selection.problems {
        code = complain(&format!("{}: {}", problem.argument, problem.message), exit::BAD_INPUT);
    }
    let (mut text, mut mistakes, mut warnings) = (String::new(), 0, 0);
    for file in &selection.cases {
        let loaded = run::load(file);
        let report = loaded.checked();
        if report.is_red() {
            code = exit::BAD_INPUT;
        }
        let (wrong, doubtful) = loaded.tally();
        mistakes += wrong;
        warnings += doubtful;
        if wrong + doubtful > 0 {
            text.push_str(&terminal::diagnostics(&report, output.style));
        }
        if let (true, Ok(resolved)) = (with_plan, &loaded.plan) {
            text.push_str(&plan::print(&file.shown, resolved));
        }
    }
    text.push_str(&terminal::tally(selection.cases.len(), mistakes, warnings));
    output.write(&text, code)
}
