//! Answers that netlink-proto cannot decode: it drops them and says so only in its log, so the log is listened to.

use std::sync::{Mutex, Once, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

static WATCHED: Once = Once::new();
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Ear;

impl Log for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Error
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) && record.target().starts_with("netlink_proto") {
            HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Starts to listen. In a process that has a logger of its own this does nothing, and [`since`] hears nothing; the
/// worker, where labs are built, has none.
pub(super) fn watch() {
    WATCHED.call_once(|| {
        if log::set_logger(&Ear).is_ok() {
            log::set_max_level(LevelFilter::Error);
        }
    });
}

/// How many were heard so far.
pub(super) fn count() -> usize {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// The first one heard after `count`.
pub(super) fn since(count: usize) -> Option<String> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner).get(count).cloned()
}
