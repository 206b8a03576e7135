//! Random commands about security groups, and what holds of groups, sets and zones after each.

use crate::cloud::{agr, grp, rul};
use crate::property::{PROJECTS, rarely};
use ipnet::IpNet;
use proptest::collection::{btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_model::{
    AddressGroupPatch, Command, Direction, Ethertype, HostKey, HostName, NewAddressGroup, NewSecurityGroup,
    NewSecurityGroupRule, Port, Protocol, Remote, SecurityGroupId, SecurityGroupPatch, SecurityGroupRuleId, SetKey,
    Topology, Zone,
};

const GROUPS: u128 = 4;
const RULES: u128 = 6;
const ADDRESS_GROUPS: u128 = 2;

fn group() -> impl Strategy<Value = SecurityGroupId> {
    (1..=GROUPS).prop_map(grp)
}

pub(crate) fn groups() -> impl Strategy<Value = Vec<SecurityGroupId>> {
    vec(group(), 0..3)
}

fn prefixes() -> impl Strategy<Value = BTreeSet<IpNet>> {
    let prefix = (0_u8..3, 0_u8..4, 24_u8..=26)
        .prop_map(|(third, last, length)| IpNet::new([10, 0, third, last].into(), length).expect("a length of IPv4"));
    btree_set(prefix, 0..3)
}

fn rule() -> impl Strategy<Value = NewSecurityGroupRule> {
    let remote = prop_oneof![
        1 => Just(Remote::Anybody),
        3 => group().prop_map(Remote::Group),
        2 => (1..=ADDRESS_GROUPS).prop_map(|id| Remote::Addresses(agr(id))),
    ];
    ((1..=RULES).prop_map(rul), group(), 0_usize..2, any::<bool>(), rarely(80_u16..82), remote).prop_map(
        |(id, security_group_id, project, ingress, port, remote)| NewSecurityGroupRule {
            id,
            security_group_id,
            project_id: PROJECTS[project].into(),
            description: None,
            direction: if ingress { Direction::Ingress } else { Direction::Egress },
            ethertype: Ethertype::V4,
            protocol: Some(Protocol { number: 6, word: "tcp".into() }),
            port_range_min: port,
            port_range_max: port,
            remote,
        },
    )
}

fn address_group_commands() -> impl Strategy<Value = Command> {
    let id = || (1..=ADDRESS_GROUPS).prop_map(agr);
    prop_oneof![
        2 => (id(), of(prefixes())).prop_map(|(id, addresses)| {
            let new = NewAddressGroup { addresses, ..NewAddressGroup::new(id, PROJECTS[0].into()) };
            Command::CreateAddressGroups(vec![new])
        }),
        3 => (id(), prefixes(), prefixes()).prop_map(|(id, add, remove)| {
            let patch = AddressGroupPatch { add, remove, ..AddressGroupPatch::default() };
            Command::UpdateAddressGroup { id, patch, if_revision: None }
        }),
        1 => id().prop_map(|id| Command::DeleteAddressGroup { id, if_revision: None }),
    ]
}

pub(crate) fn security_commands() -> impl Strategy<Value = Command> {
    let new = (group(), 0_usize..2, rarely(any::<bool>())).prop_map(|(id, project, stateful)| NewSecurityGroup {
        stateful,
        ..NewSecurityGroup::new(id, PROJECTS[project].into())
    });
    let patch = (of(any::<bool>()), of(Just("renamed".to_owned()))).prop_map(|(stateful, name)| SecurityGroupPatch {
        stateful,
        name,
        ..SecurityGroupPatch::default()
    });
    let flushed = btree_set((1_u32..12).prop_map(Zone), 0..6);
    prop_oneof![
        4 => vec(new, 1..3).prop_map(Command::CreateSecurityGroups),
        2 => (group(), patch, rarely(0_u64..4)).prop_map(|(id, patch, if_revision)| {
            Command::UpdateSecurityGroup { id, patch, if_revision }
        }),
        2 => group().prop_map(|id| Command::DeleteSecurityGroup { id, if_revision: None }),
        4 => vec(rule(), 1..2).prop_map(Command::CreateSecurityGroupRules),
        1 => (1..=RULES).prop_map(|id| Command::DeleteSecurityGroupRule { id: rul(id), if_revision: None }),
        1 => (0_usize..2).prop_map(|at| Command::EnsureDefaultSecurityGroup(PROJECTS[at].into())),
        3 => address_group_commands(),
        2 => (1_u32..5, flushed).prop_map(|(host, zones)| Command::ZonesFlushed { host: HostKey(host), zones }),
    ]
}

fn named(port: &Port) -> BTreeSet<SecurityGroupId> {
    port.security_groups.iter().copied().collect()
}

/// Compares sets and what is known of them with what the ports say.
fn check_sets(topology: &Topology) {
    let mut ports: BTreeMap<BTreeSet<SecurityGroupId>, BTreeSet<_>> = BTreeMap::new();
    let mut bound: BTreeMap<(SetKey, HostName), u32> = BTreeMap::new();
    for port in topology.ports() {
        let set = topology.set_of(port);
        assert_eq!(set.is_some(), port.port_security_enabled, "{port:?}");
        assert!(port.security_groups.is_empty() || port.port_security_enabled, "{port:?}");
        assert!(port.security_groups.iter().all(|group| topology.security_group(*group).is_some()), "{port:?}");
        let trusted = port.device_owner.starts_with("network:");
        assert!(!(trusted && port.port_security_enabled), "{port:?}");
        let Some(set) = set else {
            continue;
        };
        assert_eq!(set.groups, named(port));
        ports.entry(named(port)).or_default().insert(port.id);
        if let Some(host) = topology.bound_host(port) {
            *bound.entry((set.key, host.name.clone())).or_default() += 1;
        }
    }
    let made: BTreeSet<_> = topology.security_sets().map(|set| set.groups.clone()).collect();
    assert_eq!(made.len(), topology.security_sets().len());
    assert_eq!(made, ports.keys().cloned().collect());
    for set in topology.security_sets() {
        let of: BTreeSet<_> = topology.ports_of_set(set.key).map(|port| port.id).collect();
        assert_eq!(of, ports[&set.groups]);
        let states: BTreeSet<_> =
            set.groups.iter().filter_map(|id| topology.security_group(*id)).map(|it| it.stateful).collect();
        assert!(states.len() < 2);
        assert_eq!(topology.is_stateful(set), !states.contains(&false));
        let hosts = bound.iter().filter(|((key, _), _)| *key == set.key);
        let hosts: Vec<_> = hosts.map(|((_, host), count)| (host, *count)).collect();
        assert_eq!(topology.hosts_of_set(set.key).collect::<Vec<_>>(), hosts);
    }
    for hypervisor in topology.hypervisors() {
        let on = bound.iter().filter(|((_, host), _)| *host == hypervisor.name);
        let on: Vec<_> = on.map(|((key, _), count)| (*key, *count)).collect();
        assert_eq!(topology.sets_on(&hypervisor.name).collect::<Vec<_>>(), on);
        for (set, count) in on {
            assert_eq!(topology.bound_count_of_set(set, &hypervisor.name), count);
        }
    }
}

fn check_groups(topology: &Topology) {
    let rules: Vec<_> = topology.security_group_rules().cloned().collect();
    for rule in &rules {
        assert!(topology.security_group(rule.security_group_id).is_some(), "{rule:?}");
        assert_eq!(topology.rule_by_key(rule.key), Some(rule));
    }
    let keys_of = |of: &dyn Fn(&Remote) -> bool| {
        let naming: BTreeSet<_> = rules.iter().filter(|rule| of(&rule.remote)).map(|it| it.security_group_id).collect();
        let sets = topology.security_sets().filter(|set| !set.groups.is_disjoint(&naming));
        sets.map(|set| set.key).collect::<Vec<_>>()
    };
    for group in topology.security_groups() {
        let id = group.id;
        assert_eq!(topology.security_group_by_key(group.key), Some(group));
        let expected: Vec<_> = rules.iter().filter(|rule| rule.security_group_id == id).collect();
        assert_eq!(topology.rules_of(id).collect::<Vec<_>>(), expected);
        let expected: Vec<_> = rules.iter().filter(|rule| rule.remote == Remote::Group(id)).collect();
        assert_eq!(topology.rules_by_remote(id).collect::<Vec<_>>(), expected);
        let naming = keys_of(&|remote| *remote == Remote::Group(id));
        assert_eq!(topology.sets_naming(id).map(|set| set.key).collect::<Vec<_>>(), naming);
        let having: Vec<&Arc<Port>> = topology.ports().filter(|port| port.security_groups.contains(&id)).collect();
        let of: BTreeSet<_> = topology.ports_of_group(id).map(|port| port.id).collect();
        assert_eq!(topology.ports_of_group(id).count(), of.len());
        assert_eq!(of, having.iter().map(|port| port.id).collect());
        let own = having.iter().flat_map(|port| &port.fixed_ips).map(|fixed| IpNet::from(fixed.ip_address));
        let pairs = having.iter().flat_map(|port| &port.allowed_address_pairs).map(|pair| pair.ip_address);
        let addresses: BTreeSet<_> = own.chain(pairs).collect();
        let known: Vec<_> = topology.addresses_of_group(id).collect();
        assert_eq!(known, addresses.into_iter().collect::<Vec<_>>());
        assert!(known.iter().all(|address| topology.is_address_of_group(id, *address)));
    }
    for group in topology.address_groups() {
        let remote = Remote::Addresses(group.id);
        assert_eq!(topology.address_group_by_key(group.key), Some(group));
        let naming = keys_of(&|other| *other == remote);
        assert_eq!(topology.sets_naming_addresses(group.id).map(|set| set.key).collect::<Vec<_>>(), naming);
    }
    for project in PROJECTS {
        let of = topology.security_groups().filter(|it| it.project_id.as_str() == project);
        assert_eq!(topology.security_groups_of_project(project).collect::<Vec<_>>(), of.collect::<Vec<_>>());
        let default = topology.default_security_group(project);
        let named = topology.security_groups_of_project(project).find(|it| it.name == "default");
        assert_eq!(default, named);
    }
}

/// A hypervisor has zones for what is bound there, each its own, and none that waits to be flushed.
fn check_zones(topology: &Topology) {
    for zones in topology.zones() {
        assert!(topology.hypervisor_by_key(zones.host).is_some(), "{zones:?}");
        let given: BTreeSet<_> = zones.of.values().chain(&zones.unflushed).collect();
        assert_eq!(given.len(), zones.of.len() + zones.unflushed.len(), "{zones:?}");
        assert!(given.iter().all(|zone| (1..=Zone::MAX).contains(&zone.0)));
    }
    for hypervisor in topology.hypervisors() {
        let mut expected = BTreeSet::new();
        for (network, _) in topology.networks_on(&hypervisor.name) {
            let network = topology.network(network).expect("ports are on networks");
            expected.extend([network.key, topology.domain(network)]);
        }
        let zones = topology.zones_of(hypervisor.key);
        let of: BTreeSet<_> = zones.iter().flat_map(|zones| zones.of.keys()).copied().collect();
        assert_eq!(of, expected);
        for network in expected {
            assert!(topology.zone(hypervisor.key, network).is_some());
        }
    }
}

/// What a commit may do to the zones of a hypervisor that stays.
pub(crate) fn check_zones_after(before: &Topology, after: &Topology, flushes: bool) {
    for old in before.zones() {
        let Some(new) = after.zones_of(old.host) else {
            assert_eq!(after.hypervisor_by_key(old.host), None);
            continue;
        };
        for (network, zone) in &new.of {
            assert!(!old.unflushed.contains(zone) || flushes, "{old:?} {new:?}");
            match old.of.get(network) {
                Some(kept) => assert_eq!(kept, zone, "a network keeps its zone"),
                None => assert!(!old.of.values().any(|other| other == zone), "{old:?} {new:?}"),
            }
        }
        let lost = old.of.iter().filter(|(network, _)| !new.of.contains_key(network));
        assert!(lost.into_iter().all(|(_, zone)| new.unflushed.contains(zone)), "{old:?} {new:?}");
        assert!(flushes || old.unflushed.is_subset(&new.unflushed), "{old:?} {new:?}");
    }
}

/// The rules of a set.
fn rules(topology: &Topology, set: SetKey) -> BTreeSet<SecurityGroupRuleId> {
    let groups = topology.security_set(set).into_iter().flat_map(|set| &set.groups);
    groups.flat_map(|group| topology.rules_of(*group)).map(|rule| rule.id).collect()
}

/// What a commit may do to the generations of sets.
pub(crate) fn check_generations_after(before: &Topology, after: &Topology) {
    let given: BTreeSet<_> = after.security_sets().map(|set| set.generation.expect("every set has one")).collect();
    assert_eq!(given.len(), after.security_sets().len(), "no two sets share a generation");
    let known = before.counters().generation;
    for new in after.security_sets() {
        let generation = new.generation.expect("every set has one").0;
        match before.security_set(new.key) {
            Some(old) if rules(before, new.key).is_subset(&rules(after, new.key)) => assert_eq!(old, new),
            _ => assert!(generation > known && generation <= after.counters().generation, "{new:?} {known}"),
        }
    }
}

pub(crate) fn check_security(topology: &Topology) {
    check_sets(topology);
    check_groups(topology);
    check_zones(topology);
}
