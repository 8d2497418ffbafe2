//! `netcase run`.

use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::chosen::Chosen;
use super::output::{Output, complain};
use crate::plan::Need;
use crate::report::Listener;
use crate::report::bundle::{Bundles, Keep};
use crate::report::junit::{Junit, is_device};
use crate::report::terminal::{Look, Terminal};
use crate::run::{self, Conduct, Explain, Interrupt, Keeper, RunOptions, exit};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,

    /// How many cases run at the same time [default: eight for each core, as cases mostly wait]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZero<usize>>,

    /// Start no other case after the first that is red; the rest is skipped
    #[arg(long)]
    fail_fast: bool,

    /// Where to write the JUnit report
    #[arg(long, value_name = "FILE", default_value = "reports/junit.xml")]
    junit: PathBuf,

    /// Use an own user namespace also as root
    #[arg(long)]
    rootless: bool,

    /// Take what this machine lacks for an error: nothing is skipped
    #[arg(long)]
    strict: bool,

    /// With --strict: what this machine is known to lack, as a case says it under `needs`; that is skipped all the same
    #[arg(long, value_name = "NEED", requires = "strict", value_parser = Conduct::read_need)]
    may_lack: Vec<Need>,

    /// Let an expectation pass that holds, but without proof
    #[arg(long)]
    allow_unproven: bool,

    /// Stretch every wait that is not a limit of the case, for a slow machine
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = Conduct::read_scale)]
    timeout_scale: f64,

    /// What is probed once more with captures and rule traces on, and explained
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Failed)]
    capture: When,

    /// For which cases a folder beside the JUnit report keeps all evidence [default: failed, unless the report goes to a
    /// device]
    #[arg(long, value_name = "WHEN", value_enum)]
    bundle: Option<When>,

    /// After a case with a failure keep its lab and open a shell in it, or wait where there is no terminal; one case at a
    /// time
    #[arg(long, conflicts_with = "jobs")]
    keep_on_fail: bool,

    /// Show each expectation, with its time and its attempts
    #[arg(short, long)]
    verbose: bool,
}

/// For what something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// Never
    Never,
    /// For what fails
    Failed,
    /// For everything
    Always,
}

impl When {
    fn keep(self) -> Keep {
        match self {
            Self::Never => Keep::Nothing,
            Self::Failed => Keep::Failed,
            Self::Always => Keep::Everything,
        }
    }

    fn explain(self) -> Explain {
        match self {
            Self::Never => Explain::Nothing,
            Self::Failed => Explain::Failed,
            Self::Always => Explain::Everything,
        }
    }
}

pub(super) fn execute(arguments: Arguments, output: Output) -> u8 {
    let Arguments {
        chosen: Chosen { paths, set, filters, tags },
        jobs,
        fail_fast,
        junit,
        rootless,
        strict,
        may_lack,
        allow_unproven,
        timeout_scale,
        capture,
        bundle,
        keep_on_fail,
        verbose,
    } = arguments;
    let interrupt = match Interrupt::on_signals() {
        Ok(interrupt) => interrupt,
        Err(error) => return complain(&format!("cannot listen to signals: {error}"), exit::ERROR),
    };
    let keep = keep_on_fail.then(|| Arc::new(Keeper::new(output.style)));
    let options = RunOptions {
        paths,
        directory: PathBuf::from("."),
        set: set.into(),
        filters,
        tags,
        jobs: if keep_on_fail { NonZero::<usize>::MIN } else { jobs.unwrap_or_else(run::default_jobs) },
        fail_fast,
        conduct: Conduct {
            rootless,
            strict,
            may_lack,
            allow_unproven,
            timeout_scale,
            explain: capture.explain(),
            keep,
        },
        interrupt: Some(interrupt),
    };
    let look = Look { style: output.style, verbose, width: output.width() };
    let (reports, keep) = bundles(&junit, bundle);
    let mut junit = Junit::new(junit);
    let mut terminal = Terminal::new(io::stdout(), look);
    // The report is written before the counts are shown: who reads the counts may read the report.
    let listeners: &mut [&mut dyn Listener] = &mut [&mut junit, &mut terminal];
    let mut bundles = Bundles::new(reports, keep, listeners);
    let mut code = exit::code(&run::run(&options, &mut [&mut bundles]));
    let failures = [bundles.failure().map(str::to_owned), junit.failure().map(str::to_owned)];
    for failure in failures.into_iter().flatten() {
        let worse = if code == exit::BAD_INPUT { code } else { exit::ERROR };
        code = complain(&format!("{failure}; `--junit FILE` writes it elsewhere"), worse);
    }
    code
}

/// Where bundles go, and which there are.
fn bundles(junit: &Path, asked: Option<When>) -> (PathBuf, Keep) {
    if is_device(junit) {
        return (PathBuf::from("reports"), asked.map_or(Keep::Nothing, When::keep));
    }
    let folder = junit.parent().map(Path::to_owned).unwrap_or_default();
    (folder, asked.unwrap_or(When::Failed).keep())
}
