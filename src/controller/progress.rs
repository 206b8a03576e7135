//! Ports that are plugged and wait until every switch concerned has acknowledged their flows.

use std::collections::{BTreeMap, BTreeSet};
use weir_compile::Bridge;
use weir_model::{HostName, NetworkId, PortId, Revision};

/// One of the two switches of a hypervisor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SwitchId {
    /// The hypervisor.
    pub host: HostName,
    /// Which of its bridges.
    pub bridge: Bridge,
}

/// All waiting ports.
///
/// A port waits until each switch of its network's hypervisors has been known, at some time, to hold what was wanted at
/// the revision at which the port began to wait. What a switch has once confirmed it need not confirm again, so that
/// switches which come and go do not hold a port up in turns; and nothing is kept for each pair of port and switch, of
/// which a large cloud that starts has a hundred million.
#[derive(Debug, Default)]
pub struct Progress {
    waiting: BTreeMap<NetworkId, BTreeMap<Revision, BTreeSet<PortId>>>,
    places: BTreeMap<PortId, (NetworkId, Revision)>,
    /// Networks of whose switches one has confirmed something.
    stirred: BTreeSet<NetworkId>,
}

impl Progress {
    /// Lets a port of a network wait from a revision on. A port that waited already waits anew.
    pub fn wait(&mut self, port: PortId, network: NetworkId, since: Revision) {
        self.cancel(port);
        self.places.insert(port, (network, since));
        self.waiting.entry(network).or_default().entry(since).or_default().insert(port);
        self.stirred.insert(network);
    }

    /// The port is no longer plugged, or gone.
    pub fn cancel(&mut self, port: PortId) {
        let Some((network, since)) = self.places.remove(&port) else { return };
        let Some(revisions) = self.waiting.get_mut(&network) else { return };
        if let Some(ports) = revisions.get_mut(&since) {
            ports.remove(&port);
            if ports.is_empty() {
                revisions.remove(&since);
            }
        }
        if revisions.is_empty() {
            self.waiting.remove(&network);
        }
    }

    /// Switches of these networks have confirmed something, or are not waited for any more.
    pub fn stir(&mut self, networks: impl IntoIterator<Item = NetworkId>) {
        if !self.waiting.is_empty() {
            self.stirred.extend(networks.into_iter().filter(|network| self.waiting.contains_key(network)));
        }
    }

    /// The networks that were stirred since they were last taken, each with the first revision that is waited for.
    pub fn take_stirred(&mut self) -> Vec<(NetworkId, Revision)> {
        let stirred = std::mem::take(&mut self.stirred).into_iter();
        stirred.filter_map(|network| Some((network, *self.waiting.get(&network)?.keys().next()?))).collect()
    }

    /// Every switch of the network has confirmed this revision. Returns the ports that wait for nothing more.
    pub fn confirmed(&mut self, network: NetworkId, revision: Revision) -> BTreeSet<PortId> {
        let mut settled = BTreeSet::new();
        let Some(revisions) = self.waiting.get_mut(&network) else { return settled };
        while let Some(first) = revisions.first_entry().filter(|first| *first.key() <= revision) {
            settled.extend(first.remove());
        }
        if revisions.is_empty() {
            self.waiting.remove(&network);
        }
        for port in &settled {
            self.places.remove(port);
        }
        settled
    }

    /// The waiting ports by network and by the revision that they wait for.
    pub fn waiting(&self) -> impl Iterator<Item = (NetworkId, Revision, &BTreeSet<PortId>)> {
        let networks = self.waiting.iter();
        networks.flat_map(|(network, revisions)| revisions.iter().map(|(since, ports)| (*network, *since, ports)))
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

    fn network(n: u8) -> NetworkId {
        NetworkId(Uuid::from_u128(n.into()))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u8, u8, u64),
        Cancel(u8),
        Stir(u8),
        Confirm(u8, u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..8u8, 0..3u8, 1..9u64).prop_map(|(port, network, since)| Step::Wait(port, network, since)),
            (0..8u8).prop_map(Step::Cancel),
            (0..3u8).prop_map(Step::Stir),
            (0..3u8, 0..9u64).prop_map(|(network, revision)| Step::Confirm(network, revision)),
        ]
    }

    proptest! {
        /// Against the plainest possible book-keeping: for each port, where and since when it waits.
        #[test]
        fn agrees_with_a_plain_map(steps in proptest::collection::vec(step(), 1..40)) {
            let mut progress = Progress::default();
            let mut plain: BTreeMap<PortId, (NetworkId, Revision)> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Wait(port_number, of, since) => {
                        plain.insert(port(port_number), (network(of), Revision(since)));
                        progress.wait(port(port_number), network(of), Revision(since));
                    }
                    Step::Cancel(n) => {
                        plain.remove(&port(n));
                        progress.cancel(port(n));
                    }
                    Step::Stir(n) => {
                        progress.take_stirred();
                        progress.stir([network(n)]);
                        let first = plain.values().filter(|(of, _)| *of == network(n)).map(|(_, since)| *since).min();
                        let expected: Vec<_> = first.map(|first| (network(n), first)).into_iter().collect();
                        prop_assert_eq!(progress.take_stirred(), expected);
                    }
                    Step::Confirm(n, revision) => {
                        let is_met = |place: &(NetworkId, Revision)| *place <= (network(n), Revision(revision));
                        let met: BTreeSet<PortId> = plain
                            .iter()
                            .filter(|(_, place)| place.0 == network(n) && is_met(place))
                            .map(|(port, _)| *port)
                            .collect();
                        plain.retain(|port, _| !met.contains(port));
                        prop_assert_eq!(progress.confirmed(network(n), Revision(revision)), met);
                    }
                }
                for n in 0..8 {
                    prop_assert_eq!(progress.places.contains_key(&port(n)), plain.contains_key(&port(n)));
                }
                let told: BTreeMap<_, _> = progress
                    .waiting()
                    .flat_map(|(network, since, ports)| ports.iter().map(move |port| (*port, (network, since))))
                    .collect();
                prop_assert_eq!(&told, &plain);
            }
            for n in 0..8 {
                progress.cancel(port(n));
            }
            prop_assert!(progress.waiting.is_empty() && progress.places.is_empty());
        }
    }
}
