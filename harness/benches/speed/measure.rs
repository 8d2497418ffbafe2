//! Whole processes against the clock.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A measurement, or why there is none.
pub(crate) type Measured<T> = Result<T, String>;

/// For the namespaces of the run before to die.
const PAUSE: Duration = Duration::from_millis(300);

/// A run of netcase in which so many expectations must pass.
pub(crate) fn netcase(case: &Path, passed: usize) -> Measured<Duration> {
    let begin = Instant::now();
    let output = command(case).output().map_err(|error| format!("netcase cannot be started: {error}"))?;
    let time = begin.elapsed();
    check(case, passed, &output)?;
    Ok(time)
}

/// A run of all cases of the project; what this machine lacks may be skipped.
pub(crate) fn suite() -> Measured<Duration> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcase"));
    command.args(["run", "--junit", "/dev/null"]).arg(cases).stdin(Stdio::null());
    let begin = Instant::now();
    let output = command.output().map_err(|error| format!("netcase cannot be started: {error}"))?;
    let time = begin.elapsed();
    let stdout = String::from_utf8_lossy(&output.stdout);
    if output.status.success() { Ok(time) } else { Err(format!("not all of cases/ passed:\n{stdout}")) }
}

/// The command line of a run; its report goes beside the case.
pub(crate) fn command(case: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcase"));
    command.arg("run").arg("--junit").arg(case.with_extension("xml")).arg(case).stdin(Stdio::null());
    command
}

/// A run with these options, of which so many expectations must fail and none may pass.
pub(crate) fn failing(case: &Path, options: &[&str], failed: usize) -> Measured<Duration> {
    let mut command = command(case);
    command.args(options);
    let begin = Instant::now();
    let output = command.output().map_err(|error| format!("netcase cannot be started: {error}"))?;
    let time = begin.elapsed();
    let stdout = String::from_utf8_lossy(&output.stdout);
    // What was to be explained and is not took no time.
    let explained = options.contains(&"never") || stdout.contains("= cause: ");
    if explained && stdout.contains(&format!(" 0 passed, {failed} failed, 0 errors, 0 skipped")) {
        return Ok(time);
    }
    Err(format!("{} should have {failed} explained failures:\n{stdout}", case.display()))
}

/// A run with these options in which so many expectations must pass.
pub(crate) fn passing(case: &Path, options: &[&str], passed: usize) -> Measured<Duration> {
    let mut command = command(case);
    command.args(options);
    let begin = Instant::now();
    let output = command.output().map_err(|error| format!("netcase cannot be started: {error}"))?;
    let time = begin.elapsed();
    check(case, passed, &output)?;
    Ok(time)
}

/// A fast answer that is wrong is no answer.
fn check(case: &Path, passed: usize, output: &Output) -> Measured<()> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && stdout.contains(&format!(" {passed} passed, 0 failed, 0 errors, 0 skipped")) {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} should have {passed} passed, but {}\n{stdout}{stderr}", case.display(), output.status))
}

/// A run of this program in another role.
pub(crate) fn itself(arguments: &[&str]) -> Measured<Duration> {
    let program = std::env::current_exe().map_err(|error| format!("this program is not to be found: {error}"))?;
    let begin = Instant::now();
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("no start: {error}"))?;
    let time = begin.elapsed();
    if output.status.success() {
        Ok(time)
    } else {
        Err(format!("{}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
    }
}

/// Several runs, the first of which only warms up.
pub(crate) fn repeat(runs: usize, mut run: impl FnMut() -> Measured<Duration>) -> Measured<Vec<Duration>> {
    run()?;
    let paused = |run: &mut dyn FnMut() -> Measured<Duration>| {
        thread::sleep(PAUSE);
        run()
    };
    (0..runs).map(|_| paused(&mut run)).collect()
}

/// The medians of two that take turns.
pub(crate) fn alternate(
    runs: usize,
    mut one: impl FnMut() -> Measured<Duration>,
    mut other: impl FnMut() -> Measured<Duration>,
) -> Measured<(Duration, Duration)> {
    let mut others = Vec::new();
    let ones = repeat(runs, || {
        let time = one()?;
        thread::sleep(PAUSE);
        others.push(other()?);
        Ok(time)
    })?;
    // The first was for warming up.
    others.remove(0);
    Ok((median(ones), median(others)))
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
