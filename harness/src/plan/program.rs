//! A program that is run to its end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{NodeId, Template, Text};
use crate::source::Span;
use crate::words::Stream;

/// A program, and what its end must be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The node.
    pub on: NodeId,
    /// Program and arguments; never empty.
    pub command: Vec<Template>,
    /// Environment beside the fixed one.
    pub env: Vec<(String, Template)>,
    /// What it finds on its standard input.
    pub stdin: Input,
    /// Where the words of the command stand that have several lines, and at last its input, in their quotes; nothing
    /// where they do not read as they are written.
    #[serde(default)]
    pub inside: Vec<Option<Span>>,
    /// The folder it starts in, from the case's.
    pub cwd: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// The exit status: any of these.
    pub exit: Vec<i32>,
    /// What it must print on standard output.
    pub stdout: Printed,
    /// What it must print on standard error.
    pub stderr: Printed,
    /// What is taken from its output.
    pub captures: Vec<Capture>,
}

/// What a program finds on its standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// This text.
    Text(Template),
    /// What a file has, from the case's folder.
    File(String),
}

/// What a program must print; what is empty is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Printed {
    /// Conditions on the text.
    pub text: Option<Text>,
    /// The value at each JSON pointer.
    pub json: Vec<(String, serde_json::Value)>,
}

/// A value taken from a program's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Its name.
    pub name: String,
    /// Where it is looked for.
    pub from: Stream,
    /// How.
    pub by: CaptureBy,
}

/// How a value is found in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaptureBy {
    /// At a JSON pointer.
    Json(String),
    /// By a regular expression: its first group, or all of it.
    Regex(String),
}

impl Run {
    /// Program and arguments as one would type them, cut where they are long.
    pub fn words(&self) -> String {
        let quoted = self.command.iter().map(ToString::to_string).map(|word| {
            let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:=,@%+${}".contains(c));
            if plain { word } else { format!("'{}'", word.replace('\n', " ")) }
        });
        let line = quoted.collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None => line,
        }
    }
}

/// How many characters of a command are shown.
const LONGEST: usize = 72;
