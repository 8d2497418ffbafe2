//! Which red case shows which cause: the table in `fixtures/red-cases/README.md`, held to the recorded texts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use netcase::evidence::CauseKind;
use regex::Regex;

const BEGIN: &str = "<!-- causes -->";
const END: &str = "<!-- end of causes -->";

/// A row of the table.
struct Row {
    kind: String,
    sentence: String,
    pattern: Regex,
    twin: String,
}

/// What is wrong with the table, or with the texts: `outputs` has them by the names of the red cases.
pub(crate) fn faults(document: &str, outputs: &BTreeMap<String, String>) -> Vec<String> {
    let (kinds, (rows, unread)) = (kinds(), rows(document));
    let mut faults: Vec<String> = unread.iter().map(|line| format!("this is no row of the table: {line}")).collect();
    let mut shown = BTreeSet::new();
    for row in &rows {
        let told = |output: &String| sentences(output).any(|sentence| row.pattern.is_match(sentence));
        if !kinds.contains(&row.kind) {
            faults.push(format!("the table has the cause {}, which there is not", row.kind));
        }
        match outputs.get(&row.twin) {
            None => faults.push(format!("{}: there is no red case {}", row.kind, row.twin)),
            Some(output) if told(output) => drop(shown.insert(row.kind.clone())),
            Some(_) => faults.push(format!("{}: no cause of {} reads `{}`", row.kind, row.twin, row.sentence)),
        }
    }
    faults.extend(kinds.difference(&shown).map(|kind| format!("no red case shows the cause {kind}")));
    for (twin, output) in outputs {
        for sentence in sentences(output) {
            let fitting = rows.iter().filter(|row| row.pattern.is_match(sentence));
            let fitting: BTreeSet<&str> = fitting.map(|row| row.kind.as_str()).collect();
            if fitting.len() != 1 {
                faults.push(format!("{twin}: in the table this is {fitting:?}, and should be one cause: {sentence}"));
            }
        }
    }
    faults
}

/// The words of all kinds of causes: the complaint about a word that is none lists them.
fn kinds() -> BTreeSet<String> {
    let complaint = serde_json::from_str::<CauseKind>("\"none\"").expect_err("it is none").to_string();
    complaint.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// The rows between the marks, below the two of the heading; of those that cannot be read, their lines.
fn rows(document: &str) -> (Vec<Row>, Vec<&str>) {
    let table = document.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(table, _)| table);
    let lines = table.unwrap_or_default().lines().filter(|line| line.starts_with('|')).skip(2);
    let (mut rows, mut unread) = (Vec::new(), Vec::new());
    for line in lines {
        match row(line) {
            Some(row) => rows.push(row),
            None => unread.push(line),
        }
    }
    (rows, unread)
}

/// Four cells, of which the first and the last two stand in backquotes.
fn row(line: &str) -> Option<Row> {
    let code = |cell: &str| Some(cell.trim().strip_prefix('`')?.strip_suffix('`')?.to_owned());
    let cells: Vec<&str> = line.split('|').collect();
    let [_, kind, _, sentence, twin, _] = *cells else { return None };
    let sentence = code(sentence)?;
    Some(Row { kind: code(kind)?, pattern: pattern(&sentence), sentence, twin: code(twin)? })
}

/// The sentences of the causes in a recorded text. Where no cause is known, there is none.
fn sentences(output: &str) -> impl Iterator<Item = &str> {
    let lines = output.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.strip_prefix("= cause: ").or_else(|| line.strip_prefix("= and: ")))
        .filter(|sentence| !sentence.starts_with("not known"))
}

/// What a whole sentence reads like: `<word>` is one word of it, `...` anything.
fn pattern(sentence: &str) -> Regex {
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[a-z]+>").expect("the pattern is fixed"));
    let escaped = regex::escape(sentence).replace(r"\.\.\.", ".*");
    let words = WORD.replace_all(&escaped, r"\S+");
    Regex::new(&format!("^{words}$")).expect("all else is escaped")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with a row for each of these.
    fn table(rows: &[(&str, &str, &str)]) -> String {
        let lines =
            rows.iter().map(|(kind, sentence, twin)| format!("| `{kind}` | here | `{sentence}` | `{twin}` |\n"));
        format!("# Red\n{BEGIN}\n| cause | | | |\n|---|---|---|---|\n{}{END}\n", lines.collect::<String>())
    }

    /// A row for each kind of cause, and the texts that it is about.
    #[expect(clippy::type_complexity, reason = "the rows and the texts of one test")]
    fn complete() -> (Vec<(String, String, String)>, BTreeMap<String, String>) {
        let rows = kinds().into_iter().map(|kind| (kind.clone(), format!("<node> has {kind}"), format!("red-{kind}")));
        let rows: Vec<_> = rows.collect();
        let text = |kind: &str| format!("FAIL a\n   |\n   = path: a\n   = cause: a.eth0 has {kind}\n   = help: b\n");
        let outputs = rows.iter().map(|(kind, _, twin)| (twin.clone(), text(kind))).collect();
        (rows, outputs)
    }

    fn faults_of(rows: &[(String, String, String)], outputs: &BTreeMap<String, String>) -> Vec<String> {
        let rows: Vec<_> = rows.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        faults(&table(&rows), outputs)
    }

    #[test]
    fn every_kind_is_known() {
        let known = kinds();
        assert!(known.len() > 30 && known.contains("link-down") && known.contains("tunnel-mismatch"), "{known:?}");
    }

    #[test]
    fn a_table_that_shows_every_cause_has_no_fault() {
        let (rows, outputs) = complete();
        assert_eq!(faults_of(&rows, &outputs), Vec::<String>::new());
    }

    #[test]
    fn a_cause_that_no_red_case_shows_is_a_fault() {
        let (mut rows, mut outputs) = complete();
        let (kind, _, twin) = rows.remove(3);
        outputs.remove(&twin);
        assert_eq!(faults_of(&rows, &outputs), [format!("no red case shows the cause {kind}")]);
    }

    #[test]
    fn a_red_case_that_shows_another_cause_is_a_fault() {
        let (rows, mut outputs) = complete();
        let (kind, sentence, twin) = &rows[3];
        for text in ["   = cause: not known; seen last coming into a\n", "   = note: a.eth0 has {kind}\n", ""] {
            outputs.insert(twin.clone(), text.replace("{kind}", kind));
            let expected = [
                format!("{kind}: no cause of {twin} reads `{sentence}`"),
                format!("no red case shows the cause {kind}"),
            ];
            assert_eq!(faults_of(&rows, &outputs), expected, "{text}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_a_fault() {
        let (rows, outputs) = complete();
        let rows: Vec<_> = rows.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        for line in ["| `no-route` | here | `<node> has | none` | `red` |", "| no-route | | `a` | `red` |", "||"] {
            let document = table(&rows).replace(END, &format!("{line}\n{END}"));
            assert_eq!(faults(&document, &outputs), [format!("this is no row of the table: {line}")]);
        }
    }

    #[test]
    fn a_row_about_what_there_is_not_is_a_fault() {
        let (mut rows, outputs) = complete();
        rows.push(("link-gone".to_owned(), "<node> has link-down".to_owned(), "red-none".to_owned()));
        let found = faults_of(&rows, &outputs);
        assert_eq!(found[0], "the table has the cause link-gone, which there is not");
        assert_eq!(found[1], "link-gone: there is no red case red-none");
    }

    #[test]
    fn a_sentence_that_is_in_no_row_or_in_those_of_two_causes_is_a_fault() {
        let (mut rows, mut outputs) = complete();
        outputs.insert("red-new".to_owned(), "   = and: a fell over\n".to_owned());
        let expected = "red-new: in the table this is {}, and should be one cause: a fell over";
        assert_eq!(faults_of(&rows, &outputs), [expected]);
        for kind in ["link-down", "no-route"] {
            rows.push((kind.to_owned(), "<node> fell ...".to_owned(), "red-new".to_owned()));
        }
        let expected =
            "red-new: in the table this is {\"link-down\", \"no-route\"}, and should be one cause: a fell over";
        assert_eq!(faults_of(&rows, &outputs), [expected]);
    }

    #[test]
    fn a_sentence_is_told_as_a_whole() {
        for (sentence, pattern, told) in [
            ("a has no route to 10.0.0.1", "<node> has no route to <address>", true),
            ("the way back is missing: a has no route to 10.0.0.1", "<node> has no route to <address>", false),
            ("a has no route to 10.0.0.1, and more", "<node> has no route to <address>", false),
            ("a.b is down", "a.b is down", true),
            ("a-b is down", "a.b is down", false),
            ("a is down (b, c)", "<end> is down (...)", true),
        ] {
            assert_eq!(super::pattern(pattern).is_match(sentence), told, "{sentence} / {pattern}");
        }
    }
}
