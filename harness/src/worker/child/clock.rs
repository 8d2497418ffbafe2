//! Time in which the worker could listen.
//!
//! All nodes and services of a case share one thread. On a busy machine, or in a large case, an answer may lie in a
//! socket unread, or a service be still to read the question, when the time for it is up: a silence that is the
//! worker's own. So the time that the worker was late in looking is counted, and waits are that much longer.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, timeout_at};

/// How often the worker shows that it gets round to everything.
const TICK: Duration = Duration::from_millis(10);

/// How late that may be before it counts as lost.
const PUNCTUAL: Duration = Duration::from_millis(5);

/// Counts the time that the worker was late.
#[derive(Clone, Debug)]
pub(super) struct Clock(Rc<Counted>);

#[derive(Debug)]
struct Counted {
    lost: Cell<Duration>,
    ticked: Cell<Instant>,
}

/// A moment, and what was lost before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    at: Instant,
    lost: Duration,
}

/// A wait that gets longer by what is lost meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Window {
    clock: Clock,
    opened: Moment,
    length: Duration,
}

impl Clock {
    /// Starts to count, in the current local task set.
    pub(super) fn start() -> Self {
        let clock = Self(Rc::new(Counted { lost: Cell::default(), ticked: Cell::new(Instant::now()) }));
        let ticking = clock.clone();
        tokio::task::spawn_local(async move {
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                ticking.0.lost.set(ticking.lost());
                ticking.0.ticked.set(Instant::now());
            }
        });
        clock
    }

    /// What was lost so far, the present standstill included.
    fn lost(&self) -> Duration {
        self.0.lost.get() + self.0.ticked.get().elapsed().saturating_sub(TICK + PUNCTUAL)
    }

    /// This moment.
    pub(super) fn now(&self) -> Moment {
        Moment { at: Instant::now(), lost: self.lost() }
    }

    /// How much time there was since a moment in which the worker could listen.
    pub(super) fn since(&self, moment: Moment) -> Duration {
        moment.at.elapsed().saturating_sub(self.lost().saturating_sub(moment.lost))
    }

    /// A wait from now on.
    pub(super) fn window(&self, length: Duration) -> Window {
        Window { clock: self.clone(), opened: self.now(), length }
    }
}

impl Window {
    /// When it ends, as far as is known now.
    pub(super) fn until(&self) -> Instant {
        self.opened.at + self.length + self.clock.lost().saturating_sub(self.opened.lost)
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until()
    }

    /// Returns when it has ended.
    pub(super) async fn end(&self) {
        while !self.is_over() {
            let _ = timeout_at(self.until().into(), pending::<()>()).await;
        }
    }

    /// Makes it end so much later than now.
    pub(super) fn reopen(&mut self, length: Duration) {
        *self = self.clock.window(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps the thread from everything else, as a busy machine does.
    fn stand_still(time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn what_the_worker_was_late_is_added_to_its_waits() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let clock = Clock::start();
            let start = clock.now();
            let window = clock.window(Duration::from_millis(50));
            stand_still(Duration::from_millis(400));
            assert!(!window.is_over(), "the time of the standstill was no time to listen");
            assert!(clock.since(start) < Duration::from_millis(400));
            let lost = clock.lost();
            window.end().await;
            assert!(window.is_over());
            assert!(clock.lost() >= lost, "what was lost stays lost");
            assert!(start.at.elapsed() >= Duration::from_millis(430), "the window had its time behind the standstill");
        });
    }
}
