//! The commands of scripts and of run actions: what they set, and which words they have.

/// A command of a script, with the line on which it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) line: usize,
    /// Its first line, as it stands there.
    pub(super) shown: String,
    /// All of it, variables that have one value replaced.
    pub(super) text: String,
}

/// The commands of a script, in order: a backslash at its end continues a line.
pub(super) fn of_script(script: &str) -> Vec<Command> {
    let known = variables(script);
    let mut commands: Vec<Command> = Vec::new();
    let mut open = false;
    for (at, line) in script.lines().enumerate() {
        let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        match commands.last_mut().filter(|_| open) {
            Some(command) => {
                command.text.push(' ');
                command.text.push_str(part);
            }
            None if line.trim_start().starts_with('#') => {}
            None => commands.push(Command { line: at + 1, shown: line.to_owned(), text: part.to_owned() }),
        }
        open = more && !line.trim_start().starts_with('#');
    }
    for command in &mut commands {
        for (name, value) in &known {
            command.text = replaced(&command.text, name, value);
        }
    }
    commands
}

/// The variables to which a script gives one value, once, by a plain `NAME=VALUE`.
fn variables(script: &str) -> Vec<(String, String)> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let words = || script.split(|c: char| c.is_whitespace() || c == ';');
    let given = words().filter_map(|word| word.split_once('=')).filter(|(name, _)| is_name(name));
    let mut found: Vec<(String, String)> = Vec::new();
    let mut changing: Vec<String> = Vec::new();
    for (name, value) in given {
        let value = value.trim_matches(['"', '\'']);
        if value.contains(['$', '`', '"', '\'']) || found.iter().any(|(known, _)| known == name) {
            changing.push(name.to_owned());
        }
        found.push((name.to_owned(), value.to_owned()));
    }
    let mut words = words();
    while let Some(word) = words.next() {
        if matches!(word, "for" | "read") {
            changing.extend(words.next().map(str::to_owned));
        }
    }
    found.retain(|(name, _)| !changing.contains(name));
    found
}

fn replaced(text: &str, name: &str, value: &str) -> String {
    let text = text.replace(&format!("${{{name}}}"), value);
    let variable = format!("${name}");
    let mut parts = text.split(&variable);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // `$dev` is no part of `$device`.
        let ends = !part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        whole.push_str(if ends { value } else { "$" });
        whole.push_str(if ends { "" } else { name });
        whole.push_str(part);
    }
    whole
}

/// Whether a command has all these words.
pub(super) fn has(text: &str, words: &[&str]) -> bool {
    let parts = parts(text);
    words.iter().all(|word| parts.contains(word))
}

/// Whether a command would have all these words if its variables had the right values: one word for each variable, and
/// at least one word as it is.
pub(super) fn may_have(text: &str, words: &[&str]) -> bool {
    let parts = parts(text);
    let missing = words.iter().filter(|word| !parts.contains(word)).count();
    let variables = parts.iter().filter(|part| part.starts_with('$')).count();
    missing > 0 && missing < words.len() && missing <= variables
}

fn parts(text: &str) -> Vec<&str> {
    text.split(|c: char| c.is_whitespace() || "\"';,".contains(c)).collect()
}

/// A setting that a command sets: its path below `/proc/sys`, and the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) path: String,
    pub(super) value: String,
}

/// The settings that a command sets: by sysctl(8), or by what it writes below `/proc/sys`.
pub(super) fn settings(text: &str) -> Vec<Setting> {
    let plain = text.replace(['"', '\''], " ");
    let mut found = Vec::new();
    for part in plain.split([';', '&', '\n']) {
        let words: Vec<&str> = part.split_whitespace().collect();
        if let Some((before, path)) = part.split_once("/proc/sys/") {
            let path = path.split_whitespace().next().unwrap_or_default();
            let written = before.trim_end().ends_with('>') || words.contains(&"tee");
            let value = words.iter().position(|word| *word == "echo").and_then(|at| words[at + 1..].first());
            if let Some(value) = value.filter(|_| written) {
                found.push(Setting { path: path.to_owned(), value: value.trim_end_matches('>').to_owned() });
            }
        } else if let Some(at) = words.iter().position(|word| *word == "sysctl" || word.ends_with("/sysctl")) {
            found.extend(assigned(&words[at + 1..]));
        }
    }
    found
}

/// The arguments of sysctl(8): `KEY=VALUE`, also with spaces around the sign.
fn assigned(words: &[&str]) -> Vec<Setting> {
    let joined = words.join(" ").replace(" =", "=").replace("= ", "=");
    let pairs = joined.split(' ').filter(|word| !word.starts_with('-')).filter_map(|word| word.split_once('='));
    pairs.map(|(key, value)| Setting { path: slashed(key), value: value.to_owned() }).collect()
}

/// A key of sysctl(8) as a path: where its first separator is a dot, a slash stands for a dot in a name.
fn slashed(key: &str) -> String {
    let dotted = key.find(['.', '/']).is_some_and(|at| key[at..].starts_with('.'));
    if !dotted {
        return key.to_owned();
    }
    key.chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect()
}

/// Whether a path with variables in it may be another one.
pub(super) fn may_be(path: &str, other: &str) -> bool {
    let (parts, others): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), other.split('/').collect());
    parts.len() == others.len() && parts.iter().zip(others).all(|(part, other)| *part == other || part.starts_with('$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_on_two_lines_is_one() {
        let script = "#!/bin/sh\n# ip link set a down\nip link set \\\n  a down\nDEV=b\nip link set $DEV up\n";
        let commands = of_script(script);
        let found = commands.iter().find(|command| has(&command.text, &["a", "down"])).expect("it is there");
        assert_eq!((found.line, &*found.shown), (3, "ip link set \\"));
        assert!(commands.iter().any(|command| command.line == 6 && has(&command.text, &["b", "up"])));
        assert_eq!(commands.iter().filter(|command| has(&command.text, &["down"])).count(), 1);
    }

    #[test]
    fn a_variable_with_several_values_may_be_any_word() {
        let script = "for dev in a b; do ip link set $dev down; done\nDEV=c\nDEV=d\nip link set ${DEV} mtu 1400\n";
        let commands = of_script(script);
        assert!(!has(&commands[3].text, &["c", "mtu"]) && may_have(&commands[3].text, &["c", "mtu"]));
        assert!(may_have(&commands[0].text, &["x", "down"]) && !may_have(&commands[0].text, &["x", "y", "down"]));
        assert_eq!(replaced("$dev $device ${dev}", "dev", "x"), "x $device x");
    }

    #[test]
    fn settings_are_read_in_all_their_forms() {
        for (text, path, value) in [
            ("sysctl -w net.ipv4.ip_forward=0", "net/ipv4/ip_forward", "0"),
            ("sysctl -qw \"net.ipv4.ip_forward = 0\"", "net/ipv4/ip_forward", "0"),
            ("/sbin/sysctl net/ipv4/conf/eth0.5/rp_filter=1", "net/ipv4/conf/eth0.5/rp_filter", "1"),
            ("sysctl net.ipv4.conf.eth0/5.rp_filter=1", "net/ipv4/conf/eth0.5/rp_filter", "1"),
            ("echo 0 >/proc/sys/net/ipv4/ip_forward", "net/ipv4/ip_forward", "0"),
            ("sh -c 'echo 0 > /proc/sys/net/ipv4/ip_forward'", "net/ipv4/ip_forward", "0"),
            ("echo 1 | tee /proc/sys/net/ipv4/ip_forward", "net/ipv4/ip_forward", "1"),
        ] {
            assert_eq!(settings(text), [Setting { path: path.to_owned(), value: value.to_owned() }], "{text}");
        }
        for text in ["sysctl net.ipv4.ip_forward", "cat /proc/sys/net/ipv4/ip_forward > x", "echo sysctl"] {
            assert_eq!(settings(text), [], "{text}");
        }
        assert!(may_be("net/ipv4/conf/$i/rp_filter", "net/ipv4/conf/x/rp_filter"));
        assert!(!may_be("net/ipv4/conf/$i/rp_filter", "net/ipv4/conf/x/arp_ignore"));
    }
}
