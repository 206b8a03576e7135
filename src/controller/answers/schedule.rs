//! When the ports of a switch are told something.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use weir_model::PortKey;

/// The time between two ports: a switch with many is told over a while, not at once.
pub(super) const PACE: Duration = Duration::from_millis(10);

/// Ports by when they are due, told one at a time.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    due: BTreeSet<(Instant, PortKey)>,
    free_at: Option<Instant>,
}

impl Schedule {
    pub(super) fn insert(&mut self, due: Instant, key: PortKey) {
        self.due.insert((due, key));
    }

    pub(super) fn remove(&mut self, due: Instant, key: PortKey) {
        self.due.remove(&(due, key));
    }

    /// Takes out the port that is to be told something now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<PortKey> {
        if self.free_at.is_some_and(|free_at| free_at > now) {
            return None;
        }
        let (due, key) = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(due, key));
        self.free_at = Some(now + PACE);
        Some(key)
    }

    /// When [`poll`](Self::poll) has a port.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (due, _) = self.due.first()?;
        Some(self.free_at.map_or(*due, |free_at| free_at.max(*due)))
    }
}
