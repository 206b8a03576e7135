//! Finds the port that has a destination address.

use super::{Feature, ports_of};
use crate::cookie::Object;
use crate::register::{DESTINATION_PORT, LOCAL_ONLY, NETWORK, SHARED};
use crate::{Circle, Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::{BTreeMap, BTreeSet};
use weir_model::{HostKey, MacAddress, Port, PortKey, Topology};
use weir_openflow::{Action, Match};

/// Known unicast.
pub(super) struct Switching;

/// How many ports may claim one link-layer address; each gets a copy of what is sent there.
pub const MAX_CLAIMS: usize = 64;

/// The addresses that a port claims.
fn claimed(port: &Port) -> impl Iterator<Item = MacAddress> {
    let pairs = port.allowed_address_pairs.iter().map(|pair| pair.mac_address);
    std::iter::once(port.mac_address).chain(pairs)
}

impl Feature for Switching {
    fn tables(&self) -> &'static [Table] {
        &[Table::Forward]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        for (port, topology) in touched.ports() {
            if let Some(network) = topology.network(port.network_id) {
                units.extend(claimed(port).map(|mac| Unit::Mac(network.key, mac)));
            }
        }
    }

    fn of_circle(&self, circle: Circle, topology: &Topology, units: &mut Vec<Unit>) {
        let Circle::Network(key) = circle else { return };
        let start = units.len();
        for port in ports_of(key, topology) {
            units.extend(claimed(port).map(|mac| Unit::Mac(key, mac)));
        }
        units[start..].sort_unstable();
        units.dedup();
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Mac(key, mac) = unit else { return };
        let Some(network) = topology.network_by_key(key) else { return };
        if mac.is_multicast() {
            return;
        }
        let mut owner = None;
        let mut claims: BTreeMap<HostKey, Vec<PortKey>> = BTreeMap::new();
        for id in topology.mac_claims(network.id, mac).take(MAX_CLAIMS) {
            let Some(port) = topology.port(id).filter(|port| port.admin_state_up) else { continue };
            let Some(host) = topology.bound_host(port) else { continue };
            if owner.is_none() || port.mac_address == mac {
                owner = Some(port.key);
            }
            claims.entry(host.key).or_default().push(port.key);
        }
        let Some(owner) = owner else { return };
        let matching = NETWORK.on(Match::new().eth_dst(mac.0), key);
        let tag = Tag::of(Purpose::Mac, Object::Port(owner));
        let mut ports = claims.values().flatten();
        if let (Some(&port), None) = (ports.next(), ports.next()) {
            let to = [DESTINATION_PORT.load(port)];
            sink.lead(Table::Forward, Priority::Object, matching, tag, to, Table::Destination);
        } else {
            sink.end(Table::Forward, Priority::Object, matching, tag, copies(&claims));
        }
    }

    fn scope(&self, unit: Unit, _: &Topology) -> Scope {
        match unit {
            Unit::Mac(network, _) => Scope::Network(network),
            _ => Scope::Nobody,
        }
    }
}

/// A copy for every port. Of several ports of one hypervisor only the first may take the tunnel: what arrives there
/// comes through this very flow again and is copied to all of them.
fn copies(claims: &BTreeMap<HostKey, Vec<PortKey>>) -> Vec<Action> {
    let mut actions = vec![SHARED.load(true)];
    let mut local_only = false;
    for ports in claims.values() {
        for (position, &port) in ports.iter().enumerate() {
            if local_only != (position > 0) {
                local_only = position > 0;
                actions.push(LOCAL_ONLY.load(local_only));
            }
            // What one copy finds out on its way must not stick to the next.
            actions.push(Action::Clone(vec![DESTINATION_PORT.load(port), Action::resubmit(Table::Destination.id())]));
        }
    }
    actions
}
