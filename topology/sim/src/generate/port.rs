//! Ports and VIFs.

use super::{Bounds, Happening, any_network, any_port, command, uuid};
use crate::seed::Seed;
use weir_model::{
    Command, HostName, MacAddress, NewAddressPair, NewFixedIp, NewPort, Port, PortId, PortPatch, Topology,
};

pub(super) fn next(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    match seed.below(82) {
        0..20 => new(seed, topology, bounds),
        20..32 => plug(seed, topology, bounds),
        32..40 => unplug(seed, topology),
        40..52 => move_port(seed, topology, bounds),
        52..74 => change_port(seed, topology),
        _ => {
            let port = any_port(seed, topology)?;
            command(Command::DeletePort { id: port.id, if_revision: None })
        }
    }
}

/// Ports that are bound and not plugged, and where they are bound.
pub(super) fn loose(topology: &Topology) -> Vec<(HostName, PortId)> {
    let mut loose: Vec<_> = topology
        .ports()
        .filter_map(|port| Some((topology.bound_host(port)?.name.clone(), port.id)))
        .filter(|(host, port)| topology.vif_on(host, *port).is_none())
        .collect();
    loose.sort_unstable();
    loose
}

pub(super) fn new(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    if topology.ports().len() >= bounds.ports {
        return None;
    }
    let (network_id, _) = any_network(seed, topology)?;
    let owner = topology.network(network_id)?.project_id.clone();
    let mut port = NewPort::new(PortId(uuid(seed)), network_id, owner);
    port.binding_host = seed.pick(&bounds.hosts).cloned().filter(|_| seed.chance(4, 5));
    if seed.chance(1, 6) {
        port.allowed_address_pairs = Some(address_pairs(seed));
    }
    if seed.chance(1, 10) {
        port.port_security_enabled = Some(false);
        port.allowed_address_pairs = None;
    }
    command(Command::CreatePorts(vec![port]))
}

/// A virtual address that several ports share, some with a link-layer address that they share too.
fn address_pairs(seed: &mut Seed) -> Vec<NewAddressPair> {
    let shared = MacAddress([0, 0, 0x5e, 0, 1, 1 + seed.below(2) as u8]);
    let choices = ["10.0.0.200/32", "10.0.0.128/25", "fd00:10::c8/128", "192.0.2.0/24", "10.9.0.0/16"];
    let address = seed.pick(&choices).and_then(|text| text.parse().ok());
    address
        .into_iter()
        .map(|ip_address| NewAddressPair { ip_address, mac_address: seed.chance(1, 2).then_some(shared) })
        .collect()
}

fn plug(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let bound = topology.bound_host(port).map(|host| host.name.clone());
    // Now and then a VIF comes up where its port is not bound.
    let host = match bound {
        Some(host) if !seed.chance(1, 10) => host,
        _ => seed.pick(&bounds.hosts)?.clone(),
    };
    if topology.vif_on(&host, port.id).is_some() {
        return None;
    }
    Some(Happening::Plug(host, port.id))
}

fn unplug(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let vif = topology.vifs_of(port.id).next()?;
    Some(Happening::Unplug(vif.host.clone(), port.id))
}

fn update(port: &Port, patch: PortPatch) -> Option<Happening> {
    command(Command::UpdatePort { id: port.id, patch: Box::new(patch), if_revision: None })
}

fn move_port(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let host = seed.pick(&bounds.hosts)?.clone();
    let binding_host = Some((!seed.chance(1, 6)).then_some(host));
    update(port, PortPatch { binding_host, ..PortPatch::default() })
}

fn change_port(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let none = PortPatch::default();
    let patch = match seed.below(5) {
        0 => PortPatch { admin_state_up: Some(!port.admin_state_up || seed.chance(2, 3)), ..none },
        1 => PortPatch { allowed_address_pairs: Some(address_pairs(seed)), ..none },
        2 => PortPatch { allowed_address_pairs: Some(Vec::new()), ..none },
        3 => {
            let enabled = seed.chance(2, 3);
            // Without port security there are no groups.
            let security_groups = (!enabled && seed.chance(3, 4)).then(Vec::new);
            PortPatch { port_security_enabled: Some(enabled), security_groups, ..none }
        }
        _ => {
            let subnets: Vec<_> = topology.subnets_of(port.network_id).map(|subnet| subnet.id).collect();
            let chosen = seed.pick(&subnets).map(|id| NewFixedIp { subnet_id: Some(*id), ip_address: None });
            PortPatch { fixed_ips: Some(chosen.into_iter().collect()), ..none }
        }
    };
    update(port, patch)
}
