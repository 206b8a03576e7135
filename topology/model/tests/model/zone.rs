//! Conntrack zones of hypervisors.

use crate::cloud::{Cloud, fact, host, patched};
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_model::{
    Change, Command, HostKey, Limits, NetworkId, NetworkKey, Outcome, Port, PortPatch, Record, Topology, Zone, Zones,
};

fn bound(cloud: &mut Cloud, network: NetworkId, at: &str) -> Arc<Port> {
    let mut new = cloud.new_port(network);
    new.binding_host = Some(host(at));
    cloud.create_port(new)
}

fn gone(cloud: &mut Cloud, port: &Port) {
    cloud.done(Command::DeletePort { id: port.id, if_revision: None });
}

fn changed(cloud: &Cloud) -> bool {
    cloud.commit.changes.iter().any(|change| matches!(change, Change::Zones(_)))
}

/// Zones by network, and those that wait to be flushed.
fn zones(cloud: &Cloud, host: u32) -> (Vec<(u32, u32)>, Vec<u32>) {
    let zones = cloud.topology.zones_of(HostKey(host)).expect("the hypervisor has had zones");
    let of = zones.of.iter().map(|(network, zone)| (network.0, zone.0)).collect();
    (of, zones.unflushed.iter().map(|zone| zone.0).collect())
}

fn flushed(cloud: &mut Cloud, host: u32, zones: &[u32]) {
    let zones: BTreeSet<_> = zones.iter().map(|zone| Zone(*zone)).collect();
    assert_eq!(cloud.done(Command::ZonesFlushed { host: HostKey(host), zones }), Outcome::Done);
}

#[test]
fn a_network_has_a_zone_where_it_has_bound_ports() {
    let mut cloud = Cloud::default();
    let (red, blue) = (cloud.network(), cloud.network());
    cloud.hypervisor("h1", 1);
    assert_eq!(cloud.topology.zones().len(), 0);
    let first = bound(&mut cloud, red, "h1");
    assert!(changed(&cloud));
    assert_eq!(cloud.topology.zone(HostKey(1), NetworkKey(1)), Some(Zone(1)));
    let second = bound(&mut cloud, red, "h1");
    assert!(!changed(&cloud));
    bound(&mut cloud, blue, "h1");
    assert_eq!(zones(&cloud, 1), (vec![(1, 1), (2, 2)], vec![]));
    gone(&mut cloud, &first);
    assert!(!changed(&cloud));
    gone(&mut cloud, &second);
    assert_eq!(zones(&cloud, 1), (vec![(2, 2)], vec![1]));
    bound(&mut cloud, red, "h1");
    assert_eq!(zones(&cloud, 1), (vec![(1, 3), (2, 2)], vec![1]), "the old one may hold connections");
    flushed(&mut cloud, 1, &[1, 2, 77]);
    assert_eq!(zones(&cloud, 1), (vec![(1, 3), (2, 2)], vec![]), "one in use is not given back");
    flushed(&mut cloud, 1, &[1]);
    flushed(&mut cloud, 9, &[1]);
    assert!(cloud.commit.changes.is_empty());
}

#[test]
fn zones_follow_ports_from_one_hypervisor_to_another() {
    let mut cloud = Cloud::default();
    let red = cloud.network();
    cloud.hypervisor("h1", 1);
    cloud.hypervisor("h2", 2);
    let port = bound(&mut cloud, red, "h1");
    let moved = PortPatch { binding_host: Some(Some(host("h2"))), ..PortPatch::default() };
    cloud.done(patched(port.id, moved));
    assert_eq!((zones(&cloud, 1), zones(&cloud, 2)), ((vec![], vec![1]), (vec![(1, 1)], vec![])));
}

#[test]
fn zones_follow_the_names_of_hypervisors() {
    let mut cloud = Cloud::default();
    let (red, blue) = (cloud.network(), cloud.network());
    bound(&mut cloud, red, "h1");
    bound(&mut cloud, blue, "id-of-h1");
    assert_eq!(cloud.topology.zones().len(), 0);
    cloud.hypervisor("h1", 1);
    assert_eq!(zones(&cloud, 1), (vec![(1, 1), (2, 2)], vec![]), "ports may be bound before it is known");
    let mut renamed = fact("h2", 1);
    renamed.system_id = "id-of-h1".into();
    cloud.done(Command::ObserveHypervisor(renamed));
    assert_eq!(zones(&cloud, 1), (vec![(2, 2)], vec![1]));
    cloud.done(Command::ForgetHypervisor(host("h2")));
    assert_eq!(cloud.topology.zones_of(HostKey(1)), None);
}

#[test]
fn zones_are_given_around_and_none_before_it_is_flushed() {
    let mut cloud = Cloud::default();
    let red = cloud.network();
    cloud.hypervisor("h1", 1);
    let port = bound(&mut cloud, red, "h1");
    gone(&mut cloud, &port);
    let records = cloud.topology.records().map(|record| match record {
        Record::Zones(zones) => {
            let unflushed = (1..=Zone::MAX).map(Zone).collect();
            Record::Zones(Arc::new(Zones { unflushed, last: Zone::MAX - 1, ..(*zones).clone() }))
        }
        other => other,
    });
    let revision = cloud.topology.revision();
    cloud.topology = Topology::load(Limits::default(), records, revision).expect("it opens");
    let mut new = cloud.new_port(red);
    new.binding_host = Some(host("h1"));
    let full = ("ResourceExhausted", 503, "No number is left for another conntrack zone.".to_owned());
    assert_eq!(cloud.refused(Command::CreatePorts(vec![new.clone()])), full);
    flushed(&mut cloud, 1, &[7]);
    cloud.create_port(new);
    assert_eq!(cloud.topology.zone(HostKey(1), NetworkKey(1)), Some(Zone(7)));
    flushed(&mut cloud, 1, &[7, 3, 8]);
    let blue = cloud.network();
    bound(&mut cloud, blue, "h1");
    assert_eq!(cloud.topology.zone(HostKey(1), NetworkKey(2)), Some(Zone(8)), "after the one given last");
}
