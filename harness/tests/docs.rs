//! What the documents say is true: their examples are cases that pass, the output they show is what is printed, and the
//! reference of the format knows every key and every word.
//!
//! A block marked `toml` is a whole case. `toml,lab` has no expectations, and gets one that holds; `toml,expect` is about
//! the lab above it; `toml,file=NAME` is a file beside the cases. `toml,fragment` is no case and is not looked at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netcase::case::Given;
use netcase::diagnostic::{Diagnostics, Style};
use netcase::source::Source;
use netcase::{case, plan};

const DOCUMENTS: [&str; 3] = ["README.md", "cases/README.md", "docs/ci-recipe.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A fenced block of a document.
struct Block {
    /// What stands behind the fence.
    mark: String,
    text: String,
    line: usize,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in document.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(mark), None) => {
                open = Some(Block { mark: mark.trim().to_owned(), text: String::new(), line: number + 2 });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The cases that a document shows, each with a name that leads back to it.
fn cases_of(path: &str) -> Vec<(String, String)> {
    let mut lab = String::new();
    let mut cases = Vec::new();
    for Block { mark, text, line } in blocks(&read(path)) {
        let name = format!("{}-line-{line}", path.trim_end_matches(".md").replace('/', "-"));
        let whole = match mark.as_str() {
            "toml" => {
                assert!(text.contains("title ="), "{path}:{line}: a block marked `toml` is a whole case");
                let end = text.find("[[expect]]").or(text.find("[[steps]]")).unwrap_or(text.len());
                text[..end].clone_into(&mut lab);
                text
            }
            "toml,lab" => {
                lab = format!("title = \"the lab at {path}:{line}\"\n\n{text}\n");
                let node = text.lines().find_map(|line| line.strip_prefix("[nodes.")).unwrap_or_default();
                let node = node.split([']', '.']).next().unwrap_or_default();
                format!("{lab}[[expect]]\nroute = {{ on = \"{node}\", to = \"203.0.113.0/24\", present = false }}\n")
            }
            "toml,expect" => format!("{lab}{text}"),
            _ => continue,
        };
        cases.push((name, whole));
    }
    cases
}

/// A fresh folder with the files that the documents show beside their cases.
fn place(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if place.exists() {
        fs::remove_dir_all(&place).expect("the folder of the test can be removed");
    }
    fs::create_dir_all(&place).expect("the folder can be made");
    for Block { mark, text, .. } in DOCUMENTS.iter().flat_map(|path| blocks(&read(path))) {
        if let Some(name) = mark.strip_prefix("toml,file=") {
            fs::write(place.join(name), text).expect("the file can be written");
        }
    }
    place
}

#[test]
fn every_example_is_a_case_without_mistakes() {
    let given = Given { folder: place("docs-files"), ..Given::default() };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in DOCUMENTS {
        for (name, text) in cases_of(path) {
            seen += 1;
            let mut source = Source::new(&name, &*text);
            let mut out = Diagnostics::default();
            if let Some(case) = case::parse(&mut source, &given, &mut out) {
                plan::resolve(case, &mut out);
            }
            if out.has_errors() {
                let drawn = out.into_sorted(&source).into_iter().map(|mistake| mistake.render(&source, Style::Plain));
                wrong.push(drawn.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    assert!(seen > 10, "only {seen} examples were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn every_example_passes() {
    let place = place("docs");
    for (name, text) in DOCUMENTS.iter().flat_map(|path| cases_of(path)) {
        fs::write(place.join(name + ".toml"), text).expect("the case can be written");
    }
    let output = netcase(&place, &["run", ".", "--color", "never"]);
    assert!(output.1 == Some(0), "{}", output.0);
}

/// What the command prints, and its exit code.
fn netcase(directory: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_netcase"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("netcase can be started");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.code())
}

/// The blocks that begin with `$ netcase ARGUMENTS`; with `NETCASE_UPDATE=1` their output is written anew.
#[test]
fn output_in_the_readme_is_what_netcase_prints() {
    let update = std::env::var_os("NETCASE_UPDATE").is_some_and(|value| value == "1");
    let mut readme = read("README.md");
    let junit = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs.xml");
    let junit = junit.to_str().expect("cargo's path is text");
    let mut seen = 0;
    for Block { mark, text, line } in blocks(&readme.clone()) {
        let Some((command, shown)) = text.split_once('\n').filter(|_| mark == "console") else { continue };
        let Some(arguments) = command.strip_prefix("$ netcase ") else { continue };
        seen += 1;
        let mut arguments: Vec<&str> = arguments.split(' ').chain(["--color", "never"]).collect();
        if arguments[0] == "run" {
            arguments.extend(["--junit", junit]);
        }
        let (printed, _) = netcase(&root(), &arguments);
        // Beside the report, which elsewhere lies in `reports`.
        let printed = printed.replace(&format!("{}/", env!("CARGO_TARGET_TMPDIR")), "reports/");
        if without_what_varies(&printed) == without_what_varies(shown) {
            continue;
        }
        assert!(update, "README.md:{line}: shown\n{shown}\nprinted (NETCASE_UPDATE=1 keeps it)\n{printed}");
        readme = readme.replace(&text, &format!("{command}\n{}\n", printed.trim_end()));
        fs::write(root().join("README.md"), &readme).expect("the README can be written to");
    }
    assert!(seen > 1, "only {seen} commands with their output were found");
}

/// Durations and the sender's port differ from run to run.
fn without_what_varies(text: &str) -> String {
    let times = regex::Regex::new(r"\d+(\.\d+)? (ms|s)\b").expect("a pattern");
    let attempts = regex::Regex::new(r"(after|of) \d+ attempts").expect("a pattern");
    let ports = regex::Regex::new(r":\d{5} -> ").expect("a pattern");
    let text = times.replace_all(text, "TIME");
    let text = attempts.replace_all(&text, "$1 N attempts");
    let text = ports.replace_all(&text, ":PORT -> ");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[test]
fn cases_that_the_readme_shows_are_in_the_tree() {
    let readme = read("README.md");
    let mut seen = 0;
    for Block { mark, text, line } in blocks(&readme) {
        if mark != "toml" {
            continue;
        }
        seen += 1;
        let above = readme.lines().take(line - 1).collect::<Vec<_>>().join("\n");
        let file = above.rsplit('`').find(|word| word.contains(".toml")).unwrap_or_default();
        assert!(read(file) == text, "README.md:{line} is not {file}");
    }
    assert!(seen > 0, "the README shows no case");
}

#[test]
fn the_reference_knows_every_key_and_word() {
    let reference = read("cases/README.md");
    let quoted: BTreeSet<&str> = reference.split('`').skip(1).step_by(2).map(|word| word.trim_matches('"')).collect();
    let mut wanted = BTreeSet::new();
    collect(&case::schema(), &mut wanted);
    assert!(wanted.contains("holds-for") && wanted.contains("blocked-locally"), "the schema is read wrongly");
    let missing: Vec<&String> = wanted.iter().filter(|word| !quoted.contains(word.as_str())).collect();
    assert!(missing.is_empty(), "cases/README.md does not know {missing:?}");
}

/// Every key of every record, and every word of every closed set.
fn collect(schema: &serde_json::Value, found: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("properties", serde_json::Value::Object(properties)) => found.extend(properties.keys().cloned()),
                    ("const", serde_json::Value::String(word)) => {
                        found.insert(word.clone());
                    }
                    ("enum", serde_json::Value::Array(words)) => {
                        found.extend(words.iter().filter_map(|word| word.as_str().map(str::to_owned)));
                    }
                    _ => {}
                }
                collect(value, found);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

#[test]
fn the_reference_has_every_setting_of_the_baseline() {
    let reference = read("cases/README.md");
    let table = reference.split("| below `net.` |").nth(1).unwrap_or_default();
    let table = table.split("\n\n").next().unwrap_or_default();
    let code = read("harness/src/lab/sysctl.rs");
    let code = code.split("const BASELINE").nth(1).unwrap_or_default().split("];").next().unwrap_or_default();
    let keys: Vec<&str> = code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(\""))
        .filter_map(|line| line.split('"').next()?.rsplit('/').next())
        .collect();
    assert!(keys.len() > 50, "the baseline is read wrongly");
    let missing: Vec<&&str> = keys.iter().filter(|key| !names(table, key)).collect();
    assert!(missing.is_empty(), "cases/README.md does not know {missing:?}");
}

/// Whether a text has this name, and not only as a part of another.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').any(|word| word == name)
}

/// Links inside a document lead to one of its headings.
#[test]
fn links_inside_the_documents_lead_somewhere() {
    for path in DOCUMENTS.into_iter().chain(["CONTRIBUTING.md", "ARCHITECTURE.md"]) {
        let text = read(path);
        let anchors: BTreeSet<String> = text.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if let Some(name) = link.strip_prefix('#') {
                assert!(anchors.contains(name), "{path}: there is no heading for #{name}");
            } else if !link.contains("://") {
                let file = link.split('#').next().unwrap_or_default();
                let beside = root().join(path).parent().map(|folder| folder.join(file));
                assert!(beside.is_some_and(|file| file.exists()), "{path}: there is no {file}");
            }
        }
    }
}

/// As GitHub makes it from a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
