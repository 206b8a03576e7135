//! What may be asked of a topology, and what is answered.

mod network;
mod port;
mod router;
mod security;
mod subnet;

pub use network::{NetworkPatch, NewNetwork};
pub use port::{NewAddressPair, NewFixedIp, NewPort, PortPatch};
pub use router::{NewInterface, NewRouter, OldInterface, RouterPatch};
pub use security::{AddressGroupPatch, NewAddressGroup, NewSecurityGroup, NewSecurityGroupRule, SecurityGroupPatch};
pub use subnet::{NewSubnet, SubnetPatch};

use crate::{
    AddressGroup, AddressGroupId, BridgeMapping, HostKey, HostName, Liveness, Network, NetworkId, Port, PortId,
    PortStatus, ProjectId, Route, Router, RouterId, SecurityGroup, SecurityGroupId, SecurityGroupRule,
    SecurityGroupRuleId, Subnet, SubnetId, Timestamp, Vif, Zone,
};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// A command and the time at which it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// The time that records made or changed by it carry.
    pub at: Timestamp,
}

/// A change asked of the topology. Each is done whole or not at all.
///
/// Commands that name `if_revision` are refused with
/// [`Rejection::RevisionNumberConstraintFailed`](crate::Rejection::RevisionNumberConstraintFailed)
/// unless the record has that revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Makes networks, all or none.
    CreateNetworks(Vec<NewNetwork>),
    /// Changes a network.
    UpdateNetwork {
        /// Which.
        id: NetworkId,
        /// What to change.
        patch: NetworkPatch,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Deletes a network with its subnets and the ports that Neutron owns on it.
    DeleteNetwork {
        /// Which.
        id: NetworkId,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Makes subnets, all or none.
    CreateSubnets(Vec<NewSubnet>),
    /// Changes a subnet.
    UpdateSubnet {
        /// Which.
        id: SubnetId,
        /// What to change.
        patch: SubnetPatch,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Deletes a subnet; addresses that were given automatically leave their ports.
    DeleteSubnet {
        /// Which.
        id: SubnetId,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Makes ports, all or none.
    CreatePorts(Vec<NewPort>),
    /// Changes a port.
    UpdatePort {
        /// Which.
        id: PortId,
        /// What to change; boxed because it is far larger than the other commands.
        patch: Box<PortPatch>,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Deletes a port.
    DeletePort {
        /// Which.
        id: PortId,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Makes routers, all or none.
    CreateRouters(Vec<NewRouter>),
    /// Changes a router.
    UpdateRouter {
        /// Which.
        id: RouterId,
        /// What to change.
        patch: RouterPatch,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Deletes a router, which must have no interface.
    DeleteRouter {
        /// Which.
        id: RouterId,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Gives a router an interface.
    AddRouterInterface {
        /// Which router.
        id: RouterId,
        /// By which subnet or port.
        interface: NewInterface,
    },
    /// Takes an interface from a router. Its port goes with it, unless that has addresses of other subnets.
    RemoveRouterInterface {
        /// Which router.
        id: RouterId,
        /// Which interface.
        interface: OldInterface,
    },
    /// Adds routes to those that a router has; one that it has already is passed over.
    AddExtraRoutes {
        /// Which router.
        id: RouterId,
        /// The routes.
        routes: Vec<Route>,
    },
    /// Takes routes from those that a router has; one that it has not is passed over.
    RemoveExtraRoutes {
        /// Which router.
        id: RouterId,
        /// The routes.
        routes: Vec<Route>,
    },
    /// Makes the group `default` of a project, unless it is there.
    EnsureDefaultSecurityGroup(ProjectId),
    /// Makes security groups, all or none, and the project's group `default` if that is not there.
    CreateSecurityGroups(Vec<NewSecurityGroup>),
    /// Changes a security group.
    UpdateSecurityGroup {
        /// Which.
        id: SecurityGroupId,
        /// What to change.
        patch: SecurityGroupPatch,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Deletes a security group, which no port may have, with its rules and those of other groups that name it.
    DeleteSecurityGroup {
        /// Which.
        id: SecurityGroupId,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Makes rules of security groups, all or none.
    CreateSecurityGroupRules(Vec<NewSecurityGroupRule>),
    /// Deletes a rule of a security group.
    DeleteSecurityGroupRule {
        /// Which.
        id: SecurityGroupRuleId,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Makes address groups, all or none.
    CreateAddressGroups(Vec<NewAddressGroup>),
    /// Changes an address group.
    UpdateAddressGroup {
        /// Which.
        id: AddressGroupId,
        /// What to change.
        patch: AddressGroupPatch,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// Deletes an address group, which no rule may name.
    DeleteAddressGroup {
        /// Which.
        id: AddressGroupId,
        /// The revision it must have.
        if_revision: Option<u64>,
    },
    /// A hypervisor's switch has forgotten the connections of these zones.
    ZonesFlushed {
        /// The hypervisor.
        host: HostKey,
        /// The zones.
        zones: BTreeSet<Zone>,
    },
    /// Sets what is known of ports' traffic. Ports that are gone are passed over, so are interfaces of
    /// routers, which no switch plugs, and so is anything but [`PortStatus::Down`] for a port that is
    /// not bound or administratively down: the news was overtaken by a later command.
    SetPortStatus(Vec<(PortId, PortStatus)>),
    /// A hypervisor introduced itself or changed its facts.
    ObserveHypervisor(HypervisorFact),
    /// A hypervisor was taken out of service: its number, tunnel and interfaces are forgotten.
    ForgetHypervisor(HostName),
    /// An interface that names a port was seen on a known hypervisor; the port may come later.
    ObserveVif(Vif),
    /// The interface went.
    ForgetVif {
        /// From which hypervisor.
        host: HostName,
        /// The port that it named.
        port: PortId,
    },
    /// A hypervisor's sessions came up or stayed away longer than the grace.
    SetLiveness(HostName, Liveness),
}

/// What a hypervisor says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypervisorFact {
    /// The name that `binding:host_id` uses (`external_ids:hostname`).
    pub name: HostName,
    /// `external_ids:system-id`; it tells a renamed hypervisor from a new one.
    pub system_id: String,
    /// Its tunnel endpoint (`external_ids:weir-encap-ip`).
    pub encap_ip: IpAddr,
    /// Its physical networks.
    pub bridge_mappings: Vec<BridgeMapping>,
    /// Datapath id of br-int; `None` keeps what was known.
    pub integration_datapath: Option<u64>,
    /// Datapath id of br-tun; `None` keeps what was known.
    pub tunnel_datapath: Option<u64>,
}

/// What a command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The networks made or changed, in the order asked.
    Networks(Vec<Arc<Network>>),
    /// The subnets made or changed, in the order asked.
    Subnets(Vec<Arc<Subnet>>),
    /// The ports made or changed, in the order asked.
    Ports(Vec<Arc<Port>>),
    /// The routers made or changed, in the order asked.
    Routers(Vec<Arc<Router>>),
    /// A router got or lost an interface.
    RouterInterface {
        /// The router.
        router: Arc<Router>,
        /// The interface's port, as it is or was.
        port: Arc<Port>,
        /// The subnets that the router got or lost by it.
        subnets: Vec<SubnetId>,
    },
    /// The security groups made or changed, in the order asked.
    SecurityGroups(Vec<Arc<SecurityGroup>>),
    /// The rules made, in the order asked.
    SecurityGroupRules(Vec<Arc<SecurityGroupRule>>),
    /// The address groups made or changed, in the order asked.
    AddressGroups(Vec<Arc<AddressGroup>>),
    /// The record is gone.
    Deleted,
    /// The fact is noted.
    Done,
}
