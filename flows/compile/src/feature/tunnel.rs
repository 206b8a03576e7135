//! The overlay: between the hypervisors, inside VXLAN.

use super::{Bound, Feature, ports_of};
use crate::bridge::{PATCH_INT, VXLAN};
use crate::cookie::Object;
use crate::register::{CROSSING, Crossing, NETWORK};
use crate::{Circle, Priority, Purpose, Reason, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::BTreeSet;
use std::net::IpAddr;
use weir_model::{Hypervisor, Network, Segment, Topology, Vni};
use weir_openflow::{Action, Field, Match};

/// Ways through the tunnel.
pub(super) struct Tunnel;

impl Feature for Tunnel {
    fn tables(&self) -> &'static [Table] {
        &[Table::TunnelSource, Table::TunnelNetwork, Table::TunnelOutput, Table::Admission]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        units.extend(touched.network().map(|network| Unit::NetworkTunnel(network.key)));
        units.extend(touched.hypervisor().map(|host| Unit::Vtep(host.key)));
        units.extend(touched.ports().map(|(port, _)| Unit::PortTunnel(port.key)));
    }

    fn of_circle(&self, circle: Circle, topology: &Topology, units: &mut Vec<Unit>) {
        match circle {
            Circle::Everyone => units.extend(topology.hypervisors().map(|host| Unit::Vtep(host.key))),
            Circle::Network(key) => units.push(Unit::NetworkTunnel(key)),
            Circle::Near(key) => units.extend(ports_of(key, topology).map(|port| Unit::PortTunnel(port.key))),
            Circle::Router(_) | Circle::Set(_) => {}
        }
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        match unit {
            Unit::Vtep(key) => {
                if let Some(host) = topology.hypervisor_by_key(key) {
                    endpoint(host, sink);
                }
            }
            Unit::NetworkTunnel(key) => {
                if let Some(network) = topology.network_by_key(key) {
                    arrival(network, sink);
                }
            }
            Unit::PortTunnel(key) => {
                if let Some(bound) = Bound::by_key(key, topology) {
                    departure(&bound, sink);
                }
            }
            _ => {}
        }
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        match unit {
            Unit::Vtep(host) => Scope::AllExcept(host),
            Unit::NetworkTunnel(network) => Scope::Network(network),
            Unit::PortTunnel(key) => Bound::by_key(key, topology)
                .map_or(Scope::Nobody, |bound| Scope::NearExcept(bound.network.key, bound.host.key)),
            _ => Scope::Nobody,
        }
    }
}

/// Sets the VXLAN identifier of the outer header.
pub(super) fn vni(Vni(vni): Vni) -> Action {
    Action::set(Field::TunId, vni.into())
}

/// Sets the destination of the outer header.
pub(super) fn destination(host: &Hypervisor) -> Action {
    match host.encap_ip {
        IpAddr::V4(address) => Action::set(Field::TunDst, u32::from(address).into()),
        IpAddr::V6(address) => Action::set(Field::TunIpv6Dst, address.into()),
    }
}

fn endpoint(host: &Hypervisor, sink: &mut Sink) {
    let matching = match host.encap_ip {
        IpAddr::V4(address) => Match::new().with(Field::TunSrc, u32::from(address).into()),
        IpAddr::V6(address) => Match::new().with(Field::TunIpv6Src, address.into()),
    };
    let tag = Tag::of(Purpose::TunnelSource, Object::Host(host.key));
    sink.lead(Table::TunnelSource, Priority::Object, matching, tag, [], Table::TunnelNetwork);
}

/// A network that is down takes nothing from its ports and nothing from the tunnel; what lies between may stay.
fn arrival(network: &Network, sink: &mut Sink) {
    let Segment::Vxlan { vni: Vni(vni) } = network.segment;
    let object = Object::Network(network.key);
    let matching = Match::new().with(Field::TunId, vni.into());
    if !network.admin_state_up {
        sink.refuse(Table::TunnelNetwork, Priority::Object, matching, Reason::NetworkDown, object);
        let from_ports = NETWORK.on(Match::new(), network.key);
        sink.refuse(Table::Admission, Priority::Cut, from_ports, Reason::NetworkDown, object);
        return;
    }
    let actions = [
        CROSSING.load(Crossing::Arrived(network.key)),
        Action::output(PATCH_INT.number),
        CROSSING.load(Crossing::Nothing),
    ];
    let tag = Tag::of(Purpose::TunnelNetwork, object);
    sink.end(Table::TunnelNetwork, Priority::Object, matching, tag, actions);
}

fn departure(bound: &Bound<'_>, sink: &mut Sink) {
    let Bound { port, network, host } = bound;
    if !port.admin_state_up {
        return;
    }
    let Segment::Vxlan { vni: id } = network.segment;
    let actions = [vni(id), destination(host), CROSSING.load(Crossing::Nothing), Action::output(VXLAN.number)];
    let matching = CROSSING.on(Match::new(), Crossing::Unicast(port.key));
    let tag = Tag::of(Purpose::TunnelPort, Object::Port(port.key));
    sink.end(Table::TunnelOutput, Priority::Object, matching, tag, actions);
}
