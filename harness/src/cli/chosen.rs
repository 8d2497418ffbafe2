//! The arguments that choose cases.

use std::path::PathBuf;

use clap::Args;

/// Paths, and what narrows them down.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    /// Files, folders, or patterns such as 'cases/**/nat-*.toml'
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,

    /// Only cases whose name contains TEXT; given several times, one of them
    #[arg(long = "filter", value_name = "TEXT")]
    pub(super) filters: Vec<String>,

    /// Only cases with this tag; given several times, one of them
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
}
