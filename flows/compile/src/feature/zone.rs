//! Where connections are tracked.

use super::Feature;
use crate::cookie::Object;
use crate::reach::component;
use crate::register::{FROM_TUNNEL, HERE, NETWORK, ROUTED, ZONE};
use crate::{Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_model::{Change, HostKey, Hypervisor, NetworkKey, Topology, Zones as HostZones};
use weir_openflow::Match;

/// Conntrack zones. A packet from a VIF starts with the zone of its network; this is about the others.
pub(super) struct Zones;

impl Feature for Zones {
    fn tables(&self) -> &'static [Table] {
        &[Table::Zone]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        if let Change::Zones(diff) = touched.change
            && let Some(host) = diff.last().map(|zones| zones.host)
        {
            let zones = |side: &Option<Arc<HostZones>>| side.as_ref().map(|zones| zones.of.clone()).unwrap_or_default();
            let (before, after) = (zones(&diff.before), zones(&diff.after));
            let networks: BTreeSet<&NetworkKey> = before.keys().chain(after.keys()).collect();
            let changed: BTreeSet<NetworkKey> =
                networks.into_iter().filter(|network| before.get(network) != after.get(network)).copied().collect();
            for topology in [touched.old, touched.new] {
                units.extend(
                    of_host(host, topology)
                        .filter(|(network, domain)| changed.contains(network) || changed.contains(domain))
                        .map(|(network, _)| Unit::Zone(host, network)),
                );
            }
        }
        for (port, topology) in touched.ports() {
            if let (Some(network), Some(host)) = (topology.network(port.network_id), topology.bound_host(port)) {
                let is_there = |side: &Topology| side.bound_count(network.id, &host.name) > 0;
                if is_there(touched.old) != is_there(touched.new) {
                    units.insert(Unit::Zone(host.key, network.key));
                }
            }
        }
        for network in touched.interfaces().flat_map(|(port, topology)| component(port.network_id, topology)) {
            let (old, new) = (touched.old.network(network), touched.new.network(network));
            if let (Some(old), Some(new)) = (old, new)
                && touched.old.domain(old) != touched.new.domain(new)
            {
                let hosts = touched.new.hosts_of(network).filter_map(|(name, _)| touched.new.hypervisor(name));
                units.extend(hosts.map(|host| Unit::Zone(host.key, new.key)));
            }
        }
    }

    fn of_host(&self, host: &Hypervisor, topology: &Topology, units: &mut Vec<Unit>) {
        units.extend(of_host(host.key, topology).map(|(network, _)| Unit::Zone(host.key, network)));
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Zone(host, key) = unit else { return };
        let Some(network) = topology.network_by_key(key) else { return };
        let tag = Tag::of(Purpose::Zone, Object::Network(key));
        let here = NETWORK.on(Match::new(), key);
        let routed = HERE.on(ROUTED.on(here.clone(), true), true);
        let (own, shared) = (topology.zone(host, key), topology.zone(host, topology.domain(network)));
        for (matching, zone) in [(FROM_TUNNEL.on(here, true), own), (routed.clone(), shared)] {
            if let Some(zone) = zone {
                sink.lead(Table::Zone, Priority::Object, matching, tag, [ZONE.load(zone)], Table::Track);
            }
        }
        // A router may send a packet back into the network that it is from; the reply need not come by the router.
        if let Some(own) = own.filter(|own| Some(*own) != shared) {
            sink.lead(Table::Zone, Priority::Exception, ZONE.on(routed, own), tag, [], Table::Track);
        }
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        let Unit::Zone(host, network) = unit else { return Scope::Nobody };
        let known = topology.hypervisor_by_key(host).zip(topology.network_by_key(network));
        let bound = known.is_some_and(|(host, network)| topology.bound_count(network.id, &host.name) > 0);
        if bound { Scope::Host(host) } else { Scope::Nobody }
    }
}

/// The networks with bound ports on a hypervisor, each with the one that gives the zone of its routed connections.
fn of_host(host: HostKey, topology: &Topology) -> impl Iterator<Item = (NetworkKey, NetworkKey)> + '_ {
    let name = topology.hypervisor_by_key(host).map(|host| &host.name);
    let networks = name.into_iter().flat_map(|name| topology.networks_on(name));
    let networks = networks.filter_map(|(id, _)| topology.network(id));
    networks.map(|network| (network.key, topology.domain(network)))
}
