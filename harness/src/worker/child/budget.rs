//! What is explained of many things that could be, and for how long: hundreds that fail together fail for the same few
//! reasons, and no case ends in an error for being explained.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Wire;
use crate::source::Span;
use crate::worker::message::{EXPLAINING, Explain, Message, not_explained};

/// How many expectations of one step are explained.
const MOST: usize = 12;

/// How many bytes of evidence a case may leave: a runner holds all of it until the case ends.
const MOST_EVIDENCE: usize = 256 * 1024 * 1024;

/// What may still be explained of one step.
#[derive(Debug)]
pub(super) struct Budget {
    chosen: Option<BTreeSet<usize>>,
    wanted: usize,
    longest: Duration,
    left_out: BTreeMap<String, Vec<usize>>,
}

impl Budget {
    /// For what is wanted of a step, each with its place in the case, in the order of the case.
    pub(super) fn new(wanted: &[(usize, Span)], which: &Explain, scale: f64) -> Self {
        let chosen = match which {
            Explain::Failed => Some(spread(wanted, MOST)),
            Explain::Nothing | Explain::Everything | Explain::Named(_) => None,
        };
        // The runner waits for longer than that, and for the windows of the last probe.
        let longest = EXPLAINING.mul_f64(scale.max(1.0)) * 2 / 3;
        Self { chosen, wanted: wanted.len(), longest, left_out: BTreeMap::new() }
    }

    /// Whether one that is wanted is explained now; why it is not is kept.
    pub(super) fn allows(&mut self, expectation: usize, begun: Option<Instant>, told: usize) -> bool {
        let why = if self.chosen.as_ref().is_some_and(|chosen| !chosen.contains(&expectation)) {
            format!("of the {} failures of this step {MOST} are", self.wanted)
        } else if begun.is_some_and(|begun| begun.elapsed() >= self.longest) {
            format!("others of this step took {} s", self.longest.as_secs())
        } else if told >= MOST_EVIDENCE {
            "others have left too much evidence".to_owned()
        } else {
            return true;
        };
        self.left_out.entry(why).or_default().push(expectation);
        false
    }

    /// Tells what was not explained.
    pub(super) fn say_left_out(self, wire: Wire) {
        for (why, expectations) in self.left_out {
            let why = not_explained(&why);
            wire.say(&Message::Unexplained { expectations, why });
        }
    }
}

/// Some of each place of the case: what one expectation with lists stands for fails for one reason more often than what
/// two expectations do.
fn spread(wanted: &[(usize, Span)], most: usize) -> BTreeSet<usize> {
    let mut counts: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, usize)> = Vec::new();
    for (expectation, span) in wanted {
        let rank = counts.entry((span.start, span.end)).or_default();
        ranked.push((*rank, *expectation));
        *rank += 1;
    }
    ranked.sort_unstable();
    ranked.into_iter().take(most).map(|(_, expectation)| expectation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(places: &[usize]) -> Vec<(usize, Span)> {
        places.iter().enumerate().map(|(at, place)| (at, Span::new(*place, place + 1))).collect()
    }

    #[test]
    fn each_place_of_a_case_has_its_turn() {
        let many = wanted(&[[5; 90].as_slice(), &[9; 10], &[11]].concat());
        let chosen: Vec<usize> = spread(&many, MOST).into_iter().collect();
        assert_eq!(chosen, [0, 1, 2, 3, 4, 5, 90, 91, 92, 93, 94, 100]);
        assert_eq!(spread(&wanted(&[1, 1, 1]), MOST).len(), 3);
    }

    #[test]
    fn what_is_left_out_has_its_reason() {
        let mut budget = Budget::new(&wanted(&[1; 20]), &Explain::Failed, 1.0);
        let allowed: Vec<usize> = (0..20).filter(|at| budget.allows(*at, None, 0)).collect();
        assert_eq!(allowed, (0..12).collect::<Vec<_>>());
        assert!(!budget.allows(1, Some(Instant::now().checked_sub(Duration::from_secs(41)).expect("it ran")), 0));
        assert!(!budget.allows(2, Some(Instant::now()), MOST_EVIDENCE));
        let reasons: Vec<&str> = budget.left_out.keys().map(String::as_str).collect();
        let expected = [
            "of the 20 failures of this step 12 are",
            "others have left too much evidence",
            "others of this step took 40 s",
        ];
        assert_eq!(reasons, expected);
        let mut all = Budget::new(&wanted(&[1; 20]), &Explain::Everything, 1.0);
        assert!((0..20).all(|at| all.allows(at, None, 0)));
    }
}
