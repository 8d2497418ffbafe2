//! What stands on the terminal, in full.

use super::*;
use crate::report::LeftOut;
use crate::report::samples::{self, bad_input, broken, failed, passed, skipped, unreadable};

const PLAIN: Look = Look { style: Style::Plain, verbose: false, width: None };

/// Holds text against a recorded file; with `NETCASE_UPDATE=1` the file is recorded anew, for a person to read the diff.
fn check(text: &str, file: &str) {
    let path = format!("{}/src/report/terminal/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("NETCASE_UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).expect("the tree can be written to");
    }
    assert_eq!(text, std::fs::read_to_string(&path).expect("the recorded file is there"), "{path}");
}

fn shown(look: Look, cases: Vec<(usize, CaseReport)>) -> String {
    let mut bytes = Vec::new();
    samples::tell(&mut Terminal::new(&mut bytes, look), cases);
    String::from_utf8(bytes).expect("only text is written")
}

#[test]
fn a_line_for_each_case_as_it_ends_and_details_in_the_order_of_the_input() {
    let cases = vec![(2, bad_input()), (0, broken()), (1, failed()), (4, passed()), (3, skipped()), (5, unreadable())];
    check(&shown(PLAIN, cases), "plain.txt");
}

#[test]
fn verbose_shows_each_expectation() {
    let look = Look { verbose: true, ..PLAIN };
    let text = shown(look, vec![(0, passed()), (1, failed()), (2, skipped())]);
    check(&text, "verbose.txt");
}

#[test]
fn one_line_of_counts() {
    let summary = Summary {
        passed: 12,
        failed: 1,
        bad_input: 1,
        errors: 2,
        skipped: 3,
        unproven: 4,
        cases: 5,
        elapsed: Duration::from_millis(840),
        interrupted: false,
        left_out: LeftOut::default(),
    };
    assert_eq!(counts(&summary), "5 cases: 12 passed, 1 failed, 3 errors, 3 skipped, 4 unproven in 0.84 s");
    let summary = Summary { interrupted: true, cases: 1, errors: 1, ..Summary::default() };
    assert_eq!(counts(&summary), "interrupted; 1 case: 0 passed, 0 failed, 1 error, 0 skipped, 0 unproven in 0.00 s");
}

#[test]
fn an_empty_run_says_so() {
    assert_eq!(
        shown(PLAIN, Vec::new()),
        "no case was selected\n0 cases: 0 passed, 0 failed, 0 errors, 0 skipped, 0 unproven in 0.84 s\n"
    );
}

#[test]
fn on_a_terminal_one_line_is_redrawn_and_cases_that_pass_leave_none() {
    let mut passing = passed();
    passing.diagnostics.clear();
    let text = shown(Look { width: Some(38), ..PLAIN }, vec![(0, passing), (1, skipped())]);
    let expected = "\r\x1b[K[0/2] running: cases/green\
        \r\x1b[K[0/2] running: cases/green, cases/...\
        \r\x1b[K[1/2] running: cases/nginx\
        \r\x1b[KSKIP cases/nginx (2 expectations)\n     there is no program `nginx` in /usr/sbin\n\
        \r\x1b[K[2/2]\
        \r\x1b[K\n2 cases: 2 passed, 0 failed, 0 errors, 2 skipped, 1 unproven in 0.84 s\n";
    assert_eq!(text, expected);
}

#[test]
fn colours_change_no_word() {
    let colored = shown(Look { style: Style::Color, ..PLAIN }, vec![(0, skipped())]);
    assert!(colored.starts_with("\u{1b}[1m\u{1b}[33mSKIP\u{1b}[0m cases/nginx"), "{colored:?}");
    let colored = shown(Look { style: Style::Color, ..PLAIN }, vec![(0, failed())]);
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), shown(PLAIN, vec![(0, failed())]));
}

/// A reader that goes away after the first bytes.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_closed_pipe_does_not_stop_the_run() {
    let summary = samples::tell(&mut Terminal::new(Closed, PLAIN), vec![(0, failed()), (1, passed())]);
    assert_eq!(summary.cases, 2);
}

#[test]
fn times_have_a_unit_that_suits_them() {
    for (microseconds, expected) in [(300, "0.3 ms"), (12_400, "12 ms"), (999_000, "999 ms"), (1_234_000, "1.23 s")] {
        assert_eq!(time(Duration::from_micros(microseconds)), expected);
    }
}
