//! What a program says of rules that it refuses, with the lines that it says it of.

use std::path::{Path, PathBuf};

use super::super::programs::Programs;
use super::{shown, text_of};
use crate::diagnostic::{Diagnostic, Style};
use crate::plan::{Plan, Rules, RulesText};
use crate::service::command::Ended;
use crate::source::{Source, Span};
use crate::worker::message::Broken;

/// What the program says, with the line that it says it of.
pub(super) fn refused(
    plan: &Plan,
    programs: &Programs,
    rules: &Rules,
    ended: &Ended,
    shows: &dyn Fn(&Path) -> Option<String>,
) -> Broken {
    let node = &plan.nodes[rules.node].name;
    let program = rules.loader.program();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let complaints = complaints(&said);
    let mut broken = match complaints.first() {
        Some(first) => Broken::new(format!("{program} refuses {} in {node}: {}", shown(rules), first.message)),
        None => Broken::new(format!("{program} in {node} {}", ended.how())),
    }
    .at(rules.span);
    let mut drawn = false;
    for complaint in complaints.iter().take(5) {
        if let Some(text) = draw(programs, rules, complaint, shows) {
            broken.notes.push(format!("{program} says:\n{text}"));
            drawn = true;
        }
    }
    if !drawn {
        broken.notes.push(match said.trim() {
            "" => "it printed nothing".to_owned(),
            said => format!("it printed:\n{said}"),
        });
    }
    broken.notes.extend(programs.lost().iter().cloned());
    broken
}

/// What a program says of one place.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    /// The file; `None` for the one that it was given.
    file: Option<PathBuf>,
    line: usize,
    /// First and last column, counted from 1.
    columns: Option<(usize, usize)>,
    message: String,
}

/// Reads what nft (`FILE:3:5-9: Error: MESSAGE`) or iptables (`PROGRAM: MESSAGE`, `Error occurred at line: 3`, or
/// `PROGRAM: MESSAGE at line 3`) says.
fn complaints(said: &str) -> Vec<Complaint> {
    let nft: Vec<Complaint> = said.lines().filter_map(of_nft).collect();
    if !nft.is_empty() {
        return nft;
    }
    let first = said.lines().find(|line| line.contains("tables-restore")).unwrap_or_default();
    let message = first.split_once(": ").map_or(first, |(_, message)| message);
    let number = said.lines().find_map(|line| {
        let (_, number) = line.split_once("line: ").or_else(|| line.rsplit_once("line "))?;
        number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    });
    number.map(|line| Complaint { file: None, line, columns: None, message: message.to_owned() }).into_iter().collect()
}

fn of_nft(line: &str) -> Option<Complaint> {
    let (place, message) = line.split_once(": Error: ")?;
    let (rest, columns) = place.rsplit_once(':')?;
    let (file, number) = rest.rsplit_once(':')?;
    let (from, to) = columns.split_once('-')?;
    Some(Complaint {
        file: Some(PathBuf::from(file)).filter(|file| file != Path::new("/dev/stdin")),
        line: number.parse().ok()?,
        columns: Some((from.parse().ok()?, to.parse().ok()?)),
        message: message.to_owned(),
    })
}

/// The line that a complaint is about, with carets under the word.
fn draw(
    programs: &Programs,
    rules: &Rules,
    complaint: &Complaint,
    shows: &dyn Fn(&Path) -> Option<String>,
) -> Option<String> {
    let (name, text) = match (&rules.text, &complaint.file) {
        (RulesText::Inline(text), None) => ("the rules".to_owned(), text.clone()),
        (RulesText::File(written), None) => (written.clone(), programs.files().text(rules.node, Path::new(written))?),
        (RulesText::File(written), Some(file)) if *file == programs.path(written) => {
            (written.clone(), programs.files().text(rules.node, Path::new(written))?)
        }
        (_, Some(file)) => (text_of(file), programs.files().text(rules.node, file).or_else(|| shows(file))?),
    };
    // What is missing at the end is missed behind the last line; what is missing in a line, behind its last character.
    let before = complaint.line.checked_sub(1)?.min(text.lines().count().checked_sub(1)?);
    let line = text.split_inclusive('\n').nth(before)?;
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let end = line.trim_end().len();
    let (from, to) = match complaint.columns {
        Some((from, to)) => (from.saturating_sub(1).min(end.saturating_sub(1)), to.min(end)),
        None => (line.len() - line.trim_start().len(), end),
    };
    let place = Span::new(start + from, start + to.max(from));
    let source = Source::new(&name, text);
    Some(Diagnostic::error(place, &complaint.message).render(&source, Style::Plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_programs_say_is_read() {
        let nft =
            "In file included from a.nft:1:1-26:\n/etc/x.nft:3:44-47: Error: syntax error, unexpected drop\n  x\n";
        let table = [
            (nft, Some((Some("/etc/x.nft"), 3, Some((44, 47)), "syntax error, unexpected drop"))),
            ("/dev/stdin:1:15-20: Error: Could not process\n", Some((None, 1, Some((15, 20)), "Could not process"))),
            (
                "iptables-restore v1.8.9 (nf_tables): unknown option \"--dprt\"\nError occurred at line: 4\nTry\n",
                Some((None, 4, None, "unknown option \"--dprt\"")),
            ),
            ("iptables-restore: COMMIT expected at line 4\n", Some((None, 4, None, "COMMIT expected at line 4"))),
            ("something else\n", None),
            ("", None),
        ];
        for (said, expected) in table {
            let first = complaints(said).into_iter().next();
            let expected = expected.map(|(file, line, columns, message): (Option<&str>, _, _, &str)| Complaint {
                file: file.map(PathBuf::from),
                line,
                columns,
                message: message.to_owned(),
            });
            assert_eq!(first, expected, "{said}");
        }
    }
}
