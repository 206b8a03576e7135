//! What can end a measurement at any time: the user, or a hypervisor that dies.

use super::hypervisor::Hypervisor;
use std::cell::Cell;
use std::time::{Duration, Instant};
use weir::cli::lab::Interrupt;

use crate::Failure;

/// How often to look whether hypervisors have died, which takes a while for all of them.
const INTERVAL: Duration = Duration::from_millis(500);

/// Whoever keeps an eye on it.
#[derive(Debug)]
pub(crate) struct Watch {
    interrupt: Interrupt,
    looked: Cell<Instant>,
}

impl Watch {
    /// Begins.
    pub(crate) fn new(interrupt: Interrupt) -> Self {
        Self { interrupt, looked: Cell::new(Instant::now()) }
    }

    /// Tells whether the user asked to stop.
    pub(crate) const fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// An error if the user asked to stop, or one of these has died; the latter is seen with some delay.
    pub(crate) fn check(&self, hypervisors: &[Hypervisor]) -> Result<(), Failure> {
        self.interrupt.check()?;
        if self.looked.get().elapsed() > INTERVAL {
            hypervisors.iter().try_for_each(Hypervisor::check)?;
            self.looked.set(Instant::now());
        }
        Ok(())
    }
}
