//! Distributed routing: on the sender's hypervisor a packet goes from its gateway's link-layer address by the longest
//! prefix to the next address on the way and to the port that has it, and is then delivered as any other.

use super::Feature;
use super::responder::Answers;
use crate::cookie::Object;
use crate::packet::ethertype;
use crate::register::{
    ARRIVAL, ARRIVAL_KEY, DESTINATION_PORT, FROM_TUNNEL, NETWORK, NETWORK_KEY, NEXT_HOP_V4, NEXT_HOP_V6, OUTGOING_MAC,
    ROUTER, TOO_BIG,
};
use crate::{Circle, Priority, Purpose, Reason, Scope, Sink, Table, Tag, Touched, Unit};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use weir_model::{Change, Network, NetworkId, Port, PortKey, Router, Topology};
use weir_openflow::{Action, Field, Match};

/// Routers.
pub(super) struct Routing;

/// Bytes of an Ethernet header, which the switch counts and an MTU does not.
const ETHERNET: u16 = 14;

impl Feature for Routing {
    fn tables(&self) -> &'static [Table] {
        &[
            Table::Arp,
            Table::Nd,
            Table::Forward,
            Table::Router,
            Table::Route,
            Table::Mtu,
            Table::Neighbour,
            Table::Deliver,
        ]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        match touched.change {
            Change::Router(diff) => {
                if let Some(router) = diff.last() {
                    units.insert(Unit::Routes(router.key));
                    let state = |side: &Option<Arc<Router>>| side.as_ref().map(|router| router.admin_state_up);
                    if state(&diff.before) != state(&diff.after) {
                        for topology in [touched.old, touched.new] {
                            let ports = topology.interfaces_of(router.id);
                            units.extend(ports.flat_map(|port| of_interface(port.key)));
                        }
                    }
                }
            }
            Change::Network(diff) => {
                let mtu = |side: &Option<Arc<Network>>| side.as_ref().map(|network| network.mtu);
                if let Some(network) = diff.last().filter(|_| mtu(&diff.before) != mtu(&diff.after)) {
                    let sides = [touched.old, touched.new];
                    let neighbours = sides.into_iter().flat_map(|side| neighbours(network.id, side));
                    units.extend(neighbours.map(|network| Unit::Mtu(network.key)));
                }
                if let Some(network) = touched.network() {
                    let sides = [touched.old, touched.new];
                    for side in sides {
                        for port in side.interfaces_on(network.id) {
                            units.insert(Unit::Connected(port.key));
                            units.extend(side.router_of(port).map(|router| Unit::Routes(router.key)));
                        }
                    }
                }
            }
            _ => {}
        }
        for (port, topology) in touched.ports() {
            let Some(router) = topology.router_of(port) else { continue };
            units.extend(of_interface(port.key));
            units.insert(Unit::Routes(router.key));
            let Some(network) = topology.network(port.network_id) else { continue };
            units.insert(Unit::Mtu(network.key));
            let smaller = neighbours(network.id, topology).filter(|other| other.mtu < network.mtu);
            units.extend(smaller.map(|other| Unit::Mtu(other.key)));
        }
    }

    fn of_circle(&self, circle: Circle, topology: &Topology, units: &mut Vec<Unit>) {
        match circle {
            Circle::Network(key) => {
                let network = topology.network_by_key(key);
                let ports = network.into_iter().flat_map(|network| topology.interfaces_on(network.id));
                units.extend(ports.map(|port| Unit::Interface(port.key)));
            }
            Circle::Near(key) => {
                let network = topology.network_by_key(key).filter(|network| is_routed(network.id, topology));
                if let Some(network) = network {
                    units.push(Unit::Mtu(key));
                    let ports = topology.interfaces_on(network.id);
                    units.extend(ports.map(|port| Unit::RouterAddress(port.key)));
                }
            }
            Circle::Router(key) => {
                units.push(Unit::Routes(key));
                let router = topology.router_by_key(key);
                let ports = router.into_iter().flat_map(|router| topology.interfaces_of(router.id));
                units.extend(ports.map(|port| Unit::Connected(port.key)));
            }
            Circle::Everyone | Circle::Set(_) => {}
        }
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        match unit {
            Unit::Interface(key) => {
                if let Some(interface) = Interface::by_key(key, topology) {
                    interface.in_network(sink);
                }
            }
            Unit::RouterAddress(key) => {
                if let Some(interface) = Interface::by_key(key, topology) {
                    interface.as_destination(sink);
                }
            }
            Unit::Connected(key) => {
                if let Some(interface) = Interface::by_key(key, topology) {
                    interface.in_router(topology, sink);
                }
            }
            Unit::Routes(key) => {
                let router = topology.router_by_key(key).filter(|router| router.admin_state_up);
                if let Some(router) = router {
                    routes(router, topology, sink);
                }
            }
            Unit::Mtu(key) => {
                if let Some(network) = topology.network_by_key(key) {
                    mtu(network, topology, sink);
                }
            }
            _ => {}
        }
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        match unit {
            Unit::Interface(key) => {
                Interface::by_key(key, topology).map_or(Scope::Nobody, |it| Scope::Network(it.network.key))
            }
            Unit::RouterAddress(key) => {
                Interface::by_key(key, topology).map_or(Scope::Nobody, |it| Scope::Near(it.network.key))
            }
            Unit::Connected(key) => {
                Interface::by_key(key, topology).map_or(Scope::Nobody, |it| Scope::Router(it.router.key))
            }
            Unit::Routes(key) => topology.router_by_key(key).map_or(Scope::Nobody, |router| Scope::Router(router.key)),
            Unit::Mtu(key) => {
                let network = topology.network_by_key(key).filter(|network| is_routed(network.id, topology));
                network.map_or(Scope::Nobody, |network| Scope::Near(network.key))
            }
            _ => Scope::Nobody,
        }
    }
}

/// The units of an interface.
fn of_interface(port: PortKey) -> [Unit; 3] {
    [Unit::Interface(port), Unit::RouterAddress(port), Unit::Connected(port)]
}

/// Whether a network has an interface of a router.
fn is_routed(network: NetworkId, topology: &Topology) -> bool {
    topology.interfaces_on(network).next().is_some()
}

/// The networks that have a router in common with this one, itself included, some perhaps twice.
fn neighbours(network: NetworkId, topology: &Topology) -> impl Iterator<Item = &Arc<Network>> {
    let routers = topology.interfaces_on(network).filter_map(|port| topology.router_of(port));
    routers.flat_map(|router| topology.networks_of(router.id)).filter_map(|id| topology.network(id))
}

/// An interface of a router that is up.
struct Interface<'a> {
    port: &'a Arc<Port>,
    router: &'a Arc<Router>,
    network: &'a Arc<Network>,
}

impl<'a> Interface<'a> {
    fn by_key(key: PortKey, topology: &'a Topology) -> Option<Self> {
        Self::of(topology.port_by_key(key)?, topology)
    }

    fn of(port: &'a Arc<Port>, topology: &'a Topology) -> Option<Self> {
        let router = topology.router_of(port).filter(|router| router.admin_state_up && port.admin_state_up)?;
        let network = topology.network(port.network_id)?;
        Some(Self { port, router, network })
    }

    /// What of the router is seen in the network: it answers for its addresses, and takes what is sent to it.
    fn in_network(&self, sink: &mut Sink) {
        let Self { port, router, network } = self;
        let addresses = port.fixed_ips.iter().map(|fixed| fixed.ip_address);
        let purposes = [Purpose::ArpAnswer, Purpose::NdAnswer, Purpose::DadAnswer];
        let tags = purposes.map(|purpose| Tag::of(purpose, Object::Port(port.key)));
        let mut answers = Answers { tags, network: network.key, mac: port.mac_address, sink };
        for address in addresses.chain([IpAddr::V6(port.mac_address.link_local())]) {
            answers.address(address);
        }
        let to = FROM_TUNNEL.on(NETWORK.on(Match::new().eth_dst(port.mac_address.0), network.key), false);
        let tag = Tag::of(Purpose::RouterMac, Object::Port(port.key));
        let enter = [ROUTER.load(router.key), NETWORK_KEY.copy_to(&ARRIVAL_KEY)];
        sink.lead(Table::Forward, Priority::Own, to, tag, enter, Table::Router);
    }

    /// What of the router is seen from other networks: other routers have no way through it unless a route leads
    /// there, but its addresses answer.
    fn as_destination(&self, sink: &mut Sink) {
        let Self { port, network, .. } = self;
        let tag = Tag::of(Purpose::ToRouter, Object::Port(port.key));
        let to_self = DESTINATION_PORT.on(Match::new(), port.key);
        sink.lead(Table::Deliver, Priority::Object, to_self, tag, [], Table::Answer);
        for fixed in &port.fixed_ips {
            let matching = NETWORK.on(next(fixed.ip_address), network.key);
            let matching = match fixed.ip_address {
                IpAddr::V4(address) => matching.ipv4_dst(address),
                IpAddr::V6(address) => matching.ipv6_dst(address),
            };
            let keep = [Action::dec_ttl(), DESTINATION_PORT.load(port.key)];
            sink.lead(Table::Neighbour, Priority::Exception, matching, tag, keep, Table::Track);
        }
    }

    /// What the router makes of the interface: addresses of its own, and a way to the subnets.
    fn in_router(&self, topology: &Topology, sink: &mut Sink) {
        let Self { port, router, network } = self;
        let object = Object::Port(port.key);
        let addresses = port.fixed_ips.iter().map(|fixed| fixed.ip_address);
        for address in addresses.clone().chain([IpAddr::V6(port.mac_address.link_local())]) {
            let mut own = ROUTER.on(to(IpNet::from(address)), router.key);
            if !addresses.clone().any(|other| other == address) {
                // A link-local address means something on its own link only.
                own = ARRIVAL.on(own, network.key);
            }
            let tag = Tag::of(Purpose::RouterAddress, object);
            let keep = [DESTINATION_PORT.load(port.key)];
            sink.lead(Table::Router, Priority::Exception, own, tag, keep, Table::Track);
        }
        for address in addresses {
            let tag = Tag::of(Purpose::NextRouter, object);
            let on = [Action::dec_ttl(), ROUTER.load(router.key), NETWORK_KEY.copy_to(&ARRIVAL_KEY)];
            let matching = NETWORK.on(next(address), network.key);
            sink.lead(Table::Neighbour, Priority::Object, matching, tag, on, Table::Hop);
        }
        let subnets: BTreeSet<_> = port.fixed_ips.iter().map(|fixed| fixed.subnet_id).collect();
        for subnet in subnets.into_iter().filter_map(|subnet| topology.subnet(subnet)) {
            let tag = Tag::of(Purpose::ConnectedRoute, object);
            self.route(subnet.cidr, true, tag, None, sink);
        }
    }

    /// A route by the interface: to the packet's own destination, or to a next hop.
    fn route(&self, destination: IpNet, connected: bool, tag: Tag, next_hop: Option<IpAddr>, sink: &mut Sink) {
        let matching = ROUTER.on(to(destination), self.router.key);
        let priority = Priority::route(destination.prefix_len(), connected);
        if !self.network.admin_state_up {
            let object = Object::Network(self.network.key);
            return sink.refuse(Table::Route, priority, matching, Reason::NetworkDown, object);
        }
        let towards = match (next_hop, destination) {
            (Some(IpAddr::V4(address)), _) => NEXT_HOP_V4.load(address),
            (Some(IpAddr::V6(address)), _) => NEXT_HOP_V6.load(address),
            (None, IpNet::V4(_)) => Action::copy(Field::Ipv4Dst, NEXT_HOP_V4.bits().field),
            (None, IpNet::V6(_)) => Action::copy(Field::Ipv6Dst, NEXT_HOP_V6.bits().field),
        };
        let on = [towards, OUTGOING_MAC.load(self.port.mac_address), NETWORK.load(self.network.key)];
        sink.lead(Table::Route, priority, matching, tag, on, Table::Mtu);
    }
}

/// Routes by next hops in the subnets of a router's interfaces. What a longer prefix or an interface has is not taken.
fn routes(router: &Arc<Router>, topology: &Topology, sink: &mut Sink) {
    let tag = Tag::of(Purpose::ExtraRoute, Object::Router(router.key));
    let mut taken = BTreeSet::new();
    for route in &router.routes {
        let interface = topology.interfaces_of(router.id).find(|port| {
            let mut subnets = port.fixed_ips.iter().filter_map(|fixed| topology.subnet(fixed.subnet_id));
            subnets.any(|subnet| subnet.cidr.contains(&route.nexthop))
        });
        // Of several next hops to one prefix the first counts.
        if let Some(interface) = interface.and_then(|port| Interface::of(port, topology))
            && taken.insert(route.destination.trunc())
        {
            interface.route(route.destination.trunc(), false, tag, Some(route.nexthop), sink);
        }
    }
}

/// Packets are measured only where a network takes smaller ones than another of its routers.
fn mtu(network: &Arc<Network>, topology: &Topology, sink: &mut Sink) {
    if neighbours(network.id, topology).all(|other| other.mtu <= network.mtu) {
        return;
    }
    let length = network.mtu.saturating_add(ETHERNET);
    let measure = [Action::CheckPktLarger { length, dst: TOO_BIG.bits() }];
    let tag = Tag::of(Purpose::Mtu, Object::Network(network.key));
    let matching = NETWORK.on(Match::new(), network.key);
    sink.lead(Table::Mtu, Priority::Object, matching, tag, measure, Table::Oversize);
}

/// Matches packets to a prefix.
fn to(destination: IpNet) -> Match {
    match destination {
        IpNet::V4(net) => Match::new().ip().ipv4_net(Field::Ipv4Dst, net.addr(), net.prefix_len()),
        IpNet::V6(net) => Match::new().ipv6().ipv6_net(Field::Ipv6Dst, net.addr(), net.prefix_len()),
    }
}

/// Matches packets whose next hop is an address.
fn next(address: IpAddr) -> Match {
    match address {
        IpAddr::V4(address) => NEXT_HOP_V4.on(Match::new().eth_type(ethertype::IPV4), address),
        IpAddr::V6(address) => NEXT_HOP_V6.on(Match::new().eth_type(ethertype::IPV6), address),
    }
}
