//! The arguments that choose cases.

use std::path::PathBuf;

use clap::Args;

use crate::run::select;

/// Paths, and what narrows them down.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    /// Files, folders, or patterns such as 'cases/**/nat-*.toml'
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,

    /// The value of a parameter, before what the cases say; given several times for several parameters
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = select::read_set)]
    pub(super) set: Vec<(String, String)>,

    /// Only cases whose name contains TEXT; given several times, one of them
    #[arg(long = "filter", value_name = "TEXT")]
    pub(super) filters: Vec<String>,

    /// Only cases with this tag; given several times, one of them
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
}
