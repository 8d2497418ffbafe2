//! `cases/seeds/README.md` goes through five tutorials command by command. Every row names expectations that exist, no
//! command of a tutorial is left out, and every case of the folder is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use netcase::case::{self, Given};
use netcase::diagnostic::Diagnostics;
use netcase::plan;
use netcase::source::Source;

/// The tutorials.
const TUTORIALS: usize = 5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/seeds")
}

/// What the page says of one tutorial.
struct Tutorial {
    title: String,
    /// How many commands it has, by its own count.
    commands: usize,
    rows: Vec<Row>,
    /// The file of each case, by the name it has in the rows.
    files: BTreeMap<String, String>,
}

/// A row of a tutorial's table.
struct Row {
    line: usize,
    /// Empty for a result.
    number: String,
    text: String,
    case: String,
    expectations: Vec<String>,
}

fn tutorials() -> Vec<Tutorial> {
    let page = fs::read_to_string(folder().join("README.md")).expect("the page is there");
    let mut tutorials: Vec<Tutorial> = Vec::new();
    for (place, line) in page.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            let title = title.to_owned();
            tutorials.push(Tutorial { title, commands: 0, rows: Vec::new(), files: BTreeMap::new() });
        }
        let Some(tutorial) = tutorials.last_mut() else { continue };
        if let Some(count) = line.strip_suffix(" commands.").and_then(|count| count.parse().ok()) {
            tutorial.commands = count;
        } else if let Some((name, file)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
            tutorial.files.insert(name.to_owned(), file.to_owned());
        } else if let Some(row) = row(place + 1, line) {
            tutorial.rows.push(row);
        }
    }
    tutorials
}

/// A line of a table, but not its head.
fn row(line: usize, text: &str) -> Option<Row> {
    let text = text.replace(r"\|", "\0");
    let cells: Vec<String> =
        text.strip_prefix('|')?.strip_suffix('|')?.split('|').map(|cell| cell.trim().replace('\0', "|")).collect();
    let [number, text, case, expectations] = cells.try_into().ok()?;
    if text == "the document" || number.starts_with('-') {
        return None;
    }
    let expectations = expectations.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let case = case.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Row { line, number, text, case, expectations })
}

/// The names of a case's expectations, as reports give them.
fn expectations(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut out = Diagnostics::default();
    let mut source = Source::new(path.display().to_string(), text);
    let case = case::parse(&mut source, &Given::default(), &mut out);
    let plan = case.and_then(|case| plan::resolve(case, &mut out));
    let plan = plan.unwrap_or_else(|| panic!("{} has mistakes", path.display()));
    plan.expectations.into_iter().map(|expectation| expectation.name).collect()
}

#[test]
fn every_row_names_expectations_that_exist() {
    let mut faults = Vec::new();
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Tutorial { files, rows, .. } in tutorials() {
        for Row { line, case, expectations: named, .. } in rows {
            let Some(file) = files.get(&case) else {
                faults.push(format!("line {line}: no link leads to `{case}`"));
                continue;
            };
            let there = known.entry(file.clone()).or_insert_with(|| expectations(&folder().join(file)));
            if named.is_empty() {
                faults.push(format!("line {line}: no expectation of `{case}` is named"));
            }
            let unknown = named.iter().filter(|name| !there.contains(*name));
            faults.extend(unknown.map(|name| format!("line {line}: `{case}` has no expectation `{name}`")));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_command_has_its_number() {
    let tutorials = tutorials();
    assert_eq!(tutorials.len(), TUTORIALS);
    for Tutorial { title, commands, rows, .. } in tutorials {
        let numbered: Vec<&Row> = rows.iter().filter(|row| !row.number.is_empty()).collect();
        for (row, number) in numbered.iter().zip(1..) {
            assert_eq!(row.number, format!("{number}"), "{title}, line {}", row.line);
            assert!(row.text.starts_with('`') && row.text.ends_with('`'), "line {}: a command is code", row.line);
        }
        assert_eq!(numbered.len(), commands, "{title}");
        assert!(commands > 0, "{title}");
    }
}

#[test]
fn every_case_is_named() {
    let mut named = BTreeSet::new();
    for Tutorial { files, rows, .. } in tutorials() {
        named.extend(rows.iter().filter_map(|row| files.get(&row.case)).map(PathBuf::from));
    }
    let mut forgotten = Vec::new();
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        let place = entry.expect("the folder can be read").path();
        for file in fs::read_dir(&place).into_iter().flatten() {
            let path = file.expect("the folder can be read").path();
            let path = path.strip_prefix(folder()).expect("it lies in the folder").to_owned();
            let is_case = path.extension().is_some_and(|it| it == "toml")
                && path.with_extension("").extension().is_none_or(|it| it != "lab");
            if is_case && !named.contains(&path) {
                forgotten.push(path.display().to_string());
            }
        }
    }
    assert!(forgotten.is_empty(), "not on the page: {forgotten:?}");
}

/// A tutorial's script has all its commands, in its order: as they are, or behind `# - ` where it says why not.
#[test]
fn every_command_stands_in_the_script() {
    let mut faults = Vec::new();
    for Tutorial { title, rows, files, .. } in tutorials() {
        let script = files.get("commands").unwrap_or_else(|| panic!("{title} has a case `commands`"));
        let script = fs::read_to_string(folder().join(script).with_extension("sh")).expect("it has a script");
        let mut lines = script.lines();
        for Row { line, number, text, .. } in rows {
            let command = text.trim_matches('`');
            // Forms of a command, with names left open, are no commands.
            let is_form = ["<", "[", "NAME", "..."].iter().any(|open| command.contains(open));
            if number.is_empty() || is_form {
                continue;
            }
            let stands = |written: &str| {
                let written = written.strip_prefix("# - ").unwrap_or(written);
                let rest = written.strip_prefix(command).map(str::trim_start);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['<', '>']))
            };
            if !lines.any(stands) {
                faults.push(format!("{title}, line {line}: `{command}` does not stand in commands.sh, or not here"));
                break;
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
