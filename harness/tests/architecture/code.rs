//! Rust source as far as these tests read it.

/// The source with comments and the contents of strings blanked out; lines stay where they are.
pub(crate) fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => 1 + quoted(&rest[1..]),
            'r' if !code.ends_with(|before: char| before.is_alphanumeric() || before == '_') => {
                raw_string(rest).unwrap_or(0)
            }
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().map(|hidden| if hidden == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    code
}

/// Comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length up to and with the closing quote.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].bytes().take_while(|byte| *byte == b'#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| start + at + end.len()))
}

/// The length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text[1..].chars();
    match characters.next() {
        Some('\\') => {
            let escape = text[2..].chars().next().map_or(0, char::len_utf8);
            text[2 + escape..].find('\'').map_or(0, |at| 3 + escape + at)
        }
        Some(first) if characters.next() == Some('\'') => 2 + first.len_utf8(),
        Some(_) | None => 0,
    }
}

/// The lines on which something sleeps, from 1.
pub(crate) fn sleeps(code: &str) -> Vec<usize> {
    const NAMES: [&str; 5] = ["sleep", "sleep_ms", "sleep_until", "usleep", "nanosleep"];
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    code.lines()
        .enumerate()
        .filter(|(_, line)| line.split(|character| !is_name(character)).any(|name| NAMES.contains(&name)))
        .map(|(index, _)| index + 1)
        .collect()
}

/// How many words `words!` declares, and those without a line of documentation above them.
pub(crate) fn undocumented_words(text: &str) -> (usize, Vec<String>) {
    let mut words = 0;
    let mut faults = Vec::new();
    let mut inside = false;
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        match line {
            "words! {" => inside = true,
            "}" => inside = false,
            _ => {}
        }
        let line = line.trim();
        let declared = line.strip_suffix("\",").and_then(|line| line.split_once(" = \"")).filter(|_| inside);
        if let Some((_, word)) = declared {
            words += 1;
            if !before.starts_with("/// ") {
                faults.push(format!("words.rs:{}: `{word}` has no documentation", index + 1));
            }
        }
        before = line;
    }
    (words, faults)
}
