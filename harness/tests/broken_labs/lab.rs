//! A broken lab: a case, the files beside it, and what its head says is wrong with it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::path::{Path, PathBuf};

use netcase::evidence::CauseKind;
use serde::Deserialize;

use super::edit;

/// A lab as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As the file stands.
    Plain,
    /// With other names.
    Renamed,
    /// With other addresses.
    Renumbered,
    /// With one more router.
    Routed,
}

impl Variant {
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Renamed, Self::Renumbered, Self::Routed];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Renamed => "renamed",
            Self::Renumbered => "renumbered",
            Self::Routed => "routed",
        }
    }
}

/// A text, or several.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Any(Vec<String>),
}

impl Texts {
    fn list(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Any(texts) => texts.clone(),
        }
    }
}

/// The lines to blame: of one cause, or of each of two.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Lines {
    Of(Texts),
    OfEach(Vec<Texts>),
}

/// One cause, or two.
#[derive(Deserialize)]
#[serde(untagged)]
enum Causes {
    One(CauseKind),
    Several(Vec<CauseKind>),
}

/// The head as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    cause: Causes,
    line: Lines,
    says: Vec<String>,
    #[serde(rename = "line+")]
    routed_line: Option<Lines>,
    #[serde(rename = "says+")]
    routed_says: Option<Vec<String>>,
    mend: Vec<(String, String)>,
    rename: BTreeMap<String, String>,
    renumber: BTreeMap<String, String>,
    #[serde(default = "yes")]
    router: bool,
}

fn yes() -> bool {
    true
}

/// What the head of a lab says.
pub(crate) struct Head {
    pub(crate) causes: Vec<CauseKind>,
    /// Old texts and new ones that mend it; of two faults one for each.
    pub(crate) mend: Vec<(String, String)>,
    written: Written,
}

/// What is to be said of a variant.
pub(crate) struct Truth {
    /// Words of the sentences.
    pub(crate) says: Vec<String>,
    /// For each cause what stands in the line to blame: any of these.
    pub(crate) lines: Vec<Vec<String>>,
    /// Those words that are names of nodes and interfaces.
    pub(crate) names: Vec<String>,
}

/// A lab.
pub(crate) struct Lab {
    pub(crate) name: String,
    pub(crate) head: Head,
    /// The case first, then what lies beside it: each with its name and whether it can be executed.
    files: Vec<(String, Permissions, String)>,
}

impl Lab {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if file.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.')) {
                let text = fs::read_to_string(entry.path()).map_err(|error| format!("{file}: {error}"))?;
                let permissions = entry.metadata().map_err(|error| error.to_string())?.permissions();
                files.push((file, permissions, text));
            }
        }
        let case = format!("{name}.toml");
        files.sort_by_key(|(file, _, _)| (*file != case, file.clone()));
        let (head, body): (Vec<&str>, Vec<&str>) = files[0].2.lines().partition(|line| line.starts_with("#!"));
        let head = Head::parse(&head.iter().map(|line| format!("{}\n", &line[2..])).collect::<String>())?;
        files[0].2 = body.iter().map(|line| format!("{line}\n")).collect();
        Ok(Self { name, head, files })
    }

    /// The case as it stands, without its head.
    pub(crate) fn case(&self) -> &str {
        &self.files[0].2
    }

    pub(crate) fn has(&self, variant: Variant) -> bool {
        variant != Variant::Routed || self.head.written.router
    }

    fn edited(&self, text: &str, variant: Variant) -> String {
        match variant {
            Variant::Plain => text.to_owned(),
            Variant::Renamed => edit::words(text, &self.head.written.rename),
            Variant::Renumbered => edit::parts(text, &self.head.written.renumber),
            Variant::Routed => edit::with_router(text),
        }
    }

    /// What is to be said of this variant.
    pub(crate) fn truth(&self, variant: Variant) -> Truth {
        let written = &self.head.written;
        let routed = variant == Variant::Routed;
        let says = written.routed_says.as_ref().filter(|_| routed).unwrap_or(&written.says);
        let lines = written.routed_line.as_ref().filter(|_| routed).unwrap_or(&written.line);
        let lines = match lines {
            Lines::Of(texts) if self.head.causes.len() == 1 => vec![texts.list()],
            Lines::Of(texts) => texts.list().into_iter().map(|text| vec![text]).collect(),
            Lines::OfEach(each) => each.iter().map(Texts::list).collect(),
        };
        // A router is put in between the lines of a file; a single text has none.
        let changed = |text: &String| if routed { text.clone() } else { self.edited(text, variant) };
        Truth {
            says: says.iter().map(changed).collect(),
            lines: lines.iter().map(|any| any.iter().map(changed).collect()).collect(),
            names: written.rename.keys().map(changed).collect(),
        }
    }

    /// Writes this variant, with some of what is broken mended, into a folder of its own.
    pub(crate) fn stage(&self, variant: Variant, mended: &[usize]) -> Result<PathBuf, String> {
        let mut texts: Vec<String> = self.files.iter().map(|(_, _, text)| self.edited(text, variant)).collect();
        for mend in mended {
            let (old, new) = &self.head.mend[*mend];
            let found: usize = texts.iter().map(|text| text.matches(old.as_str()).count()).sum();
            if found != 1 {
                return Err(format!("what is mended must stand there once, not {found} times: {old}"));
            }
            for text in &mut texts {
                *text = text.replace(old.as_str(), new);
            }
        }
        let mended: String = mended.iter().map(|mend| format!("-{mend}")).collect();
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken-labs");
        let place = place.join(format!("{}-{}{mended}", self.name, variant.word()));
        self.write(&place, &texts).map_err(|error| format!("no place to run it in: {error}"))?;
        Ok(place)
    }

    fn write(&self, place: &Path, texts: &[String]) -> std::io::Result<()> {
        if place.exists() {
            fs::remove_dir_all(place)?;
        }
        fs::create_dir_all(place)?;
        for ((file, permissions, _), text) in self.files.iter().zip(texts) {
            fs::write(place.join(file), text)?;
            fs::set_permissions(place.join(file), permissions.clone())?;
        }
        Ok(())
    }

    /// What is wrong with the file itself.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let written = &self.head.written;
        for variant in Variant::ALL {
            let changed = self.files.iter().any(|(_, _, text)| self.edited(text, variant) != *text);
            if changed != (variant != Variant::Plain && self.has(variant)) {
                faults.push(format!("{}: {} should change it, or not be there", self.name, variant.word()));
            }
            if self.truth(variant).lines.len() != self.head.causes.len() {
                faults.push(format!("{}: each cause has its line", self.name));
            }
            for line in self.truth(variant).lines.iter().flatten().filter(|_| self.has(variant)) {
                if !self.files.iter().any(|(_, _, text)| self.edited(text, variant).lines().any(|at| at.contains(line)))
                {
                    faults.push(format!("{}, {}: no line has `{line}`", self.name, variant.word()));
                }
            }
        }
        let names = names(&edit::with_router(self.case()));
        let kept = names.iter().filter(|name| !written.rename.contains_key(*name));
        faults.extend(kept.map(|name| format!("{}: {name} is not renamed", self.name)));
        faults
    }
}

impl Head {
    fn parse(text: &str) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        let causes = match &written.cause {
            Causes::One(cause) => vec![*cause],
            Causes::Several(causes) => causes.clone(),
        };
        Ok(Self { causes, mend: written.mend.clone(), written })
    }
}

/// The names of all nodes and networks of a case, and of all interfaces that are declared in one; all have `lo`.
fn names(text: &str) -> Vec<String> {
    let case: toml::Table = toml::from_str(text).unwrap_or_default();
    let table = |value: Option<&toml::Value>| value.and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let nodes = table(case.get("nodes"));
    let interfaces = nodes.values().flat_map(|node| table(node.get("interfaces")));
    let mut names: Vec<String> = interfaces.map(|(name, _)| name).filter(|name| name != "lo").collect();
    names.extend(nodes.keys().chain(table(case.get("networks")).keys()).cloned());
    names
}
