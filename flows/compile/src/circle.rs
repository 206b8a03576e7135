//! Groups of hypervisors that hold the same units.

use crate::Scope;
use std::collections::BTreeSet;
use weir_model::{HostKey, Hypervisor, NetworkId, NetworkKey, RouterKey, SetKey, Topology};

/// A group of hypervisors; the scopes of more than one hypervisor, without their exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circle {
    /// All there are.
    Everyone,
    /// Those with bound ports in the network.
    Network(NetworkKey),
    /// Those from which packets may come into the network.
    Near(NetworkKey),
    /// Those whose packets may come through the router.
    Router(RouterKey),
    /// Those with a bound port that has the set of security groups.
    Set(SetKey),
}

impl Scope {
    /// The circle, and the hypervisor that is left out of it; none for scopes of one hypervisor or nobody.
    pub(crate) const fn circle(self) -> Option<(Circle, Option<HostKey>)> {
        match self {
            Self::Nobody | Self::Host(_) => None,
            Self::All => Some((Circle::Everyone, None)),
            Self::AllExcept(host) => Some((Circle::Everyone, Some(host))),
            Self::Network(network) => Some((Circle::Network(network), None)),
            Self::NetworkExcept(network, host) => Some((Circle::Network(network), Some(host))),
            Self::Near(network) => Some((Circle::Near(network), None)),
            Self::NearExcept(network, host) => Some((Circle::Near(network), Some(host))),
            Self::Router(router) => Some((Circle::Router(router), None)),
            Self::Set(set) => Some((Circle::Set(set), None)),
        }
    }

    /// Whether a member of the scope's circle holds the unit, or the one hypervisor that it names.
    pub(crate) fn is_held_by(self, host: HostKey, within: Option<Circle>) -> bool {
        match self.circle() {
            Some((circle, except)) => Some(circle) == within && except != Some(host),
            None => within.is_none() && self == Self::Host(host),
        }
    }
}

impl Circle {
    /// Every circle of a topology.
    pub(crate) fn all(topology: &Topology) -> impl Iterator<Item = Self> + '_ {
        let networks = topology.networks().flat_map(|network| [Self::Network(network.key), Self::Near(network.key)]);
        let routers = topology.routers().map(|router| Self::Router(router.key));
        let sets = topology.security_sets().map(|set| Self::Set(set.key));
        std::iter::once(Self::Everyone).chain(networks).chain(routers).chain(sets)
    }

    /// The circles that a hypervisor is in.
    pub(crate) fn of(host: &Hypervisor, topology: &Topology) -> BTreeSet<Self> {
        let mut circles = BTreeSet::from([Self::Everyone]);
        for (id, _) in topology.networks_on(&host.name) {
            circles.extend(topology.network(id).map(|network| Self::Network(network.key)));
            circles.extend(Self::through(id, topology));
        }
        circles.extend(topology.sets_on(&host.name).map(|(set, _)| Self::Set(set)));
        circles
    }

    /// The circles that a hypervisor is in because of routers, by a bound port in a network.
    pub(crate) fn through(network: NetworkId, topology: &Topology) -> impl Iterator<Item = Self> + '_ {
        let near = topology.near(network).into_iter().filter_map(|id| topology.network(id));
        let routers = topology.routers_from(network).into_iter().filter_map(|id| topology.router(id));
        near.map(|network| Self::Near(network.key)).chain(routers.map(|router| Self::Router(router.key)))
    }

    /// The hypervisors in it.
    pub(crate) fn members(self, topology: &Topology) -> BTreeSet<HostKey> {
        let key = |name: &_| topology.hypervisor(name).map(|host| host.key);
        let of_networks = |networks: BTreeSet<NetworkId>| {
            networks.into_iter().flat_map(|id| topology.hosts_of(id)).filter_map(|(name, _)| key(name)).collect()
        };
        let network = |key| topology.network_by_key(key).map(|network| network.id);
        match self {
            Self::Everyone => topology.hypervisors().map(|host| host.key).collect(),
            Self::Network(key) => of_networks(network(key).into_iter().collect()),
            Self::Near(key) => of_networks(network(key).map(|id| topology.near(id)).unwrap_or_default()),
            Self::Router(key) => {
                let router = topology.router_by_key(key);
                let feeding = router.into_iter().flat_map(|router| topology.back(router.id));
                of_networks(feeding.flat_map(|router| topology.networks_of(router)).collect())
            }
            Self::Set(set) => topology.hosts_of_set(set).filter_map(|(name, _)| key(name)).collect(),
        }
    }
}
