//! Random commands: after each, what deltas made of every bridge is what a cold compile wants there.

use crate::cloud::{
    Cloud, address_group_id, bind, create_network, fixed, group_id, host_name, hypervisor, network_id, new_port, pair,
    plug, port_id, project, router_id, rule_id, subnet_id, update_port,
};
use ipnet::IpNet;
use proptest::prelude::*;
use std::net::IpAddr;
use weir_compile::Bridge;
use weir_model::{
    AddressGroupPatch, Command, Direction, Ethertype, HypervisorFact, Ipv6Mode, Liveness, MacAddress, NetworkPatch,
    NewAddressGroup, NewInterface, NewRouter, NewSecurityGroup, NewSecurityGroupRule, NewSubnet, OldInterface,
    PortPatch, PortStatus, Protocol, Remote, Route, RouterPatch,
};

const HOSTS: u8 = 4;
const NETWORKS: u8 = 3;
const PORTS: u8 = 8;
const ROUTERS: u8 = 3;
const GROUPS: u8 = 3;

fn pairs() -> impl Strategy<Value = Vec<weir_model::NewAddressPair>> {
    let one = prop_oneof![
        Just(pair("10.1.0.200/32", None)),
        Just(pair("10.1.0.0/24", None)),
        Just(pair("0.0.0.0/0", None)),
        Just(pair("10.1.0.201/32", Some([0, 0, 0x5e, 0, 1, 1]))),
        Just(pair("10.1.0.201/32", Some([0, 0, 0x5e, 0, 1, 2]))),
        Just(pair("fd00::/64", None)),
        Just(pair("::/0", Some([0, 0, 0x5e, 0, 1, 1]))),
        Just(pair("fd00::9/128", Some([0, 0, 0x5e, 0, 1, 1]))),
        Just(pair("10.1.0.7/32", Some([1, 0, 0x5e, 0, 1, 1]))),
    ];
    proptest::collection::vec(one, 0..4)
}

fn patch() -> impl Strategy<Value = PortPatch> {
    prop_oneof![
        any::<bool>().prop_map(|up| PortPatch { admin_state_up: Some(up), ..PortPatch::default() }),
        any::<bool>().prop_map(|on| PortPatch {
            port_security_enabled: Some(on),
            allowed_address_pairs: (!on).then(Vec::new),
            ..PortPatch::default()
        }),
        pairs().prop_map(|pairs| PortPatch { allowed_address_pairs: Some(pairs), ..PortPatch::default() }),
        (2u8..20).prop_map(|last| PortPatch {
            fixed_ips: Some(vec![fixed(&format!("10.1.0.{last}"))]),
            ..PortPatch::default()
        }),
        Just(PortPatch { fixed_ips: Some(Vec::new()), ..PortPatch::default() }),
        (0u8..4).prop_map(|last| PortPatch {
            mac_address: Some(MacAddress([0, 0, 0x5e, 0, 1, last])),
            ..PortPatch::default()
        }),
        Just(PortPatch { name: Some("other".to_owned()), ..PortPatch::default() }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let (host, network, port) = (1..=HOSTS, 1..=NETWORKS, 1..=PORTS);
    prop_oneof![
        2 => network.clone().prop_map(create_network),
        1 => network.clone().prop_map(|network| routed_subnet(network, network, &format!("10.{network}.0.0/24"))),
        1 => network.clone().prop_map(|network| routed_subnet(network + 100, network, &format!("fd00:{network}::/64"))),
        6 => (port.clone(), network.clone(), proptest::option::of(host.clone()), pairs(), any::<bool>()).prop_map(
            |(port, network, host, pairs, secure)| {
                let mut port = new_port(port, network);
                port.binding_host = host.map(host_name);
                port.port_security_enabled = Some(secure);
                port.allowed_address_pairs = secure.then_some(pairs);
                Command::CreatePorts(vec![port])
            }
        ),
        6 => (port.clone(), proptest::option::of(host.clone())).prop_map(|(port, host)| bind(port, host)),
        4 => (port.clone(), patch()).prop_map(|(port, patch)| update_port(port, patch)),
        2 => port.clone().prop_map(|port| Command::DeletePort { id: port_id(port), if_revision: None }),
        1 => network.clone().prop_map(|network| Command::DeleteNetwork { id: network_id(network), if_revision: None }),
        2 => (network.clone(), 1u8..20).prop_map(|(network, host)| crossed_subnet(network, host)),
        1 => network.clone().prop_map(|network| Command::DeleteSubnet { id: subnet_id(network), if_revision: None }),
        1 => network.clone().prop_map(|network| Command::DeleteSubnet {
            id: subnet_id(network + 200),
            if_revision: None,
        }),
        2 => (network, any::<bool>()).prop_map(|(network, up)| Command::UpdateNetwork {
            id: network_id(network),
            patch: NetworkPatch { admin_state_up: Some(up), ..NetworkPatch::default() },
            if_revision: None,
        }),
        4 => (host.clone(), 1u8..6).prop_map(|(host, encap)| hypervisor(host, encap)),
        1 => host.clone().prop_map(|host| Command::ForgetHypervisor(host_name(host))),
        1 => (host.clone(), 1u8..6).prop_map(|(host, encap)| renamed(host, encap)),
        8 => (port.clone(), host.clone(), 0u32..9).prop_map(|(port, host, ofport)| plug(port, host, ofport)),
        2 => (host.clone(), port.clone())
            .prop_map(|(host, port)| Command::ForgetVif { host: host_name(host), port: port_id(port) }),
        1 => host.prop_map(|host| Command::SetLiveness(host_name(host), Liveness::Alive)),
        1 => port.prop_map(|port| Command::SetPortStatus(vec![(port_id(port), PortStatus::Active)])),
        12 => routing(),
        12 => security(),
    ]
}

/// A subnet with a gateway.
fn routed_subnet(number: u8, network: u8, cidr: &str) -> Command {
    let cidr = cidr.parse().expect("a prefix");
    Command::CreateSubnets(vec![NewSubnet::new(subnet_id(number), network_id(network), project(), cidr)])
}

/// A subnet whose gateway is an address of the network's first subnet.
fn crossed_subnet(network: u8, host: u8) -> Command {
    let cidr = format!("192.168.{network}.0/24").parse().expect("a prefix");
    let mut subnet = NewSubnet::new(subnet_id(network + 200), network_id(network), project(), cidr);
    subnet.gateway_ip = Some(Some(IpAddr::from([10, network, 0, host])));
    Command::CreateSubnets(vec![subnet])
}

/// Routers, their interfaces and routes.
fn routing() -> impl Strategy<Value = Command> {
    let (router, network) = (1..=ROUTERS, 1..=NETWORKS);
    let subnet = prop_oneof![(1..=NETWORKS).prop_map(subnet_id), (1..=NETWORKS).prop_map(|of| subnet_id(of + 100))];
    let patch = prop_oneof![
        any::<bool>().prop_map(|up| RouterPatch { admin_state_up: Some(up), ..RouterPatch::default() }),
        proptest::collection::vec((1u8..5, 1u8..5, 1u8..8), 0..3).prop_map(|routes| {
            let routes = routes.into_iter().map(|(to, network, host)| Route {
                destination: format!("172.{}.0.0/{}", 16 + to, 8 + 4 * to).parse::<IpNet>().expect("a prefix").trunc(),
                nexthop: IpAddr::from([10, network, 0, host]),
            });
            RouterPatch { routes: Some(routes.collect()), ..RouterPatch::default() }
        }),
    ];
    prop_oneof![
        2 => router.clone().prop_map(|router| Command::CreateRouters(vec![NewRouter::new(router_id(router), project())])),
        4 => (router.clone(), subnet.clone(), 0u8..=99).prop_map(|(router, subnet, port)| Command::AddRouterInterface {
            id: router_id(router),
            interface: NewInterface::Subnet { subnet, port: port_id(100 + port) },
        }),
        2 => (router.clone(), 1..=PORTS).prop_map(|(router, port)| Command::AddRouterInterface {
            id: router_id(router),
            interface: NewInterface::Port(port_id(port)),
        }),
        2 => (router.clone(), subnet).prop_map(|(router, subnet)| Command::RemoveRouterInterface {
            id: router_id(router),
            interface: OldInterface::Subnet(subnet),
        }),
        3 => (router.clone(), patch).prop_map(|(router, patch)| Command::UpdateRouter {
            id: router_id(router),
            patch,
            if_revision: None,
        }),
        1 => router.prop_map(|router| Command::DeleteRouter { id: router_id(router), if_revision: None }),
        2 => (network.clone(), prop_oneof![Just(1450u16), Just(1300), Just(1400)]).prop_map(|(network, mtu)| {
            Command::UpdateNetwork {
                id: network_id(network),
                patch: NetworkPatch { mtu: Some(mtu), ..NetworkPatch::default() },
                if_revision: None,
            }
        }),
        3 => network.prop_map(|network| {
            let mut subnet = NewSubnet::new(
                subnet_id(network + 100),
                network_id(network),
                project(),
                format!("fd00:{network}::/64").parse().expect("a prefix"),
            );
            subnet.ipv6_ra_mode = Some(Ipv6Mode::Slaac);
            subnet.ipv6_address_mode = Some(Ipv6Mode::Slaac);
            Command::CreateSubnets(vec![subnet])
        }),
    ]
}

/// Security groups, their rules, address groups, and which ports have them.
fn security() -> impl Strategy<Value = Command> {
    let group = 1..=GROUPS;
    let prefix = prop_oneof![
        Just("10.1.0.0/16"),
        Just("0.0.0.0/0"),
        Just("10.1.0.200/32"),
        Just("0.0.0.0/1"),
        Just("fd00::/16"),
        Just("::/0"),
    ]
    .prop_map(|text| text.parse::<IpNet>().expect("a prefix"));
    let remote = prop_oneof![
        2 => Just(Remote::Anybody),
        2 => prefix.clone().prop_map(Remote::Prefix),
        4 => group.clone().prop_map(|group| Remote::Group(group_id(group))),
        2 => Just(Remote::Addresses(address_group_id())),
    ];
    let protocol = prop_oneof![
        Just((None, None, None)),
        Just((Some("tcp"), Some(80), Some(90))),
        Just((Some("udp"), Some(1024), None)),
        Just((Some("icmp"), Some(8), Some(0))),
        Just((Some("vrrp"), None, None)),
    ];
    let rule = (any::<u8>(), group.clone(), any::<bool>(), any::<bool>(), protocol, remote).prop_map(
        |(number, group, ingress, v6, (word, min, max), remote)| {
            let number_of = |word| match word {
                "tcp" => 6,
                "udp" => 17,
                "icmp" => 1,
                _ => 112,
            };
            Command::CreateSecurityGroupRules(vec![NewSecurityGroupRule {
                id: rule_id(number),
                security_group_id: group_id(group),
                project_id: project(),
                description: None,
                direction: if ingress { Direction::Ingress } else { Direction::Egress },
                ethertype: if v6 { Ethertype::V6 } else { Ethertype::V4 },
                protocol: word.map(|word| Protocol { number: number_of(word), word: word.to_owned() }),
                port_range_min: min,
                port_range_max: max.or(min),
                remote,
            }])
        },
    );
    let addresses = || proptest::collection::btree_set(prefix.clone(), 0..3);
    prop_oneof![
        3 => (group.clone(), any::<bool>()).prop_map(|(group, stateful)| {
            let mut new = NewSecurityGroup::new(group_id(group), project());
            new.stateful = Some(stateful);
            Command::CreateSecurityGroups(vec![new])
        }),
        6 => rule,
        2 => any::<u8>().prop_map(|rule| Command::DeleteSecurityGroupRule { id: rule_id(rule), if_revision: None }),
        1 => group.clone().prop_map(|group| Command::DeleteSecurityGroup { id: group_id(group), if_revision: None }),
        4 => (1..=PORTS, proptest::collection::btree_set(group, 0..3)).prop_map(|(port, groups)| update_port(
            port,
            PortPatch { security_groups: Some(groups.into_iter().map(group_id).collect()), ..PortPatch::default() },
        )),
        1 => Just(Command::CreateAddressGroups(vec![NewAddressGroup::new(address_group_id(), project())])),
        2 => (addresses(), addresses()).prop_map(|(add, remove)| Command::UpdateAddressGroup {
            id: address_group_id(),
            patch: AddressGroupPatch { add, remove, ..AddressGroupPatch::default() },
            if_revision: None,
        }),
        1 => Just(Command::DeleteAddressGroup { id: address_group_id(), if_revision: None }),
    ]
}

/// The hypervisor of this number under the name that another would have, or its system id in place of the name.
fn renamed(host: u8, encap: u8) -> Command {
    match hypervisor(host, encap) {
        Command::ObserveHypervisor(fact) => {
            let name = host_name(host % HOSTS + 1);
            Command::ObserveHypervisor(HypervisorFact { name, ..fact })
        }
        other => other,
    }
}

/// Three networks with a port each on two hypervisors, and routers without interfaces.
fn furnished() -> Cloud {
    let mut cloud = Cloud::new();
    for command in [hypervisor(1, 1), hypervisor(2, 2)] {
        cloud.command(command);
    }
    for network in 1..=NETWORKS {
        cloud.command(create_network(network));
        cloud.command(routed_subnet(network, network, &format!("10.{network}.0.0/24")));
        let mut port = new_port(network, network);
        port.binding_host = Some(host_name(1 + network % 2));
        cloud.command(Command::CreatePorts(vec![port]));
    }
    for router in 1..=ROUTERS {
        cloud.command(Command::CreateRouters(vec![NewRouter::new(router_id(router), project())]));
    }
    for group in 1..=GROUPS {
        cloud.command(Command::CreateSecurityGroups(vec![NewSecurityGroup::new(group_id(group), project())]));
    }
    cloud
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn deltas_lead_to_what_a_cold_compile_wants(commands in proptest::collection::vec(command(), 1..60)) {
        let mut cloud = furnished();
        for command in commands {
            // A command that the model refuses changes nothing.
            if cloud.try_command(command).is_ok() {
                cloud.check();
            }
        }
    }

    #[test]
    fn doing_and_undoing_leaves_the_tables_as_they_were(commands in proptest::collection::vec(command(), 1..40)) {
        let mut cloud = Cloud::new();
        for number in 1..=HOSTS {
            cloud.command(hypervisor(number, number));
        }
        let before = cloud.tables.clone();
        for command in commands {
            let keeps_hosts = !matches!(command, Command::ObserveHypervisor(_) | Command::ForgetHypervisor(_));
            if keeps_hosts {
                let _refused = cloud.try_command(command);
            }
        }
        let routers: Vec<_> = cloud.topology.routers().map(|router| router.id).collect();
        for id in routers {
            let no_routes = RouterPatch { routes: Some(Vec::new()), ..RouterPatch::default() };
            cloud.command(Command::UpdateRouter { id, patch: no_routes, if_revision: None });
            let interfaces: Vec<_> = cloud.topology.interfaces_of(id).map(|port| port.id).collect();
            for port in interfaces {
                cloud.command(Command::RemoveRouterInterface { id, interface: OldInterface::Port(port) });
            }
        }
        let ports: Vec<_> = cloud.topology.ports().map(|port| port.id).collect();
        for id in ports {
            cloud.command(Command::DeletePort { id, if_revision: None });
        }
        cloud.check();
        let after = &cloud.tables;
        prop_assert_eq!(&before, after);
        for number in 1..=HOSTS {
            let key = cloud.host(host_name(number).as_str());
            for bridge in Bridge::ALL {
                prop_assert!(after[&(key, bridge)].groups.is_empty());
            }
        }
    }
}
