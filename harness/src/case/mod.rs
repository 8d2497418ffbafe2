//! What the user wrote: every value with its place, nothing looked up, nothing defaulted.

pub(crate) mod decode;
mod expand;
pub mod expect;
mod file;
mod lab;
pub mod link;
pub mod listing;
pub mod matcher;
mod matrix;
pub mod nat;
mod parameters;
mod places;
pub mod program;
pub mod refuser;
pub mod rules;
pub mod scalar;
mod schema;
pub mod service;
mod shape;
pub mod step;
mod syntax;
mod template;
pub mod topology;

use std::sync::Arc;

use decode::{Decode, Required, record};
use expand::Expander;
use expect::Expect;
use parameters::{Parameter, Parameters};
use scalar::Time;
use shape::{List, Map, Number};
use step::Step;
use topology::{Network, Node};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Source, Span, Spanned};

pub use file::{Unreadable, read};
pub use lab::LAB_ENDING;
pub use matrix::{Declared, declared, words as combination_words};
pub use parameters::Given;
pub use places::Places;
pub use template::{Template, is_name as is_parameter_name};

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
        /// Values by name, for `${name}` in any text; `--set` goes before them.
        params("params"): Option<Map<Spanned<Parameter>>>,
        /// Lists of values by name: one case for every combination.
        matrix("matrix"): Option<Map<List<Spanned<Parameter>>>>,
        /// A `*.lab.toml` whose nodes and networks this case has too, relative to this file.
        topology("topology"): Option<Spanned<String>>,
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
const TOP_KEYS: &[&str] = &["title", "description", "tags", "timeout", "silence", "needs", "topology"];

/// Reads a case with what is given to it from outside. Every mistake goes to `out`; the case is given as far as it could
/// be read. Its lab file, and what parameters make of texts, are added to `source`.
pub fn parse(source: &mut Source, given: &Given, out: &mut Diagnostics) -> Option<Case> {
    let own = source.clone();
    let tree = syntax::parse(&own, out)?;
    let span = tree.span();
    let toml::de::DeValue::Table(table) = tree.into_inner() else { return None };
    let mut parameters = Parameters::read(&table, &own, given, out);
    let text = Arc::clone(&own.text);
    let table = Expander { source, parameters: &mut parameters, out, text: &text, place: expand::own }.file(table);
    let (titled, has_lab) = (table.contains_key("title"), table.contains_key("topology"));
    let mut case = Case::decode(&toml::Spanned::new(span, toml::de::DeValue::Table(table)), out)?;
    // A title that stands below a table was complained about there.
    if !titled && !out.iter().any(|diagnostic| diagnostic.message == "unknown key `title`") {
        out.push(
            Diagnostic::error(Span::default(), "this case has no `title`")
                .label("`title = \"one sentence that says what the case proves\"` comes first"),
        );
    }
    if has_lab {
        // Without its lab file nothing is known of the nodes that the case speaks of.
        let lab = lab::read(case.topology.as_ref()?, source, given, &mut parameters, out)?;
        lab::join(&mut case, lab, out);
    }
    parameters.warn_of_unused(out);
    Some(case)
}

/// The JSON Schema of a case file (draft 2020-12).
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Case).to_value();
    schema::let_parameters_in(&mut schema);
    schema
}

/// A number as written, without its place.
impl<const MIN: u32, const MAX: u32> Number<MIN, MAX> {
    /// The number as a 16-bit one; the limits of the field make it fit.
    pub fn u16(self) -> u16 {
        u16::try_from(self.0).unwrap_or(u16::MAX)
    }
}
