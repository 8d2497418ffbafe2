//! `netcase list`.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::chosen::Chosen;
use super::output::{Output, complain};
use crate::run::{self, exit};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,

    /// `text` is one name a line; `json` has titles, tags and expectations too
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn execute(arguments: &Arguments, output: Output) -> u8 {
    let Arguments { chosen: Chosen { paths, set, filters, tags }, format } = arguments;
    let selection = run::selected(paths, Path::new("."), &set.clone().into(), filters, tags);
    let mut code = match selection.cases.is_empty() {
        true if selection.problems.is_empty() => complain(&selection.left_out.to_string(), exit::NOTHING),
        true => exit::NOTHING,
        false => exit::PASSED,
    };
    for problem in &selection.problems {
        code = complain(&format!("{}: {}", problem.argument, problem.message), exit::BAD_INPUT);
    }
    let text = match format {
        Format::Text => selection.cases.iter().map(|file| format!("{}\n", file.name)).collect(),
        Format::Json => run::listing(&selection.cases),
    };
    output.write(&text, code)
}
