//! What holds whatever is asked, in whatever order.

use crate::cloud::{grp, host, net, prt, sub};
use crate::security_property::{check_generations_after, check_security, check_zones_after, groups, security_commands};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use weir_model::{
    AllocationPool, Command, Counters, HypervisorFact, Ipv6Mode, Limits, Liveness, MacAddress, NetworkPatch,
    NewAddressPair, NewFixedIp, NewNetwork, NewPort, NewSecurityGroup, NewSubnet, Port, PortPatch, PortStatus, Record,
    RecordKey, Request, SecuritySet, Segment, SubnetPatch, Timestamp, Topology, Vif, VifType, Vni, VnicType, Zones,
};

const NETWORKS: u128 = 3;
const SUBNETS: u128 = 5;
const PORTS: u128 = 8;
const CIDRS: [&str; 6] = ["10.0.0.0/29", "10.0.0.8/30", "10.0.0.0/28", "fd00::/64", "fd01::/64", "10.9.0.0/8"];
const OWNERS: [&str; 5] = ["", "compute:nova", "network:dhcp", "network:router_interface", "network:distributed"];
const HOSTS: [&str; 6] = ["a", "b", "c", "id-of-a", "id-of-b", ""];
pub(crate) const PROJECTS: [&str; 2] = ["alpha", "beta"];

fn limits() -> Limits {
    Limits { vni_ranges: vec![1..=2, 7..=8], max_address_pairs: 2, ..Limits::default() }
}

/// A value one time in five, so that most commands can be done.
pub(crate) fn rarely<T: Clone + std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.2, value)
}

fn address() -> impl Strategy<Value = IpAddr> {
    let four = (0_u8..18).prop_map(|last| IpAddr::from([10, 0, 0, last]));
    let six = (0_u16..2, 0_u16..4).prop_map(|(prefix, last)| IpAddr::from([0xfd00 + prefix, 0, 0, 0, 0, 0, 0, last]));
    let auto = (0_u16..2, 0_u16..4)
        .prop_map(|(prefix, last)| IpAddr::from([0xfd00 + prefix, 0, 0, 0, 0, 0x00ff, 0xfe00, last]));
    prop_oneof![four, six, auto]
}

fn mac() -> impl Strategy<Value = MacAddress> {
    (0_u8..4).prop_map(|last| MacAddress([2, 0, 0, 0, 0, last]))
}

fn fixed_ips() -> impl Strategy<Value = Vec<NewFixedIp>> {
    let fixed = (of(1..=SUBNETS), of(address()))
        .prop_map(|(subnet, ip_address)| NewFixedIp { subnet_id: subnet.map(sub), ip_address });
    vec(fixed, 0..3)
}

fn pairs() -> impl Strategy<Value = Vec<NewAddressPair>> {
    let pair =
        (address(), of(mac())).prop_map(|(ip, mac_address)| NewAddressPair { ip_address: ip.into(), mac_address });
    vec(pair, 0..4)
}

fn network_commands() -> impl Strategy<Value = Command> {
    let new = (1..=NETWORKS, 0_usize..2, of(1_u32..10), any::<bool>()).prop_map(|(id, project, vni, shared)| {
        let mut new = NewNetwork::new(net(id), PROJECTS[project].into());
        new.vni = vni.map(Vni);
        new.shared = Some(shared);
        new
    });
    let patch = (of(any::<bool>()), of(prop_oneof![Just(0_u16), Just(100), Just(1400)]))
        .prop_map(|(shared, mtu)| NetworkPatch { shared, mtu, ..NetworkPatch::default() });
    prop_oneof![
        vec(new, 1..3).prop_map(Command::CreateNetworks),
        (1..=NETWORKS, patch, of(0_u64..4))
            .prop_map(|(id, patch, if_revision)| { Command::UpdateNetwork { id: net(id), patch, if_revision } }),
        (1..=NETWORKS).prop_map(|id| Command::DeleteNetwork { id: net(id), if_revision: None }),
    ]
}

fn pools() -> impl Strategy<Value = Vec<AllocationPool>> {
    let pool = (0_u8..18, 0_u8..6).prop_map(|(first, more)| AllocationPool {
        start: IpAddr::from([10, 0, 0, first]),
        end: IpAddr::from([10, 0, 0, first + more]),
    });
    vec(pool, 0..3)
}

fn subnet_commands() -> impl Strategy<Value = Command> {
    let new = (
        (1..=SUBNETS, 1..=NETWORKS, 0_usize..2, 0..CIDRS.len()),
        (rarely(pools()), rarely(of(address())), any::<bool>(), rarely(Just(()))),
    )
        .prop_map(|((id, network, project, cidr), (pools, gateway, auto, kept))| {
            let cidr = CIDRS[cidr].parse().expect("a test's prefix");
            let mut new = NewSubnet::new(sub(id), net(network), PROJECTS[project].into(), cidr);
            new.allocation_pools = pools;
            new.gateway_ip = gateway;
            if auto && matches!(cidr, ipnet::IpNet::V6(_)) {
                new.ipv6_address_mode = Some(Ipv6Mode::Slaac);
            }
            if kept.is_some() {
                new.service_types = Some(vec!["compute:nova".into()]);
            }
            new
        });
    let patch = (of(pools()), of(of(address()))).prop_map(|(allocation_pools, gateway_ip)| SubnetPatch {
        allocation_pools,
        gateway_ip,
        ..SubnetPatch::default()
    });
    prop_oneof![
        3 => vec(new, 1..3).prop_map(Command::CreateSubnets),
        1 => (1..=SUBNETS, patch).prop_map(|(id, patch)| {
            Command::UpdateSubnet { id: sub(id), patch, if_revision: None }
        }),
        1 => (1..=SUBNETS).prop_map(|id| Command::DeleteSubnet { id: sub(id), if_revision: None }),
    ]
}

/// A device's id; most are that of one router.
fn device(id: u128) -> String {
    if id.is_multiple_of(3) { format!("device-{}", id % 2) } else { net(0).to_string() }
}

fn new_port() -> impl Strategy<Value = NewPort> {
    (
        (1..=PORTS, 1..=NETWORKS, 0_usize..2, rarely(mac()), rarely(fixed_ips())),
        (rarely(pairs()), 0..OWNERS.len(), of(0..HOSTS.len()), rarely(any::<bool>()), any::<bool>()),
        rarely(groups()),
    )
        .prop_map(|((id, network, project, mac, fixed_ips), (pairs, owner, at, security, up), groups)| {
            let mut new = NewPort::new(prt(id), net(network), PROJECTS[project].into());
            new.mac_address = mac;
            new.fixed_ips = fixed_ips;
            new.allowed_address_pairs = pairs;
            new.device_owner = Some(OWNERS[owner].into());
            new.device_id = Some(device(id));
            new.security_groups = groups;
            new.binding_host = at.map(|at| host(HOSTS[at]));
            new.port_security_enabled = security;
            new.admin_state_up = Some(up);
            new
        })
}

fn port_patch() -> impl Strategy<Value = PortPatch> {
    (
        (rarely(mac()), of(fixed_ips()), rarely(pairs()), rarely(any::<bool>())),
        (rarely(0..OWNERS.len()), of(of(0..HOSTS.len())), of(any::<bool>()), rarely(any::<bool>())),
        (of(groups()), rarely((1..=PORTS).prop_map(device))),
    )
        .prop_map(|((mac_address, fixed_ips, pairs, security), (owner, at, up, direct), (groups, device_id))| {
            PortPatch {
                security_groups: groups,
                device_id,
                mac_address,
                fixed_ips,
                allowed_address_pairs: pairs,
                port_security_enabled: security,
                device_owner: owner.map(|owner| OWNERS[owner].into()),
                binding_host: at.map(|at| at.map(|at| host(HOSTS[at]))),
                admin_state_up: up,
                binding_vnic_type: direct.map(|direct| if direct { VnicType::Direct } else { VnicType::Normal }),
                ..PortPatch::default()
            }
        })
}

fn port_commands() -> impl Strategy<Value = Command> {
    let status = prop_oneof![Just(PortStatus::Active), Just(PortStatus::Build), Just(PortStatus::Down)];
    prop_oneof![
        4 => vec(new_port(), 1..4).prop_map(Command::CreatePorts),
        4 => (1..=PORTS, port_patch(), of(0_u64..9)).prop_map(|(id, patch, if_revision)| {
            Command::UpdatePort { id: prt(id), patch: Box::new(patch), if_revision }
        }),
        1 => (1..=PORTS).prop_map(|id| Command::DeletePort { id: prt(id), if_revision: None }),
        2 => vec(((1..=PORTS).prop_map(prt), status), 1..5).prop_map(Command::SetPortStatus),
    ]
}

fn physical_commands() -> impl Strategy<Value = Command> {
    let name = || (0_usize..5).prop_map(|at| host(HOSTS[at]));
    let fact = (0_usize..4, 0_usize..3, 1_u8..4).prop_map(|(name, id, last)| HypervisorFact {
        name: host(HOSTS[name]),
        system_id: format!("id-of-{}", HOSTS[id]),
        encap_ip: IpAddr::from([192, 0, 2, last]),
        bridge_mappings: Vec::new(),
        integration_datapath: None,
        tunnel_datapath: None,
    });
    let vif = (name(), 1..=PORTS, 1_u32..4).prop_map(|(host, port, ofport)| Vif {
        host,
        port: prt(port),
        interface: format!("tap{port}"),
        ofport,
    });
    let live = prop_oneof![Just(Liveness::Alive), Just(Liveness::Gone)];
    prop_oneof![
        4 => fact.prop_map(Command::ObserveHypervisor),
        1 => name().prop_map(Command::ForgetHypervisor),
        3 => vif.prop_map(Command::ObserveVif),
        1 => (name(), 1..=PORTS)
            .prop_map(|(host, port)| Command::ForgetVif { host, port: prt(port) }),
        1 => (name(), live).prop_map(|(host, liveness)| Command::SetLiveness(host, liveness)),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => network_commands(),
        3 => subnet_commands(),
        6 => port_commands(),
        3 => physical_commands(),
        5 => security_commands(),
    ]
}

/// Everything that a topology answers, as one text.
fn text(topology: &Topology) -> String {
    let mut text = serde_json::to_string(&topology.records().collect::<Vec<_>>()).expect("records have a text");
    for hypervisor in topology.hypervisors() {
        let vifs: Vec<_> = topology.vifs_on(&hypervisor.name).collect();
        let liveness = topology.liveness(&hypervisor.name);
        text += &format!("{vifs:?} {liveness:?}");
    }
    for network in topology.networks() {
        text += &format!("{:?}", topology.hosts_of(network.id).collect::<Vec<_>>());
    }
    for subnet in topology.subnets() {
        text += &format!("{:?}", topology.addresses_of(subnet.id).collect::<Vec<_>>());
    }
    text
}

/// Groups items by a key of each.
fn grouped<T, K: Ord>(items: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> BTreeMap<K, Vec<T>> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for item in items {
        groups.entry(key(&item)).or_default().push(item);
    }
    groups
}

fn owned<'a, T: 'a>(items: impl Iterator<Item = &'a Arc<T>>) -> Vec<Arc<T>> {
    items.cloned().collect()
}

/// The name of the hypervisor that takes a port, from the records alone.
fn taker(topology: &Topology, port: &Port) -> Option<weir_model::HostName> {
    let named = port.binding.host.as_ref()?;
    if port.binding.vnic_type != VnicType::Normal {
        return None;
    }
    let mut hypervisors = topology.hypervisors();
    let found = hypervisors.find(|it| it.name == *named || it.system_id == named.as_str());
    found.map(|it| it.name.clone())
}

/// Compares what indexes answer with what the records say.
fn check_lookups(topology: &Topology) {
    let networks = owned(topology.networks());
    let subnets = owned(topology.subnets());
    let ports = owned(topology.ports());
    for project in PROJECTS {
        let of = |id: &str| id == project;
        let expected: Vec<_> = networks.iter().filter(|it| of(it.project_id.as_str())).collect();
        assert_eq!(topology.networks_of_project(project).collect::<Vec<_>>(), expected);
        let expected: Vec<_> = subnets.iter().filter(|it| of(it.project_id.as_str())).collect();
        assert_eq!(topology.subnets_of_project(project).collect::<Vec<_>>(), expected);
        let expected: Vec<_> = ports.iter().filter(|it| of(it.project_id.as_str())).collect();
        assert_eq!(topology.ports_of_project(project).collect::<Vec<_>>(), expected);
    }
    for network in &networks {
        let id = network.id;
        let expected: Vec<_> = subnets.iter().filter(|it| it.network_id == id).collect();
        assert_eq!(topology.subnets_of(id).collect::<Vec<_>>(), expected);
        let expected: Vec<_> = ports.iter().filter(|it| it.network_id == id).collect();
        assert_eq!(topology.port_count(id), expected.len());
        assert_eq!(topology.ports_of(id).collect::<Vec<_>>(), expected);
        assert_eq!(topology.network_by_key(network.key), Some(network));
        let Segment::Vxlan { vni } = network.segment;
        assert_eq!(topology.network_by_vni(vni), Some(network));
    }
    let used = ports.iter().filter(|port| !port.device_id.is_empty());
    for (device, expected) in grouped(used, |port| port.device_id.clone()) {
        assert_eq!(topology.ports_of_device(&device).collect::<Vec<_>>(), expected);
    }
    for port in &ports {
        assert_eq!(topology.port_by_key(port.key), Some(port));
        assert!(topology.network(port.network_id).is_some());
    }
    for hypervisor in topology.hypervisors() {
        assert_eq!(topology.hypervisor_by_key(hypervisor.key), Some(hypervisor));
        assert_eq!(topology.hypervisor_by_encap_ip(hypervisor.encap_ip), Some(hypervisor));
        for text in [hypervisor.name.as_str(), &hypervisor.system_id] {
            assert_eq!(topology.hypervisor_by_name_or_system_id(text), Some(hypervisor));
        }
    }
}

fn check_binding(topology: &Topology) {
    let ports = owned(topology.ports());
    for port in &ports {
        let taker = taker(topology, port);
        let bound = topology.bound_host(port).map(|it| it.name.clone());
        assert_eq!(bound, taker);
        let expected = match (&port.binding.host, &taker) {
            (None, _) => VifType::Unbound,
            (_, Some(_)) => VifType::Ovs,
            (_, None) => VifType::BindingFailed,
        };
        assert_eq!(topology.vif_type(port), expected);
        let carries = port.admin_state_up && taker.is_some();
        assert!(carries || port.status == PortStatus::Down, "{port:?}");
        let vif = taker.as_ref().and_then(|host| topology.vif_on(host, port.id));
        assert_eq!(topology.vif(port.id), vif);
    }
    for network in topology.networks() {
        let taken = ports.iter().filter(|port| port.network_id == network.id);
        let groups = grouped(taken.filter_map(|port| taker(topology, port)), Clone::clone);
        let expected: Vec<_> = groups.iter().map(|(host, ports)| (host, ports.len() as u32)).collect();
        assert_eq!(topology.hosts_of(network.id).collect::<Vec<_>>(), expected);
        for (host, count) in expected {
            assert_eq!(topology.bound_count(network.id, host), count);
        }
        for last in 0..5 {
            let mac = MacAddress([2, 0, 0, 0, 0, last]);
            let claims = |port: &&Arc<Port>| {
                let pairs = &port.allowed_address_pairs;
                port.network_id == network.id
                    && (port.mac_address == mac || pairs.iter().any(|it| it.mac_address == mac))
            };
            let bound = ports.iter().filter(claims).filter(|it| taker(topology, it).is_some());
            let expected: Vec<_> = bound.map(|port| port.id).collect();
            assert_eq!(topology.mac_claims(network.id, mac).collect::<Vec<_>>(), expected);
        }
    }
    for hypervisor in topology.hypervisors() {
        let name = &hypervisor.name;
        let taken = || ports.iter().filter(|port| taker(topology, port).as_ref() == Some(name));
        let on: BTreeSet<_> = topology.ports_on(name).map(|port| port.id).collect();
        assert_eq!(topology.ports_on(name).count(), on.len());
        assert_eq!(on, taken().map(|port| port.id).collect::<BTreeSet<_>>());
        let groups = grouped(taken(), |port| port.network_id);
        let expected: Vec<_> = groups.iter().map(|(network, ports)| (*network, ports.len() as u32)).collect();
        assert_eq!(topology.networks_on(name).collect::<Vec<_>>(), expected);
        for vif in topology.vifs_on(name) {
            assert_eq!(vif.host, *name);
            assert!(topology.vifs_of(vif.port).any(|other| other == vif));
        }
    }
    for port in (1..=PORTS).map(prt) {
        for vif in topology.vifs_of(port) {
            assert_eq!(topology.vif_on(&vif.host, port), Some(vif));
            assert!(topology.hypervisor(&vif.host).is_some());
        }
    }
}

fn check_addresses(topology: &Topology) {
    let mut addresses = BTreeSet::new();
    let mut macs = BTreeSet::new();
    let mut holders: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for port in topology.ports() {
        assert!(macs.insert((port.network_id, port.mac_address)), "{port:?}");
        assert_eq!(topology.mac_holder(port.network_id, port.mac_address), Some(port.id));
        for fixed in &port.fixed_ips {
            assert!(addresses.insert((port.network_id, fixed.ip_address)), "{port:?}");
            let subnet = topology.subnet(fixed.subnet_id).expect("addresses are of subnets");
            assert_eq!(subnet.network_id, port.network_id);
            assert!(subnet.cidr.contains(&fixed.ip_address));
            holders.entry(subnet.id).or_default().insert(fixed.ip_address, port.id);
        }
    }
    for subnet in topology.subnets() {
        let holders = holders.remove(&subnet.id).unwrap_or_default();
        let expected: Vec<_> = holders.iter().map(|(ip, port)| (*ip, *port)).collect();
        assert_eq!(topology.addresses_of(subnet.id).collect::<Vec<_>>(), expected);
        let ids: BTreeSet<_> = holders.into_values().collect();
        let of: Vec<_> = topology.ports_of_subnet(subnet.id).map(|port| port.id).collect();
        assert_eq!(of, ids.into_iter().collect::<Vec<_>>());
        for pair in subnet.allocation_pools.windows(2) {
            assert!(pair[0].end < pair[1].start);
        }
        for pool in &subnet.allocation_pools {
            assert!(pool.start <= pool.end);
            assert!(subnet.cidr.contains(&pool.start) && subnet.cidr.contains(&pool.end));
            assert!(subnet.gateway_ip.is_none_or(|ip| ip < pool.start || pool.end < ip));
        }
    }
}

/// The topology without what does not outlive the process.
fn settled(mut topology: Topology) -> Topology {
    let hosts: Vec<_> = topology.hypervisors().map(|it| it.name.clone()).collect();
    let mut commands = Vec::new();
    for host in hosts {
        for vif in topology.vifs_on(&host) {
            commands.push(Command::ForgetVif { host: host.clone(), port: vif.port });
        }
        commands.push(Command::SetLiveness(host, Liveness::Gone));
    }
    for command in commands {
        let request = Request { command, at: Timestamp(0) };
        topology = topology.transact(request).expect("facts can be forgotten").0;
    }
    topology
}

fn check_reload(topology: &Topology) {
    let settled = settled(topology.clone());
    let loaded = Topology::load(limits(), settled.records(), settled.revision());
    assert_eq!(loaded.as_ref(), Ok(&settled));
}

/// Does one command if it can be done, and checks that the topology it was asked of stays as it
/// was, and that the commit tells the whole difference.
fn step(topology: &Topology, store: &mut BTreeMap<RecordKey, Record>, request: Request) -> Topology {
    let before = text(topology);
    let flushes = matches!(request.command, Command::ZonesFlushed { .. });
    let result = topology.transact(request);
    assert_eq!(text(topology), before);
    let Ok((after, commit, _)) = result else {
        return topology.clone();
    };
    let steps = u64::from(!commit.changes.is_empty());
    assert_eq!(after.revision().0, topology.revision().0 + steps);
    assert_eq!(commit.revision, after.revision());
    let mut told = BTreeSet::new();
    for (key, record) in commit.changes.iter().filter_map(weir_model::Change::record) {
        assert!(told.insert(key), "{key:?} is told twice");
        match record {
            Some(record) => {
                assert_eq!(record.key(), key);
                assert_ne!(store.insert(key, record.clone()), Some(record));
            }
            None => assert!(store.remove(&key).is_some()),
        }
    }
    let records: BTreeMap<_, _> = after.records().map(|it| (it.key(), it)).collect();
    assert_eq!(*store, records);
    check_zones_after(topology, &after, flushes);
    check_generations_after(topology, &after);
    after
}

fn start() -> (Topology, BTreeMap<RecordKey, Record>) {
    let counters = Record::Counters(Counters::default());
    (Topology::new(limits()), BTreeMap::from([(RecordKey::Counters, counters)]))
}

/// Three networks that a router connects, five subnets, two hypervisors and four ports with interfaces: random
/// commands find more to do here than in an empty topology.
fn populated() -> Vec<Command> {
    let networks = (1..=NETWORKS).map(|id| NewNetwork::new(net(id), PROJECTS[0].into()));
    let mut commands = vec![Command::CreateNetworks(networks.collect())];
    for (id, network, cidr) in [(1, 1, 2), (2, 1, 3), (3, 2, 0), (4, 2, 1), (5, 3, 5)] {
        let cidr: ipnet::IpNet = CIDRS[cidr].parse().expect("a test's prefix");
        let mut new = NewSubnet::new(sub(id), net(network), PROJECTS[0].into(), cidr);
        if cidr.addr().is_ipv6() {
            new.ipv6_address_mode = Some(Ipv6Mode::Slaac);
        }
        commands.push(Command::CreateSubnets(vec![new]));
    }
    for (name, last) in [("a", 1), ("b", 2)] {
        commands.push(Command::ObserveHypervisor(crate::cloud::fact(name, last)));
    }
    let new = (1..4).map(|id| NewSecurityGroup::new(grp(id), PROJECTS[0].into()));
    commands.push(Command::CreateSecurityGroups(new.collect()));
    for (id, at) in [(1, "a"), (2, "b"), (3, "id-of-a"), (4, "c")] {
        let mut new = NewPort::new(prt(id), net(id % NETWORKS + 1), PROJECTS[0].into());
        new.binding_host = Some(host(at));
        new.security_groups = (id < 3).then(|| vec![grp(id), grp(3)]);
        commands.push(Command::CreatePorts(vec![new]));
        let interface = format!("tap{id}");
        let vif = Vif { host: host("a"), port: prt(id), interface, ofport: id as u32 };
        commands.push(Command::ObserveVif(vif));
        commands.push(Command::SetPortStatus(vec![(prt(id), PortStatus::Active)]));
    }
    for (id, network) in [(5, 1), (7, 2), (8, 3)] {
        let mut new = NewPort::new(prt(id), net(network), PROJECTS[0].into());
        new.device_owner = Some("network:router_interface".into());
        new.device_id = Some(device(id));
        commands.push(Command::CreatePorts(vec![new]));
    }
    commands
}

fn commands(most: usize) -> impl Strategy<Value = Vec<Command>> {
    (any::<bool>(), vec(command(), 1..most)).prop_map(|(from_scratch, random)| {
        let mut commands = if from_scratch { Vec::new() } else { populated() };
        commands.extend(random);
        commands
    })
}

/// The records but for the numbers given last, the generations of rules and the zones that wait to be flushed.
fn bare(topology: &Topology) -> Vec<Record> {
    let kept = topology.records().filter_map(|record| match record {
        Record::Counters(_) => None,
        Record::SecuritySet(set) => {
            Some(Record::SecuritySet(Arc::new(SecuritySet { generation: None, ..SecuritySet::clone(&set) })))
        }
        Record::Zones(zones) if zones.of.is_empty() => None,
        Record::Zones(zones) => {
            let (of, host) = (zones.of.clone(), zones.host);
            Some(Record::Zones(Arc::new(Zones { host, of, unflushed: BTreeSet::new(), last: 0 })))
        }
        other => Some(other),
    });
    kept.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn indexes_follow_the_records(commands in commands(50)) {
        let (mut topology, mut store) = start();
        for (at, command) in commands.into_iter().enumerate() {
            let request = Request { command, at: Timestamp(at as u64) };
            topology = step(&topology, &mut store, request);
            check_lookups(&topology);
            check_binding(&topology);
            check_addresses(&topology);
            check_security(&topology);
        }
        check_reload(&topology);
    }

    #[test]
    fn what_is_made_and_deleted_leaves_nothing(
        commands in commands(30),
        ports in vec(new_port(), 1..4),
    ) {
        let (mut topology, mut store) = start();
        for (at, command) in commands.into_iter().enumerate() {
            let request = Request { command, at: Timestamp(at as u64) };
            topology = step(&topology, &mut store, request);
        }
        for project in PROJECTS {
            let command = Command::EnsureDefaultSecurityGroup(project.into());
            topology = step(&topology, &mut store, Request { command, at: Timestamp(98) });
        }
        let ids: Vec<_> = ports.iter().map(|port| port.id).collect();
        let request = Request { command: Command::CreatePorts(ports), at: Timestamp(99) };
        if let Ok((mut after, _, _)) = topology.transact(request) {
            for id in ids {
                let command = Command::DeletePort { id, if_revision: None };
                let request = Request { command, at: Timestamp(100) };
                after = after.transact(request).expect("a port can be deleted").0;
            }
            prop_assert_eq!(bare(&after), bare(&topology));
            check_lookups(&after);
            check_binding(&after);
            check_addresses(&after);
            check_security(&after);
            check_reload(&after);
        }
    }
}

/// The other properties say nothing of topologies that random commands never reach.
#[test]
fn random_commands_reach_a_populated_topology() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut most = [0; 8];
    let (mut asked, mut done) = (0, 0);
    for _ in 0..40 {
        let commands = commands(50).new_tree(&mut runner).expect("commands").current();
        let mut topology = start().0;
        for command in commands {
            asked += 1;
            if let Ok((after, _, _)) = topology.transact(Request { command, at: Timestamp(1) }) {
                done += 1;
                topology = after;
            }
            let bound = topology.ports().filter(|it| topology.bound_host(it).is_some()).count();
            let plugged = topology.ports().filter(|it| topology.vif(it.id).is_some()).count();
            let addressed = topology.ports().filter(|it| !it.fixed_ips.is_empty()).count();
            let grouped = topology.ports().filter(|it| it.security_groups.len() > 1).count();
            let (sets, rules) = (topology.security_sets().len(), topology.security_group_rules().len());
            let seen =
                [topology.subnets().len(), topology.ports().len(), bound, plugged, addressed, grouped, sets, rules];
            most = std::array::from_fn(|at| most[at].max(seen[at]));
        }
    }
    assert!(done * 3 > asked, "{done} of {asked}");
    for (seen, least) in most.into_iter().zip([5, 6, 4, 2, 5, 2, 3, 14]) {
        assert!(seen >= least, "{most:?}");
    }
}
