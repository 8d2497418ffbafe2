//! The `netcase` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    netcase::worker::supervise::become_worker_if_asked();
    netcase::preflight::scratch::answer_if_asked();
    netcase::cli::main()
}
