//! Selects cases, runs them in parallel, and tells listeners what happens.

pub mod budget;
mod crew;
pub mod exit;
mod files;
mod interrupt;
mod keep;
mod listing;
mod load;
mod schedule;
pub mod select;
mod session;
mod shell;
mod signals;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

pub use crew::{Conduct, Crew};
pub use files::check_files;
pub use interrupt::Interrupt;
pub use keep::Keeper;
pub use listing::listing;
pub use load::{CASE_TEST, Loaded, load, resolve};
pub use schedule::{run, selected};
pub use shell::{NoShell, Wanted, shell};

pub use crate::worker::message::Explain;

/// What is run, and how.
pub struct RunOptions {
    /// Files, folders and patterns, relative to the working directory.
    pub paths: Vec<PathBuf>,
    /// The folder that paths and names are relative to.
    pub directory: PathBuf,
    /// Values for parameters, by name, that go before what the files say.
    pub set: select::Set,
    /// Only cases whose name contains one of these; empty means all.
    pub filters: Vec<String>,
    /// Only cases that have one of these tags; empty means all. A case whose tags cannot be read is always run, so
    /// that it is seen to be broken.
    pub tags: Vec<String>,
    /// How many cases run at the same time.
    pub jobs: NonZero<usize>,
    /// After the first red case no other is started.
    pub fail_fast: bool,
    /// How each of them is run and judged.
    pub conduct: Conduct,
    /// Ends the run early. After that the process is expected to end: workers that still run die with it.
    pub interrupt: Option<Arc<Interrupt>>,
}

/// How many cases run at the same time unless the user says otherwise: eight for each core, since cases mostly wait.
pub fn default_jobs() -> NonZero<usize> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    NonZero::new(cores * 8).unwrap_or(NonZero::<usize>::MIN)
}
