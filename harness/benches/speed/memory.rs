//! Peak memory, as the kernel keeps it for a process that still lives (`VmHWM` of proc(5)).

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::measure::{Measured, command};

/// Kilobytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peaks {
    pub(crate) runner: u64,
    pub(crate) worker: u64,
}

/// The peaks of a run of one case. A peak only grows, so the last one seen before the end counts.
pub(crate) fn peaks(case: &Path) -> Measured<Peaks> {
    let mut run = command(case)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("netcase cannot be started: {error}"))?;
    let mut peaks = Peaks::default();
    loop {
        if let Some(status) = run.try_wait().map_err(|error| error.to_string())? {
            let seen = peaks.runner > 0 && peaks.worker > 0;
            return if status.success() && seen { Ok(peaks) } else { Err(format!("{}: {status}", case.display())) };
        }
        peaks.runner = peaks.runner.max(peak(run.id()).unwrap_or(0));
        for worker in children(run.id()) {
            peaks.worker = peaks.worker.max(peak(worker).unwrap_or(0));
        }
    }
}

fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The children of all threads of a process.
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
}
