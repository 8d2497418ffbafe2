//! What the exit code of `netcase` says.

use crate::report::{CaseReport, Summary};

/// All expectations hold.
pub const PASSED: u8 = 0;
/// An expectation does not hold.
pub const FAILED: u8 = 1;
/// Bad input: a case, or the command line.
pub const BAD_INPUT: u8 = 2;
/// The lab, a probe or the worker broke, an expectation holds without proof, or the run was interrupted.
pub const ERROR: u8 = 3;
/// No case was selected, or everything was skipped.
pub const NOTHING: u8 = 4;

/// The exit code of a single case.
pub fn code_of(report: &CaseReport) -> u8 {
    let mut summary = Summary::default();
    summary.add(report);
    code(&summary)
}

/// The exit code of a run. When several things happened, bad input goes before errors, and errors before failures.
pub fn code(summary: &Summary) -> u8 {
    if summary.bad_input > 0 {
        BAD_INPUT
    } else if summary.errors > 0 || summary.interrupted {
        ERROR
    } else if summary.failed > 0 {
        FAILED
    } else if summary.passed > 0 {
        PASSED
    } else {
        NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        // passed, failed, bad input, errors, skipped, interrupted
        for (counts, expected) in [
            ([0, 0, 0, 0, 0, 0], NOTHING),
            ([0, 0, 0, 0, 3, 0], NOTHING),
            ([1, 0, 0, 0, 3, 0], PASSED),
            ([1, 1, 0, 0, 0, 0], FAILED),
            ([1, 1, 0, 1, 0, 0], ERROR),
            ([1, 1, 1, 1, 0, 0], BAD_INPUT),
            ([0, 0, 1, 0, 0, 0], BAD_INPUT),
            ([9, 0, 0, 0, 0, 1], ERROR),
            ([9, 0, 1, 0, 0, 1], BAD_INPUT),
        ] {
            let [passed, failed, bad_input, errors, skipped, interrupted] = counts;
            let interrupted = interrupted > 0;
            let summary = Summary { passed, failed, bad_input, errors, skipped, interrupted, ..Summary::default() };
            assert_eq!(code(&summary), expected, "{counts:?}");
        }
    }
}
