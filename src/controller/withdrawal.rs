//! Rules that a switch needs no longer, taken away when nothing can ask for them any more: see [`Delta::can_wait`].
//!
//! [`Delta::can_wait`]: weir_compile::Delta::can_wait

use super::core::Controller;
use super::progress::SwitchId;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_compile::{Bridge, Unit};
use weir_model::HostName;
use weir_openflow::{Digest, EncodedEdit};
use weir_reconcile::Step;

/// What takes a unit away, and what that does to the digest of what a switch holds.
type Edits = (Arc<[EncodedEdit]>, Digest);

/// How many ticks pass before something is taken away. A switch has looked at all its forwarding anew by then, even a
/// busy one: Open vSwitch means to take no longer than half a second (`max-revalidator`), and may take two.
const TICKS: usize = 8;

/// What is taken away, by the ticks that are left to it: the first is next.
#[derive(Debug, Default)]
pub(super) struct Withdrawals {
    waiting: [BTreeMap<SwitchId, BTreeMap<Unit, Edits>>; TICKS],
}

impl Withdrawals {
    /// Takes a unit away from a switch, but not yet.
    pub(super) fn put_off(&mut self, switch: SwitchId, unit: Unit, edits: Edits) {
        self.waiting[TICKS - 1].entry(switch).or_default().insert(unit, edits);
    }

    /// What has to go before a switch gets a unit again: what it gets may be less than it had. With one unit of a set
    /// of security groups all others of the set go, since the switch gets those that are left.
    pub(super) fn recall(&mut self, host: &HostName, bridge: Bridge, unit: &Unit) -> Vec<Edits> {
        if self.waiting.iter().all(BTreeMap::is_empty) {
            return Vec::new();
        }
        let switch = &SwitchId { host: host.clone(), bridge };
        let set = unit.set();
        let mut held = BTreeMap::new();
        for waiting in &mut self.waiting {
            let Some(units) = waiting.get_mut(switch) else { continue };
            // Of a unit that was put off twice the last is what the switch holds of it.
            units.retain(|other, edits| {
                let is_meant = other == unit || set.is_some() && other.set() == set;
                if is_meant {
                    held.insert(*other, edits.clone());
                }
                !is_meant
            });
        }
        held.into_values().collect()
    }

    /// A switch is compared with what it should hold, of which nothing that was put off is a part.
    pub(super) fn forget(&mut self, switch: &SwitchId) {
        for waiting in &mut self.waiting {
            waiting.remove(switch);
        }
    }

    /// A hypervisor is called otherwise from now on.
    pub(super) fn rename(&mut self, from: &HostName, to: &HostName) {
        for waiting in &mut self.waiting {
            for bridge in Bridge::ALL {
                if let Some(units) = waiting.remove(&SwitchId { host: from.clone(), bridge }) {
                    waiting.entry(SwitchId { host: to.clone(), bridge }).or_default().extend(units);
                }
            }
        }
    }

    /// Forgets the hypervisors that are not known any more.
    pub(super) fn retain(&mut self, is_known: impl Fn(&HostName) -> bool) {
        for waiting in &mut self.waiting {
            waiting.retain(|switch, _| is_known(&switch.host));
        }
    }

    /// Lets a tick pass; what has become due.
    fn tick(&mut self) -> BTreeMap<SwitchId, BTreeMap<Unit, Edits>> {
        self.waiting.rotate_left(1);
        std::mem::take(&mut self.waiting[TICKS - 1])
    }
}

impl Controller {
    /// Takes away what was put off long enough. It is a part of what switches were given already.
    pub(super) fn withdraw(&mut self) {
        for (switch, units) in self.withdrawals.tick() {
            let Some(host) = self.hosts.get(&switch.host) else { continue };
            let mut step = Step::to(host.switch(switch.bridge).wanted.0);
            for (edits, change) in units.into_values() {
                step.push(edits, change);
            }
            if !step.edits.is_empty() {
                self.give(&switch, vec![step]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::SetKey;

    fn switch(number: u32) -> SwitchId {
        SwitchId { host: HostName::from(format!("host{number}").as_str()), bridge: Bridge::Integration }
    }

    fn recall(withdrawals: &mut Withdrawals, number: u32, unit: &Unit) -> Vec<Edits> {
        withdrawals.recall(&switch(number).host, Bridge::Integration, unit)
    }

    #[test]
    fn what_is_put_off_is_due_some_ticks_later() {
        let mut withdrawals = Withdrawals::default();
        let unit = Unit::Rules(SetKey(1));
        withdrawals.put_off(switch(1), unit, Edits::default());
        assert!(withdrawals.tick().is_empty());
        withdrawals.put_off(switch(2), unit, Edits::default());
        for _ in 2..TICKS {
            assert!(withdrawals.tick().is_empty());
        }
        assert!(withdrawals.tick().into_keys().eq([switch(1)]));
        assert!(withdrawals.tick().into_keys().eq([switch(2)]));
        assert!(withdrawals.tick().is_empty());
    }

    #[test]
    fn who_is_compared_has_nothing_put_off() {
        let mut withdrawals = Withdrawals::default();
        for number in [1, 2] {
            withdrawals.put_off(switch(number), Unit::Rules(SetKey(1)), Edits::default());
            withdrawals.tick();
        }
        withdrawals.forget(&switch(1));
        let due: Vec<_> = (0..TICKS).flat_map(|_| withdrawals.tick().into_keys()).collect();
        assert_eq!(due, [switch(2)]);
    }

    #[test]
    fn what_is_put_off_goes_with_the_name_of_its_hypervisor() {
        let mut withdrawals = Withdrawals::default();
        for number in [1, 2] {
            withdrawals.put_off(switch(1), Unit::Rules(SetKey(number)), Edits::default());
            withdrawals.tick();
        }
        withdrawals.rename(&switch(1).host, &switch(2).host);
        assert_eq!(recall(&mut withdrawals, 1, &Unit::Rules(SetKey(2))), []);
        assert_eq!(recall(&mut withdrawals, 2, &Unit::Rules(SetKey(2))), [Edits::default()]);
        withdrawals.put_off(switch(3), Unit::Rules(SetKey(1)), Edits::default());
        withdrawals.retain(|host| *host != switch(3).host);
        assert_eq!(recall(&mut withdrawals, 3, &Unit::Rules(SetKey(1))), []);
        withdrawals.retain(|_| false);
        assert!(withdrawals.waiting.iter().all(BTreeMap::is_empty));
    }

    #[test]
    fn what_is_given_again_is_taken_away_before_and_not_after() {
        let mut withdrawals = Withdrawals::default();
        for (number, ticks) in [(1, 0), (2, 1), (3, TICKS - 1)] {
            let unit = Unit::Rules(SetKey(number));
            withdrawals.put_off(switch(number), unit, Edits::default());
            for _ in 0..ticks {
                withdrawals.tick();
            }
            assert_eq!(recall(&mut withdrawals, 4, &unit), [], "another switch's");
            assert_eq!(recall(&mut withdrawals, number, &unit), [Edits::default()]);
            assert_eq!(recall(&mut withdrawals, number, &unit), [], "once");
        }
    }

    #[test]
    fn who_gets_a_set_again_has_nothing_left_of_what_it_was() {
        let mut withdrawals = Withdrawals::default();
        let gone = Unit::Remote(SetKey(1), "10.0.0.5/32".parse().expect("a prefix"));
        let of_others = Unit::Rules(SetKey(2));
        for unit in [Unit::Rules(SetKey(1)), gone, of_others, Unit::Base] {
            withdrawals.put_off(switch(1), unit, Edits::default());
            withdrawals.tick();
        }
        assert_eq!(recall(&mut withdrawals, 1, &Unit::Generation(SetKey(1))).len(), 2);
        assert_eq!(recall(&mut withdrawals, 1, &gone), []);
        assert_eq!(recall(&mut withdrawals, 1, &of_others).len(), 1);
        assert_eq!(recall(&mut withdrawals, 1, &Unit::Base).len(), 1);
    }
}
