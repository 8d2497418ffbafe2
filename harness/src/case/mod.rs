//! What the user wrote: every value with its place, nothing looked up, nothing defaulted.

pub(crate) mod decode;
pub mod expect;
mod file;
pub mod link;
pub mod matcher;
mod places;
pub mod scalar;
pub mod service;
mod shape;
pub mod step;
mod syntax;
pub mod topology;

use decode::{Decode, Required, record};
use expect::Expect;
use scalar::Time;
use shape::{List, Map, Number};
use step::Step;
use topology::{Network, Node};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Source, Span, Spanned};

pub use file::{Unreadable, read};
pub use places::Places;

pub use shape::{List as CaseList, Many, Map as CaseMap, Number as CaseNumber};

/// The largest case file, in bytes. Hand-written cases are a hundred times smaller.
pub const LARGEST_FILE: usize = 1024 * 1024;

record! {
    /// A network case: a topology, and what must hold in it.
    pub struct Case {
        /// One sentence that says what the case proves.
        title("title"): Required<Spanned<String>>,
        /// Why, for the reader.
        description("description"): Option<Spanned<String>>,
        /// Words to select cases by.
        tags("tags"): Option<List<Spanned<String>>>,
        /// How long the whole case may take (default: "30s").
        timeout("timeout"): Option<Spanned<Time>>,
        /// How long nothing must be heard before it counts as silence (default: "1s").
        silence("silence"): Option<Spanned<Time>>,
        /// What the machine must have; where it is missing the case is skipped.
        needs("needs"): Option<List<Spanned<String>>>,
        /// The machines by name.
        nodes("nodes"): Option<Map<Node>>,
        /// The switched networks by name.
        networks("networks"): Option<Map<Network>>,
        /// What must hold.
        expect("expect"): Option<List<Expect>>,
        /// What happens and must hold, step by step; instead of `expect`.
        steps("steps"): Option<List<Step>>,
    }
}

/// The keys that only the case itself has: found in a table, they stand below a `[table]` header by mistake.
const TOP_KEYS: &[&str] = &["title", "description", "tags", "timeout", "silence", "needs"];

/// Reads a case. Every mistake goes to `out`; the case is given as far as it could be read.
pub fn parse(source: &Source, out: &mut Diagnostics) -> Option<Case> {
    let tree = syntax::parse(source, out)?;
    let case = Case::decode(&tree, out)?;
    let written = tree.get_ref().get("title").is_some();
    // A title that stands below a table was complained about there.
    if !written && !out.iter().any(|diagnostic| diagnostic.message == "unknown key `title`") {
        out.push(
            Diagnostic::error(Span::default(), "this case has no `title`")
                .label("`title = \"one sentence that says what the case proves\"` comes first"),
        );
    }
    Some(case)
}

/// The JSON Schema of a case file (draft 2020-12).
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Case).to_value()
}

/// A number as written, without its place.
impl<const MIN: u32, const MAX: u32> Number<MIN, MAX> {
    /// The number as a 16-bit one; the limits of the field make it fit.
    pub fn u16(self) -> u16 {
        u16::try_from(self.0).unwrap_or(u16::MAX)
    }
}
