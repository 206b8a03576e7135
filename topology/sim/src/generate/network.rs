//! Networks and subnets.

use super::{Bounds, Happening, any_network, command, tenant, uuid};
use crate::seed::Seed;
use ipnet::IpNet;
use weir_model::{Command, Ipv6Mode, NetworkId, NetworkPatch, NewNetwork, NewSubnet, SubnetId, SubnetPatch, Topology};

/// The prefixes that every tenant uses, few enough for networks to have the same.
fn prefix(number: usize, v6: bool) -> String {
    if v6 { format!("fd00:10:0:{number}::/64") } else { format!("10.0.{number}.0/24") }
}

pub(super) fn next(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    match seed.below(8) {
        0 => new(seed, topology, bounds),
        1 | 2 => {
            let (network, _) = any_network(seed, topology)?;
            new_subnet(seed, topology, network)
        }
        3 => change_subnet(seed, topology),
        4 if seed.chance(1, 3) => {
            let (id, _) = any_network(seed, topology)?;
            command(Command::DeleteNetwork { id, if_revision: None })
        }
        _ => {
            let (id, up) = any_network(seed, topology)?;
            let admin_state_up = Some(!up || seed.chance(2, 3));
            let mtu = seed.chance(1, 4).then(|| mtu(seed));
            let patch = NetworkPatch { admin_state_up, mtu, ..NetworkPatch::default() };
            command(Command::UpdateNetwork { id, patch, if_revision: None })
        }
    }
}

/// Whether a network has no subnet.
pub(super) fn is_bare(topology: &Topology, network: NetworkId) -> bool {
    topology.subnets_of(network).next().is_none()
}

fn mtu(seed: &mut Seed) -> u16 {
    [1280, 1400, 1450][seed.below(3)]
}

pub(super) fn new(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    if topology.networks().len() >= bounds.networks {
        return None;
    }
    let owner = tenant(seed, bounds);
    let mut network = NewNetwork::new(NetworkId(uuid(seed)), owner);
    network.port_security_enabled = seed.chance(1, 8).then_some(false);
    network.mtu = seed.chance(1, 2).then(|| mtu(seed));
    command(Command::CreateNetworks(vec![network]))
}

pub(super) fn new_subnet(seed: &mut Seed, topology: &Topology, network: NetworkId) -> Option<Happening> {
    let owner = topology.network(network)?.project_id.clone();
    let place = topology.networks().position(|other| other.id == network)?;
    // Mostly each network has prefixes of its own, so that a router can have all of them.
    let number = if seed.chance(7, 8) { place % 4 } else { seed.below(4) };
    let v6 = seed.chance(1, 2);
    let cidr: IpNet = prefix(number, v6).parse().ok()?;
    let mut subnet = NewSubnet::new(SubnetId(uuid(seed)), network, owner, cidr);
    subnet.enable_dhcp = seed.chance(1, 3).then_some(false);
    if seed.chance(1, 8) {
        subnet.gateway_ip = Some(None);
    }
    if v6 && seed.chance(2, 3) && subnet.enable_dhcp.is_none() {
        let mode = [Ipv6Mode::Slaac, Ipv6Mode::Dhcpv6Stateful, Ipv6Mode::Dhcpv6Stateless][seed.below(3)];
        (subnet.ipv6_ra_mode, subnet.ipv6_address_mode) = (Some(mode), Some(mode));
    }
    command(Command::CreateSubnets(vec![subnet]))
}

fn change_subnet(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let subnets: Vec<_> = topology.subnets().map(|subnet| (subnet.id, subnet.enable_dhcp)).collect();
    let (id, enabled) = *seed.pick(&subnets)?;
    if seed.chance(1, 4) {
        return command(Command::DeleteSubnet { id, if_revision: None });
    }
    let patch = SubnetPatch { enable_dhcp: Some(!enabled), ..SubnetPatch::default() };
    command(Command::UpdateSubnet { id, patch, if_revision: None })
}
