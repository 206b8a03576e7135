//! Whether the peer is alive.

use std::time::{Duration, Instant};

/// Tells when a silent peer is to be probed, and when it is to be given up.
#[derive(Debug)]
pub(super) struct Liveness {
    heard: Instant,
    probed: Option<Instant>,
    idle: Duration,
    patience: Duration,
}

/// What the clock asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// Nothing yet.
    Well,
    /// Send an echo request.
    Probe,
    /// The peer is dead.
    Dead,
}

impl Liveness {
    pub(super) const fn new(now: Instant, idle: Duration, patience: Duration) -> Self {
        Self { heard: now, probed: None, idle, patience }
    }

    /// The peer sent something.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
        self.probed = None;
    }

    /// When the peer was last heard.
    pub(super) const fn last_heard(&self) -> Instant {
        self.heard
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Instant {
        match self.probed {
            None => self.heard + self.idle,
            Some(probed) => probed + self.patience,
        }
    }

    /// What is to be done now.
    pub(super) fn check(&mut self, now: Instant) -> Pulse {
        if now < self.deadline() {
            return Pulse::Well;
        }
        if self.probed.is_some() {
            return Pulse::Dead;
        }
        self.probed = Some(now);
        Pulse::Probe
    }
}
