//! Broadcast and multicast: to the ports of the network and nobody else.

use super::Feature;
use crate::cookie::Object;
use crate::register::{CROSSING, Crossing, FROM_TUNNEL, NETWORK};
use crate::sink::group_of;
use crate::{Bridge, Circle, Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit, bridge, feature::tunnel};
use std::collections::BTreeSet;
use weir_model::{Network, NetworkKey, Segment, Topology};
use weir_openflow::{Action, Bucket, BucketId, Match};

/// Groups of networks and the flows that lead to them. Local ports are buckets of [`Unit::Vif`].
pub(super) struct Broadcast;

impl Feature for Broadcast {
    fn tables(&self) -> &'static [Table] {
        &[Table::Flood, Table::TunnelOutput]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        units.extend(touched.network().map(|network| Unit::Flood(network.key)));
        for (port, topology) in touched.ports() {
            if let (Some(network), Some(host)) = (topology.network(port.network_id), topology.bound_host(port)) {
                units.insert(Unit::FloodMember(network.key, host.key));
            }
        }
    }

    fn of_circle(&self, circle: Circle, topology: &Topology, units: &mut Vec<Unit>) {
        if let Circle::Network(key) = circle {
            units.push(Unit::Flood(key));
            units.extend(circle.members(topology).into_iter().map(|host| Unit::FloodMember(key, host)));
        }
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        match unit {
            Unit::Flood(key) => {
                if let Some(network) = topology.network_by_key(key) {
                    flood(network, sink);
                }
            }
            Unit::FloodMember(key, host) => {
                let network = topology.network_by_key(key);
                let host = topology.hypervisor_by_key(host);
                if let (Some(network), Some(host)) = (network, host)
                    && topology.bound_count(network.id, &host.name) > 0
                {
                    let copy = vec![tunnel::destination(host), Action::output(bridge::VXLAN.number)];
                    sink.bucket(Table::TunnelOutput, key, Bucket::new(BucketId(host.key.0), copy));
                }
            }
            _ => {}
        }
    }

    fn scope(&self, unit: Unit, _: &Topology) -> Scope {
        match unit {
            Unit::Flood(network) => Scope::Network(network),
            Unit::FloodMember(network, host) => Scope::NetworkExcept(network, host),
            _ => Scope::Nobody,
        }
    }
}

fn flood(network: &Network, sink: &mut Sink) {
    let key: NetworkKey = network.key;
    let object = Object::Network(key);
    let group = Action::Group(group_of(key));
    sink.group(Bridge::Integration, key);
    sink.group(Bridge::Tunnel, key);
    let tag = Tag::of(Purpose::Flood, object);
    let here = || NETWORK.on(Match::new(), key);
    sink.end(Table::Flood, Priority::Object, FROM_TUNNEL.on(here(), true), tag, [group.clone()]);
    let everywhere = [
        group.clone(),
        CROSSING.load(Crossing::Flood(key)),
        Action::output(bridge::PATCH_TUN.number),
        CROSSING.load(Crossing::Nothing),
    ];
    sink.end(Table::Flood, Priority::Object, FROM_TUNNEL.on(here(), false), tag, everywhere);
    let Segment::Vxlan { vni } = network.segment;
    let copies = [tunnel::vni(vni), CROSSING.load(Crossing::Nothing), group];
    let matching = CROSSING.on(Match::new(), Crossing::Flood(key));
    let tag = Tag::of(Purpose::TunnelFlood, object);
    sink.end(Table::TunnelOutput, Priority::Object, matching, tag, copies);
}
