//! Ports that are plugged and wait until every switch concerned has acknowledged their flows.

use std::collections::{BTreeMap, BTreeSet};
use weir_compile::Bridge;
use weir_model::{HostName, PortId, Revision};

/// One of the two switches of a hypervisor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SwitchId {
    /// The hypervisor.
    pub host: HostName,
    /// Which of its bridges.
    pub bridge: Bridge,
}

/// Ports that began to wait together, and the switches that have yet to acknowledge.
#[derive(Debug, Default)]
struct Wait {
    ports: BTreeSet<PortId>,
    lagging: BTreeMap<SwitchId, Revision>,
}

impl Wait {
    /// The hypervisors that are waited for, by name.
    fn hosts(&self) -> BTreeSet<HostName> {
        self.lagging.keys().map(|switch| switch.host.clone()).collect()
    }
}

/// All waiting ports.
///
/// A port waits for the switches that lagged when it was plugged, each up to the revision that was wanted of it then;
/// what is wanted later does not delay it.
#[derive(Debug, Default)]
pub struct Progress {
    waits: BTreeMap<u64, Wait>,
    wait_of: BTreeMap<PortId, u64>,
    by_switch: BTreeMap<SwitchId, BTreeSet<(Revision, u64)>>,
    next: u64,
}

impl Progress {
    /// Lets `ports` wait until each switch of `lagging` has acknowledged the revision given with it.
    /// Returns the ports at once if nothing lags. A port that waited already waits anew.
    pub fn wait(&mut self, ports: BTreeSet<PortId>, lagging: BTreeMap<SwitchId, Revision>) -> BTreeSet<PortId> {
        for port in &ports {
            self.cancel(*port);
        }
        if lagging.is_empty() || ports.is_empty() {
            return ports;
        }
        let id = self.next;
        self.next += 1;
        for (switch, revision) in &lagging {
            self.by_switch.entry(switch.clone()).or_default().insert((*revision, id));
        }
        for port in &ports {
            self.wait_of.insert(*port, id);
        }
        self.waits.insert(id, Wait { ports, lagging });
        BTreeSet::new()
    }

    /// The port is no longer plugged, or gone.
    pub fn cancel(&mut self, port: PortId) {
        let Some(id) = self.wait_of.remove(&port) else { return };
        let Some(wait) = self.waits.get_mut(&id) else { return };
        wait.ports.remove(&port);
        if wait.ports.is_empty() {
            let lagging = std::mem::take(&mut wait.lagging);
            self.waits.remove(&id);
            for (switch, revision) in lagging {
                self.forget(&switch, revision, id);
            }
        }
    }

    /// The switch holds everything up to `revision`. Returns the ports that wait for nothing more.
    pub fn acknowledged(&mut self, switch: &SwitchId, revision: Revision) -> BTreeSet<PortId> {
        let mut settled = BTreeSet::new();
        while let Some((needed, id)) = self.by_switch.get(switch).and_then(|waits| waits.first().copied()) {
            if needed > revision {
                break;
            }
            self.forget(switch, needed, id);
            settled.extend(self.settle(id, switch));
        }
        settled
    }

    /// Nothing waits for the switch any more. Returns the ports that wait for nothing more.
    pub fn release(&mut self, switch: &SwitchId) -> BTreeSet<PortId> {
        let waits = self.by_switch.remove(switch).unwrap_or_default();
        waits.into_iter().flat_map(|(_, id)| self.settle(id, switch)).collect()
    }

    /// Whether the port waits.
    pub fn is_waiting(&self, port: PortId) -> bool {
        self.wait_of.contains_key(&port)
    }

    /// The waiting ports with the hypervisors that they wait for, those together that began together.
    pub fn waiting(&self) -> impl Iterator<Item = (&BTreeSet<PortId>, BTreeSet<HostName>)> {
        self.waits.values().map(|wait| (&wait.ports, wait.hosts()))
    }

    fn settle(&mut self, id: u64, switch: &SwitchId) -> BTreeSet<PortId> {
        let Some(wait) = self.waits.get_mut(&id) else { return BTreeSet::new() };
        wait.lagging.remove(switch);
        if !wait.lagging.is_empty() {
            return BTreeSet::new();
        }
        let ports = self.waits.remove(&id).map(|wait| wait.ports).unwrap_or_default();
        for port in &ports {
            self.wait_of.remove(port);
        }
        ports
    }

    fn forget(&mut self, switch: &SwitchId, revision: Revision, id: u64) {
        if let Some(waits) = self.by_switch.get_mut(switch) {
            waits.remove(&(revision, id));
            if waits.is_empty() {
                self.by_switch.remove(switch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn port(n: u8) -> PortId {
        PortId(Uuid::from_u128(n.into()))
    }

    fn switch(n: u8) -> SwitchId {
        let bridge = Bridge::ALL[usize::from(n % 2)];
        SwitchId { host: format!("host-{}", n / 2).as_str().into(), bridge }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(Vec<u8>, Vec<(u8, u64)>),
        Cancel(u8),
        Acknowledge(u8, u64),
        Release(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (proptest::collection::vec(0..8u8, 1..4), proptest::collection::vec((0..6u8, 1..9u64), 0..4))
                .prop_map(|(ports, lagging)| Step::Wait(ports, lagging)),
            (0..8u8).prop_map(Step::Cancel),
            (0..6u8, 1..9u64).prop_map(|(switch, revision)| Step::Acknowledge(switch, revision)),
            (0..6u8).prop_map(Step::Release),
        ]
    }

    proptest! {
        /// Against the plainest possible book-keeping: for each port, the switches it waits for.
        #[test]
        fn agrees_with_a_plain_map(steps in proptest::collection::vec(step(), 1..40)) {
            let mut progress = Progress::default();
            let mut plain: BTreeMap<PortId, BTreeMap<SwitchId, Revision>> = BTreeMap::new();
            for step in steps {
                let mut expected = BTreeSet::new();
                let settled = match step {
                    Step::Wait(ports, lagging) => {
                        let ports: BTreeSet<_> = ports.into_iter().map(port).collect();
                        let lagging: BTreeMap<_, _> =
                            lagging.into_iter().map(|(n, revision)| (switch(n), Revision(revision))).collect();
                        for port in &ports {
                            plain.insert(*port, lagging.clone());
                            if lagging.is_empty() {
                                expected.insert(*port);
                            }
                        }
                        progress.wait(ports, lagging)
                    }
                    Step::Cancel(n) => {
                        plain.remove(&port(n));
                        progress.cancel(port(n));
                        BTreeSet::new()
                    }
                    Step::Acknowledge(n, revision) => {
                        for (port, lagging) in &mut plain {
                            if lagging.get(&switch(n)).is_some_and(|needed| *needed <= Revision(revision)) {
                                lagging.remove(&switch(n));
                                if lagging.is_empty() {
                                    expected.insert(*port);
                                }
                            }
                        }
                        progress.acknowledged(&switch(n), Revision(revision))
                    }
                    Step::Release(n) => {
                        for (port, lagging) in &mut plain {
                            if lagging.remove(&switch(n)).is_some() && lagging.is_empty() {
                                expected.insert(*port);
                            }
                        }
                        progress.release(&switch(n))
                    }
                };
                plain.retain(|_, lagging| !lagging.is_empty());
                prop_assert_eq!(settled, expected);
                for n in 0..8 {
                    let hosts: BTreeSet<HostName> = plain
                        .get(&port(n))
                        .into_iter()
                        .flat_map(|lagging| lagging.keys().map(|switch| switch.host.clone()))
                        .collect();
                    prop_assert_eq!(progress.is_waiting(port(n)), plain.contains_key(&port(n)));
                    let told = progress.waiting().find(|(ports, _)| ports.contains(&port(n)));
                    prop_assert_eq!(told.map(|(_, hosts)| hosts).unwrap_or_default(), hosts);
                }
            }
            for n in 0..8 {
                progress.cancel(port(n));
            }
            prop_assert!(progress.waits.is_empty() && progress.by_switch.is_empty() && progress.wait_of.is_empty());
        }
    }
}
