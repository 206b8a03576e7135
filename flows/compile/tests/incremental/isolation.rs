//! What attackers try with connections that the switch remembers, and gateways that are ports.

use crate::cloud::{
    Cloud, create_network, fixed, group_id, host_name, hypervisor, network_id, new_port, plug, port_id, project,
    router_id, rule_id, subnet_id,
};
use ipnet::IpNet;
use std::net::IpAddr;
use uuid::Uuid;
use weir_compile::{Bridge, desired};
use weir_model::{
    Command, Direction, Ethertype, MacAddress, NewInterface, NewRouter, NewSecurityGroup, NewSecurityGroupRule,
    NewSubnet, PortId, Remote,
};
use weir_openflow::FlowEdit;
use weir_sim::fabric::{Fabric, Journey};
use weir_sim::packet::Frame;

fn network(cloud: &mut Cloud, number: u8, cidr: &str) {
    cloud.command(create_network(number));
    let cidr: IpNet = cidr.parse().expect("a prefix");
    cloud.command(Command::CreateSubnets(vec![NewSubnet::new(subnet_id(number), network_id(number), project(), cidr)]));
}

/// Group 1 takes nothing in, group 2 everything.
fn groups(cloud: &mut Cloud) {
    let groups = [1, 2].map(|number| NewSecurityGroup::new(group_id(number), project()));
    cloud.command(Command::CreateSecurityGroups(groups.to_vec()));
    cloud.command(Command::CreateSecurityGroupRules(vec![NewSecurityGroupRule {
        id: rule_id(1),
        security_group_id: group_id(2),
        project_id: project(),
        description: None,
        direction: Direction::Ingress,
        ethertype: Ethertype::V4,
        protocol: None,
        port_range_min: None,
        port_range_max: None,
        remote: Remote::Anybody,
    }]));
}

fn vm(cloud: &mut Cloud, number: u8, network: u8, address: &str, group: Option<u8>) {
    let mut port = new_port(number, network);
    port.fixed_ips = Some(vec![fixed(address)]);
    port.binding_host = Some(host_name(1));
    port.port_security_enabled = Some(group.is_some());
    port.security_groups = Some(group.map(group_id).into_iter().collect());
    cloud.command(Command::CreatePorts(vec![port]));
    cloud.command(plug(number, 1, number.into()));
}

fn router(cloud: &mut Cloud, number: u8) {
    cloud.command(Command::CreateRouters(vec![NewRouter::new(router_id(number), project())]));
}

fn interface(cloud: &mut Cloud, router: u8, network: u8) -> MacAddress {
    let port = PortId(Uuid::from_u128(0x9000 + u128::from(router) * 256 + u128::from(network)));
    let interface = NewInterface::Subnet { subnet: subnet_id(network), port };
    cloud.command(Command::AddRouterInterface { id: router_id(router), interface });
    cloud.topology.port(port).expect("the port").mac_address
}

fn mac(cloud: &Cloud, number: u8) -> MacAddress {
    cloud.topology.port(port_id(number)).expect("the port").mac_address
}

fn fabric(cloud: &Cloud) -> Fabric {
    let mut fabric = Fabric::new();
    let host = host_name(1);
    fabric.add_host(&host, IpAddr::from([192, 0, 2, 1]));
    for number in 1..=4 {
        if cloud.topology.port(port_id(number)).is_some() {
            assert_eq!(fabric.host_mut(&host).expect("the host").plug(port_id(number)).0, u32::from(number));
        }
    }
    for bridge in Bridge::ALL {
        let table = desired(cloud.host("host1"), bridge, &cloud.topology);
        let edits = table.meters.into_values().map(FlowEdit::AddMeter);
        let edits = edits.chain(table.groups.into_values().map(FlowEdit::AddGroup));
        for edit in edits.chain(table.flows.into_values().map(FlowEdit::AddFlow)) {
            fabric.apply(&host, bridge.name(), &edit).expect("the host").expect("the switch takes it");
        }
    }
    fabric
}

fn reaches(journey: &Journey, port: u8) -> bool {
    journey.received().any(|(to, _)| to == port_id(port))
}

/// Networks 1 and 3 are the attacker's, 2 is where the victim is; a router connects them. Port 1 of the attacker has no
/// port security, which is the right of the owner of network 1; it says to be the victim.
#[test]
fn a_forged_source_in_one_network_opens_no_port_in_another() {
    let mut cloud = Cloud::new();
    cloud.command(hypervisor(1, 1));
    for (number, cidr) in [(2, "10.0.2.0/24"), (1, "10.0.1.0/24"), (3, "10.0.3.0/24")] {
        network(&mut cloud, number, cidr);
    }
    groups(&mut cloud);
    router(&mut cloud, 1);
    let [first, _, third] = [1, 2, 3].map(|network| interface(&mut cloud, 1, network));
    vm(&mut cloud, 1, 1, "10.0.1.11", None);
    vm(&mut cloud, 2, 2, "10.0.2.22", Some(1));
    vm(&mut cloud, 3, 3, "10.0.3.33", Some(2));
    let (victim, accomplice) = (IpAddr::from([10, 0, 2, 22]), IpAddr::from([10, 0, 3, 33]));
    let mut fabric = fabric(&cloud);
    let attack = Frame::new(mac(&cloud, 3), third).udp(accomplice, victim, 4444, 22, b"attack");
    let refused = fabric.inject(&host_name(1), port_id(3), attack.clone());
    assert!(!reaches(&refused, 2), "the victim takes nothing in");
    let forged = Frame::new(mac(&cloud, 1), first).udp(victim, accomplice, 22, 4444, b"forged");
    let forged = fabric.inject(&host_name(1), port_id(1), forged);
    assert!(reaches(&forged, 3), "the accomplice takes everything in: {:?}", forged.trace);
    let let_in = fabric.inject(&host_name(1), port_id(3), attack);
    assert!(!reaches(&let_in, 2), "what the victim never asked for reaches it: {:?}", let_in.trace);
}

/// Tenants with the same addresses, each with a router to a network of services: a connection of one of them is no way
/// into the other.
#[test]
fn a_connection_of_one_tenant_opens_no_port_of_another_with_the_same_address() {
    let mut cloud = Cloud::new();
    cloud.command(hypervisor(1, 1));
    for (number, cidr) in [(2, "10.0.2.0/24"), (1, "10.0.0.0/24"), (3, "10.0.0.0/24")] {
        network(&mut cloud, number, cidr);
    }
    groups(&mut cloud);
    router(&mut cloud, 1);
    router(&mut cloud, 2);
    let attackers = interface(&mut cloud, 1, 1);
    interface(&mut cloud, 2, 3);
    for router in [1, 2] {
        let mut port = new_port(100 + router, 2);
        port.fixed_ips = Some(vec![fixed(&format!("10.0.2.{}", 100 + router))]);
        cloud.command(Command::CreatePorts(vec![port]));
        let interface = NewInterface::Port(port_id(100 + router));
        cloud.command(Command::AddRouterInterface { id: router_id(router), interface });
    }
    vm(&mut cloud, 1, 1, "10.0.0.5", Some(2));
    vm(&mut cloud, 2, 3, "10.0.0.5", Some(1));
    vm(&mut cloud, 3, 2, "10.0.2.33", Some(2));
    let (shared, service) = (IpAddr::from([10, 0, 0, 5]), IpAddr::from([10, 0, 2, 33]));
    let mut fabric = fabric(&cloud);
    let attack = Frame::new(mac(&cloud, 3), mac(&cloud, 102)).udp(service, shared, 4444, 22, b"attack");
    let refused = fabric.inject(&host_name(1), port_id(3), attack.clone());
    assert!(!reaches(&refused, 2), "the victim takes nothing in");
    let opened = Frame::new(mac(&cloud, 1), attackers).udp(shared, service, 22, 4444, b"opened");
    let opened = fabric.inject(&host_name(1), port_id(1), opened);
    assert!(reaches(&opened, 3), "{:?}", opened.trace);
    let let_in = fabric.inject(&host_name(1), port_id(3), attack);
    assert!(!reaches(&let_in, 2), "what the victim never asked for reaches it: {:?}", let_in.trace);
}

/// The gateway of one subnet may be a VM in another subnet of the network.
#[test]
fn a_gateway_in_another_subnet_answers_for_itself() {
    let mut cloud = Cloud::new();
    cloud.command(hypervisor(1, 1));
    network(&mut cloud, 1, "10.0.1.0/24");
    groups(&mut cloud);
    vm(&mut cloud, 1, 1, "10.0.1.11", Some(1));
    let mut subnet = NewSubnet::new(subnet_id(2), network_id(1), project(), "10.0.2.0/24".parse().expect("a prefix"));
    subnet.gateway_ip = Some(Some(IpAddr::from([10, 0, 1, 11])));
    cloud.command(Command::CreateSubnets(vec![subnet]));
    cloud.check();
}
