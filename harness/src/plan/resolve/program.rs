//! Programs that are run to their end, and what they bring with them.

use std::time::Duration;

use super::checker::Checker;
use super::http;
use crate::case::program::{
    Capture as WrittenCapture, Input as WrittenInput, Printed as WrittenPrinted, Run as Written,
};
use crate::case::{CaseList, CaseMap};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{Capture, CaptureBy, Input, Printed, Run, Template};
use crate::source::Spanned;
use crate::words::Stream;

/// How long a program may take when the case does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Resolves `run`, in an action or a check.
pub(super) fn run(checker: &mut Checker<'_>, limit: Duration, written: Written) -> Option<Run> {
    let Written { on, command, env, stdin, cwd, timeout, exit, stdout, stderr, capture, span: _, sound } = written;
    let place = command.span;
    let node = checker.senders("on", vec![on], "a program runs in a node, not at an interface");
    let (command, env) = self::command("command", command, env, checker.out);
    if command.is_empty() {
        return None;
    }
    let given = command.iter().chain(env.iter().map(|(_, value)| value));
    if given.filter(|text| !checker.knows(text)).count() > 0 {
        return None;
    }
    let late = timeout.as_ref().filter(|timeout| timeout.0 >= limit);
    if let Some(late) = late {
        checker.say(
            Diagnostic::error(late.span, format!("this cannot end within the case's timeout of {limit:?}"))
                .label("too long"),
        );
    }
    for printed in [&stdout, &stderr].into_iter().flatten() {
        printed.json.iter().for_each(|(pointer, _)| check_pointer(pointer, checker.out));
    }
    let read = stdin.as_ref().map(|stdin| stdin.span);
    let stdin = match stdin {
        None => Input::Text(Template::from(String::new())),
        Some(Spanned { value: WrittenInput::Text(text), span }) => {
            let text = Spanned::new(text, span);
            checker.knows(&text).then(|| Input::Text(Template::text(&text)))?
        }
        Some(Spanned { value: WrittenInput::File(path), .. }) => Input::File(path.value),
    };
    let captures = captures(capture.unwrap_or_default(), checker.out);
    let run = Run {
        on: node.first()?.node,
        command: command.iter().map(Template::text).collect(),
        env: env.into_iter().map(|(name, value)| (name, Template::text(&value))).collect(),
        stdin,
        // What stands between the quotes is known to who has the text of the case.
        inside: command.iter().map(|word| Some(word.span)).chain([read]).collect(),
        cwd: cwd.map(|cwd| cwd.value),
        timeout: timeout.map_or(TIMEOUT.min(limit), |timeout| timeout.0),
        exit: exit.map_or_else(
            || vec![0],
            |exit| exit.items.into_iter().map(|status| i32::from(status.value.u16())).collect(),
        ),
        stdout: stdout.map(printed).unwrap_or_default(),
        stderr: stderr.map(printed).unwrap_or_default(),
        captures,
    };
    let _ = place;
    sound.then_some(run)
}

/// A program and its arguments.
type Words = Vec<Spanned<String>>;

/// A program with its arguments and environment, as the kernel takes them.
pub(super) fn command(
    key: &str,
    run: CaseList<Spanned<String>>,
    env: Option<CaseMap<Spanned<String>>>,
    out: &mut Diagnostics,
) -> (Words, Vec<(String, Spanned<String>)>) {
    if run.written == 0 || run.items.first().is_some_and(|program| program.is_empty()) {
        out.push(
            Diagnostic::error(run.items.first().map_or(run.span, |program| program.span), "no program to run")
                .label("the program, then its arguments")
                .help(format!("such as `{key} = [\"nginx\", \"-g\", \"daemon off;\"]`")),
        );
    }
    let entries = env.unwrap_or_default().entries.into_iter();
    let env: Vec<(Spanned<String>, Spanned<String>)> =
        entries.filter_map(|(name, value)| value.map(|value| (name, value))).collect();
    for (name, _) in env.iter().filter(|(name, _)| name.is_empty() || name.contains('=')) {
        out.push(
            Diagnostic::error(name.span, "an environment variable cannot have this name")
                .label("no `=`, and not empty"),
        );
    }
    for text in run.items.iter().chain(env.iter().flat_map(|(name, value)| [name, value])) {
        if text.contains('\0') {
            out.push(
                Diagnostic::error(text.span, "this text contains a NUL byte").label("a program cannot be given one"),
            );
        }
    }
    (run.items, env.into_iter().map(|(name, value)| (name.value, value)).collect())
}

fn printed(written: Spanned<WrittenPrinted>) -> Printed {
    let WrittenPrinted { text, json } = written.value;
    Printed {
        text: text.map(|text| http::text(text.value)),
        json: json.into_iter().map(|(pointer, value)| (pointer.value, value)).collect(),
    }
}

fn captures(written: CaseMap<WrittenCapture>, out: &mut Diagnostics) -> Vec<Capture> {
    let mut captures = Vec::new();
    for (name, capture) in written.entries {
        let Some(WrittenCapture { json, regex, from, span, sound }) = capture else { continue };
        let by = match (json, regex) {
            (Some(json), None) => {
                check_pointer(&json, out);
                CaptureBy::Json(json.value)
            }
            (None, Some(regex)) => CaptureBy::Regex(regex.value.0),
            (Some(json), Some(regex)) => {
                let wrong = Diagnostic::error(regex.span, format!("`{}` is captured in two ways", *name));
                out.push(wrong.label("one of `json` and `regex`").related(json.span, "the other way"));
                continue;
            }
            (None, None) => {
                if sound {
                    let wrong = Diagnostic::error(span, format!("it is not said where `{}` is", *name));
                    out.push(wrong.label("by `json = \"/POINTER\"` or `regex = \"...\"`"));
                }
                continue;
            }
        };
        let from = from.map_or(Stream::Stdout, |from| from.value);
        captures.push(Capture { name: name.value, from, by });
    }
    captures
}

/// A pointer is empty, for the whole, or each of its parts begins with a slash (RFC 6901, section 3).
fn check_pointer(pointer: &Spanned<String>, out: &mut Diagnostics) {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        out.push(Diagnostic::error(pointer.span, format!("`{}` is not a JSON pointer", **pointer)).label(format!(
            "did you mean `/{}`?",
            pointer.replace(['.', '[', ']'], "/").trim_matches('/').replace("//", "/")
        )));
    }
}
