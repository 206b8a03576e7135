//! Which connections a hypervisor keeps together.

use std::collections::{BTreeMap, BTreeSet};
use weir_model::{HostName, Network, NetworkId, NetworkKey, Topology};

/// The network with the lowest number of all that routers connect with this one, over any number of them, in any state.
pub(super) fn domain(topology: &Topology, network: &Network) -> NetworkKey {
    let routers: Vec<BTreeSet<NetworkId>> = topology
        .routers()
        .map(|router| topology.interfaces_of(router.id).map(|interface| interface.network_id).collect())
        .collect();
    let mut connected = BTreeSet::from([network.id]);
    loop {
        let before = connected.len();
        for networks in &routers {
            if !networks.is_disjoint(&connected) {
                connected.extend(networks);
            }
        }
        if connected.len() == before {
            break;
        }
    }
    let keys = connected.into_iter().filter_map(|id| topology.network(id)).map(|network| network.key);
    keys.min().unwrap_or(network.key)
}

/// What each hypervisor has zones for: the networks of ports that are bound there, and the domains of these.
pub(super) fn needed(topology: &Topology) -> BTreeMap<HostName, BTreeSet<NetworkKey>> {
    let mut needed: BTreeMap<HostName, BTreeSet<NetworkKey>> = BTreeMap::new();
    let mut domains: BTreeMap<NetworkKey, NetworkKey> = BTreeMap::new();
    for port in topology.ports() {
        if let (Some(host), Some(network)) = (topology.bound_host(port), topology.network(port.network_id)) {
            let domain = *domains.entry(network.key).or_insert_with(|| domain(topology, network));
            needed.entry(host.name.clone()).or_default().extend([network.key, domain]);
        }
    }
    needed
}
