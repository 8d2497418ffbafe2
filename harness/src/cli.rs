//! The command line: one file for each subcommand, each of which only reads its arguments and calls the library.

mod check;
mod chosen;
mod doctor;
mod explain;
mod list;
mod new;
mod one;
mod output;
mod run;
mod schema;
mod shell;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::{Color, Output};

/// Network assertions for Linux: declare a topology, and what must hold in it
#[derive(Debug, Parser)]
#[command(name = "netcase", version, max_term_width = 100, after_help = AFTER)]
struct Cli {
    /// Whether to use colours; `auto` asks the terminal, `NO_COLOR` and `CLICOLOR`
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    color: Color,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build cases in namespaces of their own, probe and judge them
    Run(run::Arguments),
    /// Show all mistakes and doubts in cases, without running them
    Check(check::Arguments),
    /// Run a case and show the path of every packet, there and back, also of what holds
    Explain(explain::Arguments),
    /// Build a case and open a shell, or run a command, inside one of its nodes
    Shell(shell::Arguments),
    /// List the cases that would run
    List(list::Arguments),
    /// Print the JSON Schema of a case, for editors
    Schema,
    /// Write a commented first case that passes
    New(new::Arguments),
    /// Say what this machine can do, and how to get what it lacks
    Doctor,
}

const AFTER: &str = "\
First steps:
  netcase doctor                  can this machine run cases?
  netcase new cases/first.toml    a case to begin with
  netcase run cases               run every case below a folder

A case is one TOML file. A folder stands for every *.toml file below it but *.lab.toml and hidden ones. \
A case is called by its path from the working directory without .toml, whatever argument selected it.

Exit codes:
  0  all expectations hold
  1  an expectation does not hold
  2  bad input: a case or the command line
  3  a lab, a probe or a worker broke, something holds without proof, or the run was interrupted
  4  nothing was selected, or everything was skipped
When several happened, 2 goes before 3, and 3 before 1.";

/// Reads the arguments of the process and obeys them.
pub fn main() -> ExitCode {
    let Cli { color, command } = Cli::parse();
    let output = Output::new(color);
    let code = match command {
        Command::Run(arguments) => run::execute(arguments, output),
        Command::Check(arguments) => check::execute(&arguments, output),
        Command::Explain(arguments) => explain::execute(&arguments, output),
        Command::Shell(arguments) => shell::execute(&arguments, output),
        Command::List(arguments) => list::execute(&arguments, output),
        Command::Schema => schema::execute(output),
        Command::New(arguments) => new::execute(&arguments, output),
        Command::Doctor => doctor::execute(output),
    };
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_declared_without_contradiction() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
