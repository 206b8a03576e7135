//! How many questions were answered, and why others were not.

use crate::api::AnswerReport;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use weir_answer::{Question, Silence};
use weir_model::{HostName, Topology};

const SILENCES: usize = Silence::ALL.len();

/// The counters of all hypervisors.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of switches that are of no known hypervisor.
    strangers: Arc<Counters>,
    /// Kept over reconnections.
    hosts: Mutex<BTreeMap<HostName, Arc<Counters>>>,
}

impl Tally {
    pub(super) fn strangers(&self) -> Arc<Counters> {
        Arc::clone(&self.strangers)
    }

    /// The counters of a hypervisor. With a new one, those of hypervisors that have been forgotten go.
    pub(super) fn of(&self, host: &HostName, topology: &Topology) -> Arc<Counters> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = hosts.get(host) {
            return Arc::clone(counters);
        }
        hosts.retain(|name, _| topology.hypervisor(name).is_some());
        Arc::clone(hosts.entry(host.clone()).or_default())
    }

    pub(super) fn counts_of(&self, host: &HostName) -> AnswerCounts {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).map(|counters| counters.counts()).unwrap_or_default()
    }

    pub(super) fn total(&self) -> AnswerCounts {
        let mut total = self.strangers.counts();
        for counters in self.hosts.lock().unwrap_or_else(PoisonError::into_inner).values() {
            total += counters.counts();
        }
        total
    }
}

/// Counted on the task of a connection, and read by others.
#[derive(Debug, Default)]
pub(super) struct Counters {
    answered: [AtomicU64; Question::KINDS],
    silent: [AtomicU64; SILENCES],
    advertised: AtomicU64,
    announced: AtomicU64,
    limited: AtomicU64,
    dropped: AtomicU64,
    foreign: AtomicU64,
    unreadable: AtomicU64,
}

/// How many questions were answered, and why others were not, since the controller started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerCounts {
    /// Answered, by [`Question::kind`].
    pub answered: [u64; Question::KINDS],
    /// Not answered for a reason, by its number.
    pub silent: [u64; SILENCES],
    /// Router advertisements that nobody asked for.
    pub advertised: u64,
    /// Announcements of where routers are.
    pub announced: u64,
    /// Not answered, because the port asks too often.
    pub limited: u64,
    /// Answered, but lost because the switch was behind.
    pub dropped: u64,
    /// Asked by a switch that the port is not bound to.
    pub foreign: u64,
    /// Packets that ask nothing that the pipeline asks.
    pub unreadable: u64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Counters {
    pub(super) fn answered(&self, question: Question) {
        count(&self.answered[question.kind()]);
    }

    pub(super) fn silent(&self, silence: Silence) {
        count(&self.silent[silence as usize]);
    }

    pub(super) fn advertised(&self, frames: usize) {
        self.advertised.fetch_add(frames as u64, Ordering::Relaxed);
    }

    pub(super) fn announced(&self, frames: usize) {
        self.announced.fetch_add(frames as u64, Ordering::Relaxed);
    }

    pub(super) fn limited(&self) {
        count(&self.limited);
    }

    pub(super) fn dropped(&self) {
        count(&self.dropped);
    }

    pub(super) fn foreign(&self) {
        count(&self.foreign);
    }

    pub(super) fn unreadable(&self) {
        count(&self.unreadable);
    }

    fn counts(&self) -> AnswerCounts {
        AnswerCounts {
            answered: std::array::from_fn(|kind| get(&self.answered[kind])),
            silent: std::array::from_fn(|silence| get(&self.silent[silence])),
            advertised: get(&self.advertised),
            announced: get(&self.announced),
            limited: get(&self.limited),
            dropped: get(&self.dropped),
            foreign: get(&self.foreign),
            unreadable: get(&self.unreadable),
        }
    }
}

impl AddAssign for AnswerCounts {
    fn add_assign(&mut self, other: Self) {
        let add = |ours: &mut [u64], theirs: &[u64]| {
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                *ours += theirs;
            }
        };
        add(&mut self.answered, &other.answered);
        add(&mut self.silent, &other.silent);
        self.advertised += other.advertised;
        self.announced += other.announced;
        self.limited += other.limited;
        self.dropped += other.dropped;
        self.foreign += other.foreign;
        self.unreadable += other.unreadable;
    }
}

impl AnswerCounts {
    fn by_kind(&self) -> impl Iterator<Item = (String, u64)> {
        self.answered.iter().enumerate().map(|(kind, count)| (Question::kind_name(kind).to_owned(), *count))
    }

    fn by_reason(&self) -> impl Iterator<Item = (String, u64)> {
        Silence::ALL.iter().map(|silence| (silence.to_string(), self.silent[*silence as usize]))
    }
}

impl From<AnswerCounts> for AnswerReport {
    fn from(counts: AnswerCounts) -> Self {
        Self {
            answered: counts.by_kind().filter(|(_, count)| *count > 0).collect(),
            silent: counts.by_reason().filter(|(_, count)| *count > 0).collect(),
            advertised: counts.advertised,
            announced: counts.announced,
            limited: counts.limited,
            dropped: counts.dropped,
            foreign: counts.foreign,
            unreadable: counts.unreadable,
        }
    }
}

impl fmt::Display for AnswerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = [
            ("advertised unasked", self.advertised),
            ("announced", self.announced),
            ("too often", self.limited),
            ("lost on a slow switch", self.dropped),
            ("of another host's ports", self.foreign),
            ("no question", self.unreadable),
        ];
        let all = self.by_kind().chain(self.by_reason()).chain(others.map(|(name, count)| (name.to_owned(), count)));
        let mut separator = "";
        for (name, count) in all.filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{name} {count}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_told() {
        let counters = Counters::default();
        counters.answered(Question::Dhcpv4);
        counters.answered(Question::Dhcpv4);
        counters.silent(Silence::Relayed);
        counters.limited();
        let text = counters.counts().to_string();
        assert_eq!(text, "dhcpv4 2, the message came by a relay agent 1, too often 1");
    }
}
