//! What holds of routers whatever is asked, in whatever order.

use crate::cloud::{Cloud, net, project, prt, sub};
use crate::router::{route, rtr};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use weir_model::{
    Change, Command, Limits, NetworkId, NetworkKey, NewFixedIp, NewInterface, NewNetwork, NewPort, NewRouter,
    NewSubnet, OldInterface, Port, PortPatch, PortStatus, Record, RecordKey, Route, RouterId, RouterPatch, Timestamp,
    Topology,
};

const NETWORKS: u128 = 5;
const SUBNETS: u128 = 8;
const PORTS: u128 = 9;
const ROUTERS: u128 = 4;
/// The prefixes of the subnets; the last two overlap others.
const CIDRS: [&str; SUBNETS as usize] = [
    "10.0.0.0/28",
    "10.0.1.0/28",
    "10.0.2.0/28",
    "fd00:0:0:1::/64",
    "fd00:0:0:2::/64",
    "10.0.3.0/28",
    "10.0.0.0/24",
    "fd00::/48",
];
const OWNERS: [&str; 3] = ["", "network:router_interface", "network:router_interface_distributed"];

fn limits() -> Limits {
    Limits { max_routes: 3, ..Limits::default() }
}

/// A subnet's network by its number, so that IPv4 and IPv6 meet on some.
fn network_of(subnet: u128) -> u128 {
    subnet % NETWORKS + 1
}

fn new_subnet(id: u128, gateway: bool) -> NewSubnet {
    let cidr = CIDRS[id as usize - 1].parse().expect("a test's prefix");
    let mut new = NewSubnet::new(sub(id), net(network_of(id)), project(), cidr);
    if !gateway {
        new.gateway_ip = Some(None);
    }
    new
}

/// One of the first addresses of a subnet.
fn address() -> impl Strategy<Value = IpAddr> {
    let four = (0_u8..4, 1_u8..5).prop_map(|(third, last)| IpAddr::from([10, 0, third, last]));
    let six = (1_u16..3, 0_u16..4).prop_map(|(prefix, last)| IpAddr::from([0xfd00, 0, 0, prefix, 0, 0, 0, last]));
    prop_oneof![2 => four, 1 => six]
}

fn fixed_ips() -> impl Strategy<Value = Vec<NewFixedIp>> {
    let named = address().prop_map(|ip| NewFixedIp { subnet_id: None, ip_address: Some(ip) });
    let any = (1..=SUBNETS).prop_map(|id| NewFixedIp { subnet_id: Some(sub(id)), ip_address: None });
    vec(prop_oneof![named, any], 0..3)
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let one = (0_u8..3, address()).prop_map(|(third, nexthop)| {
        let destination = if nexthop.is_ipv6() { format!("fd00:{third}::/32") } else { format!("172.16.{third}.0/24") };
        route(&destination, &nexthop.to_string())
    });
    vec(one, 0..3)
}

fn record_commands() -> impl Strategy<Value = Command> {
    let port = (1..=PORTS, 1..=NETWORKS, of(fixed_ips()), 0..OWNERS.len(), of(1..=ROUTERS)).prop_map(
        |(id, network, fixed_ips, owner, device)| {
            let mut new = NewPort::new(prt(id), net(network), project());
            new.fixed_ips = fixed_ips;
            new.device_owner = Some(OWNERS[owner].into());
            new.device_id = device.filter(|_| id % 8 == 0).map(|id| rtr(id).to_string());
            Command::CreatePorts(vec![new])
        },
    );
    let patch = (1..=PORTS, of(fixed_ips()), any::<bool>(), of(0..OWNERS.len()), of(1..=ROUTERS)).prop_map(
        |(id, fixed_ips, up, owner, device)| {
            let patch = PortPatch {
                fixed_ips,
                admin_state_up: Some(up),
                device_owner: owner.filter(|_| id % 3 == 0).map(|owner| OWNERS[owner].into()),
                device_id: device.filter(|_| id % 3 == 1).map(|id| rtr(id).to_string()),
                port_security_enabled: Some(false),
                ..PortPatch::default()
            };
            Command::UpdatePort { id: prt(id), patch: Box::new(patch), if_revision: None }
        },
    );
    prop_oneof![
        2 => (1..=NETWORKS).prop_map(|id| Command::CreateNetworks(vec![NewNetwork::new(net(id), project())])),
        1 => (1..=NETWORKS).prop_map(|id| Command::DeleteNetwork { id: net(id), if_revision: None }),
        2 => (1..=SUBNETS, any::<bool>()).prop_map(|(id, gateway)| Command::CreateSubnets(vec![new_subnet(id, gateway)])),
        1 => (1..=SUBNETS).prop_map(|id| Command::DeleteSubnet { id: sub(id), if_revision: None }),
        4 => port,
        3 => patch,
        2 => (1..=PORTS).prop_map(|id| Command::DeletePort { id: prt(id), if_revision: None }),
        1 => (1..=PORTS).prop_map(|id| Command::SetPortStatus(vec![(prt(id), PortStatus::Down)])),
    ]
}

fn router_commands() -> impl Strategy<Value = Command> {
    let id = || (1..=ROUTERS).prop_map(rtr);
    let new = (id(), any::<bool>()).prop_map(|(id, distributed)| {
        let mut new = NewRouter::new(id, project());
        new.distributed = Some(distributed);
        Command::CreateRouters(vec![new])
    });
    let patch = (of(any::<bool>()), of(any::<bool>()), of(routes())).prop_map(|(up, distributed, routes)| {
        RouterPatch { admin_state_up: up, distributed, routes, ..RouterPatch::default() }
    });
    let to_add = prop_oneof![
        2 => (1..=SUBNETS, 1..=PORTS)
            .prop_map(|(subnet, port)| NewInterface::Subnet { subnet: sub(subnet), port: prt(port) }),
        2 => (1..=PORTS).prop_map(|port| NewInterface::Port(prt(port))),
    ];
    let to_remove = prop_oneof![
        4 => (1..=SUBNETS).prop_map(|subnet| OldInterface::Subnet(sub(subnet))),
        4 => (1..=PORTS).prop_map(|port| OldInterface::Port(prt(port))),
        1 => (1..=PORTS, 1..=SUBNETS).prop_map(|(port, subnet)| OldInterface::Both(prt(port), sub(subnet))),
    ];
    prop_oneof![
        4 => new,
        3 => (id(), patch).prop_map(|(id, patch)| Command::UpdateRouter { id, patch, if_revision: None }),
        1 => id().prop_map(|id| Command::DeleteRouter { id, if_revision: None }),
        9 => (id(), to_add).prop_map(|(id, interface)| Command::AddRouterInterface { id, interface }),
        6 => (id(), to_remove).prop_map(|(id, interface)| Command::RemoveRouterInterface { id, interface }),
        8 => (id(), routes()).prop_map(|(id, routes)| Command::AddExtraRoutes { id, routes }),
        1 => (id(), routes()).prop_map(|(id, routes)| Command::RemoveExtraRoutes { id, routes }),
    ]
}

/// All networks, subnets and routers, with a chain of two routers among them.
fn populated() -> Vec<Command> {
    let networks = (1..=NETWORKS).map(|id| NewNetwork::new(net(id), project()));
    let subnets = (1..=SUBNETS).map(|id| new_subnet(id, true));
    let routers = (1..=ROUTERS).map(|id| NewRouter::new(rtr(id), project()));
    let mut transit = NewPort::new(prt(1), net(network_of(1)), project());
    transit.fixed_ips =
        Some(vec![NewFixedIp { subnet_id: Some(sub(1)), ip_address: Some(IpAddr::from([10, 0, 0, 2])) }]);
    let by_subnet = |router, subnet, port| Command::AddRouterInterface {
        id: rtr(router),
        interface: NewInterface::Subnet { subnet: sub(subnet), port: prt(port) },
    };
    let mut commands = vec![
        Command::CreateNetworks(networks.collect()),
        Command::CreateRouters(routers.collect()),
        Command::CreatePorts(Vec::new()),
    ];
    commands.extend(subnets.map(|subnet| Command::CreateSubnets(vec![subnet])));
    commands.extend([
        Command::CreatePorts(vec![transit]),
        by_subnet(1, 1, 2),
        by_subnet(1, 2, 3),
        Command::AddRouterInterface { id: rtr(2), interface: NewInterface::Port(prt(1)) },
        by_subnet(2, 3, 4),
        Command::AddExtraRoutes { id: rtr(1), routes: vec![route("172.16.0.0/24", "10.0.0.2")] },
    ]);
    commands
}

/// Mostly from a cloud that has something to change.
fn commands(most: usize) -> impl Strategy<Value = Vec<Command>> {
    let random = vec(prop_oneof![1 => record_commands(), 3 => router_commands()], 1..most);
    (proptest::bool::weighted(0.8), random).prop_map(|(is_populated, random)| {
        let mut commands = if is_populated { populated() } else { Vec::new() };
        commands.extend(random);
        commands
    })
}

/// The command, or one like it that has something to take away or somewhere to lead: random ones seldom have.
fn aimed(topology: &Topology, command: Command) -> Command {
    let interfaces = interfaces(topology);
    match command {
        Command::RemoveRouterInterface { id, interface: OldInterface::Port(port) } => {
            let found = interfaces.iter().cycle().nth(port.0.as_u128() as usize);
            let (id, port) = found.map_or((id, port), |(router, port)| (*router, port.id));
            Command::RemoveRouterInterface { id, interface: OldInterface::Port(port) }
        }
        Command::AddExtraRoutes { id, mut routes } => {
            let beside = |other: &(RouterId, &Port)| {
                let shares =
                    |(router, port): &(RouterId, &Port)| *router == id && port.network_id == other.1.network_id;
                other.0 != id && interfaces.iter().any(shares)
            };
            let nexthop = interfaces.iter().find(|it| beside(it)).and_then(|(_, port)| port.fixed_ips.first());
            if let (Some(first), Some(nexthop)) = (routes.first_mut(), nexthop)
                && first.nexthop.is_ipv6() == nexthop.ip_address.is_ipv6()
            {
                first.nexthop = nexthop.ip_address;
                routes.truncate(1);
            }
            Command::AddExtraRoutes { id, routes }
        }
        other => other,
    }
}

/// The router that a port is an interface of, by the port alone.
fn router_of(port: &Port) -> Option<RouterId> {
    OWNERS[1..].contains(&port.device_owner.as_str()).then(|| port.device_id.parse().ok()).flatten()
}

/// Interfaces as the ports tell them.
fn interfaces(topology: &Topology) -> Vec<(RouterId, &Port)> {
    topology.ports().filter_map(|port| Some((router_of(port)?, port.as_ref()))).collect()
}

/// Domains by spreading numbers until nothing changes.
fn naive_domains(topology: &Topology) -> BTreeMap<NetworkId, NetworkKey> {
    let interfaces = interfaces(topology);
    let mut domains: BTreeMap<_, _> = topology.networks().map(|it| (it.id, it.key)).collect();
    loop {
        let before = domains.clone();
        for (router, one) in &interfaces {
            for (_, other) in interfaces.iter().filter(|(it, _)| it == router) {
                let lowest = domains[&one.network_id].min(domains[&other.network_id]);
                domains.insert(one.network_id, lowest);
            }
        }
        if domains == before {
            return domains;
        }
    }
}

/// Whether a packet from one network may come to another, router by router.
fn comes(topology: &Topology, from: NetworkId, to: NetworkId) -> bool {
    let interfaces = interfaces(topology);
    let on =
        |router: &RouterId, network| interfaces.iter().any(|(it, port)| it == router && port.network_id == network);
    let leads = |one: &RouterId, other: &RouterId| {
        let routes = &topology.router(*one).expect("interfaces are of routers").routes;
        interfaces.iter().any(|(it, port)| {
            it == other
                && on(one, port.network_id)
                && port.fixed_ips.iter().any(|fixed| routes.iter().any(|it| it.nexthop == fixed.ip_address))
        })
    };
    let all: BTreeSet<RouterId> = topology.routers().map(|it| it.id).collect();
    let mut reached: BTreeSet<RouterId> = all.iter().filter(|it| on(it, from)).copied().collect();
    for _ in 0..all.len() {
        let next: Vec<_> = all.iter().filter(|it| reached.iter().any(|one| leads(one, it))).copied().collect();
        reached.extend(next);
    }
    reached.iter().any(|it| on(it, to))
}

fn check_reach(topology: &Topology) {
    let domains = naive_domains(topology);
    for network in topology.networks() {
        assert_eq!(topology.domain(network), domains[&network.id]);
        let near: BTreeSet<_> = topology
            .networks()
            .map(|it| it.id)
            .filter(|it| *it == network.id || comes(topology, network.id, *it) || comes(topology, *it, network.id))
            .collect();
        assert_eq!(topology.near(network.id), near);
        assert!(near.iter().all(|it| topology.near(*it).contains(&network.id)), "near is mutual");
    }
}

fn check_lookups(topology: &Topology) {
    let interfaces = interfaces(topology);
    for network in topology.networks() {
        let on: BTreeSet<_> =
            interfaces.iter().filter(|(_, port)| port.network_id == network.id).map(|(router, _)| *router).collect();
        assert_eq!(topology.routers_on(network.id), on);
    }
    for port in topology.ports() {
        for fixed in &port.fixed_ips {
            assert_eq!(topology.port_at(port.network_id, fixed.ip_address), Some(port));
            let interface = router_of(port).map(|_| port);
            assert_eq!(topology.interface_at(port.network_id, fixed.ip_address), interface);
        }
    }
}

/// What every router may count on.
fn check_routers(topology: &Topology) {
    for (router, port) in interfaces(topology) {
        let router = topology.router(router).expect("interfaces are of routers");
        assert_eq!(port.device_owner, OWNERS[1 + usize::from(router.distributed)]);
        assert!(port.binding.host.is_none() && !port.port_security_enabled && port.security_groups.is_empty());
        assert_eq!(port.status == PortStatus::Active, port.admin_state_up);
        assert!(!port.fixed_ips.is_empty());
    }
    for router in topology.routers() {
        assert_eq!(topology.router_by_key(router.key), Some(router));
        let connected: Vec<_> = topology.connected(router.id).collect();
        for (at, (one, subnet, address)) in connected.iter().enumerate() {
            assert!(subnet.cidr.contains(address) && subnet.network_id == one.network_id);
            for (other, beside, _) in &connected[at + 1..] {
                let apart = !subnet.cidr.contains(&beside.cidr) && !beside.cidr.contains(&subnet.cidr);
                assert!(apart || one.id == other.id && subnet.is_ipv6(), "{router:?}");
            }
        }
        assert!(router.routes.len() <= limits().max_routes);
        for route in &router.routes {
            let by = connected.iter().filter(|(_, subnet, _)| subnet.cidr.contains(&route.nexthop));
            assert_eq!(by.map(|(_, subnet, _)| subnet.id).collect::<BTreeSet<_>>().len(), 1, "{router:?}");
            assert!(connected.iter().all(|(_, _, address)| *address != route.nexthop));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn routers_reach_what_ports_and_routes_say(commands in commands(60)) {
        let mut cloud = Cloud::new(limits());
        let mut store: BTreeMap<RecordKey, Record> = cloud.topology.records().map(|it| (it.key(), it)).collect();
        for command in commands {
            let before = cloud.topology.clone();
            let records: Vec<Record> = before.records().collect();
            let asked = cloud.ask(aimed(&before, command));
            prop_assert!(before.records().eq(records), "what was asked stays as it was");
            if asked.is_err() {
                prop_assert_eq!(&cloud.topology, &before);
                continue;
            }
            for (key, record) in cloud.commit.changes.iter().filter_map(Change::record) {
                match record {
                    Some(record) => store.insert(key, record),
                    None => store.remove(&key),
                };
            }
            let topology = &cloud.topology;
            prop_assert_eq!(&store, &topology.records().map(|it| (it.key(), it)).collect());
            check_reach(topology);
            check_lookups(topology);
            check_routers(topology);
        }
        let topology = &cloud.topology;
        let loaded = Topology::load(limits(), topology.records(), topology.revision());
        prop_assert_eq!(loaded.as_ref(), Ok(topology));
        // Ports may name routers in a store from before there were any.
        let records = topology.records().filter(|record| !matches!(record, Record::Router(_)));
        let loaded = Topology::load(limits(), records, topology.revision());
        let (completed, _) = loaded.expect("it opens").completed(Timestamp(0)).expect("numbers are left");
        prop_assert!(completed.networks().all(|it| completed.interfaces_on(it.id).next().is_none()));
    }
}

/// The property says nothing of what random commands never reach.
#[test]
fn random_commands_reach_chains_and_parts() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut interfaces_at_most, mut chains, mut parts) = (0, 0, 0);
    for _ in 0..80 {
        let commands = commands(80).new_tree(&mut runner).expect("commands").current();
        let mut cloud = Cloud::new(limits());
        for command in commands {
            let before = naive_domains(&cloud.topology);
            let near: usize = cloud.topology.networks().map(|it| cloud.topology.near(it.id).len()).sum();
            let is_route = matches!(command, Command::AddExtraRoutes { .. } | Command::UpdateRouter { .. });
            let command = aimed(&cloud.topology, command);
            if cloud.ask(command).is_err() {
                continue;
            }
            let topology = &cloud.topology;
            interfaces_at_most = interfaces_at_most.max(interfaces(topology).len());
            let now: usize = topology.networks().map(|it| topology.near(it.id).len()).sum();
            chains += usize::from(is_route && now > near);
            let after = naive_domains(topology);
            parts += usize::from(after.iter().any(|(id, key)| before.get(id).is_some_and(|it| it < key)));
        }
    }
    assert!(interfaces_at_most >= 6 && chains >= 20 && parts >= 20, "{interfaces_at_most} {chains} {parts}");
}
