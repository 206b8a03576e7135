//! Security groups, their rules, and address groups.

use super::{Bounds, Happening, any_port, command, tenant, uuid};
use crate::seed::Seed;
use ipnet::IpNet;
use std::collections::BTreeSet;
use weir_model::{
    AddressGroupId, AddressGroupPatch, Command, Direction, Ethertype, NewAddressGroup, NewSecurityGroup,
    NewSecurityGroupRule, PortPatch, Protocol, Remote, SecurityGroup, SecurityGroupId, SecurityGroupRuleId, Topology,
};

/// Prefixes that rules and address groups name.
const PREFIXES: [&str; 9] = [
    "10.0.0.0/24",
    "10.0.0.0/30",
    "10.0.1.0/24",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "fd00:10::/32",
    "fd00:10:0:1::/64",
    "fe80::/10",
    "::/0",
];

/// Ranges of ports: one, a few, below and above the ports that are privileged, all.
const RANGES: [(u16, u16); 5] = [(80, 80), (50, 90), (1, 1023), (1024, 65535), (0, 65535)];

pub(super) fn next(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    if topology.security_groups().len() < 3 {
        return new_group(seed, topology, bounds);
    }
    match seed.below(20) {
        0 => new_group(seed, topology, bounds),
        1 if seed.chance(1, 2) => {
            let id = any_group(seed, topology)?.id;
            command(Command::DeleteSecurityGroup { id, if_revision: None })
        }
        2..9 => new_rule(seed, topology),
        9..12 => {
            let rules: Vec<_> = topology.security_group_rules().map(|rule| rule.id).collect();
            let id = *seed.pick(&rules)?;
            command(Command::DeleteSecurityGroupRule { id, if_revision: None })
        }
        12 => new_address_group(seed, topology, bounds),
        13 | 14 => change_address_group(seed, topology),
        _ => change_groups_of_port(seed, topology),
    }
}

fn any_group<'a>(seed: &mut Seed, topology: &'a Topology) -> Option<&'a SecurityGroup> {
    let all: Vec<SecurityGroupId> = topology.security_groups().map(|group| group.id).collect();
    topology.security_group(*seed.pick(&all)?).map(AsRef::as_ref)
}

fn any_address_group(seed: &mut Seed, topology: &Topology) -> Option<AddressGroupId> {
    let all: Vec<AddressGroupId> = topology.address_groups().map(|group| group.id).collect();
    seed.pick(&all).copied()
}

fn new_group(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    let owner = tenant(seed, bounds);
    if topology.security_groups().len() >= bounds.ports {
        return None;
    }
    let mut group = NewSecurityGroup::new(SecurityGroupId(uuid(seed)), owner);
    group.stateful = seed.chance(1, 4).then_some(false);
    command(Command::CreateSecurityGroups(vec![group]))
}

fn new_address_group(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    let owner = tenant(seed, bounds);
    if topology.address_groups().len() >= bounds.ports {
        return None;
    }
    let mut group = NewAddressGroup::new(AddressGroupId(uuid(seed)), owner);
    group.addresses = Some((0..seed.below(3)).filter_map(|_| any_prefix(seed, topology)).collect());
    command(Command::CreateAddressGroups(vec![group]))
}

fn change_address_group(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let id = any_address_group(seed, topology)?;
    let there: Vec<IpNet> = topology.address_group(id)?.addresses.iter().copied().collect();
    let mut patch = AddressGroupPatch::default();
    if seed.chance(1, 2) {
        patch.add = any_prefix(seed, topology).into_iter().collect();
    } else {
        patch.remove = seed.pick(&there).copied().into_iter().collect();
    }
    if seed.chance(1, 8) {
        return command(Command::DeleteAddressGroup { id, if_revision: None });
    }
    command(Command::UpdateAddressGroup { id, patch, if_revision: None })
}

/// A prefix that many have, or the address of one port.
fn any_prefix(seed: &mut Seed, topology: &Topology) -> Option<IpNet> {
    if seed.chance(1, 2) {
        return seed.pick(&PREFIXES)?.parse().ok();
    }
    let fixed = &any_port(seed, topology)?.fixed_ips;
    seed.pick(fixed).map(|fixed| fixed.ip_address.into())
}

fn new_rule(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let group = any_group(seed, topology)?;
    let direction = if seed.chance(2, 3) { Direction::Ingress } else { Direction::Egress };
    let mut ethertype = if seed.chance(1, 2) { Ethertype::V4 } else { Ethertype::V6 };
    let remote = match seed.below(6) {
        0 | 1 => Remote::Anybody,
        2 => {
            let prefix = any_prefix(seed, topology)?;
            ethertype = if prefix.addr().is_ipv4() { Ethertype::V4 } else { Ethertype::V6 };
            Remote::Prefix(prefix)
        }
        3 => any_address_group(seed, topology).map(Remote::Addresses).unwrap_or_default(),
        _ => Remote::Group(any_group(seed, topology)?.id),
    };
    let icmp = if ethertype == Ethertype::V4 { ("icmp", 1) } else { ("ipv6-icmp", 58) };
    let words =
        [("tcp", 6), ("tcp", 6), ("udp", 17), ("udp", 17), icmp, icmp, ("sctp", 132), ("vrrp", 112), ("47", 47)];
    let protocol = seed.pick(&words).copied().filter(|_| seed.chance(4, 5));
    let range = match protocol {
        Some((_, 1)) => seed.pick(&[(Some(8), Some(0)), (Some(8), None), (Some(3), None), (None, None)]).copied(),
        Some((_, 58)) => seed.pick(&[(Some(128), Some(0)), (Some(128), None), (Some(1), None), (None, None)]).copied(),
        Some((_, 6 | 17 | 132)) if seed.chance(4, 5) => seed.pick(&RANGES).map(|(low, high)| (Some(*low), Some(*high))),
        _ => None,
    };
    let (port_range_min, port_range_max) = range.unwrap_or_default();
    command(Command::CreateSecurityGroupRules(vec![NewSecurityGroupRule {
        id: SecurityGroupRuleId(uuid(seed)),
        security_group_id: group.id,
        project_id: group.project_id.clone(),
        description: None,
        direction,
        ethertype,
        protocol: protocol.map(|(word, number)| Protocol { number, word: word.to_owned() }),
        port_range_min,
        port_range_max,
        remote,
    }]))
}

/// Groups of one kind, stateful or not: a port cannot have both.
fn change_groups_of_port(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let stateful = seed.chance(3, 4);
    let fitting: Vec<SecurityGroupId> = topology
        .security_groups()
        .filter(|group| group.stateful == stateful && group.project_id == port.project_id)
        .map(|group| group.id)
        .collect();
    let count = seed.below(4);
    let groups: BTreeSet<SecurityGroupId> = (0..count).filter_map(|_| seed.pick(&fitting).copied()).collect();
    let patch = PortPatch { security_groups: Some(groups.into_iter().collect()), ..PortPatch::default() };
    command(Command::UpdatePort { id: port.id, patch: Box::new(patch), if_revision: None })
}
