//! A topology to ask, with ids and times of its own.

use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    AddressGroupId, Command, Commit, Direction, Ethertype, FixedIp, HostName, HypervisorFact, Limits, Network,
    NetworkId, NetworkPatch, NewFixedIp, NewNetwork, NewPort, NewSecurityGroup, NewSecurityGroupRule, NewSubnet,
    Outcome, Port, PortId, PortPatch, ProjectId, Protocol, Rejection, Remote, Request, SecurityGroup, SecurityGroupId,
    SecurityGroupRule, SecurityGroupRuleId, Subnet, SubnetId, SubnetPatch, Timestamp, Topology,
};

pub(crate) struct Cloud {
    pub(crate) topology: Topology,
    pub(crate) commit: Commit,
    clock: u64,
    last_id: u128,
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("a test's address")
}

pub(crate) fn net(id: u128) -> NetworkId {
    NetworkId(Uuid::from_u128(id))
}

pub(crate) fn sub(id: u128) -> SubnetId {
    SubnetId(Uuid::from_u128(id))
}

pub(crate) fn prt(id: u128) -> PortId {
    PortId(Uuid::from_u128(id))
}

pub(crate) fn grp(id: u128) -> SecurityGroupId {
    SecurityGroupId(Uuid::from_u128(id))
}

pub(crate) fn rul(id: u128) -> SecurityGroupRuleId {
    SecurityGroupRuleId(Uuid::from_u128(id))
}

pub(crate) fn agr(id: u128) -> AddressGroupId {
    AddressGroupId(Uuid::from_u128(id))
}

pub(crate) fn host(name: &str) -> HostName {
    name.into()
}

pub(crate) fn project() -> ProjectId {
    "alpha".into()
}

/// The fault as an API client sees it: type, status, message.
pub(crate) fn fault(rejection: &Rejection) -> (&'static str, u16, String) {
    (rejection.kind(), rejection.class().status(), rejection.message())
}

pub(crate) fn any_of(subnet: SubnetId) -> NewFixedIp {
    NewFixedIp { subnet_id: Some(subnet), ip_address: None }
}

pub(crate) fn exactly(address: &str) -> NewFixedIp {
    NewFixedIp { subnet_id: None, ip_address: Some(ip(address)) }
}

pub(crate) fn addresses(port: &Port) -> Vec<String> {
    port.fixed_ips.iter().map(|fixed: &FixedIp| fixed.ip_address.to_string()).collect()
}

impl Default for Cloud {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Cloud {
    pub(crate) fn new(limits: Limits) -> Self {
        let topology = Topology::new(limits);
        let commit = Commit { revision: topology.revision(), changes: Vec::new() };
        Self { topology, commit, clock: 0, last_id: 0 }
    }

    pub(crate) fn id(&mut self) -> u128 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock)
    }

    pub(crate) fn ask(&mut self, command: Command) -> Result<Outcome, Rejection> {
        self.clock += 1;
        let request = Request { command, at: Timestamp(self.clock) };
        let (topology, commit, outcome) = self.topology.transact(request)?;
        self.topology = topology;
        self.commit = commit;
        Ok(outcome)
    }

    pub(crate) fn done(&mut self, command: Command) -> Outcome {
        self.ask(command).expect("a command that can be done")
    }

    pub(crate) fn refused(&mut self, command: Command) -> (&'static str, u16, String) {
        fault(&self.ask(command).expect_err("a command that is refused"))
    }

    pub(crate) fn new_network(&mut self) -> NewNetwork {
        NewNetwork::new(net(self.id()), project())
    }

    pub(crate) fn create_network(&mut self, new: NewNetwork) -> Arc<Network> {
        match self.done(Command::CreateNetworks(vec![new])) {
            Outcome::Networks(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn network(&mut self) -> NetworkId {
        let new = self.new_network();
        self.create_network(new).id
    }

    pub(crate) fn update_network(&mut self, id: NetworkId, patch: NetworkPatch) -> Arc<Network> {
        match self.done(Command::UpdateNetwork { id, patch, if_revision: None }) {
            Outcome::Networks(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn new_subnet(&mut self, network: NetworkId, cidr: &str) -> NewSubnet {
        let cidr = cidr.parse().expect("a test's prefix");
        NewSubnet::new(sub(self.id()), network, project(), cidr)
    }

    pub(crate) fn create_subnet(&mut self, new: NewSubnet) -> Arc<Subnet> {
        match self.done(Command::CreateSubnets(vec![new])) {
            Outcome::Subnets(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn subnet(&mut self, network: NetworkId, cidr: &str) -> SubnetId {
        let new = self.new_subnet(network, cidr);
        self.create_subnet(new).id
    }

    pub(crate) fn update_subnet(&mut self, id: SubnetId, patch: SubnetPatch) -> Arc<Subnet> {
        match self.done(Command::UpdateSubnet { id, patch, if_revision: None }) {
            Outcome::Subnets(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn new_port(&mut self, network: NetworkId) -> NewPort {
        NewPort::new(prt(self.id()), network, project())
    }

    pub(crate) fn create_port(&mut self, new: NewPort) -> Arc<Port> {
        match self.done(Command::CreatePorts(vec![new])) {
            Outcome::Ports(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn port(&mut self, network: NetworkId) -> Arc<Port> {
        let new = self.new_port(network);
        self.create_port(new)
    }

    pub(crate) fn port_at(&mut self, network: NetworkId, wanted: Vec<NewFixedIp>) -> Arc<Port> {
        let mut new = self.new_port(network);
        new.fixed_ips = Some(wanted);
        self.create_port(new)
    }

    pub(crate) fn update_port(&mut self, id: PortId, patch: PortPatch) -> Arc<Port> {
        match self.done(patched(id, patch)) {
            Outcome::Ports(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn new_group(&mut self) -> NewSecurityGroup {
        NewSecurityGroup::new(grp(self.id()), project())
    }

    pub(crate) fn create_group(&mut self, new: NewSecurityGroup) -> Arc<SecurityGroup> {
        match self.done(Command::CreateSecurityGroups(vec![new])) {
            Outcome::SecurityGroups(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn group(&mut self) -> SecurityGroupId {
        let new = self.new_group();
        self.create_group(new).id
    }

    /// Any TCP from anybody by IPv4, until `change` says otherwise.
    pub(crate) fn new_rule(
        &mut self,
        group: SecurityGroupId,
        change: impl FnOnce(&mut NewSecurityGroupRule),
    ) -> NewSecurityGroupRule {
        let mut rule = NewSecurityGroupRule {
            id: rul(self.id()),
            security_group_id: group,
            project_id: project(),
            description: None,
            direction: Direction::Ingress,
            ethertype: Ethertype::V4,
            protocol: Some(Protocol { number: 6, word: "tcp".into() }),
            port_range_min: None,
            port_range_max: None,
            remote: Remote::Anybody,
        };
        change(&mut rule);
        rule
    }

    pub(crate) fn rule(
        &mut self,
        group: SecurityGroupId,
        change: impl FnOnce(&mut NewSecurityGroupRule),
    ) -> Arc<SecurityGroupRule> {
        let new = self.new_rule(group, change);
        match self.done(Command::CreateSecurityGroupRules(vec![new])) {
            Outcome::SecurityGroupRules(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn hypervisor(&mut self, name: &str, last_byte: u8) {
        self.done(Command::ObserveHypervisor(fact(name, last_byte)));
    }
}

pub(crate) fn patched(id: PortId, patch: PortPatch) -> Command {
    Command::UpdatePort { id, patch: Box::new(patch), if_revision: None }
}

pub(crate) fn fact(name: &str, last_byte: u8) -> HypervisorFact {
    HypervisorFact {
        name: host(name),
        system_id: format!("id-of-{name}"),
        encap_ip: IpAddr::from([192, 0, 2, last_byte]),
        bridge_mappings: Vec::new(),
        integration_datapath: None,
        tunnel_datapath: None,
    }
}
