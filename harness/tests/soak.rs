//! The suite passes twenty times in a row while every core of the machine is kept busy by others.

#[path = "support/program.rs"]
mod program;

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use program::{Folder, told};

const ROUNDS: usize = 20;

/// The line of counts.
fn counts(text: &str) -> &str {
    text.lines().rfind(|line| line.contains(" passed, ")).unwrap_or_default()
}

#[test]
#[ignore = "takes minutes, and every core"]
fn the_suite_passes_on_a_busy_machine() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases");
    let folder = Folder::new("soak");
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let enough = AtomicBool::new(false);
    let mut faults = Vec::new();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    spin_loop();
                }
            });
        }
        for round in 0..ROUNDS {
            for options in [&[][..], &["--rootless"]] {
                let output = folder.run(options).arg(cases).output();
                let text = output.as_ref().map_or_else(ToString::to_string, told);
                eprintln!("round {round} {options:?}: {}", counts(&text));
                if !output.is_ok_and(|output| output.status.code() == Some(0)) {
                    faults.push(format!("round {round} {options:?}: {text}"));
                }
            }
        }
        enough.store(true, Ordering::Relaxed);
    });
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
