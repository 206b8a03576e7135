//! Records as they are kept.

use crate::cloud::{Cloud, agr, fact, host, project};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    AddressGroup, AddressGroupId, Command, Commit, Counters, Ipv6Mode, Limits, LoadError, NetworkKey, NewAddressGroup,
    NewAddressPair, Port, Record, RecordKey, Remote, SecurityGroup, SecurityGroupId, SecurityGroupRule,
    SecurityGroupRuleId, SecuritySet, SetKey, Timestamp, Topology, Zone, Zones,
};

fn full() -> Cloud {
    let mut cloud = Cloud::default();
    let mut network = cloud.new_network();
    network.tags = Some(["blue".to_owned()].into());
    let network = cloud.create_network(network).id;
    let mut subnet = cloud.new_subnet(network, "fd00::/64");
    subnet.ipv6_address_mode = Some(Ipv6Mode::Slaac);
    cloud.create_subnet(subnet);
    cloud.subnet(network, "10.0.0.0/24");
    cloud.done(Command::ObserveHypervisor(fact("h1", 1)));
    let mut port = cloud.new_port(network);
    port.binding_host = Some(host("h1"));
    let ip_address = "10.9.0.0/16".parse().expect("a test's prefix");
    port.allowed_address_pairs = Some(vec![NewAddressPair { ip_address, mac_address: None }]);
    cloud.create_port(port);
    cloud.port(network);
    let addresses = ["198.51.100.0/24".parse().expect("a test's prefix")].into();
    let group = NewAddressGroup { addresses: Some(addresses), ..NewAddressGroup::new(agr(900), project()) };
    cloud.done(Command::CreateAddressGroups(vec![group]));
    let default = cloud.topology.default_security_group("alpha").expect("made with the port").id;
    cloud.rule(default, |rule| rule.remote = Remote::Addresses(agr(900)));
    cloud
}

#[test]
fn records_survive_their_text_and_fields_of_later_versions() {
    for record in full().topology.records() {
        let text = serde_json::to_string(&record).expect("records have a text");
        let back: Record = serde_json::from_str(&text).expect("and are read back");
        assert_eq!(back, record);
        let (head, tail) = text.split_once(":{").expect("an object by kind");
        let later = format!("{head}:{{\"of_a_later_version\":[1,{{}}],{tail}");
        let back: Record = serde_json::from_str(&later).expect("unknown fields are passed over");
        assert_eq!(back, record);
    }
    let keys = full().topology.records().map(|record| record.key()).collect::<Vec<_>>();
    assert_eq!(keys.len(), 16, "two subnets and ports, four rules of one group, one of all others: {keys:?}");
    assert_eq!(keys[15], RecordKey::Counters);
}

#[test]
fn the_form_of_a_record_is_fixed() {
    let counters = Record::Counters(Counters {
        network: 1,
        port: 2,
        host: 3,
        vni: 4,
        router: 5,
        group: 6,
        rule: 7,
        set: 8,
        generation: 10,
        address_group: 9,
    });
    assert_eq!(
        serde_json::to_string(&counters).expect("records have a text"),
        r#"{"counters":{"network":1,"port":2,"host":3,"vni":4,"router":5,"group":6,"rule":7,"set":8,"generation":10,"address_group":9}}"#
    );
    let mut cloud = Cloud::default();
    cloud.network();
    let network = cloud.topology.records().next().expect("a network");
    assert_eq!(
        serde_json::to_value(network).expect("records have a text"),
        serde_json::json!({"network": {
            "id": "00000000-0000-0000-0000-000000000001", "key": 1, "project_id": "alpha",
            "name": "", "description": "", "admin_state_up": true, "mtu": 1450, "shared": false,
            "external": false, "port_security_enabled": true,
            "segment": {"type": "vxlan", "vni": 1}, "availability_zone_hints": [],
            "dns_domain": "", "tags": [], "created_at": 1, "updated_at": 1, "revision_number": 1,
        }})
    );
}

#[test]
fn records_in_any_order_make_the_same_topology() {
    let topology = full().topology;
    let mut records: Vec<Record> = topology.records().collect();
    records.reverse();
    let loaded = Topology::load(Limits::default(), records.into_iter(), topology.revision());
    assert_eq!(loaded, Ok(topology));
}

#[test]
fn records_that_contradict_each_other_are_refused() {
    let topology = full().topology;
    let records: Vec<Record> = topology.records().collect();
    let load = |records: Vec<Record>| {
        Topology::load(Limits::default(), records.into_iter(), topology.revision()).expect_err("a contradiction")
    };
    let without = |key: RecordKey| {
        let left = records.iter().filter(|record| record.key() != key);
        load(left.cloned().collect())
    };
    let network = topology.networks().next().expect("made").id;
    let subnets: Vec<_> = topology.subnets().cloned().collect();
    let ports: Vec<_> = topology.ports().cloned().collect();
    let record = RecordKey::Subnet(subnets[0].id);
    assert_eq!(without(RecordKey::Network(network)), LoadError::NoNetwork { record, network });
    assert_eq!(
        without(RecordKey::Subnet(subnets[1].id)),
        LoadError::NoSubnet { port: ports[0].id, subnet: subnets[1].id }
    );
    let with = |record: Record| load(records.iter().cloned().chain([record]).collect());
    let twice = Record::Port(ports[1].clone());
    assert_eq!(with(twice), LoadError::Twice(RecordKey::Port(ports[1].id)));
    let mut port = Port::clone(&ports[1]);
    port.id = crate::cloud::prt(99);
    assert_eq!(with(Record::Port(port.clone().into())), LoadError::PortKey { port: port.id, key: port.key });
    port.key.0 = 99;
    assert_eq!(with(Record::Port(port.clone().into())), LoadError::Address(port.id));
    port.mac_address.0[5] ^= 0xff;
    assert_eq!(with(Record::Port(port.clone().into())), LoadError::Address(port.id));
    let mut hypervisor = weir_model::Hypervisor::clone(topology.hypervisors().next().expect("seen"));
    hypervisor.key.0 = 9;
    assert_eq!(with(Record::Hypervisor(hypervisor.into())), LoadError::Hypervisor(host("h1")));
    let mut other = weir_model::Network::clone(topology.networks().next().expect("made"));
    other.id = crate::cloud::net(99);
    assert_eq!(
        with(Record::Network(other.clone().into())),
        LoadError::NetworkKey { network: other.id, key: other.key }
    );
    other.key.0 = 99;
    assert_eq!(
        with(Record::Network(other.clone().into())),
        LoadError::Vni { network: other.id, vni: weir_model::Vni(1) }
    );
}

#[test]
fn security_groups_that_contradict_each_other_are_refused() {
    let topology = full().topology;
    let records: Vec<Record> = topology.records().collect();
    let load = |records: Vec<Record>| {
        Topology::load(Limits::default(), records.into_iter(), topology.revision()).expect_err("a contradiction")
    };
    let without = |key: RecordKey| load(records.iter().filter(|record| record.key() != key).cloned().collect());
    let with = |record: Record| {
        let others = records.iter().filter(|other| other.key() != record.key());
        load(others.cloned().chain([record.clone()]).collect())
    };
    let group = topology.security_groups().next().expect("made").clone();
    let rule = topology.security_group_rules().next().expect("made").clone();
    let set = topology.security_sets().next().expect("made").clone();
    let zones = topology.zones().next().expect("made").clone();
    let port = topology.ports().next().expect("made").clone();
    let record = RecordKey::SecurityGroupRule(rule.id);
    let named = RecordKey::SecurityGroup(group.id);
    assert_eq!(without(named), LoadError::Dangling { record, named });
    let named = RecordKey::AddressGroup(agr(900));
    let naming = topology.rules_by_addresses(agr(900)).next().expect("made").id;
    assert_eq!(without(named), LoadError::Dangling { record: RecordKey::SecurityGroupRule(naming), named });
    let named = RecordKey::Hypervisor(zones.host);
    assert_eq!(without(named), LoadError::Dangling { record: RecordKey::Zones(zones.host), named });

    let other = Uuid::from_u128(u128::MAX);
    let number = |record: RecordKey| LoadError::Number { record };
    let twin = Record::SecurityGroup(Arc::new(SecurityGroup { id: SecurityGroupId(other), ..(*group).clone() }));
    assert_eq!(with(twin.clone()), number(twin.key()));
    let twin = SecurityGroupRule { id: SecurityGroupRuleId(other), ..(*rule).clone() };
    assert_eq!(
        with(Record::SecurityGroupRule(Arc::new(twin))),
        number(RecordKey::SecurityGroupRule(SecurityGroupRuleId(other)))
    );
    let twin =
        AddressGroup { id: AddressGroupId(other), ..(**topology.address_group(agr(900)).expect("made")).clone() };
    assert_eq!(with(Record::AddressGroup(Arc::new(twin))), number(RecordKey::AddressGroup(AddressGroupId(other))));

    let twin = SecuritySet { key: SetKey(9), groups: set.groups.clone(), generation: None };
    assert_eq!(with(Record::SecuritySet(Arc::new(twin))), LoadError::Set(SetKey(9)));
    let unused = SecuritySet { key: SetKey(9), groups: [].into(), generation: None };
    assert_eq!(with(Record::SecuritySet(Arc::new(unused.clone()))), LoadError::Set(SetKey(9)));
    let lost = SecuritySet { groups: [SecurityGroupId(other)].into(), ..unused };
    let named = RecordKey::SecurityGroup(SecurityGroupId(other));
    let record = RecordKey::SecuritySet(SetKey(9));
    assert_eq!(with(Record::SecuritySet(Arc::new(lost))), LoadError::Dangling { record, named });
    let record = RecordKey::Port(port.id);
    let lost = Port { security_groups: vec![SecurityGroupId(other)], ..(*port).clone() };
    assert_eq!(with(Record::Port(Arc::new(lost))), LoadError::Dangling { record, named });
    let open = Port { port_security_enabled: false, ..(*port).clone() };
    assert_eq!(with(Record::Port(Arc::new(open))), LoadError::Groups(port.id));
    let bare = Port { security_groups: Vec::new(), ..(*port).clone() };
    assert_eq!(with(Record::Port(Arc::new(bare))), LoadError::Groups(port.id), "there is no set of no groups");

    let network = topology.networks().next().expect("made").key;
    let spoilt = |spoil: fn(&mut Zones)| {
        let mut zones = Zones::clone(&zones);
        spoil(&mut zones);
        with(Record::Zones(Arc::new(zones)))
    };
    assert_eq!(zones.of, [(network, Zone(1))].into());
    for spoil in [
        (|it| it.unflushed = [Zone(1)].into()) as fn(&mut Zones),
        |it| it.unflushed = [Zone(0)].into(),
        |it| it.unflushed = [Zone(Zone::MAX + 1)].into(),
        |it| {
            it.of.insert(NetworkKey(77), Zone(5));
        },
    ] {
        assert_eq!(spoilt(spoil), LoadError::Zones(zones.host));
    }
}

/// The records as a version without security groups and zones wrote them.
fn old(topology: &Topology) -> Vec<Record> {
    let kept = topology.records().filter_map(|record| match record {
        Record::Port(port) => Some(Record::Port(Arc::new(Port { security_groups: Vec::new(), ..(*port).clone() }))),
        Record::Counters(it) => Some(Record::Counters(Counters { group: 0, rule: 0, set: 0, address_group: 0, ..it })),
        Record::Network(_) | Record::Subnet(_) | Record::Hypervisor(_) => Some(record),
        _ => None,
    });
    kept.collect()
}

#[test]
fn a_store_of_an_older_version_is_completed_once() {
    let mut cloud = full();
    let network = cloud.topology.networks().next().expect("made").id;
    let mut open = cloud.new_port(network);
    open.port_security_enabled = Some(false);
    let open = cloud.create_port(open);
    let mut own = cloud.new_port(network);
    own.device_owner = Some("network:dhcp".into());
    let own = cloud.create_port(own);
    let mut records = old(&cloud.topology);
    for record in &mut records {
        if let Record::Port(port) = record
            && port.id == own.id
        {
            *record = Record::Port(Arc::new(Port { port_security_enabled: true, ..(**port).clone() }));
        }
    }
    let load = |records: Vec<Record>| {
        Topology::load(Limits::default(), records.into_iter(), cloud.topology.revision()).expect("it opens")
    };
    let loaded = load(records);
    assert_eq!((loaded.security_sets().len(), loaded.zones().len()), (0, 0));
    let (completed, commit) = loaded.completed(Timestamp(77)).expect("numbers are left");
    assert_eq!(commit.revision.0, loaded.revision().0 + 1);
    let default = completed.default_security_group("alpha").expect("made").id;
    for port in completed.ports() {
        let expected = if port.id == open.id || port.id == own.id { vec![] } else { vec![default] };
        assert_eq!(port.security_groups, expected);
        assert_eq!(port.port_security_enabled, !expected.is_empty());
        assert_eq!(completed.set_of(port).is_some(), !expected.is_empty());
    }
    assert_eq!(completed.security_sets().len(), 1);
    let zones: Vec<_> = completed.zones().cloned().collect();
    assert_eq!(zones, cloud.topology.zones().cloned().collect::<Vec<_>>());
    let mut stored: BTreeMap<_, _> = loaded.records().map(|record| (record.key(), record)).collect();
    for (key, record) in commit.changes.iter().filter_map(weir_model::Change::record) {
        match record {
            Some(record) => stored.insert(key, record),
            None => stored.remove(&key),
        };
    }
    let again = Topology::load(Limits::default(), stored.into_values(), commit.revision).expect("it opens");
    assert_eq!(again, completed, "what was stored is what goes on");
    let (same, nothing) = again.completed(Timestamp(78)).expect("numbers are left");
    assert_eq!((same, nothing), (completed, Commit { revision: commit.revision, changes: Vec::new() }));
}
