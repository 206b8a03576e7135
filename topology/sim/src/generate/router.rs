//! Routers, their interfaces and routes.

use super::{Bounds, Happening, any_port, command, tenant, uuid};
use crate::seed::Seed;
use ipnet::IpNet;
use std::net::IpAddr;
use weir_model::{
    Command, NewInterface, NewRouter, OldInterface, PortId, Route, Router, RouterId, RouterPatch, SubnetId, Topology,
};

/// Where routes lead: beyond all networks, to networks of others, everywhere, and to a part of a network.
const DESTINATIONS: [&str; 9] = [
    "10.9.0.0/16",
    "10.0.1.0/24",
    "10.0.2.0/24",
    "10.0.2.128/25",
    "0.0.0.0/0",
    "fd00:99::/48",
    "fd00:10:0:1::/64",
    "fd00:10:0:2::/64",
    "::/0",
];

pub(super) fn next(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    let bare = topology.routers().find(|router| topology.interfaces_of(router.id).count() < 2);
    if let Some(bare) = bare.filter(|_| seed.chance(3, 4)) {
        return add_interface(seed, topology, bare.id);
    }
    match seed.below(14) {
        0 | 1 => new(seed, topology, bounds),
        2..6 => {
            let id = any(seed, topology)?.id;
            add_interface(seed, topology, id)
        }
        6..10 => {
            let router = any(seed, topology)?;
            add_route(seed, topology, router)
        }
        10 => remove_route(seed, topology),
        11 => remove_interface(seed, topology),
        12 if seed.chance(1, 3) => {
            let id = any(seed, topology)?.id;
            command(Command::DeleteRouter { id, if_revision: None })
        }
        _ => {
            let router = any(seed, topology)?;
            let admin_state_up = Some(!router.admin_state_up || seed.chance(1, 2));
            let patch = RouterPatch { admin_state_up, ..RouterPatch::default() };
            command(Command::UpdateRouter { id: router.id, patch, if_revision: None })
        }
    }
}

fn any<'a>(seed: &mut Seed, topology: &'a Topology) -> Option<&'a Router> {
    let all: Vec<RouterId> = topology.routers().map(|router| router.id).collect();
    topology.router(*seed.pick(&all)?).map(AsRef::as_ref)
}

fn new(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    if topology.routers().len() >= bounds.networks {
        return None;
    }
    let owner = tenant(seed, bounds);
    command(Command::CreateRouters(vec![NewRouter::new(RouterId(uuid(seed)), owner)]))
}

/// By the gateway of a subnet, or by a port with any address of it: so two routers meet in one network.
fn add_interface(seed: &mut Seed, topology: &Topology, id: RouterId) -> Option<Happening> {
    let by_port = seed.chance(2, 5);
    let interface = if by_port {
        let loose: Vec<PortId> = topology
            .ports()
            .filter(|port| port.binding.host.is_none() && topology.router_of(port).is_none())
            .map(|port| port.id)
            .collect();
        NewInterface::Port(*seed.pick(&loose)?)
    } else {
        let subnets: Vec<SubnetId> = topology.subnets().map(|subnet| subnet.id).collect();
        NewInterface::Subnet { subnet: *seed.pick(&subnets)?, port: PortId(uuid(seed)) }
    };
    command(Command::AddRouterInterface { id, interface })
}

fn remove_interface(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let router = any(seed, topology)?;
    let ports: Vec<PortId> = topology.interfaces_of(router.id).map(|port| port.id).collect();
    let interface = OldInterface::Port(*seed.pick(&ports)?);
    command(Command::RemoveRouterInterface { id: router.id, interface })
}

/// By a VM, by another router, or by nobody.
fn add_route(seed: &mut Seed, topology: &Topology, router: &Router) -> Option<Happening> {
    let networks: Vec<_> = topology.interfaces_of(router.id).map(|port| port.network_id).collect();
    let network = *seed.pick(&networks)?;
    let mut hops: Vec<IpAddr> = topology
        .ports_of(network)
        .filter(|port| topology.router_of(port).is_none_or(|other| other.id != router.id))
        .flat_map(|port| port.fixed_ips.iter().map(|fixed| fixed.ip_address))
        .collect();
    let routers: Vec<IpAddr> = topology
        .interfaces_on(network)
        .filter(|port| topology.router_of(port).is_some_and(|other| other.id != router.id))
        .flat_map(|port| port.fixed_ips.iter().map(|fixed| fixed.ip_address))
        .collect();
    if !routers.is_empty() && seed.chance(2, 3) {
        hops = routers;
    } else if seed.chance(1, 6) {
        hops.push([10, 0, seed.below(4) as u8, 222].into());
    }
    let nexthop = *seed.pick(&hops)?;
    let destinations: Vec<IpNet> = DESTINATIONS
        .iter()
        .filter_map(|text| text.parse().ok())
        .filter(|net: &IpNet| net.addr().is_ipv4() == nexthop.is_ipv4())
        .collect();
    let destination = *seed.pick(&destinations)?;
    command(Command::AddExtraRoutes { id: router.id, routes: vec![Route { destination, nexthop }] })
}

fn remove_route(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let router = any(seed, topology)?;
    let route = *seed.pick(&router.routes)?;
    command(Command::RemoveExtraRoutes { id: router.id, routes: vec![route] })
}

/// The address of somebody, or of nobody, that a VM may have heard of.
pub(super) fn distant(seed: &mut Seed, topology: &Topology, v4: bool) -> Option<IpAddr> {
    let beyond = ["10.9.0.5", "10.0.2.200", "10.0.1.99", "192.0.2.9", "fd00:99::5", "fd00:10:0:2::99", "2001:db8::9"];
    let mut all: Vec<IpAddr> = beyond.iter().filter_map(|text| text.parse().ok()).collect();
    if seed.chance(3, 4) {
        all = any_port(seed, topology)?.fixed_ips.iter().map(|fixed| fixed.ip_address).collect();
    }
    all.retain(|address| address.is_ipv4() == v4);
    seed.pick(&all).copied()
}
