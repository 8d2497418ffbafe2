//! What is left of a case for those who look closer: a folder with all that is known of it.

mod content;
mod files;
mod folder;
pub mod pcapng;
mod tables;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::explain::visible;
use super::{CaseReport, Event, Listener, TestReport, Worst};
use files::Draft;

/// For which cases a bundle is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// For none; those of earlier runs stay.
    Nothing,
    /// For those that fail; one that passes removes its own of an earlier run.
    Failed,
    /// For all that ran.
    Everything,
}

/// Writes a bundle for a case that has ended, and tells the other reports where it is. The evidence goes no further:
/// it is large, and reports wait for the end of the run.
pub struct Bundles<'a, 'b> {
    reports: PathBuf,
    keep: Keep,
    others: &'a mut [&'b mut dyn Listener],
    failure: Option<String>,
}

impl<'a, 'b> Bundles<'a, 'b> {
    /// Bundles below this folder; `others` hear every event after the bundle is there.
    pub fn new(reports: impl Into<PathBuf>, keep: Keep, others: &'a mut [&'b mut dyn Listener]) -> Self {
        Self { reports: reports.into(), keep, others, failure: None }
    }

    /// Why the first of those that could not be written could not.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn case_finished(&mut self, report: &CaseReport) -> CaseReport {
        let mut told = report.clone();
        for test in &mut told.tests {
            if let Some(explained) = &mut test.explained {
                explained.evidence = Arc::default();
                explained.probed = None;
            }
        }
        let ran = report.plan.is_some();
        let write = match self.keep {
            Keep::Nothing => return told,
            Keep::Failed => ran && matches!(report.worst(), Worst::Fail | Worst::Error),
            Keep::Everything => ran && report.worst() != Worst::Skip,
        };
        // A bundle of this very name is no folder of cases.
        let is_folder = |path: &Path| path.is_dir() && !files::is_bundle(path);
        let place = self.reports.join(folder::of(report, is_folder));
        let done = if write {
            self.write(report, &place, &mut told)
        } else if ran && report.worst() == Worst::Pass {
            files::discard(&place)
        } else {
            Ok(())
        };
        if let Err(error) = done {
            let message = format!("cannot write the bundle {}: {error}", place.display());
            self.failure.get_or_insert(message);
        }
        told
    }

    fn write(&self, report: &CaseReport, place: &Path, told: &mut CaseReport) -> io::Result<()> {
        let draft = Draft::begin(place)?;
        let attachments = content::write(report, &draft)?;
        draft.finish()?;
        told.bundle = Some(format!("{}/", place.display()));
        for (test, paths) in told.tests.iter_mut().zip(attachments) {
            test.attachments = paths.iter().map(|path| place.join(path).display().to_string()).collect();
        }
        Ok(())
    }
}

impl Listener for Bundles<'_, '_> {
    fn on_event(&mut self, event: &Event) {
        let told = match event {
            Event::CaseFinished { index, report } => {
                Event::CaseFinished { index: *index, report: Arc::new(self.case_finished(report)) }
            }
            Event::RunStarted { .. } | Event::CaseStarted { .. } | Event::RunFinished { .. } => event.clone(),
        };
        for listener in &mut *self.others {
            listener.on_event(&told);
        }
    }
}

/// Whether a test has something to link to.
fn is_explained(test: &TestReport) -> bool {
    test.explained.is_some()
}

/// What somebody else has printed, with what is no letter made visible.
fn plain(text: &str) -> String {
    let picture = |c: char| match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        other => other,
    };
    visible(&text.chars().map(picture).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_seen() {
        assert_eq!(plain("a\tb\n\x1b[31m\0\x7f\u{9b}"), "a\tb\n␛[31m␀␡\u{fffd}");
    }
}
