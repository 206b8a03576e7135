//! Time that passes only when told to.

use std::time::Duration;

/// The time of a simulation, from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    now: Duration,
}

impl Clock {
    /// The time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Jumps to the earliest of these deadlines, but no further than `end`. A deadline that is past leaves the time as
    /// it is; without any it jumps to `end`. How much time passed.
    pub fn jump(&mut self, deadlines: impl IntoIterator<Item = Duration>, end: Duration) -> Duration {
        let next = deadlines.into_iter().min().unwrap_or(end).min(end).max(self.now);
        let passed = next - self.now;
        self.now = next;
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_jumps_to_the_next_deadline_and_never_back() {
        let seconds = Duration::from_secs;
        let mut clock = Clock::default();
        assert_eq!(clock.jump([seconds(7), seconds(3)], seconds(10)), seconds(3));
        assert_eq!(clock.jump([seconds(1)], seconds(10)), Duration::ZERO);
        assert_eq!(clock.jump([], seconds(10)), seconds(7));
        assert_eq!(clock.now(), seconds(10));
    }
}
