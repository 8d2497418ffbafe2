//! `netcase list`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::output::{Output, complain};
use crate::run::{self, exit, select};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files, folders, or patterns such as 'cases/**/nat-*.toml'
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// The value of a parameter, before what the cases say; given several times for several parameters
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = select::read_set)]
    set: Vec<(String, String)>,

    /// Only cases whose name contains TEXT; given several times, one of them
    #[arg(long = "filter", value_name = "TEXT")]
    filters: Vec<String>,

    /// Only cases with this tag; given several times, one of them
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

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
    let Arguments { paths, set, filters, tags, format } = arguments;
    let selection = run::selected(paths, Path::new("."), &set.clone().into(), filters, tags);
    let mut code = if selection.cases.is_empty() { exit::NOTHING } else { exit::PASSED };
    for problem in &selection.problems {
        code = complain(&format!("{}: {}", problem.argument, problem.message), exit::BAD_INPUT);
    }
    let text = match format {
        Format::Text => selection.cases.iter().map(|file| format!("{}\n", file.name)).collect(),
        Format::Json => run::listing(&selection.cases),
    };
    output.write(&text, code)
}
