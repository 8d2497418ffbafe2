//! `netcase run`.

use std::io;
use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;

use super::chosen::Chosen;
use super::output::{Output, complain};
use crate::plan::Need;
use crate::report::Listener;
use crate::report::junit::Junit;
use crate::report::terminal::{Look, Terminal};
use crate::run::{self, Conduct, Interrupt, RunOptions, exit};

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

    /// Show each expectation, with its time and its attempts
    #[arg(short, long)]
    verbose: bool,
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
        verbose,
    } = arguments;
    let interrupt = match Interrupt::on_signals() {
        Ok(interrupt) => interrupt,
        Err(error) => return complain(&format!("cannot listen to signals: {error}"), exit::ERROR),
    };
    let options = RunOptions {
        paths,
        directory: PathBuf::from("."),
        set: set.into(),
        filters,
        tags,
        jobs: jobs.unwrap_or_else(run::default_jobs),
        fail_fast,
        conduct: Conduct { rootless, strict, may_lack, allow_unproven, timeout_scale },
        interrupt: Some(interrupt),
    };
    let look = Look { style: output.style, verbose, width: output.width() };
    let mut junit = Junit::new(junit);
    let mut terminal = Terminal::new(io::stdout(), look);
    // The report is written before the counts are shown: who reads the counts may read the report.
    let listeners: &mut [&mut dyn Listener] = &mut [&mut junit, &mut terminal];
    let code = exit::code(&run::run(&options, listeners));
    match junit.failure() {
        Some(failure) => complain(
            &format!("{failure}; `--junit FILE` writes it elsewhere"),
            if code == exit::BAD_INPUT { code } else { exit::ERROR },
        ),
        None => code,
    }
}
