//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Exponential back-off between two bounds. The randomness comes from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits `first`, then twice as long after every failure, but never longer than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let longest = longest.max(first);
        Self { first, longest, next: first }
    }

    /// The wait after a failure. `jitter` spreads it between one half (0) and all of it
    /// (`u32::MAX`), so that a thousand peers do not come back at once.
    pub fn fail(&mut self, jitter: u32) -> Duration {
        let whole = self.next;
        self.next = self.next.saturating_mul(2).min(self.longest);
        let half = whole / 2;
        half + half.mul_f64(f64::from(jitter) / f64::from(u32::MAX))
    }

    /// The attempt held: start over with the shortest wait.
    pub const fn succeed(&mut self) {
        self.next = self.first;
    }
}

impl Default for Backoff {
    /// From half a second to eight seconds.
    fn default() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_bound_and_starts_over() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let waits: Vec<u64> = (0..5).map(|_| backoff.fail(u32::MAX).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        backoff.succeed();
        assert_eq!(backoff.fail(u32::MAX), Duration::from_secs(1));
    }

    #[test]
    fn jitter_takes_away_at_most_one_half() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(2));
        assert_eq!(backoff.fail(0), Duration::from_secs(1));
        let middle = backoff.fail(u32::MAX / 2);
        assert!(middle > Duration::from_millis(1499) && middle < Duration::from_millis(1501));
    }

    #[test]
    fn survives_huge_waits() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::MAX);
        for _ in 0..200 {
            backoff.fail(u32::MAX / 3);
        }
        assert!(backoff.fail(0) >= Duration::MAX / 3);
    }
}
