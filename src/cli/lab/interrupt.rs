//! Ctrl-C and termination signals, seen by blocking code.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::LabError;

/// Tells whether the user asked to stop. Work between two [`Interrupt::check`]s is never cut in the middle, so that
/// whoever gets [`LabError::Interrupted`] knows what is there to clean up.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// One that is never raised.
    pub fn never() -> Self {
        Self::default()
    }

    /// One that SIGINT, SIGTERM and SIGHUP raise from now on, instead of ending the process.
    pub fn on_signals() -> Result<Self, LabError> {
        let failed = |source| LabError::Io { what: "watch for signals".to_owned(), source };
        let interrupt = Self::default();
        let raised = interrupt.clone();
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let watched = (|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
                let _entered = runtime.enter();
                let signals =
                    (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
                io::Result::Ok((runtime, signals))
            })();
            match watched {
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
                Ok((runtime, (mut int, mut term, mut hup))) => {
                    let _ = ready.send(Ok(()));
                    runtime.block_on(async {
                        loop {
                            tokio::select! { _ = int.recv() => {}, _ = term.recv() => {}, _ = hup.recv() => {} }
                            raised.0.store(true, Ordering::Relaxed);
                        }
                    });
                }
            }
        });
        is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the watching thread ended"))).map_err(failed)?;
        Ok(interrupt)
    }

    /// Whether it was raised.
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error once it was raised.
    pub fn check(&self) -> Result<(), LabError> {
        if self.raised() { Err(LabError::Interrupted) } else { Ok(()) }
    }
}
