//! Random commands: after each, what deltas made of every bridge is what a cold compile wants there.

use crate::cloud::{
    Cloud, bind, create_network, create_subnet, fixed, host_name, hypervisor, network_id, new_port, pair, plug,
    port_id, subnet_id, update_port,
};
use proptest::prelude::*;
use weir_compile::Bridge;
use weir_model::{Command, HypervisorFact, Liveness, MacAddress, NetworkPatch, PortPatch, PortStatus};

const HOSTS: u8 = 4;
const NETWORKS: u8 = 3;
const PORTS: u8 = 8;

fn pairs() -> impl Strategy<Value = Vec<weir_model::NewAddressPair>> {
    let one = prop_oneof![
        Just(pair("10.0.0.200/32", None)),
        Just(pair("10.0.0.0/24", None)),
        Just(pair("0.0.0.0/0", None)),
        Just(pair("10.0.0.201/32", Some([0, 0, 0x5e, 0, 1, 1]))),
        Just(pair("10.0.0.201/32", Some([0, 0, 0x5e, 0, 1, 2]))),
        Just(pair("fd00::/64", None)),
        Just(pair("::/0", Some([0, 0, 0x5e, 0, 1, 1]))),
        Just(pair("fd00::9/128", Some([0, 0, 0x5e, 0, 1, 1]))),
        Just(pair("10.0.0.7/32", Some([1, 0, 0x5e, 0, 1, 1]))),
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
            fixed_ips: Some(vec![fixed(&format!("10.0.0.{last}"))]),
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
        1 => network.clone().prop_map(|network| create_subnet(network, network, "10.0.0.0/24")),
        1 => network.clone().prop_map(|network| create_subnet(network + 100, network, "fd00::/64")),
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
        1 => network.clone().prop_map(|network| Command::DeleteSubnet { id: subnet_id(network), if_revision: None }),
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn deltas_lead_to_what_a_cold_compile_wants(commands in proptest::collection::vec(command(), 1..60)) {
        let mut cloud = Cloud::new();
        for command in [hypervisor(1, 1), hypervisor(2, 2), create_network(1), create_subnet(1, 1, "10.0.0.0/24")] {
            cloud.command(command);
        }
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
