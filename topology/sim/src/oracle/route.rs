//! The way of a packet through routers.

use super::answer::{Answer, Echo, is_echo_request};
use super::punt::{Punt, PuntKind};
use super::{Verdict, interface_router, is_about_link, is_vm, link_local, nowhere, usable};
use crate::packet::{ETH_IPV4, Fields, Packet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use weir_model::{Network, NetworkId, Port, Router, Topology};

/// How many routers a packet may pass.
pub const ROUTERS_MAX: u8 = 8;

/// Where a router sends a packet: by which of its interfaces, and to which address on the network behind it.
struct Way<'a> {
    interface: &'a Port,
    network: &'a Network,
    next_hop: IpAddr,
}

/// Who has the address of a next hop.
enum NextHop<'a> {
    Vm(&'a Port),
    Router(&'a Port),
}

/// The source and the destination of an IP packet.
pub(crate) fn ends(fields: &Fields) -> (IpAddr, IpAddr) {
    if fields.eth_type == ETH_IPV4 {
        (IpAddr::V4(fields.nw_src.into()), IpAddr::V4(fields.nw_dst.into()))
    } else {
        (IpAddr::V6(fields.ipv6_src.into()), IpAddr::V6(fields.ipv6_dst.into()))
    }
}

/// What becomes of a packet that a VM sends to the link-layer address of a router's interface.
pub(super) fn route(
    topology: &Topology,
    from: &Port,
    network: &Network,
    first: &Port,
    (packet, fields): (&Packet, &Fields),
) -> Verdict {
    if !fields.is_ip() {
        return nowhere("a router takes IP only");
    }
    if is_about_link(fields) {
        return nowhere("a message about a link");
    }
    let (source, destination) = ends(fields);
    let mut ttl = fields.nw_ttl;
    let (mut interface, mut arrival) = (first, network);
    for passed in 0..ROUTERS_MAX {
        let Some(router) = interface_router(topology, interface) else {
            return nowhere("the router is down");
        };
        if owns(topology, router, interface, destination) {
            let mac = (passed == 0).then_some(interface.mac_address);
            let answer = is_echo_request(fields).then(|| Answer::Echo(Echo { request: packet.clone(), mac }));
            let reason = if passed == 0 { "to the router itself" } else { "to a router behind it" };
            return Verdict { answer, reason, ..Verdict::default() };
        }
        if stays_on_link(source) || stays_on_link(destination) {
            return nowhere("an address that no router takes further");
        }
        let punt = |kind, network: &Network| Verdict {
            punt: Some(Punt { kind, port: from.key, network: network.key, router: Some((router.key, arrival.key)) }),
            reason: "the router has something to say to the sender",
            ..Verdict::default()
        };
        if ttl <= 1 {
            return punt(PuntKind::TimeExceeded, arrival);
        }
        let Some(way) = way(topology, router, destination) else {
            return punt(PuntKind::NoRoute, arrival);
        };
        if !way.network.admin_state_up {
            return nowhere("the next network is down");
        }
        if is_measured(topology, way.network) && packet.bytes().len() > usize::from(way.network.mtu) + 14 {
            return punt(PuntKind::TooBig, way.network);
        }
        ttl -= 1;
        match next_hop(topology, &way) {
            None => return punt(PuntKind::HostUnreachable, way.network),
            Some(NextHop::Router(next)) => (interface, arrival) = (next, way.network),
            Some(NextHop::Vm(to)) => {
                let mut after = fields.clone();
                after.eth_src = way.interface.mac_address.to_u64();
                (after.eth_dst, after.nw_ttl) = (to.mac_address.to_u64(), ttl);
                let mut routed = packet.clone();
                routed.rewrite(fields, &after);
                return delivered(topology, from, to, routed);
            }
        }
    }
    nowhere("more routers than a packet may pass")
}

fn delivered(topology: &Topology, from: &Port, to: &Port, packet: Packet) -> Verdict {
    // A switch sends nothing back by the port that it came from.
    if to.id == from.id {
        return nowhere("back to the sender");
    }
    let mut deliveries = BTreeMap::new();
    if usable(topology, to).is_some() {
        deliveries.insert(to.id, packet);
    }
    Verdict { deliveries, toward: BTreeSet::from([to.id]), reason: "routed", ..Verdict::default() }
}

/// Whether larger packets may come to a network's routers than it takes, unless a VM breaks the rule of its own network.
fn is_measured(topology: &Topology, network: &Network) -> bool {
    let routers = topology.ports_of(network.id).filter_map(|port| topology.router_of(port));
    let networks = routers.flat_map(|router| topology.interfaces_of(router.id)).map(|port| port.network_id);
    networks.filter_map(|id| topology.network(id)).any(|other| other.mtu > network.mtu)
}

/// Whether an address is one of a router's own, at this interface.
fn owns(topology: &Topology, router: &Router, at: &Port, address: IpAddr) -> bool {
    IpAddr::V6(link_local(at.mac_address.to_u64())) == address
        || interfaces(topology, router)
            .any(|interface| interface.fixed_ips.iter().any(|fixed| fixed.ip_address == address))
}

/// The interfaces of a router that are up.
fn interfaces<'a>(topology: &'a Topology, router: &Router) -> impl Iterator<Item = &'a Arc<Port>> {
    topology.interfaces_of(router.id).filter(|interface| interface.admin_state_up)
}

/// Whether a packet from or to this address never leaves its network.
fn stays_on_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast() || address.is_unspecified(),
        IpAddr::V6(address) => {
            address.is_multicast() || address.is_unspecified() || address.segments()[0] & 0xffc0 == 0xfe80
        }
    }
}

/// The longest prefix that has the address. A connected subnet goes before a route with the same prefix, and of two
/// such routes the first.
fn way<'a>(topology: &'a Topology, router: &Router, destination: IpAddr) -> Option<Way<'a>> {
    let mut best: Option<(u8, Way<'a>)> = None;
    let mut consider = |length: u8, way: Way<'a>| {
        if best.as_ref().is_none_or(|(longest, _)| length > *longest) {
            best = Some((length, way));
        }
    };
    if let Some((length, interface)) = connected(topology, router, destination)
        && let Some(network) = topology.network(interface.network_id)
    {
        consider(length, Way { interface, network, next_hop: destination });
    }
    for route in router.routes.iter().filter(|route| route.destination.contains(&destination)) {
        if let Some((_, interface)) = connected(topology, router, route.nexthop)
            && let Some(network) = topology.network(interface.network_id)
        {
            consider(route.destination.prefix_len(), Way { interface, network, next_hop: route.nexthop });
        }
    }
    best.map(|(_, way)| way)
}

/// The interface in the narrowest subnet with the address, and the length of the prefix.
fn connected<'a>(topology: &'a Topology, router: &Router, address: IpAddr) -> Option<(u8, &'a Port)> {
    interfaces(topology, router)
        .flat_map(|interface| interface.fixed_ips.iter().map(move |fixed| (fixed, interface)))
        .filter_map(|(fixed, interface)| Some((topology.subnet(fixed.subnet_id)?.cidr, interface.as_ref())))
        .filter(|(cidr, _)| cidr.contains(&address))
        .map(|(cidr, interface)| (cidr.prefix_len(), interface))
        .max_by_key(|(length, _)| *length)
}

fn next_hop<'a>(topology: &'a Topology, way: &Way<'_>) -> Option<NextHop<'a>> {
    let holder = holder(topology, way.network.id, way.next_hop)?;
    if interface_router(topology, holder).is_some() {
        return Some(NextHop::Router(holder));
    }
    let known = is_vm(topology, holder) && holder.admin_state_up && topology.bound_host(holder).is_some();
    known.then_some(NextHop::Vm(holder))
}

/// The port of a network that has a fixed address.
fn holder(topology: &Topology, network: NetworkId, address: IpAddr) -> Option<&Port> {
    let mut ports = topology.ports_of(network).map(AsRef::as_ref);
    ports.find(|port: &&Port| port.fixed_ips.iter().any(|fixed| fixed.ip_address == address))
}
