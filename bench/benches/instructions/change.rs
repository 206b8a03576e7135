//! What is asked of a cloud of 1,000 ports on 20 hypervisors.

use std::sync::Arc;
use uuid::Uuid;
use weir_bench::cloud::Cloud;
use weir_model::{
    Command, Direction, Ethertype, NetworkId, NetworkKey, NewInterface, NewSecurityGroupRule, OldInterface, PortId,
    Protocol, Remote, RouterId, SecurityGroupRuleId, Subnet, SubnetId,
};

/// Ports of the cloud's VMs; a hundred are in a network, and two networks are a project's.
const PORTS: usize = 1_000;

/// Its hypervisors.
const HOSTS: usize = 20;

/// The cloud.
pub(crate) fn cloud() -> Cloud {
    Cloud::of(PORTS, HOSTS).expect("the model takes the cloud")
}

/// A cloud and what is asked of it next.
pub(crate) struct Change {
    pub(crate) cloud: Cloud,
    pub(crate) command: Command,
}

impl Change {
    fn new(mut cloud: Cloud, before: impl IntoIterator<Item = Command>, command: Command) -> Self {
        for command in before {
            cloud.command(command).expect("the model takes it");
        }
        Self { cloud, command }
    }

    /// A port more on the first network.
    pub(crate) fn port_created() -> Self {
        let mut cloud = cloud();
        let (_, command) = cloud.new_port(first_network(&cloud), 0);
        Self { cloud, command }
    }

    /// The interface of such a port appears.
    pub(crate) fn port_plugged() -> Self {
        let mut cloud = cloud();
        let (port, created) = cloud.new_port(first_network(&cloud), 0);
        let plugged = cloud.vif(port, 0, 30_000);
        Self::new(cloud, [created], plugged)
    }

    /// A rule more in the default group of the first project, by which its 200 ports reach each other.
    pub(crate) fn rule_added() -> Self {
        let cloud = cloud();
        let group = cloud.topology.default_security_group("tenant-0").expect("the project's ports have the group");
        let command = Command::CreateSecurityGroupRules(vec![NewSecurityGroupRule {
            id: SecurityGroupRuleId(Uuid::from_u128(1)),
            security_group_id: group.id,
            project_id: group.project_id.clone(),
            description: None,
            direction: Direction::Ingress,
            ethertype: Ethertype::V4,
            protocol: Some(Protocol { number: 6, word: "tcp".to_owned() }),
            port_range_min: Some(443),
            port_range_max: Some(443),
            remote: Remote::Group(group.id),
        }]);
        Self { cloud, command }
    }

    /// The first project's router gets its interface in the IPv4 subnet of the first network, which has 100 ports and no
    /// router before.
    pub(crate) fn interface_added() -> Self {
        let cloud = cloud();
        let network = first_network(&cloud);
        let subnets: Vec<_> = cloud.topology.subnets_of(network).cloned().collect();
        let subnet = subnets.iter().find(|subnet| !subnet.is_ipv6()).expect("a subnet of IPv4").id;
        let id = router_of(&cloud, subnet);
        let taken =
            |subnet: &Arc<Subnet>| Command::RemoveRouterInterface { id, interface: OldInterface::Subnet(subnet.id) };
        let given = NewInterface::Subnet { subnet, port: PortId(Uuid::from_u128(2)) };
        Self::new(cloud, subnets.iter().map(taken), Command::AddRouterInterface { id, interface: given })
    }
}

fn first_network(cloud: &Cloud) -> NetworkId {
    cloud.topology.network_by_key(NetworkKey(1)).expect("networks are numbered from 1").id
}

fn router_of(cloud: &Cloud, subnet: SubnetId) -> RouterId {
    let mut routers = cloud.topology.ports_of_subnet(subnet).filter_map(|port| cloud.topology.router_of(port));
    routers.next().expect("subnets of the cloud have a router").id
}
