//! Who runs a command, and where it is written.

use std::path::Path;

use super::programs::Whose;
use super::source::Spot;
use crate::plan::NodeId;

/// Who runs something, and where it is written.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) node: NodeId,
    pub(super) whose: Whose,
    pub(super) spot: Spot,
    /// Whether it has run for certain.
    pub(super) ran: bool,
    /// The folder it is in, from the case's; `None` where that is not known.
    pub(super) folder: Option<String>,
}

impl Origin {
    /// A path from the case's folder.
    pub(super) fn path(&self, path: &str) -> Option<String> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("{}{path}", self.folder.as_ref()?) };
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        let plain = parts.collect::<Vec<_>>().join("/");
        Some(if path.starts_with('/') { format!("/{plain}") } else { plain })
    }

    /// The same in another folder.
    pub(super) fn gone(&self, to: &str) -> Self {
        let folder = self.path(to).map(|folder| if folder.is_empty() { folder } else { format!("{folder}/") });
        Self { folder, ..self.clone() }
    }
}

/// Where what a script runs is, that runs somewhere itself.
pub(super) fn within(outer: &Whose, inner: Whose) -> Whose {
    match inner {
        Whose::Own => outer.clone(),
        inner => inner,
    }
}

/// The folder of a file.
pub(super) fn folder(path: &str) -> String {
    let parent = Path::new(path).parent().map(|parent| parent.display().to_string());
    parent.filter(|parent| !parent.is_empty()).unwrap_or_else(|| ".".to_owned())
}
