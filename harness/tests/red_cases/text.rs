//! The text of one failed case, as `netcase run` prints it.

use std::sync::LazyLock;

use regex::Regex;

/// The part that tells about one case: from its heading with the path of the file, and the combination of its matrix, up
/// to the line of counts.
pub(crate) fn failure_text(stdout: &str, case: &str) -> Option<String> {
    let headings = [format!("FAIL {case}:"), format!("FAIL {case} [")];
    let start = stdout.lines().position(|line| headings.iter().any(|heading| line.starts_with(heading)))?;
    let lines: Vec<&str> = stdout.lines().skip(start).collect();
    let end = lines.iter().rposition(|line| is_counts(line))?;
    let mut text = lines.get(..end)?.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n");
    text.truncate(text.trim_end().len());
    text.push('\n');
    Some(text)
}

/// `1 case: 1 passed, 1 failed, 0 errors, 0 skipped, 0 unproven in 1.02 s`.
fn is_counts(line: &str) -> bool {
    [" passed, ", " failed, ", " skipped, "].iter().all(|count| line.contains(count))
}

/// The text with what varies from run to run replaced: durations, how often was tried in that time, and the port that
/// the kernel chose for the sender.
pub(crate) fn redacted(text: &str) -> String {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b\d+(\.\d+)? (ms|s)\b").expect("the pattern is fixed"));
    static ATTEMPTS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b\d+ attempts\b").expect("the pattern is fixed"));
    static PORT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"((?:\d+\.){3}\d+|\[[0-9a-f:.]+\]):\d+ ->").expect("the pattern is fixed"));
    // A port of the kernel's range for clients, wherever it stands.
    static CLIENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"((?:\d+\.){3}\d+|\[[0-9a-f:.]+\]):(?:3[2-9]\d{3}|[45]\d{4}|60\d{3})\b")
            .expect("the pattern is fixed")
    });
    let text = TIME.replace_all(text, "[TIME]");
    let text = ATTEMPTS.replace_all(&text, "[COUNT] attempts");
    let text = PORT.replace_all(&text, "$1:[PORT] ->");
    CLIENT.replace_all(&text, "$1:[PORT]").into_owned()
}

/// The first line in which two texts differ.
pub(crate) fn first_difference(expected: &str, found: &str) -> String {
    let count = expected.lines().count().max(found.lines().count());
    for index in 0..count {
        let (expected, found) = (expected.lines().nth(index), found.lines().nth(index));
        if expected != found {
            let shown = |line: Option<&str>| line.map_or("no such line".to_owned(), |line| format!("{line:?}"));
            return format!("line {} is {}, expected {}", index + 1, shown(found), shown(expected));
        }
    }
    "only the ends of lines differ".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STDOUT: &str = "\
FAIL cases/a (2 expectations, 1.01 s)

FAIL cases/a.toml: the title

error: blue could not open lan:7 (192.168.1.3:7): silent for 1 s, expected open
  --> cases/a.toml:27:9
   |
27 | tcp = { from = \"blue\", to = \"lan:7\" }
   |         ^^^^^^^^^^^^^ 192.168.15.2:41532 -> 192.168.1.3:7

1 case: 1 passed, 1 failed, 0 errors, 0 skipped, 0 unproven in 1.01 s
reports/junit.xml
";

    #[test]
    fn the_part_of_one_case_is_taken() {
        let text = failure_text(STDOUT, "cases/a.toml").expect("the case is there");
        assert!(text.starts_with("FAIL cases/a.toml: the title\n\nerror: blue"), "{text}");
        assert!(text.ends_with("192.168.15.2:41532 -> 192.168.1.3:7\n"), "{text}");
        assert_eq!(failure_text(STDOUT, "cases/b.toml"), None);
        assert_eq!(failure_text("FAIL cases/a.toml: cut off", "cases/a.toml"), None);
    }

    #[test]
    fn times_and_chosen_ports_are_redacted_and_nothing_else() {
        for (text, expected) in [
            ("silent for 1 s, expected", "silent for [TIME], expected"),
            ("after 250 ms and 1.5 s", "after [TIME] and [TIME]"),
            ("this is the last of 11 attempts in 1 s", "this is the last of [COUNT] attempts in [TIME]"),
            ("192.168.15.2:41532 -> 192.168.1.3:7", "192.168.15.2:[PORT] -> 192.168.1.3:7"),
            ("[fd00::2]:41532 -> [fd01::3]:7", "[fd00::2]:[PORT] -> [fd01::3]:7"),
            ("within = \"250ms\", 3 of 5 sent, lan:7 -> x", "within = \"250ms\", 3 of 5 sent, lan:7 -> x"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), "line 2 is \"c\", expected \"b\"");
        assert_eq!(first_difference("a\n", "a\nb\n"), "line 2 is \"b\", expected no such line");
    }
}
