//! Cases in parallel: job threads run them, one thread tells the listeners.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::load::{CASE_TEST, Loaded, load, problem_report};
use super::select::{CaseFile, Problem, Selection, Set, select};
use super::{Interrupt, RunOptions};
use crate::report::{CaseReport, Event, LeftOut, Listener, Status, Summary, TestReport};
use crate::verdict::Finding;

/// Runs what is selected, tells every listener, and counts. Blocks until all cases have ended, or the run was
/// interrupted; the listeners are called from this thread.
pub fn run(options: &RunOptions, listeners: &mut [&mut dyn Listener]) -> Summary {
    let begin = Instant::now();
    let selection = selected(&options.paths, &options.directory, &options.set, &options.filters, &options.tags);
    let summary = Summary { left_out: selection.left_out.clone(), ..Summary::default() };
    let work = work(selection);
    let mut telling = Telling { listeners, summary, ended: vec![false; work.len()] };
    telling.tell(&Event::RunStarted { cases: work.len() });
    let (send, receive) = mpsc::channel();
    if let Some(interrupt) = &options.interrupt {
        let send = send.clone();
        interrupt.subscribe(Box::new(move |signal| {
            // Nobody listens any more once the run has ended.
            let _ = send.send(Told::Interrupted(signal));
        }));
    }
    let jobs = options.jobs.get().min(work.len());
    let shared = Arc::new(Shared {
        work,
        next: AtomicUsize::new(0),
        crew: Crew::new(options.conduct.clone()),
        fail_fast: options.fail_fast,
        stopped_by: OnceLock::new(),
        interrupt: options.interrupt.clone(),
    });
    let threads = match start(&shared, jobs, &send) {
        Ok(threads) => {
            telling.listen(&shared, &receive);
            threads
        }
        Err(error) => {
            let broken = Status::Error(Finding::new(format!("cannot start a thread: {error}")));
            telling.end_all(&shared, &vec![None; shared.work.len()], &broken, &broken);
            Vec::new()
        }
    };
    if !telling.summary.interrupted {
        shared.crew.dismiss();
        for thread in threads {
            // A panic inside a case was caught there and is in its report.
            let _ = thread.join();
        }
    }
    telling.summary.elapsed = begin.elapsed();
    let summary = telling.summary.clone();
    telling.tell(&Event::RunFinished { summary: summary.clone() });
    summary
}

/// One piece of work: a case, or an argument that is wrong.
enum Work {
    Case(CaseFile),
    Problem(Problem),
}

fn work(selection: Selection) -> Vec<Work> {
    let problems = selection.problems.into_iter().map(Work::Problem);
    problems.chain(selection.cases.into_iter().map(Work::Case)).collect()
}

/// The cases that paths, filters and tags select, and the arguments that are wrong.
pub fn selected(paths: &[PathBuf], directory: &Path, set: &Set, filters: &[String], tags: &[String]) -> Selection {
    let mut selection = select(paths, directory, set);
    let mut left_out = LeftOut { cases: selection.cases.len(), tags: None };
    if !filters.is_empty() {
        selection.cases.retain(|file| filters.iter().any(|filter| file.name.contains(filter)));
    }
    if !tags.is_empty() && !selection.cases.is_empty() {
        let mut known = BTreeSet::new();
        left_out.cases = selection.cases.len();
        selection.cases.retain(|file| {
            let Some(has) = load(file).tags else { return true };
            let wanted = has.iter().any(|tag| tags.contains(tag));
            known.extend(has);
            wanted
        });
        left_out.tags = Some(known);
    }
    if selection.cases.is_empty() {
        selection.left_out = left_out;
    }
    selection
}

struct Shared {
    work: Vec<Work>,
    next: AtomicUsize,
    crew: Crew,
    fail_fast: bool,
    /// The first red case, under `fail_fast`.
    stopped_by: OnceLock<String>,
    interrupt: Option<Arc<Interrupt>>,
}

/// What job threads, and the interrupt, tell.
enum Told {
    Started(usize, Arc<Loaded>),
    Finished(usize, Box<CaseReport>),
    Interrupted(&'static str),
}

fn start(shared: &Arc<Shared>, jobs: usize, send: &Sender<Told>) -> io::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for job in 0..jobs {
        let (shared, send) = (Arc::clone(shared), send.clone());
        match thread::Builder::new().name(format!("job-{job}")).spawn(move || shared.job(&send)) {
            Ok(thread) => threads.push(thread),
            // The machine is out of threads: fewer cases run at the same time.
            Err(_) if !threads.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(threads)
}

impl Shared {
    fn job(&self, send: &Sender<Told>) {
        while self.interrupt.as_ref().is_none_or(|interrupt| interrupt.raised().is_none()) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(work) = self.work.get(index) else { break };
            let report = self.run(index, work, send);
            if self.fail_fast && report.is_red() {
                // Only the first is kept.
                let _ = self.stopped_by.set(report.name.clone());
            }
            if send.send(Told::Finished(index, Box::new(report))).is_err() {
                break;
            }
        }
        self.crew.budget.wait_until_closed();
    }

    fn run(&self, index: usize, work: &Work, send: &Sender<Told>) -> CaseReport {
        let file = match work {
            Work::Problem(problem) => return problem_report(problem),
            Work::Case(file) => file,
        };
        let loaded = Arc::new(load(file));
        if let Some(red) = self.stopped_by.get() {
            return loaded.all(&Status::Skip(format!("not run: --fail-fast after {red}")));
        }
        self.crew.run(&loaded, || {
            // The receiver is gone only when the run was interrupted.
            let _ = send.send(Told::Started(index, Arc::clone(&loaded)));
        })
    }
}

struct Telling<'a, 'b> {
    listeners: &'a mut [&'b mut dyn Listener],
    summary: Summary,
    ended: Vec<bool>,
}

impl Telling<'_, '_> {
    fn listen(&mut self, shared: &Shared, receive: &Receiver<Told>) {
        let mut running: Vec<Option<Arc<Loaded>>> = vec![None; self.ended.len()];
        while self.ended.contains(&false) {
            match receive.recv() {
                Ok(Told::Started(index, loaded)) => {
                    self.tell(&Event::CaseStarted { index, name: loaded.file.name.clone() });
                    running[index] = Some(loaded);
                }
                Ok(Told::Finished(index, report)) => self.finish(index, *report),
                Ok(Told::Interrupted(signal)) => return self.interrupted(signal, shared, &running),
                Err(mpsc::RecvError) => return,
            }
        }
    }

    fn finish(&mut self, index: usize, report: CaseReport) {
        self.ended[index] = true;
        self.summary.add(&report);
        self.tell(&Event::CaseFinished { index, report: Arc::new(report) });
    }

    fn interrupted(&mut self, signal: &str, shared: &Shared, running: &[Option<Arc<Loaded>>]) {
        self.summary.interrupted = true;
        let ran = Status::Error(Finding::new(format!("interrupted by {signal} while it ran")));
        let not_run = Status::Skip(format!("not run: interrupted by {signal}"));
        self.end_all(shared, running, &ran, &not_run);
    }

    /// Ends what has not ended: what runs in one way, what has not begun in another.
    fn end_all(&mut self, shared: &Shared, running: &[Option<Arc<Loaded>>], ran: &Status, not_run: &Status) {
        for (index, work) in shared.work.iter().enumerate() {
            if self.ended[index] {
                continue;
            }
            let report = match (&running[index], work) {
                (Some(loaded), _) => loaded.all(ran),
                (None, Work::Problem(problem)) => problem_report(problem),
                (None, Work::Case(file)) => unread(file, not_run),
            };
            self.finish(index, report);
        }
    }

    fn tell(&mut self, event: &Event) {
        for listener in &mut *self.listeners {
            listener.on_event(event);
        }
    }
}

/// The report of a case that was not even read: after Ctrl-C that would take longer than a user waits.
fn unread(file: &CaseFile, status: &Status) -> CaseReport {
    CaseReport {
        name: file.name.clone(),
        path: file.shown.clone(),
        title: None,
        source: None,
        diagnostics: Vec::new(),
        tests: vec![TestReport::unprobed(CASE_TEST, None, status.clone())],
        printed: Vec::new(),
        plan: None,
        options: Vec::new(),
        bundle: None,
        elapsed: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests;
