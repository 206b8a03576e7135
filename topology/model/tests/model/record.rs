//! Records as they are kept.

use crate::cloud::{Cloud, fact, host};
use weir_model::{Command, Counters, Ipv6Mode, Limits, LoadError, NewAddressPair, Record, RecordKey, Topology};

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
    assert_eq!(keys.len(), 7);
    assert_eq!(keys[6], RecordKey::Counters);
}

#[test]
fn the_form_of_a_record_is_fixed() {
    let counters = Record::Counters(Counters { network: 1, port: 2, host: 3, vni: 4, ..Counters::default() });
    assert_eq!(
        serde_json::to_string(&counters).expect("records have a text"),
        concat!(
            r#"{"counters":{"network":1,"port":2,"host":3,"vni":4,"#,
            r#""router":0,"group":0,"rule":0,"set":0,"address_group":0}}"#
        )
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
    let mut port = weir_model::Port::clone(&ports[1]);
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
