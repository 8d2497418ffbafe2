//! How much of a table is kept: a flood of packets, or a program, can fill one without end.

/// The most entries of one table of one node. Nobody reads more of them, and an explanation looks at the first.
const MOST: usize = 1000;

/// What is kept of the tables of a node.
#[derive(Debug)]
pub(super) struct Limit<'a> {
    node: &'a str,
    said: Vec<String>,
    whole: bool,
}

impl<'a> Limit<'a> {
    /// Nothing left out yet.
    pub(super) fn of(node: &'a str) -> Self {
        Self { node, said: Vec::new(), whole: true }
    }

    /// The first entries of a table. `what` is the plural of one.
    pub(super) fn keep<T>(&mut self, table: Vec<T>, what: &str) -> Vec<T> {
        self.whole &= table.len() <= MOST;
        self.keep_some(table, what)
    }

    /// The first entries of a table that traffic fills, of which nobody concludes anything from what is not there.
    pub(super) fn keep_some<T>(&mut self, mut table: Vec<T>, what: &str) -> Vec<T> {
        if table.len() > MOST {
            let (all, most) = (grouped(table.len()), grouped(MOST));
            self.said.push(format!("{} has {all} {what}; the first {most} are here", self.node));
            table.truncate(MOST);
        }
        table
    }

    /// Whether nothing was left out that somebody may conclude something from.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// What was left out, in words.
    pub(super) fn left_out(self) -> Vec<String> {
        self.said
    }
}

/// A number with a comma at each thousand.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_said() {
        let mut limit = Limit::of("a");
        assert_eq!(limit.keep(vec![1, 2], "routes"), [1, 2]);
        assert_eq!(limit.keep_some(vec![0; 4000], "neighbours").len(), 1000);
        assert!(limit.is_whole());
        assert_eq!(limit.keep(vec![0; 1001], "routes").len(), 1000);
        assert!(!limit.is_whole());
        let said = ["a has 4,000 neighbours; the first 1,000 are here", "a has 1,001 routes; the first 1,000 are here"];
        assert_eq!(limit.left_out(), said);
    }

    #[test]
    fn thousands_are_told_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
