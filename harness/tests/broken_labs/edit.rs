//! Changes to the text of a lab.

use std::collections::BTreeMap;

/// The text with other words in the place of these: whole words, so that `hosta` in `hosta2` is none.
pub(crate) fn words(text: &str, map: &BTreeMap<String, String>) -> String {
    let is_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let mut changed = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        changed.push_str(map.get(word).map_or(word, String::as_str));
        let between = behind.find(is_word).unwrap_or(behind.len());
        changed.push_str(&behind[..between]);
        rest = &behind[between..];
    }
    changed
}

/// The text with other parts in the place of these, wherever they stand; of two that fit the longer one counts.
pub(crate) fn parts(text: &str, map: &BTreeMap<String, String>) -> String {
    let mut changed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let fits = map.iter().filter(|(old, _)| rest.starts_with(old.as_str())).max_by_key(|(old, _)| old.len());
        let (new, length) = match fits {
            Some((old, new)) => (new.as_str(), old.len()),
            None => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        changed.push_str(new);
        rest = &rest[length..];
    }
    changed
}

/// The text with one more router: lines that begin with `#+` count, and those that end in `#-` do not.
pub(crate) fn with_router(text: &str) -> String {
    let kept = text.lines().filter(|line| !line.ends_with(" #-"));
    let lines = kept.map(|line| line.strip_prefix("#+").map_or(line, |more| more.strip_prefix(' ').unwrap_or(more)));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Whether a sentence has a word: as a whole word if it is a name, so that no `gateway` stands for a node `gate`.
pub(crate) fn says(sentence: &str, word: &str, names: &[String]) -> bool {
    if names.iter().any(|name| name == word) {
        let without = BTreeMap::from([(word.to_owned(), String::new())]);
        return words(sentence, &without) != sentence;
    }
    sentence.to_lowercase().contains(&word.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(old: &str, new: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(old.to_owned(), new.to_owned())])
    }

    #[test]
    fn whole_words_are_renamed() {
        assert_eq!(words("gate.eth0 gateway, (gate) gate-2", &map("gate", "kiwi")), "kiwi.eth0 gateway, (kiwi) gate-2");
    }

    #[test]
    fn the_longer_part_counts() {
        let both = BTreeMap::from([("10.1.".to_owned(), "a".to_owned()), ("10.1.0.".to_owned(), "b".to_owned())]);
        assert_eq!(parts("10.1.0.7 10.1.2.7", &both), "b7 a2.7");
    }

    #[test]
    fn a_router_is_put_in() {
        assert_eq!(with_router("a\nb #-\n#+ c\n#+\n#+   d\n# e\n"), "a\nc\n\n  d\n# e\n");
    }

    #[test]
    fn names_are_whole_words() {
        let names = ["gate".to_owned()];
        assert!(says("what gate forwards", "gate", &names) && says("what gate forwards", "Forward", &names));
        assert!(!says("a gateway", "gate", &names));
    }
}
