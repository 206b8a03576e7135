//! The conntrack zones of hypervisors, kept in step with what is bound where.

use crate::change::{Change, Diff};
use crate::draft::Draft;
use crate::index::router_of;
use crate::{HostKey, Hypervisor, Network, NetworkId, NetworkKey, Port, Rejection, Topology, Zone, Zones};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Gives zones to the networks that a command brought to hypervisors and takes them from those that it took away.
/// Looks at nothing but what changed: a network's first and last bound port on a hypervisor, interfaces of routers
/// and names of hypervisors.
pub(super) fn follow(draft: &mut Draft, before: &Topology) -> Result<(), Rejection> {
    for host in concerned(draft, before) {
        settle(draft, host)?;
    }
    Ok(())
}

fn concerned(draft: &Draft, before: &Topology) -> BTreeSet<HostKey> {
    let mut hosts = BTreeSet::new();
    let mut routed = BTreeSet::new();
    for change in draft.changes() {
        match change {
            Change::Hypervisor(Diff { before, after }) => {
                let names = |it: &Arc<Hypervisor>| (it.name.clone(), it.system_id.clone());
                if before.as_ref().map(names) != after.as_ref().map(names) {
                    hosts.extend(before.iter().chain(after).map(|it| it.key));
                }
            }
            Change::Port(Diff { before: old, after: new }) => {
                if old.as_ref().map(|it| &it.binding) != new.as_ref().map(|it| &it.binding) {
                    hosts.extend(old.iter().chain(new).filter_map(|port| came_or_went(before, draft, port)));
                    hosts.extend(old.iter().chain(new).filter_map(|port| came_or_went(draft, before, port)));
                }
                let interface = |it: &Topology, port: &Arc<Port>| Some((it.interface_of(port)?, port.network_id));
                let was = old.as_ref().and_then(|port| interface(before, port));
                let is = new.as_ref().and_then(|port| interface(draft, port));
                if was != is {
                    routed.extend(was.into_iter().chain(is).map(|(_, network)| network));
                }
            }
            Change::Router(Diff { before: None, after: Some(router) }) => {
                routed.extend(draft.interfaces_of(router.id).map(|port| port.network_id));
            }
            Change::Router(Diff { before: Some(router), after: None }) => {
                routed.extend(before.interfaces_of(router.id).map(|port| port.network_id));
            }
            _ => {}
        }
    }
    if !routed.is_empty() {
        let mut networks = connected(before, &routed);
        networks.extend(connected(draft, &routed));
        let domain = |topology: &Topology, id| topology.network(id).map(|it: &Arc<Network>| topology.domain(it));
        networks.retain(|id| domain(before, *id) != domain(draft, *id));
        for topology in [before, draft] {
            let names = networks.iter().flat_map(|network| topology.hosts_of(*network));
            hosts.extend(names.filter_map(|(name, _)| topology.hypervisor(name)).map(|it| it.key));
        }
    }
    hosts
}

/// The hypervisor that a port is bound to in one topology, if its network has no bound port there in the other.
fn came_or_went(one: &Topology, other: &Topology, port: &Port) -> Option<HostKey> {
    let host = one.bound_host(port)?;
    let bound = |topology: &Topology| topology.bound_count(port.network_id, &host.name) > 0;
    (bound(one) != bound(other)).then_some(host.key)
}

/// The networks that routers connect with any of these, over any number of routers.
fn connected(topology: &Topology, networks: &BTreeSet<NetworkId>) -> BTreeSet<NetworkId> {
    let mut reached = networks.clone();
    let mut routers = BTreeSet::new();
    let mut left: Vec<NetworkId> = networks.iter().copied().collect();
    while let Some(network) = left.pop() {
        for router in topology.interfaces_on(network).filter_map(|port| router_of(port)) {
            if routers.insert(router) {
                let further = topology.interfaces_of(router).map(|port| port.network_id);
                left.extend(further.filter(|network| reached.insert(*network)));
            }
        }
    }
    reached
}

/// The networks that need a zone on a hypervisor.
fn needed(topology: &Topology, host: HostKey) -> BTreeSet<NetworkKey> {
    let hypervisor = topology.hypervisor_by_key(host);
    let networks = hypervisor.into_iter().flat_map(|it| topology.networks_on(&it.name));
    let networks = networks.filter_map(|(network, _)| topology.network(network));
    networks.flat_map(|network| [network.key, topology.domain(network)]).collect()
}

/// Makes the zones of one hypervisor what they have to be.
pub(super) fn settle(draft: &mut Draft, host: HostKey) -> Result<(), Rejection> {
    let before = draft.zones_of(host).cloned();
    if draft.hypervisor_by_key(host).is_none() {
        if before.is_some() {
            draft.write_zones(host, None);
        }
        return Ok(());
    }
    let needed = needed(draft, host);
    if before.as_ref().is_some_and(|it| it.of.keys().eq(&needed)) || before.is_none() && needed.is_empty() {
        return Ok(());
    }
    let mut zones = before.as_deref().cloned().unwrap_or_else(|| Zones::none(host));
    let mut freed = BTreeSet::new();
    zones.of.retain(|network, zone| {
        let stays = needed.contains(network);
        if !stays {
            freed.insert(*zone);
        }
        stays
    });
    zones.unflushed.extend(freed);
    let mut taken: BTreeSet<u32> = zones.of.values().chain(&zones.unflushed).map(|zone| zone.0).collect();
    for network in needed {
        if !zones.of.contains_key(&network) {
            let zone = next_zone(&taken, zones.last).ok_or(Rejection::NumbersExhausted("conntrack zone"))?;
            taken.insert(zone);
            zones.last = zone;
            zones.of.insert(network, Zone(zone));
        }
    }
    draft.write_zones(host, Some(zones));
    Ok(())
}

/// The next zone after the one given last that is not taken, around.
fn next_zone(taken: &BTreeSet<u32>, last: u32) -> Option<u32> {
    let later = last.saturating_add(1)..=Zone::MAX;
    later.chain(1..=last.min(Zone::MAX)).find(|zone| !taken.contains(zone))
}
