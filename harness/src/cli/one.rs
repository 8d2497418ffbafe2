//! The arguments of commands that are about one case.

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{Output, complain};
use crate::plan::Plan;
use crate::report::terminal;
use crate::run::{self, Conduct, Explain, Loaded, exit, select};

/// One case, and how it is built.
#[derive(Debug, Args)]
pub(super) struct OneCase {
    /// The case: its file, or its name as reports have it
    #[arg(value_name = "CASE")]
    case: PathBuf,

    /// The value of a parameter, before what the case says; given several times for several parameters
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = select::read_set)]
    set: Vec<(String, String)>,

    /// Use an own user namespace also as root
    #[arg(long)]
    rootless: bool,

    /// Stretch every wait that is not a limit of the case, for a slow machine
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = Conduct::read_scale)]
    timeout_scale: f64,
}

/// A case that can be used.
pub(super) struct One {
    pub(super) loaded: Loaded,
    pub(super) plan: Plan,
}

impl OneCase {
    /// The one case, or the exit code once it is said why there is none.
    pub(super) fn load(&self, output: Output) -> Result<One, u8> {
        let arguments = [self.case.clone()];
        let selection = run::selected(&arguments, Path::new("."), &self.set.clone().into(), &[], &[]);
        if let Some(problem) = selection.problems.first() {
            return Err(complain(&format!("{}: {}", problem.argument, problem.message), exit::BAD_INPUT));
        }
        let file = match &*selection.cases {
            [file] => file,
            [] => return Err(complain(&format!("{}: no case is there", self.case.display()), exit::BAD_INPUT)),
            several => {
                let names: String = several.iter().take(20).map(|file| format!("\n  {}", file.name)).collect();
                let message = format!("{} is {} cases; name one:{names}", self.case.display(), several.len());
                return Err(complain(&message, exit::BAD_INPUT));
            }
        };
        let loaded = run::load(file);
        match loaded.plan.clone() {
            Ok(plan) => Ok(One { loaded, plan }),
            Err(_) => {
                let text = terminal::diagnostics(&loaded.checked(), output.style);
                Err(output.write(&text, exit::BAD_INPUT))
            }
        }
    }

    /// How it is run. What holds without proof is shown as such, and is no error here.
    pub(super) fn conduct(&self) -> Conduct {
        Conduct {
            rootless: self.rootless,
            timeout_scale: self.timeout_scale,
            explain: Explain::Nothing,
            ..Conduct::default()
        }
    }
}
