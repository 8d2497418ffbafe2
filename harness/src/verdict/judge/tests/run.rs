//! Programs: what they print, and what is taken from it.

use super::*;
use crate::observation::Ran;
use crate::plan::{Capture, CaptureBy, Input, Printed, Run, Text};
use crate::verdict::captured;
use crate::words::Stream;

fn run(stdout: Printed, captures: Vec<Capture>) -> Run {
    Run {
        on: BLUE,
        command: vec!["cat".to_owned().into()],
        env: Vec::new(),
        inside: Vec::new(),
        stdin: Input::Text(String::new().into()),
        cwd: None,
        timeout: Duration::from_secs(1),
        exit: vec![0],
        stdout,
        stderr: Printed::default(),
        captures,
    }
}

fn ran(stdout: &str, cut: &[Stream]) -> Ran {
    Ran {
        exit: Some(0),
        how: "ended with exit status 0".to_owned(),
        stdout: stdout.to_owned(),
        stderr: String::new(),
        cut: cut.to_vec(),
    }
}

fn by(pattern: &str) -> Vec<Capture> {
    vec![Capture { name: "it".to_owned(), from: Stream::Stdout, by: CaptureBy::Regex(pattern.to_owned()) }]
}

#[test]
fn of_what_was_cut_nothing_is_judged() {
    let text = Printed { text: Some(Text { regex: Some("^x*$".to_owned()), ..Text::default() }), ..Printed::default() };
    let json = Printed { json: vec![("/0".to_owned(), 1.into())], ..Printed::default() };
    let (stdout, stderr) = (&[Stream::Stdout][..], &[Stream::Stderr][..]);
    for (run, cut, expected) in [
        (run(text.clone(), Vec::new()), stdout, Some("its stdout is more than 1 MiB")),
        (run(json, Vec::new()), stdout, Some("its stdout is more than 1 MiB")),
        (run(Printed::default(), by("x")), stdout, Some("`it` is not in its output: it is more than 1 MiB")),
        (run(Printed::default(), Vec::new()), stdout, None),
        (run(text, by("x")), stderr, None),
    ] {
        let judged = judge_run(&run, &ran("xxx", cut));
        assert_eq!(judged.is_some(), expected.is_some(), "{judged:?}");
        let message = judged.unwrap_or_default();
        assert!(message.contains(expected.unwrap_or_default()), "{message}");
    }
}

fn judge_run(run: &Run, ran: &Ran) -> Option<String> {
    match crate::verdict::judge_run(&plan(), run, ran) {
        Judgement::Match { .. } => None,
        Judgement::Mismatch(finding) => Some(finding.message),
    }
}

#[test]
fn a_capture_is_the_first_group_or_all_of_it() {
    for (pattern, expected) in [("b+", Some("bb")), ("a(b*)", Some("bb")), ("a(x)?bb", None), ("x", None)] {
        let values = captured(&run(Printed::default(), by(pattern)), &ran("abbc", &[]));
        let value = values.into_iter().next().and_then(|(_, value)| value.ok());
        assert_eq!(value.as_deref(), expected, "{pattern}");
    }
}
