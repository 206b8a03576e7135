//! Questions of VMs: whatever a VM sends, the answer is a frame that its network can carry.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;
use weir_answer::{Question, Settings, answer};
use weir_model::{
    Command, ExtraDhcpOption, Ipv6Mode, Limits, NetworkId, NetworkKey, NewFixedIp, NewNetwork, NewPort, NewSubnet,
    PortId, PortKey, Record, Request, Router, RouterId, RouterKey, SubnetId, Timestamp, Topology,
};

const NETWORK: NetworkId = NetworkId(Uuid::from_u128(1));
const ROUTER: RouterId = RouterId(Uuid::from_u128(2));

fn option(name: &str, value: &str, ip_version: u8) -> ExtraDhcpOption {
    ExtraDhcpOption { name: name.to_owned(), value: value.to_owned(), ip_version }
}

/// A network of both versions, the gateway of both, and a VM whose address begins all inputs.
fn topology() -> Topology {
    let subnet = |id, cidr: &str, gateway: &str| {
        let cidr = cidr.parse().expect("a prefix");
        let mut subnet = NewSubnet::new(SubnetId(Uuid::from_u128(id)), NETWORK, "red".into(), cidr);
        subnet.gateway_ip = Some(Some(gateway.parse().expect("an address")));
        subnet
    };
    let mut ipv6 = subnet(4, "2001:db8::/64", "2001:db8::1");
    ipv6.ipv6_ra_mode = Some(Ipv6Mode::Dhcpv6Stateful);
    ipv6.ipv6_address_mode = Some(Ipv6Mode::Dhcpv6Stateful);
    let mut vm = NewPort::new(PortId(Uuid::from_u128(5)), NETWORK, "red".into());
    vm.mac_address = Some("fa:16:3e:00:00:01".parse().expect("a link-layer address"));
    vm.extra_dhcp_opts = Some(vec![option("66", "boot.example", 4), option("59", "tftp://[::1]/x", 6)]);
    let mut interface = NewPort::new(PortId(Uuid::from_u128(6)), NETWORK, "red".into());
    let address = |text: &str| NewFixedIp { subnet_id: None, ip_address: Some(text.parse().expect("an address")) };
    interface.fixed_ips = Some(vec![address("10.0.0.1"), address("2001:db8::1")]);
    interface.device_owner = Some("network:router_interface_distributed".to_owned());
    interface.device_id = Some(ROUTER.to_string());
    let commands = [
        Command::CreateNetworks(vec![NewNetwork::new(NETWORK, "red".into())]),
        Command::CreateSubnets(vec![subnet(3, "10.0.0.0/24", "10.0.0.1"), ipv6]),
        Command::CreatePorts(vec![vm, interface]),
    ];
    let mut topology = Topology::new(Limits::default());
    for command in commands {
        topology = topology.transact(Request { command, at: Timestamp(0) }).expect("a sound command").0;
    }
    let router = Router {
        id: ROUTER,
        key: RouterKey(1),
        project_id: "red".into(),
        name: String::new(),
        description: String::new(),
        admin_state_up: true,
        routes: Vec::new(),
        distributed: true,
        ha: false,
        availability_zone_hints: Vec::new(),
        tags: BTreeSet::new(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        revision_number: 0,
    };
    let records: Vec<_> = topology.records().chain([Record::Router(Arc::new(router))]).collect();
    Topology::load(Limits::default(), records.into_iter(), topology.revision()).expect("records that agree")
}

fuzz_target!(|input: (u8, &[u8])| {
    static TOPOLOGY: OnceLock<Topology> = OnceLock::new();
    let (kind, frame) = input;
    let (router, arrival, network) = (RouterKey(1), NetworkKey(1), NetworkKey(1));
    let question = match usize::from(kind) % Question::KINDS {
        0 => Question::Dhcpv4,
        1 => Question::Dhcpv6,
        2 => Question::RouterSolicitation,
        3 => Question::TimeExceeded { router, arrival },
        4 => Question::NoRoute { router, arrival },
        5 => Question::HostUnreachable { router, arrival },
        _ => Question::TooBig { router, arrival, network },
    };
    let topology = TOPOLOGY.get_or_init(topology);
    if let Ok(answer) = answer(topology, PortKey(1), question, frame, &Settings::default()) {
        assert!(!answer.frames.is_empty());
        assert!(answer.frames.iter().all(|frame| (54..=14 + 1450).contains(&frame.len())));
    }
});
