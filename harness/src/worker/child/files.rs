//! The files that a case brings, read while the worker is still who has started it: a script may lie where the programs
//! of a case see nothing, or where only its owner may read.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::case::LARGEST_FILE;
use crate::plan::{Action, NodeId, Plan, RulesText};
use crate::service::cage::{Part, Placed, Placing};
use crate::worker::message::Broken;

/// How much a case may place altogether.
const MOST: usize = 32 * LARGEST_FILE;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Files that programs find where they lie.
    pub(super) own: Vec<Placed>,
    /// What the programs of one node find elsewhere.
    pub(super) placings: Vec<(NodeId, Placing)>,
}

impl Files {
    /// Reads the files that a plan names. A script or a file of rules that is not there any more is missed where it is
    /// used.
    pub(super) fn read(plan: &Plan) -> Result<Self, Broken> {
        let Some(folder) = &plan.folder else { return Ok(Self::default()) };
        let scripts = plan.setup.iter().map(|script| script.path.as_str());
        let later = plan.steps.iter().flat_map(|step| &step.actions).filter_map(|operation| match &operation.action {
            Action::LoadRules(rules) => Some(&**rules),
            _ => None,
        });
        let rules = plan.rules.iter().chain(later).filter_map(|rules| match &rules.text {
            RulesText::File(path) => Some(path.as_str()),
            RulesText::Inline(_) => None,
        });
        let mut left = MOST;
        let mut files =
            Self { own: scripts.chain(rules).filter_map(|path| own(folder, path)).collect(), ..Self::default() };
        for placing in &plan.files {
            let mut parts = Vec::new();
            collect(&folder.join(&placing.source), Path::new(""), &mut parts, &mut left)
                .map_err(|error| Broken::new(format!("cannot read `{}`: {error}", placing.source)).at(placing.span))?;
            files.placings.push((placing.node, Placing { at: PathBuf::from(&placing.at), parts }));
        }
        Ok(files)
    }

    /// The text of a file as the programs of a node see it at a path, where the case has brought it.
    pub(super) fn text(&self, node: NodeId, path: &Path) -> Option<String> {
        let own = self.own.iter().find(|file| file.path == path || Path::new(&file.written) == path);
        if let Some(file) = own {
            return Some(String::from_utf8_lossy(&file.bytes).into_owned());
        }
        self.placings.iter().filter(|(whose, _)| *whose == node).find_map(|(_, placing)| {
            let below = path.strip_prefix(&placing.at).ok()?;
            placing.parts.iter().find_map(|(part, kind)| match kind {
                Part::File(bytes, _) if part == below => Some(String::from_utf8_lossy(bytes).into_owned()),
                _ => None,
            })
        })
    }
}

fn own(folder: &Path, written: &str) -> Option<Placed> {
    let path = folder.join(written).canonicalize().ok()?;
    let mode = fs::metadata(&path).ok()?.permissions().mode();
    let mut bytes = Vec::new();
    File::open(&path).ok()?.take(LARGEST_FILE as u64).read_to_end(&mut bytes).ok()?;
    Some(Placed { written: written.to_owned(), path, bytes, mode })
}

/// Reads a file, or a folder with everything in it.
fn collect(source: &Path, path: &Path, parts: &mut Vec<(PathBuf, Part)>, left: &mut usize) -> io::Result<()> {
    // The case may name a link; links further in stay what they are.
    let metadata = if path == Path::new("") { source.metadata()? } else { source.symlink_metadata()? };
    let part = if metadata.is_symlink() {
        Part::Link(fs::read_link(source)?)
    } else if metadata.is_dir() {
        Part::Folder
    } else if metadata.is_file() {
        let mut bytes = Vec::new();
        File::open(source)?.take(*left as u64 + 1).read_to_end(&mut bytes)?;
        *left = left.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("it is larger than 32 MiB"))?;
        Part::File(bytes, metadata.permissions().mode())
    } else {
        return Ok(());
    };
    parts.push((path.to_owned(), part));
    if metadata.is_dir() {
        let mut entries = fs::read_dir(source)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            *left = left.checked_sub(1024).ok_or_else(|| io::Error::other("it has too many files"))?;
            collect(&entry.path(), &path.join(entry.file_name()), parts, left)?;
        }
    }
    Ok(())
}
