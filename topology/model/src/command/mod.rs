//! What may be asked of a topology, and what is answered.

mod network;
mod port;
mod subnet;

pub use network::{NetworkPatch, NewNetwork};
pub use port::{NewAddressPair, NewFixedIp, NewPort, PortPatch};
pub use subnet::{NewSubnet, SubnetPatch};

use crate::{
    BridgeMapping, HostName, Liveness, Network, NetworkId, Port, PortId, PortStatus, Subnet, SubnetId, Timestamp, Vif,
};
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
    /// Sets what is known of ports' traffic. Ports that are gone are passed over, and so is
    /// anything but [`PortStatus::Down`] for a port that is not bound or administratively down:
    /// the news was overtaken by a later command.
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
    /// The record is gone.
    Deleted,
    /// The fact is noted.
    Done,
}
