//! Rules that a switch needs no longer, taken away when nothing can ask for them any more: see [`Delta::can_wait`].
//!
//! [`Delta::can_wait`]: weir_compile::Delta::can_wait

use super::core::Controller;
use super::progress::SwitchId;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_compile::Unit;
use weir_openflow::EncodedEdit;
use weir_reconcile::Step;

type Edits = Arc<[EncodedEdit]>;

/// What is taken away with the next tick but one. A switch has looked at all its forwarding anew by then.
#[derive(Debug, Default)]
pub(super) struct Withdrawals {
    fresh: BTreeMap<SwitchId, BTreeMap<Unit, Edits>>,
    due: BTreeMap<SwitchId, BTreeMap<Unit, Edits>>,
}

impl Withdrawals {
    /// Takes a unit away from a switch, but not yet.
    pub(super) fn put_off(&mut self, switch: SwitchId, unit: Unit, edits: Edits) {
        self.fresh.entry(switch).or_default().insert(unit, edits);
    }

    /// What has to go before a switch gets the unit again: what it gets may be less than it had.
    pub(super) fn recall(&mut self, switch: &SwitchId, unit: &Unit) -> Option<Edits> {
        let [fresh, due] = [&mut self.fresh, &mut self.due].map(|waiting| waiting.get_mut(switch)?.remove(unit));
        fresh.or(due)
    }

    /// Lets a tick pass; what has become due.
    fn tick(&mut self) -> BTreeMap<SwitchId, BTreeMap<Unit, Edits>> {
        let fresh = std::mem::take(&mut self.fresh);
        std::mem::replace(&mut self.due, fresh)
    }
}

impl Controller {
    /// Takes away what was put off long enough. It is a part of what switches were given already.
    pub(super) fn withdraw(&mut self) {
        for (switch, units) in self.withdrawals.tick() {
            let Some(host) = self.hosts.get(&switch.host) else { continue };
            let revision = host.switch(switch.bridge).wanted.0;
            let edits: Vec<Edits> = units.into_values().collect();
            if !edits.is_empty() {
                self.give(&switch, vec![Step { revision, edits }]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_compile::Bridge;
    use weir_model::{HostName, SetKey};

    fn switch(number: u32) -> SwitchId {
        SwitchId { host: HostName::from(format!("host{number}").as_str()), bridge: Bridge::Integration }
    }

    #[test]
    fn what_is_put_off_is_due_with_the_second_tick() {
        let mut withdrawals = Withdrawals::default();
        let unit = Unit::Rules(SetKey(1));
        withdrawals.put_off(switch(1), unit, Edits::default());
        assert!(withdrawals.tick().is_empty());
        withdrawals.put_off(switch(2), unit, Edits::default());
        assert!(withdrawals.tick().into_keys().eq([switch(1)]));
        assert!(withdrawals.tick().into_keys().eq([switch(2)]));
        assert!(withdrawals.tick().is_empty());
    }

    #[test]
    fn what_is_given_again_is_taken_away_before_and_not_after() {
        let mut withdrawals = Withdrawals::default();
        for (number, ticks) in [(1, 0), (2, 1)] {
            let unit = Unit::Rules(SetKey(number));
            withdrawals.put_off(switch(number), unit, Edits::default());
            for _ in 0..ticks {
                withdrawals.tick();
            }
            assert_eq!(withdrawals.recall(&switch(3), &unit), None, "another switch's");
            assert_eq!(withdrawals.recall(&switch(number), &unit), Some(Edits::default()));
            assert_eq!(withdrawals.recall(&switch(number), &unit), None, "once");
        }
    }
}
