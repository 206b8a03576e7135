//! How often a port is answered.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use weir_model::PortKey;

/// Ports of one switch of which it is remembered how often they asked lately.
const PORTS_MAX: usize = 4096;

/// The time that one answer costs, in which it becomes free again.
const COST: Duration = Duration::from_millis(100);

/// Answers of services at once.
const SERVICES: u32 = 50;

/// ICMP errors at once.
const ERRORS: u32 = 20;

/// How often the ports of one switch are answered: a token bucket for each, of services and of errors apart.
///
/// A bucket is the instant at which it is full again; one that is full needs no memory.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    full_at: HashMap<(PortKey, bool), Instant>,
}

impl Limiter {
    /// Whether a port may be answered now, which is counted.
    pub(super) fn admit(&mut self, now: Instant, port: PortKey, error: bool) -> bool {
        let burst = if error { ERRORS } else { SERVICES };
        let key = (port, error);
        if !self.full_at.contains_key(&key) && self.full_at.len() >= PORTS_MAX {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= PORTS_MAX {
                return false;
            }
        }
        let full_at = self.full_at.entry(key).or_insert(now);
        let then = (*full_at).max(now) + COST;
        let room = then <= now + COST * burst;
        if room {
            *full_at = then;
        }
        room
    }

    /// Counts an answer that was admitted once more for each of its frames but the first, on credit if need be.
    pub(super) fn charge(&mut self, port: PortKey, error: bool, frames: usize) {
        let more = u32::try_from(frames.saturating_sub(1)).unwrap_or(u32::MAX);
        if let Some(full_at) = self.full_at.get_mut(&(port, error)) {
            *full_at += COST.saturating_mul(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: PortKey = PortKey(1);

    fn admitted(limiter: &mut Limiter, now: Instant, port: PortKey, error: bool) -> usize {
        (0..100).filter(|_| limiter.admit(now, port, error)).count()
    }

    #[test]
    fn a_port_has_a_burst_and_then_ten_a_second() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        assert_eq!(admitted(&mut limiter, start, PORT, false), 50);
        assert_eq!(admitted(&mut limiter, start, PORT, true), 20);
        assert_eq!(admitted(&mut limiter, start, PortKey(2), true), 20);
        let later = start + Duration::from_secs(1);
        assert_eq!(admitted(&mut limiter, later, PORT, false), 10);
        assert_eq!(admitted(&mut limiter, later, PORT, true), 10);
        let much_later = start + Duration::from_secs(60);
        assert_eq!(admitted(&mut limiter, much_later, PORT, false), 50);
    }

    #[test]
    fn each_frame_of_an_answer_costs() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let answers = (0..100).filter(|_| {
            let admitted = limiter.admit(start, PORT, false);
            if admitted {
                limiter.charge(PORT, false, 8);
            }
            admitted
        });
        assert_eq!(answers.count(), 7);
        // The last answer was on credit.
        assert_eq!(admitted(&mut limiter, start + COST * 6, PORT, false), 0);
        assert_eq!(admitted(&mut limiter, start + COST * 7, PORT, false), 1);
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let ports = (0..10_000).filter(|port| limiter.admit(start, PortKey(*port), false)).count();
        assert_eq!((ports, limiter.full_at.len()), (PORTS_MAX, PORTS_MAX));
        assert!(limiter.admit(start + COST, PortKey(20_000), false));
        assert_eq!(limiter.full_at.len(), 1);
    }
}
