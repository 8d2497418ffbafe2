//! `netcase schema`.

use super::output::Output;
use crate::case;
use crate::run::exit;

pub(super) fn execute(output: Output) -> u8 {
    output.write(&format!("{:#}\n", case::schema()), exit::PASSED)
}
