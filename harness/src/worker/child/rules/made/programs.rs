//! What a command of a script runs that makes rules, or that runs what makes them.

use super::text::{Text, is_open};
use super::values::{Form, Read};

/// Where a program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Where the script runs.
    Own,
    /// In the network namespace of this name.
    Named(String),
    /// Wherever a program puts it that is not known, which has these words.
    Unknown(Vec<String>),
}

/// A program that makes rules, or runs others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Statements of nft(8).
    Nft(Text),
    /// A file for nft(8), or for iptables-restore(8) of a family.
    RulesFile { path: String, family: Option<&'static str> },
    /// The arguments of iptables(8), with the line of the command.
    Iptables { family: &'static str, words: Vec<String>, line: u32 },
    /// What iptables-restore(8) reads.
    Restore { family: &'static str, text: Text },
    /// A script.
    Script(Text),
    /// A script in a file.
    ScriptFile(String),
}

/// What a command runs, and where; `before` is what it reads of the command before it.
pub(super) fn of(form: &Form, before: Option<&Form>) -> Option<(Whose, Program)> {
    let names: Vec<&str> = form.words.iter().map(|word| name(&word.text)).collect();
    if names.first().is_none_or(|first| SAYS.contains(first)) || names.starts_with(&["command", "-v"]) {
        return None;
    }
    let at = names.iter().position(|name| is_rules(name) || is_shell(name) || matches!(*name, "eval" | "source" | "."));
    let at = at.or_else(|| runs_file(form))?;
    let whose = whose(&form.words[..at]);
    let (first, rest) = (form.words.get(at)?, &form.words[at + 1..]);
    let read = || match &form.input {
        Some(read) => Some(read.clone()),
        None => before.and_then(said).map(Read::Text),
    };
    let program = match name(&first.text) {
        "nft" => nft(rest, read)?,
        "eval" => Program::Script(joined(rest)),
        "source" | "." => Program::ScriptFile(rest.first()?.text.clone()),
        shell if is_shell(shell) => script(rest, read)?,
        iptables if is_rules(iptables) => of_iptables(iptables, first, rest, read)?,
        _ => Program::ScriptFile(first.text.clone()),
    };
    Some((whose, program))
}

/// What only names programs, or says texts.
const SAYS: [&str; 22] = [
    "echo", "printf", "type", "which", "hash", "test", "[", "[[", "grep", "cat", "logger", "alias", "trap", "apt-get",
    "apt", "apk", "dnf", "modprobe", "pkill", "killall", "for", "case",
];

/// What runs another program where it runs itself.
pub(super) const STAYS: [&str; 22] = [
    "sudo", "env", "timeout", "time", "exec", "command", "nice", "nohup", "setsid", "if", "then", "elif", "else",
    "while", "until", "do", "!", "{", "xargs", "busybox", "flock", "stdbuf",
];

fn name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or_default()
}

fn is_rules(name: &str) -> bool {
    name == "nft" || family(name).is_some()
}

fn family(name: &str) -> Option<&'static str> {
    const KINDS: [&str; 6] = ["", "-nft", "-legacy", "-restore", "-nft-restore", "-legacy-restore"];
    let of = |rest: &str, family| KINDS.contains(&rest).then_some(family);
    match name.strip_prefix("ip6tables") {
        Some(rest) => of(rest, "ip6"),
        None => of(name.strip_prefix("iptables")?, "ip"),
    }
}

fn is_shell(name: &str) -> bool {
    ["sh", "bash", "dash", "ash", "ksh", "zsh"].contains(&name)
}

/// A command that is a file with a path, behind what runs others.
fn runs_file(form: &Form) -> Option<usize> {
    let texts = || form.words.iter().map(|word| word.text.as_str());
    let at = texts().position(|word| word.contains('/') && !word.starts_with('-') && !word.contains('='))?;
    let behind_exec = texts().take(3).eq(["ip", "netns", "exec"]) && at == 4;
    (behind_exec || texts().take(at).all(stays)).then_some(at)
}

/// Whether a word leaves it to those behind it what runs, where it runs itself: a program, an option of it, a variable.
fn stays(word: &str) -> bool {
    STAYS.contains(&name(word)) || word.starts_with('-') || word.contains('=') || word.parse::<f64>().is_ok()
}

/// Where what stands behind some words runs.
fn whose(words: &[Text]) -> Whose {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let named = |name: &str| if is_open(name) { Whose::Unknown(Vec::new()) } else { Whose::Named(name.to_owned()) };
    let behind =
        |pair: &[&str]| texts.windows(pair.len()).position(|it| it == pair).and_then(|at| texts.get(at + pair.len()));
    if let Some(name) = behind(&["netns", "exec"]) {
        return named(name);
    }
    let netns = texts.iter().find_map(|word| word.split_once("/run/netns/")).map(|(_, name)| name);
    if let Some(name) = netns {
        return named(name);
    }
    if texts.iter().all(|word| stays(word)) {
        return Whose::Own;
    }
    Whose::Unknown(texts.iter().map(|&word| word.to_owned()).collect())
}

/// The file that a command writes a text to which is written in the script.
pub(super) fn written(form: &Form) -> Option<(&str, Text)> {
    let at = form.words.iter().position(|word| !STAYS.contains(&name(&word.text)))?;
    let copies = name(&form.words.get(at)?.text) == "tee";
    let text = match &form.input {
        Some(Read::Text(text)) if copies => text.clone(),
        _ => said(form)?,
    };
    let file = form.words.iter().skip(at + 1).find(|word| copies && !word.text.starts_with('-'));
    let path = file.or(form.output.as_ref()).map(|path| path.text.as_str())?;
    (!is_open(path)).then_some((path, text))
}

/// Where a command goes, in which what follows then runs.
pub(super) enum Goes<'f> {
    Nowhere,
    To(&'f str),
    /// It is not known where.
    Somewhere,
}

/// Where a command goes.
pub(super) fn goes(form: &Form) -> Goes<'_> {
    let mut words = form.words.iter().map(|word| word.text.as_str()).skip_while(|word| STAYS.contains(word));
    match (words.next(), words.next()) {
        (Some("cd" | "pushd"), Some(to)) if !is_open(to) && !to.starts_with(['-', '~']) => Goes::To(to),
        (Some("cd" | "pushd" | "popd"), _) => Goes::Somewhere,
        _ => Goes::Nowhere,
    }
}

/// What echo(1), printf(1) or cat(1) prints.
fn said(form: &Form) -> Option<Text> {
    match (name(&form.words.first()?.text), &form.input) {
        ("echo" | "printf", _) => {
            let words = &form.words[1..];
            let skipped =
                words.iter().take_while(|word| matches!(word.text.as_str(), "-e" | "-n" | "-en" | "--")).count();
            let mut text = joined(&words[skipped..]);
            text.text = text.text.replace("\\n", " \n");
            Some(text)
        }
        ("cat", Some(Read::Text(text))) => Some(text.clone()),
        _ => None,
    }
}

fn joined(words: &[Text]) -> Text {
    let mut whole = Text::default();
    for word in words {
        if !whole.text.is_empty() {
            let line = word.line_at(0);
            whole.push(' ', line);
        }
        whole.append(word);
    }
    whole
}

/// The arguments of nft(8): options, then statements in as many words as one likes.
fn nft(words: &[Text], read: impl Fn() -> Option<Read>) -> Option<Program> {
    let mut rest = words;
    while let [option, behind @ ..] = rest {
        let is_short = option.text.starts_with('-') && !option.text.starts_with("--");
        match option.text.as_str() {
            "--file" => return file(behind.first()?, None, read),
            "-I" | "--includepath" | "-D" | "--define" => rest = behind.get(1..)?,
            // Short options may be joined: `-ef`.
            short if is_short && short.ends_with('f') => return file(behind.first()?, None, read),
            short if is_short && short.len() > 1 && short.contains('f') => return None,
            "--check" | "-c" => return None,
            option if option.starts_with('-') => rest = behind,
            _ => return Some(Program::Nft(joined(rest))),
        }
    }
    None
}

/// A file of rules, or what stands for standard input.
fn file(path: &Text, family: Option<&'static str>, read: impl Fn() -> Option<Read>) -> Option<Program> {
    let path = match path.text.as_str() {
        "-" | "/dev/stdin" => match read()? {
            Read::Text(text) => {
                return Some(family.map_or(Program::Nft(text.clone()), |family| Program::Restore { family, text }));
            }
            Read::File(path) => path.text,
        },
        path => path.to_owned(),
    };
    (!is_open(&path)).then_some(Program::RulesFile { path, family })
}

fn of_iptables(program: &str, first: &Text, words: &[Text], read: impl Fn() -> Option<Read>) -> Option<Program> {
    let family = family(program)?;
    if program.ends_with("-restore") {
        let path = words.iter().find(|word| !word.text.starts_with('-'));
        return file(path.unwrap_or(&Text::at(0, "-")), Some(family), read);
    }
    let words = words.iter().map(|word| word.text.clone()).collect();
    Some(Program::Iptables { family, words, line: first.line_at(0) })
}

/// The arguments of a shell.
fn script(words: &[Text], read: impl Fn() -> Option<Read>) -> Option<Program> {
    let mut rest = words;
    while let [option, behind @ ..] = rest {
        let options = option.text.strip_prefix(['-', '+']).filter(|options| !options.is_empty());
        match options {
            Some("s") => return input(read),
            Some(options) if !options.starts_with('-') && options.ends_with('c') => {
                return Some(Program::Script(behind.first()?.clone()));
            }
            Some("o") => rest = behind.get(1..)?,
            Some(_) => rest = behind,
            None if option.text == "-" => rest = behind,
            None => return Some(Program::ScriptFile(option.text.clone())),
        }
    }
    input(read)
}

fn input(read: impl Fn() -> Option<Read>) -> Option<Program> {
    Some(match read()? {
        Read::Text(text) => Program::Script(text),
        Read::File(path) => Program::ScriptFile(path.text),
    })
}
