//! Ctrl-C: the run ends early, and its reports are still written.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

type Wake = Box<dyn Fn(&'static str) + Send>;

/// Says that the run is to end now.
#[derive(Default)]
pub struct Interrupt {
    signal: OnceLock<&'static str>,
    wake: Mutex<Vec<Wake>>,
}

impl Interrupt {
    /// Raised by SIGINT and SIGTERM from now on. The second of them ends the process at once.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub fn on_signals() -> io::Result<Arc<Self>> {
        let interrupt = Arc::new(Self::default());
        let raised = Arc::clone(&interrupt);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut int, mut term) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async move {
                loop {
                    let name = tokio::select! {
                        _ = int.recv() => "SIGINT",
                        _ = term.recv() => "SIGTERM",
                    };
                    if raised.raised().is_some() {
                        std::process::exit(super::exit::ERROR.into());
                    }
                    raised.raise(name);
                }
            });
        })?;
        Ok(interrupt)
    }

    /// Ends the run; the name of the signal is told to the user.
    pub fn raise(&self, signal: &'static str) {
        // Under the lock, so that a listener that comes at this moment is called exactly once.
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        if self.signal.set(signal).is_ok() {
            wake.iter().for_each(|wake| wake(signal));
        }
    }

    /// The signal, once there was one.
    pub fn raised(&self) -> Option<&'static str> {
        self.signal.get().copied()
    }

    /// Calls `wake` when the signal comes, or at once when it has come.
    pub(super) fn subscribe(&self, wake: Wake) {
        let mut list = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        match self.raised() {
            Some(signal) => wake(signal),
            None => list.push(wake),
        }
    }
}
