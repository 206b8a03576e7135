//! Which switches are being compared with what they should hold.

use super::progress::SwitchId;
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

/// Comparisons at a time. Each needs memory for what one switch should hold, so that a thousand hypervisors which
/// connect at once take turns.
const RUNNING_MAX: usize = 16;

/// A comparison in routine is followed by a rest so many times as long as it took, so that in a large cloud they take
/// longer and longer to come round, and not all of the processor.
const REST: u32 = 9;

/// Which switches are being compared, and which wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Comparisons {
    waiting: VecDeque<SwitchId>,
    running: BTreeSet<SwitchId>,
    routine: Routine,
}

/// Comparisons that can wait: one at a time, when there is nothing else to compare.
#[derive(Debug, Default)]
struct Routine {
    waiting: VecDeque<SwitchId>,
    running: Option<(SwitchId, Instant)>,
    rests_until: Option<Instant>,
}

/// A switch whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) switch: SwitchId,
    /// Nothing is wrong with it as far as is known.
    pub(super) is_routine: bool,
}

impl Comparisons {
    /// The switch has to be compared.
    pub(super) fn want(&mut self, switch: SwitchId, now: Instant) {
        self.finish(&switch, now);
        self.routine.waiting.retain(|waiting| *waiting != switch);
        if !self.waiting.contains(&switch) {
            self.waiting.push_back(switch);
        }
    }

    /// The switch was not compared for some time.
    pub(super) fn want_in_routine(&mut self, switch: SwitchId, now: Instant) {
        self.finish(&switch, now);
        if !self.waiting.contains(&switch) && !self.routine.waiting.contains(&switch) {
            self.routine.waiting.push_back(switch);
        }
    }

    /// The switch is gone.
    pub(super) fn end(&mut self, switch: &SwitchId, now: Instant) {
        self.finish(switch, now);
        self.waiting.retain(|waiting| waiting != switch);
        self.routine.waiting.retain(|waiting| waiting != switch);
    }

    /// The comparison is over if one was running.
    pub(super) fn finish(&mut self, switch: &SwitchId, now: Instant) {
        self.running.remove(switch);
        if let Some((_, since)) = self.routine.running.take_if(|(running, _)| running == switch) {
            self.routine.rests_until = Some(now + now.duration_since(since) * REST);
        }
    }

    /// The next switch whose turn it is and that `is_ready`; the others keep their places.
    pub(super) fn next(&mut self, now: Instant, is_ready: impl Fn(&SwitchId) -> bool) -> Option<Turn> {
        if self.running.len() >= RUNNING_MAX {
            return None;
        }
        if let Some(switch) = take(&mut self.waiting, &is_ready) {
            self.running.insert(switch.clone());
            return Some(Turn { switch, is_routine: false });
        }
        let rests = self.routine.rests_until.is_some_and(|until| now < until);
        if rests || self.routine.running.is_some() || !self.running.is_empty() {
            return None;
        }
        let switch = take(&mut self.routine.waiting, is_ready)?;
        self.routine.running = Some((switch.clone(), now));
        Some(Turn { switch, is_routine: true })
    }
}

fn take(waiting: &mut VecDeque<SwitchId>, is_ready: impl Fn(&SwitchId) -> bool) -> Option<SwitchId> {
    let place = waiting.iter().position(is_ready)?;
    waiting.remove(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use weir_compile::Bridge;
    use weir_model::HostName;

    fn switch(number: usize) -> SwitchId {
        SwitchId { host: HostName::from(format!("host{number}").as_str()), bridge: Bridge::Integration }
    }

    fn next(comparisons: &mut Comparisons, now: Instant) -> Option<(SwitchId, bool)> {
        comparisons.next(now, |_| true).map(|turn| (turn.switch, turn.is_routine))
    }

    #[test]
    fn no_more_run_than_may() {
        let (mut comparisons, now) = (Comparisons::default(), Instant::now());
        for number in 0..=RUNNING_MAX {
            comparisons.want(switch(number), now);
            comparisons.want(switch(number), now);
        }
        for number in 0..RUNNING_MAX {
            assert_eq!(next(&mut comparisons, now), Some((switch(number), false)));
        }
        assert_eq!(next(&mut comparisons, now), None);
        comparisons.finish(&switch(3), now);
        assert_eq!(next(&mut comparisons, now), Some((switch(RUNNING_MAX), false)));
        comparisons.end(&switch(4), now);
        assert_eq!(next(&mut comparisons, now), None);
    }

    #[test]
    fn routine_takes_a_tenth_of_the_time() {
        let (mut comparisons, start) = (Comparisons::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for number in [1, 2, 3] {
            comparisons.want_in_routine(switch(number), start);
        }
        assert_eq!(next(&mut comparisons, at(0)), Some((switch(1), true)));
        assert_eq!(next(&mut comparisons, at(1)), None, "one at a time");
        comparisons.finish(&switch(1), at(2));
        assert_eq!(next(&mut comparisons, at(19)), None);
        assert_eq!(next(&mut comparisons, at(20)), Some((switch(2), true)));
        comparisons.end(&switch(2), at(21));
        assert_eq!(next(&mut comparisons, at(29)), None, "one that went away rests as well");
        assert_eq!(next(&mut comparisons, at(30)), Some((switch(3), true)));
    }

    #[test]
    fn doubts_go_first() {
        let (mut comparisons, now) = (Comparisons::default(), Instant::now());
        for number in [1, 2, 3] {
            comparisons.want_in_routine(switch(number), now);
        }
        comparisons.want(switch(2), now);
        comparisons.want_in_routine(switch(2), now);
        assert_eq!(next(&mut comparisons, now), Some((switch(2), false)));
        assert_eq!(next(&mut comparisons, now), None, "routine waits until there is nothing else");
        comparisons.finish(&switch(2), now);
        assert_eq!(next(&mut comparisons, now), Some((switch(1), true)));
        comparisons.want(switch(1), now);
        assert_eq!(next(&mut comparisons, now), Some((switch(1), false)), "a doubt about who is being compared");
        comparisons.finish(&switch(1), now);
        assert_eq!(comparisons.next(now, |_| false), None);
        assert_eq!(next(&mut comparisons, now), Some((switch(3), true)));
    }
}
