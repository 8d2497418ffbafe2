//! Checks and observations in words.

use crate::observation::Traffic;
use crate::plan::{Check, Plan};

/// The words of a check: its name in reports when the case gives none.
pub fn describe_check(plan: &Plan, check: &Check) -> String {
    let _ = (plan, check);
    String::new()
}

/// What traffic did, in words.
pub fn describe_traffic(traffic: &Traffic) -> String {
    let _ = traffic;
    String::new()
}
