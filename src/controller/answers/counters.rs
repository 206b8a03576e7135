//! How many questions were answered, and why others were not.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use weir_answer::{Question, Silence};

const SILENCES: usize = Silence::ALL.len();

/// Counted by all connections at once.
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

    pub(super) fn counts(&self) -> AnswerCounts {
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

impl fmt::Display for AnswerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answered = self.answered.iter().enumerate();
        let answered = answered.map(|(kind, count)| (Question::kind_name(kind).to_owned(), *count));
        let silent = Silence::ALL.iter().map(|silence| (silence.to_string(), self.silent[*silence as usize]));
        let others = [
            ("advertised unasked", self.advertised),
            ("announced", self.announced),
            ("too often", self.limited),
            ("lost on a slow switch", self.dropped),
            ("of another host's ports", self.foreign),
            ("no question", self.unreadable),
        ];
        let all = answered.chain(silent).chain(others.map(|(name, count)| (name.to_owned(), count)));
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
