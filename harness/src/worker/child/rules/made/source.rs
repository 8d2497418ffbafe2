//! What runs commands in a lab, and where each line of it is written.

use std::rc::Rc;

use crate::evidence::Place;
use crate::plan::NodeId;
use crate::source::Span;

/// What runs commands in a node.
#[derive(Clone, Debug)]
pub(in super::super) struct Source {
    /// The node in which it runs.
    pub(in super::super) node: NodeId,
    /// What it is.
    pub(in super::super) starts: Starts,
    /// Whether it has run for certain: what has not may have made a rule, and is not said to have.
    pub(in super::super) ran: bool,
}

/// What is started.
#[derive(Clone, Debug)]
pub(in super::super) enum Starts {
    /// A file, by its path from the case's folder.
    File(String),
    /// A program, which the case has words for.
    Command(Invocation),
    /// Rules for iptables-restore of a family, in a file or in the case.
    Rules { family: &'static str, path: Option<String>, text: String },
}

/// A program with its words, and where the case has it.
#[derive(Clone, Debug)]
pub(in super::super) struct Invocation {
    pub(in super::super) words: Vec<String>,
    /// The text that it reads, or the file, by its path from the case's folder.
    pub(in super::super) input: Option<String>,
    pub(in super::super) input_file: Option<String>,
    /// The folder it starts in, from the case's.
    pub(in super::super) folder: Option<String>,
    pub(in super::super) span: Span,
    /// Where words stand that read as they are written, and at last the text that it reads.
    pub(in super::super) inside: Vec<Option<Span>>,
}

/// Where lines are written.
#[derive(Clone, Debug)]
pub(super) enum Spot {
    File {
        path: String,
        content: Rc<str>,
        /// Whether its lines are commands, and not rules alone.
        command: bool,
    },
    /// All of it is one place.
    Whole(Span),
    /// A text of the case that begins there.
    Inside { start: usize, content: Rc<str> },
    /// It is not to be said.
    Nowhere,
}

impl Spot {
    /// What makes two lines the same.
    pub(super) fn key(&self, line: u32) -> (Option<&str>, usize, u32) {
        match self {
            Self::File { path, .. } => (Some(path), 0, line),
            Self::Whole(span) => (None, span.start as usize, 0),
            Self::Inside { start, .. } => (None, *start, line),
            Self::Nowhere => (None, usize::MAX, 0),
        }
    }

    /// The place of a line, from 1; `None` where it is none, or not to be said.
    pub(super) fn place(&self, line: u32) -> Option<Place> {
        let at = usize::try_from(line).ok()?.checked_sub(1)?;
        match self {
            Self::File { path, content, command } => {
                let text = content.lines().nth(at)?.trim().to_owned();
                Some(Place::File { path: path.clone(), line, text, command: *command })
            }
            Self::Whole(span) => Some(Place::Case(*span)),
            Self::Inside { start, content } => {
                let whole = content.split_inclusive('\n').nth(at)?;
                let before: usize = content.split_inclusive('\n').take(at).map(str::len).sum();
                let indent = whole.len() - whole.trim_start().len();
                let first = start + before + indent;
                Some(Place::Case(Span::new(first, first + whole.trim().len())))
            }
            Self::Nowhere => None,
        }
    }
}
