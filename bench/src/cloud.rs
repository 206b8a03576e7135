//! Clouds of any size.

use std::net::{IpAddr, Ipv4Addr};

use uuid::Uuid;
use weir_model::{
    Command, Commit, HostName, HypervisorFact, Limits, Liveness, NetworkId, NewInterface, NewNetwork, NewPort,
    NewRouter, NewSubnet, PortId, ProjectId, Request, RouterId, SubnetId, Timestamp, Topology, Vif,
};

use crate::Failure;

/// How many ports a network has. They are spread over as many hypervisors as there are, up to that number.
pub const PORTS_OF_NETWORK: usize = 100;

/// How many networks a project has, with one router between them.
pub const NETWORKS_OF_TENANT: usize = 2;

/// How many ports of VMs a hypervisor has.
pub const PORTS_OF_HOST: usize = 100;

/// A topology that grows by commands, as the controller's does.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// What it is now.
    pub topology: Topology,
    hosts: usize,
    networks: usize,
    router: RouterId,
    last_id: u128,
}

impl Cloud {
    /// A cloud of so many ports with IPv4 and IPv6 addresses, all plugged in.
    ///
    /// # Errors
    /// The model rejects a command.
    pub fn of_ports(ports: usize) -> Result<Self, Failure> {
        Self::of(ports, ports.div_ceil(PORTS_OF_HOST))
    }

    /// A cloud of so many ports on so many hypervisors.
    ///
    /// # Errors
    /// The model rejects a command.
    pub fn of(ports: usize, hosts: usize) -> Result<Self, Failure> {
        let mut cloud = Self {
            topology: Topology::new(Limits::default()),
            hosts,
            networks: 0,
            router: RouterId(Uuid::nil()),
            last_id: 0,
        };
        for number in 0..hosts {
            let name = host_name(number);
            let encap_ip = IpAddr::V4(Ipv4Addr::from(0x0a64_0000 + u32::try_from(number)? + 1));
            cloud.command(Command::ObserveHypervisor(HypervisorFact {
                system_id: name.to_string(),
                name: name.clone(),
                encap_ip,
                bridge_mappings: Vec::new(),
                integration_datapath: None,
                tunnel_datapath: None,
            }))?;
            cloud.command(Command::SetLiveness(name, Liveness::Alive))?;
        }
        let mut network = NetworkId(Uuid::nil());
        for number in 0..ports {
            if number % PORTS_OF_NETWORK == 0 {
                network = cloud.network()?;
            }
            cloud.plugged_port(network, number, u32::try_from(number / hosts)? + 1)?;
        }
        Ok(cloud)
    }

    /// Runs a command.
    ///
    /// # Errors
    /// The model rejects it.
    pub fn command(&mut self, command: Command) -> Result<Commit, Failure> {
        let (topology, commit, _) =
            self.topology.transact(Request { command, at: Timestamp(0) }).map_err(|rejection| rejection.to_string())?;
        self.topology = topology;
        Ok(commit)
    }

    /// Makes a network with two subnets. Every [`NETWORKS_OF_TENANT`] of them are a project's, behind its router.
    ///
    /// # Errors
    /// The model rejects it.
    pub fn network(&mut self) -> Result<NetworkId, Failure> {
        let (tenant, number) = (self.networks / NETWORKS_OF_TENANT, self.networks % NETWORKS_OF_TENANT);
        self.networks += 1;
        let project = ProjectId::from(format!("tenant-{tenant}").as_str());
        if number == 0 {
            self.router = RouterId(self.id());
            self.command(Command::CreateRouters(vec![NewRouter::new(self.router, project.clone())]))?;
        }
        let id = NetworkId(self.id());
        self.command(Command::CreateNetworks(vec![NewNetwork::new(id, project.clone())]))?;
        for cidr in [format!("10.{number}.0.0/16"), format!("fd00:{number}::/64")] {
            let subnet = SubnetId(self.id());
            let new = NewSubnet::new(subnet, id, project.clone(), cidr.parse()?);
            self.command(Command::CreateSubnets(vec![new]))?;
            let port = PortId(self.id());
            let interface = NewInterface::Subnet { subnet, port };
            self.command(Command::AddRouterInterface { id: self.router, interface })?;
        }
        Ok(id)
    }

    /// The command that makes a port on a network, bound to the hypervisor of this number.
    pub fn new_port(&mut self, network: NetworkId, host: usize) -> (PortId, Command) {
        let id = PortId(self.id());
        let project = self.topology.network(network).map(|network| network.project_id.clone());
        let mut port = NewPort::new(id, network, project.unwrap_or_else(|| ProjectId::from("nobody")));
        port.binding_host = Some(host_name(host % self.hosts));
        (id, Command::CreatePorts(vec![port]))
    }

    /// The command by which a port's interface is seen.
    pub fn vif(&self, port: PortId, host: usize, ofport: u32) -> Command {
        Command::ObserveVif(Vif {
            host: host_name(host % self.hosts),
            port,
            interface: format!("tap{}", &port.to_string()[..11]),
            ofport,
        })
    }

    fn plugged_port(&mut self, network: NetworkId, host: usize, ofport: u32) -> Result<(), Failure> {
        let (id, command) = self.new_port(network, host);
        self.command(command)?;
        let vif = self.vif(id, host, ofport);
        self.command(vif).map(drop)
    }

    fn id(&mut self) -> Uuid {
        self.last_id += 1;
        // Spread over all bits, as random ids are.
        Uuid::from_u128(self.last_id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }
}

/// The name of the hypervisor of this number.
pub fn host_name(number: usize) -> HostName {
    HostName::from(format!("h{number}").as_str())
}
