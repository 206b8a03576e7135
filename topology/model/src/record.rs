//! What is kept on disk.

use crate::{
    AddressGroup, AddressGroupId, HostKey, HostName, Hypervisor, Network, NetworkId, NetworkKey, Port, PortId, PortKey,
    Router, RouterId, SecurityGroup, SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId, SecuritySet, SetKey,
    Subnet, SubnetId, Vni, Zones,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version of the records' form. Fields may be added without a new version: readers pass over
/// fields they do not know, and new fields must have defaults.
pub const FORMAT: u32 = 1;

/// The numbers given last, so that a freed number is not given again at once, restarts included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Of networks; 0 if none was given.
    pub network: u32,
    /// Of ports; 0 if none was given.
    pub port: u32,
    /// Of hypervisors; 0 if none was given.
    pub host: u32,
    /// Of VXLAN identifiers taken from the ranges; 0 if none was given.
    pub vni: u32,
    /// Of routers; 0 if none was given.
    pub router: u32,
    /// Of security groups; 0 if none was given.
    pub group: u32,
    /// Of rules of security groups; 0 if none was given.
    pub rule: u32,
    /// Of sets of security groups; 0 if none was given.
    pub set: u32,
    /// Of generations of rules; 0 if none was given.
    pub generation: u32,
    /// Of address groups; 0 if none was given.
    pub address_group: u32,
}

/// One thing that outlives the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A network.
    Network(Arc<Network>),
    /// A subnet.
    Subnet(Arc<Subnet>),
    /// An address group.
    AddressGroup(Arc<AddressGroup>),
    /// A security group.
    SecurityGroup(Arc<SecurityGroup>),
    /// A rule of a security group.
    SecurityGroupRule(Arc<SecurityGroupRule>),
    /// A set of security groups.
    SecuritySet(Arc<SecuritySet>),
    /// A router.
    Router(Arc<Router>),
    /// A port.
    Port(Arc<Port>),
    /// A hypervisor.
    Hypervisor(Arc<Hypervisor>),
    /// The conntrack zones of a hypervisor.
    Zones(Arc<Zones>),
    /// The numbers given last.
    Counters(Counters),
}

/// By what a record is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKey {
    /// A network.
    Network(NetworkId),
    /// A subnet.
    Subnet(SubnetId),
    /// An address group.
    AddressGroup(AddressGroupId),
    /// A security group.
    SecurityGroup(SecurityGroupId),
    /// A rule of a security group.
    SecurityGroupRule(SecurityGroupRuleId),
    /// A set of security groups.
    SecuritySet(SetKey),
    /// A router.
    Router(RouterId),
    /// A port.
    Port(PortId),
    /// A hypervisor, by number because its name may change.
    Hypervisor(HostKey),
    /// The conntrack zones of a hypervisor.
    Zones(HostKey),
    /// The numbers given last.
    Counters,
}

impl Record {
    /// By what it is found again.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Network(network) => RecordKey::Network(network.id),
            Self::Subnet(subnet) => RecordKey::Subnet(subnet.id),
            Self::AddressGroup(group) => RecordKey::AddressGroup(group.id),
            Self::SecurityGroup(group) => RecordKey::SecurityGroup(group.id),
            Self::SecurityGroupRule(rule) => RecordKey::SecurityGroupRule(rule.id),
            Self::SecuritySet(set) => RecordKey::SecuritySet(set.key),
            Self::Router(router) => RecordKey::Router(router.id),
            Self::Zones(zones) => RecordKey::Zones(zones.host),
            Self::Port(port) => RecordKey::Port(port.id),
            Self::Hypervisor(hypervisor) => RecordKey::Hypervisor(hypervisor.key),
            Self::Counters(_) => RecordKey::Counters,
        }
    }
}

/// Why records do not make a topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Two records share their id.
    #[error("two records {0:?}")]
    Twice(RecordKey),
    /// A record names a network that is not there.
    #[error("{record:?} names network {network}, which is not there")]
    NoNetwork {
        /// The record.
        record: RecordKey,
        /// What it names.
        network: NetworkId,
    },
    /// A port has an address of a subnet that is not there or of another network.
    #[error("port {port} has an address of subnet {subnet}, which is not on its network")]
    NoSubnet {
        /// The port.
        port: PortId,
        /// What it names.
        subnet: SubnetId,
    },
    /// Two networks share a number.
    #[error("network {network} shares key {key} with another")]
    NetworkKey {
        /// The later of the two.
        network: NetworkId,
        /// The number.
        key: NetworkKey,
    },
    /// Two networks share a VXLAN identifier.
    #[error("network {network} shares VXLAN identifier {vni} with another")]
    Vni {
        /// The later of the two.
        network: NetworkId,
        /// The identifier.
        vni: Vni,
    },
    /// Two ports share a number.
    #[error("port {port} shares key {key} with another")]
    PortKey {
        /// The later of the two.
        port: PortId,
        /// The number.
        key: PortKey,
    },
    /// Two ports of a network share an address.
    #[error("port {0} shares an address with another port of its network")]
    Address(PortId),
    /// Two records of a kind share a number in flows.
    #[error("{record:?} shares its number with another")]
    Number {
        /// The later of the two.
        record: RecordKey,
    },
    /// A record names another that is not there.
    #[error("{record:?} names {named:?}, which is not there")]
    Dangling {
        /// The record.
        record: RecordKey,
        /// What it names.
        named: RecordKey,
    },
    /// A port has groups without port security, or groups that are no set.
    #[error("port {0} has security groups without port security, or no set of them is there")]
    Groups(PortId),
    /// A set of no port, or of the same groups as another.
    #[error("set {0} of security groups is no port's, or has the same groups as another")]
    Set(SetKey),
    /// A hypervisor's zones contradict each other.
    #[error("a conntrack zone of hypervisor {0} is out of range, given twice or of no network")]
    Zones(HostKey),
    /// Two hypervisors share a name, a system id or a tunnel endpoint.
    #[error("hypervisor {0} shares its name, system id or tunnel endpoint with another")]
    Hypervisor(HostName),
}
