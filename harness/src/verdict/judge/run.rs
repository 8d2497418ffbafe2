//! What a program's end must be, and what is taken from its output.

use serde_json::Value;

use super::Judgement;
use super::http::unmet;
use crate::observation::Ran;
use crate::plan::{CaptureBy, Plan, Printed, Run, Text};
use crate::verdict::Finding;
use crate::verdict::describe::node;
use crate::verdict::words::{any_of, excerpt};
use crate::words::Stream;

/// Decides about a program that has ended.
pub(crate) fn judge(plan: &Plan, run: &Run, ran: &Ran) -> Judgement {
    let mut wrong: Vec<(&'static str, String)> = Vec::new();
    let exits = ran.exit.is_some_and(|exit| run.exit.contains(&exit));
    if !exits {
        wrong.push(("exit", format!("{}, expected exit status {}", ran.how, any_of(&run.exit))));
    }
    for (key, printed, stream) in [("stdout", &run.stdout, Stream::Stdout), ("stderr", &run.stderr, Stream::Stderr)] {
        match whole(ran, stream) {
            Ok(text) => {
                wrong.extend(differences(printed, text).into_iter().map(|words| (key, format!("its {key} {words}"))));
            }
            Err(why) if *printed != Printed::default() => wrong.push((key, format!("its {key} {why}"))),
            Err(_) => {}
        }
    }
    if exits {
        let missing = captured(run, ran).into_iter().filter_map(|(name, value)| Some((name, value.err()?)));
        wrong.extend(missing.map(|(name, why)| ("capture", format!("`{name}` is not in its output: {why}"))));
    }
    if wrong.is_empty() {
        return Judgement::proven();
    }
    let (keys, words): (Vec<&str>, Vec<String>) = wrong.into_iter().unzip();
    let mut finding =
        Finding::new(format!("`{}` in {}: {}", run.words(), node(plan, run.on), words.join("; "))).about(&keys);
    for (stream, text) in [("standard output", &ran.stdout), ("standard error", &ran.stderr)] {
        finding.notes.extend(printed_note(stream, text));
    }
    if ran.stdout.is_empty() && ran.stderr.is_empty() {
        finding.notes.push("it printed nothing".to_owned());
    }
    Judgement::Mismatch(finding)
}

/// The values that a program's output has, each with its name; or why one is not there.
pub(crate) fn captured(run: &Run, ran: &Ran) -> Vec<(String, Result<String, String>)> {
    let values = run.captures.iter().map(|capture| {
        let value = whole(ran, capture.from).map_err(|why| format!("it {why}")).and_then(|text| match &capture.by {
            CaptureBy::Json(pointer) => at(text, pointer).map(|value| plain(&value)),
            CaptureBy::Regex(pattern) => matched(text, pattern),
        });
        (capture.name.clone(), value)
    });
    values.collect()
}

fn matched(text: &str, pattern: &str) -> Result<String, String> {
    let regex = regex::Regex::new(pattern).map_err(|error| error.to_string())?;
    let found = regex.captures(text).ok_or_else(|| format!("/{pattern}/ matches nowhere"))?;
    let part = found.get(usize::from(found.len() > 1));
    part.map(|part| part.as_str().to_owned()).ok_or_else(|| format!("the first group of /{pattern}/ takes no part"))
}

/// What a program has printed, where all of it is known.
fn whole(ran: &Ran, stream: Stream) -> Result<&str, String> {
    if ran.cut.contains(&stream) {
        return Err("is more than 1 MiB, and what is behind that is not looked at".to_owned());
    }
    Ok(match stream {
        Stream::Stdout => &ran.stdout,
        Stream::Stderr => &ran.stderr,
    })
}

fn at(text: &str, pointer: &str) -> Result<Value, String> {
    let whole: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON ({error})"))?;
    whole.pointer(pointer).cloned().ok_or_else(|| format!("there is nothing at {pointer}"))
}

/// A text without its quotes, anything else as JSON has it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn differences(printed: &Printed, text: &str) -> Vec<String> {
    let mut wrong: Vec<String> =
        printed.text.iter().filter_map(|wanted| unmet(wanted, ended_alike(wanted, text))).collect();
    for (pointer, wanted) in &printed.json {
        match at(text, pointer) {
            Ok(value) if same(&value, wanted) => {}
            Ok(value) => wrong.push(format!("has {value} at {pointer}, expected {wanted}")),
            Err(why) => {
                wrong.push(format!("has no {pointer}: {why}"));
                break;
            }
        }
    }
    wrong
}

/// Numbers are the same whether written with a point or not.
fn same(value: &Value, wanted: &Value) -> bool {
    match (value.as_f64(), wanted.as_f64()) {
        (Some(value), Some(wanted)) => value.total_cmp(&wanted).is_eq(),
        _ => value == wanted,
    }
}

/// The output without the newline that ends nearly every output, where the text that it must be has none either.
fn ended_alike<'a>(wanted: &Text, text: &'a str) -> &'a str {
    let kept = [&wanted.equals, &wanted.contains].into_iter().flatten().any(|wanted| wanted.ends_with('\n'));
    if kept { text } else { text.strip_suffix('\n').unwrap_or(text) }
}

fn printed_note(stream: &str, text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    match &*lines {
        [] => None,
        [line] => Some(format!("its {stream} is {}", excerpt(line))),
        lines => {
            let first = lines.len().saturating_sub(LINES);
            let cut = if first > 0 { format!(" (the last {LINES} lines of {})", lines.len()) } else { String::new() };
            let lines: Vec<String> = lines[first..].iter().map(|line| start_of(line)).collect();
            Some(format!("its {stream}{cut}:\n{}", lines.join("\n")))
        }
    }
}

/// A line, or its start with dots behind where it has no end.
fn start_of(line: &str) -> String {
    let start: String = line.chars().take(WIDEST).collect();
    let rest = if start.len() < line.len() { "..." } else { "" };
    start + rest
}

/// How many lines of an output are shown, and how many characters of each.
const LINES: usize = 10;
const WIDEST: usize = 1000;
