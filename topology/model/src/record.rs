//! What is kept on disk.

use crate::{
    HostKey, HostName, Hypervisor, Network, NetworkId, NetworkKey, Port, PortId, PortKey, Subnet, SubnetId, Vni,
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
}

/// One thing that outlives the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A network.
    Network(Arc<Network>),
    /// A subnet.
    Subnet(Arc<Subnet>),
    /// A port.
    Port(Arc<Port>),
    /// A hypervisor.
    Hypervisor(Arc<Hypervisor>),
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
    /// A port.
    Port(PortId),
    /// A hypervisor, by number because its name may change.
    Hypervisor(HostKey),
    /// The numbers given last.
    Counters,
}

impl Record {
    /// By what it is found again.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Network(network) => RecordKey::Network(network.id),
            Self::Subnet(subnet) => RecordKey::Subnet(subnet.id),
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
    /// Two hypervisors share a name, a system id or a tunnel endpoint.
    #[error("hypervisor {0} shares its name, system id or tunnel endpoint with another")]
    Hypervisor(HostName),
}
