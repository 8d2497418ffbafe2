//! Rules as nft(8) reads them: not what they say, but which chain each belongs to and where it stands.

use super::include::{Look, Text};
use super::lexer::{Cursor, End};
use super::written::{ChainName, Line, Written};

/// How deep files may include one another, and how many are read.
const DEEPEST: usize = 16;
const MOST: usize = 1000;

pub(super) const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];

/// What `add` and its like may be about, beside a rule that is not called one.
const OBJECTS: [&str; 14] = [
    "table",
    "chain",
    "set",
    "map",
    "element",
    "flowtable",
    "counter",
    "counters",
    "quota",
    "ct",
    "limit",
    "secmark",
    "synproxy",
    "tunnel",
];

/// What is said in a chain beside its rules.
const NO_RULES: [&str; 7] = ["comment", "devices", "device", "flags", "define", "redefine", "undefine"];

/// Reads a text of rules and the files that it includes.
pub(super) fn read(main: Text, look: &dyn Look) -> (Written, Vec<Text>) {
    let mut reader = Reader { written: Written::default(), texts: Vec::new(), look, depth: 0 };
    reader.file(main, &Scope::Top);
    (reader.written, reader.texts)
}

/// What a statement stands in.
enum Scope {
    Top,
    Table(String, String),
    Chain(ChainName),
}

struct Reader<'a> {
    written: Written,
    texts: Vec<Text>,
    look: &'a dyn Look,
    depth: usize,
}

impl Reader<'_> {
    fn file(&mut self, text: Text, scope: &Scope) {
        let file = self.texts.len();
        if self.depth == DEEPEST || file == MOST {
            return;
        }
        let content = std::rc::Rc::clone(&text.content);
        self.texts.push(text);
        self.depth += 1;
        let mut cursor = Cursor::new(&content);
        while !cursor.is_at_end() {
            self.block(file, &mut cursor, scope);
        }
        self.depth -= 1;
    }

    /// Reads statements up to the brace that closes them.
    fn block(&mut self, file: usize, cursor: &mut Cursor<'_>, scope: &Scope) {
        while let Some(start) = cursor.next_statement() {
            let mut words = Vec::new();
            let end = cursor.statement(&mut words, |words| opens(words, scope));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let place = Place { file, range: start..cursor.last, handle: cursor.handle };
            match end {
                End::Block => {
                    let inner = inner(&words, scope);
                    if let Scope::Chain(chain) = &inner {
                        self.written.chain(place.line(chain.clone()));
                    }
                    self.block(file, cursor, &inner);
                }
                End::Statement => self.statement(&words, place, scope),
            }
        }
    }

    fn statement(&mut self, words: &[&str], place: Place, scope: &Scope) {
        match (words, scope) {
            (["include", path], _) => {
                let main = self.texts.first().map(|text| text.path.clone()).unwrap_or_default();
                for text in self.look.included(path, &main) {
                    self.file(text, scope);
                }
            }
            (_, Scope::Top) => self.command(words, place),
            (["type", rest @ ..], Scope::Chain(chain)) if rest.contains(&"hook") => {
                self.written.chain(place.deciding(chain.clone()));
            }
            (["policy", ..], Scope::Chain(chain)) => self.written.chain(place.deciding(chain.clone())),
            ([first, ..], Scope::Chain(chain)) if !NO_RULES.contains(first) => {
                self.written.rule(place.line(chain.clone()));
            }
            _ => {}
        }
    }

    /// A statement that stands in no table.
    fn command(&mut self, words: &[&str], place: Place) {
        let (verb, rest) = verb(words);
        match (verb, rest) {
            ("flush", ["ruleset", family @ ..]) => {
                self.written.empty(|chain| family.first().is_none_or(|family| chain.family == *family));
            }
            ("flush" | "delete" | "destroy", [kind @ ("table" | "chain"), rest @ ..]) => {
                let meant = named(rest);
                let whole = *kind == "table";
                self.written.empty(|chain| {
                    chain.family == meant.family && chain.table == meant.table && (whole || chain.chain == meant.chain)
                });
            }
            ("delete" | "destroy", ["rule", rest @ ..]) => self.written.lose(named(rest)),
            ("add" | "create", ["chain", rest @ ..]) => self.written.chain(place.line(named(rest))),
            ("add" | "insert" | "replace" | "create", ["rule", rest @ ..]) => {
                self.written.rule(place.line(named(rest)));
            }
            ("add" | "insert" | "replace", [first, ..]) if !OBJECTS.contains(first) => {
                self.written.rule(place.line(named(rest)));
            }
            _ => {}
        }
    }
}

/// Where a statement is.
struct Place {
    file: usize,
    range: std::ops::Range<usize>,
    handle: Option<u64>,
}

impl Place {
    fn line(self, chain: ChainName) -> Line {
        Line { chain, file: self.file, range: self.range, decides: false, makes: 1, handle: self.handle }
    }

    fn deciding(self, chain: ChainName) -> Line {
        Line { decides: true, ..self.line(chain) }
    }
}

/// What a statement does, which is to add where it does not say, and to what.
fn verb<'w>(words: &'w [&'w str]) -> (&'w str, &'w [&'w str]) {
    const VERBS: [&str; 16] = [
        "add", "create", "insert", "replace", "delete", "destroy", "flush", "reset", "list", "rename", "define",
        "redefine", "undefine", "monitor", "describe", "export",
    ];
    match words {
        [verb, rest @ ..] if VERBS.contains(verb) => (verb, rest),
        words => ("add", words),
    }
}

/// Family, table and chain; the family is `ip` where none is named.
pub(super) fn named(words: &[&str]) -> ChainName {
    let (family, rest) = match words {
        [family, rest @ ..] if FAMILIES.contains(family) => (*family, rest),
        rest => ("ip", rest),
    };
    let word = |at: usize| rest.get(at).copied().unwrap_or_default();
    ChainName::new(family, word(0), word(1))
}

/// Whether a brace behind these words opens a block of statements, and not a set or what a set is.
fn opens(words: &[String], scope: &Scope) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match scope {
        Scope::Top => matches!(verb(&words), ("add" | "create", ["table" | "chain", ..])),
        Scope::Table(..) => words.first() == Some(&"chain"),
        Scope::Chain(_) => false,
    }
}

/// What stands in the block that these words open.
fn inner(words: &[&str], scope: &Scope) -> Scope {
    match (scope, verb(words).1) {
        (Scope::Top, ["table", rest @ ..]) => {
            let ChainName { family, table, .. } = named(rest);
            Scope::Table(family, table)
        }
        (Scope::Table(family, table), ["chain", name, ..]) => Scope::Chain(ChainName::new(family, table, name)),
        (_, [_, rest @ ..]) => Scope::Chain(named(rest)),
        (_, []) => Scope::Top,
    }
}
