//! `netcase doctor`.

use super::output::Output;
use crate::preflight::doctor;
use crate::run::exit;

pub(super) fn execute(output: Output) -> u8 {
    let examination = doctor::examine();
    let code = if examination.can_run() { exit::PASSED } else { exit::ERROR };
    output.write(&examination.to_string(), code)
}
