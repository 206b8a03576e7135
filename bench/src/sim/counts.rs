//! What switches were told, and when they acknowledged it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts of all switches together; they only grow.
#[derive(Debug)]
pub(crate) struct Counts {
    start: Instant,
    bytes: AtomicU64,
    messages: AtomicU64,
    flow_mods: AtomicU64,
    group_mods: AtomicU64,
    meter_mods: AtomicU64,
    commits: AtomicU64,
    reads: AtomicU64,
    inspections: AtomicU64,
    told_bytes: AtomicU64,
    refusals: AtomicU64,
    connections: AtomicU64,
    /// Microseconds since the start at which the last bundle was acknowledged.
    acknowledged: AtomicU64,
}

/// One moment's counts, or what came in between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes that the controller sent.
    pub(crate) bytes: u64,
    /// Messages that it sent.
    pub(crate) messages: u64,
    /// Flow-mods.
    pub(crate) flow_mods: u64,
    /// Group-mods.
    pub(crate) group_mods: u64,
    /// Meter-mods.
    pub(crate) meter_mods: u64,
    /// Bundles committed.
    pub(crate) commits: u64,
    /// Flow tables read back.
    pub(crate) reads: u64,
    /// Requests for the flows of one table: a look at a seal.
    pub(crate) inspections: u64,
    /// Bytes that switches sent.
    pub(crate) told_bytes: u64,
    /// Errors that switches sent.
    pub(crate) refusals: u64,
    /// Connections that switches made.
    pub(crate) connections: u64,
}

impl Counts {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            start: Instant::now(),
            bytes: zero(),
            messages: zero(),
            flow_mods: zero(),
            group_mods: zero(),
            meter_mods: zero(),
            commits: zero(),
            reads: zero(),
            inspections: zero(),
            told_bytes: zero(),
            refusals: zero(),
            connections: zero(),
            acknowledged: zero(),
        }
    }

    /// Adds what a switch counted.
    pub(crate) fn add(&self, tally: &Tally) {
        for (counter, count) in [
            (&self.bytes, tally.bytes),
            (&self.messages, tally.messages),
            (&self.flow_mods, tally.flow_mods),
            (&self.group_mods, tally.group_mods),
            (&self.meter_mods, tally.meter_mods),
            (&self.commits, tally.commits),
            (&self.reads, tally.reads),
            (&self.inspections, tally.inspections),
            (&self.told_bytes, tally.told_bytes),
            (&self.refusals, tally.refusals),
            (&self.connections, tally.connections),
        ] {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
        if tally.commits > 0 {
            let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.acknowledged.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// The counts now.
    pub(crate) fn now(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            bytes: read(&self.bytes),
            messages: read(&self.messages),
            flow_mods: read(&self.flow_mods),
            group_mods: read(&self.group_mods),
            meter_mods: read(&self.meter_mods),
            commits: read(&self.commits),
            reads: read(&self.reads),
            inspections: read(&self.inspections),
            told_bytes: read(&self.told_bytes),
            refusals: read(&self.refusals),
            connections: read(&self.connections),
        }
    }

    /// When the last bundle was acknowledged.
    pub(crate) fn acknowledged(&self) -> Instant {
        self.start + Duration::from_micros(self.acknowledged.load(Ordering::Relaxed))
    }
}

impl Tally {
    /// What was added since an earlier moment.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            messages: self.messages - before.messages,
            flow_mods: self.flow_mods - before.flow_mods,
            group_mods: self.group_mods - before.group_mods,
            meter_mods: self.meter_mods - before.meter_mods,
            commits: self.commits - before.commits,
            reads: self.reads - before.reads,
            inspections: self.inspections - before.inspections,
            told_bytes: self.told_bytes - before.told_bytes,
            refusals: self.refusals - before.refusals,
            connections: self.connections - before.connections,
        }
    }
}
