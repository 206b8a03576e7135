//! Which units a change rebuilds, and who is told.

use crate::cloud::{
    Cloud, bind, create_network, create_port, create_subnet, group_id, hypervisor, network_id, plug, port_id, project,
    router_id, rule_id, subnet_id, update_port,
};
use std::collections::BTreeMap;
use weir_compile::register::ZONE;
use weir_compile::{Applied, Bridge, Delta, Unit};
use weir_model::{
    Command, Direction, Ethertype, NewInterface, NewRouter, NewSecurityGroup, NewSecurityGroupRule, NewSubnet, PortKey,
    PortPatch, PortStatus, Protocol, Remote,
};
use weir_openflow::{Action, FlowTable};

/// Three hypervisors; ports 1 and 2 on the first two in network 1, port 3 on the third in network 2.
fn cloud() -> Cloud {
    let mut cloud = Cloud::new();
    for number in 1..=3 {
        cloud.command(hypervisor(number, number));
    }
    for number in 1..=2 {
        cloud.command(create_network(number));
        cloud.command(create_subnet(number, number, "10.0.0.0/24"));
    }
    for (port, network, host) in [(1, 1, 1), (2, 1, 2), (3, 2, 3)] {
        cloud.command(create_port(port, network, Some(host)));
        cloud.command(plug(port, host, 10 + u32::from(port)));
    }
    cloud.check();
    cloud
}

fn key(cloud: &Cloud, port: u8) -> PortKey {
    cloud.topology.port(port_id(port)).expect("the port is there").key
}

#[test]
fn a_port_rebuilds_its_own_units_only() {
    let mut cloud = cloud();
    let applied = cloud.command(create_port(4, 1, Some(1)));
    let port = key(&cloud, 4);
    let expected = |unit: &Unit| match *unit {
        Unit::PortTunnel(key) | Unit::Neighbour(key) | Unit::Admission(key) | Unit::Vif(key) => key == port,
        // The port is one more address of its own group, which its group's rules name.
        Unit::Mac(..) | Unit::FloodMember(..) | Unit::Remote(..) => true,
        _ => false,
    };
    assert_eq!(applied.rebuilt.len(), 7, "{:?}", Cloud::unit_names(&applied));
    assert!(applied.rebuilt.iter().all(expected), "{:?}", Cloud::unit_names(&applied));
    let third = cloud.host("host3");
    let told = applied.deltas.iter().filter(|delta| delta.recipients.contains(third));
    assert!(
        told.map(|delta| delta.unit).all(|unit| matches!(unit, Unit::Remote(..))),
        "host3 has no port in the network, but one of the group"
    );
    let tunnel: Vec<_> = applied.deltas.iter().filter(|delta| delta.bridge == Bridge::Tunnel).collect();
    assert_eq!(tunnel.len(), 1);
    assert!(tunnel[0].recipients.iter().eq([cloud.host("host2")]), "only the other host needs the way to the port");
}

/// What the largest clouds are made of: each port with IPv4 and IPv6, on a hypervisor that has others of its network.
#[test]
fn a_port_costs_another_hypervisor_a_flow_for_each_address_and_two_for_the_port() {
    for routed in [false, true] {
        let mut cloud = cloud();
        cloud.command(Command::CreateRouters(vec![NewRouter::new(router_id(1), project())]));
        for number in 1..=2 {
            let cidr = format!("fd00:{number}::/64").parse().expect("a prefix");
            let subnet = NewSubnet::new(subnet_id(100 + number), network_id(number), project(), cidr);
            cloud.command(Command::CreateSubnets(vec![subnet]));
            if routed {
                let interface = NewInterface::Subnet { subnet: subnet_id(100 + number), port: port_id(100 + number) };
                cloud.command(Command::AddRouterInterface { id: router_id(1), interface });
            }
        }
        let applied = cloud.command(create_port(4, 1, Some(1)));
        let flows = |host: &str| {
            let own =
                |delta: &&Delta| delta.recipients.contains(cloud.host(host)) && !matches!(delta.unit, Unit::Remote(..));
            let edits = applied.deltas.iter().filter(own).flat_map(|delta| delta.edits.iter());
            edits.count()
        };
        assert_eq!(flows("host2"), 4, "two addresses, the link-layer address and the tunnel");
        let away = if routed { 3 } else { 0 };
        assert_eq!(flows("host3"), away, "routers send by addresses, so the link-layer address is not needed");
        cloud.check();
    }
}

#[test]
fn what_makes_no_flows_rebuilds_nothing() {
    let mut cloud = cloud();
    for command in [
        Command::SetPortStatus(vec![(port_id(1), PortStatus::Active)]),
        update_port(1, PortPatch { name: Some("other".to_owned()), ..PortPatch::default() }),
        hypervisor(1, 1),
        create_network(7),
    ] {
        let applied = cloud.command(command);
        let names = Cloud::unit_names(&applied);
        assert!(applied.deltas.is_empty(), "{names:?}");
        assert!(
            applied
                .rebuilt
                .iter()
                .all(|unit| matches!(unit, Unit::NetworkTunnel(_) | Unit::Flood(_) | Unit::Services(_))),
            "{names:?}"
        );
    }
}

#[test]
fn plugging_tells_one_hypervisor() {
    let mut cloud = cloud();
    let applied = cloud.command(plug(1, 1, 40));
    assert_eq!(applied.rebuilt, [Unit::Vif(key(&cloud, 1))]);
    let first = cloud.host("host1");
    assert!(applied.deltas.iter().all(|delta| delta.recipients.iter().eq([first])));
    let edits: usize = applied.deltas.iter().map(|delta| delta.edits.len()).sum();
    assert_eq!(
        edits, 6,
        "the way in under the old number goes, the way in under the new comes, the way out changes, and so does the \
         meter of its questions"
    );
    cloud.check();
}

#[test]
fn a_moved_port_leaves_nothing_behind() {
    let mut cloud = cloud();
    let first = cloud.host("host1");
    let alone = Cloud::tables_of(&cloud, first);
    cloud.command(bind(1, Some(2)));
    cloud.check();
    for (bridge, table) in Cloud::tables_of(&cloud, first) {
        assert!(table.groups.is_empty());
        assert!(table.flows.len() < alone[&bridge].flows.len());
    }
    cloud.command(bind(1, Some(1)));
    cloud.command(plug(1, 1, 11));
    cloud.check();
    assert_eq!(but_for_zones(Cloud::tables_of(&cloud, first)), but_for_zones(alone));
}

/// The tables without the numbers of conntrack zones, which are not given again at once.
fn but_for_zones(mut tables: BTreeMap<Bridge, FlowTable>) -> BTreeMap<Bridge, FlowTable> {
    let is_zone = |action: &Action| matches!(action, Action::SetField { field, .. } if *field == ZONE.bits().field);
    for flow in tables.values_mut().flat_map(|table| table.flows.values_mut()) {
        flow.instructions.apply.retain(|action| !is_zone(action));
    }
    tables
}

#[test]
fn a_first_port_brings_the_whole_network_and_the_last_takes_it() {
    let mut cloud = cloud();
    let third = cloud.host("host3");
    let before = Cloud::tables_of(&cloud, third);
    cloud.command(create_port(5, 1, Some(3)));
    cloud.check();
    let groups = |cloud: &Cloud| Cloud::tables_of(cloud, third)[&Bridge::Tunnel].groups.len();
    assert_eq!(groups(&cloud), 2);
    cloud.command(Command::DeletePort { id: port_id(5), if_revision: None });
    cloud.check();
    assert_eq!(Cloud::tables_of(&cloud, third), before);
}

/// What a switch took in before a change may still ask for the rules of the set that its port had.
#[test]
fn rules_that_no_port_is_held_to_any_more_may_go_later_and_nothing_else_may() {
    let mut cloud = cloud();
    cloud.command(Command::CreateSecurityGroups(vec![NewSecurityGroup::new(group_id(1), project())]));
    let first = cloud.host("host1");
    let old = cloud.topology.set_of(cloud.topology.port(port_id(1)).expect("the port is there")).expect("a set").key;
    let other = PortPatch { security_groups: Some(vec![group_id(1)]), ..PortPatch::default() };
    let applied = cloud.command(update_port(1, other));
    let is_old = |delta: &Delta| matches!(delta.unit, Unit::Rules(set) | Unit::Remote(set, _) | Unit::Generation(set) if set == old);
    let (waiting, at_once): (Vec<&Delta>, Vec<&Delta>) = applied.deltas.iter().partition(|delta| delta.can_wait);
    assert!(!waiting.is_empty() && waiting.iter().all(|delta| is_old(delta) && delta.recipients.iter().eq([first])));
    assert!(at_once.iter().all(|delta| !(is_old(delta) && delta.recipients.contains(first))));

    // A rule of a set that ports do have goes at once, and so does an address of a group that it names.
    let group = cloud.topology.set_of(cloud.topology.port(port_id(2)).expect("the port is there")).expect("a set");
    let group = *group.groups.first().expect("the default group");
    let rule = cloud.topology.rules_of(group).next().expect("a rule").id;
    let removed = cloud.command(Command::DeleteSecurityGroupRule { id: rule, if_revision: None });
    let left = cloud.command(Command::DeletePort { id: port_id(2), if_revision: None });
    for applied in [&removed, &left] {
        let third = applied.deltas.iter().filter(|delta| delta.recipients.contains(cloud.host("host3")));
        assert!(
            third.clone().count() > 0 && third.clone().all(|delta| !delta.can_wait),
            "{:?}",
            Cloud::unit_names(applied)
        );
    }
}

#[test]
fn a_rule_rebuilds_addresses_only_if_it_says_something_new_of_them() {
    let mut cloud = cloud();
    let set = cloud.topology.set_of(cloud.topology.port(port_id(1)).expect("the port is there")).expect("a set");
    let (set, group) = (set.key, *set.groups.first().expect("the default group"));
    let mut add = |number, direction| {
        let applied = cloud.command(Command::CreateSecurityGroupRules(vec![NewSecurityGroupRule {
            id: rule_id(number),
            security_group_id: group,
            project_id: project(),
            description: None,
            direction,
            ethertype: Ethertype::V4,
            protocol: Some(Protocol { number: 6, word: "tcp".to_owned() }),
            port_range_min: Some(80),
            port_range_max: Some(80),
            remote: Remote::Group(group),
        }]));
        cloud.check();
        applied.rebuilt
    };
    // The group's own rules name its members already, as those that send.
    assert_eq!(add(1, Direction::Ingress), [Unit::Rules(set)]);
    let rebuilt = add(2, Direction::Egress);
    assert!(rebuilt.iter().any(|unit| matches!(unit, Unit::Remote(of, _) if *of == set)), "{rebuilt:?}");
    assert_eq!(
        cloud
            .command(Command::DeleteSecurityGroupRule { id: rule_id(1), if_revision: None })
            .rebuilt
            .iter()
            .filter(|unit| matches!(unit, Unit::Remote(..)))
            .count(),
        0
    );
    cloud.check();
}

#[test]
fn an_endpoint_that_moves_is_followed_everywhere() {
    let mut cloud = cloud();
    let applied = cloud.command(hypervisor(2, 77));
    cloud.check();
    let second = cloud.host("host2");
    assert!(applied.deltas.iter().all(|delta| !delta.recipients.contains(second)), "nothing on itself leads to itself");
    assert!(applied.deltas.iter().any(|delta| delta.recipients.contains(cloud.host("host3"))));
}

#[test]
fn what_cannot_be_expressed_is_told() {
    let mut cloud = cloud();
    let applied = cloud.command(create_port(6, 1, Some(9)));
    assert_eq!(applied.unexpressed.len(), 1);
    assert!(applied.unexpressed[0].to_string().contains("'host9'"));
    let as_remote = |delta: &Delta| matches!(delta.unit, Unit::Remote(..));
    assert!(applied.deltas.iter().all(as_remote), "the port is nothing but an address of its group");
    let applied = cloud.command(plug(1, 2, 50));
    assert!(applied.unexpressed[0].to_string().contains("plugged on 'host2'"));
    assert!(applied.deltas.is_empty());
    let applied = cloud.command(plug(1, 1, 65001));
    assert!(applied.unexpressed.iter().any(|one| one.to_string().contains("65001")));
    cloud.command(Command::CreateSecurityGroups(vec![NewSecurityGroup::new(group_id(1), project())]));
    let applied = cloud.command(Command::CreateSecurityGroupRules(vec![NewSecurityGroupRule {
        id: rule_id(1),
        security_group_id: group_id(1),
        project_id: project(),
        description: None,
        direction: Direction::Ingress,
        ethertype: Ethertype::V4,
        protocol: Some(Protocol { number: 33, word: "dccp".to_owned() }),
        port_range_min: Some(80),
        port_range_max: Some(80),
        remote: Remote::Anybody,
    }]));
    assert!(applied.unexpressed[0].to_string().contains("no switch finds ports in packets of protocol 33"));
    cloud.check();
}

/// A router with an interface in each of so many networks, which have a port each.
fn wide_router(networks: u8) -> Cloud {
    let mut cloud = Cloud::new();
    for number in 1..=2 {
        cloud.command(hypervisor(number, number));
    }
    cloud.command(Command::CreateRouters(vec![NewRouter::new(router_id(1), project())]));
    for number in 1..=networks {
        join(&mut cloud, number);
    }
    cloud
}

/// A network with a port, and an interface of the router; what the interface rebuilds.
fn join(cloud: &mut Cloud, number: u8) -> Applied {
    cloud.command(create_network(number));
    let cidr = format!("10.{number}.0.0/24").parse().expect("a prefix");
    let subnet = NewSubnet::new(subnet_id(number), network_id(number), project(), cidr);
    cloud.command(Command::CreateSubnets(vec![subnet]));
    cloud.command(create_port(number, number, Some(1 + number % 2)));
    let interface = NewInterface::Subnet { subnet: subnet_id(number), port: port_id(100 + number) };
    cloud.command(Command::AddRouterInterface { id: router_id(1), interface })
}

#[test]
fn an_interface_more_rebuilds_as_much_whatever_the_router_has() {
    let names = |networks: u8| {
        let mut cloud = wide_router(networks);
        let applied = join(&mut cloud, networks + 1);
        cloud.check();
        let own = [key(&cloud, networks + 1), key(&cloud, 101 + networks)];
        let network = cloud.topology.network(network_id(networks + 1)).expect("the network is there").key;
        let expected = |unit: &Unit| match *unit {
            Unit::Interface(port)
            | Unit::RouterAddress(port)
            | Unit::Connected(port)
            | Unit::Neighbour(port)
            | Unit::Admission(port)
            | Unit::PortTunnel(port)
            | Unit::Vif(port) => own.contains(&port),
            Unit::Zone(_, of) | Unit::Services(of) | Unit::Mtu(of) | Unit::Mac(of, _) => of == network,
            Unit::Routes(_) => true,
            _ => false,
        };
        assert!(applied.rebuilt.iter().all(expected), "{:?}", Cloud::unit_names(&applied));
        applied.rebuilt.len()
    };
    assert_eq!(names(2), names(20));
}
