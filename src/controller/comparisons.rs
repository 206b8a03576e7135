//! Which switches are being compared with what they should hold.

use super::progress::SwitchId;
use std::collections::{BTreeSet, VecDeque};

/// Comparisons at a time. Each needs memory for what one switch should hold, so that a thousand hypervisors which
/// connect at once take turns.
const RUNNING_MAX: usize = 16;

/// Which switches are being compared, and which wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Comparisons {
    waiting: VecDeque<SwitchId>,
    running: BTreeSet<SwitchId>,
}

impl Comparisons {
    /// The switch wants to be compared.
    pub(super) fn want(&mut self, switch: SwitchId) {
        self.running.remove(&switch);
        if !self.waiting.contains(&switch) {
            self.waiting.push_back(switch);
        }
    }

    /// The comparison is over, or the switch is gone.
    pub(super) fn end(&mut self, switch: &SwitchId) {
        self.running.remove(switch);
        self.waiting.retain(|waiting| waiting != switch);
    }

    /// The comparison is over if one was running.
    pub(super) fn finish(&mut self, switch: &SwitchId) {
        self.running.remove(switch);
    }

    /// The next switch whose turn it is and that `is_ready`; the others keep their places.
    pub(super) fn next(&mut self, is_ready: impl Fn(&SwitchId) -> bool) -> Option<SwitchId> {
        if self.running.len() >= RUNNING_MAX {
            return None;
        }
        let place = self.waiting.iter().position(is_ready)?;
        let switch = self.waiting.remove(place)?;
        self.running.insert(switch.clone());
        Some(switch)
    }
}
