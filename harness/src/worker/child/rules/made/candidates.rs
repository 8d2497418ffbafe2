//! What the commands of a case may have made: each rule and policy, and where it is written.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::super::include::{Look, Text as File};
use super::super::restore;
use super::super::written::ChainName;
use super::functions;
use super::options;
use super::origin::{Origin, folder, within};
use super::programs::{self, Goes, Program, Whose};
use super::shell;
use super::source::{Source, Spot, Starts};
use super::statements;
use super::text::Text;
use super::values::{Form, Read, Values};
use crate::plan::NodeId;

/// How much of a script is read, and of all of them: more than anybody writes by hand.
const LONGEST: usize = 128 * 1024;
const MOST_FORMS: usize = 20_000;
const MOST_TEXTS: usize = 200;
const MOST_FOUND: usize = 50_000;
/// How far what runs other scripts is followed.
const DEEPEST: usize = 4;

/// What a command may have made.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// The node in which its source runs.
    pub(super) node: NodeId,
    pub(super) whose: Whose,
    /// Where it is written: on this line.
    pub(super) spot: Spot,
    pub(super) line: u32,
    pub(super) makes: Makes,
}

#[derive(Clone, Debug)]
pub(super) enum Makes {
    Nft(ChainName, statements::Says),
    Iptables(&'static str, options::Rule),
}

/// The files that the programs of a node see.
pub(in super::super) trait Files {
    fn read(&self, node: NodeId, path: &str) -> Option<String>;
    fn included(&self, node: NodeId, name: &str, main: &str) -> Vec<File>;
}

/// What files of rules include that a node's program reads.
struct OfNode<'a>(&'a dyn Files, NodeId);

impl Look for OfNode<'_> {
    fn included(&self, name: &str, main: &str) -> Vec<File> {
        self.0.included(self.1, name, main)
    }
}

/// All that sources may have made; `None` where that is too much to be looked at.
pub(super) fn of(sources: &[Source], files: &dyn Files) -> Option<Vec<Candidate>> {
    let mut reader = Reader {
        files,
        found: Vec::new(),
        waiting: Vec::new(),
        known: HashSet::new(),
        written: HashMap::new(),
        forms: 0,
        texts: 0,
    };
    for source in sources {
        reader.start(source);
    }
    while let Some(script) = reader.waiting.pop() {
        reader.script(&script);
        if reader.forms > MOST_FORMS || reader.texts > MOST_TEXTS || reader.found.len() > MOST_FOUND {
            return None;
        }
    }
    Some(reader.found)
}

/// A script that is to be read.
struct Script {
    text: Text,
    from: Origin,
    values: Option<Rc<Values>>,
    depth: usize,
}

struct Reader<'a> {
    files: &'a dyn Files,
    found: Vec<Candidate>,
    waiting: Vec<Script>,
    known: HashSet<(String, String)>,
    /// Texts that scripts write to files, which then are what stands in the scripts.
    written: HashMap<(NodeId, String), Vec<(Text, Spot)>>,
    forms: usize,
    texts: usize,
}

impl Reader<'_> {
    fn start(&mut self, source: &Source) {
        let folder = Some(String::new());
        let from = Origin { node: source.node, whose: Whose::Own, spot: Spot::Nowhere, ran: source.ran, folder };
        match &source.starts {
            Starts::File(path) => self.file(path, from, None, 0),
            Starts::Command(invocation) => {
                let words = invocation.words.iter().map(|word| Text::of_file(word)).collect();
                let input = invocation.input.as_ref().map(|text| Read::Text(Text::of_file(text)));
                let file = invocation.input_file.as_ref().map(|path| Read::File(Text::at(1, path)));
                let form = Form { words, input: input.or(file), output: None };
                let Some((whose, program)) = programs::of(&form, None) else { return };
                let spot = self::spot(invocation, &program);
                let folder =
                    invocation.folder.as_ref().map_or(from.folder.clone(), |folder| Some(format!("{folder}/")));
                self.program(program, Origin { whose, spot, folder, ..from }, None, 0);
            }
            Starts::Rules { family, path: Some(path), text } => self.rules_file(path, text, Some(family), from),
            Starts::Rules { family, path: None, text } => self.restore(family, &Text::of_file(text), &from),
        }
    }

    fn script(&mut self, script: &Script) {
        self.texts += 1;
        let read = shell::read(&script.text);
        let folder = match &script.from.spot {
            Spot::File { path, .. } => Some(folder(path)),
            Spot::Whole(_) | Spot::Inside { .. } | Spot::Nowhere => None,
        };
        let values = Rc::new(Values::of(&read, folder, script.values.clone()));
        let (mut before, mut own, mut moved) = (Vec::new(), script.from.clone(), false);
        for command in &functions::inlined(&read.commands) {
            let forms = values.forms(command);
            self.forms += forms.len();
            for form in &forms {
                let piped = before.first().filter(|_| command.piped);
                if let Some((path, text)) = programs::written(form) {
                    self.writes(&own, path, text);
                }
                match programs::goes(form) {
                    Goes::Nowhere => {}
                    // One that goes on and on may do so in parts that have each its own folder.
                    Goes::To(to) if !moved => (own, moved) = (own.gone(to), true),
                    Goes::To(_) | Goes::Somewhere => own.folder = None,
                }
                if let Some((whose, program)) = programs::of(form, piped) {
                    let from = Origin { whose: within(&own.whose, whose), ..own.clone() };
                    self.program(program, from, Some(&values), script.depth);
                }
            }
            before = forms;
            if self.forms > MOST_FORMS || self.found.len() > MOST_FOUND {
                return;
            }
        }
        for text in read.inner {
            self.later(text, script.from.clone(), Some(&values), script.depth + 1);
        }
    }

    fn later(&mut self, text: Text, from: Origin, values: Option<&Rc<Values>>, depth: usize) {
        if depth <= DEEPEST {
            self.waiting.push(Script { text, from, values: values.cloned(), depth });
        }
    }

    fn program(&mut self, program: Program, from: Origin, values: Option<&Rc<Values>>, depth: usize) {
        match program {
            Program::Nft(text) => self.statements(&text, &from),
            Program::RulesFile { path, family } => {
                let Some(path) = from.path(&path).filter(|path| self.is_new(path, &from)) else { return };
                if let Some(texts) = self.written.get(&(from.node, path.clone())).cloned() {
                    for (text, spot) in texts {
                        let from = Origin { spot, ..from.clone() };
                        match family {
                            Some(family) => self.restore(family, &text, &from),
                            None => self.statements(&text, &from),
                        }
                    }
                } else if let Some(content) = self.files.read(from.node, &path) {
                    self.rules_file(&path, &content, family, from);
                }
            }
            Program::Iptables { family, words, line } => {
                for rule in options::read(family, "filter", &words) {
                    self.add(&from, line, Makes::Iptables(family, rule));
                }
            }
            Program::Restore { family, text } => self.restore(family, &text, &from),
            Program::Script(text) => self.later(text, from, values, depth + 1),
            Program::ScriptFile(path) => self.file(&path, from, values, depth + 1),
        }
    }

    /// Whether a file has not been looked at for this.
    fn is_new(&mut self, path: &str, from: &Origin) -> bool {
        let whose = format!("{} {:?} {} {:?}", from.node, from.whose, from.ran, from.folder);
        self.known.insert((path.to_owned(), whose))
    }

    fn writes(&mut self, from: &Origin, path: &str, text: Text) {
        if let Some(path) = from.path(path) {
            self.written.entry((from.node, path)).or_default().push((text, from.spot.clone()));
        }
    }

    /// A script in a file; what is no shell's is left alone.
    fn file(&mut self, path: &str, from: Origin, values: Option<&Rc<Values>>, depth: usize) {
        let Some(path) = from.path(path).filter(|path| depth <= DEEPEST && self.is_new(path, &from)) else { return };
        let path = path.as_str();
        if let Some(texts) = self.written.get(&(from.node, path.to_owned())).cloned() {
            for (text, spot) in texts {
                self.later(text, Origin { spot, ..from.clone() }, values, depth);
            }
            return;
        }
        let Some(content) = self.files.read(from.node, path) else { return };
        let first = content.lines().next().unwrap_or_default();
        let interpreter = first.strip_prefix("#!").map(|line| {
            let mut names = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or_default());
            names.find(|name| !name.starts_with('-') && *name != "env").unwrap_or_default().to_owned()
        });
        match interpreter.as_deref() {
            Some("nft") => self.rules_file(path, &content, None, from),
            Some("iptables-restore") => self.rules_file(path, &content, Some("ip"), from),
            Some("ip6tables-restore") => self.rules_file(path, &content, Some("ip6"), from),
            Some(name) if !name.ends_with("sh") => {}
            _ if content.contains('\0') => {}
            // What is too long to be read may have made anything.
            _ if content.len() > LONGEST => self.texts = MOST_TEXTS + 1,
            _ => {
                let text = Text::of_file(&content);
                let spot = Spot::File { path: path.to_owned(), content: content.into(), command: true };
                self.later(text, Origin { spot, ..from }, values, depth);
            }
        }
    }

    fn rules_file(&mut self, path: &str, content: &str, family: Option<&'static str>, from: Origin) {
        let text = Text::of_file(content);
        let spot = Spot::File { path: path.to_owned(), content: content.into(), command: false };
        let from = Origin { spot, ..from };
        match family {
            Some(family) => self.restore(family, &text, &from),
            None => self.read_statements(File { path: path.to_owned(), content: content.into() }, &text, &from),
        }
    }

    fn statements(&mut self, text: &Text, from: &Origin) {
        self.read_statements(File { path: String::new(), content: text.text.as_str().into() }, text, from);
    }

    fn read_statements(&mut self, main: File, text: &Text, from: &Origin) {
        let (statements, files) = statements::read(main, &OfNode(self.files, from.node));
        for statement in statements {
            let makes = Makes::Nft(statement.chain, statement.says);
            match files.get(statement.file).filter(|_| statement.file > 0) {
                None => self.add(from, text.line_at(statement.start), makes),
                Some(file) => {
                    let line = file.content.get(..statement.start).unwrap_or_default().matches('\n').count() + 1;
                    let spot =
                        Spot::File { path: file.path.clone(), content: Rc::clone(&file.content), command: false };
                    self.add(&Origin { spot, ..from.clone() }, u32::try_from(line).unwrap_or(u32::MAX), makes);
                }
            }
        }
    }

    /// What iptables-restore(8) reads.
    fn restore(&mut self, family: &'static str, text: &Text, from: &Origin) {
        let (mut table, mut at) = (String::new(), 0);
        for whole in text.text.split_inclusive('\n') {
            let (line, trimmed) = (text.line_at(at), whole.trim());
            at += whole.len();
            if let Some(name) = trimmed.strip_prefix('*') {
                name.trim().clone_into(&mut table);
            } else if let Some(declared) = trimmed.strip_prefix(':') {
                let mut words = declared.split_whitespace();
                if let (Some(chain), Some("DROP")) = (words.next(), words.next()) {
                    let rule =
                        options::Rule { table: table.clone(), chain: chain.to_owned(), says: options::Says::Drops };
                    self.add(from, line, Makes::Iptables(family, rule));
                }
            } else if !trimmed.starts_with('#') {
                let words = restore::words(trimmed);
                let skipped = usize::from(words.first().is_some_and(|word| word.starts_with('[')));
                for rule in options::read(family, &table, &words[skipped..]) {
                    self.add(from, line, Makes::Iptables(family, rule));
                }
            }
        }
    }

    fn add(&mut self, from: &Origin, line: u32, makes: Makes) {
        let spot = if from.ran { from.spot.clone() } else { Spot::Nowhere };
        self.found.push(Candidate { node: from.node, whose: from.whose.clone(), spot, line, makes });
    }
}

/// Where what a command of the case's own words makes is written.
fn spot(invocation: &super::source::Invocation, program: &Program) -> Spot {
    let text = match program {
        Program::Script(text) | Program::Nft(text) | Program::Restore { text, .. } => &text.text,
        Program::RulesFile { .. } | Program::Iptables { .. } | Program::ScriptFile(_) => {
            return Spot::Whole(invocation.span);
        }
    };
    let texts = invocation.words.iter().chain(&invocation.input);
    let found = texts.zip(&invocation.inside).find(|(word, _)| *word == text);
    match found {
        Some((_, Some(inside))) => Spot::Inside { start: inside.start as usize, content: text.as_str().into() },
        _ => Spot::Whole(invocation.span),
    }
}
