//! Which networks and routers packets may come through.

use std::collections::BTreeSet;
use weir_model::{NetworkId, Port, Router, RouterId, Topology};

/// The networks that have an interface of a router.
pub(crate) fn networks_of(router: RouterId, topology: &Topology) -> BTreeSet<NetworkId> {
    topology.interfaces_of(router).map(|port| port.network_id).collect()
}

/// The routers that have an interface in a network.
fn routers_on(network: NetworkId, topology: &Topology) -> BTreeSet<RouterId> {
    topology.interfaces_on(network).filter_map(|port| topology.router_of(port)).map(|router| router.id).collect()
}

/// The networks that any number of routers connect with this one, itself included.
pub(crate) fn component(network: NetworkId, topology: &Topology) -> BTreeSet<NetworkId> {
    closure([network], |network| {
        routers_on(*network, topology).into_iter().flat_map(|router| networks_of(router, topology)).collect()
    })
}

/// The routers that packets from a network may come through: its own, and those that their routes lead to.
pub(crate) fn routers_from(network: NetworkId, topology: &Topology) -> BTreeSet<RouterId> {
    closure(routers_on(network, topology), |router| next_routers(*router, topology))
}

/// The networks whose packets may come through a router: its own, and those of the routers whose routes lead to it.
pub(crate) fn feeding(router: RouterId, topology: &Topology) -> BTreeSet<NetworkId> {
    let routers = closure([router], |router| former_routers(*router, topology));
    routers.into_iter().flat_map(|router| networks_of(router, topology)).collect()
}

/// The routers that routes of a router lead to.
fn next_routers(router: RouterId, topology: &Topology) -> BTreeSet<RouterId> {
    let Some(router) = topology.router(router).filter(|router| !router.routes.is_empty()) else {
        return BTreeSet::new();
    };
    let neighbours = networks_of(router.id, topology).into_iter().flat_map(|network| topology.interfaces_on(network));
    let next = neighbours.filter(|port| leads_to(router, port)).filter_map(|port| topology.router_of(port));
    next.map(|next| next.id).filter(|next| *next != router.id).collect()
}

/// The routers with routes that lead to a router.
fn former_routers(router: RouterId, topology: &Topology) -> BTreeSet<RouterId> {
    let mut former = BTreeSet::new();
    for interface in topology.interfaces_of(router) {
        for other in routers_on(interface.network_id, topology).into_iter().filter(|other| *other != router) {
            if topology.router(other).is_some_and(|other| leads_to(other, interface)) {
                former.insert(other);
            }
        }
    }
    former
}

/// Whether a route of a router goes by an address of another's interface.
fn leads_to(router: &Router, interface: &Port) -> bool {
    interface.fixed_ips.iter().any(|fixed| router.routes.iter().any(|route| route.nexthop == fixed.ip_address))
}

/// Everything that is found by following `next` any number of times.
fn closure<T: Ord + Copy>(from: impl IntoIterator<Item = T>, next: impl Fn(&T) -> BTreeSet<T>) -> BTreeSet<T> {
    let mut found: BTreeSet<T> = from.into_iter().collect();
    let mut unseen: Vec<T> = found.iter().copied().collect();
    while let Some(one) = unseen.pop() {
        for other in next(&one) {
            if found.insert(other) {
                unseen.push(other);
            }
        }
    }
    found
}
