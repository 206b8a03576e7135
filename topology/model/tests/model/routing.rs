//! What routers connect.

use crate::cloud::{Cloud, exactly, ip, prt};
use crate::router::{route, rtr};
use weir_model::{
    Command, Limits, LoadError, NetworkId, NewRouter, OldInterface, Port, PortPatch, Record, RecordKey, Router,
    RouterId, RouterPatch, Topology,
};

impl Cloud {
    fn near(&self, network: NetworkId) -> Vec<NetworkId> {
        self.topology.near(network).into_iter().collect()
    }

    fn domain(&self, network: NetworkId) -> u32 {
        self.topology.domain(self.topology.network(network).expect("made")).0
    }
}

#[test]
fn an_address_leads_to_who_has_it() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let (network, subnet) = cloud.lan("10.0.0.0/24");
    let interface = cloud.connect(id, subnet);
    let port = cloud.port_at(network, vec![exactly("10.0.0.9")]);
    let (other, _) = cloud.lan("10.0.1.0/24");
    let topology = &cloud.topology;
    assert_eq!(topology.port_at(network, ip("10.0.0.9")), Some(&port));
    assert_eq!(topology.port_at(network, ip("10.0.0.1")), Some(&interface));
    assert_eq!(topology.interface_at(network, ip("10.0.0.9")), None);
    for (network, address) in [(network, "10.0.0.8"), (network, "10.0.1.1"), (other, "10.0.0.9"), (network, "fd00::1")]
    {
        assert_eq!(topology.port_at(network, ip(address)), None);
    }
}

#[test]
fn a_router_joins_the_networks_of_its_interfaces() {
    let mut cloud = Cloud::default();
    let ((a, in_a), (b, in_b), (c, in_c)) =
        (cloud.lan("10.0.0.0/24"), cloud.lan("10.0.1.0/24"), cloud.lan("10.0.2.0/24"));
    assert_eq!((cloud.near(a), cloud.domain(c)), (vec![a], 3));
    let id = cloud.router();
    cloud.connect(id, in_c);
    cloud.connect(id, in_b);
    assert_eq!((cloud.near(b), cloud.near(c), cloud.near(a)), (vec![b, c], vec![b, c], vec![a]));
    assert_eq!([a, b, c].map(|network| cloud.domain(network)), [1, 2, 2]);
    cloud.connect(id, in_a);
    assert_eq!(cloud.near(c), [a, b, c]);
    assert_eq!([a, b, c].map(|network| cloud.domain(network)), [1, 1, 1]);
    cloud.update_router(id, RouterPatch { admin_state_up: Some(false), ..RouterPatch::default() });
    assert_eq!(cloud.near(c), [a, b, c], "what is down is filtered by flows");
    cloud.remove(id, OldInterface::Subnet(in_a));
    assert_eq!([a, b, c].map(|network| cloud.domain(network)), [1, 2, 2]);
    cloud.remove(id, OldInterface::Subnet(in_b));
    assert_eq!([a, b, c].map(|network| cloud.domain(network)), [1, 2, 3]);
    assert_eq!(cloud.near(c), [c]);
}

#[test]
fn a_chain_of_routers_is_near_where_routes_lead() {
    let mut cloud = Cloud::default();
    let ((red, in_red), (transit, in_transit), (blue, in_blue), (far, in_far)) =
        (cloud.lan("10.1.0.0/24"), cloud.lan("10.0.0.0/24"), cloud.lan("10.2.0.0/24"), cloud.lan("10.3.0.0/24"));
    let (one, two) = (cloud.router(), cloud.router());
    cloud.connect(one, in_red);
    cloud.connect(one, in_transit);
    let port = cloud.port_at(transit, vec![exactly("10.0.0.2")]).id;
    cloud.attach(two, port);
    cloud.connect(two, in_blue);
    cloud.connect(two, in_far);
    assert_eq!([red, transit, blue, far].map(|network| cloud.domain(network)), [1; 4]);
    assert_eq!(cloud.near(red), [red, transit]);
    assert_eq!(cloud.near(transit), [red, transit, blue, far]);
    cloud.route(one, vec![route("10.2.0.0/24", "10.0.0.2")]);
    assert_eq!(cloud.near(red), [red, transit, blue, far]);
    assert_eq!(cloud.near(blue), [red, transit, blue, far], "the way back is told as well");
    cloud.route(one, vec![route("10.2.0.0/24", "10.0.0.3")]);
    assert_eq!(cloud.near(blue), [transit, blue, far], "nobody has the address of the route");
    cloud.route(one, Vec::new());
    cloud.route(two, vec![route("10.1.0.0/24", "10.0.0.1")]);
    assert_eq!(cloud.near(blue), [red, transit, blue, far]);
}

#[test]
fn a_chain_is_as_long_as_its_routes() {
    let mut cloud = Cloud::default();
    let lans: Vec<_> = (0..5).map(|at| cloud.lan(&format!("10.{at}.0.0/24"))).collect();
    let mut routers = Vec::new();
    for pair in lans.windows(2) {
        let router = cloud.router();
        cloud.connect(router, pair[1].1);
        let port = cloud.port_at(pair[0].0, vec![exactly(&format!("10.{}.0.2", routers.len()))]).id;
        cloud.attach(router, port);
        routers.push(router);
    }
    for (at, router) in routers[..3].iter().enumerate() {
        cloud.route(*router, vec![route("10.99.0.0/16", &format!("10.{}.0.2", at + 1))]);
    }
    let networks: Vec<_> = lans.iter().map(|(network, _)| *network).collect();
    assert_eq!(cloud.near(networks[0]), networks);
    assert_eq!(cloud.near(networks[4]), networks);
    cloud.route(routers[1], Vec::new());
    assert_eq!(cloud.near(networks[0]), networks[..3]);
    assert_eq!(cloud.near(networks[4]), networks[2..]);
    assert!(networks.iter().all(|network| cloud.domain(*network) == 1), "domains do not ask for routes");
    let (_, subnets) = cloud.remove(routers[1], OldInterface::Subnet(lans[1].1));
    assert_eq!(subnets, [lans[1].1]);
    let domains: Vec<_> = networks.iter().map(|network| cloud.domain(*network)).collect();
    assert_eq!(domains, [1, 1, 3, 3, 3]);
}

#[test]
fn a_network_of_services_is_near_to_all_who_share_it() {
    let mut cloud = Cloud::default();
    let (services, in_services) = cloud.lan("192.168.0.0/24");
    let mut tenants = Vec::new();
    for at in 0..4 {
        let (network, subnet) = cloud.lan("10.0.0.0/24");
        let router = cloud.router();
        cloud.connect(router, subnet);
        let port = cloud.port_at(services, vec![exactly(&format!("192.168.0.{}", at + 10))]).id;
        cloud.attach(router, port);
        tenants.push((network, router));
    }
    let mut all: Vec<_> = tenants.iter().map(|(network, _)| *network).chain([services]).collect();
    all.sort();
    assert_eq!(cloud.near(services), all);
    for (network, _) in &tenants {
        assert_eq!(cloud.near(*network), [services, *network], "tenants are not near to each other");
        assert_eq!(cloud.domain(*network), 1);
    }
    assert_eq!(cloud.topology.routers_on(services).len(), 4);
    cloud.route(tenants[0].1, vec![route("172.16.0.0/16", "192.168.0.13")]);
    assert_eq!(cloud.near(tenants[0].0), [services, tenants[0].0, tenants[3].0]);
    assert_eq!(cloud.near(tenants[3].0), [services, tenants[0].0, tenants[3].0]);
    cloud.route(tenants[0].1, Vec::new());
    for (_, router) in &tenants {
        cloud.remove(*router, OldInterface::Subnet(in_services));
    }
    let domains: Vec<_> = tenants.iter().map(|(network, _)| cloud.domain(*network)).collect();
    assert_eq!((domains, cloud.near(services)), (vec![2, 3, 4, 5], vec![services]));
}

#[test]
fn chains_are_of_ipv6_too() {
    let mut cloud = Cloud::default();
    let ((red, in_red), (transit, in_transit), (blue, in_blue)) =
        (cloud.lan("fd00:1::/64"), cloud.lan("fd00::/64"), cloud.lan("fd00:2::/64"));
    let (one, two) = (cloud.router(), cloud.router());
    cloud.connect(one, in_red);
    cloud.connect(one, in_transit);
    let port = cloud.port_at(transit, vec![exactly("fd00::2")]).id;
    cloud.attach(two, port);
    cloud.connect(two, in_blue);
    cloud.route(one, vec![route("fd00:2::/64", "fd00::2")]);
    assert_eq!(cloud.near(red), [red, transit, blue]);
    assert_eq!(cloud.near(blue), [red, transit, blue]);
}

#[test]
fn tenants_with_the_same_addresses_are_not_near_to_each_other() {
    let mut cloud = Cloud::default();
    let mut tenants: Vec<(RouterId, [NetworkId; 3])> = Vec::new();
    for _ in 0..4 {
        let ((red, in_red), (transit, in_transit), (blue, in_blue)) =
            (cloud.lan("10.1.0.0/24"), cloud.lan("10.0.0.0/24"), cloud.lan("10.2.0.0/24"));
        let (one, two) = (cloud.router(), cloud.router());
        cloud.connect(one, in_red);
        cloud.connect(one, in_transit);
        let port = cloud.port_at(transit, vec![exactly("10.0.0.2")]).id;
        cloud.attach(two, port);
        cloud.connect(two, in_blue);
        cloud.route(one, vec![route("10.2.0.0/24", "10.0.0.2")]);
        tenants.push((one, [red, transit, blue]));
    }
    for (_, networks) in &tenants {
        assert!(networks.iter().all(|network| cloud.near(*network) == networks));
    }
    cloud.route(tenants[0].0, Vec::new());
    for (at, (_, networks)) in tenants.iter().enumerate() {
        let expected = if at == 0 { &networks[1..] } else { &networks[..] };
        assert_eq!(cloud.near(networks[2]), expected);
    }
}

#[test]
fn records_of_routers_that_contradict_each_other_are_refused() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let (_, subnet) = cloud.lan("10.0.0.0/24");
    let port = cloud.connect(id, subnet);
    let topology = &cloud.topology;
    let load = |records: Vec<Record>| Topology::load(Limits::default(), records.into_iter(), topology.revision());
    let records: Vec<Record> = topology.records().collect();
    assert_eq!(load(records.clone()).as_ref(), Ok(topology));
    let mut twin = Router::clone(topology.router(id).expect("made"));
    twin.id = rtr(99);
    let with = |record: Record| load(records.iter().cloned().chain([record]).collect());
    assert_eq!(with(Record::Router(twin.into())), Err(LoadError::Number { record: RecordKey::Router(rtr(99)) }));
    let mut stray = Port::clone(&port);
    stray.id = prt(99);
    stray.key.0 = 99;
    stray.mac_address.0[5] ^= 0xff;
    stray.fixed_ips.clear();
    stray.device_id = "not a router".into();
    let loaded = with(Record::Port(stray.into())).expect("a device that can be no router is none");
    assert_eq!(loaded.interfaces_of(id).count(), 1);
}

#[test]
fn a_port_of_an_older_version_that_names_no_router_is_no_interface() {
    let mut cloud = Cloud::default();
    let gone = cloud.router();
    let (network, subnet) = cloud.lan("10.0.0.0/24");
    let port = cloud.connect(gone, subnet);
    let records = cloud.topology.records().filter(|record| record.key() != RecordKey::Router(gone));
    let records: Vec<Record> = records.collect();
    let loaded = Topology::load(Limits::default(), records.into_iter(), cloud.topology.revision());
    cloud.topology = loaded.expect("what an older version wrote");
    let none = |cloud: &Cloud| {
        let topology = &cloud.topology;
        assert_eq!((topology.interfaces_of(gone).count(), topology.interfaces_on(network).count()), (0, 0));
        assert_eq!(topology.port(port.id).and_then(|port| topology.router_of(port)), None);
        assert_eq!(topology.interface_at(network, port.fixed_ips[0].ip_address), None);
        assert!(topology.routers_on(network).is_empty());
    };
    none(&cloud);
    let create = Command::CreateRouters(vec![NewRouter::new(gone, "alpha".into())]);
    let refused = cloud.refused(create.clone());
    assert_eq!((refused.0, refused.1), ("Conflict", 409), "nothing becomes an interface unseen: {}", refused.2);
    none(&cloud);
    let other = cloud.router();
    let update = |patch: PortPatch| Command::UpdatePort { id: port.id, patch: Box::new(patch), if_revision: None };
    for router in [other, rtr(99)] {
        let patch = PortPatch { device_id: Some(router.to_string()), ..PortPatch::default() };
        assert_eq!(cloud.refused(update(patch)).0, "UnsupportedPortDeviceOwner");
    }
    cloud.done(update(PortPatch { name: Some("old".into()), ..PortPatch::default() }));
    none(&cloud);
    cloud.done(update(PortPatch { device_id: Some(String::new()), ..PortPatch::default() }));
    cloud.done(create);
    none(&cloud);
    cloud.done(Command::DeletePort { id: port.id, if_revision: None });
}
